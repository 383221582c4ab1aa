"""Work in a process of its own: its result, or one line where the process is lost."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import numpy as np
import pytest

from pointcontrast.errors import RunFailed
from pointcontrast.process_memory import (
    in_process_of_its_own,
    peak_of_children,
    peak_of_process,
)
from tests.helpers.repository import REPOSITORY


def test_the_result_is_of_another_process() -> None:
    assert in_process_of_its_own(os.getpid) != os.getpid()


def test_a_lost_process_ends_the_run() -> None:
    with pytest.raises(RunFailed, match="was killed; there may be too little memory"):
        in_process_of_its_own(os._exit, 9)


def peak_of_filling(num_bytes: int) -> float:
    before = peak_of_process()
    np.ones(num_bytes, np.uint8)
    return peak_of_process() - before


def test_the_peak_counts_memory_that_was_freed() -> None:
    assert 90e6 < in_process_of_its_own(peak_of_filling, 100_000_000) < 130e6
    assert peak_of_children() > 100e6


def test_without_the_resource_module_no_figure_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)
    assert math.isnan(peak_of_children())


def test_every_converter_loads_without_the_resource_module() -> None:
    """As on Windows."""
    scripts = [*sorted(REPOSITORY.glob("datasets/*.py")), REPOSITORY / "tools/prepare_pairs.py"]
    assert len(scripts) > 5
    code = (
        "import runpy, sys; sys.modules['resource'] = None; "
        "[runpy.run_path(path, run_name='loaded') for path in sys.argv[1:]]"
    )
    command = [sys.executable, "-c", code, *map(str, scripts)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
