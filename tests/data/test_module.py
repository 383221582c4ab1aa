from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from pointcontrast.data.module import PairDataModule, split_pairs, spread
from pointcontrast.data.network_input import NetworkInput
from pointcontrast.data.pair_dataset import PairDataset
from pointcontrast.data.pair_readers import SceneCrops, StoredPairs
from pointcontrast.errors import InputError
from pointcontrast.types import Pair, PairBatch, PointCloud, RegisteredViews


def module(root: Path, **arguments) -> PairDataModule:
    defaults = {
        "batch_size": 2,
        "num_workers": 0,
        "voxel_size": 0.1,
        "features": ["color"],
        "color_jitter": 1.0,
        "seed": 3,
    }
    data = PairDataModule(str(root), **(defaults | arguments))
    data.trainer = pl.Trainer(
        max_steps=4, logger=False, enable_checkpointing=False, accelerator="cpu"
    )
    return data


def batches(root: Path, **arguments) -> list[PairBatch]:
    data = module(root, **arguments)
    data.setup("fit")
    return list(data.train_dataloader())


def assert_same(first: PairBatch, second: PairBatch) -> None:
    assert first.pairs == second.pairs
    for side in ("view0", "view1"):
        for field in ("coordinates", "features", "points"):
            assert torch.equal(
                getattr(getattr(first, side), field), getattr(getattr(second, side), field)
            )
    assert torch.equal(first.correspondences, second.correspondences)


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
def test_batches_do_not_depend_on_the_number_of_workers(prepared: Path) -> None:
    alone = batches(prepared)
    for first, second in zip(alone, batches(prepared, num_workers=2), strict=True):
        assert_same(first, second)
    assert len(alone) == 4


def test_views_of_a_batch_are_augmented_each_for_itself(prepared: Path) -> None:
    batch = batches(prepared)[0]
    matched0 = batch.view0.coordinates[batch.correspondences[:, 0], 1:].double()
    matched1 = batch.view1.coordinates[batch.correspondences[:, 1], 1:].double()
    assert (matched0 - matched1).norm(dim=1).median() > 3
    # and yet one rigid motion takes one view to the other, sample by sample
    for sample in range(len(batch)):
        rows = batch.view0.coordinates[batch.correspondences[:, 0], 0] == sample
        source, target = matched0[rows], matched1[rows]
        source, target = source - source.mean(0), target - target.mean(0)
        u, _, vt = torch.linalg.svd(source.t() @ target)
        residual = (source @ (u @ vt) - target).norm(dim=1).median()
        assert residual < 1.6


def test_correspondences_are_close_in_the_world(prepared: Path) -> None:
    for batch in batches(prepared):
        i, j = batch.correspondences.t()
        gap = (batch.view0.points[i] - batch.view1.points[j]).norm(dim=1)
        assert gap.max() <= 0.15 + 1e-6
        assert torch.equal(batch.view0.coordinates[i, 0], batch.view1.coordinates[j, 0])
        assert (i[1:] >= i[:-1]).all()


def test_validation_is_the_same_every_time_and_held_out(prepared: Path) -> None:
    data = module(prepared)
    data.setup("fit")
    first, second = list(data.val_dataloader()), list(data.val_dataloader())
    assert len(first) == len(data.validation_dataset) > 0
    for a, b in zip(first, second, strict=True):
        assert_same(a, b)
    trained_on = {(p.scene, v) for p in data.train_dataset.pairs for v in (p.view0, p.view1)}
    held_out = {(p.scene, v) for p in data.validation_dataset.pairs for v in (p.view0, p.view1)}
    assert not trained_on & held_out


def pairs_of(scene: str, num_views: int) -> list[Pair]:
    return [Pair(scene, i, j, 0.5) for i in range(num_views) for j in range(i + 1, num_views)]


def test_split_by_views_and_by_scenes() -> None:
    pairs = [pair for scene in "abcde" for pair in pairs_of(scene, 10)]
    train, held_out = split_pairs(pairs, "views", 0.2)
    assert {v for p in held_out for v in (p.view0, p.view1)} == {8, 9}
    assert {v for p in train for v in (p.view0, p.view1)} == set(range(8))
    assert {p.scene for p in held_out} == set("abcde")
    train, held_out = split_pairs(pairs, "scenes", 0.3)
    assert {p.scene for p in held_out} == {"d", "e"}
    assert len(train) + len(held_out) == len(pairs)
    assert split_pairs(pairs, "scenes", 0.0) == (pairs, [])
    assert len(spread(pairs, 7)) == 7
    assert spread(pairs, 7)[0] == pairs[0]
    assert spread(pairs, 7)[-1] == pairs[-1]


def test_missing_data_is_named(tmp_path: Path, prepared_copy: Path) -> None:
    with pytest.raises(InputError, match=r"prepare_pairs\.py"):
        module(tmp_path / "nothing").setup("fit")
    with pytest.raises(InputError, match="no pair to train on"):
        module(prepared_copy, holdout="scenes", holdout_fraction=0.99).setup("fit")
    with pytest.raises(InputError, match="batch_size 0"):
        module(prepared_copy, batch_size=0)
    with pytest.raises(InputError, match=r"holdout_fraction 1\.5 must be at least 0 and below 1"):
        module(prepared_copy, holdout_fraction=1.5).setup("fit")


