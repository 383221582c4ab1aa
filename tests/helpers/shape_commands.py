"""Run a script of ``datasets/`` in this process, as its command line would."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.repository import REPOSITORY

DATASETS = REPOSITORY / "datasets"
Command = Callable[..., int]


def command_of(script: str, monkeypatch: pytest.MonkeyPatch) -> Command:
    """A function that takes the words of the command line and returns the exit status."""

    def run(*words: object) -> int:
        monkeypatch.setattr(sys, "argv", [script, *map(str, words)])
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(str(DATASETS / script), run_name="__main__")
        return int(stop.value.code or 0)

    return run


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
