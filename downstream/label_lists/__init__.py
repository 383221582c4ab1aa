"""Training on few labels: lists of scenes, of annotated points, of labelled boxes.

``scenes``, ``points`` and ``boxes`` read, write and apply lists. ``point_choice`` chooses the
points to annotate. ``candidates``, ``making`` and ``description`` serve the command line,
``datasets/label_lists.py``.
"""
