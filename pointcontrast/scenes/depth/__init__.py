"""Depth images: as clouds of points, and as few bytes."""
