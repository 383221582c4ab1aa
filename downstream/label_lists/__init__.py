"""Training on few labels: lists of scenes, of points, of boxes."""
