"""Labelled scans in the forms that programs write: columns, label files, class lists, boxes."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np

from pointcontrast.labelled_scene import read_labelled_scene
from tests.inputs.makers_labelled import (
    CLASS_LINES,
    Truth,
    check_room,
    make,
    ply_columns,
    row,
    save_ply,
    save_text,
    scene_of,
    text_columns,
    truth,
)
from tests.inputs.makers_scans import CLASSES


def _plain(folder: Path, room: Truth) -> None:
    save_text(folder / "room.txt", text_columns(room))


def _cloud_compare_ply(folder: Path, room: Truth) -> None:
    fields = {"scalar_Intensity": np.ones(len(room.labels), "<f4"),
              "scalar_Classification": room.labels.astype("<f4")}  # fmt: skip
    save_ply(folder / "room.ply", {**ply_columns(room), **fields})


def _cloud_compare_text(folder: Path, room: Truth) -> None:
    path = save_text(folder / "room.asc", text_columns(room))
    header = f"//X Y Z R G B Classification\n{len(room.labels)}\n"
    path.write_text(header + path.read_text())


def _csv(folder: Path, room: Truth) -> None:
    save_text(folder / "room.csv", text_columns(room), "x,y,z,red,green,blue,label", ",")


def _german_csv(folder: Path, room: Truth) -> None:
    path = save_text(folder / "room.csv", text_columns(room), "x;y;z;r;g;b;class", ";")
    path.write_text(path.read_text().replace(".", ","))


def _utf16(folder: Path, room: Truth) -> None:
    path = save_text(folder / "room.txt", text_columns(room), "x y z r g b label")
    path.write_text(path.read_text(), encoding="utf-16")


def _packed(folder: Path, room: Truth) -> None:
    path = save_text(folder / "room.txt", text_columns(room), "x y z r g b label")
    (folder / "room.txt.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()


def _npz(folder: Path, room: Truth) -> None:
    np.savez(folder / "room.npz", points=room.points, colors=room.colors / 255, labels=room.labels)


def _npy(folder: Path, room: Truth) -> None:
    np.save(folder / "room.npy", np.stack(text_columns(room), axis=1))


def _pcd(folder: Path, room: Truth) -> None:
    kinds = [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("label", "<u4")]
    table = np.empty(len(room.labels), kinds)
    for axis, name in enumerate("xyz"):
        table[name] = room.points[:, axis]
    table["label"] = room.labels
    count = len(table)
    header = (
        "# .PCD v0.7\nVERSION 0.7\nFIELDS x y z label\nSIZE 4 4 4 4\nTYPE F F F U\nCOUNT 1 1 1 1\n"
        f"WIDTH {count}\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {count}\nDATA binary\n"
    )
    (folder / "room.pcd").write_bytes(header.encode() + table.tobytes())


def save_las(path: Path, room: Truth, labels: Any, offset: Any = 0) -> None:
    import laspy

    header = laspy.LasHeader(point_format=2, version="1.2")
    header.scales, header.offsets = np.full(3, 0.001), np.rint(np.broadcast_to(offset, 3))
    las = laspy.LasData(header)
    las.x, las.y, las.z = (room.points + offset).T
    las.red, las.green, las.blue = room.colors.astype(np.uint16).T * 257
    las.classification = np.asarray(labels, np.uint8)
    las.write(str(path))


ASPRS = {0: 1, 1: 18, 2: 2, 3: 6, 4: 5}  # label of the room -> classification
ASPRS_NAMES = ("ground", "high_vegetation", "building", "high_noise")


def asprs_rows(room: Truth) -> Any:
    rows = {0: -1, 1: 3, 2: 0, 3: 2, 4: 1}
    return np.array([rows[label] for label in room.labels.tolist()], np.int32)


def _las(suffix: str) -> Any:
    def write(folder: Path, room: Truth) -> None:
        save_las(folder / f"room.{suffix}", room, [ASPRS[x] for x in room.labels.tolist()])

    return write


def _check_asprs(folder: Path, said: str) -> None:
    check_room(classes=ASPRS_NAMES, rows=asprs_rows(truth()))(folder, said)


def save_kitti(folder: Path, room: Truth, place: str = "sequences/00") -> None:
    sequence = folder / place
    for name in ("velodyne", "labels"):
        (sequence / name).mkdir(parents=True)
    sweep = np.zeros((len(room.labels) + 5, 4), "<f4")  # five rays that did not return
    sweep[:-5, :3] = room.points
    sweep.tofile(sequence / "velodyne" / "000000.bin")
    objects = np.where(room.labels == 4, 7, 0).astype(np.uint32)
    codes = np.append(objects << 16 | room.labels.astype(np.uint32), np.zeros(5, np.uint32))
    codes.astype("<u4").tofile(sequence / "labels" / "000000.label")
    for name in ("poses.txt", "calib.txt", "times.txt"):
        (sequence / name).write_text("1 0 0 0 0 1 0 0 0 0 1 0\n" * 3)


def _check_kitti(folder: Path, said: str) -> None:
    room, name = truth(), "sequences/00/000000"
    kept = room.points.any(axis=1)  # the corner of the room is at 0 0 0
    scene = scene_of(folder, name)
    np.testing.assert_allclose(scene.coord, room.points[kept], atol=1e-5)
    np.testing.assert_array_equal(scene.semantic, room.rows[kept])
    assert scene.color is None
    np.testing.assert_array_equal(scene.instance, np.where(room.labels == 4, 0, -1)[kept])
    assert "points without a place are left out" in said


KITTI_YAML = """labels:
  0: "unlabeled"
  1: "ceiling"
  2: "floor"
  3: "wall"
  4: "table"
  5: "desk"
