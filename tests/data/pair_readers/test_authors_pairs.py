from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from pointcontrast.data.pair_readers import AuthorsPairs
from pointcontrast.errors import InputError
from pointcontrast.types import Pair

ONES = ("ones",)
RNG = np.random.default_rng(0)


def write_scene(folder: Path, frames: list[int], seed: int = 0) -> None:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for frame in frames:
        np.savez(folder / f"{frame}.npz", pcd=rng.uniform(-3, 3, size=(50, 3)))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two scenes as the authors' scripts leave them below the folder of the list."""
    write_scene(tmp_path / "scene0000_00" / "pcd", [0, 25, 75, 100, 1150])
    write_scene(tmp_path / "scene0001_00" / "pcd", [850, 50])
    return tmp_path


def write_list(root: Path, *lines: str) -> None:
    (root / "overlap-30-full.txt").write_text("\n".join(lines) + "\n")


LINES = (
    "{}scene0000_00/pcd/1150.npz {}scene0000_00/pcd/75.npz 0.794144556267",
    "{}scene0001_00/pcd/50.npz {}scene0001_00/pcd/850.npz 0.3016",
)
PAIRS = [
    Pair("scene0000_00/pcd", 4, 2, 0.794144556267),
    Pair("scene0001_00/pcd", 0, 1, 0.3016),
]


@pytest.mark.parametrize("prefix", ["", "data_f25/", "/somewhere/else/data_f25/", "./"])
def test_paths_of_every_form_that_the_authors_scripts_leave(root: Path, prefix: str) -> None:
    write_list(root, *(line.format(prefix, prefix) for line in LINES))
    assert AuthorsPairs().list_pairs(root, ONES) == PAIRS


def test_the_example_lists_form(root: Path) -> None:
    """``data_f25/scene0589_00/pcd/850.npz``, with data.root the folder that holds data_f25."""
    above = root.parent
    line = LINES[0].format(f"{root.name}/", f"{root.name}/")
    (above / "subset.txt").write_text(f"\n{line}\n\n")
    pairs = AuthorsPairs(list_file="subset.txt").list_pairs(above, ONES)
    assert pairs == [Pair(f"{root.name}/scene0000_00/pcd", 4, 2, 0.794144556267)]


def test_files_beside_the_list(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", pcd=np.zeros((1, 3)))
    np.savez(tmp_path / "b.npz", pcd=np.ones((1, 3)))
    write_list(tmp_path, "a.npz b.npz 0.5")
    (pair,) = AuthorsPairs().list_pairs(tmp_path, ONES)
    assert pair == Pair(".", 0, 1, 0.5)
    assert AuthorsPairs().read(tmp_path, pair, ONES, RNG).view1.points.tolist() == [[1, 1, 1]]


def test_all_points_come_as_they_are(root: Path) -> None:
    write_list(root, LINES[0].format("", ""))
    reader = pickle.loads(pickle.dumps(AuthorsPairs(up=(0, 2, 0))))
    (pair,) = reader.list_pairs(root, ONES)
    views = reader.read(root, pair, ONES, RNG)
    for view, frame in ((views.view0, 1150), (views.view1, 75)):
        stored = np.load(root / "scene0000_00" / "pcd" / f"{frame}.npz")["pcd"]
        np.testing.assert_array_equal(view.points, stored.astype(np.float32))
    assert views.up.tolist() == [0, 1, 0]


@pytest.mark.parametrize("feature", ["color", "normal", "height"])
def test_features_that_the_format_does_not_hold(root: Path, feature) -> None:
    write_list(root, LINES[0].format("", ""))
    with pytest.raises(InputError, match=rf"asks for {feature}, but the authors' \.npz"):
        AuthorsPairs().list_pairs(root, ("ones", feature))
    with pytest.raises(InputError, match=feature):
        AuthorsPairs().read(root, PAIRS[0], (feature,), RNG)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("scene0000_00/pcd/0.npz scene0000_00/pcd/25.npz", "line 2 has 2 words"),
        ("scene0000_00/pcd/0.npz scene0000_00/pcd/25.npz 0.5 0.5", "line 2 has 4 words"),
        ("scene0000_00/pcd/0.npz scene0000_00/pcd/25.npz 1.5", r"overlap 1\.5"),
        ("scene0000_00/pcd/0.npz scene0000_00/pcd/25.npz -0.5", r"overlap -0\.5"),
        ("scene0000_00/pcd/0.npz scene0000_00/pcd/25.npz nan", "overlap nan"),
        ("scene0000_00/pcd/0.npz scene0000_00/pcd/25.npz much", "overlap much"),
        ("scene0000_00/pcd/0.npz scene0000_00/pcd/26.npz 0.5", r"26\.npz does not exist"),
        ("scene0000_00/pcd/0.npz scene0009_00/pcd/25.npz 0.5", r"25\.npz does not exist"),
        ("scene0000_00/pcd/0.npz scene0001_00/pcd/50.npz 0.5", "two files of one folder"),
        ("scene0000_00/pcd/0.npz scene0000_00/pcd/0.npz 0.5", "two files of one folder"),
        ("../x/pcd/0.npz ../x/pcd/25.npz 0.5", "leads out of"),
        ("scene0000_00/../../x/0.npz scene0000_00/pcd/0.npz 0.5", "leads out of"),
        ("/etc/0.npz /etc/1.npz 0.5", "which is not below"),
    ],
)
def test_bad_lines_are_named(root: Path, line: str, said: str) -> None:
    write_list(root, LINES[0].format("", ""), line)
    with pytest.raises(InputError, match=said):
        AuthorsPairs().list_pairs(root, ONES)


