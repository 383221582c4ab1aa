"""Downloads that are whole or not there: resumed where they were cut, checked before they count."""

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
"""Seconds without a byte after which a connection counts as cut."""
_BLOCK = 1 << 18
_LARGEST_CARD = 1 << 20


def cache_folder() -> Path:
    """Where downloads are kept: ``$POINTCONTRAST_CACHE``, or the XDG cache's ``pointcontrast``."""
    own = os.environ.get("POINTCONTRAST_CACHE")
    if own:
        return Path(own).expanduser()
    xdg = os.environ.get("XDG_CACHE_HOME")
    return (Path(xdg) if xdg else Path.home() / ".cache") / "pointcontrast"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Have a folder of the cache to oneself: ranks of one run ask for the same file at once."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        import fcntl
    except ModuleNotFoundError:  # not on Windows: there two processes may download twice
        yield
        return
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def download(address: str, path: Path, expected: str) -> None:
    """Download a file, and rename it to ``path`` once its SHA-256 is right.

    Where the connection is cut, the rest is asked for; where the process is killed, the next call
    goes on. What was resumed and comes out wrong is downloaded once more from the start.

    Raises:
        InputError: the address does not answer or does not have the file, the connection is cut
            again and again, or the hash is another; nothing is left under ``path``.
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
                "changed on the way, and was not kept"
            )
        resumed = False


def fetch_text(address: str) -> str:
    """A small text, such as a model card.

    Raises:
        InputError: the address does not answer, or gives something else.
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
    """Have all of the file in ``partial``, going on with what is there."""
    reason: object = ""
    for _ in range(ATTEMPTS):
        try:
            if _fetch_rest(address, partial):
                return
            reason = "the connection was cut"
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416 and partial.exists():  # nothing follows what is there
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
                raise  # of this machine's disk
    size = partial.stat().st_size if partial.exists() else 0
    raise InputError(
        f"{address}: {reason}, {ATTEMPTS} times, after {size:,} bytes; the same command goes on "
        "from there"
    )


def _fetch_rest(address: str, partial: Path) -> bool:
    """One connection's worth; returns whether the end was reached."""
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
