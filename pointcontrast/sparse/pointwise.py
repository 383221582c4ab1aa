"""Operations that treat every row alike, the same code on both engines."""

from __future__ import annotations

from typing import TypeVar, cast

import torch
from torch import nn

from pointcontrast.sparse.checks import check_same_coordinates, check_shortcut
from pointcontrast.sparse.sparse_tensor import SparseTensor

T = TypeVar("T", bound=SparseTensor)


class BatchNorm(nn.Module):
    """Batch normalization over all rows; parameters under ``bn.`` as in MinkowskiEngine.

    A shortcut and a rectifier behind it can be given in the same call, and the convolution before
    it too (:meth:`after`), so that an engine may fuse them.
    """

    def __init__(self, num_features: int, *, momentum: float = 0.1, eps: float = 1e-5) -> None:
        """Build the layer.

        Args:
            num_features: Number of channels.
            momentum: Weight of the newest batch in the running statistics.
            eps: Constant added to the variance.
        """
        super().__init__()
        self.bn = nn.BatchNorm1d(num_features, eps=eps, momentum=momentum)

    def forward(self, x: T, shortcut: T | None = None, *, rectify: bool = False) -> T:
        """Normalize ``x``, add the shortcut and rectify, the last two if given.

        Args:
            x: Features (N, num_features).
            shortcut: Features of the same shape on the same coordinates.
            rectify: Whether to replace negative values by 0.

        Raises:
            ValueError: Fewer than two rows in training, which have no variance; the channels or
                the device are not the layer's; or the shortcut has another shape or other
                coordinates.
        """
        channels = self.bn.num_features
        if x.features.ndim != 2 or x.features.shape[1] != channels:
            raise ValueError(
                f"batch norm takes (N, {channels}) features, its input is {tuple(x.features.shape)}"
            )
        if self.bn.weight.device != x.features.device:
            raise ValueError(
                f"batch norm is on {self.bn.weight.device}, its input on {x.features.device}"
            )
        if self.bn.training and len(x.features) < 2:
            raise ValueError(
                f"batch norm cannot train on {len(x.features)} voxels (at stride {x.stride}); "
                "use larger views, more of them, or smaller voxels"
            )
        if shortcut is not None:
            check_shortcut(shortcut.features, x.features)
            check_same_coordinates(x, shortcut, "added")
        added = None if shortcut is None else shortcut.features
        return cast(T, x.replace(self._normalized(x.features, added, rectify)))

    def after(
        self, convolution: nn.Module, x: T, shortcut: T | None = None, *, rectify: bool = False
    ) -> T:
        """Return ``self(convolution(x), shortcut, rectify=rectify)``."""
        return self(convolution(x), shortcut, rectify=rectify)

    def _normalized(
        self, features: torch.Tensor, shortcut: torch.Tensor | None, rectify: bool
    ) -> torch.Tensor:
        """Compute :meth:`forward` on plain tensors; the native engine overrides it."""
        features = self.bn(features)
        if shortcut is not None:
            features = features + shortcut
        return torch.relu(features) if rectify else features


class ReLU(nn.Module):
    """Rectifier, max(0, x)."""

    def forward(self, x: SparseTensor) -> SparseTensor:
        """Rectify the features of ``x``."""
        return x.replace(torch.relu(x.features))


def concatenate(first: SparseTensor, second: SparseTensor) -> SparseTensor:
    """Concatenate the channels of two tensors on the same coordinates.

    Args:
        first: Features (N, C0).
        second: Features (N, C1).

    Returns:
        Features (N, C0 + C1).

    Raises:
        ValueError: The tensors differ in stride, or come from different inputs.
    """
    check_same_coordinates(first, second, "concatenated")
    return first.replace(torch.cat([first.features, second.features], dim=1))


def normalize(x: SparseTensor) -> SparseTensor:
    """Scale every row to unit L2 norm.

    Deviation: the released code (PointContrast ``pretrain/pointcontrast/model/res16unet.py``)
    divides by the norm; here a row of zeros stays zero instead of becoming NaN. Features in half
    precision become float32: a norm rounded to eight bits is not 1.
    """
    features = x.features.to(torch.promote_types(x.features.dtype, torch.float32))
    norm = torch.linalg.vector_norm(features, dim=1, keepdim=True)
    return x.replace(features / torch.where(norm == 0, 1, norm))
