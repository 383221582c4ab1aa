"""A benchmark's clouds as samples: what a worker process of the data loader does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch.utils.data import Dataset

from downstream.benchmarks import Benchmark
from downstream.label_lists.boxes import BoxList, keep_boxes
from downstream.label_lists.points import PointList, keep_annotated
from downstream.samples import SampleMaker
from downstream.types import LabelledSample
from pointcontrast.data.stream import SampleKey
from pointcontrast.errors import InputError


class CloudDataset(Dataset[LabelledSample]):
    """Samples by (epoch, index); the sample depends on these two and the seed alone."""

    def __init__(
        self,
        benchmark: Benchmark,
        names: list[str],
        maker: SampleMaker,
        *,
        seed: int,
        training: bool,
        annotated: PointList | None = None,
        boxed: BoxList | None = None,
    ) -> None:
        """Describe the data; files are opened when a sample is first read.

        Args:
            benchmark: reads the clouds.
            names: of the clouds to serve.
            maker: makes samples of them.
            seed: of the augmentations.
            training: draw points and augmentations; else every cloud is always the same.
            annotated: the points that have a label, by the clouds' names; None for all.
            boxed: the boxes that are labelled, likewise.
        """
        self.benchmark = benchmark
        self.names = names
        self.maker = maker
        self.seed = seed
        self.training = training
        self.annotated = annotated
        self.boxed = boxed

    def __len__(self) -> int:
        """The number of clouds."""
        return len(self.names)

    def __getitem__(self, key: SampleKey) -> LabelledSample:
        """The cloud ``key = (epoch, index)``."""
        epoch, index = key
        name = self.names[index]
        rng = np.random.default_rng([self.seed, epoch, index]) if self.training else None
        cloud = self.benchmark.read(name, rng)
        if self.annotated is not None:
            if cloud.labels is None:
                raise InputError(f"{name} has no labels; data.point_list is for labelled scenes")
            kept = self.annotated.indices(name, num_points=len(cloud), labels=cloud.labels)
            cloud = replace(cloud, labels=keep_annotated(cloud.labels, kept))
        if self.boxed is not None:
            if cloud.boxes is None:
                raise InputError(f"{name} has no boxes; data.box_list is for scenes with boxes")
            cloud = keep_boxes(cloud, self.boxed.rows(name, cloud.boxes))
        return self.maker(cloud, rng)
