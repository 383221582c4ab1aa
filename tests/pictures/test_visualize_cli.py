"""The command line on a small scene."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from plyfile import PlyData

from pointcontrast.pictures.scene_clouds import merge_views
from pointcontrast.pictures.scene_encoder import Encoder
from pointcontrast.pictures.visualize_cli import main
from pointcontrast.types import PointCloud
from tests.helpers.corner_views import CornerViews, write_network_and_scene

Run = Callable[..., tuple[int, list[int | None]]]


def encode_position(cloud: PointCloud) -> tuple[np.ndarray, np.ndarray]:
    """Position as features: matches are always right."""
    return cloud.points, cloud.points * np.array([1.0, 0.5, 0.25], dtype=np.float32)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command line on a scene of corners; returns the status and the requested seeds."""

    def run(
        *arguments: str, num_views: int = 5, encode: Any = encode_position
    ) -> tuple[int, list[int | None]]:
        seeds: list[int | None] = []

        def load(
            network: Path,
            meta: Any,
            untrained_seed: int | None = None,
            calibration_views: Sequence[PointCloud] = (),
        ) -> Encoder:
            # only the untrained network is calibrated
            assert bool(calibration_views) == (untrained_seed is not None)
            assert network == tmp_path / "run" / "backbone.safetensors"
            assert meta.up.tolist() == [0.0, 0.0, 1.0]
            seeds.append(untrained_seed)
            return Encoder(encode, voxel_size=0.1)

        for module in ("feature_picture", "correspondence_picture"):
            path = f"pointcontrast.pictures.{module}"
            monkeypatch.setattr(f"{path}.load_encoder", load)
            monkeypatch.setattr(f"{path}.ViewStore", lambda _: CornerViews(num_views))
        shared = ["--network", str(tmp_path / "run" / "backbone.safetensors")]
        shared += ["--views", str(tmp_path / "corner")]
        return main([*arguments, *shared]), seeds

    return run


def test_features_writes_png_and_ply_where_there_is_no_display(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pointcontrast.pictures.drawing.has_display", lambda: False)
    status, seeds = run("features", "--compare-untrained", "--view", "3", "1", "--size", "80", "60")
    assert (status, seeds) == (0, [None, 0])
    png = tmp_path / "run" / "corner_features.png"
    width, height = np.asarray(Image.open(png)).shape[1::-1]
    assert width > 3 * 80
    assert 2 * 60 < height < 4 * 60  # one row per view
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
    # the second view is drawn next to the first: right matches are one shift apart
    points = np.stack([data["vertex"].data[axis] for axis in "xyz"], axis=1)
    shift = (points[edges["vertex2"]] - points[edges["vertex1"]])[is_green]
    assert np.linalg.norm(shift - shift.mean(axis=0), axis=1).max() < 0.4  # 2 tolerances
    assert np.linalg.norm(shift.mean(axis=0)) > 0.9
    image = np.asarray(Image.open(png)).astype(int)
    assert ((image[..., 1] > image[..., 0] + 60) & (image[..., 1] > image[..., 2] + 40)).any()


@pytest.fixture(scope="module")
def network_and_scene(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_network_and_scene(tmp_path_factory.mktemp("real"))


@pytest.mark.parametrize("command", ["features", "correspondences"])
def test_the_command_line_on_a_real_network(
    command: str, network_and_scene: tuple[Path, Path], tmp_path: Path
) -> None:
    network, scene = network_and_scene
    arguments = [command, "--network", str(network), "--views", str(scene)]
    arguments += ["--output", str(tmp_path), "--window", "never", "--size", "64", "48"]
    assert main(arguments) == 0
    picture = np.asarray(Image.open(tmp_path / f"corner_{command}.png"))
    assert (picture != 255).any()


def test_the_old_name_of_the_network_answers_with_the_new_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["features", "--checkpoint", "b.safetensors", "--views", "scene"]) == 2
    error = capsys.readouterr().err
    assert error == "error: --checkpoint is now --network: a backbone file, or its run's folder\n"


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


def test_the_help_does_not_import_torch_or_open3d() -> None:
    code = (
        "import sys, contextlib; from pointcontrast.pictures.visualize_cli import main\n"
        "with contextlib.suppress(SystemExit): main(['features', '--help'])\n"
        "sys.exit(bool({'torch', 'open3d', 'matplotlib'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
