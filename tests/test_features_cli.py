"""``tools/features.py``: files of features for scans of any kind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from plyfile import PlyData

import pointcontrast
from pointcontrast.features_cli import main
from pointcontrast.pictures.point_ply import write_point_ply
from tests.helpers.repository import REPOSITORY
from tests.test_feature_network import room, write_backbone

SQUARE = np.float64([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
FACES = np.array([[0, 1, 2], [0, 2, 3]])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network on colours, a room as a PLY, a mesh, and a sweep without colours."""
    root = tmp_path_factory.mktemp("features")
    write_backbone(root / "network.safetensors", "color")
    points, colors = room()
    write_point_ply(root / "scans" / "room.ply", points, colors)
    write_point_ply(root / "scans" / "square.ply", SQUARE, np.full((4, 3), 200, np.uint8),
                    faces=FACES)  # fmt: skip
    np.pad(points, ((0, 0), (0, 1))).astype("<f4").tofile(root / "sweep.bin")
    return root


def run(folder: Path, *arguments: object) -> int:
    return main([str(folder / "network.safetensors"), *map(str, arguments)])


def test_files_of_a_folder_of_scans(folder: Path, tmp_path: Path) -> None:
    assert run(folder, folder / "scans", "-o", tmp_path / "out", "--png") == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [
        f"{stem}.{suffix}" for stem in ("room", "square") for suffix in ("npz", "ply", "png")
    ]
    points, colors = room()
    network = pointcontrast.load(folder / "network.safetensors")
    with np.load(tmp_path / "out" / "room.npz") as arrays:
        np.testing.assert_array_equal(arrays["points"], points)
        np.testing.assert_allclose(arrays["features"], network(points, colors), atol=1e-6)
    mesh = PlyData.read(str(tmp_path / "out" / "square.ply"))
    assert mesh["vertex"].count == 4
    np.testing.assert_array_equal(np.stack(mesh["face"]["vertex_indices"]), FACES)
    with Image.open(tmp_path / "out" / "room.png") as picture:
        assert np.asarray(picture).std() > 10


def test_voxels_are_smaller_and_say_the_same(folder: Path, tmp_path: Path) -> None:
    for option in ((), ("--voxels",)):
        status = run(folder, folder / "scans" / "room.ply", "-o", tmp_path / f"{option}", *option)
        assert status == 0
    with (
        np.load(tmp_path / "()" / "room.npz") as points,
        np.load(tmp_path / "('--voxels',)" / "room.npz") as voxels,
    ):
        np.testing.assert_array_equal(points["features"], voxels["features"][voxels["inverse"]])
        assert len(voxels["features"]) < len(points["features"])


def test_a_scan_that_fails_stops_no_other(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = run(folder, folder / "sweep.bin", folder / "scans" / "room.ply", "-o", tmp_path)
    assert status == 1
    assert (tmp_path / "room.npz").exists()
    assert not (tmp_path / "sweep.npz").exists()
    errors = capsys.readouterr().err
    assert "sweep has no colours, and the network was trained on them; give a scan with" in errors
    assert "1 of 2 scans failed" in errors


def test_results_are_not_replaced_unasked(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "room.ply").touch()
    scan = folder / "scans" / "room.ply"
    assert run(folder, scan, "-o", tmp_path) == 2
    assert "room.ply exists; give another --output, or --force" in capsys.readouterr().err
    assert not (tmp_path / "room.npz").exists()
    assert run(folder, scan, "-o", tmp_path, "--force") == 0
    assert (tmp_path / "room.ply").stat().st_size


def test_help_needs_no_heavy_import() -> None:
    program = (
        "import sys, runpy; sys.argv = ['features.py', '--help']\n"
        "try: runpy.run_path('tools/features.py', run_name='__main__')\n"
        "except SystemExit as stop: assert not stop.code\n"
        "heavy = {'torch', 'numpy', 'open3d', 'pytorch_lightning', 'matplotlib'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, check=True, capture_output=True, text=True
    )
    assert "NETWORK" in done.stdout
