"""Predictions as point clouds, as pictures, and as the files that a benchmark wants."""
