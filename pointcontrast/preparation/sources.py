"""Data sources that a configuration can name, which prepare scenes when a run needs them."""

from __future__ import annotations

from pathlib import Path

from pointcontrast.data.source import DataSource
from pointcontrast.errors import InputError
from pointcontrast.preparation.prepare import Settings, prepare
from pointcontrast.preparation.workers import Workers


class PosedRGBD(DataSource):
    """Folders of posed RGB-D frames, as tools/prepare_pairs.py takes them."""

    def __init__(self, folders: list[str], frame_skip: int = 1) -> None:
        """Keep the arguments.

        Args:
            folders: Scenes, or folders of scenes.
            frame_skip: Step between frames.
        """
        self.folders = [Path(folder) for folder in folders]
        self.frame_skip = frame_skip

    def prepare(self, root: Path) -> None:
        """Prepare the scenes of the folders."""
        _prepare_or_fail(self.folders, root, Settings(frame_skip=self.frame_skip))


class SyntheticRooms(DataSource):
    """Synthetic rooms, rendered as posed RGB-D frames and then prepared like any recording."""

    def __init__(self, num_rooms: int = 8, num_frames: int = 40, seed: int = 0) -> None:
        """Keep the arguments; the same numbers give the same bytes.

        Args:
            num_rooms: Number of rooms.
            num_frames: Frames per room.
            seed: Seed of the set.
        """
        self.num_rooms = num_rooms
        self.num_frames = num_frames
        self.seed = seed

    def prepare(self, root: Path) -> None:
        """Render the rooms to ``root/raw``, then prepare them as :class:`PosedRGBD`."""
        from pointcontrast.synthetic.source import write_rooms

        rooms = write_rooms(
            root / "raw", num_rooms=self.num_rooms, num_frames=self.num_frames, seed=self.seed
        )
        _prepare_or_fail(rooms, root, Settings())


class LabelledRooms(DataSource):
    """Synthetic rooms as labelled scenes, for finetuning."""

    def __init__(
        self, num_rooms: int = 16, first_room: int = 1000, seed: int = 0, density: float = 900.0
    ) -> None:
        """Keep the arguments; rooms with other numbers than those of pretraining are other rooms.

        Args:
            num_rooms: Number of rooms.
            first_room: Number of the first room.
            seed: Seed of the set.
            density: Points per square metre.
        """
        self.num_rooms = num_rooms
        self.first_room = first_room
        self.seed = seed
        self.density = density

    def prepare(self, root: Path) -> None:
        """Write the rooms that are missing."""
        from pointcontrast.synthetic.source import write_labelled_rooms

        write_labelled_rooms(
            root, self.num_rooms, self.seed, first_room=self.first_room, density=self.density
        )


def _prepare_or_fail(folders: list[Path], root: Path, settings: Settings) -> None:
    """Prepare all scenes, or raise an error with the reasons of those without pairs.

    A recording with damaged frames is used as far as it can be read.
    """
    summary = prepare(folders, root, settings, workers=Workers(progress=True))
    usable = {scene.scene for scene in summary.scenes if scene.num_pairs}
    failures = {scene: why for scene, why in summary.failures.items() if scene not in usable}
    if failures:
        reasons = "; ".join(f"{scene}: {reason}" for scene, reason in failures.items())
        raise InputError(f"{len(failures)} scenes could not be prepared: {reasons}")
