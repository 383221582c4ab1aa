"""The contrastive losses: pure functions of tensors, and thin modules that store their numbers."""

from pointcontrast.losses.contract import LossOutput
from pointcontrast.losses.hardest_contrastive import HardestContrastive
from pointcontrast.losses.point_info_nce import PointInfoNCE

__all__ = ["HardestContrastive", "LossOutput", "PointInfoNCE"]
