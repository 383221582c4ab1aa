"""Readers of the output that have gone, and terminals that lack a character."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from pointcontrast.command_streams import CLOSED_OUTPUT
from pointcontrast.errors import run_command
from tests.helpers.repository import REPOSITORY

BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
PROGRAM = """
import sys
from pointcontrast.errors import run_command
sys.exit(run_command(lambda: print({text!r})))
"""


@pytest.mark.parametrize("length", [10, 5_000, 20_000, 2_000_000])
def test_a_reader_that_has_gone_ends_the_command_quietly(length: int) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(text="x" * 10).replace("'x", f"{length} * 'x")],
        stdout=writing, stderr=subprocess.PIPE, text=True, check=False, cwd=REPOSITORY,
        env=BUFFERED,
    )  # fmt: skip
    os.close(writing)
    assert (process.returncode, process.stderr) == (CLOSED_OUTPUT, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has it")
def test_a_full_disk_behind_the_output_is_named() -> None:
    with open("/dev/full", "w") as full:
        process = subprocess.run(
            [sys.executable, "-c", PROGRAM.format(text="x")],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False, cwd=REPOSITORY,
        env=BUFFERED,
        )  # fmt: skip
    assert process.returncode == 74
    assert process.stderr == (
        "error: standard output: No space left on device; free some space and run the same "
        "command again\n"
    )


def test_a_pipe_of_our_own_that_breaks_is_a_defect() -> None:
    def body() -> None:
        raise BrokenPipeError(32, "Broken pipe")

    with pytest.raises(BrokenPipeError):
        run_command(body)


def test_a_character_that_the_terminal_lacks_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    assert run_command(lambda: print("küche")) == 0
    assert raw.getvalue() == b"k\\xfcche\n"
