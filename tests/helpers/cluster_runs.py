"""Runs of the tools as separate processes, and a worker of one that is killed."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import psutil

from tests.helpers.repository import REPOSITORY

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}


def contents(folder: Path) -> dict[Path, bytes]:
    """Every file below ``folder``."""
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def kill_a_worker_at_work(run: subprocess.Popen[str], output: Path) -> bool:
    """SIGKILL the process of a run that has a file of an unfinished scene open."""
    while run.poll() is None:
        time.sleep(0.005)
        for child in psutil.Process(run.pid).children(recursive=True):
            try:
                opened = [each.path for each in child.open_files()]
            except psutil.Error:
                continue
            if any(str(output) in path and ".partial" in path for path in opened):
                child.kill()
                return True
    return False
