"""Synthia4D: street scenes, one PLY file per frame.

Read in this order: ``classes`` (12 of the 16 labels), ``layout`` (frames on disk and the split),
``frames`` (a frame to a labelled scene).
"""
