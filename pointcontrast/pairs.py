"""The pair list: which two views of which scene are trained on together.

Follows the authors' ``generate_list.py``: all pairs of views of a scene with an overlap of at
least 0.3. Theirs is a text file of ``.npz`` names; ours a Parquet table.
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
from pointcontrast.types import Pair

FORMAT_VERSION = 1
PAIRS_FILE = "pairs.parquet"
OVERLAP_THRESHOLD = 0.3
_SCHEMA = pa.schema(
    [
        pa.field("scene", pa.string(), nullable=False),
        pa.field("view0", pa.int32(), nullable=False),
        pa.field("view1", pa.int32(), nullable=False),
        pa.field("overlap", pa.float32(), nullable=False),
    ]
)
_KEY = b"pointcontrast"


def choose_pairs(
    overlap: NDArray[np.floating[Any]], threshold: float = OVERLAP_THRESHOLD, scene: str = "."
) -> list[Pair]:
    """Choose the pairs of views of one scene that overlap enough.

    Args:
        overlap: (V, V) symmetric, 0..1 (``pointcontrast.overlap.overlap_matrix``).
        threshold: the smallest overlap that is kept.
        scene: the scene's folder, relative to the root of the prepared data.

    Returns:
        Pairs with view0 < view1, in order.
    """
    view0, view1 = np.nonzero(np.triu(overlap >= threshold, k=1))
    chosen = zip(view0.tolist(), view1.tolist(), overlap[view0, view1].tolist(), strict=True)
    return [Pair(scene, i, j, value) for i, j, value in chosen]


def write_pairs(
    path: Path, pairs: Sequence[Pair], settings: Mapping[str, Any] | None = None
) -> None:
    """Write a pair list as Parquet, atomically.

    Args:
        path: the file.
        pairs: any number of pairs, of one scene or many.
        settings: what they were made with; kept in the file's metadata.
    """
    columns = {
        name: pa.array([getattr(pair, name) for pair in pairs], type=_SCHEMA.field(name).type)
        for name in _SCHEMA.names
    }
    facts = json.dumps({"format_version": FORMAT_VERSION, "settings": dict(settings or {})})
    table = pa.table(columns, schema=_SCHEMA.with_metadata({_KEY: facts.encode()}))
    buffer = BytesIO()  # a full disk then shows as an OSError of ours, not of Arrow's
    pq.write_table(table, buffer)
    with atomic_file(path) as partial:
        partial.write_bytes(buffer.getvalue())


def read_pairs(path: Path) -> list[Pair]:
    """Read a pair list.

    Raises:
        InputError: absent, damaged, of another format, or with values that cannot be.
    """
    table = _read_table(path)
    scene = table.column("scene").to_pylist()
    view0, view1, overlap = (
        table.column(name).to_numpy() for name in ("view0", "view1", "overlap")
    )
    _check_rows(path, view0, view1, overlap)
    for name in set(scene):
        parts = PurePosixPath(name)
        if not name or parts.is_absolute() or ".." in parts.parts:
            raise InputError(f"{path} names the scene {name!r}, which is not a folder below it")
    return [
        Pair(*row)
        for row in zip(scene, view0.tolist(), view1.tolist(), overlap.tolist(), strict=True)
    ]


def read_pair_settings(path: Path) -> dict[str, Any]:
    """Read what a pair list was made with.

    Raises:
        InputError: as :func:`read_pairs`.
    """
    return _facts(path, _open(path).schema_arrow)["settings"]


def _open(path: Path) -> pq.ParquetFile:
    if not path.exists():
        raise InputError(f"{path} does not exist; run prepare_pairs first")
    try:
        return pq.ParquetFile(BytesIO(path.read_bytes()))
    except pa.ArrowException as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path} is not a pair list ({reason}); run prepare_pairs again") from None


def _facts(path: Path, schema: pa.Schema) -> dict[str, Any]:
    facts = json.loads((schema.metadata or {}).get(_KEY, b"{}"))
    version = facts.get("format_version")
    if version != FORMAT_VERSION:
        raise InputError(
            f"{path} is a pair list of format version {version}, this program reads "
            f"{FORMAT_VERSION}; run prepare_pairs again"
        )
    return facts


def _read_table(path: Path) -> pa.Table:
    file = _open(path)
    _facts(path, file.schema_arrow)
    for field in _SCHEMA:
        index = file.schema_arrow.get_field_index(field.name)
        if index < 0 or file.schema_arrow.field(index).type != field.type:
            raise InputError(f"{path} lacks the column {field.name} of type {field.type}")
    try:
        table = file.read(columns=_SCHEMA.names)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path} is damaged ({reason}); run prepare_pairs again") from None
    for name in _SCHEMA.names:
        if table.column(name).null_count:
            raise InputError(f"{path} has empty fields in the column {name}")
    return table


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
                f"{overlap[row]}) breaks {what}; run prepare_pairs again"
            )
