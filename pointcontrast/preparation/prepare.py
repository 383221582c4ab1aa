"""From raw recordings to a folder of scenes with a pair list.

Each scene becomes one folder (``prepare_scene.py``), one task each for the workers of
``cluster.py``; ``pairs.parquet`` beside the scenes lists the pairs of all, or an equal share of
each (``pair_sampling.py``). Bytes do not depend on the number of workers.
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
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.files import sweep_leftovers
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
from pointcontrast.recordings.layouts import find_sequences, open_merged, open_sequence
from pointcontrast.scenes.pairs import PAIRS_FILE, pair_table, read_pair_table, write_pairs

# What the loser of a race for one folder meets: its temporary folder or the place is taken.
_RACE_LOST = (errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST)


@dataclass(frozen=True)
class Summary:
    """What became of a run.

    Attributes:
        scenes: those that are finished, in the order of the inputs.
        failures: scene -> the reason, for those that are not, that have no pair, or whose
            recording is damaged though the frames that can be read were used.
        num_pairs: in the list over all scenes of the output, earlier runs' included.
        num_pairs_found: in the finished scenes, of which the list is a choice.
        num_scenes_found: finished scenes that have pairs.
        seconds: the run took.
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
    num_workers: int | None = 1,
    scheduler: str | None = None,
    memory_limit: str = "auto",
    progress: bool = False,
) -> Summary:
    """Prepare all scenes below some folders.

    Scenes that an earlier run finished with the same settings are recognised and left alone, so
    a run that was stopped goes on where it was. One run at a time works on an output.

    Args:
        inputs: scenes, or folders of scenes.
        output: the folder of the prepared scenes; those of earlier runs stay.
        settings: how; None takes the defaults.
        merge: make one scene of all sequences below each input; they must share a world frame.
        max_pairs: the list holds at most so many, an equal share of each scene; 0 lists all.
        seed: of that choice.
        num_workers: processes; None is one a core, at most one a scene. With more than one, the
            calling script must guard its body with ``if __name__ == "__main__":``, for every
            process imports it.
        scheduler: address of a Dask scheduler to use instead (``docs/cluster.md``).
        memory_limit: of each process; see :func:`pointcontrast.preparation.cluster.run_scenes`.
        progress: show a progress bar and a line per scene.

    Returns:
        What was done; a scene that fails is listed there and does not stop the others.

    Raises:
        InputError: an input that is not there or holds nothing, before anything is made.
        OSError: the disk is full, say; the scenes finished until then are kept.
    """
    started = time.monotonic()
    settings = settings or Settings()
    check_sampling(max_pairs, seed)
    sources = _scene_sources(inputs, merge)
    num_workers = num_workers or default_num_workers(len(sources))
    titled = progress and stays_here(num_workers, scheduler, memory_limit)
    root = Path(os.path.abspath(output))  # workers elsewhere have other working folders
    tasks: dict[str, _Task] = {}
    for number, (scene, source) in enumerate(sources.items(), start=1):
        title = f"[{number}/{len(sources)}] {scene}" if titled else None
        tasks[scene] = _Task(source, root, scene, settings, merge, title)
    work = run_scenes(
        _prepare_one,
        tasks,
        num_workers=num_workers,
        scheduler=scheduler,
        memory_limit=memory_limit,
    )
    stopped = True
    try:
        with closing(work) as outcomes, Progress(len(tasks), shown=progress) as bar:
            done, failures = _collect(outcomes, bar)
        stopped = False
    finally:
        # Workers of another cluster that are still at it clear away their own.
        if not (stopped and scheduler):
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
    """What is done, and what failed for which reason; some scenes are both."""
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
    """One scene in a worker; returns also what is wrong with it, though it is finished."""
    open_source = open_merged if task.merge else open_sequence
    sequence = open_source(task.source, _matrix(task.settings))

    def attempt() -> SceneSummary:
        return prepare_scene(sequence, task.output, task.scene, task.settings, task.title)

    try:
        summary = attempt()
    except OSError as error:
        if error.errno not in _RACE_LOST:
            raise
        summary = attempt()  # another worker was at this scene: take what it made
    if summary.num_pairs:
        return summary, summary.meta.problem
    threshold = task.settings.overlap_threshold
    return summary, no_pairs_reason(task.output / task.scene, threshold)


def _scene_sources(inputs: Sequence[Path], merge: bool) -> dict[str, Path]:
    """Name the scenes: by their folders, from the input's own name on; files lose their suffix."""
    sources: dict[str, Path] = {}
    for given in inputs:
        found = find_sequences(given)
        root = Path(os.path.abspath(given))  # not resolve(): a link keeps its name
        for source in [root] if merge else found:
            # A hidden name would be passed over where finished scenes are looked for.
            path = Path(root.name.lstrip(".") or "scene") / source.relative_to(root)
            scene = (path.with_suffix("") if source.is_file() else path).as_posix()
            if scene in sources:
                raise InputError(
                    f"{sources[scene]} and {source} would both become the scene {scene}; rename "
                    "one, or prepare them into two outputs"
                )
            sources[scene] = source
    return sources


def finished_scenes(output: Path) -> dict[str, Path]:
    """Scene -> folder of all finished scenes of an output, earlier runs' included."""
    found = sorted(output.rglob(PAIRS_FILE))
    folders = (path.parent for path in found if (path.parent / "meta.json").exists())
    names = {folder.relative_to(output).as_posix(): folder for folder in folders}
    return {
        scene: folder
        for scene, folder in names.items()
        if scene != "." and not any(part.startswith(".") for part in Path(scene).parts)
    }


def _read_scene_lists(output: Path) -> tuple[dict[str, pa.Table], dict[str, str]]:
    """The pairs of all finished scenes, and the reasons of those that cannot be read."""
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
    """Write the list over all scenes; return how many pairs it has."""
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
    """Remove what killed workers left of these scenes, and what a killed run left of the list."""
    folders = [output / scene for scene in scenes]
    sweep_leftovers([*folders, *(folder / PAIRS_FILE for folder in folders), output / PAIRS_FILE])


def _matrix(settings: Settings) -> NDArray[np.float64] | None:
    if settings.intrinsics is None:
        return None
    fx, fy, cx, cy = settings.intrinsics
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], dtype=np.float64)
