"""Names of the formats of weights, for command lines: a module that does not import torch."""

from __future__ import annotations

from typing import Literal

KernelOrder = Literal["auto", "hybrid", "hypercube"]
"""Order of the taps in a ``.pth`` file; see :mod:`pointcontrast.weights.kernel_order`."""
Target = Literal["backbone", "minkowski", "spconv"]
"""Format of converted weights; see :mod:`pointcontrast.weights.convert`."""
SUFFIXES: dict[Target, str] = {"backbone": ".safetensors", "minkowski": ".pth", "spconv": ".pth"}
