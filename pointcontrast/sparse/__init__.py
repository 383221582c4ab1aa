"""Sparse tensors and convolutions on two engines with the same layers and weights.

``engine = get_engine("auto")`` returns a module with the names of :class:`Engine`; networks are
written once against it. Both engines hold the same parameters under the same names and in the
same layout, that of MinkowskiEngine 0.5, so that weights move freely between them.
"""

from pointcontrast.sparse.engine import Engine, EngineName, get_engine
from pointcontrast.sparse.global_pooling import (
    GlobalAveragePooling,
    GlobalMaxPooling,
    GlobalSumPooling,
)
from pointcontrast.sparse.kernel_region import KernelRegion, kernel_offsets
from pointcontrast.sparse.pointwise import BatchNorm, ReLU, concatenate, normalize
from pointcontrast.sparse.sparse_tensor import SparseTensor

__all__ = [
    "BatchNorm",
    "Engine",
    "EngineName",
    "GlobalAveragePooling",
    "GlobalMaxPooling",
    "GlobalSumPooling",
    "KernelRegion",
    "ReLU",
    "SparseTensor",
    "concatenate",
    "get_engine",
    "kernel_offsets",
    "normalize",
]
