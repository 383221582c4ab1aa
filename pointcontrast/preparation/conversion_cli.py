"""What the command lines of the converters in ``datasets/`` share."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pointcontrast.labelled_scene import find_labelled_scenes, problems_of_scene
from pointcontrast.preparation.prepare_cli import check_worker_options
from pointcontrast.preparation.scene_conversion import ConvertedScene
from pointcontrast.process_memory import peak_of_children, peak_of_process


class Commands:
    """An argument parser with subcommands, each with the function that runs it."""

    def __init__(self, description: str | None) -> None:
        """Start with the first line of a script's docstring."""
        self.parser = argparse.ArgumentParser(
            description=(description or "").splitlines()[0],
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )
        self._commands = self.parser.add_subparsers(dest="command", required=True)

    def add(
        self, name: str, text: str, run: Callable[[argparse.Namespace], int]
    ) -> argparse.ArgumentParser:
        """Add a subcommand; options are added to what is returned."""
        added = self._commands.add_parser(
            name, help=text, description=text, formatter_class=self.parser.formatter_class
        )
        added.set_defaults(run=run)
        return added

    def run(self) -> int:
        """Parse the process's arguments and run the command; returns the exit status."""
        arguments = self.parser.parse_args()
        return arguments.run(arguments)

    def add_verify(self) -> None:
        """Add ``verify``, which reads every byte of labelled scenes."""
        verify = self.add("verify", "check every byte of labelled scenes", _verify)
        verify.add_argument("scenes", type=Path, help="folder of labelled scenes")


def convert_scenes(
    arguments: argparse.Namespace,
    convert: Callable[..., tuple[list[ConvertedScene], dict[str, str]]],
) -> int:
    """Convert as the worker options say, and report.

    Args:
        arguments: with ``output`` and those of ``prepare_cli.add_worker_options``.
        convert: a dataset's conversion of many scenes, but for the keyword arguments of
            :func:`pointcontrast.preparation.scene_conversion.convert_all`.

    Returns:
        The exit status.
    """
    check_worker_options(vars(arguments))
    start = time.perf_counter()
    finished, failures = convert(
        num_workers=arguments.num_workers,
        scheduler=arguments.scheduler,
        memory_limit=arguments.memory_limit,
        progress=True,
    )
    seconds = time.perf_counter() - start
    return _report_scenes(finished, failures, arguments.output, seconds)


def _report_scenes(
    finished: list[ConvertedScene], failures: dict[str, str], output: Path, seconds: float
) -> int:
    """Say what was converted, how fast, and what failed; returns the exit status."""
    for scene in finished:
        for note in scene.notes:
            print(f"note: {scene.scene}: {note}")
    points = sum(scene.num_points for scene in finished)
    size = sum(scene.num_bytes for scene in finished)
    print(
        f"{len(finished)} scenes ({sum(scene.reused for scene in finished)} finished before), "
        f"{points:,} points, {size / 1e6:.1f} MB in {output}"
    )
    made = sum(scene.num_points for scene in finished if not scene.reused)
    if made:
        print(speed_and_memory(made, seconds))
    return report_failures(failures)


def speed_and_memory(num_points: int, seconds: float) -> str:
    """How fast points were converted, and the most memory that one of the processes held."""
    peak = max(peak_of_process(), peak_of_children())
    return f"{num_points / seconds:,.0f} points a second, at most {peak / 1e6:.0f} MB a process"


def report_failures(failures: dict[str, str]) -> int:
    """Say what failed and why; returns the exit status."""
    for name, reason in failures.items():
        print(f"error: {name}: {reason}", file=sys.stderr)
    return 1 if failures else 0


def _verify(arguments: argparse.Namespace) -> int:
    folders = find_labelled_scenes(arguments.scenes)
    found = {
        folder.relative_to(arguments.scenes).as_posix(): problems_of_scene(folder)
        for folder in folders
    }
    print(f"{sum(not problems for problems in found.values())} of {len(found)} scenes are whole")
    return report_failures(
        {name: "; ".join(problems) for name, problems in found.items() if problems}
    )
