"""Scenes that a list is chosen from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from downstream.label_lists.scenes import choose_scenes, read_scene_list
from pointcontrast.errors import InputError
from pointcontrast.labelled_scene import find_labelled_scenes


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """Scenes of a folder or a list, and the conditions that they meet.

    Attributes:
        source: Folder of labelled scenes or shape sets, or a list of scenes.
        benchmark: Name of a benchmark, whose training split is taken; None is all scenes.
        scenes_from: List of scenes to which the candidates are restricted.
        only: Patterns of names, of which one must match.
    """

    source: Path
    benchmark: str | None = None
    scenes_from: Path | None = None
    only: Sequence[str] | None = None

    def names(self) -> list[str]:
        """Return the names of the scenes.

        Raises:
            InputError: The source does not exist, has no scene, or does not have those asked for.
        """
        if self.benchmark is not None:
            from downstream import benchmarks  # only here: it imports PyTorch

            names = getattr(benchmarks, self.benchmark)(root=str(self.source)).names("train")
        elif self.source.is_file():
            names = list(read_scene_list(self.source))
        else:
            folders = find_labelled_scenes(self.source)
            names = [folder.relative_to(self.source).as_posix() for folder in folders]
        if self.scenes_from is not None:
            listed = read_scene_list(self.scenes_from)
            chosen, note = choose_scenes(names, listed, str(self.scenes_from))
            names = list(chosen)
            if note:
                print(f"note: {note}")
        if self.only is not None:
            names = [name for name in names if any(fnmatchcase(name, p) for p in self.only)]
            if not names:
                raise InputError(f"{self.source} has no scene like {' or '.join(self.only)}")
        return names

    def folder(self) -> Path:
        """Return the source, which must be a folder.

        Raises:
            InputError: It is a file.
        """
        if self.source.is_file():
            raise InputError(f"{self.source} is a file; give the folder of the labelled scenes")
        return self.source

    @property
    def stem(self) -> str:
        """Start of the file names of lists."""
        if self.benchmark is not None:
            return self.benchmark.lower()
        return self.source.resolve().stem

    @property
    def origin(self) -> str:
        """Description of the candidates, without the folders of this machine."""
        parts = [self.stem if self.benchmark is None else f"{self.benchmark} train"]
        parts += [] if self.scenes_from is None else [f"in {self.scenes_from.name}"]
        parts += [] if self.only is None else [f"only {' '.join(self.only)}"]
        return ", ".join(parts)
