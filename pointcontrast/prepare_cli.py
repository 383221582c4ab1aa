"""The command line of ``tools/prepare_pairs.py``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from docstring_parser import parse

from pointcontrast.command_help import CommandHelp, CommandParser
from pointcontrast.errors import InputError, run_command
from pointcontrast.preparation.pair_sampling import MAX_PAIRS
from pointcontrast.preparation.prepare import Summary, open_scene, prepare, scene_sources
from pointcontrast.preparation.prepare_scene import Settings
from pointcontrast.preparation.verify_cli import main as verify
from pointcontrast.preparation.workers import add_worker_options, workers_from
from pointcontrast.scenes.pairs import PAIRS_FILE

_EXAMINED = 8  # recordings that --dry-run examines
_METAVARS = {
    "up": ("X", "Y", "Z"),
    "intrinsics": ("FX", "FY", "CX", "CY"),
    "topics": ("SWEEPS", "POSES"),
}
_EPILOG = (
    "To check a prepared folder: prepare_pairs.py verify ROOT (see verify --help). To resume a run "
    "that was stopped, run the same command again: finished scenes are recognised."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Prepare pairs or, if the first argument is ``verify``, check a prepared folder.

    Returns:
        Exit status: 0 if every scene is finished and has pairs, 1 if some scene is not or has
        none, otherwise as :func:`pointcontrast.errors.run_command`.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    if argv[:1] == ["verify"]:
        return verify(argv[1:])

    def run() -> int:
        arguments = _parser().parse_args(argv)
        if arguments.voxel_size is not None:
            raise InputError(
                "--voxel-size is now --overlap-voxel-size; the network's is data.voxel_size of "
                "tools/pretrain.py"
            )
        settings = {each.name: getattr(arguments, each.name) for each in fields(Settings)}
        settings |= {key: tuple(v) for key, v in settings.items() if isinstance(v, list)}
        if arguments.dry_run:
            return _dry_run(arguments, Settings(**settings))
        if arguments.output is None:
            raise InputError("give --output, the folder of the prepared scenes (or --dry-run)")
        summary = prepare(
            arguments.inputs,
            arguments.output,
            Settings(**settings),
            merge=arguments.merge,
            max_pairs=arguments.max_pairs,
            seed=arguments.seed,
            workers=workers_from(arguments),
        )
        for scene in summary.scenes:
            for note in scene.notes:
                print(f"note: {scene.scene}: {note}")
        print(report(summary, arguments.output))
        for scene, reason in summary.failures.items():
            print(f"error: {scene}: {reason}", file=sys.stderr)
        return 1 if summary.failures else 0

    return run_command(run)


def _dry_run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Examine the first recordings; 1 if any of them would fail."""
    from pointcontrast.dry_run import Findings, draw_findings, examine

    sources = scene_sources(arguments.inputs, arguments.merge)
    found: list[Findings] = []
    for scene, source in list(sources.items())[:_EXAMINED]:
        print(f"{scene}: {source}")
        try:
            findings = examine(open_scene(source, settings, merge=arguments.merge), settings)
        except InputError as error:
            findings = Findings((), problem=str(error))
        for line in findings.lines:
            print(f"  {line}")
        if findings.problem:
            print(f"  problem      {findings.problem}")
        found.append(findings)
    if len(sources) > len(found):
        print(f"{len(sources) - len(found):,} more scenes were not examined")
    if draw_findings(found, arguments.picture):
        print(f"two views of each, put together: {arguments.picture}")
    failed = sum(each.problem is not None for each in found)
    print(f"dry run: {len(found) - failed} of {len(found)} recordings can be prepared")
    return 1 if failed else 0


