"""Furnished synthetic rooms and a posed RGB-D camera walking through them.

They stand in for datasets that cannot be shipped. Read in this order: ``solids`` (closed
primitives), ``textures`` (materials), ``pieces``, ``furniture``, ``seating`` and ``clutter``
(objects), ``floorplan`` and ``shell`` (the empty room), ``arrange`` and ``tabletop`` (the places of
the objects), ``rooms`` (one mesh with labels), ``camera_walk``, ``render`` and ``sensor`` (depth,
colour, labels, noise), ``source`` (folders on disk).
"""
