"""Fingerprints of source files, by which a finished scene is known to be that of its source."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

_WHOLE = 1 << 16  # bytes up to which a file is read whole: all poses and intrinsics
_BLOCK = 1 << 12
_NUM_BLOCKS = 4  # of a larger file
_PREFIX = "contents:"


def fingerprint(files: Iterable[tuple[str, Path]]) -> str:
    """Return a digest of the names, sizes and contents of files.

    Files up to 64 kB are read whole: poses, intrinsics, calibrations, labels. Of larger ones, the
    size and four blocks of 4 kB are taken, among them the first and the last. The last block of a
    PNG or a ZIP archive holds checksums of its whole content. Times are left out: they change when
    a recording is copied.

    Args:
        files: Names and paths in a fixed order. A file that does not exist counts as absent.

    Returns:
        Two SHA-256 in hexadecimal, of all that and of the names and sizes alone.
    """
    contents, names = hashlib.sha256(), hashlib.sha256()
    for name, path in files:
        try:
            with open(path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                starts = [0]
                if size > _WHOLE:
                    starts = [(size - _BLOCK) * i // (_NUM_BLOCKS - 1) for i in range(_NUM_BLOCKS)]
                for start in starts:
                    file.seek(start)
                    contents.update(file.read(_WHOLE if size <= _WHOLE else _BLOCK))
        except FileNotFoundError:
            size = None
        line = f"{name} {size}\n".encode()
        contents.update(line)
        names.update(line)
    return f"{_PREFIX}{contents.hexdigest()}:{names.hexdigest()}"


def is_same_source(stored: object, current: str) -> bool:
    """Compare a stored fingerprint with one of :func:`fingerprint`.

    Scenes of earlier releases hold the digest of the names and sizes alone.
    """
    if str(stored).startswith(_PREFIX):
        return stored == current
    return stored == current.rpartition(":")[2]


def relative_names(files: Sequence[Path], folder: Path) -> Iterable[tuple[str, Path]]:
    """Name files relative to the parent of ``folder``, so that the folder may be moved."""
    base = f"{folder.parent}{os.sep}"
    for path in files:
        name = str(path)
        # faster than relpath(), which is needed for files outside the folder only
        yield name[len(base) :] if name.startswith(base) else os.path.relpath(name, base), path
