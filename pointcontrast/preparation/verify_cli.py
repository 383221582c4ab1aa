"""The command line of ``tools/prepare_pairs.py verify``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from pointcontrast.errors import run_command
from pointcontrast.preparation.cluster import default_num_workers
from pointcontrast.preparation.verify import Kind, Report, remove_broken, verify

_ADVICE: dict[Kind, str] = {
    "scene": "--redo removes the scene, and prepare_pairs then makes it again",
    "pairs": "--redo removes them, and prepare_pairs then chooses them again",
    "list": "prepare_pairs writes it anew, whatever its inputs",
    "leftover": "--redo removes it",
    "stranger": "nothing is done about it",
    "unlisted": "nothing is wrong",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Check a prepared folder.

    Returns:
        0 if nothing is broken, 1 if something is (also where ``--redo`` has removed it);
        otherwise as :func:`pointcontrast.errors.run_command`.
    """
    arguments = _parser().parse_args(argv)

    def run() -> int:
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
    """The last line: how much was checked, how much of it is broken, and what to do next."""
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
    """The problem without the path of its line."""
    return problem.removeprefix(f"{path} ").removeprefix(f"{path}, ").removeprefix(f"{path}: ")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="prepare_pairs.py verify",
        description="Check a folder of prepared scenes: every byte against its checksum, overlaps "
        "and pairs against each other, the list against the scenes. Nothing is changed without "
        "--redo. (A raw folder that is called verify is given as ./verify.)",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("root", type=Path, help="the --output of prepare_pairs; no run may be at work on it")
    add("--num-workers", type=int, help="scenes read at a time; by default one a core")
    add(
        "--redo",
        action="store_true",
        help="remove broken scenes and what killed runs left, for prepare_pairs to make again; "
        "no file of another origin is removed",
    )
    return parser
