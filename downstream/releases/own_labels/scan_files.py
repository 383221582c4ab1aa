"""Which files of a folder are scans, and what stands beside them.

=============================  =====================================================================
a scan with a label column     ``.ply .pcd .las .laz .npz .npy .txt .asc .csv .xyz .pts .e57``
a scan with a file of labels   ``NAME.label`` (uint32 a point: the class in the lower 16 bits, the
                               object in the upper, as SemanticKITTI has it beside ``NAME.bin``, or
                               in ``labels/`` beside ``velodyne/``), or ``NAME.labels`` (a number a
                               line, as Semantic3D has it beside ``NAME.txt``)
a room of objects              a folder with ``Annotations/CLASS_NUMBER.txt``, as in S3DIS
boxes                          ``NAME.json`` or ``NAME_boxes.json`` beside a scan, ``boxes.json`` in
                               a room's folder
=============================  =====================================================================
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from downstream.releases.file_names import is_of_the_system
from pointcontrast.errors import InputError
from pointcontrast.recordings.file_formats import READERS, format_of
from pointcontrast.recordings.file_formats.text_table import decoded

ANNOTATIONS = "Annotations"

_TEXT = (".txt", ".asc", ".csv", ".xyz", ".xyzn", ".xyzrgb", ".pts")
_MEANS_OTHERWISE = frozenset(["poses", "calib", "times", "calibration", "odometry", "trajectory"])
_COPY = re.compile(
    r"(.+?)(?: ?\((?:copy ?)?\d*\)| - Copy(?: \(\d+\))?| copy(?: \d+)?|_copy|_backup|_bak)", re.I
)
_OBJECT = re.compile(r"(.+)_(\d+)")


@dataclass(frozen=True)
class OwnScan:
    """A scan and the files beside it.

    Attributes:
        name: Name of the scene: its path below the folder, without a suffix.
        path: Its file, or the folder of a room of objects.
        labels: File of its labels, or None where they are a column.
        boxes: File of its boxes, or None.
    """

    name: str
    path: Path
    labels: Path | None = None
    boxes: Path | None = None

    @property
    def files(self) -> list[Path]:
        """All files that determine the scene."""
        points = object_files(self.path)[0] if self.path.is_dir() else [self.path]
        return [*points, *(each for each in (self.labels, self.boxes) if each is not None)]


def find_scans(root: Path, others: Collection[Path] = ()) -> tuple[list[OwnScan], list[str]]:
    """Find the scans at or below a path.

    Args:
        root: Folder, or one file.
        others: Files that are no scans, such as the list of classes.

    Returns:
        Scans, sorted by name, and a line for each file that is left out.

    Raises:
        InputError: There is no scan, or two would have one name.
    """
    if not root.exists():
        raise InputError(f"{root} does not exist")
    base = root if root.is_dir() else root.parent
    not_scans = {path.resolve() for path in others}
    paths, left_out = _search(root, not_scans) if root.is_dir() else ([root], [])
    scans: dict[str, OwnScan] = {}
    for path in paths:
        name = _name(path, base)
        if name in scans:
            raise InputError(
                f"{scans[name].path} and {path} would both be the scene {name}; move one"
            )
        scans[name] = OwnScan(name, path, _labels_of(path), _boxes_of(path))
    if not scans:
        raise InputError(
            f"{root} holds no scan: a file in one of the formats {', '.join(READERS)}, or a folder "
            f"with {ANNOTATIONS}/CLASS_NUMBER.txt"
        )
    return [scans[name] for name in sorted(scans)], left_out


def object_files(room: Path) -> tuple[list[Path], list[Path]]:
    """Find the files of the objects of a room, and those whose names are not CLASS_NUMBER."""
    proper, strange = [], []
    for path in sorted((room / ANNOTATIONS).iterdir()):
        if path.name.startswith(".") or is_of_the_system(path):
            continue
        is_object = path.suffix.lower() == ".txt" and _OBJECT.fullmatch(path.stem)
        (proper if is_object else strange).append(path)
    return proper, strange


def object_class(path: Path) -> str:
    """Return the class that the name of an object's file states."""
    match = _OBJECT.fullmatch(path.stem)
    assert match is not None, "of object_files"
    return match.group(1)


def _search(folder: Path, others: Collection[Path]) -> tuple[list[Path], list[str]]:
    found: list[Path] = []
    left: list[str] = []
    entries = sorted(folder.iterdir())
    if (folder / ANNOTATIONS).is_dir():
        return [folder], []
    names = {path.name for path in entries}
    for path in entries:
        if path.name.startswith(".") or is_of_the_system(path) or path.resolve() in others:
            continue
        copy = _COPY.fullmatch(path.stem)
        if copy is not None and f"{copy.group(1)}{path.suffix}" in names:
            left.append(f"{path}: its name is that of a copy of {copy.group(1)}{path.suffix}")
        elif path.is_dir():
            if not ((path / "coord.npy").exists() and (path / "meta.json").exists()):
                more, notes = _search(path, others)
                found, left = found + more, left + notes
        elif format_of(path) is None:
            if path.suffix.lower() not in (".json", ".label", ".labels", ".yaml", ".yml", ".md"):
                left.append(f"{path}: its format is none that is read")
        elif path.stem.lower() in _MEANS_OTHERWISE:
            left.append(f"{path}: its name is that of a recording's poses or calibration")
        elif path.suffix.lower() in _TEXT and not _has_rows(path):
            left.append(f"{path}: no line of it starts with three numbers")
        else:
            found.append(path)
    return found, left


def _has_rows(path: Path) -> bool:
    """Whether one of the first lines of a text file starts with three numbers."""
    try:
        with open(path, "rb") as file:
            text = decoded(file.read(16_384))
    except OSError:
        return True  # the reader names what is wrong
    for line in text.splitlines():
        words = re.split(r"[\s;,]+", line.strip().strip('"'))
        try:
            if len([float(word) for word in words[:3]]) == 3:
                return True
        except ValueError:
            continue
    return False


def _name(path: Path, base: Path) -> str:
    inside = path.relative_to(base)
    if path.is_dir():
        return inside.as_posix() if inside.parts else path.resolve().name
    packed = inside.suffix.lower() == ".gz"
    stem = Path(inside.stem).stem if packed else inside.stem
    parents = [part for part in inside.parent.parts if part != "velodyne"]
    return "/".join([*parents, stem])


def _labels_of(path: Path) -> Path | None:
    if path.is_dir():
        return None
    stem = path.with_suffix("")
    places = [stem.with_name(f"{stem.name}{suffix}") for suffix in (".label", ".labels")]
    if path.parent.name == "velodyne":
        places.insert(0, path.parent.parent / "labels" / f"{stem.name}.label")
    return next((place for place in places if place.is_file()), None)


def _boxes_of(path: Path) -> Path | None:
    if path.is_dir():
        places = [path / "boxes.json"]
    else:
        stem = path.with_suffix("")
        places = [stem.with_name(f"{stem.name}{end}") for end in ("_boxes.json", ".json")]
    return next((place for place in places if place.is_file()), None)
