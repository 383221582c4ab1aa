"""Backbones by path or address; downloads are checked and cached."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urldefrag, urlsplit

from pointcontrast.backbones import Backbone
from pointcontrast.errors import InputError
from pointcontrast.files import read_json, sha256, write_json
from pointcontrast.sparse import EngineName
from pointcontrast.weights.backbone_file import load_backbone
from pointcontrast.weights.backbone_header import BackboneMetadata
from pointcontrast.weights.download import cache_folder, download, fetch_text, locked
from pointcontrast.weights.model_card import read_card_hash

_HASH = re.compile(r"[0-9a-f]{64}")
_RECORD = "source.json"


def from_pretrained(
    path_or_url: str | os.PathLike[str],
    sha256: str | None = None,
    *,
    engine: EngineName = "auto",
    cache: str | os.PathLike[str] | None = None,
) -> tuple[Backbone, BackboneMetadata]:
    """Load a backbone from a file, a run's folder, or an ``http(s)`` address.

    Args:
        path_or_url: Path or address; an address may end in ``#sha256=...``.
        sha256: SHA-256 of the file. An address needs one: here, in the address, or in the model
            card next to the file (the same name with ``.md``), which shows that the file is
            complete, not that its server can be trusted.
        engine: As in :func:`pointcontrast.weights.backbone_file.load_backbone`.
        cache: Folder for downloads; None is ``$POINTCONTRAST_CACHE``, else ``pointcontrast`` in
            ``$XDG_CACHE_HOME``, else ``~/.cache/pointcontrast``. A cached file is used without the
            network, after a check of its hash.

    Returns:
        As :func:`pointcontrast.weights.backbone_file.load_backbone`.

    Raises:
        InputError: As there; or the address does not answer, or the download is incomplete or has
            another hash. A file with a wrong hash is removed from the cache.
    """
    return load_backbone(local_weights(path_or_url, sha256, cache=cache), engine)


def local_weights(
    path_or_url: str | os.PathLike[str],
    sha256: str | None = None,
    *,
    cache: str | os.PathLike[str] | None = None,
) -> Path:
    """Return the path of the weights on this machine, after a download if needed.

    Args:
        path_or_url: As in :func:`from_pretrained`, as are all other arguments.
        sha256: See there.
        cache: See there.

    Raises:
        InputError: As there.
    """
    text = os.fspath(path_or_url)
    if isinstance(path_or_url, str) and text.startswith(("http://", "https://")):
        address, fragment = urldefrag(text)
        in_address = fragment.removeprefix("sha256=") if fragment else None
        if sha256 and in_address and sha256.lower() != in_address.lower():
            raise InputError(f"{text} and the argument {sha256} are different SHA-256; give one")
        return _cached(address, _checked_hash(sha256 or in_address), Path(cache or cache_folder()))
    path = Path(path_or_url)
    if sha256 is not None:
        _check_file(path, _checked_hash(sha256))
    return path


def _checked_hash(value: str | None) -> str | None:
    if value is None:
        return None
    if not _HASH.fullmatch(value.lower()):
        raise InputError(f"sha256 {value!r} must be 64 hexadecimal digits")
    return value.lower()


def _check_file(path: Path, expected: str | None) -> None:
    if not path.is_file():
        raise InputError(f"{path} is not a file; leave sha256 out, or give the file")
    found = sha256(path)
    if found != expected:
        raise InputError(
            f"{path} has the SHA-256 {found}, not {expected}; it is damaged or another file"
        )


def _cached(address: str, expected: str | None, cache: Path) -> Path:
    """Path of an address in the cache, after a download if needed."""
    parts = urlsplit(address)
    name = unquote(PurePosixPath(parts.path).name)
    if not parts.netloc or not re.fullmatch(r"[\w .+=,()-]+\.\w+", name):
        raise InputError(f"{address} must be the address of a file and end in its name")
    folder = cache / "weights" / hashlib.sha256(address.encode()).hexdigest()[:16]
    path, record = folder / name, folder / _RECORD
    with locked(folder):
        if expected is None and record.is_file():
            expected = read_json(record).get("sha256")
        if expected is None:
            expected = _hash_in_card(address)
        if path.is_file():
            if sha256(path) == expected:
                return path
            path.unlink()  # damaged, or another release under the same address
        download(address, path, expected)
        write_json(record, {"address": address, "sha256": expected})
    return path


def _hash_in_card(address: str) -> str:
    card = str(PurePosixPath(urlsplit(address).path).with_suffix(".md"))
    card_address = urlsplit(address)._replace(path=card).geturl()
    try:
        return read_card_hash(fetch_text(card_address), card_address)
    except InputError as error:
        raise InputError(
            f"{address} needs a sha256: give it, or end the address in #sha256=...; the model card "
            f"next to it has none ({error})"
        ) from None
