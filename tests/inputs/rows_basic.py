"""Inputs that every command must refuse or take, whatever the format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.inputs.row import PREPARE, Row


def _empty_folder(folder: Path) -> Sequence[object]:
    (folder / "recording").mkdir()
    return [PREPARE, "recording", "--output", "prepared"]


ROWS = [
    Row(
        name="empty-folder",
        kind="C",
        make=_empty_folder,
        status=2,
        says=("recording holds no frames in a known layout",),
        absent=("prepared",),
    ),
]
