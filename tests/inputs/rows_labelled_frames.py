"""Networks on georeferenced scans: labels as near zero, written in the frame of the scan."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from plyfile import PlyData

from pointcontrast.labelled_scene import LabelledScene, read_labelled_scene, write_labelled_scene
from pointcontrast.pictures.point_ply import write_point_ply
from tests.helpers.fork_server import output_of
from tests.inputs.makers_labelled import UTM, command, save_text, text_columns, truth
from tests.inputs.makers_runs import FINETUNE_SMALL, finetuned_run, labelled_rooms, pretrained_run
from tests.inputs.makers_scans import room_cloud
from tests.inputs.row import EVALUATE, FEATURES, PREDICT, Row

OFF_BORDERS = 0.0537
"""Metres; the walls of the room lie on borders of voxels, where rounding decides."""


def _points() -> tuple[np.ndarray, np.ndarray]:
    points, colors = room_cloud(0.25)
    return np.rint(points.astype(np.float64) * 1000) / 1000 + OFF_BORDERS, colors


def _near_and_far(script: Path, network: Any) -> Any:
    """Two PLY files with the same points, near zero and in UTM."""

    def made(folder: Path) -> Sequence[object]:
        points, colors = _points()
        write_point_ply(folder / "scans" / "near.ply", points.astype(np.float64), colors)
        write_point_ply(folder / "scans" / "far.ply", points + UTM, colors)
        return [script, network(), "scans", "--output", "out", "--device", "cpu"]

    return made


def _ply_points(path: Path) -> np.ndarray:
    vertices = PlyData.read(str(path))["vertex"].data
    assert vertices["y"].dtype == np.float64
    return np.stack([vertices[axis] for axis in "xyz"], axis=1)


def _check_frames(folder: Path) -> tuple[Any, Any]:
    points, _ = _points()
    near, far = (np.load(folder / "out" / f"{name}.npz") for name in ("near", "far"))
    np.testing.assert_allclose(far["points"], points + UTM, rtol=0, atol=1e-6)
    assert far["points"].dtype == np.float64
    np.testing.assert_allclose(_ply_points(folder / "out" / "far.ply"), points + UTM, rtol=0,
                               atol=1e-6)  # fmt: skip
    return near, far


def _check_predictions(folder: Path, _: str) -> None:
    near, far = _check_frames(folder)
    np.testing.assert_array_equal(far["labels"], near["labels"])
    np.testing.assert_allclose(far["probabilities"], near["probabilities"], atol=1e-4)
    assert len(np.unique(near["labels"])) > 1


def _check_features(folder: Path, _: str) -> None:
    near, far = _check_frames(folder)
    same = np.isclose(far["features"], near["features"], atol=1e-3).all(axis=1)
    assert same.mean() > 0.98, same.mean()  # centring rounds: points at a border change voxels


def _floats(script: Path, network: Any) -> Any:
    def made(folder: Path) -> Sequence[object]:
        points, colors = _points()
        lines = np.hstack([(points + UTM).astype(np.float32), colors])
        np.save(folder / "far.npy", lines.astype(np.float32))
        return [script, network(), "far.npy", "--output", "out", "--device", "cpu"]

    return made


def _utm_rooms(folder: Path, name: str = "utm", offset: Any = UTM) -> Path:
    """The rooms of ``labelled_rooms``, moved to UTM by the writer of the README."""
    for path in sorted(labelled_rooms().iterdir()):
        scene = read_labelled_scene(path)
        places = np.rint(scene.coord.astype(np.float64) * 1000) / 1000 + OFF_BORDERS
        arrays: dict[str, Any] = {"coord": places + offset}
        far = LabelledScene(
            **arrays, color=scene.color, semantic=scene.semantic, class_names=scene.class_names
        )
        write_labelled_scene(folder / name / path.name, far)
    return folder / name


def _scores(folder: Path) -> dict[str, Any]:
    (path,) = folder.rglob("scores.json")
    found = json.loads(path.read_text())
    return {level: found[level] for level in ("voxel", "point")}


def _evaluated(folder: Path) -> Sequence[object]:
    near = _utm_rooms(folder, "zero", np.zeros(3))
    output_of([EVALUATE, finetuned_run(), "--root", near, "--output", folder / "near"])
    return [EVALUATE, finetuned_run(), "--root", _utm_rooms(folder), "--output", "far",
            "--predictions", "ply"]  # fmt: skip


def _check_scores(folder: Path, _: str) -> None:
    assert _scores(folder / "far") == _scores(folder / "near")
    paths = list((folder / "far").rglob("*.ply"))
    assert paths
    for path in paths:
        scene = read_labelled_scene(folder / "utm" / path.stem)
        np.testing.assert_allclose(_ply_points(path), scene.source_points, rtol=0, atol=1e-6)


def _labelled_scene(folder: Path) -> Sequence[object]:
    scene = _utm_rooms(folder) / "room_1"
    return [PREDICT, finetuned_run(), scene, "--output", "out", "--device", "cpu"]


def _check_labelled_scene(folder: Path, _: str) -> None:
    scene = read_labelled_scene(folder / "utm" / "room_1")
    near = read_labelled_scene(labelled_rooms() / "room_1").coord.astype(np.float64)
    expected = near + OFF_BORDERS + UTM
    np.testing.assert_allclose(scene.source_points, expected, rtol=0, atol=1e-3)
    expected = scene.source_points
    found = np.load(folder / "out" / "room_1.npz")
    np.testing.assert_allclose(found["points"], expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(_ply_points(folder / "out" / "room_1.ply"), expected, rtol=0,
                               atol=1e-5)  # fmt: skip


def _old_scene(folder: Path) -> Sequence[object]:
    """A labelled scene of an older program, whose points became float32 in UTM."""
    scene = _utm_rooms(folder) / "room_1"
    coord = read_labelled_scene(scene).source_points.astype(np.float32)
    np.save(scene / "coord.npy", coord)
    meta = json.loads((scene / "meta.json").read_text())
    meta["files"]["coord.npy"]["bytes"] = (scene / "coord.npy").stat().st_size
    del meta["origin"]
    (scene / "meta.json").write_text(json.dumps(meta))
    return [*FINETUNE_SMALL, "--data.benchmark.init_args.root", "utm", "--run_dir", "run"]


def _finetuned(folder: Path) -> Sequence[object]:
    """Text scans in UTM, converted and trained on."""
    room = truth()
    for number in (1, 2, 3):
        far = room.points + UTM + number * np.array([30, 0, 0])
        save_text(folder / "scans" / f"room_{number}.txt", [*far.T, *text_columns(room)[3:]])
    (folder / "classes.txt").write_text("0 unlabelled\n1 ceiling\n2 floor\n3 wall\n4 table\n")
    output_of(command(), folder)
    return [*FINETUNE_SMALL, "--data.benchmark.init_args.root", "out", "--run_dir", "run"]


def _centimetres(folder: Path) -> Sequence[object]:
    for path in sorted(labelled_rooms().iterdir()):
        scene = read_labelled_scene(path)
        write_labelled_scene(folder / "cm" / path.name, replace(scene, coord=scene.coord * 100))
    return [*FINETUNE_SMALL, "--data.benchmark.init_args.root", "cm", "--run_dir", "run"]


def _check_run(folder: Path, _: str) -> None:
    assert (folder / "run" / "best.safetensors").is_file()


ROWS = [
    Row(name="predict-utm", kind="A", make=_near_and_far(PREDICT, finetuned_run),
        check=_check_predictions),
    Row(name="features-utm", kind="A", make=_near_and_far(FEATURES, pretrained_run),
        check=_check_features),
    Row(name="predict-utm-of-floats", kind="A", make=_floats(PREDICT, finetuned_run), status=2,
        says=("far.npy", "x reaches 450129", "where float32 steps by 0.031 m"),
        absent=("out/far.npz", "out/far.ply")),
    Row(name="features-utm-of-floats", kind="A", make=_floats(FEATURES, pretrained_run), status=2,
        says=("far.npy", "where float32 steps by 0.031 m"), absent=("out/far.npz",)),
    Row(name="predict-utm-labelled-scene", kind="A", make=_labelled_scene,
        check=_check_labelled_scene),
    Row(name="evaluate-utm", kind="A", make=_evaluated, check=_check_scores),
    Row(name="finetune-scenes-that-lost-digits", kind="A", make=_old_scene, status=2,
        says=("room_1: x reaches 450129", "where float32 steps by 0.031 m",)),
    Row(name="finetune-own-scans-utm", kind="A", make=_finetuned, check=_check_run),
    Row(name="finetune-centimetres", kind="B", make=_centimetres,
        says=("room_1 has points 17 m apart, 85 voxels of 0.2 m", "Are its coordinates in metres")),
]  # fmt: skip
