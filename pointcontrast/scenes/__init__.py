"""Scenes: the views of a recording in one world frame, stored, and how much they overlap.

Read in this order: ``views`` (a frame to a view), ``up_direction``, ``scene_meta`` and
``view_store`` (a folder a scene, of ``packed_images`` or ``packed_points``), ``overlap`` (of every
two views, by ``overlap_fast`` or ``overlap_exact``), ``pairs`` (the list of pairs). ``depth`` holds
what depth images need.
"""
