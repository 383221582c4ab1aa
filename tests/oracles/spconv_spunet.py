"""SpUNet's layers as spconv itself computes them on a CPU; the rest as :mod:`oracles.spunet`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import spconv.pytorch as spconv
import torch

from tests.oracles.spunet import Place, Sparse, SpUNet

SHAPE = [64, 64, 64]
NATIVE = spconv.ConvAlgo.Native  # the others are for GPUs


class SpconvSpUNet(SpUNet):
    """The network on spconv 2, float32."""

    def __init__(self, state: Mapping[str, torch.Tensor], eps: float) -> None:
        super().__init__(state, eps)
        self.weights = state
        self.halved: list[spconv.SparseConvTensor] = []
        self.fine: list[list[Place]] = []

    def submanifold(self, name: str, x: Sparse) -> Sparse:
        out, size, *_, channels = self.weights[f"{name}.weight"].shape
        layer = spconv.SubMConv3d(
            channels, out, size, padding=size // 2, bias=False, indice_key="places", algo=NATIVE
        )
        return self.rows(list(x), self.run(layer, name, self.tensor(x)))

    def halve(self, name: str, x: Sparse) -> Sparse:
        out, *_, channels = self.weights[f"{name}.weight"].shape
        layer = spconv.SparseConv3d(
            channels, out, 2, stride=2, bias=False, indice_key="halving", algo=NATIVE
        )
        self.fine.append(list(x))
        self.halved.append(self.run(layer, name, self.tensor(x)))
        return self.rows(list(map(tuple, self.halved[-1].indices.tolist())), self.halved[-1])

    def double(self, name: str, x: Sparse, fine: Sparse) -> Sparse:
        out, *_, channels = self.weights[f"{name}.weight"].shape
        layer = spconv.SparseInverseConv3d(
            channels, out, 2, bias=False, indice_key="halving", algo=NATIVE
        )
        coarse = self.halved.pop().replace_feature(self.tensor(x).features)
        doubled = self.rows(self.fine.pop(), self.run(layer, name, coarse))
        return {place: doubled[place] for place in fine}

    def run(
        self, layer: torch.nn.Module, name: str, x: spconv.SparseConvTensor
    ) -> spconv.SparseConvTensor:
        layer.load_state_dict({"weight": self.weights[f"{name}.weight"]})
        with torch.no_grad():
            return layer(x)

    def tensor(self, x: Sparse) -> spconv.SparseConvTensor:
        features = torch.from_numpy(np.stack(list(x.values()))).float()
        places = torch.tensor(list(x), dtype=torch.int32)
        return spconv.SparseConvTensor(features, places, SHAPE, int(places[:, 0].max()) + 1)

    def rows(self, places: list[Place], x: spconv.SparseConvTensor) -> Sparse:
        return dict(zip(places, x.features.double().numpy(), strict=True))
