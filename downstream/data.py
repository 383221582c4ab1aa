"""The clouds of a benchmark as samples and batches: dataset and data module of finetuning."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import DataLoader, Dataset

from downstream.augmentation.recipes import Augmentation, SceneAugmentation
from downstream.benchmarks import Benchmark, DetectionBenchmark, Split
from downstream.benchmarks.labelled_scenes import SceneBenchmark
from downstream.cloud_scale import doubt_of_scale
from downstream.label_lists.boxes import BoxList, keep_boxes, read_box_list
from downstream.label_lists.points import PointList, keep_annotated, read_point_list
from downstream.label_lists.scenes import choose_scenes, read_scene_list
from downstream.samples import SampleMaker, collate_samples
from downstream.types import LabelledBatch, LabelledSample
from pointcontrast.data.loading import make_loader, summary
from pointcontrast.data.network_input import FeatureName, NetworkInput
from pointcontrast.data.source import DataSource
from pointcontrast.data.stream import SampleKey
from pointcontrast.data.streamed_data import StreamedDataModule
from pointcontrast.errors import InputError
from pointcontrast.weights.known_classes import import_path

NAMED = 3
"""Clouds that a note names."""
SCORING = ("settings", "num_training")
"""Arguments of tasks that decide scores, not outputs."""


class CloudDataset(Dataset[LabelledSample]):
    """Samples by (epoch, index); a sample depends on these two and the seed only."""

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
            benchmark: Benchmark that reads the clouds.
            names: Names of the clouds to serve.
            maker: Converts clouds to samples.
            seed: Seed of drawn points and augmentation.
            training: Draw points and augment; else a cloud always gives the same sample.
            annotated: Points with labels, by cloud; None for all.
            boxed: Boxes with labels, by cloud; None for all.
        """
        self.benchmark = benchmark
        self.names = names
        self.maker = maker
        self.seed = seed
        self.training = training
        self.annotated = annotated
        self.boxed = boxed

    def __len__(self) -> int:
        """Number of clouds."""
        return len(self.names)

    def __getitem__(self, key: SampleKey) -> LabelledSample:
        """Make the sample ``key = (epoch, index)``."""
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


