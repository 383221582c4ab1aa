"""From folders of posed RGB-D frames to a folder of scenes with a pair list.

Each scene becomes one folder (``pointcontrast.prepare_scene``); ``pairs.parquet`` beside the scenes
lists the pairs of all.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pointcontrast.errors import InputError, run_command
from pointcontrast.pairs import PAIRS_FILE, read_pairs, write_pairs
from pointcontrast.prepare_scene import SceneSummary, Settings, no_pairs_reason, prepare_scene
from pointcontrast.layouts import find_sequences, open_merged, open_sequence
from pointcontrast.types import Pair


@dataclass(frozen=True)
class Summary:
    """What became of a run.

    Attributes:
        scenes: those that are finished.
        failures: scene -> the reason, for those that are not, or that have no pair.
        num_pairs: in the list over all scenes of the output, earlier runs' included.
        seconds: the run took.
    """

    scenes: tuple[SceneSummary, ...]
    failures: dict[str, str]
    num_pairs: int
    seconds: float


def prepare(
    inputs: Sequence[Path],
    output: Path,
    settings: Settings | None = None,
    *,
    merge: bool = False,
    progress: bool = False,
) -> Summary:
    """Prepare all scenes below some folders.

    Args:
        inputs: folders of frames, or folders of such folders.
        output: the folder of the prepared scenes; those of earlier runs stay.
        settings: how; None takes the defaults.
        merge: make one scene of all sequences below each input; they must share a world frame.
        progress: show a progress bar and a line per scene.

    Returns:
        What was done; a scene that fails is listed there and does not stop the others.

    Raises:
        InputError: an input that is not there or holds nothing, before anything is made.
        OSError: the disk is full, say; the scenes finished until then are kept.
    """
    started = time.monotonic()
    settings = settings or Settings()
    folders = _scene_folders(inputs, merge)
    scenes: list[SceneSummary] = []
    failures: dict[str, str] = {}
    for number, (scene, folder) in enumerate(folders.items(), start=1):
        title = f"[{number}/{len(folders)}] {scene}"
        try:
            sequence = (open_merged if merge else open_sequence)(folder, _matrix(settings))
            summary = prepare_scene(sequence, output, scene, settings, title if progress else None)
        except InputError as error:
            failures[scene] = str(error)
        else:
            scenes.append(summary)
            if not summary.num_pairs:
                failures[scene] = no_pairs_reason(output / scene, settings.overlap_threshold)
        if progress:
            tqdm.write(f"{title}: {failures[scene] if scene in failures else _line(scenes[-1])}")
    pairs: list[Pair] = []
    for path in _finished(output):
        try:
            pairs += read_pairs(path / PAIRS_FILE)
        except InputError as error:  # a scene of an earlier run, damaged since
            failures.setdefault(path.relative_to(output).as_posix(), str(error))
    if pairs or (output / PAIRS_FILE).exists():
        write_pairs(output / PAIRS_FILE, pairs, {"overlap_threshold": settings.overlap_threshold})
    return Summary(tuple(scenes), failures, len(pairs), time.monotonic() - started)


def _scene_folders(inputs: Sequence[Path], merge: bool) -> dict[str, Path]:
    """Name the scenes: by their folders, from the input's own name on."""
    folders: dict[str, Path] = {}
    for given in inputs:
        found = find_sequences(given)
        root = Path(os.path.abspath(given))  # not resolve(): a link keeps its name
        for folder in [root] if merge else found:
            scene = (Path(root.name or "scene") / folder.relative_to(root)).as_posix()
            if scene in folders:
                raise InputError(
                    f"{folders[scene]} and {folder} would both become the scene {scene}; rename "
                    "one, or prepare them into two outputs"
                )
            folders[scene] = folder
    return folders


def _finished(output: Path) -> list[Path]:
    """All finished scenes of an output, earlier runs' included."""
    found = sorted(output.rglob(PAIRS_FILE))
    return [
        path.parent
        for path in found
        if (path.parent / "meta.json").exists()
        and not any(part.startswith(".") for part in path.relative_to(output).parts)
    ]


def _matrix(settings: Settings) -> NDArray[np.float64] | None:
    if settings.intrinsics is None:
        return None
    fx, fy, cx, cy = settings.intrinsics
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], dtype=np.float64)


def _line(scene: SceneSummary) -> str:
    meta = scene.meta
    return (
        f"{len(meta.frame_ids)} views ({len(meta.skipped)} frames skipped), "
        f"{scene.num_pairs:,} pairs, {scene.num_bytes / 1e6:.1f} MB, "
        f"up {np.round(meta.up, 3).tolist()} ({meta.up_how}, support {meta.up_support:.2f})"
        + (", finished before" if scene.reused else "")
    )


def report(summary: Summary, output: Path) -> str:
    """The last lines of a run: totals, what failed and why, and what to do next."""
    views = sum(len(scene.meta.frame_ids) for scene in summary.scenes)
    skipped = sum(len(scene.meta.skipped) for scene in summary.scenes)
    size = sum(scene.num_bytes for scene in summary.scenes)
    lines = [
        f"{len(summary.scenes)} scenes, {views:,} views, "
        f"{sum(scene.num_pairs for scene in summary.scenes):,} pairs, {size / 1e6:.1f} MB, "
        f"{summary.seconds:.0f} s; {output / PAIRS_FILE} lists {summary.num_pairs:,} pairs"
    ]
    if skipped:
        lines.append(f'{skipped} frames skipped; see "skipped" in the scenes\' meta.json')
    if summary.num_pairs:
        command = "python tools/pretrain.py --config configs/pretrain/rgbd_small.yaml"
        lines.append(f"next: {command} --data.root {output}")
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    defaults = Settings()
    parser = argparse.ArgumentParser(
        description="Turn folders of posed RGB-D frames into scenes with a list of training pairs.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("inputs", nargs="+", type=Path, help="folders of frames, or folders of such folders")
    add("--output", "-o", type=Path, required=True, help="folder of the prepared scenes")
    add("--frame-skip", type=int, default=defaults.frame_skip, help="take every n-th frame")
    add("--overlap-threshold", type=float, default=defaults.overlap_threshold, help="of a pair")
    add("--voxel-size", type=float, default=defaults.voxel_size, help="for overlaps, metres")
    add("--storage-grid", type=float, default=defaults.storage_grid, help="metres; 0 keeps all")
    add("--max-depth", type=float, default=defaults.max_depth, help="metres; inf keeps all")
    add("--up", type=float, nargs=3, metavar=("X", "Y", "Z"), help="the world's up direction")
    add(
        "--intrinsics",
        type=float,
        nargs=4,
        metavar=("FX", "FY", "CX", "CY"),
        help="of the depth images, pixels; in place of the folders' own",
    )
    add(
        "--merge",
        action="store_true",
        help="make one scene of all sequences below an input; they must share a world frame",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """The command line of ``tools/prepare_pairs.py``.

    Returns:
        0 if every scene is finished and has pairs; 1 if some is not; otherwise as
        :func:`pointcontrast.errors.run_command`.
    """
    arguments = vars(_parser().parse_args(argv))

    def run() -> int:
        inputs, output, merge = (arguments.pop(key) for key in ("inputs", "output", "merge"))
        for key in ("up", "intrinsics"):
            arguments[key] = arguments[key] and tuple(arguments[key])
        summary = prepare(inputs, output, Settings(**arguments), merge=merge, progress=True)
        print(report(summary, output))
        for scene, reason in summary.failures.items():
            print(f"error: {scene}: {reason}", file=sys.stderr)
        return 1 if summary.failures else 0

    return run_command(run)
