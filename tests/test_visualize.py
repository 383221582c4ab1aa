"""Feature colours and matches against closed forms; the command line on a small scene."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from plyfile import PlyData

from pointcontrast import visualize
from pointcontrast.backbones import Res16UNet
from pointcontrast.checkpoint import save_backbone
from pointcontrast.errors import InputError
from pointcontrast.network_input import NetworkInput
from pointcontrast.types import PointCloud
from pointcontrast.view_store import ViewStore, write_view_store
from pointcontrast.views import View
from pointcontrast.visualize import Encoder, match_features, merge_views, pca_colors


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def skewed_features(rng: np.random.Generator, num_rows: int, num_channels: int) -> np.ndarray:
    """Features whose components have different variances and a long tail each."""
    return rng.gamma(2.0, size=(num_rows, num_channels)) * 2.0 ** -np.arange(num_channels)


def random_orthogonal(rng: np.random.Generator, size: int) -> np.ndarray:
    return np.linalg.qr(rng.normal(size=(size, size)))[0]


def test_one_axis_a_channel_gives_that_channels_percentiles(rng: np.random.Generator) -> None:
    features = skewed_features(rng, 2000, 3) * [100.0, 10.0, 1.0]
    features[:, 1] *= -1  # its tail points down; the sign rule turns it round
    tails = features * [1, -1, 1]
    low, high = np.percentile(tails, [1, 99], axis=0)
    expected = 255 * np.clip((tails - low) / (high - low), 0, 1)
    # the sample's principal axes are those of the channels only up to sampling error
    difference = np.abs(pca_colors(features) - expected)
    assert np.percentile(difference, 99) < 25
    assert difference.mean() < 6


def test_colours_agree_with_a_singular_value_decomposition(rng: np.random.Generator) -> None:
    features = skewed_features(rng, 500, 8) @ random_orthogonal(rng, 8)
    scores = np.linalg.svd(features - features.mean(axis=0), full_matrices=False)[0][:, :3]
    for channel, score in enumerate(scores.T):
        score = score if (score**3).sum() > 0 else -score
        low, high = np.percentile(score, 1), np.percentile(score, 99)
        expected = np.rint(255 * np.clip((score - low) / (high - low), 0, 1))
        np.testing.assert_allclose(pca_colors(features)[:, channel], expected, atol=1)


def test_rotating_mirroring_scaling_and_moving_feature_space_changes_no_colour(
    rng: np.random.Generator,
) -> None:
    features = skewed_features(rng, 800, 16)
    expected = pca_colors(features).astype(int)
    assert np.ptp(expected, axis=0).min() == 255
    for _ in range(3):
        moved = 7 * features @ random_orthogonal(rng, 16) + rng.normal(size=16)
        np.testing.assert_allclose(pca_colors(moved), expected, atol=1)


def test_a_shared_reference_gives_equal_features_equal_colours(rng: np.random.Generator) -> None:
    features = skewed_features(rng, 600, 8).astype(np.float32)
    whole = pca_colors(features)
    np.testing.assert_array_equal(pca_colors(features[100:250], features), whole[100:250])
    assert (pca_colors(features[100:250]) != whole[100:250]).any()
    assert pca_colors(features[:0], features).shape == (0, 3)


@pytest.mark.parametrize("value", [0.0, 0.3, -1e4])
@pytest.mark.parametrize("num_channels", [1, 2, 32])
def test_constant_features_are_mid_grey(value: float, num_channels: int) -> None:
    features = np.full((20, num_channels), value, dtype=np.float32)
    features[::2] *= np.float32(1 + 1e-7)  # rounding is no signal
    colors = pca_colors(features)
    assert colors.dtype == np.uint8
    np.testing.assert_array_equal(colors, np.full((20, 3), 128))


def test_fewer_components_than_colours_leave_the_rest_grey(rng: np.random.Generator) -> None:
    colors = pca_colors(skewed_features(rng, 300, 1))
    assert np.ptp(colors[:, 0]) == 255
    np.testing.assert_array_equal(colors[:, 1:], np.full((300, 2), 128))
    line = rng.gamma(2.0, size=(300, 1)) * np.ones((1, 5))  # rank 1 in 5 channels
    np.testing.assert_array_equal(pca_colors(line)[:, 1:], np.full((300, 2), 128))


def test_one_row_is_grey() -> None:
    np.testing.assert_array_equal(pca_colors(np.arange(8.0)[None]), [[128, 128, 128]])


def test_bad_features_are_named() -> None:
    good = np.ones((4, 3))
    with pytest.raises(InputError, match="NaN"):
        pca_colors(np.full((4, 3), np.nan))
    with pytest.raises(InputError, match="NaN"):
        pca_colors(good, np.full((4, 3), np.inf))
    with pytest.raises(InputError, match=r"\(4, 3\).*\(4, 2\)"):
        pca_colors(good, good[:, :2])
    with pytest.raises(InputError, match="no features"):
        pca_colors(good[:0])


def test_matches_are_nearest_in_features_and_judged_in_the_world(rng: np.random.Generator) -> None:
    points = rng.uniform(size=(200, 3)).astype(np.float32)
    features = rng.normal(size=(200, 8)).astype(np.float32)
    order = rng.permutation(200)
    far = points[:50] + 10  # view1 does not see these: they must not ask
    matches = match_features(
        (np.concatenate([points, far]), np.concatenate([features, features[:50]])),
        (points[order], features[order]),
        num_matches=80,
        tolerance=1e-4,
        rng=rng,
    )
    rows0, rows1 = matches.correspondences.T
    assert len(set(rows0.tolist())) == 80
    assert rows0.max() < 200
    np.testing.assert_array_equal(order[rows1], rows0)
    assert matches.is_right.all()


def test_wrong_features_give_wrong_matches(rng: np.random.Generator) -> None:
    points = rng.uniform(size=(100, 3)).astype(np.float32)
    features = rng.normal(size=(100, 8)).astype(np.float32)
    matches = match_features(
        (points, features),
        (points, np.roll(features, 1, axis=0)),
        num_matches=1000,
        tolerance=1e-4,
        rng=rng,
    )
    rows0, rows1 = matches.correspondences.T
    np.testing.assert_array_equal(rows1, (rows0 + 1) % 100)
    assert len(rows0) == 100
    assert not matches.is_right.any()


def test_views_with_nothing_in_common_are_refused(rng: np.random.Generator) -> None:
    cloud0 = (np.zeros((4, 3)), np.ones((4, 2)))
    cloud1 = (np.ones((4, 3)), np.ones((4, 2)))
    with pytest.raises(InputError, match="--view"):
        match_features(cloud0, cloud1, num_matches=3, tolerance=0.1, rng=rng)
    with pytest.raises(InputError, match="--num-matches 0"):
        match_features(cloud0, cloud0, num_matches=0, tolerance=0.1, rng=rng)


def test_merging_keeps_the_first_point_of_every_cell(rng: np.random.Generator) -> None:
    clouds = [
        PointCloud(
            rng.uniform(-1, 1, size=(300, 3)).astype(np.float32),
            rng.integers(256, size=(300, 3)).astype(np.uint8),
        )
        for _ in range(3)
    ]
    merged = merge_views(clouds, 0.25)
    expected: dict[tuple[int, ...], np.ndarray] = {}
    for cloud in clouds:
        assert cloud.colors is not None
        for point, color in zip(cloud.points, cloud.colors, strict=True):
            cell = tuple(int(np.floor(x / 0.25)) for x in point)
            expected.setdefault(cell, np.concatenate([point, color]))
    assert merged.colors is not None
    rows = np.concatenate([merged.points, merged.colors], axis=1)
    assert sorted(map(tuple, rows)) == sorted(map(tuple, expected.values()))
    bare = PointCloud(clouds[0].points)
    assert merge_views([clouds[1], bare], 0.25).colors is None


def test_the_ceiling_comes_off_along_the_up_direction() -> None:
    heights = np.linspace(0, 2, 201)
    points = np.stack([np.zeros(201), -heights, np.zeros(201)], axis=1)
    kept = visualize.below_ceiling(points, np.array([0.0, -1.0, 0.0]), 0.25)
    assert heights[kept].max() == pytest.approx(1.5, abs=0.03)
    assert heights[kept].min() == 0
    assert visualize.below_ceiling(points, np.array([0.0, -1.0, 0.0]), 0).all()
    with pytest.raises(InputError, match="--cut-ceiling 1"):
        visualize.below_ceiling(points, np.array([0.0, -1.0, 0.0]), 1)


class CornerViews:
    """Views of the corner of a room: a floor and two walls, with z up."""

    def __init__(self, num_views: int) -> None:
        pose = np.eye(4)  # before the open side, looks along y
        pose[:3, :3] = [[1, 0, 0], [0, 0, 1], [0, -1, 0]]
        pose[:3, 3] = [0.5, -1.0, 0.5]
        up = np.array([0.0, 0.0, 1.0])
        self.meta = SimpleNamespace(up=up, poses=np.stack([pose] * (num_views + 1)))
        self.num_views = num_views

    def __len__(self) -> int:
        return self.num_views

    def __getitem__(self, index: int, /) -> PointCloud:
        points = np.random.default_rng(index).uniform(size=(900, 3))
        for axis in range(3):
            points[axis::3, axis] = 0
        return PointCloud(points.astype(np.float32), (200 * points).astype(np.uint8))


def encode_position(cloud: PointCloud) -> tuple[np.ndarray, np.ndarray]:
    """Features that know the place: matching them is always right."""
    return cloud.points, cloud.points * np.array([1.0, 0.5, 0.25], dtype=np.float32)


Run = Callable[..., tuple[int, list[int | None]]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command line on a scene of corners; returns the status and the seeds asked for."""

    def run(
        *arguments: str, num_views: int = 5, encode: Any = encode_position
    ) -> tuple[int, list[int | None]]:
        seeds: list[int | None] = []

        def load(checkpoint: Path, meta: Any, untrained_seed: int | None = None) -> Encoder:
            assert checkpoint == tmp_path / "run" / "backbone.safetensors"
            assert meta.up.tolist() == [0.0, 0.0, 1.0]
            seeds.append(untrained_seed)
            return Encoder(encode, voxel_size=0.1)

        monkeypatch.setattr(visualize, "load_encoder", load)
        monkeypatch.setattr(visualize, "ViewStore", lambda _: CornerViews(num_views))
        shared = ["--checkpoint", str(tmp_path / "run" / "backbone.safetensors")]
        shared += ["--views", str(tmp_path / "corner")]
        return visualize.main([*arguments, *shared]), seeds

    return run


