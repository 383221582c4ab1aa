"""Command lines of the converters in ``datasets/``: subcommands, options and the final report."""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from pointcontrast.command_help import CommandHelp, CommandParser
from pointcontrast.files import check_output_folder
from pointcontrast.labelled_scene import find_labelled_scenes, problems_of_scene
from pointcontrast.preparation.scene_conversion import ConvertedScene
from pointcontrast.preparation.workers import Workers, add_worker_options, workers_from
from pointcontrast.process_memory import peak_of_children, peak_of_process

Command = Callable[[argparse.Namespace], int]
_FEW = 3  # scenes with the same note that are named one by one

ConvertScenes = Callable[[Workers], tuple[list[ConvertedScene], dict[str, str]]]


class Commands:
    """Argument parser with subcommands, each with the function that runs it."""

    def __init__(self, description: str | None) -> None:
        """Create the parser; the first line of the script's docstring describes it."""
        self._parser = CommandParser(
            description=(description or "").splitlines()[0],
            formatter_class=CommandHelp,
        )
        self._commands = self._parser.add_subparsers(dest="command", required=True)

    def add(
        self, name: str, text: str, run: Command, *, takes_others: bool = False
    ) -> argparse.ArgumentParser:
        """Add a subcommand.

        Args:
            name: Name of the subcommand.
            text: Help text.
            run: Function from the parsed arguments to the exit status.
            takes_others: Whether ``run`` accepts options that the parser does not know. It gets
                them as ``arguments.others``, a list of words.

        Returns:
            Parser of the subcommand, for its options.
        """
        added = self._commands.add_parser(
            name,
            help=text,
            description=f"{text[:1].upper()}{text[1:]}.",
            formatter_class=CommandHelp,
        )
        added.set_defaults(run=run, takes_others=takes_others)
        return added

    def add_conversion(
        self,
        name: str,
        text: str,
        run: Command,
        *,
        release: str,
        output: str = "folder of the labelled scenes",
        unit: str = "scene",
    ) -> argparse.ArgumentParser:
        """Add a subcommand that converts a release: ``release --output`` and worker options.

        Args:
            name: Name of the subcommand.
            text: Help text.
            run: Function from the parsed arguments to the exit status.
            release: Help text of the release's folder.
            output: Help text of the output folder.
            unit: Name of a task in the help of the worker options.

        Returns:
            Parser of the subcommand, for its own options.
        """
        added = self.add(name, text, run)
        added.add_argument("release", type=Path, help=release)
        added.add_argument("--output", "-o", type=Path, required=True, help=output)
        add_worker_options(added, unit)
        return added

    def add_verify(self) -> None:
        """Add ``verify``, which reads every byte of labelled scenes."""
        verify = self.add("verify", "check every byte of labelled scenes", _verify)
        verify.add_argument("scenes", type=Path, help="folder of the labelled scenes")

    def run(self) -> int:
        """Parse the arguments of the process and run the subcommand; return the exit status."""
        arguments, arguments.others = self._parser.parse_known_args()
        if arguments.others and not arguments.takes_others:
            self._parser.error(f"unrecognized arguments: {' '.join(arguments.others)}")
        return arguments.run(arguments)


def convert_scenes(
    arguments: argparse.Namespace,
    convert: ConvertScenes,
    describe: Callable[[list[ConvertedScene]], str] | None = None,
) -> int:
    """Convert scenes with the workers that the command line asks for, and print a report.

    Args:
        arguments: Arguments of a command of :meth:`Commands.add_conversion`.
        convert: Function from workers to the finished scenes and failures, name -> reason.
        describe: Function from the finished scenes to further lines of the report.

    Returns:
        Exit status: 1 if a scene failed.
    """
    workers = workers_from(arguments)
    check_output_folder(arguments.output)
    start = time.perf_counter()
    finished, failures = convert(workers)
    seconds = time.perf_counter() - start
    print_lines(_note_lines(finished))
    print(
        f"{len(finished)} scenes ({sum(scene.reused for scene in finished)} finished before), "
        f"{sum(scene.num_points for scene in finished):,} points, "
        f"{sum(scene.num_bytes for scene in finished) / 1e6:.1f} MB in {arguments.output}"
    )
    print_speed(sum(scene.num_points for scene in finished if not scene.reused), seconds)
    if describe is not None:
        print(describe(finished))
    return report_failures(failures)


def add_unit_option(parser: argparse.ArgumentParser, usual: str) -> None:
    """Add ``--unit``, the metres per unit of coordinates; ``usual`` names that of the release."""
    parser.add_argument(
        "--unit",
        type=float,
        metavar="METRES",
        help="metres per unit of the coordinates in the files, such as 0.001 for millimetres; by "
        f"default they are {usual}",
    )


def print_lines(lines: Iterable[str]) -> None:
    """Print lines of a report on a release."""
    for line in lines:
        print(line)


def print_missing(found: int, wanted: int, what: str) -> None:
    """Print a line if parts of a release are missing, such as "scans of val"."""
    if found < wanted:
        print(f"found {found} of the {wanted} {what}; the others are skipped")


def print_speed(num_points: int, seconds: float) -> None:
    """Print points per second and the largest memory of a process, where the system tells it.

    Nothing is printed if no point was converted.
    """
    if num_points:
        peak = max(peak_of_process(), peak_of_children())
        memory = "" if math.isnan(peak) else f", at most {peak / 1e6:.0f} MB per process"
        print(f"{num_points / seconds:,.0f} points per second{memory}")


def report_failures(failures: Mapping[str, str]) -> int:
    """Print failures, name -> reason, to stderr; return the exit status."""
    for name, reason in failures.items():
        print(f"error: {name}: {reason}", file=sys.stderr)
    return 1 if failures else 0


def _note_lines(finished: Sequence[ConvertedScene]) -> list[str]:
    """Return a line per note; a note of many scenes is given once, with their number."""
    scenes: dict[str, list[str]] = {}
    for scene in finished:
        for note in scene.notes:
            scenes.setdefault(note, []).append(scene.scene)
    lines = []
    for note, names in scenes.items():
        if len(names) > _FEW:
            lines.append(f"note: {len(names)} scenes, such as {names[0]}: {note}")
        else:
            lines += [f"note: {name}: {note}" for name in names]
    return lines


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
