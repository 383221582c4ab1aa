"""S3DIS as people have it: copies, other units and colours, georeferenced, broken rooms."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tests.inputs.makers_releases import CONVERT_S3DIS, ROOMS, made, made_names, s3dis
from tests.inputs.row import Row

Change = Callable[[Path], object]

UTM = np.array([450_000.0, 5_200_000.0, 300.0])
COPIES = (
    "ceiling_1 - Copy.txt", "ceiling_1 (copy).txt", "ceiling_1 copy.txt", "Copy of ceiling_1.txt",
    "ceiling_1 (1).txt", "ceiling_1_backup.txt", "ceiling_1.orig", "ceiling_1.txt~",
    "ceiling_1.bak", "ceiling_1.txt.bak", "#ceiling_1.txt#",
)  # fmt: skip
"""Names that GNOME, Windows, macOS and editors give to copies."""


def changed(change: Change, *options: object) -> Callable[[Path], Sequence[object]]:
    """Three rooms, the first changed: a function of its folder."""

    def make(folder: Path) -> Sequence[object]:
        change(s3dis(folder))
        return [*CONVERT_S3DIS, *options]

    return make


def lines_of(room: Path) -> list[Path]:
    return sorted((room / "Annotations").iterdir())


def rewritten(edit: Callable[[list[float]], Sequence[object]], form: str) -> Change:
    """Each line of the first room's annotations as numbers, edited and formatted."""

    def change(room: Path) -> None:
        for path in lines_of(room):
            rows = [list(map(float, line.split())) for line in path.read_text().splitlines()]
            path.write_text("".join(form % tuple(edit(row)) + "\n" for row in rows))

    return change


def num_points(room: Path) -> int:
    return sum(path.read_text().count("\n") for path in (room / "Annotations").glob("*_1.txt"))


def as_the_others(folder: Path, _: str) -> None:
    """All three rooms are made, and the first is as the second, which is the same room."""
    assert made_names(folder) == [f"Area_1/{room}" for room in ROOMS]
    first, second = (made(folder, f"Area_1/{room}") for room in ROOMS[:2])
    for name, array in second.arrays().items():
        np.testing.assert_allclose(first.arrays()[name], array, atol=1e-5, err_msg=name)


def others_are_made(folder: Path, said: str) -> None:
    assert made_names(folder) == ["Area_1/office_2", "Area_1/office_3"]
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, said
    assert errors[0].startswith("error: Area_1/office_1: "), said


def copied_to(name: str) -> Change:
    return lambda room: shutil.copy(room / "Annotations/ceiling_1.txt", room / "Annotations" / name)


def at_utm(folder: Path, _: str) -> None:
    first, second = (made(folder, f"Area_1/{room}") for room in ROOMS[:2])
    np.testing.assert_allclose(
        first.coord + first.origin - UTM, second.coord + second.origin, atol=2e-3
    )
    assert first.origin.any()
    assert (first.origin % 1 == 0).all()


def scaled(factor: float, form: str) -> Change:
    """The first room in another unit."""
    return rewritten(
        lambda row: [*(factor * value for value in row[:3]), *row[3:]], f"{form} %d %d %d"
    )


georeferenced = rewritten(
    lambda row: [*(np.array(row[:3]) + UTM), *row[3:]], "%.3f %.3f %.3f %d %d %d"
)
bright = rewritten(
    lambda row: [*row[:3], *(value / 255 for value in row[3:])], "%.3f %.3f %.3f %.6f %.6f %.6f"
)


DAMAGES: dict[str, tuple[Change, str]] = {
    "no-annotations": (lambda room: shutil.rmtree(room / "Annotations"), "has no annotations"),
    "arrays-of-pointcept": (
        lambda room: (shutil.rmtree(room / "Annotations"), np.save(room / "coord.npy", UTM)),
        "has arrays and no Annotations",
    ),
    "folder-as-annotation": (
        lambda room: (room / "Annotations/chair_1.txt").mkdir(), "chair_1.txt: Is a directory",
    ),
}  # fmt: skip
"""Damage of one room of three: what is done, and what the one line says."""

ROWS = [
    Row(
        name="s3dis-copies-of-an-annotation", kind="E",
        make=changed(lambda room: [copied_to(name)(room) for name in COPIES]),
        says=tuple(f"{name} is left out" for name in COPIES), check=as_the_others,
    ),
    *(
        Row(
            name=f"s3dis-copy-{number}-of-an-annotation", kind="E", make=changed(copied_to(name)),
            says=(f"{name} is left out as a copy of ceiling_1.txt",), check=as_the_others,
        )
        for number, name in enumerate(COPIES[:3])
    ),
    *(
        Row(
            name=f"s3dis-room-with-{name}", kind="D", make=changed(change), status=1,
            says=(words,), check=others_are_made,
        )
        for name, (change, words) in DAMAGES.items()
    ),
    Row(
        name="s3dis-files-of-the-operating-system", kind="E",
        make=changed(lambda room: [
            (room / "Annotations" / name).write_bytes(b"\0\5\26\7")
            for name in (".DS_Store", "._ceiling_1.txt", "Thumbs.db", "desktop.ini")
        ]),
        check=as_the_others,
    ),
    Row(
        name="s3dis-annotations-in-upper-case", kind="E",
        make=changed(lambda room: [p.rename(p.with_name(p.name.upper())) for p in lines_of(room)]),
        check=as_the_others,
    ),
    Row(
        name="s3dis-copied-room", kind="E",
        make=changed(lambda room: shutil.copytree(room, room.with_name("office_1 (copy)"))),
        says=("left out: Area_1/office_1 (copy)", "3 scenes"), check=as_the_others,
    ),
    Row(
        name="s3dis-copied-area", kind="E",
        make=changed(lambda room: shutil.copytree(room.parent, room.parents[1] / "Area_1 - Copy")),
        says=("left out: Area_1 - Copy", "3 scenes"), check=as_the_others,
    ),
    Row(
        name="s3dis-colours-of-0-to-1", kind="B", make=changed(bright),
        says=("colours are 0..1",), check=as_the_others,
    ),
    Row(
        name="s3dis-in-millimetres", kind="B", make=changed(scaled(1000, "%d %d %d")), status=1,
        says=("office_1 is 6e+03 m across", "--unit 0.001 (millimetres)"), check=others_are_made,
    ),
    Row(
        name="s3dis-in-centimetres", kind="B", make=changed(scaled(100, "%.1f %.1f %.1f")),
        status=1, says=("600 m across", "--unit 0.01 (centimetres)"), check=others_are_made,
    ),
    Row(
        name="s3dis-in-stated-millimetres", kind="B",
        make=changed(lambda room: [
            scaled(1000, "%d %d %d")(room.with_name(name)) for name in ROOMS
        ], "--unit", 0.001),
        check=lambda folder, _: np.testing.assert_allclose(
            np.ptp(made(folder, "Area_1/office_1").coord, axis=0), (6, 4, 2.6), atol=1e-3
        ),
    ),
    Row(
        name="s3dis-unit-of-zero", kind="B", make=changed(lambda room: None, "--unit", 0), status=2,
        says=("--unit 0.0 must be the metres per unit",), absent=("out",),
    ),
    Row(
        name="s3dis-georeferenced", kind="A", make=changed(georeferenced), check=at_utm,
    ),
]  # fmt: skip
