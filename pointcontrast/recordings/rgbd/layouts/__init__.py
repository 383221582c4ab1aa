"""Layouts of posed depth images, one file each; ``posed_images`` reads what they list."""
