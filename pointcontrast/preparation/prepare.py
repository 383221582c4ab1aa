"""Preparation of many recordings: a folder of scenes with a list of pairs.

Each scene becomes one folder (``prepare_scene.py``) and is one task of the workers of
``cluster.py``. ``pairs.parquet`` in the folder of the scenes lists the pairs of all scenes, or an
equal share of each (``pair_sampling.py``). The bytes do not depend on the number of workers.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from pointcontrast.errors import InputError
from pointcontrast.files import check_output_folder, sweep_leftovers
from pointcontrast.preparation.cluster import (
    SceneFailure,
    default_num_workers,
    run_scenes,
    stays_here,
)
from pointcontrast.preparation.pair_sampling import MAX_PAIRS, check_sampling, sample_pairs
from pointcontrast.preparation.prepare_scene import (
    SceneSummary,
    Settings,
    no_pairs_reason,
    prepare_scene,
)
from pointcontrast.preparation.progress import Progress
from pointcontrast.preparation.workers import THIS_PROCESS, Workers
from pointcontrast.recordings.layouts import find_sequences, open_merged, open_sequence
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.recordings.sequence import PosedSequence
from pointcontrast.scenes.pairs import PAIRS_FILE, pair_table, read_pair_table, write_pairs

# Errors of the worker that loses a race for one folder.
_RACE_LOST = (errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST)


@dataclass(frozen=True)
class Summary:
    """Summary of a run.

    Attributes:
        scenes: Finished scenes, in the order of the inputs.
        failures: Scene -> reason, for scenes that are unfinished, that have no pair, or whose
            recording is damaged though its readable frames were used.
        num_pairs: Number of pairs in the list over all scenes of the output, including those of
            earlier runs.
        num_pairs_found: Number of pairs in the finished scenes, from which the list is chosen.
        num_scenes_found: Number of finished scenes that have pairs.
        seconds: Duration of the run.
    """

    scenes: tuple[SceneSummary, ...]
    failures: dict[str, str]
    num_pairs: int
    num_pairs_found: int
    num_scenes_found: int
    seconds: float


def prepare(
    inputs: Sequence[Path],
    output: Path,
    settings: Settings | None = None,
    *,
    merge: bool = False,
    max_pairs: int = MAX_PAIRS,
    seed: int = 0,
    workers: Workers = THIS_PROCESS,
) -> Summary:
    """Prepare all scenes below some folders.

    Scenes that an earlier run finished with the same settings are kept, so a run that was stopped
    is resumed by the same call. Only one run at a time may work on an output.

    Args:
        inputs: Scenes, or folders of scenes.
        output: Folder of the prepared scenes; those of earlier runs are kept.
        settings: Settings of the preparation; None takes the defaults.
        merge: Whether all sequences below an input become one scene; they must share a world frame.
        max_pairs: Largest number of pairs in the list, an equal share per scene; 0 lists all.
        seed: Seed of the choice of listed pairs.
        workers: Worker processes. With progress, a bar and a line per scene are shown.

    Returns:
        Summary of the run. A scene that fails is listed there and does not stop the others.

    Raises:
        InputError: An input is absent or holds no scene; nothing is written then.
        OSError: The disk is full, for example; scenes finished until then are kept.
    """
    started = time.monotonic()
    settings = settings or Settings()
    check_sampling(max_pairs, seed)
    check_output_folder(output)
    sources = scene_sources(inputs, merge)
    num_workers = workers.num_workers or default_num_workers(len(sources))
    titled = workers.progress and stays_here(num_workers, workers.scheduler, workers.memory_limit)
    root = Path(os.path.abspath(output))  # workers elsewhere have other working folders
    tasks: dict[str, _Task] = {}
    for number, (scene, source) in enumerate(sources.items(), start=1):
        title = f"[{number}/{len(sources)}] {scene}" if titled else None
        tasks[scene] = _Task(source, root, scene, settings, merge, title)
    work = run_scenes(
        _prepare_one,
        tasks,
        num_workers=num_workers,
        scheduler=workers.scheduler,
        memory_limit=workers.memory_limit,
    )
    stopped = True
    try:
        with closing(work) as outcomes, Progress(len(tasks), shown=workers.progress) as bar:
            done, failures = _collect(outcomes, bar)
        stopped = False
    finally:
        # Workers of another cluster that are still running remove their own files.
        if not (stopped and workers.scheduler):
            _sweep(root, tasks)
    tables, damaged = _read_scene_lists(root)
    num_pairs = _write_list(root, tables, settings, max_pairs, seed)
    ordered = {scene: failures[scene] for scene in tasks if scene in failures}
    return Summary(
        scenes=tuple(done[scene] for scene in tasks if scene in done),
        failures=damaged | ordered,
        num_pairs=num_pairs,
        num_pairs_found=sum(map(len, tables.values())),
        num_scenes_found=sum(len(table) > 0 for table in tables.values()),
        seconds=time.monotonic() - started,
    )


def _collect(
    outcomes: Iterable[tuple[str, tuple[SceneSummary, str | None] | SceneFailure]], bar: Progress
) -> tuple[dict[str, SceneSummary], dict[str, str]]:
    """Return the finished scenes and the reasons of failures; a scene can be in both."""
    done: dict[str, SceneSummary] = {}
    failures: dict[str, str] = {}
    for scene, outcome in outcomes:
        if isinstance(outcome, SceneFailure):
            failures[scene] = outcome.reason
        else:
            done[scene], problem = outcome
            if problem:
                failures[scene] = problem
        bar.note(scene, done.get(scene), failures.get(scene))
    return done, failures


@dataclass(frozen=True)
class _Task:
    source: Path
    output: Path
    scene: str
    settings: Settings
    merge: bool
    title: str | None


def _prepare_one(task: _Task) -> tuple[SceneSummary, str | None]:
    """Prepare one scene in a worker; return its summary and its problem, if it has one."""
    sequence = open_scene(task.source, task.settings, merge=task.merge)

    def attempt() -> SceneSummary:
        return prepare_scene(sequence, task.output, task.scene, task.settings, task.title)

    try:
        summary = attempt()
    except OSError as error:
        if error.errno not in _RACE_LOST:
            raise
        summary = attempt()  # another worker made this scene: reuse it
    if summary.num_pairs:
        return summary, summary.meta.problem
    threshold = task.settings.overlap_threshold
    return summary, no_pairs_reason(task.output / task.scene, threshold)


def scene_sources(inputs: Sequence[Path], merge: bool) -> dict[str, Path]:
    """Find the scenes at or below some folders.

    Args:
        inputs: Scenes, or folders of scenes.
        merge: Whether all sequences below an input become one scene.

    Returns:
        Name -> folder or file. A name is the path of the scene, starting with the name of the
        input, without file suffixes.

    Raises:
        InputError: An input is absent or holds no scene, or two scenes have one name.
    """
    sources: dict[str, Path] = {}
    for given in inputs:
        found = find_sequences(given)
        root = Path(os.path.abspath(given))  # not resolve(): a link keeps its name
        for source in [root] if merge else found:
            # Hidden folders are skipped in the search for finished scenes.
            path = Path(root.name.lstrip(".") or "scene") / source.relative_to(root)
            scene = (path.with_suffix("") if source.is_file() else path).as_posix()
            if source in sources.values():
                continue  # given twice, also by a folder above it
            if not _is_text(scene):
                raise InputError(
                    f"{source} has a name that is not UTF-8, which meta.json and the list of pairs "
                    "cannot hold; rename it"
                )
            if scene in sources:
                raise InputError(
                    f"{sources[scene]} and {source} would both become the scene {scene}; rename "
                    "one, or prepare them with two outputs"
                )
            sources[scene] = source
    return sources


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes of another encoding, kept by os.fsdecode
        return False
    return True


def finished_scenes(output: Path) -> dict[str, Path]:
    """Return scene -> folder of all finished scenes of an output, including earlier runs'."""
    found = sorted(output.rglob(PAIRS_FILE))
    folders = (path.parent for path in found if (path.parent / "meta.json").exists())
    names = {folder.relative_to(output).as_posix(): folder for folder in folders}
    return {
        scene: folder
        for scene, folder in names.items()
        if scene != "." and not any(part.startswith(".") for part in Path(scene).parts)
    }


