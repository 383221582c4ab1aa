"""Depth images with poses, in the formats of their recorders."""
