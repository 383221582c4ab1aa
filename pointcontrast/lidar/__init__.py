"""Readers of posed LiDAR sweeps; ``pointcontrast.layouts`` lists them with the others."""
