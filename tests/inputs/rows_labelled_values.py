"""Labelled scans whose values matter: far places, units, colours, absent labels."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pointcontrast.labelled_scene import (
    LabelledScene,
    read_labelled_scene,
    write_labelled_scene,
)
from tests.helpers.repository import REPOSITORY
from tests.inputs.makers_labelled import (
    CLASS_LINES,
    LABELLED,
    UTM,
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
from tests.inputs.makers_scans import CLASSES, write_s3dis_room
from tests.inputs.row import DATASETS, Row
from tests.inputs.rows_labelled_forms import (
    ASPRS,
    ASPRS_NAMES,
    OWN_NAMES,
    asprs_rows,
    save_boxes,
    save_kitti,
    save_las,
    save_objects,
)


def _text(offset: Any = 0, scale: float = 1, **columns: Any) -> Callable[[Path, Truth], None]:
    def write(folder: Path, room: Truth) -> None:
        places = (room.points + offset) * scale
        rest = columns.get("rest", lambda room: [*room.colors.T, room.labels])(room)
        save_text(folder / "room.txt", [*places.T, *rest])

    return write


def _doubles(folder: Path, room: Truth) -> None:
    save_ply(folder / "room.ply", {**ply_columns(room, "<f8", UTM), "label": room.labels})


def _floats(folder: Path, room: Truth) -> None:
    save_ply(folder / "room.ply", {**ply_columns(room, "<f4", UTM), "label": room.labels})


def _las(folder: Path, room: Truth) -> None:
    save_las(folder / "room.las", room, [ASPRS[x] for x in room.labels.tolist()], UTM)


def _npz(folder: Path, room: Truth) -> None:
    np.savez(folder / "room.npz", points=room.points + UTM, colors=room.colors, labels=room.labels)


def _npz_of_floats(folder: Path, room: Truth) -> None:
    points = (room.points + UTM).astype(np.float32)
    np.savez(folder / "room.npz", points=points, colors=room.colors, labels=room.labels)


def _objects(folder: Path, room: Truth) -> None:
    far = Truth(room.points + UTM, room.colors, room.labels)
    save_objects(folder, far, OWN_NAMES)


def _check_objects(folder: Path, _: str) -> None:
    room, scene = truth(), scene_of(folder, "Area_1/room")
    order = np.concatenate([np.flatnonzero(room.labels == x) for x in (1, 2, 3, 4)])
    found = np.round(scene.source_points, 3)
    expected = np.round((room.points + UTM)[order], 3)
    np.testing.assert_allclose(np.unique(found, axis=0), np.unique(expected, axis=0), atol=2e-4)


def _far_boxes(folder: Path, room: Truth) -> None:
    _text(UTM)(folder, room)
    center = room.points[room.labels == 4].mean(axis=0) + UTM
    save_boxes(folder / "room_boxes.json", center=center.tolist())


def _check_far_boxes(folder: Path, said: str) -> None:
    check_room(offset=UTM)(folder, said)
    room, scene = truth(), scene_of(folder)
    assert scene.boxes is not None
    assert np.abs(scene.boxes[:, :3]).max() < 10
    center = room.points[room.labels == 4].mean(axis=0) + UTM
    np.testing.assert_allclose(scene.boxes[0, :3] + scene.origin, center, atol=1e-5)


def _readme(**arrays: Any) -> Callable[[Path], Sequence[object]]:
    """The lines of datasets/README.md on arrays of one's own."""

    def made(folder: Path) -> Sequence[object]:
        room = truth()
        given = {"points": room.points, "colors": room.colors, "labels": room.rows.astype(np.int64)}
        for name, value in (given | {k: change(room) for k, change in arrays.items()}).items():
            np.save(folder / f"{name}.npy", value)
        text = (REPOSITORY / "datasets" / "README.md").read_text()
        code = next(b for b in text.split("```")[1::2] if "write_labelled_scene(" in b)
        names = '("wall", "floor", "robot")'
        assert names in code
        code = code.removeprefix("python\n").replace(names, repr(CLASSES))
        code = code.replace("data/mine_labelled/room_1", "out/room")
        (folder / "mine.py").write_text(code)
        return ["mine.py"]

    return made


