from __future__ import annotations

import os
import subprocess
import sys

from downstream import evaluate_cli
from downstream.benchmarks.benchmark import SPLITS
from downstream.network_file import BEST
from tests.helpers.repository import REPOSITORY


def test_help_needs_no_pytorch() -> None:
    code = (
        "import sys\nfrom downstream.evaluate_cli import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit as end:\n    assert end.code == 0\n"
        "assert not {'torch', 'torchmetrics', 'scipy'} & set(sys.modules), 'imported'\n"
    )
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "--detection NAME=VALUE" in ended.stdout


def test_its_names_are_those_of_the_benchmarks_and_files() -> None:
    assert evaluate_cli.SPLITS == SPLITS
    assert evaluate_cli.BEST == BEST
