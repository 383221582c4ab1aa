"""Run all checks and print the report."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
import textwrap
from collections.abc import Sequence

import pointcontrast
from pointcontrast.command_help import CommandParser
from pointcontrast.doctor import machine, parts
from pointcontrast.doctor.check import Check
from pointcontrast.errors import run_command

REQUIRED = ("Python", "torch", "libraries", "engine native")
"""Checks that must be ok for pretraining."""


def check_all() -> list[Check]:
    """Run every check, in the order of the report."""
    return [
        machine.check_python(),
        machine.check_platform(),
        machine.check_torch(),
        machine.check_devices(),
        machine.check_libraries(),
        parts.check_engine("native"),
        parts.check_engine("minkowski"),
        parts.check_open3d(),
        parts.check_drawing(),
        machine.check_compiler(),
        parts.check_kernels(),
        parts.check_sparse_kernels(),
        machine.check_disk(),
    ]


def can_pretrain(checks: Sequence[Check]) -> bool:
    """Whether all of :data:`REQUIRED` are among ``checks`` and ok."""
    return set(REQUIRED) <= {check.name for check in checks if check.ok}


def report(checks: Sequence[Check], width: int = 100) -> str:
    """Format the checks as aligned lines of at most ``width`` characters, words permitting."""
    column = max(len(check.name) for check in checks)
    lines = [f"pointcontrast {pointcontrast.__version__}", ""]
    for check in checks:
        head = f"  {'ok' if check.ok else 'no':2}  {check.name:{column}}  "
        indent = " " * len(head)
        for text, start in ((check.detail, head), (check.fix and f"-> {check.fix}", indent)):
            if text:
                lines += textwrap.wrap(
                    text,
                    width,
                    initial_indent=start,
                    subsequent_indent=indent,
                    break_long_words=False,
                    break_on_hyphens=False,
                )
    answer = "can run here" if can_pretrain(checks) else "cannot run here yet"
    return "\n".join([*lines, "", f"Pretraining {answer}."])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the report.

    Args:
        arguments: Arguments; None takes those of the process.

    Returns:
        0 if pretraining can run, else 1.
    """
    parser = CommandParser(
        prog="python -m pointcontrast.doctor",
        description="Report what works on this machine, and how to fix the rest.",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    as_json = parser.parse_args(arguments).json
    checks = check_all()
    ready = can_pretrain(checks)
    if as_json:
        rows = [dataclasses.asdict(check) for check in checks]
        print(json.dumps({"can_pretrain": ready, "checks": rows}, indent=2))
    else:
        print(report(checks, shutil.get_terminal_size((100, 0)).columns))
    return 0 if ready else 1


if __name__ == "__main__":
    sys.exit(run_command(main))
