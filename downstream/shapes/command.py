"""Command line shared by the two converters to shape sets."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

from downstream.shapes.conversion import ShapeConversion
from downstream.shapes.shape_set import find_shape_sets, problems_of_shape_set
from downstream.shapes.splits import read_splits
from pointcontrast.errors import InputError
from pointcontrast.files import check_output_folder
from pointcontrast.preparation.conversion_cli import (
    Command,
    Commands,
    print_lines,
    print_missing,
    print_speed,
    report_failures,
)
from pointcontrast.preparation.workers import Workers, workers_from

_NUM_NAMED = 5  # shapes per category whose reasons are printed; meta.json has all


def add_shape_conversion(
    commands: Commands, run: Command, *, release: str
) -> argparse.ArgumentParser:
    """Add ``shapes``, which converts a release.

    Args:
        commands: Subcommands of the script.
        run: Function from the parsed arguments to the exit status.
        release: Help text of the release's folder.

    Returns:
        Parser of the subcommand, for its own options.
    """
    return commands.add_conversion(
        "shapes",
        "convert the release to shape sets, one per category",
        run,
        release=release,
        output="folder of the shape sets",
        unit="category",
    )


def convert_shapes(
    arguments: argparse.Namespace,
    convert: Callable[[Workers], ShapeConversion],
) -> int:
    """Convert a release with the workers that the command line asks for, and print a report.

    Args:
        arguments: Arguments of the command of :func:`add_shape_conversion`.
        convert: Function that converts the release.

    Returns:
        Exit status: 1 if a category failed, or a shape of a release that should be complete.
    """
    workers = workers_from(arguments)
    check_output_folder(arguments.output)
    start = time.perf_counter()
    done = convert(workers)
    seconds = time.perf_counter() - start
    finished = done.finished
    print_lines(note if note.startswith("left out") else f"note: {note}" for note in done.notes)
    print_missing(len(finished) + len(done.failures), done.num_categories, "categories")
    if done.num_unlisted:
        print(f"skipped {done.num_unlisted} shapes that are in no split")
    failures: dict[str, str] = {}
    for each in finished:
        for shape_id, reason in list(each.left_out.items())[:_NUM_NAMED]:
            if done.complete:
                failures[f"{each.name}/{shape_id}"] = reason
            else:
                print(f"left out: {each.name}/{shape_id}: {reason}")
        if len(each.left_out) > _NUM_NAMED:
            more = len(each.left_out) - _NUM_NAMED
            print(f"left out: {more} more of {each.name}: see its meta.json")
    print(
        f"{len(finished)} categories ({sum(each.reused for each in finished)} finished before), "
        f"{sum(each.num_shapes for each in finished):,} shapes "
        f"({sum(len(each.left_out) for each in finished):,} left out), "
        f"{sum(each.num_points for each in finished):,} points, "
        f"{sum(each.num_bytes for each in finished) / 1e6:.1f} MB in {arguments.output}"
    )
    print_speed(sum(each.num_points for each in finished if not each.reused), seconds)
    return report_failures({**done.failures, **failures})


def add_shape_verify(commands: Commands) -> None:
    """Add ``verify``, which reads every byte of shape sets and checks the splits."""
    verify = commands.add("verify", "check every byte of shape sets", _verify)
    verify.add_argument("shapes", type=Path, help="folder of the shape sets")


def _verify(arguments: argparse.Namespace) -> int:
    root: Path = arguments.shapes
    folders = find_shape_sets(root)
    found = {folder.name: problems_of_shape_set(folder) for folder in folders}
    print(f"{sum(not each for each in found.values())} of {len(found)} shape sets are whole")
    failures = {name: "; ".join(problems) for name, problems in found.items() if problems}
    if root not in folders:  # a folder of sets, not a set itself
        try:
            splits = read_splits(root)
            print(", ".join(f"{split}: {len(names):,} shapes" for split, names in splits.items()))
        except InputError as error:
            failures["splits"] = str(error)
    return report_failures(failures)
