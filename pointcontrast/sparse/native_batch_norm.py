"""Batch norm of the native engine."""

from __future__ import annotations

from typing import TypeVar, cast

import torch
from torch import nn

from pointcontrast.sparse import compiled_normalization as compiled
from pointcontrast.sparse import kernel_library, pointwise
from pointcontrast.sparse.checks import check_same_coordinates, check_shortcut
from pointcontrast.sparse.convolution import sparse_convolution_and_normalization
from pointcontrast.sparse.native_convolution import Convolution
from pointcontrast.sparse.native_tensor import NativeSparseTensor
from pointcontrast.sparse.normalization import normalize_batch
from pointcontrast.sparse.sparse_tensor import SparseTensor

T = TypeVar("T", bound=SparseTensor)


class BatchNorm(pointwise.BatchNorm):
    """Batch norm fused with shortcut and rectifier, and in evaluation with the convolution before.

    The compiled kernels do so on the CPU; elsewhere the operations run one by one. Statistics are
    summed in the precision of the features over a few hundred rows and in double precision over
    those sums, in an order that does not depend on the number of threads.
    """

    def after(
        self,
        convolution: nn.Module,
        x: T,
        shortcut: T | None = None,
        *,
        rectify: bool = False,
    ) -> T:
        """Return ``self(convolution(x), shortcut, rectify=rectify)``; in evaluation in one pass.

        The rows of the convolution are scaled and shifted while they are in the cache. With
        gradients, or with a hook on either module, it takes two passes.
        """
        if (
            isinstance(convolution, Convolution)
            and isinstance(x, NativeSparseTensor)
            and not _is_hooked(self, convolution)
            and self._is_constant(x.features)
        ):
            return cast(T, self._folded(convolution, x, shortcut, rectify))
        return super().after(convolution, x, shortcut, rectify=rectify)

    def _folded(
        self,
        convolution: Convolution,
        x: NativeSparseTensor,
        shortcut: SparseTensor | None,
        rectify: bool,
    ) -> NativeSparseTensor:
        convolution.check(x)
        kernel_map, stride = convolution.kernel_map(x)
        rows, channels = kernel_map.outputs.num_rows, convolution.out_channels
        out = NativeSparseTensor(x.features.new_empty(0), x.manager, stride)
        if channels != self.bn.num_features:
            raise ValueError(
                f"batch norm takes {self.bn.num_features} channels, "
                f"the convolution gives {channels}"
            )
        if shortcut is not None:
            check_shortcut(shortcut.features, x.features.new_empty(1).expand(rows, channels))
            check_same_coordinates(out, shortcut, "added")
        scale = self.bn.weight * self._inverse_deviation()
        mean = cast(torch.Tensor, self.bn.running_mean)
        if convolution.bias is not None:
            mean = mean - convolution.bias[0]
        out.features = sparse_convolution_and_normalization(
            x.features,
            convolution.taps,
            kernel_map,
            scale,
            self.bn.bias - mean * scale,
            None if shortcut is None else shortcut.features,
            rectify,
        )
        return out

    def _normalized(
        self, features: torch.Tensor, shortcut: torch.Tensor | None, rectify: bool
    ) -> torch.Tensor:
        bn = self.bn
        if bn.training and self._is_supported(features):
            out, mean, variance = normalize_batch(
                features, bn.weight, bn.bias, shortcut, bn.eps, rectify
            )
            self._track(mean, variance, len(features))
            return out
        if self._is_constant(features):
            return compiled.normalize(
                features.contiguous(),
                cast(torch.Tensor, bn.running_mean).contiguous(),
                self._inverse_deviation(),
                bn.weight.contiguous(),
                bn.bias.contiguous(),
                None if shortcut is None else shortcut.to(features.dtype).contiguous(),
                rectify,
            )
        return super()._normalized(features, shortcut, rectify)

    def _is_supported(self, features: torch.Tensor) -> bool:
        """Whether the compiled kernels can replace ``self.bn``: unmodified, and without hooks."""
        bn = self.bn
        return (
            type(bn) is nn.BatchNorm1d
            and not _is_hooked(bn)
            and kernel_library.run_on(features)
            and all(
                isinstance(t, torch.Tensor)
                and (t.shape, t.dtype, t.device)
                == ((bn.num_features,), features.dtype, features.device)
                for t in (bn.weight, bn.bias, bn.running_mean, bn.running_var)
            )
        )

    def _is_constant(self, features: torch.Tensor) -> bool:
        """Whether the layer is a constant scale and shift, without gradients."""
        return not self.bn.training and not torch.is_grad_enabled() and self._is_supported(features)

    def _inverse_deviation(self) -> torch.Tensor:
        return (cast(torch.Tensor, self.bn.running_var) + self.bn.eps).rsqrt().contiguous()

    @torch.no_grad()
    def _track(self, mean: torch.Tensor, variance: torch.Tensor, count: int) -> None:
        """Update the running statistics as ``nn.BatchNorm1d`` does."""
        bn = self.bn
        tracked = cast(torch.Tensor, bn.num_batches_tracked)
        tracked += 1
        weight = 1 / float(tracked) if bn.momentum is None else bn.momentum
        cast(torch.Tensor, bn.running_mean).lerp_(mean, weight)
        cast(torch.Tensor, bn.running_var).lerp_(variance * (count / (count - 1)), weight)


def _is_hooked(*modules: nn.Module) -> bool:
    return any(
        m._forward_hooks or m._forward_pre_hooks or m._backward_hooks or m._backward_pre_hooks
        for m in modules
    )