def _s3dis(folder: Path) -> Sequence[object]:
    """Two rooms with the same points, one of them in UTM; both by --grid 0.5."""
    for name, offset in (("office_1", np.zeros(3)), ("office_2", UTM)):
        room = folder / "raw" / "Area_1" / name
        write_s3dis_room(room, 0.3)
        for path in (room / "Annotations").glob("*.txt"):
            table = np.loadtxt(path)
            table[:, :3] += offset
            np.savetxt(path, table, fmt=["%.3f"] * 3 + ["%d"] * 3)
    return [DATASETS / "s3dis.py", "rooms", "raw", "--output", "out", "--grid", "0.5",
            "--areas", "1", "--num-workers", "1"]  # fmt: skip


def _check_s3dis(folder: Path, _: str) -> None:
    near, far = (read_labelled_scene(folder / "out" / "Area_1" / f"office_{n}") for n in (1, 2))
    assert not near.origin.any()
    assert len(far) == len(near) > 300
    assert len(np.unique(far.coord, axis=0)) == len(np.unique(near.coord, axis=0))
    np.testing.assert_allclose(far.source_points, near.source_points + UTM, rtol=0, atol=2e-4)
    np.testing.assert_array_equal(far.semantic, near.semantic)


def _cut(folder: Path, room: Truth) -> None:
    save_kitti(folder, room)
    path = folder / "sequences" / "00" / "labels" / "000000.label"
    path.write_bytes(path.read_bytes()[:-8])


def _odd_bytes(folder: Path, room: Truth) -> None:
    save_kitti(folder, room)
    path = folder / "sequences" / "00" / "labels" / "000000.label"
    path.write_bytes(path.read_bytes()[:-3])


def _no_labels(folder: Path, room: Truth) -> None:
    save_text(folder / "room.txt", text_columns(room)[:6])


def _one_of_two(folder: Path, room: Truth) -> None:
    save_text(folder / "room.txt", text_columns(room))
    save_text(folder / "yard.txt", text_columns(room)[:6])


def _all_none(folder: Path, room: Truth) -> None:
    _text(rest=lambda room: [*room.colors.T, np.zeros_like(room.labels)])(folder, room)


def _one_bare(folder: Path, room: Truth) -> None:
    save_text(folder / "room.txt", text_columns(room))
    save_text(folder / "yard.txt", [*text_columns(room)[:6], np.zeros_like(room.labels)])


def _boxed(**changes: Any) -> Callable[[Path, Truth], None]:
    def write(folder: Path, room: Truth) -> None:
        save_text(folder / "room.txt", text_columns(room))
        center = room.points[room.labels == 4].mean(axis=0).tolist()
        save_boxes(folder / "room.json", **{"center": center, **changes})

    return write


def _two_boxes(folder: Path, room: Truth) -> None:
    _boxed()(folder, room)
    path = folder / "room.json"
    boxes = json.loads(path.read_text())["boxes"]
    path.write_text(json.dumps([*boxes, {**boxes[0], "center": [3.0, 2.0, 20.0]}]))


def _grey(folder: Path, room: Truth) -> None:
    places = {axis: room.points[:, i].astype("<f4") for i, axis in enumerate("xyz")}
    save_ply(folder / "room.ply", {**places, "label": room.labels})


def _check_grey(folder: Path, said: str) -> None:
    check_room(colors=False)(folder, said)
    assert scene_of(folder).color is None


def _with_nan(folder: Path, room: Truth) -> None:
    columns = {**ply_columns(room), "label": room.labels}
    columns["x"] = np.where(np.arange(len(room.labels)) % 3 == 0, np.nan, columns["x"])
    save_ply(folder / "room.ply", columns)


