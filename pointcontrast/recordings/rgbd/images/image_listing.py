"""Listing of a recording's image folders, and the colour image of each depth image."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from pointcontrast.errors import InputError
from pointcontrast.recordings.frame_order import numeric_order
from pointcontrast.recordings.rgbd.images.color_images import COLOR_SUFFIXES
from pointcontrast.recordings.rgbd.images.depth_images import DEPTH_SUFFIXES

DEPTH_FOLDERS = ("depth", "depths")
COLOR_FOLDERS = ("images", "image", "color", "colour", "colors", "rgb")
# Windows, macOS, browsers and people
_COPY = re.compile(r"( - Copy( \(\d+\))?| copy( \d+)?| \(\d+\)|_backup|_copy)$", re.IGNORECASE)
_LAST_NUMBER = re.compile(r".*?(\d+)\D*")


def depth_folder(folder: Path) -> Path | None:
    """Return the folder of the depth images, None if there is none."""
    return next((folder / name for name in DEPTH_FOLDERS if (folder / name).is_dir()), None)


def images_in(folder: Path, suffixes: Sequence[str]) -> dict[str, Path]:
    """Return the images of a folder by their names without suffix, in numeric order.

    Left out are hidden files, files with other suffixes, such as ``Thumbs.db``, and copies beside
    their originals, such as ``0001 (1).png`` and ``0001 - Copy.png``. Of several files of one name,
    one is taken (:func:`preferred`).
    """
    found: dict[str, Path] = {}
    for path in folder.iterdir():
        if path.suffix.lower() not in suffixes or path.name.startswith("."):
            continue
        if not path.is_file():
            continue
        found[path.stem] = preferred(path, found.get(path.stem))
    originals = (name for name in found if _COPY.sub("", name) not in found.keys() - {name})
    return {name: found[name] for name in sorted(originals, key=numeric_order)}


def preferred(path: Path, other: Path | None) -> Path:
    """Return the better of two images of one frame: floats before PNG, which may be a picture."""
    return path if other is None else min(path, other, key=_rank)


def _rank(path: Path) -> tuple[int, str]:
    suffix = path.suffix.lower()
    known = DEPTH_SUFFIXES.index(suffix) if suffix in DEPTH_SUFFIXES else len(DEPTH_SUFFIXES)
    return known, path.name


def depth_and_color(folder: Path) -> tuple[dict[str, Path], dict[str, Path], tuple[str, ...]]:
    """List the depth and colour images in the subfolders of a recording.

    Colour images are those in the first of ``COLOR_FOLDERS`` that holds any. They belong to depth
    images of the same name; where no name is the same (``depth_0001.png``, ``rgb_0001.png``), of
    the same last number.

    Returns:
        Depth images by frame, colour images by frame (empty if there are none), each in numeric
        order, and notes on what was taken.

    Raises:
        InputError: No colour image belongs to a depth image.
    """
    found = depth_folder(folder)
    depths = {} if found is None else images_in(found, DEPTH_SUFFIXES)
    there = {name: folder / name for name in COLOR_FOLDERS if (folder / name).is_dir()}
    listed = {name: images_in(path, COLOR_SUFFIXES) for name, path in there.items()}
    filled = [name for name, images in listed.items() if images]
    if not filled or not depths:
        return depths, {}, ()
    colors = listed[filled[0]]
    notes: tuple[str, ...] = ()
    if len(filled) > 1:
        others = ", ".join(f"{name}/" for name in filled[1:])
        notes = (f"{folder}: colours are taken from {filled[0]}/, not from {others}",)
    if not depths.keys() & colors.keys():
        colors = _by_number(depths, colors)
    if not depths.keys() & colors.keys():
        one, other = (next(iter(images.values())).name for images in (colors, depths))
        raise InputError(
            f"{there[filled[0]]}: none of its {len(colors)} images has the name or the number of "
            f"a depth image ({one}, {other}); "
            "give each the name of its depth image, or move the folder away to go without colours"
        )
    return depths, colors, notes


def _by_number(depths: Iterable[str], colors: dict[str, Path]) -> dict[str, Path]:
    """Give colour images the names of depth images with the same last number."""
    numbers = {name: _last_number(name) for name in depths}
    of_number = {_last_number(name): path for name, path in colors.items()}
    if len(set(numbers.values())) < len(numbers) or len(of_number) < len(colors):
        return colors  # numbers repeat: the names stay, and are reported as not matching
    names = {number: name for name, number in numbers.items()}
    return {names.get(number, path.stem): path for number, path in of_number.items()}


def _last_number(name: str) -> int | str:
    match = _LAST_NUMBER.fullmatch(name)
    return int(match[1]) if match else name
