"""Readers of posed RGB-D data, one file a layout; ``pointcontrast.layouts`` lists them."""
