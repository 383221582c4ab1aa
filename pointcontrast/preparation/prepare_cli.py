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

from pointcontrast.errors import InputError, run_command
from pointcontrast.preparation.pair_sampling import MAX_PAIRS
from pointcontrast.preparation.prepare import Summary, prepare
from pointcontrast.preparation.prepare_scene import Settings
from pointcontrast.preparation.verify_cli import main as verify
from pointcontrast.preparation.workers import add_worker_options, check_worker_options
from pointcontrast.scenes.pairs import PAIRS_FILE

_METAVARS = {"up": ("X", "Y", "Z"), "intrinsics": ("FX", "FY", "CX", "CY")}
_EPILOG = (
    "prepare_pairs.py verify ROOT checks a prepared folder; verify --help says more. Run the same "
    "command again to go on where a run was stopped: finished scenes are recognised."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Prepare pairs, or with the word ``verify`` first, check what was prepared.

    Returns:
        0 if every scene is finished and has pairs; 1 if some is not; otherwise as
        :func:`pointcontrast.errors.run_command`.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    if argv[:1] == ["verify"]:
        return verify(argv[1:])
    arguments = vars(_parser().parse_args(argv))

    def run() -> int:
        if arguments.pop("voxel_size") is not None:
            raise InputError(
                "--voxel-size is now --overlap-voxel-size; the network's is data.voxel_size of "
                "tools/pretrain.py"
            )
        check_worker_options(arguments)
        inputs, output = arguments.pop("inputs"), arguments.pop("output")
        settings = {each.name: arguments.pop(each.name) for each in fields(Settings)}
        settings |= {key: tuple(v) for key, v in settings.items() if isinstance(v, list)}
        summary = prepare(inputs, output, Settings(**settings), progress=True, **arguments)
        print(report(summary, output))
        for scene, reason in summary.failures.items():
            print(f"error: {scene}: {reason}", file=sys.stderr)
        return 1 if summary.failures else 0

    return run_command(run)


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
    parser = argparse.ArgumentParser(
        prog="prepare_pairs.py",
        description="Turn posed RGB-D frames, and what else there is a layout of, into scenes "
        "with a list of training pairs.",
        epilog=_EPILOG,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("inputs", nargs="+", type=Path, help="scenes, or folders of such")
    add("--output", "-o", type=Path, required=True, help="folder of the prepared scenes")
    add(
        "--merge",
        action="store_true",
        help="make one scene of all sequences below an input; they must share a world frame",
    )
    add("--voxel-size", help=argparse.SUPPRESS)  # the name before --overlap-voxel-size
    _add_settings(parser.add_argument_group("scenes"))
    add = parser.add_argument_group("the list of pairs").add_argument
    add(
        "--max-pairs",
        type=int,
        default=MAX_PAIRS,
        help="the list over all scenes holds at most so many, an equal share of each; 0 lists all",
    )
    add("--seed", type=int, default=0, help="of that choice")
    add_worker_options(parser)
    return parser


def _add_settings(group: argparse._ArgumentGroup) -> None:
    """An option for each field of Settings, as its type and docstring have it."""
    types = get_type_hints(Settings)
    texts = {each.arg_name: each.description for each in parse(Settings.__doc__ or "").params}
    for field in fields(Settings):
        group.add_argument(
            f"--{field.name.replace('_', '-')}",
            default=field.default,
            help=" ".join((texts.get(field.name) or field.name).split()).replace("%", "%%"),
            **_of_type(field.name, types[field.name]),
        )


def _of_type(name: str, hint: Any) -> dict[str, Any]:
    """What argparse needs to know of a type: numbers, words of a choice, tuples, or None."""
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
