"""Heads: from a backbone's levels to a benchmark's logits. ``model.head`` names one."""

from downstream.heads.classification import PoolingHead
from downstream.heads.head import Head, HeadCallable
from downstream.heads.segmentation import HierarchicalHead, LinearHead

__all__ = ["Head", "HeadCallable", "HierarchicalHead", "LinearHead", "PoolingHead"]
