"""Pictures of point clouds and of what a network makes of them, with or without a display.

``feature_picture`` and ``correspondence_picture`` are the two commands of ``visualize_cli``. Both
make ``colored_points`` and hand them to ``drawing``, which opens a window or has ``splatting``
render them as ``cameras`` see them.
"""
