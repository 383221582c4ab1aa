"""Run the scripts of ``datasets/``."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.fork_server import output_of
from tests.helpers.repository import REPOSITORY

DATASETS = REPOSITORY / "datasets"
Command = Callable[..., int]


def command_of(script: str, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Return a function that runs a script in this process.

    It takes the words of the command line and returns the exit status.
    """

    def run(*words: object) -> int:
        monkeypatch.setattr(sys, "argv", [script, *map(str, words)])
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(str(DATASETS / script), run_name="__main__")
        return int(stop.value.code or 0)

    return run


def convert(script: str, *arguments: object) -> None:
    """Run a converter in a process of its own; it must succeed."""
    output_of([DATASETS / script, *arguments])


def contents(folder: Path) -> dict[str, bytes]:
    """Return the content of every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
