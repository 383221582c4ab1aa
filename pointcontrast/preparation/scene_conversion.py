"""Conversion of a raw release to labelled scenes, shared by all converters.

Scenes finished with the same settings are kept. A scene that fails does not stop the others. A
folder with other content is never replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from pointcontrast.errors import InputError
from pointcontrast.files import sweep_leftovers
from pointcontrast.labelled_scene import LabelledScene, read_labelled_scene, write_labelled_scene
from pointcontrast.preparation.cluster import SceneFailure, default_num_workers, run_scenes
from pointcontrast.preparation.workers import THIS_PROCESS, Workers
from pointcontrast.recordings.fingerprint import fingerprint, is_same_source

Summary = TypeVar("Summary")


@dataclass(frozen=True)
class ConvertedScene:
    """Summary of a finished scene.

    Attributes:
        scene: Name of the scene, its folder below the output.
        num_points: Number of points.
        num_boxes: Number of boxes; 0 where objects are unknown.
        num_bytes: Size on disk, bytes.
        reused: Whether it was finished before with the same settings.
        notes: Irregularities of its files.
    """

    scene: str
    num_points: int
    num_boxes: int
    num_bytes: int
    reused: bool
    notes: tuple[str, ...]


def make_scene(
    output: Path, name: str, settings: Mapping[str, Any], read: Callable[[], LabelledScene]
) -> ConvertedScene:
    """Write a labelled scene, unless it exists with the same settings.

    Args:
        output: Folder of the scenes. The scene is written to ``output/name``, atomically.
        name: Name of the scene, with ``/`` for scenes in groups.
        settings: Everything that determines the content; JSON values.
        read: Function that reads the scene from the raw files. ``details["notes"]`` lists
            irregularities.

    Raises:
        InputError: The raw files are wrong, or the folder has other content.
    """
    folder = output / name
    scene = _finished(folder, dict(settings))
    reused = scene is not None
    if scene is None:
        refuse_foreign(folder)
        sweep_leftovers([folder])
        scene = replace(read(), settings=dict(settings))
        write_labelled_scene(folder, scene)
    return ConvertedScene(
        scene=name,
        num_points=len(scene),
        num_boxes=0 if scene.boxes is None else len(scene.boxes),
        num_bytes=sum(path.stat().st_size for path in folder.iterdir()),
        reused=reused,
        notes=tuple(scene.details["notes"]),
    )


def convert_all(
    function: Callable[..., Summary],
    tasks: Mapping[str, tuple[Any, ...]],
    workers: Workers = THIS_PROCESS,
    *,
    unit: str = "scene",
) -> tuple[list[Summary], dict[str, str]]:
    """Convert the scenes (or other parts) of a release in parallel.

    A failure does not stop the other tasks.

    Args:
        function: Function that converts one part; picklable by name.
        tasks: Name -> arguments of ``function``. Paths must be absolute, because workers on other
            machines have other working directories.
        workers: Worker processes.
        unit: Unit of the progress bar.

    Returns:
        Results of the finished tasks, and failures (name -> reason), both in the order of
        ``tasks``.
    """
    outcomes = run_scenes(
        partial(_call, function),
        tasks,
        num_workers=workers.num_workers or default_num_workers(len(tasks)),
        scheduler=workers.scheduler,
        memory_limit=workers.memory_limit,
    )
    hidden = None if workers.progress else True
    bar = tqdm(outcomes, "convert", len(tasks), unit=unit, disable=hidden)
    with closing(outcomes):
        done = dict(bar)
    finished: list[Summary] = []
    failures: dict[str, str] = {}
    for name in tasks:
        outcome = done[name]
        if isinstance(outcome, SceneFailure):
            failures[name] = outcome.reason
        else:
            finished.append(outcome)
    return finished, failures


def _call(function: Callable[..., Summary], arguments: tuple[Any, ...]) -> Summary:
    return function(*arguments)


def source_fingerprint(files: Iterable[Path]) -> str:
    """Return a digest of files' names and contents, the ``files`` of a scene's settings.

    See :func:`pointcontrast.recordings.fingerprint.fingerprint`.
    """
    return fingerprint((path.name, path) for path in files)


def refuse_foreign(folder: Path) -> None:
    """Refuse to replace a folder that no converter wrote, such as the raw release itself.

    Raises:
        InputError: The folder has files but no ``meta.json``.
    """
    if folder.exists() and not (folder / "meta.json").exists() and any(folder.iterdir()):
        raise InputError(f"{folder} holds other files, not a scene; give another --output")


def _finished(folder: Path, wanted: dict[str, Any]) -> LabelledScene | None:
    """Read the scene in ``folder`` if it is complete and has these settings."""
    if not folder.exists():
        return None
    try:
        scene = read_labelled_scene(folder)
    except InputError:
        return None  # damaged or no scene: write it again
    stored = dict(scene.settings)
    same = is_same_source(stored.get("files"), str(wanted.get("files")))
    return scene if same and stored | {"files": None} == wanted | {"files": None} else None
