"""Tiny raw releases that are right, three items each, in the layouts of the real ones.

Rows start from one of these and damage, copy or rename what their report is about. The commands
work in one process.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from plyfile import PlyData, PlyElement
from scipy.io import savemat

from pointcontrast.labelled_scene import LabelledScene, read_labelled_scene
from tests.inputs.makers_scans import write_s3dis_room
from tests.inputs.row import DATASETS
from tests.releases.scannet.files import label_map_text, write_ply

ROOMS = ("office_1", "office_2", "office_3")
SCANS = ("scene0000_00", "scene0001_00", "scene0002_00")
FRAMES = ("000000", "000001", "000002")
IMAGES = ("000001", "000002", "005051")
MUG, TABLE = "03797390", "04379243"
SEQUENCE = "SYNTHIA-SEQS-05-FOG"
SHAPES = ("aaa", "bbb", "ccc")


def converts(script: str, command: str, *options: object) -> list[object]:
    """The command that converts ``raw`` to ``out`` in one process."""
    return [DATASETS / script, command, "raw", "--output", "out", "--num-workers", "1", *options]


def made(folder: Path, name: str) -> LabelledScene:
    """A scene that the command made."""
    return read_labelled_scene(folder / "out" / name)


def made_names(folder: Path) -> list[str]:
    """Names of all scenes or shape sets that the command made, sorted."""
    out = folder / "out"
    return sorted(path.parent.relative_to(out).as_posix() for path in out.rglob("coord.npy"))


def s3dis(folder: Path, rooms: Sequence[str] = ROOMS) -> Path:
    """Rooms of area 1; return the folder of the first."""
    for room in rooms:
        write_s3dis_room(folder / "raw" / "Area_1" / room, spacing=0.3)
    return folder / "raw" / "Area_1" / rooms[0]


CONVERT_S3DIS = converts("s3dis.py", "rooms", "--areas", 1)


def grid_mesh(size: int = 12) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """A wavy floor of 4 x 3 m: vertices (N, 3) and triangles (T, 3)."""
    x, y = np.meshgrid(np.linspace(0, 4, size), np.linspace(0, 3, size), indexing="ij")
    vertices = np.stack([x, y, 0.1 * np.sin(x + y)], axis=-1).reshape(-1, 3).astype(np.float32)
    corners = np.arange(size * size).reshape(size, size)
    a, b, c, d = (part.ravel() for part in (
        corners[:-1, :-1], corners[1:, :-1], corners[1:, 1:], corners[:-1, 1:],
    ))  # fmt: skip
    triangles = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    return vertices, triangles.astype(np.int32)


def mesh_colors(count: int) -> NDArray[np.uint8]:
    """Colours (N, 3), different for each vertex."""
    number = np.arange(count)
    return np.stack([number % 256, number // 2 % 256, number * 0 + 9], axis=1).astype(np.uint8)


def scannet(folder: Path, scans: Sequence[str] = SCANS, where: str = "scans") -> Path:
    """Scans with labels: a floor (2) with a chair (5) of 20 vertices; return the first folder."""
    vertices, triangles = grid_mesh()
    labels = np.where(np.arange(len(vertices)) < 20, 5, 2)
    for name in scans:
        scan = folder / "raw" / where / name
        scan.mkdir(parents=True)
        stem = str(scan / name)
        write_ply(Path(f"{stem}_vh_clean_2.ply"), vertices, mesh_colors(len(vertices)), triangles)
        path = Path(f"{stem}_vh_clean_2.labels.ply")
        write_ply(path, vertices, mesh_colors(len(vertices)), triangles, labels)
        segments = {"segIndices": labels.tolist()}
        Path(f"{stem}_vh_clean_2.0.010000.segs.json").write_text(json.dumps(segments))
        groups = {"segGroups": [{"objectId": 0, "label": "chair", "segments": [5]}]}
        Path(f"{stem}.aggregation.json").write_text(json.dumps(groups))
        matrix = " ".join(str(number) for number in np.eye(4).ravel())
        Path(f"{stem}.txt").write_text(f"axisAlignment = {matrix}\n")
    (folder / "raw" / "scannetv2-labels.combined.tsv").write_text(label_map_text())
    return folder / "raw" / where / scans[0]


CONVERT_SCANNET = converts("scannet.py", "scenes")


def synthia(folder: Path, frames: Sequence[str] = FRAMES) -> Path:
    """Frames of a street of 30 m, labels in files of their own; return the folder of the points."""
    points = folder / "raw" / SEQUENCE / "point_clouds"
    points.mkdir(parents=True)
    for number, frame in enumerate(frames):
        rng = np.random.default_rng(number)
        coord, color = rng.uniform(0, 3000, (200, 3)), rng.integers(0, 256, (200, 3))
        write_frame(points / f"{frame}.ply", coord, color)
        labels = np.zeros(200, dtype=[("label", "u1")])
        labels["label"] = rng.integers(2, 13, 200)
        PlyData([PlyElement.describe(labels, "vertex")]).write(str(points / f"{frame}_label.ply"))
    split = {"train": {SEQUENCE: list(frames)}, "val": {SEQUENCE: list(frames)}, "test": {}}
    (folder / "split.json").write_text(json.dumps(split))
    return points


def write_frame(path: Path, coord: NDArray, color: NDArray, color_type: str = "u1") -> None:
    """Write points (N, 3) in the file's unit and their colours."""
    names = [(axis, "<f8") for axis in "xyz"]
    names += [(name, color_type) for name in ("red", "green", "blue")]
    rows = np.zeros(len(coord), dtype=names)
    for column, (name, _) in enumerate(names):
        rows[name] = (coord if column < 3 else color)[:, column % 3]
    PlyData([PlyElement.describe(rows, "vertex")]).write(str(path))


