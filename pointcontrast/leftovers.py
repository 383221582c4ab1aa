"""The hidden temporary names that a killed process leaves of ``pointcontrast.files``' writers."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

# .NAME.RANDOM.partial and .old of a folder; .STEM.RANDOM.partial.SUFFIX of a file. Matched whole:
# the leftovers of the scene "a.b" must not be taken for those of "a".
_LEFTOVER = re.compile(r"\.(?P<name>.+)\.[a-z0-9_]{8}\.(?:partial(?P<suffix>\.[^.]+)?|old)")


def leftover_of(path: Path) -> Path | None:
    """The file or folder that ``path`` was to become, or was; None if it is no leftover."""
    match = _LEFTOVER.fullmatch(path.name)
    return match and path.with_name(match["name"] + (match["suffix"] or ""))


def sweep_leftovers(wanted: Iterable[Path]) -> None:
    """Remove what is left of the attempts to write these files and folders.

    Nobody may be writing them now.
    """
    targets = set(wanted)
    for folder in {target.parent for target in targets}:
        for path in folder.iterdir() if folder.is_dir() else ():
            if leftover_of(path) in targets:
                remove(path)


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