def report(summary: Summary, output: Path) -> str:
    """Summarize a run in its last lines: totals, skipped frames, failures, and the next command."""
    views = sum(len(scene.meta.frame_ids) for scene in summary.scenes)
    skipped = sum(len(scene.meta.skipped) for scene in summary.scenes)
    size = sum(scene.num_bytes for scene in summary.scenes)
    path = output / PAIRS_FILE
    listed = f"{path} lists {summary.num_pairs:,} pairs"
    if not path.exists():
        listed = f"no {path}, for want of pairs"
    lines = [
        f"{len(summary.scenes)} scenes, {views:,} views, "
        f"{sum(scene.num_pairs for scene in summary.scenes):,} pairs, {size / 1e6:.1f} MB, "
        f"{summary.seconds:.0f} s; {listed}"
    ]
    if summary.num_pairs < summary.num_pairs_found:
        lines.append(
            f"{summary.num_pairs:,} of {summary.num_pairs_found:,} pairs, stratified over "
            f"{summary.num_scenes_found:,} scenes; --max-pairs 0 lists all"
        )
    if skipped:
        lines.append(f'{skipped} frames skipped; see "skipped" in the scenes\' meta.json')
    if summary.failures:
        lines.append(f"{len(summary.failures)} scenes failed")
    if summary.num_pairs:
        command = "python tools/pretrain.py --config configs/pretrain/rgbd_small.yaml"
        lines.append(f"next: {command} --data.root {output}")
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog="prepare_pairs.py",
        description="Convert recordings to scenes with a list of training pairs: posed RGB-D "
        "frames, posed LiDAR sweeps, meshes and point clouds, in the layouts of "
        "datasets/README.md.",
        epilog=_EPILOG,
        formatter_class=CommandHelp,
    )
    add = parser.add_argument
    add("inputs", nargs="+", type=Path, help="scenes, or folders of scenes")
    add("--output", "-o", type=Path, help="folder of the prepared scenes")
    add(
        "--dry-run",
        action="store_true",
        help="write no scene; tell within seconds how each recording is read and what to expect, "
        "and draw two views put together",
    )
    add(
        "--picture",
        type=Path,
        default=Path("dry_run.png"),
        help="picture of --dry-run, two views of each recording",
    )
    add(
        "--merge",
        action="store_true",
        help="merge all sequences below an input into one scene; they must share a world frame",
    )
    add("--voxel-size", help=argparse.SUPPRESS)  # the name before --overlap-voxel-size
    _add_settings(parser.add_argument_group("scenes"))
    add = parser.add_argument_group("list of pairs").add_argument
    add(
        "--max-pairs",
        type=int,
        default=MAX_PAIRS,
        help="largest number of pairs in the list over all scenes, an equal share per scene; 0 "
        "lists all",
    )
    add("--seed", type=int, default=0, help="seed of the choice of listed pairs")
    add_worker_options(parser)
    return parser


def _add_settings(group: argparse._ArgumentGroup) -> None:
    """Add an option for each field of Settings, from its type and docstring."""
    types = get_type_hints(Settings)
    texts = {each.arg_name: each.description for each in parse(Settings.__doc__ or "").params}
    for field in fields(Settings):
        group.add_argument(
            f"--{field.name.replace('_', '-')}",
            default=field.default,
            help=_help(texts.get(field.name) or field.name),
            **_of_type(field.name, types[field.name]),
        )


def _help(text: str) -> str:
    """Write a docstring's description as a help text: lower case at first, no final period."""
    line = " ".join(text.split()).removesuffix(".").replace("%", "%%")
    return line[0].lower() + line[1:]


def _of_type(name: str, hint: Any) -> dict[str, Any]:
    """Return argparse's arguments for a type: a number, a choice, a tuple, or None."""
    kinds = [kind for kind in get_args(hint) if kind is not NoneType]
    if NoneType in get_args(hint) and len(kinds) == 1:
        return _of_type(name, kinds[0])
    if hint is bool:
        return {"action": argparse.BooleanOptionalAction}
    if get_origin(hint) is Literal:
        return {"choices": get_args(hint)}
    if get_origin(hint) is tuple:
        return {"type": kinds[0], "nargs": len(kinds), "metavar": _METAVARS.get(name)}
    return {"type": hint}
