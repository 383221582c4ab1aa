"""From a raw release to labelled scenes: what every converter does around its own reader.

A scene that is finished with the same settings is kept, one that fails does not stop the others,
and a folder that holds anything else is never replaced.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from pointcontrast.errors import InputError
from pointcontrast.files import sweep_leftovers
from pointcontrast.labelled_scene import LabelledScene, read_labelled_scene, write_labelled_scene
from pointcontrast.preparation.cluster import SceneFailure, default_num_workers, run_scenes

Task = TypeVar("Task")
Summary = TypeVar("Summary")


@dataclass(frozen=True)
class ConvertedScene:
    """What became of one scene that is finished.

    Attributes:
        scene: its name: its folder below the output.
        num_points: N.
        num_boxes: K; 0 where objects are not known.
        num_bytes: on disk.
        reused: it was finished before with the same settings.
        notes: what was odd about its files.
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
    """Make one labelled scene, unless it is there already.

    Args:
        output: the scene becomes ``output/name``, whole or not at all.
        name: of the scene; with ``/`` where scenes are kept in groups.
        settings: what decides its content; JSON values. A scene with these is kept.
        read: makes the scene from the raw files; its ``details["notes"]`` lists what was odd.

    Raises:
        InputError: the raw files are wrong, or the folder holds something else.
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
    function: Callable[[Task], Summary],
    tasks: Mapping[str, Task],
    *,
    num_workers: int | None = 1,
    scheduler: str | None = None,
    memory_limit: str = "auto",
    progress: bool = False,
    unit: str = "scene",
) -> tuple[list[Summary], dict[str, str]]:
    """Convert many scenes (or other parts of a release), in parallel; failures stop no other.

    Args:
        function: converts one; picklable.
        tasks: what it is given, by name. Paths in it are absolute: workers elsewhere have other
            working folders.
        num_workers: processes; None is one a core (see
            :func:`pointcontrast.preparation.prepare.prepare`).
        scheduler: address of a Dask scheduler to use instead.
        memory_limit: of each process.
        progress: show a progress bar.
        unit: what the bar counts.

    Returns:
        What is finished, and name -> reason for what is not, both in the order of ``tasks``.
    """
    outcomes = run_scenes(
        function,
        tasks,
        num_workers=num_workers or default_num_workers(len(tasks)),
        scheduler=scheduler,
        memory_limit=memory_limit,
    )
    bar = tqdm(outcomes, f"{unit}s", len(tasks), unit=unit, disable=None if progress else True)
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


def fingerprint(files: Iterable[Path]) -> str:
    """Names and sizes of some files in one word, to tell whether they are still the same.

    Reading them would take as long as the work that this may save.
    """
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.name} {path.stat().st_size if path.exists() else None}\n".encode())
    return digest.hexdigest()


def refuse_foreign(folder: Path) -> None:
    """Never replace a folder that was not made by a converter, such as the raw release itself.

    Raises:
        InputError: the folder holds files, but no ``meta.json``.
    """
    if folder.exists() and not (folder / "meta.json").exists() and any(folder.iterdir()):
        raise InputError(f"{folder} holds other files, not a scene; give another --output")


def _finished(folder: Path, wanted: dict[str, Any]) -> LabelledScene | None:
    """The scene in ``folder`` if it is whole and was made with these settings."""
    if not folder.exists():
        return None
    try:
        scene = read_labelled_scene(folder)
    except InputError:
        return None  # damaged, or no scene: made again
    return scene if scene.settings == wanted else None