class FinetuneDataModule(StreamedDataModule[CloudDataset, LabelledBatch | None]):
    """The clouds of a benchmark, augmented for training and unchanged for validation."""

    def __init__(
        self,
        benchmark: Benchmark,
        source: DataSource | None = None,
        batch_size: int = 6,
        num_workers: int = 2,
        voxel_size: float = 0.02,
        features: list[FeatureName] = ["color"],  # noqa: B006 (jsonargparse needs the default itself)
        augmentation: Augmentation | None = SceneAugmentation(),  # noqa: B008 (no state)
        scene_list: str | None = None,
        point_list: str | None = None,
        box_list: str | None = None,
        max_voxels: int = 0,
        total_batch_size: int | None = None,
        seed: int = 0,
    ) -> None:
        """Describe the data.

        Defaults are those of the released ScanNet recipe (PointContrast
        ``downstream/semseg/scripts/train_scannet.sh`` at commit 47e8682).

        Args:
            benchmark: Benchmark (``downstream.benchmarks``).
            source: Makes the benchmark's folder if it is missing; None if it must exist.
            batch_size: Clouds per process and step.
            num_workers: Processes that load data; results do not depend on it.
            voxel_size: Edge of a voxel, metres (shapes: relative to the unit sphere).
            features: Input features: ones (3 channels), color (3), normal (3), height (1).
            augmentation: Augmentation of training clouds; null for none.
            scene_list: Train on these clouds only (``datasets/label_lists.py scenes``).
            point_list: Train on the labels of these points only (``... points``).
            box_list: Train on these boxes only (``... boxes``).
            max_voxels: Voxels per batch above which further clouds are dropped; 0 for no limit.
                The first cloud is always kept.
            total_batch_size: Clouds per step of all processes together, in place of batch_size. It
                must be divisible by the number of processes.
            seed: Seed of order and augmentation; set from seed_everything.
        """
        super().__init__(batch_size, total_batch_size, num_workers, seed)
        self.benchmark = benchmark
        self.source = source
        self.network_input = NetworkInput(
            voxel_size=voxel_size, features=tuple(features), rotation="vertical"
        )
        if point_list is not None and not isinstance(benchmark, SceneBenchmark):
            raise InputError("data.point_list is for labelled scenes; shapes have data.scene_list")
        if box_list is not None and not isinstance(benchmark, DetectionBenchmark):
            raise InputError("data.box_list is for benchmarks that detect boxes")
        if max_voxels < 0:
            raise InputError(f"data.max_voxels {max_voxels} must not be negative")
        self.augmentation = augmentation
        self.scene_list = scene_list
        self.point_list = point_list
        self.box_list = box_list
        self.max_voxels = max_voxels
        self.notes: list[str] = []
        """Sentences for the user on the chosen clouds, after ``setup``."""

    def prepare_data(self) -> None:
        """Make the data if a source is given (one process per node does this)."""
        if self.source is not None:
            self.source.prepare(Path(self.benchmark.arguments["root"]))
            self.source = None  # Lightning asks before each of validation and training

    def choose(self) -> tuple[CloudDataset, CloudDataset]:
        """Choose the clouds.

        Raises:
            InputError: a split has no cloud, or a list names no cloud that exists.
        """
        self.notes.clear()
        everything = self.benchmark.names("train")
        names: Sequence[str] = everything
        if self.scene_list is not None:
            names = self._present(
                everything, read_scene_list(Path(self.scene_list)), self.scene_list
            )
        annotated = None
        if self.point_list is not None:
            annotated = read_point_list(Path(self.point_list))
            listed = set(self._present(everything, annotated.names, self.point_list))
            names = [name for name in names if name in listed]
        boxed = None
        if self.box_list is not None:
            boxed = read_box_list(Path(self.box_list))
            listed = set(self._present(everything, boxed.names, self.box_list))
            names = [name for name in names if name in listed]
        if not names:
            lists = [self.scene_list, self.point_list, self.box_list]
            given = " and ".join(name for name in lists if name is not None)
            raise InputError(f"{given} have no scene in common")
        names = self._with_truth("train", list(names))
        validation = self._with_truth("validation", self.benchmark.names("validation"))
        self._note_small_data(len(names))
        doubt = doubt_of_scale(self.benchmark.read(names[0]), self.network_input.voxel_size)
        self.notes += [doubt] if doubt is not None else []
        return (
            self._dataset(names, training=True, annotated=annotated, boxed=boxed),
            self._dataset(validation, training=False),
        )

    def _present(
        self, everything: Sequence[str], listed: Sequence[str], source: str
    ) -> tuple[str, ...]:
        """Find the clouds of a list; what is absent is kept as a note."""
        chosen, note = choose_scenes(everything, listed, source)
        if note:
            self.notes.append(note)
        return chosen

    def _with_truth(self, split: Split, names: list[str]) -> list[str]:
        """Select the clouds with ground truth; note how many have none.

        Raises:
            InputError: none has any, or that of all is empty.
        """
        truth = self.benchmark.truth
        purpose = "train on" if split == "train" else "choose the best network by"
        what = "training" if split == "train" else split
        where = f"the {len(names)} {what} clouds in {self.benchmark.arguments.get('root')}"
        kept = [name for name in names if self.benchmark.has_truth(name)]
        if not kept:
            raise InputError(
                f"none of {where} has {truth} to {purpose}, such as {names[0]}; convert them with "
                f"their {truth}, or name other clouds"
            )
        lacking = [name for name in names if name not in set(kept)]
        if lacking:
            more = ", ..." if len(lacking) > NAMED else ""
            self.notes.append(
                f"{len(lacking)} of {where} have no {truth} and are left out: "
                f"{', '.join(lacking[:NAMED])}{more}"
            )
        if not self.benchmark.any_truth(kept):
            empty = f"the {truth} of {where} are all empty ({self.benchmark.empty_truth})"
            if split == "train" or not self.benchmark.keeps_unscored:
                raise InputError(f"{empty}: there is nothing to {purpose}; look at the data")
            self.notes.append(f"{empty}: the last network is kept as the best")
        return kept

    def _note_small_data(self, num_clouds: int) -> None:
        if num_clouds < (self.total_batch_size or self.batch_size):
            self.notes.append(
                f"a batch of {self.total_batch_size or self.batch_size} holds the "
                f"{num_clouds} training clouds more than once, each augmented anew"
            )
        classes = self.benchmark.class_names
        if self.benchmark.task.predicts != "boxes" and len(classes) == 1:
            self.notes.append(
                f"there is one class only, {classes[0]}: a network that predicts nothing else "
                "scores 100 %"
            )

    def _dataset(
        self,
        names: list[str],
        *,
        training: bool,
        annotated: PointList | None = None,
        boxed: BoxList | None = None,
    ) -> CloudDataset:
        return CloudDataset(
            self.benchmark,
            names,
            SampleMaker(self.network_input, self.augmentation if training else None),
            seed=self.seed,
            training=training,
            annotated=annotated,
            boxed=boxed,
        )

    def contents(self) -> dict[str, str]:
        """Numbers of clouds and digests of their names; available after ``setup``."""
        return {
            "training_clouds": self._summary(self.train_dataset),
            "validation_clouds": self._summary(self.validation_dataset),
        }

    def _summary(self, dataset: CloudDataset) -> str:
        return summary([f"{name} {self.benchmark.digest(name)}" for name in dataset.names])

    def meaning(self) -> dict[str, Any]:
        """What a head's outputs stand for: classes in their order, coding of boxes."""
        task = self.benchmark.task
        facts = {k: v for k, v in task.arguments.items() if k not in SCORING}
        return {"class": import_path(type(task)), "num_outputs": task.num_outputs, **facts}

    def loader(
        self, dataset: CloudDataset, batches: Iterable[list[SampleKey]], num_workers: int
    ) -> DataLoader[LabelledBatch | None]:
        """Make a loader of batches; validation has no limit of voxels."""
        max_voxels = self.max_voxels if dataset.training else 0
        collate = partial(_collate, max_voxels=max_voxels)
        return make_loader(dataset, batches, collate, num_workers)


def _collate(samples: Sequence[LabelledSample], max_voxels: int) -> LabelledBatch | None:
    """Make a batch; None if the rank has no cloud left to validate."""
    return collate_samples(samples, max_voxels) if samples else None