CONVERT_SYNTHIA = converts(
    "synthia4d.py", "frames", "--split-file", "split.json", "--split", "train"
)


def shape_lines(first_part: int = 36, count: int = 8) -> list[str]:
    """Lines of a shape with two parts, with normals."""
    rows = [(k / 10, k / 20, (k % 3) / 10, 0, 0, 1, first_part + k % 2) for k in range(count)]
    return [" ".join(f"{value:.6f}" for value in row) for row in rows]


def shapenetpart(folder: Path) -> Path:
    """Three mugs and three tables, one for each split; return the folder of the mugs."""
    raw = folder / "raw"
    (raw / "train_test_split").mkdir(parents=True)
    for synset, first in ((MUG, 36), (TABLE, 47)):
        (raw / synset).mkdir()
        for shape in SHAPES:
            (raw / synset / f"{shape}.txt").write_text("\n".join(shape_lines(first)) + "\n")
    (raw / "synsetoffset2category.txt").write_text(f"Mug\t{MUG}\nTable\t{TABLE}\n")
    for split, shape in zip(("train", "val", "test"), SHAPES, strict=True):
        list_shapes(folder, split, [f"{MUG}/{shape}", f"{TABLE}/{shape}"])
    return raw / MUG


def list_shapes(folder: Path, split: str, names: Sequence[str]) -> None:
    """Write the list of a split, of names ``<synset>/<id>``."""
    path = folder / "raw" / "train_test_split" / f"shuffled_{split}_file_list.json"
    path.write_text(json.dumps([f"shape_data/{name}" for name in names]))


CONVERT_SHAPENETPART = converts("shapenetpart.py", "shapes")


def shapenet(folder: Path) -> Path:
    """Three mugs as meshes, one for each split; return the folder of the category."""
    raw = folder / "raw"
    lines = ["id,synsetId,subSynsetId,modelId,split"]
    for row, (shape, split) in enumerate(zip(SHAPES, ("train", "val", "test"), strict=True)):
        path = raw / MUG / shape / "models" / "model_normalized.obj"
        path.parent.mkdir(parents=True)
        path.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 2 3\nf 1 2 4\nf 1 3 4\nf 2 3 4\n")
        lines.append(f"{row},{int(MUG)},{int(MUG)},{shape},{split}")
    (raw / "all.csv").write_text("\n".join(lines) + "\n")
    return raw / MUG


CONVERT_SHAPENET = converts("shapenet.py", "shapes", "--num-points", 64)


def image_points(number: int, count: int = 1200) -> NDArray[np.float64]:
    """Points and colours (N, 6) of an image; the file is read whole for its fingerprint."""
    rng = np.random.default_rng(number)
    coord = rng.uniform((-2, 1, -1), (2, 4, 1), (count, 3))
    return np.hstack([coord, rng.uniform(0, 1, (count, 3))])


BED = "bed 1 2 30 40 0.5 2.5 0.5 0.5 1 0.5 1 0\n"


def sunrgbd(folder: Path) -> Path:
    """Three images as VoteNet's MATLAB script writes them; return the folder."""
    raw = folder / "raw"
    for name in ("depth", "calib", "label_v1"):
        (raw / name).mkdir(parents=True)
    for image in IMAGES:
        savemat(raw / "depth" / f"{image}.mat", {"instance": image_points(int(image))})
        (raw / "calib" / f"{image}.txt").write_text(
            "1 0 0 0 1 0 0 0 1\n529.5 0 0 0 529.5 0 365 265 1\n"
        )
        (raw / "label_v1" / f"{image}.txt").write_text(BED)
    (raw / "train_data_idx.txt").write_text("5051\n")
    (raw / "val_data_idx.txt").write_text("1\n2\n")
    return raw


def sunrgbd_arrays(folder: Path) -> Path:
    """The same images as VoteNet's prepared arrays; return the folder."""
    for image in IMAGES:
        split = "train" if image == "005051" else "val"
        part = folder / "raw" / f"sunrgbd_pc_bbox_votes_50k_v1_{split}"
        part.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(part / f"{image}_pc.npz", pc=image_points(int(image)))
        np.save(part / f"{image}_bbox.npy", [[0.5, 2.5, 0.5, 1, 0.5, 0.5, 0, 0]])
        np.savez_compressed(part / f"{image}_votes.npz", point_votes=np.zeros((1200, 10)))
    return folder / "raw"


CONVERT_SUNRGBD = converts("sunrgbd.py", "scenes", "--max-points", 0)
