"""Names of the files and folders of a release.

File managers and editors leave copies beside a file: ``wall_1 (copy).txt`` (GNOME), ``wall_1 -
Copy.txt`` (Windows), ``wall_1 copy.txt`` (macOS), ``wall_1.txt~`` and ``#wall_1.txt#`` (editors),
``wall_1.orig``. To read a copy doubles its points, so a converter reads names of the release's
pattern and lists all others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

_OF_THE_SYSTEM = re.compile(
    r"\.DS_Store|\._.*|\.nfs.*|Icon\r|Thumbs\.db|desktop\.ini|__MACOSX", re.I
)
_NUM_LISTED = 20


def is_of_the_system(path: Path) -> bool:
    """Return whether the operating system leaves files of this name in folders."""
    return _OF_THE_SYSTEM.fullmatch(path.name) is not None


def in_any_case(path: Path) -> Path:
    """Return ``path``, or the file beside it whose ending or whole name is in upper case.

    Archives that went through other systems have ``.PLY`` or ``.TXT``. The folder is not listed,
    which would take long where many files are absent.
    """
    if path.exists():
        return path
    name = path.name
    for other in (path.stem + path.suffix.upper(), name.upper(), name.lower()):
        if (found := path.with_name(other)).exists():
            return found
    return path


def others_in(folder: Path, is_proper: Callable[[Path], bool]) -> list[Path]:
    """Return the entries of a folder that are not proper, sorted; none if it does not exist."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if not is_proper(path))


def left_out_lines(root: Path, others: Iterable[Path], pattern: str) -> list[str]:
    """Return lines that list names left out of a conversion.

    Args:
        root: Folder of the release.
        others: Paths below ``root``.
        pattern: Description of proper names, such as ``<room>_<number>``.

    Returns:
        A line per name, at most 20, and one that counts those of the operating system.
    """
    found = list(others)
    strange = [path for path in found if not is_of_the_system(path)]
    lines = [
        f"left out: {path.relative_to(root).as_posix()}: its name is not {pattern}"
        for path in strange[:_NUM_LISTED]
    ]
    if len(strange) > _NUM_LISTED:
        lines.append(f"left out: {len(strange) - _NUM_LISTED} more with other names")
    if system := [path.name for path in found if is_of_the_system(path)]:
        names = ", ".join(sorted({repr(name)[1:-1] for name in system})[:3])
        lines.append(f"left out: {len(system)} files of the operating system, such as {names}")
    return lines