def _check_nan(folder: Path, _: str) -> None:
    room, scene = truth(), scene_of(folder)
    keep = np.arange(len(room.labels)) % 3 != 0
    np.testing.assert_allclose(scene.coord, room.points[keep], atol=1e-5)
    np.testing.assert_array_equal(scene.semantic, room.rows[keep])


def _changed(folder: Path) -> Sequence[object]:
    """A scan that was converted, whose labels were then corrected."""
    from tests.helpers.fork_server import output_of

    command = make(_text())(folder)
    output_of(command, folder)
    path = folder / "scans" / "room.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line[:-1] + "2" for line in lines) + "\n")
    return command


def _check_changed(folder: Path, _: str) -> None:
    assert set(np.unique(np.asarray(scene_of(folder).semantic))) == {1}


def _foreign(folder: Path) -> Sequence[object]:
    command = make(_text())(folder)
    (folder / "out" / "room").mkdir(parents=True)
    (folder / "out" / "room" / "thesis.tex").write_text("mine")
    return command


def _verified(damage: Callable[[Path], None]) -> Callable[[Path], Sequence[object]]:
    def made(folder: Path) -> Sequence[object]:
        room = truth()
        scene = LabelledScene(
            coord=room.points.astype(np.float32), semantic=room.rows, class_names=CLASSES
        )
        write_labelled_scene(folder / "out" / "a", scene)
        write_labelled_scene(folder / "out" / "b", scene)
        damage(folder / "out" / "b")
        return [LABELLED, "verify", "out"]

    return made


def _flip(scene: Path) -> None:
    content = bytearray((scene / "semantic.npy").read_bytes())
    content[-4] ^= 1  # another class
    (scene / "semantic.npy").write_bytes(content)


def _meta(**changes: Any) -> Callable[[Path], None]:
    def damage(scene: Path) -> None:
        meta = json.loads((scene / "meta.json").read_text())
        (scene / "meta.json").write_text(json.dumps({**meta, **changes}))

    return damage


def _fractions(room: Truth) -> list[Any]:
    return [*room.colors.T, room.labels * 1.4]


