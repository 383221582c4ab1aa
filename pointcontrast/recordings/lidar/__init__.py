"""LiDAR sweeps with poses."""
