"""Coloured points as pictures, without a display where there is none.

``drawing`` opens a window, or has ``splatting`` draw ``colored_points`` as ``cameras`` see them.
"""
