"""Pointcept's SpUNet-v1m1 computed the slow way from its state dict, as spconv 2 reads it.

Dictionaries of places and Python loops, float64. Sources: Pointcept (commit 10b7490)
``pointcept/models/sparse_unet/spconv_unet_v1m1_base.py``; spconv 2.3.8, whose layers gave the same
numbers to 2e-7 when they were compared on a CPU. A kernel is (out, x, y, z, in); a centred one
reads at place - size // 2 + tap, a strided one at 2 * place + tap, and its inverse puts there; a
kernel of size 1 is read as a matrix (in, out) whatever its shape says.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import torch

Place = tuple[int, int, int, int]
Sparse = dict[Place, np.ndarray]


class SpUNet:
    """The network, in evaluation mode."""

    def __init__(self, state: Mapping[str, torch.Tensor], eps: float) -> None:
        """Take the weights, and what batch norm adds to a variance."""
        self.state = {name: tensor.double().numpy() for name, tensor in state.items()}
        self.eps = eps

    def __call__(self, coordinates: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """Output features (N, C) float64, row for row."""
        rows = features.double().numpy()
        places = [tuple(c) for c in coordinates.tolist()]
        x = self.norm(
            "conv_input.1", self.submanifold("conv_input.0", dict(zip(places, rows, strict=True)))
        )
        skips = [x]
        for level in range(4):
            x = self.norm(f"down.{level}.1", self.halve(f"down.{level}.0", x))
            x = self.blocks(f"enc.{level}", x)
            skips.append(x)
        x = skips.pop()
        for level in reversed(range(4)):
            skip = skips.pop()
            x = self.norm(f"up.{level}.1", self.double(f"up.{level}.0", x, skip))
            x = {p: np.concatenate([x[p], skip[p]]) for p in skip}
            x = self.blocks(f"dec.{level}", x)
        bias = self.state["final.bias"]
        out = self.submanifold("final", x)
        return torch.from_numpy(np.stack([out[p] + bias for p in places]))

    def blocks(self, name: str, x: Sparse) -> Sparse:
        for index in itertools.count():
            block = f"{name}.block{index}"
            if f"{block}.conv1.weight" not in self.state:
                return x
            y = self.norm(f"{block}.bn1", self.submanifold(f"{block}.conv1", x))
            y = self.norm(f"{block}.bn2", self.submanifold(f"{block}.conv2", y), rectify=False)
            if f"{block}.proj.0.weight" in self.state:
                x = self.submanifold(f"{block}.proj.0", x)
                x = self.norm(f"{block}.proj.1", x, rectify=False)
            x = {p: np.maximum(y[p] + x[p], 0) for p in x}
        raise AssertionError

    def norm(self, name: str, x: Sparse, rectify: bool = True) -> Sparse:
        scale = self.state[f"{name}.weight"]
        scale = scale / np.sqrt(self.state[f"{name}.running_var"] + self.eps)
        shift = self.state[f"{name}.bias"] - self.state[f"{name}.running_mean"] * scale
        low = 0.0 if rectify else -np.inf
        return {p: np.maximum(row * scale + shift, low) for p, row in x.items()}

    def taps(self, name: str):
        kernel = self.state[f"{name}.weight"]
        out, size, channels = kernel.shape[0], kernel.shape[1], kernel.shape[-1]
        for tap in itertools.product(range(size), repeat=3):
            matrix = kernel.reshape(channels, out) if size == 1 else kernel[(slice(None), *tap)].T
            yield tap, size, matrix

    def submanifold(self, name: str, x: Sparse) -> Sparse:
        out: Sparse = dict.fromkeys(x, np.zeros(1))
        for tap, size, matrix in self.taps(name):
            for place in x:
                source = place[0], *(p - size // 2 + t for p, t in zip(place[1:], tap, strict=True))
                if source in x:
                    out[place] = out[place] + x[source] @ matrix
        return out

    def halve(self, name: str, x: Sparse) -> Sparse:
        out: Sparse = {}
        for tap, _, matrix in self.taps(name):
            for place, row in x.items():
                coarse = place[0], *(p // 2 for p in place[1:])
                if tuple(p % 2 for p in place[1:]) == tap:
                    out[coarse] = out.get(coarse, 0) + row @ matrix
        return out

    def double(self, name: str, x: Sparse, fine: Sparse) -> Sparse:
        matrices = {tap: matrix for tap, _, matrix in self.taps(name)}
        return {
            place: x[(place[0], *(p // 2 for p in place[1:]))]
            @ matrices[tuple(p % 2 for p in place[1:])]
            for place in fine
        }
