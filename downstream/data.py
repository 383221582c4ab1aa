"""A benchmark as batches: the LightningDataModule of finetuning."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from torch.utils.data import DataLoader

from downstream.augmentation.recipes import Augmentation, SceneAugmentation
from downstream.benchmarks import Benchmark, DetectionBenchmark
from downstream.benchmarks.labelled_scenes import SceneBenchmark
from downstream.collate import collate_samples
from downstream.dataset import CloudDataset
from downstream.label_lists.boxes import BoxList, read_box_list
from downstream.label_lists.points import PointList, read_point_list
from downstream.label_lists.scenes import choose_scenes, read_scene_list
from downstream.samples import SampleMaker
from downstream.types import LabelledBatch, LabelledSample
from pointcontrast.data.loading import make_loader, summary
from pointcontrast.data.network_input import FeatureName, NetworkInput
from pointcontrast.data.source import DataSource
from pointcontrast.data.stream import SampleKey
from pointcontrast.data.streamed_data import StreamedDataModule
from pointcontrast.errors import InputError


class FinetuneDataModule(StreamedDataModule[CloudDataset, LabelledBatch | None]):
    """The clouds of a benchmark: augmented to train on, as they are to validate on."""

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
            benchmark: which clouds, with which classes (``downstream.benchmarks``).
            source: what makes the benchmark's folder where it is not there; None where it must
                be there.
            batch_size: clouds a process and step.
            num_workers: processes that load data; the numbers do not depend on it.
            voxel_size: edge of a voxel, metres (shapes: of a unit sphere).
            features: input features: ones (3 channels), color (3), normal (3), height (1).
            augmentation: of training clouds; null for none.
            scene_list: train on these clouds alone (``datasets/label_lists.py scenes``).
            point_list: train on the labels of these points alone (``... points``).
            box_list: train on these boxes alone (``... boxes``).
            max_voxels: a batch leaves out clouds that would bring it above this; 0 for no limit.
                The first cloud always stays.
            total_batch_size: clouds a step of all processes together, in place of batch_size: the
                number of processes must divide it.
            seed: of order and augmentation; set from seed_everything.
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

    def prepare_data(self) -> None:
        """Make the data where a source is given (one process of a node does this)."""
        if self.source is not None:
            self.source.prepare(Path(self.benchmark.arguments["root"]))
            self.source = None  # Lightning asks before each of validation and training

    def choose(self) -> tuple[CloudDataset, CloudDataset]:
        """Choose the clouds.

        Raises:
            InputError: a split without a cloud, or a list that names what is not there.
        """
        everything = self.benchmark.names("train")
        names: Sequence[str] = everything
        if self.scene_list is not None:
            names = choose_scenes(everything, read_scene_list(Path(self.scene_list)))
        annotated = None
        if self.point_list is not None:
            annotated = read_point_list(Path(self.point_list))
            listed = set(choose_scenes(everything, annotated.names))
            names = [name for name in names if name in listed]
        boxed = None
        if self.box_list is not None:
            boxed = read_box_list(Path(self.box_list))
            listed = set(choose_scenes(everything, boxed.names))
            names = [name for name in names if name in listed]
        if not names:
            lists = [self.scene_list, self.point_list, self.box_list]
            given = " and ".join(name for name in lists if name is not None)
            raise InputError(f"{given} have no scene in common")
        return (
            self._dataset(list(names), training=True, annotated=annotated, boxed=boxed),
            self._dataset(self.benchmark.names("validation"), training=False),
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
        """What ranks must have alike; there after ``setup``."""
        root = self.benchmark.arguments.get("root")
        return {
            f"the list of training clouds in {root}": summary(self.train_dataset.names),
            f"the list of validation clouds in {root}": summary(self.validation_dataset.names),
        }

    def loader(
        self, dataset: CloudDataset, batches: Iterable[list[SampleKey]], num_workers: int
    ) -> DataLoader[LabelledBatch | None]:
        """A loader of batches of clouds; validation's know no limit of voxels."""
        max_voxels = self.max_voxels if dataset.training else 0
        collate = partial(_collate, max_voxels=max_voxels)
        return make_loader(dataset, batches, collate, num_workers)


def _collate(samples: Sequence[LabelledSample], max_voxels: int) -> LabelledBatch | None:
    """A batch; None where a rank has no cloud left to validate."""
    return collate_samples(samples, max_voxels) if samples else None