def test_a_list_that_is_not_there_or_empty(root: Path) -> None:
    with pytest.raises(InputError, match=r"overlap-30-full\.txt cannot be read"):
        AuthorsPairs().list_pairs(root, ONES)
    write_list(root, "")
    with pytest.raises(InputError, match="lists no pair"):
        AuthorsPairs().list_pairs(root, ONES)
    write_list(root, "nowhere/pcd/0.npz nowhere/pcd/25.npz 0.5")
    with pytest.raises(InputError, match=r"line 1 names nowhere/pcd/0\.npz, which is not below"):
        AuthorsPairs().list_pairs(root, ONES)
    with pytest.raises(InputError, match="up direction"):
        AuthorsPairs(up=(0, 0, 0))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"points": np.zeros((4, 3))}, "no array 'pcd'"),
        ({"pcd": np.zeros((4, 2))}, r"float64 \(4, 2\)"),
        ({"pcd": np.zeros((4, 3), int)}, "int64"),
        ({"pcd": np.zeros((0, 3))}, "holds no point"),
        ({"pcd": np.full((4, 3), np.nan)}, "NaN or infinite points"),
        (b"cut short", "missing or damaged"),
        (None, "missing or damaged"),
    ],
)
def test_bad_clouds_are_named(root: Path, content, said: str) -> None:
    write_list(root, LINES[1].format("", ""))
    reader = AuthorsPairs()
    (pair,) = reader.list_pairs(root, ONES)
    path = root / "scene0001_00" / "pcd" / "850.npz"
    reader.read(root, pair, ONES, RNG)
    if content is None:
        path.unlink()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.savez(path, **content)
    with pytest.raises(InputError, match=rf"850\.npz .*{said}"):
        reader.read(root, pair, ONES, RNG)


def test_a_cut_archive_and_an_npy_in_disguise_are_named(root: Path) -> None:
    write_list(root, LINES[1].format("", ""))
    path = root / "scene0001_00" / "pcd" / "850.npz"
    whole = path.read_bytes()
    for damaged in (whole[:-30], whole[:200], whole[:80] + b"x" * 40 + whole[120:]):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"850\.npz is missing or damaged"):
            AuthorsPairs().read(root, PAIRS[1], ONES, RNG)
    with path.open("wb") as file:
        np.save(file, np.zeros((4, 3)))
    with pytest.raises(InputError, match=r"850\.npz is missing or damaged"):
        AuthorsPairs().read(root, PAIRS[1], ONES, RNG)
