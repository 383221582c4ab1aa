"""The native engine, for any device.

Read in this order: ``native_tensor.py`` and ``coordinates.py`` (a tensor and the coordinates that
it shares, with ``coordinate_set.py`` and ``kernel_map.py``), ``native_convolution.py`` with the
operators of ``convolution.py``, ``native_batch_norm.py`` with those of ``normalization.py``,
``native_pooling.py``. On the CPU the operators call the compiled kernels of ``csrc/`` through
``compiled_coordinates.py``, ``compiled_convolution.py`` and ``compiled_normalization.py``; on other
devices they are plain PyTorch.
"""

from pointcontrast.sparse.coordinates import LARGEST_COORDINATE
from pointcontrast.sparse.native_batch_norm import BatchNorm
from pointcontrast.sparse.native_convolution import Convolution, ConvolutionTranspose
from pointcontrast.sparse.native_pooling import AveragePooling, MaxPooling, SumPooling
from pointcontrast.sparse.native_tensor import NativeSparseTensor, sparse_tensor

NAME = "native"

__all__ = [
    "LARGEST_COORDINATE",
    "NAME",
    "AveragePooling",
    "BatchNorm",
    "Convolution",
    "ConvolutionTranspose",
    "MaxPooling",
    "NativeSparseTensor",
    "SumPooling",
    "sparse_tensor",
]
