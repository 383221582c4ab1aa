"""The contrastive losses, as functions of tensors and as modules that hold their numbers.

In a loop of your own::

    from pointcontrast.losses import point_info_nce

    output = point_info_nce(features0, features1, correspondences, normalize=True)
    output.loss.backward()

Read in this order: ``contract`` (arguments and result), ``sampling``, ``info_nce``, ``hardest``,
``gathering`` (negatives of other ranks).
"""

from pointcontrast.losses.contract import LossOutput
from pointcontrast.losses.hardest import HardestContrastive, hardest_contrastive
from pointcontrast.losses.info_nce import PointInfoNCE, point_info_nce

__all__ = [
    "HardestContrastive",
    "LossOutput",
    "PointInfoNCE",
    "hardest_contrastive",
    "point_info_nce",
]
