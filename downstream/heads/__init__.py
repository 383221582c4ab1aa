"""Heads: from a backbone's levels to a benchmark's logits or boxes. ``model.head`` names one."""

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
