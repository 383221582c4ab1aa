from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from pointcontrast.data.pair_readers import SceneCrops
from pointcontrast.errors import InputError
from pointcontrast.types import RegisteredViews
from tests.oracles.overlap import overlap_of_two


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two generated rooms as labelled scenes; do not write to them."""
    from pointcontrast.synthetic.source import write_rooms

    root = tmp_path_factory.mktemp("scans")
    write_rooms(root / "raw", 2, num_frames=1, seed=3, labelled_output=root / "scenes",
                width=16, height=12, density=900.0, progress=False)  # fmt: skip
    return root / "scenes"


def draw(
    reader: SceneCrops, root: Path, seed: int, features=("color", "normal")
) -> RegisteredViews:
    pairs = reader.list_pairs(root, features)
    return reader.read(root, pairs[seed % len(pairs)], features, np.random.default_rng(seed))


@pytest.mark.parametrize("visibility", ["all", "camera"])
def test_views_overlap_enough_and_are_the_scans_own_points(scenes: Path, visibility) -> None:
    reader = SceneCrops(pairs_per_scene=1, visibility=visibility)
    for seed in range(8):
        views = draw(reader, scenes, seed)
        assert overlap_of_two(views.view0.points, views.view1.points) >= 0.3
        folder = scenes / reader.list_pairs(scenes, ())[seed % 2].scene
        scan = {name: np.load(folder / f"{name}.npy") for name in ("coord", "color", "normal")}
        whole = np.column_stack([scan["coord"], scan["normal"]]).astype(np.float32).view("V24")
        for view in (views.view0[:], views.view1[:]):
            assert view.normals is not None
            piece = np.column_stack([view.points, view.normals]).view("V24").ravel()
            _, _, rows = np.intersect1d(piece, whole.ravel(), return_indices=True)
            assert len(rows) == len(view)  # each is one of the scan's, none twice
            assert view.colors is not None
            assert np.array_equal(np.sort(view.colors, axis=0),
                                  np.sort(scan["color"][rows], axis=0))  # fmt: skip
        assert views.up.tolist() == [0, 0, 1]
        floor = np.percentile(scan["coord"][:, 2], 1)
        assert views.floor_height == pytest.approx(floor, abs=0.01)


@pytest.mark.parametrize("visibility", ["all", "camera"])
def test_a_sample_depends_on_the_generator_alone(scenes: Path, visibility) -> None:
    reader = SceneCrops(visibility=visibility)
    first = draw(reader, scenes, 4)
    draw(reader, scenes, 5)
    again = draw(pickle.loads(pickle.dumps(reader)), scenes, 4)
    np.testing.assert_array_equal(first.view0.points, again.view0.points)
    np.testing.assert_array_equal(first.view1.points, again.view1.points)
    pair = reader.list_pairs(scenes, ())[4]
    other = reader.read(scenes, pair, (), np.random.default_rng(99))
    assert not np.array_equal(first.view0.points, other.view0.points)


def test_only_what_features_need_is_read(scenes: Path) -> None:
    views = draw(SceneCrops(), scenes, 0, features=("ones", "height"))
    assert views.view0[:].colors is None
    assert views.view0[:].normals is None


def test_the_list(scenes: Path) -> None:
    pairs = SceneCrops(pairs_per_scene=3, min_overlap=0.4).list_pairs(scenes, ("color",))
    assert [pair.scene for pair in pairs] == ["room_0000"] * 3 + ["room_0001"] * 3
    views = [view for pair in pairs[:3] for view in (pair.view0, pair.view1)]
    assert views == list(range(6))
    assert {pair.overlap for pair in pairs} == {0.4}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"pairs_per_scene": 0}, "pairs_per_scene must be at least 1"),
        ({"radius": (2.0, 1.0)}, r"radius .* got \(2\.0, 1\.0\)"),
        ({"radius": (0.0, 1.0)}, "radius"),
        ({"max_range": 0.3}, "max_range"),
        ({"min_overlap": 1.0}, "min_overlap"),
        ({"max_attempts": 0}, "max_attempts"),
    ],
)
def test_values_out_of_range_are_named(arguments, said) -> None:
    with pytest.raises(InputError, match=said):
        SceneCrops(**arguments)


def test_bad_scenes_are_named(scenes: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no labelled scene"):
        SceneCrops().list_pairs(tmp_path, ())
    root = Path(shutil.copytree(scenes, tmp_path / "scenes"))
    coord = np.load(root / "room_0000" / "coord.npy")
    coord[7] = np.nan
    np.save(root / "room_0000" / "coord.npy", coord)
    (root / "room_0001" / "normal.npy").unlink()
    with pytest.raises(InputError, match=r"room_0001 has no normal\.npy"):
        SceneCrops().list_pairs(root, ("normal",))
    pair = SceneCrops().list_pairs(root, ())[0]
    with pytest.raises(InputError, match=r"room_0000/coord\.npy: .*NaN"):
        SceneCrops().read(root, pair, (), np.random.default_rng(0))


def test_points_that_were_float32_far_from_zero_are_named(scenes: Path, tmp_path: Path) -> None:
    """As an older program wrote them; what is written today has an origin."""
    shutil.copytree(next(scenes.glob("room_*")), tmp_path / "a")
    coord = np.load(tmp_path / "a" / "coord.npy")
    np.save(tmp_path / "a" / "coord.npy", coord + np.float32(450_123))
    with pytest.raises(InputError, match=r"a/coord\.npy: x reaches 4501\d+\.?\d* m, where float32"):
        draw(SceneCrops(), tmp_path, 0, features=())
