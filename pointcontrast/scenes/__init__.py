"""Scenes: the stored views of a recording in one world frame, and their overlaps.

Read in this order: ``views`` (from a frame to a view), ``up_direction``, ``scene_meta`` and
``view_store`` with ``view_store_writer`` (one folder per scene, of ``packed_images`` or
``packed_points``), ``overlap`` (of every two views, by ``overlap_fast`` or ``overlap_exact``),
``pairs`` (the list of pairs). ``depth`` turns depth images into points and into few bytes.
"""