def test_a_damaged_store_is_named(prepared_copy: Path) -> None:
    data = module(prepared_copy)
    data.setup("fit")
    scene = prepared_copy / data.train_dataset.pairs[0].scene
    largest = max(scene.iterdir(), key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-100])
    with pytest.raises(InputError, match=rf"{re.escape(largest.name)} is damaged"):
        list(data.train_dataloader())


def test_up_comes_from_the_scene(prepared_copy: Path) -> None:
    data = module(prepared_copy, rotation="vertical", features=["height"], feature_noise=0.0)
    data.setup("fit")
    meta = json.loads((prepared_copy / data.train_dataset.pairs[0].scene / "meta.json").read_text())
    up = np.array(meta["up"]["direction"])
    sample = data.train_dataset[(0, 0)]
    height = sample.view0.points @ up - meta["floor_height"]
    np.testing.assert_allclose(sample.view0.features[:, 0], height, atol=1e-4)
    shift = sample.view0.coordinates[:, 2] * 0.1 - height
    assert np.ptp(shift) < 0.11


class DrawnPairs(StoredPairs):
    """Stored pairs whose first view is a random half: what the reader draws, it draws alone."""

    def read(self, root, pair, features, rng):
        views = super().read(root, pair, features, rng)
        rows = np.sort(rng.permutation(len(views.view0))[: len(views.view0) // 2])
        return RegisteredViews(views.view0[rows], views.view1, views.up, views.floor_height)


def test_a_sample_is_a_function_of_seed_epoch_and_index(prepared: Path) -> None:
    pairs = StoredPairs().list_pairs(prepared, ("ones",))[:2]
    recipe = NetworkInput(voxel_size=0.1)

    def dataset(seed: int) -> PairDataset:
        return PairDataset(
            prepared, pairs, recipe, match_radius=1.5, seed=seed, reader=DrawnPairs()
        )

    one, other = dataset(0), dataset(0)
    _ = other[3, 1], other[2, 0]  # what was read before has no say
    for field in ("points", "coordinates", "features"):
        assert np.array_equal(getattr(one[3, 0].view0, field), getattr(other[3, 0].view0, field))
    for sample in (one[4, 0], dataset(1)[3, 0]):
        assert not np.array_equal(sample.view0.points, one[3, 0].view0.points)


def test_what_a_reader_draws_changes_no_augmentation(prepared: Path) -> None:
    """The second view is rotated as ever, though the reader drew thousands of numbers."""
    pairs = StoredPairs().list_pairs(prepared, ("ones",))[:1]
    recipe = NetworkInput(voxel_size=0.1, feature_noise=0.0)
    arguments = {"match_radius": 1.5, "seed": 0}
    plain = PairDataset(prepared, pairs, recipe, **arguments)[0, 0]
    drawn = PairDataset(prepared, pairs, recipe, **arguments, reader=DrawnPairs())[0, 0]
    assert len(drawn.view0.points) < len(plain.view0.points)
    assert np.array_equal(drawn.view1.coordinates, plain.view1.coordinates)
    # and it is that of default_rng([seed, epoch, index]), as before there were readers
    rng = np.random.default_rng([0, 0, 0])
    views = StoredPairs().read(prepared, pairs[0], ("ones",), rng)
    for view, sample in ((views.view0, plain.view0), (views.view1, plain.view1)):
        made = recipe(PointCloud(view.points), views.up, views.floor_height, rng)
        assert np.array_equal(made.coordinates, sample.coordinates)


def test_views_that_are_cut_anew_cannot_be_held_out(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holdout views holds nothing out with SceneCrops"):
        module(tmp_path, pairs=SceneCrops()).setup("fit")


@pytest.mark.parametrize(("num_ranks", "num_workers"), [(1, 0), (2, 0), (3, 0), (4, 0), (2, 2)])
def test_ranks_share_an_epoch_of_pairs(prepared: Path, num_ranks: int, num_workers: int) -> None:
    """Two pairs a rank and step: the epoch ends within a step, and within a batch."""
    served, held_out = [], []
    for rank in range(num_ranks):
        data = PairDataModule(
            str(prepared), batch_size=2, num_workers=num_workers, voxel_size=0.2,
            features=["color"], num_validation_pairs=3,
        )  # fmt: skip
        data.setup("fit")
        num_pairs = len(data.train_dataset.pairs)
        num_steps = num_pairs // (2 * num_ranks) + 1
        data.trainer = SimpleNamespace(  # pyright: ignore
            accumulate_grad_batches=1, max_steps=num_steps, global_step=0,
            global_rank=rank, world_size=num_ranks,
        )  # fmt: skip
        served.append([batch.pairs for batch in data.train_dataloader()])
        held_out.append([batch.pairs for batch in data.val_dataloader()])
    stream = [pair for step in zip(*served, strict=True) for pairs in step for pair in pairs]
    assert len(stream) == 2 * num_ranks * num_steps > num_pairs
    assert set(stream[:num_pairs]) == set(data.train_dataset.pairs)
    assert len(set(stream[:num_pairs])) == num_pairs
    num_held_out = len(data.validation_dataset.pairs)
    assert {len(batches) for batches in held_out} == {-(-num_held_out // num_ranks)}
    scored = [pair for batches in held_out for pairs in batches for pair in pairs]
    assert sorted(map(str, scored)) == sorted(map(str, data.validation_dataset.pairs))