def test_features_writes_png_and_ply_where_there_is_no_display(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(visualize, "has_display", lambda: False)
    monkeypatch.setattr("pointcontrast.drawing.has_display", lambda: False)
    status, seeds = run("features", "--compare-untrained", "--view", "3", "1", "--size", "80", "60")
    assert (status, seeds) == (0, [None, 0])
    png = tmp_path / "run" / "corner_features.png"
    width, height = np.asarray(Image.open(png)).shape[1::-1]
    assert width > 3 * 80
    assert 2 * 60 < height < 4 * 60  # a row a view
    plys = sorted(path.name for path in png.parent.glob("*.ply"))
    assert plys == sorted(
        f"corner_features_view_{view}_{what}.ply"
        for view in (1, 3)
        for what in ("colour", "trained", "untrained")
    )
    assert str(png) in capsys.readouterr().out.splitlines()


def test_features_of_all_views_merges_them(run: Run, tmp_path: Path) -> None:
    seen: list[int] = []

    def encode(cloud: PointCloud) -> tuple[np.ndarray, np.ndarray]:
        seen.append(len(cloud))
        return encode_position(cloud)

    ply, png = tmp_path / "a.ply", tmp_path / "a.png"
    files = ["--ply", str(ply), "--png", str(png), "--window", "never", "--size", "40", "30"]
    assert run("features", "--all", *files, encode=encode)[0] == 0
    assert run("features", "--max-views", "2", *files, encode=encode)[0] == 0
    views = CornerViews(5)
    assert seen == [
        len(merge_views([views[i] for i in chosen], 0.05)) for chosen in (range(5), (0, 4))
    ]
    assert {p.name for p in tmp_path.glob("*.ply")} >= {"a_corner_2_views_trained.ply"}


def test_the_network_sees_the_ceiling_that_the_picture_leaves_out(run: Run, tmp_path: Path) -> None:
    seen: list[float] = []

    def encode(cloud: PointCloud) -> tuple[np.ndarray, np.ndarray]:
        seen.append(float(cloud.points[:, 2].max()))
        return encode_position(cloud)

    files = ["--ply", str(tmp_path / "a.ply")]
    assert run("features", "--cut-ceiling", "0.5", *files, encode=encode)[0] == 0
    assert seen[0] > 0.9
    for name in ("a_view_0_colour.ply", "a_view_0_trained.ply"):
        vertices = PlyData.read(str(tmp_path / name))["vertex"].data
        assert 0.4 < vertices["z"].max() < 0.55


def test_every_point_shows_the_colour_of_its_nearest_voxel(rng: np.random.Generator) -> None:
    view = PointCloud(np.array([[0, 0, 0], [0.4, 0, 0], [0.6, 0, 0]], dtype=np.float32))
    voxels = np.array([[0.0, 0, 0], [1.0, 0, 0]], dtype=np.float32)
    features = np.array([[0.0, 1.0], [1.0, 0.0]], dtype=np.float32)
    panels = visualize.feature_panels([view], ["v"], {"net": lambda _: (voxels, features)})
    assert [panel.caption for panel in panels] == ["v: colour", "v: net"]
    expected = pca_colors(features)[[0, 0, 1]]
    np.testing.assert_array_equal(panels[1].colors, expected)
    assert (expected[0] != expected[2]).any()


@pytest.mark.parametrize("from_behind", [True, False])
def test_correspondences_draws_right_matches_green(
    run: Run, tmp_path: Path, from_behind: bool
) -> None:
    ply, png = tmp_path / "m.ply", tmp_path / "m.png"
    status, seeds = run(
        *("correspondences", "--view", "0", "2", "--ply", str(ply), "--png", str(png)),
        *("--size", "200", "100", "--num-matches", "25"),
        *([] if from_behind else ["--azimuth", "30"]),
    )
    assert (status, seeds) == (0, [None])
    data = PlyData.read(str(ply))
    assert len(data["vertex"].data) == 2 * 900 + 2 * 25
    edges = data["edge"].data
    assert len(edges) == 25
    is_green = edges["green"] > edges["red"]
    assert is_green.mean() > 0.5
    # the second view stands beside the first: right matches are one shift apart
    points = np.stack([data["vertex"].data[axis] for axis in "xyz"], axis=1)
    shift = (points[edges["vertex2"]] - points[edges["vertex1"]])[is_green]
    assert np.linalg.norm(shift - shift.mean(axis=0), axis=1).max() < 0.4  # 2 tolerances
    assert np.linalg.norm(shift.mean(axis=0)) > 0.9
    image = np.asarray(Image.open(png)).astype(int)
    assert ((image[..., 1] > image[..., 0] + 60) & (image[..., 1] > image[..., 2] + 40)).any()


@pytest.fixture(scope="module")
def checkpoint_and_scene(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A real backbone file of a tiny network and a real view store of two corners."""
    folder = tmp_path_factory.mktemp("real")
    with torch.random.fork_rng():
        torch.manual_seed(5)
        backbone = Res16UNet(6, 8, "14A", engine="native", width=0.25)
    recipe = NetworkInput(voxel_size=0.1, features=("ones", "color"), rotation="vertical")
    save_backbone(folder / "backbone.safetensors", backbone, recipe, {})
    corners = CornerViews(2)
    views = [View(str(i), corners.meta.poses[i], corners[i]) for i in range(2)]
    source = {"layout": "test", "path": "nowhere"}
    write_view_store(folder / "corner", views, source=source, storage_grid=0, up=corners.meta.up)
    return folder / "backbone.safetensors", folder / "corner"


def test_a_checkpoint_gives_the_features_of_its_network(
    checkpoint_and_scene: tuple[Path, Path],
) -> None:
    checkpoint, scene = checkpoint_and_scene
    store = ViewStore(scene)
    encoder = visualize.load_encoder(checkpoint, store.meta)
    assert encoder.voxel_size == 0.1
    points, features = encoder.encode(store[0])
    assert points.shape == (len(features), 3)
    assert features.shape[1] == 8
    # every voxel speaks for one point of the view, in world metres
    gaps = np.linalg.norm(points[:, None] - store[0].points[None], axis=2).min(axis=1)
    assert gaps.max() == 0
    np.testing.assert_array_equal(encoder.encode(store[0])[1], features)

    state = torch.get_rng_state()
    untrained = visualize.load_encoder(checkpoint, store.meta, untrained_seed=1)
    assert torch.equal(torch.get_rng_state(), state)
    assert np.abs(untrained.encode(store[0])[1] - features).max() > 1e-3
    same_seed = visualize.load_encoder(checkpoint, store.meta, untrained_seed=5)
    np.testing.assert_allclose(same_seed.encode(store[0])[1], features, atol=1e-5)


@pytest.mark.parametrize("command", ["features", "correspondences"])
def test_the_command_line_on_a_real_checkpoint(
    command: str, checkpoint_and_scene: tuple[Path, Path], tmp_path: Path
) -> None:
    checkpoint, scene = checkpoint_and_scene
    arguments = [command, "--checkpoint", str(checkpoint), "--views", str(scene)]
    arguments += ["--output", str(tmp_path), "--window", "never", "--size", "64", "48"]
    assert visualize.main(arguments) == 0
    picture = np.asarray(Image.open(tmp_path / f"corner_{command}.png"))
    assert (picture != 255).any()


@pytest.mark.parametrize(
    ("arguments", "views", "message"),
    [
        (["features", "--view", "7"], 5, "--view 7: .*corner has the views 0 to 4"),
        (["features", "--view", "-1"], 5, "--view -1"),
        (["features", "--view", "1", "--all"], 5, "--view draws single views"),
        (["features", "--max-views", "0"], 5, "--max-views 0"),
        (["features", "--all"], 0, "corner holds no views"),
        (["features", "--cut-ceiling", "2"], 5, "--cut-ceiling 2"),
        (["correspondences", "--view", "0", "9"], 5, "--view 9"),
        (["correspondences", "--tolerance", "0"], 5, "--tolerance"),
    ],
)
def test_bad_arguments_end_with_one_line_and_a_status(
    run: Run,
    arguments: list[str],
    views: int,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    png = tmp_path / "x.png"
    status, _ = run(*arguments, "--png", str(png), num_views=views)
    assert status == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert re.search(message, error)
    assert not png.exists()
