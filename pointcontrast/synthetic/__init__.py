"""Furnished synthetic rooms and a posed RGB-D camera walking through them.

The stand-in for every dataset that cannot be shipped. Read in this order: ``solids`` (closed
primitives), ``textures`` (materials), ``furniture`` and ``clutter`` (pieces), ``floorplan`` and
``shell`` (the empty room), ``arrange`` and ``tabletop`` (where things stand), ``rooms`` (one mesh
with labels), ``camera_walk``, ``render`` and ``sensor`` (depth, colour, labels, noise),
``source`` (folders on disk).
"""
