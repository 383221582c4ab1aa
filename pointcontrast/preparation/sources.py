"""What can make a folder of scenes when a run needs it."""

from __future__ import annotations

from pathlib import Path

from pointcontrast.data.source import DataSource
from pointcontrast.errors import InputError
from pointcontrast.preparation.prepare import Settings, prepare


class PosedRGBD(DataSource):
    """Folders of posed RGB-D frames, as tools/prepare_pairs.py takes them."""

    def __init__(self, folders: list[str], frame_skip: int = 1) -> None:
        """Take every ``frame_skip``-th frame of ``folders``."""
        self.folders = [Path(folder) for folder in folders]
        self.frame_skip = frame_skip

    def prepare(self, root: Path) -> None:
        """Frames to views, overlaps and pairs."""
        _prepare_or_fail(self.folders, root, Settings(frame_skip=self.frame_skip))


class SyntheticRooms(DataSource):
    """Generated rooms, rendered as posed RGB-D and then treated like any other frames."""

    def __init__(self, num_rooms: int = 8, num_frames: int = 40, seed: int = 0) -> None:
        """Describe the rooms; the same numbers give the same bytes."""
        self.num_rooms = num_rooms
        self.num_frames = num_frames
        self.seed = seed

    def prepare(self, root: Path) -> None:
        """Render the rooms to ``root/raw``, then as :class:`PosedRGBD`."""
        from pointcontrast.synthetic.source import write_rooms

        rooms = write_rooms(
            root / "raw", num_rooms=self.num_rooms, num_frames=self.num_frames, seed=self.seed
        )
        _prepare_or_fail(rooms, root, Settings())


class LabelledRooms(DataSource):
    """Generated rooms as labelled scenes, for finetuning."""

    def __init__(
        self, num_rooms: int = 16, first_room: int = 1000, seed: int = 0, density: float = 900.0
    ) -> None:
        """Describe the rooms; other numbers than those of pretraining are other rooms.

        Args:
            num_rooms: how many.
            first_room: number of the first.
            seed: of the set.
            density: points a square metre.
        """
        self.num_rooms = num_rooms
        self.first_room = first_room
        self.seed = seed
        self.density = density

    def prepare(self, root: Path) -> None:
        """Write what is not there yet."""
        from pointcontrast.synthetic.source import write_labelled_rooms

        write_labelled_rooms(
            root, self.num_rooms, self.seed, first_room=self.first_room, density=self.density
        )


def _prepare_or_fail(folders: list[Path], root: Path, settings: Settings) -> None:
    """Prepare all scenes, or raise with the reasons of those that have no pairs.

    A recording that is damaged but for some frames is used as far as it goes.
    """
    summary = prepare(folders, root, settings, progress=True)
    usable = {scene.scene for scene in summary.scenes if scene.num_pairs}
    failures = {scene: why for scene, why in summary.failures.items() if scene not in usable}
    if failures:
        reasons = "; ".join(f"{scene}: {reason}" for scene, reason in failures.items())
        raise InputError(f"{len(failures)} scenes could not be prepared: {reasons}")