ROWS: list[Row] = [
    row("utm-text", "A", make(_text(UTM)), check=check_room(offset=UTM)),
    row("utm-ply-of-doubles", "A", make(_doubles), check=check_room(offset=UTM)),
    row("utm-ply-of-floats", "A", make(_floats), status=1,
        says=("room: coord: x reaches 450129 m, where float32 steps", "give float64")),
    row("utm-las", "A", make(_las, classes=None),
        check=lambda folder, said: check_room(
            offset=UTM, classes=ASPRS_NAMES, rows=asprs_rows(truth()))(folder, said)),
    row("utm-npz", "A", make(_npz), check=check_room(offset=UTM)),
    row("utm-npz-of-floats", "A", make(_npz_of_floats), status=1, says=("where float32 steps",)),
    row("utm-objects", "A", make(_objects, classes=None), check=_check_objects),
    row("utm-boxes", "A", make(_far_boxes), check=_check_far_boxes),
    Row(name="readme-lines-utm", kind="A", make=_readme(points=lambda room: room.points + UTM),
        check=check_room(offset=UTM)),
    Row(name="s3dis-utm-by-grid", kind="A", make=_s3dis, check=_check_s3dis),
    Row(name="readme-lines-colours-0-1", kind="B",
        make=_readme(colors=lambda room: room.colors / 255), check=check_room()),
    Row(name="readme-lines-labels-as-floats", kind="B",
        make=_readme(labels=lambda room: room.rows.astype(np.float32)), check=check_room()),
    row("fractional-labels", "B", make(_text(rest=_fractions), "--label-field", 7), status=1,
        says=("column 7 holds 4.2 and so on in", "labels are whole numbers")),
    row("colours-0-1", "B",
        make(_text(rest=lambda room: [*(room.colors / 255).T, room.labels])),
        check=check_room(colors=False), says=("columns 4 to 6 are taken for colours",)),
    row("millimetres", "B", make(_text(scale=1000)), status=1,
        says=("m in size, if its unit is the metre", "--unit 0.001 (millimetres)")),
    row("millimetres-stated", "B", make(_text(scale=1000), "--unit", 0.001), check=check_room()),
    row("centimetres", "B", make(_text(scale=100)), status=1, says=("--unit 0.01 (centimetres)",)),
    row("unit-of-zero", "B", make(_text(), "--unit", 0), status=2, says=("--unit 0.0 must be",)),
    row("label-not-listed", "B", make(_text(), classes="0 none\n1 ceiling\n2 floor\n"), status=1,
        says=("labels 3 (", "4 (", "--unlabelled 3 4")),
    row("yaw-in-degrees", "B", make(_boxed(yaw=90.0)), status=1,
        says=("box 0 has the yaw 90; give radians", "yaw_unit")),
    row("box-without-height", "B", make(_boxed(size=[1.0, 1.0, 0.0])), status=1,
        says=("box 0 has the size 1 x 1 x 0",)),
    row("boxes-in-another-frame", "B", make(_boxed(center=[2000.0, 1000.0, 5.0])), status=1,
        says=("no box holds a point of room.txt",)),
    row("box-of-an-unknown-class", "G", make(_boxed(**{"class": "sofa"})), status=1,
        says=("the class 'sofa' is not in classes.txt",)),
    row("box-without-a-class", "G", make(_boxed(**{"class": None})), status=1,
        says=('box 0 has no "class"',)),
    row("box-centre-of-two-numbers", "G", make(_boxed(center=[1, 2])), status=1,
        says=('box 0: "center" must be 3 finite numbers',)),
    row("box-without-points", "C", make(_two_boxes), check=check_room(),
        says=("1 of 2 boxes hold no point: 1",)),
    row("label-file-too-short", "C", make(_cut), status=1, absent=("out/sequences",),
        says=("000000.label has 1,293 labels, its scan 1,295 points",)),
    row("label-file-of-odd-size", "C", make(_odd_bytes), status=1, absent=("out/sequences",),
        says=("not four (uint32) a point",)),
    row("without-labels", "C", make(_no_labels), status=1,
        says=("has no column of labels", "tools/predict.py")),
    row("one-of-two-without-labels", "C", make(_one_of_two), status=1, absent=("out/yard",),
        check=check_room(), says=("yard.txt has no column of labels",)),
    row("no-point-labelled", "C", make(_all_none), status=1, absent=(),
        says=("no scene has a label",)),
    row("one-scene-without-a-label", "C", make(_one_bare), check=check_room(),
        says=("yard: none of its 1,290 points has a label", "1 scenes have no label at all: yard")),
    row("counts", "C", make(_text()), check=check_room(),
        says=("26 of 1,290 points (2.0 %) have no label", "floor             260       1")),
    row("class-in-no-scene", "C", make(_text(), classes=CLASS_LINES + "9 door\n"),
        says=("no scene has door",)),
    row("without-colours", "C", make(_grey), check=_check_grey),
    row("points-without-a-place", "C", make(_with_nan), check=_check_nan,
        says=("430 points without a place are left out",)),
    row("labels-corrected", "K", _changed, check=_check_changed),
    row("output-holds-other-files", "E", _foreign, status=1, absent=("out/room/coord.npy",),
        says=("holds other files",)),
    row("folder-absent", "G", lambda _: [LABELLED, "scenes", "nowhere", "--output", "out"],
        status=2, says=("nowhere does not exist",)),
    row("folder-without-scans", "C", make(lambda folder, _: (folder / "a.md").write_text("-")),
        status=2, says=("holds no scan",), absent=("out",)),
    row("verify-whole", "C", _verified(lambda _: None), says=("2 of 2 scenes are whole",)),
    row("verify-damaged", "C", _verified(_flip), status=1,
        says=("1 of 2 scenes are whole", "b: ", "semantic.npy is damaged")),
    row("verify-origin", "A", _verified(_meta(origin=[1, 2])), status=1,
        says=("meta.json: origin must be three numbers of metres",)),
]  # fmt: skip
