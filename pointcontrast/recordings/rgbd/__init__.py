"""Depth images with poses, in the formats of their recorders.

Read in this order: ``posed_images`` (what all folders share), ``layouts/`` (one file each),
``images/`` (depth, colour, intrinsics and lenses), ``pose_conventions`` and ``self_check`` (do the
views fit together?), ``sens/`` (ScanNet's recordings in one file).
"""
