"""Synthia4D: street scenes as a PLY a frame.

``classes`` (12 of the 16 labels), ``layout`` (where frames lie, and the split), ``frames`` (a frame
to a labelled scene), ``synthetic`` (a small release of the same layout).
"""
