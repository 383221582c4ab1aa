"""Heads: from a backbone's levels to logits or boxes. ``model.head`` names one.

``head`` is the contract. ``point_sets`` has the sampling and grouping that ``votenet`` needs,
``point_set_kernels`` their compiled forms.
"""

from downstream.heads.classification import PoolingHead
from downstream.heads.head import Head, HeadCallable, Predicts
from downstream.heads.segmentation import HierarchicalHead, LinearHead
from downstream.heads.votenet import VoteNet

__all__ = [
    "Head",
    "HeadCallable",
    "HierarchicalHead",
    "LinearHead",
    "PoolingHead",
    "Predicts",
    "VoteNet",
]