def _read_scene_lists(output: Path) -> tuple[dict[str, pa.Table], dict[str, str]]:
    """Read the pairs of all finished scenes, and the reasons of those that cannot be read."""
    tables: dict[str, pa.Table] = {}
    damaged: dict[str, str] = {}
    for scene, folder in finished_scenes(output).items():
        try:
            table = read_pair_table(folder / PAIRS_FILE)
        except InputError as error:  # a scene of an earlier run, damaged since
            damaged[scene] = str(error)
        else:
            columns = (table.column(name).to_numpy() for name in ("view0", "view1", "overlap"))
            tables[scene] = pair_table(scene, *columns)  # its folder may have been moved
    return tables, damaged


def _write_list(
    output: Path, tables: Mapping[str, pa.Table], settings: Settings, max_pairs: int, seed: int
) -> int:
    """Write the list over all scenes; return its number of pairs."""
    path = output / PAIRS_FILE
    if not any(map(len, tables.values())) and not path.exists():
        return 0
    chosen = sample_pairs(tables, max_pairs, seed) if tables else []
    facts = {
        "overlap_threshold": settings.overlap_threshold,
        "max_pairs": max_pairs,
        "seed": seed,
        "num_pairs_found": sum(map(len, tables.values())),
    }
    write_pairs(path, chosen, facts)
    return len(chosen)


def _sweep(output: Path, scenes: Mapping[str, _Task]) -> None:
    """Remove temporary files of killed workers for these scenes, and of the list."""
    folders = [output / scene for scene in scenes]
    sweep_leftovers([*folders, *(folder / PAIRS_FILE for folder in folders), output / PAIRS_FILE])


def open_scene(source: Path, settings: Settings, *, merge: bool) -> PosedSequence:
    """Open one scene of :func:`scene_sources` as the settings say.

    Raises:
        InputError: The scene as a whole cannot be used.
    """
    open_source = open_merged if merge else open_sequence
    return open_source(source, _options(settings))


def _options(settings: Settings) -> RecordingOptions:
    matrix = None
    if settings.intrinsics is not None:
        fx, fy, cx, cy = settings.intrinsics
        matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], dtype=np.float64)
    return RecordingOptions(
        intrinsics=matrix,
        depth_scale=settings.depth_scale,
        poses=settings.poses,
        axes=settings.axes,
        floats_per_point=settings.floats_per_point,
        topics=settings.topics,
        unit=settings.unit,
    )