learning_map: {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 4}
learning_map_inv: {0: 0, 1: 1, 2: 2, 3: 3, 4: 4}
learning_ignore: {0: true, 1: false, 2: false, 3: false, 4: false}
"""


def _semantic3d(folder: Path, room: Truth) -> None:
    intensity = np.full(len(room.labels), -1200)
    save_text(folder / "room.txt", [*room.points.T, intensity, *room.colors.T])
    (folder / "room.labels").write_text("".join(f"{label}\n" for label in room.labels))


def save_objects(folder: Path, room: Truth, names: dict[int, str]) -> None:
    place = folder / "Area_1" / "room" / "Annotations"
    for label, name in names.items():
        keep = room.labels == label
        save_text(place / f"{name}_1.txt", [*room.points[keep].T, *room.colors[keep].T])


OWN_NAMES = {1: "cable tray", 2: "floor", 3: "pipe_rack", 4: "robot"}


def _objects(folder: Path, room: Truth) -> None:
    save_objects(folder, room, OWN_NAMES)
    first = folder / "Area_1" / "room" / "Annotations" / "robot_1.txt"
    (first.parent / "robot_1 - Copy.txt").write_bytes(first.read_bytes())


def _check_objects(folder: Path, said: str) -> None:
    room, scene = truth(), scene_of(folder, "Area_1/room")
    assert scene.class_names == tuple(sorted(OWN_NAMES.values()))
    assert len(scene) == (room.labels > 0).sum()
    assert scene.semantic is not None
    counts = np.bincount(scene.semantic, minlength=4)
    for label, name in OWN_NAMES.items():
        assert counts[scene.class_names.index(name)] == (room.labels == label).sum()
    assert scene.instance is not None
    assert len(np.unique(scene.instance)) == 4
    assert "robot_1 - Copy.txt is left out" in said


def _words(folder: Path, room: Truth) -> None:
    words = np.array(["", *CLASSES])[room.labels]
    columns = [*room.points.T, words, *room.colors.T]
    save_text(folder / "room.csv", columns, "x,y,z,label,red,green,blue", ",")


def _check_words(folder: Path, said: str) -> None:
    names = tuple(sorted(CLASSES))
    rows = np.array([-1, *(names.index(name) for name in CLASSES)], np.int32)[truth().labels]
    check_room(classes=names, rows=rows)(folder, said)


def _two_columns(folder: Path, room: Truth) -> None:
    save_text(folder / "room.txt", [*text_columns(room), np.arange(len(room.labels)) % 7],
              "x y z r g b label instance")  # fmt: skip


def _check_instances(folder: Path, said: str) -> None:
    check_room()(folder, said)
    scene = scene_of(folder)
    np.testing.assert_array_equal(scene.instance, np.arange(len(scene)) % 7)


def _untitled_two(folder: Path, room: Truth) -> None:
    save_text(folder / "room.txt", [*text_columns(room), np.arange(len(room.labels)) % 7])


def _nan_labels(folder: Path, room: Truth) -> None:
    labels = np.where(room.labels == 0, np.nan, room.labels).astype("<f4")
    save_ply(folder / "room.ply", {**ply_columns(room), "scalar_Label": labels})


TABLE = [3.5, 2.0, 0.4]


def save_boxes(path: Path, **changes: Any) -> None:
    box: dict[str, Any] = {"class": "table", "center": TABLE, "size": [2.0, 1.5, 1.0], "yaw": 0.0}
    path.write_text(json.dumps({"boxes": [{**box, **changes}]}))


def _boxes(folder: Path, room: Truth) -> None:
    _plain(folder, room)
    center = room.points[room.labels == 4].mean(axis=0).tolist()
    save_boxes(folder / "room_boxes.json", center=center, yaw=0.25)


def _check_boxes(folder: Path, _: str) -> None:
    room, scene = truth(), scene_of(folder)
    assert scene.boxes is not None
    center = room.points[room.labels == 4].mean(axis=0)
    np.testing.assert_allclose(scene.boxes, [[*center, 2, 1.5, 1, 0.25, 3]], atol=1e-5)


def _label_cloud(folder: Path, room: Truth) -> None:
    _plain(folder, room)
    x, y, z = room.points[room.labels == 4].mean(axis=0).tolist()
    box = {
        "name": "table",
        "centroid": {"x": x, "y": y, "z": z},
        "dimensions": {"length": 2.0, "width": 1.5, "height": 1.0},
        "rotations": {"x": 0, "y": 0, "z": 90.0},
    }
    content = {"folder": "pointclouds", "filename": "room.ply", "path": "", "objects": [box]}
    (folder / "room.json").write_text(json.dumps(content))


def _check_degrees(folder: Path, said: str) -> None:
    scene = scene_of(folder)
    assert scene.boxes is not None
    np.testing.assert_allclose(scene.boxes[0, 6], np.pi / 2, atol=1e-6)
    assert "are degrees" in said


def _copies(folder: Path, room: Truth) -> None:
    _plain(folder, room)
    for name in ("room - Copy.txt", "room (copy).txt", "room_backup.txt", "room copy.txt"):
        _plain(folder, room)
        (folder / name).write_bytes((folder / "room.txt").read_bytes())


def _check_one(folder: Path, said: str) -> None:
    check_room()(folder, said)
    assert len(list((folder / "out").rglob("coord.npy"))) == 1


def _notes_beside(folder: Path, room: Truth) -> None:
    _plain(folder, room)
    (folder / "README.txt").write_text("Scanned on Monday.\n")
    (folder / "photo.jpg").write_bytes(b"\xff\xd8\xff")


def _one_bad(folder: Path, room: Truth) -> None:
    _plain(folder, room)
    content = (folder / "room.txt").read_text()
    (folder / "attic.txt").write_text(content[: len(content) // 2].rsplit(" ", 1)[0])


def _check_reads(folder: Path, said: str) -> None:
    check_room()(folder, said)
    assert read_labelled_scene(folder / "out" / "room").details["label_counts"]["floor"] > 0


JSON_IDS = '{"1": "ceiling", "2": "floor", "3": "wall", "4": "table", "0": "unlabeled"}'
JSON_NAMES = '{"classes": {"ceiling": 1, "floor": 2, "wall": 3, "table": 4, "void": 0}}'
JSON_OBJECTS = json.dumps([{"id": i + 1, "name": n} for i, n in enumerate(CLASSES)])
NAMES_ALONE = "unlabelled\nceiling\nfloor\nwall\ntable\n"
TITLED = "id,name\n0,unlabelled\n1,ceiling\n2,floor\n3,wall\n4,table\n"
MERGED = "0 unlabelled\n1 surface\n2 surface\n3 surface\n4 table\n"
MERGED_ROWS = np.array([-1, 0, 0, 0, 1], np.int32)

ROWS = [
    row("untitled-text", "H", make(_plain), check=check_room(), 
        says=("labels: column 7, in 1 of 1 scenes", "columns 4 to 6 are taken for colours (a")),
    row("cloudcompare-ply", "H", make(_cloud_compare_ply), check=check_room()),
    row("cloudcompare-ascii", "H", make(_cloud_compare_text), check=check_room()),
    row("csv", "H", make(_csv), check=check_room()),
    row("csv-semicolons-decimal-commas", "N", make(_german_csv), check=check_room()),
    row("text-utf16", "N", make(_utf16), check=check_room()),
    row("text-gzip", "N", make(_packed), check=check_room()),
    row("npz", "H", make(_npz), check=check_room()),
    row("npy", "H", make(_npy), check=check_room()),
    row("pcd", "H", make(_pcd), check=check_room(colors=False)),
    row("las-asprs", "H", make(_las("las"), classes=None), check=_check_asprs,
        says=("ASPRS", "no label")),
    row("laz-asprs", "H", make(_las("laz"), classes=None), check=_check_asprs),
    row("semantickitti", "H", make(save_kitti), check=_check_kitti),
    row("semantickitti-yaml", "H", make(save_kitti, classes=KITTI_YAML, list_name="kitti.yaml"),
        check=_check_kitti, says=("is taken for no label",)),
    row("semantic3d", "H", make(_semantic3d), check=check_room()),
    row("objects-in-files", "E", make(_objects, classes=None), check=_check_objects,
        says=("cable tray", "the names of the objects' files")),
    row("words", "H", make(_words, classes=None), check=_check_words),
    row("instances", "H", make(_two_columns), check=_check_instances),
    row("column-by-number", "H", make(_untitled_two, "--label-field", 7), check=check_room()),
    row("columns-are-listed", "C", make(_untitled_two), status=1,
        says=("has no column of labels", "column 7 (0..4)", "column 8 (0..6)", "--label-field")),
    row("field-that-is-absent", "C", make(_cloud_compare_ply, "--label-field", "class"), status=1,
        says=("has no column 'class'", "scalar_Classification (0..4)")),
    row("field-by-its-cloudcompare-name", "H",
        make(_cloud_compare_ply, "--label-field", "classification"), check=check_room()),
    row("nan-is-no-label", "C", make(_nan_labels), check=check_room(),
        says=("points without a value of scalar_Label have no label",)),
    row("class-list-json-ids", "H", make(_plain, classes=JSON_IDS, list_name="c.json"),
        check=check_room()),
    row("class-list-json-names", "H", make(_plain, classes=JSON_NAMES, list_name="c.json"),
        check=check_room()),
    row("class-list-json-objects", "H",
        make(_plain, "--unlabelled", 0, classes=JSON_OBJECTS, list_name="c.json"),
        check=check_room()),
    row("class-list-names-alone", "H", make(_plain, classes=NAMES_ALONE), check=check_room()),
    row("class-list-csv-with-title", "H", make(_plain, classes=TITLED, list_name="c.csv"),
        check=check_room()),
    row("class-list-byte-order-mark", "N", make(_plain, classes="\ufeff" + CLASS_LINES),
        check=check_room()),
    row("class-list-merges", "H", make(_plain, classes=MERGED),
        check=lambda folder, said: check_room(
            classes=("surface", "table"), rows=MERGED_ROWS[truth().labels])(folder, said)),
    row("class-list-absent", "G", make(_plain, classes=None), status=2,
        says=("its labels (column 7) are the numbers 0 (", "--classes FILE")),
    row("class-list-twice", "F", make(_plain, classes="1 wall\n1 floor\n"), status=2,
        says=("names the label 1 twice",)),
    row("class-list-mixed", "G", make(_plain, classes="1 wall\nfloor\n2 door\n"), status=2,
        says=("'floor' has no label",)),
    row("class-list-empty", "C", make(_plain, classes="\n"), status=2, says=("is empty",)),
    row("class-list-broken-json", "G", make(_plain, classes="{", list_name="c.json"), status=2,
        says=("c.json is not valid JSON",)),
    row("class-list-that-is-none", "G", make(_plain, classes='{"a": {}}', list_name="c.json"),
        status=2, says=("is no list of classes",)),
    row("boxes", "H", make(_boxes), check=_check_boxes, says=("boxes",)),
    row("boxes-labelcloud", "B", make(_label_cloud), check=_check_degrees),
    row("copies", "E", make(_copies), check=_check_one,
        says=("room - Copy.txt: its name is that of a copy", "room_backup.txt")),
    row("notes-beside", "D", make(_notes_beside), check=_check_one,
        says=("README.txt: no line of it starts with three numbers", "photo.jpg")),
    row("one-bad-scan", "D", make(_one_bad), status=1, absent=("out/attic",), check=_check_reads,
        says=("attic", "cut short")),
]  # fmt: skip
