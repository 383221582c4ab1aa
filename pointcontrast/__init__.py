"""PointContrast: contrastive pretraining of sparse 3D networks on registered views.

>>> import pointcontrast
>>> network = pointcontrast.load("runs/demo/TIME")
>>> features = network(points, colors)  # (N, 3) metres, (N, 3) -> (N, C) float32

The names below are imported on first use, so that ``import pointcontrast`` is quick. The packages
read in this order: ``recordings`` (what people bring), ``scenes`` (views, overlaps, pairs),
``preparation`` (all scenes of a dataset), ``data`` (pairs to batches), ``sparse`` and ``backbones``
(networks), ``losses``, ``pretrain`` with ``runs`` (training), ``weights`` (files),
``feature_network`` (:func:`load`), ``pictures``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pointcontrast.backbones import Backbone, Res16UNet
    from pointcontrast.data.collate import collate_pairs
    from pointcontrast.data.module import PairDataModule
    from pointcontrast.data.network_input import NetworkInput
    from pointcontrast.data.pair_dataset import PairDataset
    from pointcontrast.errors import InputError
    from pointcontrast.feature_network import FeatureNetwork, VoxelFeatures, load
    from pointcontrast.losses import (
        HardestContrastive,
        PointInfoNCE,
        hardest_contrastive,
        point_info_nce,
    )
    from pointcontrast.pretrain import PointContrast
    from pointcontrast.weights.backbone_file import load_backbone, save_backbone

__version__ = "0.1.0"

__all__ = [
    "Backbone",
    "FeatureNetwork",
    "HardestContrastive",
    "InputError",
    "NetworkInput",
    "PairDataModule",
    "PairDataset",
    "PointContrast",
    "PointInfoNCE",
    "Res16UNet",
    "VoxelFeatures",
    "collate_pairs",
    "hardest_contrastive",
    "load",
    "load_backbone",
    "point_info_nce",
    "save_backbone",
]

_MODULES = {
    "backbones": ("Backbone", "Res16UNet"),
    "data.collate": ("collate_pairs",),
    "data.module": ("PairDataModule",),
    "data.network_input": ("NetworkInput",),
    "data.pair_dataset": ("PairDataset",),
    "errors": ("InputError",),
    "feature_network": ("FeatureNetwork", "VoxelFeatures", "load"),
    "losses": ("HardestContrastive", "PointInfoNCE", "hardest_contrastive", "point_info_nce"),
    "pretrain": ("PointContrast",),
    "weights.backbone_file": ("load_backbone", "save_backbone"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Public names, imported or not."""
    return sorted({*globals(), *__all__})
