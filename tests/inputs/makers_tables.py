"""Makers of rows about recordings whose poses are tables: write one, change it, prepare it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from pointcontrast.scenes.view_store import ViewStore
from pointcontrast.types import Frame
from tests.helpers import small_scenes
from tests.inputs.makers_rgbd import PREPARE_SMALL, off_the_walls, walking_frames
from tests.inputs.row import PREPARE

COUNT = 5
Writer = Callable[[Path, list[Frame]], object]
Change = Callable[[Path], object]


def unchanged(folder: Path) -> None:
    """Leave a recording as it was written."""


def prepare(
    write: Writer,
    change: Change = unchanged,
    *options: object,
    name: str = "scene",
    frames: Callable[[], list[Frame]] = lambda: walking_frames(COUNT),
) -> Callable[[Path], Sequence[object]]:
    """Return a maker: write a recording, change it, and prepare it."""

    def make(folder: Path) -> Sequence[object]:
        write(folder / name, frames())
        change(folder / name)
        return [PREPARE, name, "--output", "prepared", *PREPARE_SMALL, *options]

    return make


def slow_walk() -> list[Frame]:
    """Frames whose neighbours see so much of each other that conventions can be told."""
    return [
        small_scenes.render(
            small_scenes.look(0.07 * i, 0.02 * i - 0.4, (0.05 * i - 0.6, 0.03 * i, 1.2)), shrink=2
        )
        for i in range(12)
    ]


def all_right(views: int = COUNT, scene: str = "scene") -> Callable[[Path, str], None]:
    """Return a check: so many views, and every point on a wall of the room."""

    def check(folder: Path, said: str) -> None:
        store = ViewStore(folder / "prepared" / scene)
        assert len(store) == views, said
        for view in store:
            # millimetres are rounded, and a ray may meet a wall at a low angle
            assert off_the_walls(view.points).max() < 0.004
            assert view.colors is not None
            assert len(np.unique(view.colors.reshape(-1, 3), axis=0)) > 1

    return check


def change_rows(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    """Change the lines of a table that are no comments."""
    lines = path.read_text().splitlines()
    head = [line for line in lines if line.startswith("#")]
    path.write_text("\n".join([*head, *change([x for x in lines if x not in head])]) + "\n")


def remove(*names: str) -> Change:
    def change(folder: Path) -> None:
        for name in names:
            for path in sorted(folder.glob(name)):
                path.unlink()

    return change


def cut_short(name: str) -> Change:
    def change(folder: Path) -> None:
        path = folder / name
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return change
