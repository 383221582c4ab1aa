"""Depth and colour images, intrinsics and lenses, in the forms of their recorders."""
