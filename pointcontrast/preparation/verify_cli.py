"""The command line of ``tools/prepare_pairs.py verify``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from pointcontrast.command_help import CommandHelp, CommandParser
from pointcontrast.errors import run_command
from pointcontrast.preparation.cluster import default_num_workers
from pointcontrast.preparation.verify import Kind, Report, remove_broken, verify

_ADVICE: dict[Kind, str] = {
    "scene": "--redo removes the scene, and prepare_pairs then makes it again",
    "pairs": "--redo removes them, and prepare_pairs then chooses them again",
    "list": "prepare_pairs writes it again, whatever its inputs",
    "leftover": "--redo removes it",
    "stranger": "it is left alone",
    "unlisted": "nothing is wrong",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Check a prepared folder.

    Returns:
        Exit status: 0 if nothing is broken, 1 if something is (also if ``--redo`` removed it),
        otherwise as :func:`pointcontrast.errors.run_command`.
    """

    def run() -> int:
        arguments = _parser().parse_args(argv)
        report = verify(
            arguments.root,
            num_workers=arguments.num_workers or default_num_workers(10**9),
            progress=True,
        )
        for finding in report.findings:
            word = "BROKEN" if finding in report.broken else "note"
            advice = _ADVICE[finding.kind]
            print(f"{word}: {finding.path}: {_short(finding.problem, finding.path)} ({advice})")
        if arguments.redo:
            removed, kept = remove_broken(report)
            for line in [*(f"removed {path}" for path in removed), *kept]:
                print(line)
        print(summarize(report, arguments.redo))
        return 1 if report.broken else 0

    return run_command(run)


def summarize(report: Report, redo: bool) -> str:
    """Write the last line: how much was checked, how much is broken, and what to do next."""
    broken = len({finding.path for finding in report.broken})
    line = (
        f"{report.num_scenes:,} scenes, {report.num_views:,} views, {report.num_pairs:,} pairs "
        f"listed, {report.num_bytes / 1e6:,.1f} MB: {broken or 'nothing'} broken"
    )
    if not broken:
        return line
    command = "run prepare_pairs again with the inputs and options that it was made with"
    if redo or all(finding.kind == "list" for finding in report.broken):
        return f"{line}; {command}"
    return f"{line}; verify --redo, then {command}"


def _short(problem: str, path: Path) -> str:
    """Return the problem without the path, which its line already names."""
    return problem.removeprefix(f"{path} ").removeprefix(f"{path}, ").removeprefix(f"{path}: ")


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog="prepare_pairs.py verify",
        description="Check a folder of prepared scenes: every byte against its checksum, pairs "
        "against overlaps, the list against the scenes. Nothing is changed without --redo. (To "
        "prepare a raw folder that is named verify, give it as ./verify.)",
        formatter_class=CommandHelp,
    )
    add = parser.add_argument
    add("root", type=Path, help="--output of prepare_pairs; no run may be working on it")
    add("--num-workers", type=int, help="scenes read at the same time; by default one per core")
    add(
        "--redo",
        action="store_true",
        help="remove broken scenes and leftovers of killed runs, for prepare_pairs to make again; "
        "files that prepare_pairs did not make are kept",
    )
    return parser
