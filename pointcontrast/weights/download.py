"""Downloads that are resumed when interrupted, and checked by their SHA-256."""

from __future__ import annotations

import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from pointcontrast.errors import InputError
from pointcontrast.files import sha256, sync

ATTEMPTS = 4
TIMEOUT = 30.0
"""Seconds without data after which a connection counts as lost."""
_BLOCK = 1 << 18
_LARGEST_CARD = 1 << 20


def cache_folder() -> Path:
    """Folder of downloads: ``$POINTCONTRAST_CACHE``, or ``pointcontrast`` in the XDG cache."""
    own = os.environ.get("POINTCONTRAST_CACHE")
    if own:
        return Path(own).expanduser()
    xdg = os.environ.get("XDG_CACHE_HOME")
    return (Path(xdg) if xdg else Path.home() / ".cache") / "pointcontrast"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a folder of the cache: the ranks of a run ask for the same file at once."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        import fcntl
    except ModuleNotFoundError:  # on Windows two processes may both download
        yield
        return
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def download(address: str, path: Path, expected: str) -> None:
    """Download a file, and rename it to ``path`` if its SHA-256 is as expected.

    If the connection is lost, the download is resumed; if the process is killed, the next call
    resumes it. A resumed file with a wrong hash is downloaded once more from the start.

    Raises:
        InputError: The address does not answer or does not have the file, the connection is lost
            repeatedly, or the hash is wrong; then there is no file at ``path``.
    """
    partial = path.with_name(f".{path.name}.partial")
    resumed = partial.exists()
    while True:
        _fetch(address, partial)
        found = sha256(partial)
        if found == expected:
            os.replace(partial, path)
            return
        partial.unlink()
        if not resumed:
            raise InputError(
                f"{address} has the SHA-256 {found}, not {expected}; it is another file, or was "
                "damaged in transfer, and was deleted"
            )
        resumed = False


def fetch_text(address: str) -> str:
    """Download a small text, such as a model card.

    Raises:
        InputError: The address does not answer, or its content is not a text.
    """
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT) as response:
            return response.read(_LARGEST_CARD).decode("utf-8")
    except urllib.error.HTTPError as error:
        error.close()
        raise InputError(f"{address}: {error.code} {error.reason}") from None
    except (OSError, http.client.HTTPException, UnicodeDecodeError, ValueError) as error:
        raise InputError(f"{address}: {error}") from None


def _fetch(address: str, partial: Path) -> None:
    """Download the file to ``partial``, resuming what is there."""
    reason: object = ""
    for _ in range(ATTEMPTS):
        try:
            if _fetch_rest(address, partial):
                return
            reason = "the connection was lost"
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416 and partial.exists():  # no bytes after those that are there
                partial.unlink()
                continue
            if error.code < 500:
                raise InputError(
                    f"{address}: {error.code} {error.reason}; check the address"
                ) from None
            reason = f"{error.code} {error.reason}"
        except (OSError, http.client.HTTPException) as error:
            reason = error if not isinstance(error, urllib.error.URLError) else error.reason
            if isinstance(error, OSError) and error.filename is not None:
                raise  # from the disk of this machine
    size = partial.stat().st_size if partial.exists() else 0
    raise InputError(
        f"{address}: {reason}, {ATTEMPTS} times, after {size:,} bytes; run the command again to "
        "resume"
    )


def _fetch_rest(address: str, partial: Path) -> bool:
    """Download over one connection; returns whether the file is complete."""
    have = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(address, headers={"User-Agent": "pointcontrast"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
        resumes = response.status == 206
        have = have if resumes else 0
        length = response.headers.get("Content-Length")
        total = None if length is None else have + int(length)
        with (
            open(partial, "ab" if resumes else "wb") as file,
            tqdm(
                total=total, initial=have, unit="B", unit_scale=True, desc=partial.name[1:-8],
                disable=None,
            ) as bar,
        ):  # fmt: skip
            while block := response.read1(_BLOCK):
                file.write(block)
                bar.update(len(block))
            sync(file)
    return total is None or partial.stat().st_size == total
