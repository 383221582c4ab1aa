from __future__ import annotations

import numpy as np

from pointcontrast.pictures.feature_colors import pca_colors
from pointcontrast.pictures.feature_picture import feature_panels
from pointcontrast.types import PointCloud


def test_every_point_shows_the_colour_of_its_nearest_voxel() -> None:
    view = PointCloud(np.array([[0, 0, 0], [0.4, 0, 0], [0.6, 0, 0]], dtype=np.float32))
    voxels = np.array([[0.0, 0, 0], [1.0, 0, 0]], dtype=np.float32)
    features = np.array([[0.0, 1.0], [1.0, 0.0]], dtype=np.float32)
    panels = feature_panels([view], ["v"], {"net": lambda _: (voxels, features)})
    assert [panel.caption for panel in panels] == ["v: colour", "v: net"]
    expected = pca_colors(features)[[0, 0, 1]]
    np.testing.assert_array_equal(panels[1].colors, expected)
    assert (expected[0] != expected[2]).any()
