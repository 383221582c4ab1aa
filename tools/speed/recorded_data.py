"""The data that is measured on: given, or recorded, or generated."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

RECORDED = Path(__file__).resolve().parents[2].with_name("shared") / "data"
"""Real scans next to the checkout, where there are any."""
KITCHEN = "redkitchen"
"""The scan for benchmarks of one scene."""


@dataclass(frozen=True)
class Rooms:
    """Rooms to generate where there are no recorded scans."""

    num_rooms: int = 4
    num_frames: int = 40


FOUR_ROOMS = Rooms()


def recorded_or_rooms(folder: Path, rooms: Rooms) -> Path:
    """The recorded scans, or rooms generated in ``folder``."""
    return RECORDED if RECORDED.is_dir() else _write_rooms(folder, rooms)


def kitchen_or_room(folder: Path, num_frames: int) -> Path:
    """The recorded kitchen, or one room of ``num_frames`` frames, generated in ``folder``."""
    kitchen = RECORDED / KITCHEN
    return kitchen if kitchen.is_dir() else _write_rooms(folder, Rooms(1, num_frames))


@contextmanager
def prepared_pairs(root: Path | None, rooms: Rooms) -> Iterator[Path]:
    """A folder of scenes with pairs, for the time of the block.

    Args:
        root: Folder that ``tools/prepare_pairs.py`` wrote, taken as it is. None prepares
            :func:`recorded_or_rooms` in a temporary folder.
        rooms: Rooms to generate where there are no recorded scans.
    """
    if root is not None:
        yield root
        return
    from pointcontrast.preparation.prepare import prepare
    from pointcontrast.preparation.workers import Workers

    with tempfile.TemporaryDirectory() as folder:
        scans = recorded_or_rooms(Path(folder) / "raw", rooms)
        workers = Workers(num_workers=None, progress=True)
        prepare([scans], Path(folder) / "prepared", workers=workers)
        yield Path(folder) / "prepared"


def _write_rooms(folder: Path, rooms: Rooms) -> Path:
    from pointcontrast.synthetic.source import write_rooms

    write_rooms(folder, num_rooms=rooms.num_rooms, num_frames=rooms.num_frames, seed=0)
    return folder
