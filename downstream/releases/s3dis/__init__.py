"""S3DIS (Stanford3dDataset_v1.2): rooms as text, with one annotation file per object.

Read in this order: ``classes`` (the 13 classes and the file names), ``text`` (points from text,
with the damaged bytes of the release repaired), ``rooms`` (a room to a labelled scene).
"""
