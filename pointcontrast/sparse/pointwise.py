"""Layers that treat every row alike, or sum over a whole sample: the same code on both engines."""

from __future__ import annotations

from typing import TypeVar, cast

import torch
from torch import nn

from pointcontrast.sparse.engine import SparseTensor, check_same_coordinates

T = TypeVar("T", bound=SparseTensor)


class BatchNorm(nn.Module):
    """Batch normalisation over all rows; parameters under ``bn.`` as in MinkowskiEngine.

    What a network does with the result, adding a shortcut and rectifying, can be asked for in the
    same call, and the convolution before it too (:meth:`after`): an engine may do all in one pass.
    """

    def __init__(self, num_features: int, *, momentum: float = 0.1, eps: float = 1e-5) -> None:
        """Normalise ``num_features`` channels.

        ``momentum`` weighs the newest batch; ``eps`` is added to the variance.
        """
        super().__init__()
        self.bn = nn.BatchNorm1d(num_features, eps=eps, momentum=momentum)

    def forward(self, x: T, shortcut: T | None = None, *, rectify: bool = False) -> T:
        """max(0, normalised x + shortcut), the last two where they are asked for.

        Args:
            x: (N, num_features).
            shortcut: the same shape on the same coordinates.
            rectify: whether what is negative becomes 0.

        Raises:
            ValueError: a single row, or none, in training: it has no variance; or the channels or
                the device are not the layer's; or the shortcut stands on other coordinates, or has
                another shape.
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
        return cast(T, x.replace(self._finished(x.features, added, rectify)))

    def after(
        self, convolution: nn.Module, x: T, shortcut: T | None = None, *, rectify: bool = False
    ) -> T:
        """``self(convolution(x), shortcut, rectify=rectify)``."""
        return self(convolution(x), shortcut, rectify=rectify)

    def _finished(
        self, features: torch.Tensor, shortcut: torch.Tensor | None, rectify: bool
    ) -> torch.Tensor:
        features = self.bn(features)
        if shortcut is not None:
            features = features + shortcut
        return torch.relu(features) if rectify else features


def check_shortcut(shortcut: torch.Tensor, features: torch.Tensor) -> None:
    """Check that a shortcut can be added to ``features``.

    Raises:
        ValueError: it has another shape or is on another device; the message names both.
    """
    if shortcut.shape != features.shape or shortcut.device != features.device:
        raise ValueError(
            f"a shortcut of shape {tuple(shortcut.shape)} on {shortcut.device} cannot be added to "
            f"{tuple(features.shape)} on {features.device}"
        )


class ReLU(nn.Module):
    """max(0, x), every feature for itself."""

    def forward(self, x: SparseTensor) -> SparseTensor:
        """Rectify the features of ``x``."""
        return x.replace(torch.relu(x.features))


def concatenate(first: SparseTensor, second: SparseTensor) -> SparseTensor:
    """Join the channels of two tensors on the same coordinates: (N, C0) and (N, C1) to (N, C0+C1).

    Raises:
        ValueError: the tensors differ in stride, or came from different inputs.
    """
    check_same_coordinates(first, second, "concatenated")
    return first.replace(torch.cat([first.features, second.features], dim=1))


def normalize(x: SparseTensor) -> SparseTensor:
    """Scale every row to unit L2 norm.

    The released code (PointContrast ``pretrain/pointcontrast/model/res16unet.py``) divides by the
    bare norm; here a row of zeros stays zero instead of becoming NaN, and every other row is the
    same. Features in half precision come out in float32: a norm rounded to eight bits is not 1.
    """
    features = x.features.to(torch.promote_types(x.features.dtype, torch.float32))
    norm = torch.linalg.vector_norm(features, dim=1, keepdim=True)
    return x.replace(features / torch.where(norm == 0, 1, norm))


class _GlobalPooling(nn.Module):
    """(N, C) rows to one row a sample: (B, C), B the largest batch index plus 1.

    A sample without a row gives zeros.
    """

    def forward(self, x: SparseTensor) -> torch.Tensor:
        """Pool the rows of each sample of ``x``."""
        sample = x.coordinates[:, 0].long()
        num_samples = int(sample.max()) + 1 if len(sample) else 0
        return self._pool(x.features, sample, num_samples)

    def _pool(self, features: torch.Tensor, sample: torch.Tensor, num_samples: int) -> torch.Tensor:
        raise NotImplementedError


class GlobalSumPooling(_GlobalPooling):
    """The sum over each sample."""

    def _pool(self, features: torch.Tensor, sample: torch.Tensor, num_samples: int) -> torch.Tensor:
        return features.new_zeros(num_samples, features.shape[1]).index_add(0, sample, features)


class GlobalAveragePooling(GlobalSumPooling):
    """The mean over each sample."""

    def _pool(self, features: torch.Tensor, sample: torch.Tensor, num_samples: int) -> torch.Tensor:
        count = torch.bincount(sample, minlength=num_samples).clamp_min(1)
        return super()._pool(features, sample, num_samples) / count[:, None].to(features.dtype)


class GlobalMaxPooling(_GlobalPooling):
    """The largest value of each channel over each sample."""

    def _pool(self, features: torch.Tensor, sample: torch.Tensor, num_samples: int) -> torch.Tensor:
        return largest_by_row(features, sample, num_samples)


def largest_by_row(features: torch.Tensor, rows: torch.Tensor, num_rows: int) -> torch.Tensor:
    """(M, C) features to (num_rows, C): the largest that goes to each row, 0 where none does.

    Where several are equally large, they share the gradient.
    """
    return features.new_zeros(num_rows, features.shape[1]).scatter_reduce(
        0, rows[:, None].expand_as(features), features, "amax", include_self=False
    )
