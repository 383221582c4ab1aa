"""Reconstructions as raw data: a mesh or point-cloud file, seen through simulated cameras."""
