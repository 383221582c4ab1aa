"""Atomic writing of files and folders: they appear whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from pointcontrast.errors import NO_ROOM, InputError

# .NAME.RANDOM.partial and .old for a folder; .STEM.RANDOM.partial.SUFFIX for a file. The whole name
# is matched: the leftovers of the scene "a.b" are not those of "a".
_LEFTOVER = re.compile(r"\.(?P<name>.+)\.[a-z0-9_]{8}\.(?:partial(?P<suffix>\.[^.]+)?|old)")

_SHORT_WRITE = re.compile(r"\d+ requested and \d+ written")


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder that becomes ``path`` if the block succeeds.

    The content is flushed to disk before the rename, so that a crash or a full disk leaves the old
    file, or none, but never a part of the new one. The suffix is kept, because libraries such as
    NumPy choose a format by it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
        dir=path.parent, prefix=f".{path.stem}.", suffix=f".partial{path.suffix}"
    )
    os.close(handle)
    partial = Path(name)
    try:
        with errors_name(path, partial):
            yield partial
            partial.chmod(0o666 & ~_umask())  # mkstemp makes private files
            with open(partial, "rb") as file:
                sync(file)
            os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder next to ``path`` that becomes ``path`` if the block succeeds.

    An existing folder of that name is replaced only then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial"))
    try:
        with errors_name(path, partial):
            yield partial
        partial.chmod(0o777 & ~_umask())
        if path.exists():
            old = partial.with_suffix(".old")
            os.replace(path, old)
            try:
                os.replace(partial, path)
            except OSError:
                os.replace(old, path)
                raise
            shutil.rmtree(old)
        else:
            os.replace(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def errors_name(path: Path, partial: Path | None = None) -> Iterator[None]:
    """Have errors of writing in the block name the file or folder ``path``.

    A full disk is noticed when a file is flushed, and Python's error then has no name. NumPy's has
    no reason either ("8676 requested and 2218 written").

    Args:
        path: File or folder that is written.
        partial: Temporary path under which it is written, which means nothing to the user.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None and _SHORT_WRITE.search(str(error)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        if error.filename is None:
            if error.errno in NO_ROOM:
                error.filename = str(path)
        elif partial is not None and Path(os.fsdecode(error.filename)).is_relative_to(partial):
            error.filename = str(path / Path(os.fsdecode(error.filename)).relative_to(partial))
        raise


def leftover_of(path: Path) -> Path | None:
    """Return the file or folder to which the leftover ``path`` belongs; None if it is none."""
    match = _LEFTOVER.fullmatch(path.name)
    return match and path.with_name(match["name"] + (match["suffix"] or ""))


def sweep_leftovers(wanted: Iterable[Path]) -> None:
    """Remove the leftovers of failed attempts to write these files and folders.

    No other process may be writing them.
    """
    targets = set(wanted)
    for folder in {target.parent for target in targets}:
        for path in folder.iterdir() if folder.is_dir() else ():
            if leftover_of(path) in targets:
                remove(path)


def remove(path: Path) -> None:
    """Remove a file, or a folder with its content."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def check_output_folder(folder: Path, option: str = "--output") -> None:
    """Check that a folder can be made or written, before long work whose results go there.

    Args:
        folder: Folder, which need not exist.
        option: Option that named it, for the message.

    Raises:
        InputError: It, or a folder above it, is a file or cannot be written.
    """
    for place in (folder, *folder.absolute().parents):
        if not place.exists():
            continue
        if not place.is_dir():
            raise InputError(f"{option} {folder}: {place} is a file; give a folder")
        if not os.access(place, os.W_OK | os.X_OK):
            raise InputError(
                f"{option} {folder}: {place} cannot be written; give another folder, or check its "
                "permissions"
            )
        return


def sync(file: IO[bytes]) -> None:
    """Flush what was written to ``file`` to the disk."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Flush the names of a folder's files, after renames, to the disk."""
    if os.name == "nt":
        return  # folders cannot be opened there
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256(path: Path) -> str:
    """Return the SHA-256 of the content of a file, in hexadecimal."""
    with open(path, "rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, atomically."""
    with atomic_file(path) as partial:
        partial.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        InputError: The file is absent or is not JSON.
    """
    try:
        return json.loads(path.read_bytes())  # UTF-8 or, as some editors save it, UTF-16
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid JSON ({error}); make it again") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
