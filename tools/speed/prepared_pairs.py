"""Prepared pairs to measure on: those that are given, or else made for the time of a benchmark."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pointcontrast.preparation.prepare import prepare
from pointcontrast.preparation.workers import Workers
from tools.speed.voxelized_views import scans_or_rooms


@contextmanager
def prepared_or_made(root: Path | None) -> Iterator[Path]:
    """``root``; or where it is None, the real scans beside the checkout, or rooms, prepared."""
    if root is not None:
        yield root
        return
    with tempfile.TemporaryDirectory() as folder:
        scans = scans_or_rooms(Path(folder) / "raw")
        prepare(scans, Path(folder) / "prepared", workers=Workers(num_workers=None, progress=True))
        yield Path(folder) / "prepared"
