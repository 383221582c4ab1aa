from __future__ import annotations

import itertools
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from downstream.label_lists import (
    PointList,
    choose_scenes,
    keep_annotated,
    limited_points,
    limited_scenes,
    points_rng,
    read_point_list,
    read_scene_list,
    write_point_list,
    write_scene_list,
)
from downstream.types import UNANNOTATED
from pointcontrast.errors import InputError

SCANS = [f"scene{number // 2:04d}_{number % 2:02d}" for number in range(1201)]


def test_counts_are_those_of_the_published_lists_and_nested() -> None:
    lists = [limited_scenes(SCANS, fraction, 7) for fraction in (0.01, 0.05, 0.1, 0.2)]
    assert [len(chosen) for chosen in lists] == [12, 60, 120, 240]
    for smaller, larger in itertools.pairwise(lists):
        assert set(smaller) < set(larger)


def test_the_choice_depends_on_names_and_seed_alone() -> None:
    assert limited_scenes(SCANS, 0.1, 3) == limited_scenes(SCANS[::-1], 0.1, 3)
    assert limited_scenes(SCANS, 0.1, 3) != limited_scenes(SCANS, 0.1, 4)


def test_every_scene_is_as_likely() -> None:
    counts = dict.fromkeys(SCANS[:20], 0)
    for seed in range(2000):
        for name in limited_scenes(SCANS[:20], 0.25, seed):
            counts[name] += 1
    # 2000 draws of 5 of 20: 500 each, standard deviation 19.4
    assert max(abs(count - 500) for count in counts.values()) < 5 * 19.4


def test_every_group_keeps_its_fraction() -> None:
    names = [f"a/{i}" for i in range(100)] + [f"b/{i}" for i in range(7)]
    chosen = limited_scenes(names, 0.1, 0, [name[0] for name in names])
    assert sum(name.startswith("a/") for name in chosen) == 10
    assert sum(name.startswith("b/") for name in chosen) == 1


def test_a_list_of_scenes_comes_back_and_a_plain_one_loads(tmp_path: Path) -> None:
    write_scene_list(tmp_path / "ours.txt", SCANS[:3], "ScanNet, 3 of 1201")
    assert read_scene_list(tmp_path / "ours.txt") == tuple(SCANS[:3])
    (tmp_path / "published.txt").write_text("scene0000_00\r\nscene0001_01\r\n")
    assert read_scene_list(tmp_path / "published.txt") == ("scene0000_00", "scene0001_01")


def test_bad_lists_of_scenes_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.txt does not exist"):
        read_scene_list(tmp_path / "none.txt")
    (tmp_path / "empty.txt").write_text("# nothing\n\n")
    with pytest.raises(InputError, match=r"empty\.txt lists no scene"):
        read_scene_list(tmp_path / "empty.txt")
    (tmp_path / "twice.txt").write_text("a\nb\na\n")
    with pytest.raises(InputError, match="lists 'a' twice"):
        read_scene_list(tmp_path / "twice.txt")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"binary\.txt is no list"):
        read_scene_list(tmp_path / "binary.txt")
    with pytest.raises(InputError, match=r"fraction 0"):
        limited_scenes(SCANS, 0, 0)


def test_scenes_are_found_by_their_last_part() -> None:
    names = ["Area_1/office_1", "Area_1/hall", "Area_2/office_1"]
    assert choose_scenes(names, ["hall", "Area_2/office_1"]) == ("Area_1/hall", "Area_2/office_1")
    with pytest.raises(InputError, match=r"'office_1', which may be Area_1/office_1 or Area_2"):
        choose_scenes(names, ["office_1"])
    with pytest.raises(InputError, match="'lobby', which the training data does not have"):
        choose_scenes(names, ["lobby"])


def labels() -> np.ndarray:
    found = np.random.default_rng(0).integers(-1, 5, 3000).astype(np.int32)
    found[:100] = -1
    return found


def test_points_are_labelled_nested_and_of_their_scene_alone() -> None:
    chosen = [limited_points(labels(), n, points_rng(1, "scene0000_00")) for n in (20, 50, 200)]
    assert [len(rows) for rows in chosen] == [20, 50, 200]
    assert set(chosen[0]) < set(chosen[1]) < set(chosen[2])
    assert (labels()[chosen[2]] >= 0).all()
    assert not np.array_equal(chosen[0], limited_points(labels(), 20, points_rng(1, "scene0001")))
    few = np.array([-1, 2, -1, 0], np.int32)
    np.testing.assert_array_equal(limited_points(few, 20, points_rng(0, "a")), [1, 3])


def test_all_other_points_are_unannotated() -> None:
    kept = keep_annotated(np.array([3, -1, 4, 2], np.int32), np.array([0, 1]))
    np.testing.assert_array_equal(kept, [3, -1, UNANNOTATED, UNANNOTATED])


def some_points() -> PointList:
    return PointList(
        points={"b": np.array([0, 5]), "Area_1/a": np.array([2]), "c": np.array([], np.int64)},
        num_points={"b": 6, "Area_1/a": 3, "c": 1},
        source="here",
        meta={"seed": 4, "points": 2},
    )


def test_a_list_of_points_comes_back(tmp_path: Path) -> None:
    write_point_list(tmp_path / "points.npz", some_points())
    found = read_point_list(tmp_path / "points.npz")
    assert found.names == ("Area_1/a", "b", "c")
    assert found.meta == {"seed": 4, "points": 2}
    np.testing.assert_array_equal(found.indices("b", num_points=6), [0, 5])
    assert len(found.indices("c", num_points=1)) == 0
    with pytest.raises(InputError, match=r"made for 6 points of 'b', which has 7 here"):
        found.indices("b", num_points=7)
    with pytest.raises(InputError, match="does not list 'd'"):
        found.indices("d", num_points=7)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("as_tensor", [False, True])
def test_a_published_list_loads(tmp_path: Path, legacy: bool, as_tensor: bool) -> None:
    # a torch.save of scan id -> rows, as ContrastiveSceneContexts reads it
    rows = np.array([40, 3, 17])
    value = {"scene0191_00": torch.from_numpy(rows) if as_tensor else rows}
    path = tmp_path / "points20"
    torch.save(value, path, _use_new_zipfile_serialization=not legacy)
    found = read_point_list(path)
    np.testing.assert_array_equal(found.indices("scene0191_00", num_points=50), [3, 17, 40])
    with pytest.raises(InputError, match=r"names the point 40 of 'scene0191_00', which has 30"):
        found.indices("scene0191_00", num_points=30)


class Runs:
    """A pickle that leaves a file where it is run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("legacy", [False, True])
def test_nothing_in_a_file_runs(tmp_path: Path, legacy: bool) -> None:
    marker = tmp_path / "ran"
    path = tmp_path / "points20"
    torch.save({"a": Runs(marker)}, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(InputError, match="points20 is no whole list of points"):
        read_point_list(path)
    assert not marker.exists()
    pickle.loads(pickle.dumps(Runs(marker)))  # the trap works
    assert marker.exists()


def test_bad_lists_of_points_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.npz does not exist"):
        read_point_list(tmp_path / "none.npz")
    path = tmp_path / "points.npz"
    write_point_list(path, some_points())
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(InputError, match=r"points\.npz is no whole list"):
        read_point_list(path)
    torch.save({"a": ["x"]}, tmp_path / "words")
    with pytest.raises(InputError, match="'a' has no list of whole numbers"):
        read_point_list(tmp_path / "words")
    torch.save([1, 2], tmp_path / "list")
    with pytest.raises(InputError, match="holds a list, not rows by scene"):
        read_point_list(tmp_path / "list")
