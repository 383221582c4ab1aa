"""ScanNet and Synthia4D as people have them: saved again, copied, in part, broken."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from plyfile import PlyData, PlyElement

from tests.helpers.repository import REPOSITORY
from tests.inputs.makers_releases import (
    CONVERT_SCANNET,
    CONVERT_SYNTHIA,
    FRAMES,
    SCANS,
    SEQUENCE,
    grid_mesh,
    made,
    made_names,
    mesh_colors,
    scannet,
    synthia,
    write_frame,
)
from tests.inputs.row import Row

Change = Callable[[Path], object]


def scans(
    change: Change, *options: object, where: str = "scans"
) -> Callable[[Path], Sequence[object]]:
    """Three scans, the first changed: a function of its folder."""

    def make(folder: Path) -> Sequence[object]:
        change(scannet(folder))
        return [*CONVERT_SCANNET, *options]

    return make


def of(scan: Path, ending: str) -> Path:
    return scan / f"{scan.name}{ending}"


def as_the_others(folder: Path, _: str) -> None:
    assert made_names(folder) == sorted(SCANS)
    first, second = made(folder, SCANS[0]), made(folder, SCANS[1])
    assert first.arrays().keys() == second.arrays().keys()
    for name, array in second.arrays().items():
        np.testing.assert_allclose(first.arrays()[name], array, atol=1e-5, err_msg=name)


def others_are_made(folder: Path, said: str) -> None:
    assert made_names(folder) == sorted(SCANS[1:])
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, said
    assert errors[0].startswith(f"error: {SCANS[0]}: "), said


def saved_again(
    form: str, faces: str = "uchar uint vertex_indices", color: str = "uchar"
) -> Change:
    """The mesh as another program writes it, in ASCII, with doubles and normals."""

    def change(scan: Path) -> None:
        vertices, triangles = grid_mesh()
        colors = mesh_colors(len(vertices)) / (255.0 if color == "float" else 1)
        kinds = [*(["double"] * 6), *([color] * 3)]
        names = ["x", "y", "z", "nx", "ny", "nz", "red", "green", "blue"]
        header = [
            "ply", "format ascii 1.0", f"comment Created by {form}",
            f"element vertex {len(vertices)}",
            *(f"property {kind} {name}" for kind, name in zip(kinds, names, strict=True)),
            f"element face {len(triangles)}", f"property list {faces}", "end_header",
        ]  # fmt: skip
        lines = [
            f"{x:.9g} {y:.9g} {z:.9g} 0 0 1 {r:g} {g:g} {b:g}"
            for (x, y, z), (r, g, b) in zip(vertices.tolist(), colors.tolist(), strict=True)
        ]
        lines += [f"3 {a} {b} {c}" for a, b, c in triangles.tolist()]
        of(scan, "_vh_clean_2.ply").write_text("\n".join([*header, *lines]) + "\n")

    return change


def labels_as(values: Callable[[np.ndarray], np.ndarray], kind: str) -> Change:
    """The labels in another type of number."""

    def change(scan: Path) -> None:
        path = of(scan, "_vh_clean_2.labels.ply")
        vertices = PlyData.read(path)["vertex"].data
        rows = np.zeros(len(vertices), dtype=[*((a, "f4") for a in "xyz"), ("label", kind)])
        for axis in "xyz":
            rows[axis] = vertices[axis]
        rows["label"] = values(vertices["label"].astype(float))
        PlyData([PlyElement.describe(rows, "vertex")]).write(str(path))

    return change


def moved(scale: float, shift: Sequence[float] = (0, 0, 0)) -> Change:
    """Both meshes in another unit or place, in doubles."""

    def change(scan: Path) -> None:
        for ending in ("_vh_clean_2.ply", "_vh_clean_2.labels.ply"):
            ply = PlyData.read(of(scan, ending))
            old = ply["vertex"].data
            kinds = [(name, "f8" if name in "xyz" else old.dtype[name]) for name in old.dtype.names]
            rows = np.zeros(len(old), dtype=kinds)
            for name in old.dtype.names:
                rows[name] = old[name]
            for axis, offset in zip("xyz", shift, strict=True):
                rows[axis] = old[axis].astype(float) * scale + offset
            elements = [PlyElement.describe(rows, "vertex"), ply["face"]]
            PlyData(elements).write(str(of(scan, ending)))

    return change


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_scans(where: str) -> Callable[[Path], Sequence[object]]:
    """Scans of the hidden test set, without labels."""

    def make(folder: Path) -> Sequence[object]:
        for name in ("scene0707_00", "scene0708_00"):
            scan = scannet(folder, (name,), where)
            for ending in ("_vh_clean_2.labels.ply", ".aggregation.json",
                           "_vh_clean_2.0.010000.segs.json"):  # fmt: skip
                of(scan, ending).unlink()
        return [*CONVERT_SCANNET, "--split", "test"]

    return make


def shared_case(folder: Path) -> Sequence[object]:
    shutil.copytree(REPOSITORY.parent / "shared" / "cases" / "scannet-ascii-ply", folder / "raw")
    return CONVERT_SCANNET


def frames(change: Change) -> Callable[[Path], Sequence[object]]:
    """Three frames of a street; a function changes the folder of the points."""

    def make(folder: Path) -> Sequence[object]:
        change(synthia(folder))
        return CONVERT_SYNTHIA

    return make


def other_color(scale: float, kind: str) -> Change:
    def change(points: Path) -> None:
        for frame in FRAMES:
            rows = PlyData.read(points / f"{frame}.ply")["vertex"].data
            coord = np.stack([rows[axis] for axis in "xyz"], axis=1)
            color = np.stack([rows[name] for name in ("red", "green", "blue")], axis=1)
            write_frame(points / f"{frame}.ply", coord, color.astype(float) * scale, kind)

    return change


def true_colors(folder: Path, _: str) -> None:
    assert made_names(folder) == [f"{SEQUENCE}/{frame}" for frame in FRAMES]
    rng = np.random.default_rng(0)
    rng.uniform(0, 3000, (200, 3))
    scene = made(folder, f"{SEQUENCE}/{FRAMES[0]}")
    np.testing.assert_array_equal(scene.color, rng.integers(0, 256, (200, 3)))


def other_labels(points: Path, value: float) -> None:
    rows = np.full(200, value, dtype=[("label", "f4")])
    PlyData([PlyElement.describe(rows, "vertex")]).write(str(points / "000000_label.ply"))


def other_frames(folder: Path, said: str) -> None:
    assert made_names(folder) == [f"{SEQUENCE}/{frame}" for frame in FRAMES[1:]]
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, said
    assert errors[0].startswith(f"error: {SEQUENCE}/000000: "), said


BROKEN: dict[str, tuple[Change, str]] = {
    "cut-mesh": (lambda scan: half(of(scan, "_vh_clean_2.ply")), "is not a whole PLY file"),
    "no-labels": (
        lambda scan: [
            of(scan, ending).unlink() for ending in
            ("_vh_clean_2.labels.ply", ".aggregation.json", "_vh_clean_2.0.010000.segs.json")
        ],
        "has no labels: download scene0000_00_vh_clean_2.labels.ply",
    ),
    "fractional-labels": (labels_as(lambda labels: labels + 0.6, "f4"), "has the label 5.6"),
    "millimetres": (moved(1000.0), "4e+03 m across"),
}  # fmt: skip
"""Damage of one scan of three: what is done, and what the one line says."""

ROWS = [
    *(
        Row(
            name=f"scannet-scan-with-{name}", kind={"fractional-labels": "B", "millimetres": "B",
            "no-labels": "C"}.get(name, "D"), make=scans(change), status=1, says=(words,),
            check=others_are_made,
        )
        for name, (change, words) in BROKEN.items()
    ),
    Row(
        name="scannet-ascii-of-open3d", kind="G", make=scans(saved_again("Open3D")),
        check=as_the_others, source="ScanNet/ScanNet issues 103, 105",
    ),
    Row(
        name="scannet-ascii-of-meshlab", kind="G",
        make=scans(saved_again("MeshLab", "uchar int vertex_indices")), check=as_the_others,
    ),
    Row(
        name="scannet-ascii-with-colours-of-0-to-1", kind="B",
        make=scans(saved_again("somebody", color="float")), check=as_the_others,
    ),
    Row(
        name="scannet-labels-as-floats", kind="B",
        make=scans(labels_as(lambda labels: labels, "f4")), check=as_the_others,
    ),
    Row(
        name="scannet-test-scans", kind="G", make=test_scans("scans_test"),
        check=lambda folder, _: _unlabelled(folder),
    ),
    Row(
        name="scannet-test-scans-among-the-others", kind="G", make=test_scans("scans"),
        check=lambda folder, _: _unlabelled(folder),
    ),
    Row(
        name="scannet-copied-scan", kind="E",
        make=scans(lambda scan: shutil.copytree(scan, scan.with_name("scene0000_00 (copy)"))),
        says=("left out: scans/scene0000_00 (copy)", "3 scenes"), check=as_the_others,
    ),
    Row(
        name="scannet-endings-in-upper-case", kind="E",
        make=scans(lambda scan: [
            path.rename(path.with_suffix(path.suffix.upper())) for path in sorted(scan.iterdir())
        ]),
        check=as_the_others,
    ),
    Row(
        name="scannet-objects-of-some-scans", kind="C",
        make=scans(lambda scan: [
            of(scan, ending).unlink()
            for ending in (".aggregation.json", "_vh_clean_2.0.010000.segs.json")
        ]),
        says=("2 of 3 scenes have objects and boxes; 1 (scene0000_00) have none of",),
    ),
    Row(
        name="scannet-stated-millimetres", kind="B",
        make=scans(lambda scan: [moved(1000.0)(scan.with_name(n)) for n in SCANS], "--unit", 0.001),
        check=lambda folder, _: np.testing.assert_allclose(
            np.ptp(made(folder, SCANS[0]).coord, axis=0)[:2], (4, 3), atol=1e-4
        ),
    ),
    Row(
        name="scannet-georeferenced", kind="A", make=scans(moved(1.0, (450_000, 5_200_000, 300))),
        check=lambda folder, _: _at_utm(folder),
    ),
    Row(
        name="synthia-colours-of-0-to-1", kind="B", make=frames(other_color(1 / 255, "f4")),
        check=true_colors,
    ),
    Row(
        name="synthia-colours-of-16-bits", kind="B", make=frames(other_color(257, "u2")),
        check=true_colors,
    ),
    Row(
        name="synthia-fractional-labels", kind="B", make=frames(lambda p: other_labels(p, 5.6)),
        status=1, says=("has the label 5.6",), check=other_frames,
    ),
    Row(
        name="synthia-in-metres", kind="B", make=frames(lambda points: write_frame(
            points / "000000.ply", np.random.default_rng(1).uniform(0, 30, (200, 3)),
            np.zeros((200, 3)),
        )),
        status=1, says=("m across, not 2 to 5000 m", "--unit 1 (metres)"), check=other_frames,
    ),
    Row(
        name="synthia-copied-frames", kind="E", make=frames(lambda points: [
            shutil.copy(points / "000000.ply", points / name)
            for name in ("000000 (copy).ply", "000000.ply~", "000000 - Copy.ply", ".DS_Store")
        ]),
        says=(
            f"left out: {SEQUENCE}/point_clouds/000000 (copy).ply",
            f"left out: {SEQUENCE}/point_clouds/000000.ply~", "3 scenes",
        ),
        check=true_colors,
    ),
    Row(
        name="synthia-names-in-upper-case", kind="E",
        make=frames(lambda points: [
            path.rename(path.with_name(path.name.upper())) for path in sorted(points.iterdir())
        ]),
        check=true_colors,
    ),
    Row(
        name="synthia-frame-without-labels", kind="C",
        make=frames(lambda points: (points / "000000_label.ply").unlink()), status=1,
        says=("has no labels and",), check=other_frames,
    ),
    Row(
        name="synthia-cut-frame", kind="D", make=frames(lambda points: half(points / "000000.ply")),
        status=1, says=("is not a whole PLY file",), check=other_frames,
    ),
]  # fmt: skip

if (REPOSITORY.parent / "shared" / "cases" / "scannet-ascii-ply").is_dir():
    ROWS.append(
        Row(
            name="scannet-shared-case-of-ascii", kind="G", make=shared_case,
            check=lambda folder, _: _shared_case(folder),
            source="ScanNet/ScanNet issues 103, 105",
        )
    )  # fmt: skip


def _shared_case(folder: Path) -> None:
    scene = made(folder, "scene0000_00")
    assert scene.semantic is not None
    assert len(scene) == 400
    assert scene.color is not None
    assert scene.color[:3].tolist() == [[100, 0, 0], [100, 1, 0], [100, 2, 0]]


def _unlabelled(folder: Path) -> None:
    assert made_names(folder) == ["scene0707_00", "scene0708_00"]
    assert made(folder, "scene0707_00").semantic is None


def _at_utm(folder: Path) -> None:
    first, second = made(folder, SCANS[0]), made(folder, SCANS[1])
    shift = np.array([450_000, 5_200_000, 300])
    np.testing.assert_allclose(first.coord + first.origin - shift, second.coord, atol=1e-4)
    assert first.boxes is not None
    assert second.boxes is not None
    np.testing.assert_allclose(
        first.boxes[:, :3] + first.origin - shift, second.boxes[:, :3], atol=1e-3
    )
