"""S3DIS (Stanford3dDataset_v1.2): rooms as text, an annotation file an object.

``classes`` (the 13 classes, and file names), ``text`` (points from text, with the release's bad
bytes mended), ``rooms`` (a room to a labelled scene), ``synthetic`` (a small release of the same
layout), ``damage`` (what is wrong with rooms, for tests).
"""
