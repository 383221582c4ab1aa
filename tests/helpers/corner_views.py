"""Views of a corner, and a tiny network to look at them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

from pointcontrast.backbones import Res16UNet
from pointcontrast.data.network_input import NetworkInput
from pointcontrast.scenes.view_store_writer import SceneSource, write_view_store
from pointcontrast.scenes.views import View
from pointcontrast.types import PointCloud
from pointcontrast.weights.backbone_file import save_backbone


class CornerViews:
    """Views of the corner of a room: a floor and two walls, with z up."""

    def __init__(self, num_views: int) -> None:
        pose = np.eye(4)  # before the open side, looks along y
        pose[:3, :3] = [[1, 0, 0], [0, 0, 1], [0, -1, 0]]
        pose[:3, 3] = [0.5, -1.0, 0.5]
        up = np.array([0.0, 0.0, 1.0])
        self.meta = SimpleNamespace(up=up, origin=np.zeros(3), camera_pose=lambda _: pose)
        self.num_views = num_views

    def __len__(self) -> int:
        return self.num_views

    def __getitem__(self, index: int, /) -> PointCloud:
        points = np.random.default_rng(index).uniform(size=(900, 3))
        for axis in range(3):
            points[axis::3, axis] = 0
        return PointCloud(points.astype(np.float32), (200 * points).astype(np.uint8))


def write_network_and_scene(folder: Path) -> tuple[Path, Path]:
    """A real backbone file of a tiny network and a real view store of two corners."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        backbone = Res16UNet(6, 8, "14A", engine="native", width=0.25)
    recipe = NetworkInput(voxel_size=0.1, features=("ones", "color"), rotation="vertical")
    save_backbone(folder / "backbone.safetensors", backbone, recipe, {})
    corners = CornerViews(2)
    views = [View(str(i), corners.meta.camera_pose(i), corners[i]) for i in range(2)]
    source = SceneSource("test", "nowhere", up=corners.meta.up)
    write_view_store(folder / "corner", views, source, storage_grid=0)
    return folder / "backbone.safetensors", folder / "corner"
