"""The list of training pairs.

Follows the authors' ``generate_list.py``: all pairs of views of a scene with an overlap of at
least 0.3. The authors' list is a text file of ``.npz`` names. This one is a Parquet table, which
stays a table wherever the pairs of all scenes are handled at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.files import atomic_file
from pointcontrast.types import OVERLAP_THRESHOLD, Pair

FORMAT_VERSION = 1
PAIRS_FILE = "pairs.parquet"
_SCHEMA = pa.schema(
    [
        pa.field("scene", pa.string(), nullable=False),
        pa.field("view0", pa.int32(), nullable=False),
        pa.field("view1", pa.int32(), nullable=False),
        pa.field("overlap", pa.float32(), nullable=False),
    ]
)
_KEY = b"pointcontrast"
_REDO = "run prepare_pairs again"
_DAMAGE = (pa.ArrowException, OSError, ValueError, KeyError)  # raised by Arrow for damaged files


def choose_pairs(
    overlap: NDArray[np.floating[Any]], threshold: float = OVERLAP_THRESHOLD, scene: str = "."
) -> list[Pair]:
    """Choose the pairs of views of one scene that overlap enough.

    Args:
        overlap: (V, V) symmetric, 0..1 (``pointcontrast.scenes.overlap.overlap_matrix``).
        threshold: Smallest overlap of a pair.
        scene: Folder of the scene, relative to the root of the prepared data.

    Returns:
        Pairs with view0 < view1, sorted.
    """
    return _as_pairs(choose_pair_table(overlap, threshold, scene))


def choose_pair_table(
    overlap: NDArray[np.floating[Any]], threshold: float = OVERLAP_THRESHOLD, scene: str = "."
) -> pa.Table:
    """:func:`choose_pairs` as a table of scene, view0, view1 and overlap."""
    view0, view1 = np.nonzero(np.triu(overlap >= threshold, k=1))
    return pair_table(scene, view0, view1, overlap[view0, view1])


def pair_table(
    scene: str,
    view0: NDArray[np.integer[Any]],
    view1: NDArray[np.integer[Any]],
    overlap: NDArray[np.floating[Any]],
) -> pa.Table:
    """Make a table of the pairs of one scene from arrays of shape (N,)."""
    columns = (np.full(len(view0), scene, object), view0, view1, overlap)
    arrays = [
        pa.array(column, type=field.type) for column, field in zip(columns, _SCHEMA, strict=True)
    ]
    return pa.table(arrays, schema=_SCHEMA)


def write_pairs(
    path: Path, pairs: Sequence[Pair] | pa.Table, settings: Mapping[str, Any] | None = None
) -> None:
    """Write a pair list as Parquet, atomically; the same pairs and settings give the same bytes.

    Args:
        path: File to write.
        pairs: Pairs of one scene or many, or a table of :func:`read_pair_table`.
        settings: Settings that the list was made with, kept in the metadata of the file.
    """
    table = pairs if isinstance(pairs, pa.Table) else _as_table(pairs)
    content = _encode(table, settings or {})  # not by Arrow on disk: a full disk is an OSError
    with atomic_file(path) as partial:
        partial.write_bytes(content)


def read_pairs(path: Path) -> list[Pair]:
    """Read a pair list.

    Raises:
        InputError: Absent, damaged, of another format, or with impossible values.
    """
    return _as_pairs(read_pair_table(path))


def read_pair_table(path: Path) -> pa.Table:
    """:func:`read_pairs` as a table of scene, view0, view1 (int32) and overlap (float32)."""
    table = _read_table(path)
    _check_rows(path, *(table.column(name).to_numpy() for name in _SCHEMA.names[1:]))
    for name in table.column("scene").unique().to_pylist():
        parts = PurePosixPath(name)
        if not name or parts.is_absolute() or ".." in parts.parts:
            raise InputError(f"{path} names the scene {name!r}, which is not a folder below it")
    return table


def read_pair_settings(path: Path) -> dict[str, Any]:
    """Read the settings that a pair list was made with.

    Raises:
        InputError: As :func:`read_pairs`.
    """
    return _settings_of(path, _open(path).schema_arrow)


def _as_pairs(table: pa.Table) -> list[Pair]:
    columns = (table.column(name).to_pylist() for name in _SCHEMA.names)
    return [Pair(*row) for row in zip(*columns, strict=True)]


def _as_table(pairs: Sequence[Pair]) -> pa.Table:
    columns = [
        pa.array([getattr(pair, field.name) for pair in pairs], type=field.type)
        for field in _SCHEMA
    ]
    return pa.table(columns, schema=_SCHEMA)


def has_changed(path: Path) -> bool:
    """Check whether the bytes of a list differ from those that :func:`write_pairs` writes.

    Parquet stores much information twice, and a change in a part that is not read shows only here.
    A file of another version of Arrow may be encoded differently and counts as unchanged.

    Raises:
        InputError: As :func:`read_pairs`.
    """
    again = _encode(read_pair_table(path), read_pair_settings(path))
    by = pq.ParquetFile(BytesIO(again)).metadata.created_by
    return path.read_bytes() != again and _open(path).metadata.created_by == by


def _encode(table: pa.Table, settings: Mapping[str, Any]) -> bytes:
    facts = json.dumps({"format_version": FORMAT_VERSION, "settings": dict(settings)})
    table = table.replace_schema_metadata({_KEY: facts.encode()}).combine_chunks()
    buffer = BytesIO()
    # Uncompressed: compressors may give other bytes on other processors.
    pq.write_table(table, buffer, compression="none", write_page_checksum=True)
    return buffer.getvalue()


def _open(path: Path) -> pq.ParquetFile:
    if not path.exists():
        raise InputError(f"{path} does not exist; run prepare_pairs first")
    content = path.read_bytes()
    try:
        return pq.ParquetFile(BytesIO(content), page_checksum_verification=True)
    except _DAMAGE as error:
        raise InputError(f"{path} is not a pair list ({_first_line(error)}); {_REDO}") from None


def _settings_of(path: Path, schema: pa.Schema) -> dict[str, Any]:
    try:
        facts = json.loads((schema.metadata or {}).get(_KEY, b"{}"))
        version = facts.get("format_version")
        settings = facts.get("settings", {})
    except (ValueError, AttributeError) as error:
        raise InputError(f"{path} is damaged ({_first_line(error)}); {_REDO}") from None
    if version != FORMAT_VERSION or not isinstance(settings, dict):
        raise InputError(
            f"{path} is a pair list of format version {version}, this program reads "
            f"{FORMAT_VERSION}; {_REDO}"
        )
    return settings


def _read_table(path: Path) -> pa.Table:
    file = _open(path)
    _settings_of(path, file.schema_arrow)
    for field in _SCHEMA:
        index = file.schema_arrow.get_field_index(field.name)
        if index < 0 or file.schema_arrow.field(index).type != field.type:
            raise InputError(f"{path} lacks the column {field.name} of type {field.type}")
    try:
        table = file.read(columns=_SCHEMA.names)
        table.validate(full=True)
    except _DAMAGE as error:
        raise InputError(f"{path} is damaged ({_first_line(error)}); {_REDO}") from None
    for name in _SCHEMA.names:
        if table.column(name).null_count:
            raise InputError(f"{path} has empty fields in the column {name}")
    return table


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _check_rows(
    path: Path, view0: NDArray[Any], view1: NDArray[Any], overlap: NDArray[Any]
) -> None:
    for what, good in (
        ("0 <= view0 < view1", (view0 >= 0) & (view0 < view1)),
        ("0 <= overlap <= 1", (overlap >= 0) & (overlap <= 1)),
    ):
        if not good.all():
            row = int(np.argmin(good))
            raise InputError(
                f"{path}: row {row} (view0 {view0[row]}, view1 {view1[row]}, overlap "
                f"{overlap[row]}) breaks {what}; {_REDO}"
            )
