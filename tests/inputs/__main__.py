"""Print the table of inputs, and how many rows each kind has."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from pointcontrast.errors import run_command
from tests.inputs.row import Row
from tests.inputs.table import KINDS, all_rows, rows_per_kind


def _command(row: Row) -> str:
    """Make the input, only to know its command, and write the command with short paths."""
    with tempfile.TemporaryDirectory() as folder:
        words = row.make(Path(folder))
        return " ".join(
            word.replace(folder, "").removeprefix("/") if folder in word else Path(word).name
            if word.startswith("/") else word
            for word in map(str, words)
        )  # fmt: skip


def main() -> None:
    """Print a line per row, and the number of rows of each kind."""
    parser = argparse.ArgumentParser(prog="python -m tests.inputs", description=__doc__)
    parser.add_argument("--kind", help="only the rows of this kind")
    parser.add_argument(
        "--commands", action="store_true", help="make each input, and print its command, too"
    )
    arguments = parser.parse_args()
    rows = all_rows()
    shown = [row for row in rows if arguments.kind in (None, row.kind)]
    for row in sorted(shown, key=lambda row: row.kind):
        expected = "; ".join(row.says) or "the right value"
        line = f"{row.kind:<18}{row.name:<48}{row.status:>3}  {expected}"
        print(f"{line}  [{row.source}]" if row.source else line)
        if arguments.commands:
            print(f"{'':<12}{_command(row)}")
    print()
    for kind, count in rows_per_kind(rows).items():
        print(f"{kind:<18}{count:>4}  {KINDS.get(kind, '')}")
    print(f"{'together':<18}{len(rows):>4}")


if __name__ == "__main__":
    raise SystemExit(run_command(main))
