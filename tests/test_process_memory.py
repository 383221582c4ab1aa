"""Work in a process of its own: its result, or one line where the process is lost."""

from __future__ import annotations

import os

import pytest

from pointcontrast.errors import RunFailed
from pointcontrast.process_memory import in_process_of_its_own


def test_the_result_is_of_another_process() -> None:
    assert in_process_of_its_own(os.getpid) != os.getpid()


def test_a_lost_process_ends_the_run() -> None:
    with pytest.raises(RunFailed, match="was killed; there may be too little memory"):
        in_process_of_its_own(os._exit, 9)
