"""Running a command on an input, and what must be true of it whatever the input is."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pointcontrast.files import leftover_of
from tests.helpers.fork_server import Forked

SECONDS = 300
"""Time after which a command hangs."""


@dataclass(frozen=True)
class Outcome:
    """Exit status, and all that a command wrote to its terminal."""

    status: int
    said: str


def run_on_input(
    command: Sequence[object], folder: Path, environment: Mapping[str, str] | None = None
) -> Outcome:
    """Run a command in ``folder``, and check what holds for every command.

    It ends without a traceback, leaves no half-written file or folder, and, where it has an
    ``--output``, leaves everything outside of it as it was.
    """
    words = list(map(str, command))
    output = _output(words, folder)
    before = None if output is None else contents(folder, output)
    variables = {**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})}
    process = Forked(words, folder, variables, finalize=False)
    process.wait(SECONDS)
    said, _ = process.communicate()
    assert process.returncode is not None
    assert "Traceback" not in said, said
    leftovers = [path for path in _below(folder) if leftover_of(path) is not None]
    assert not leftovers, f"half-written: {leftovers}\n{said}"
    if before is not None and output is not None:
        after = contents(folder, output)
        changed = [name for name in before | after if before.get(name) != after.get(name)]
        assert not changed, f"changed outside of --output: {changed}\n{said}"
    return Outcome(process.returncode, said)


def contents(folder: Path, besides: Path) -> dict[str, bytes]:
    """Content of every file below ``folder``, except the file or folder ``besides``.

    The model card beside a file of weights belongs to it.
    """
    card = besides.with_suffix(".md")
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in _below(folder)
        if path.is_file() and path not in (besides, card) and besides not in path.parents
        if os.access(path, os.R_OK)
    }


def _below(folder: Path) -> list[Path]:
    found = []
    for parent, folders, files in os.walk(folder):
        found += [Path(parent, name) for name in (*folders, *files)]
    return found


def _output(words: Sequence[str], folder: Path) -> Path | None:
    """The value of ``--output`` or ``-o``, or None."""
    for place, word in enumerate(words):
        if word in ("--output", "-o") and place + 1 < len(words):
            return folder / words[place + 1]
        if word.startswith("--output="):  # in a row about homes, this is the home folder
            return folder / word.removeprefix("--output=").replace("~", "home", 1)
    return None
