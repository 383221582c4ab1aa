"""The folder that a run writes: what was asked for, on what, and how it went.

config.yaml            the resolved configuration; `--config` takes it again
run.json               versions, commit, machine, seed, command line
metrics.jsonl          one JSON object a line: step and figures
tensorboard/           the same figures as curves
last.ckpt              all that is needed to go on
previous.ckpt          the one before, for the day that the last is damaged
backbone.safetensors   the pretrained network, for finetuning
curves.png, features.png   pictures
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from argparse import Namespace
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.utilities.rank_zero import rank_zero_only
from pytorch_lightning.loggers import Logger

from pointcontrast import __version__
from pointcontrast.errors import InputError
from pointcontrast.files import atomic_file
from pointcontrast.runs.checkpoints import (
    CHECKPOINT,
    PREVIOUS,
    check_given,
    has_checkpoint,
    newest_good,
)

METRICS = "metrics.jsonl"
CONFIG = "config.yaml"
RUN = "run.json"


def choose_run_folder(
    name: str, run_dir: str | None, ckpt_path: str | None
) -> tuple[Path, Path | None]:
    """Where a run writes, and the checkpoint it goes on from.

    Args:
        name: of the experiment; new runs go to ``runs/<name>/<time>``.
        run_dir: the folder, where the user names it.
        ckpt_path: None for a new run; ``last`` for the newest whole checkpoint of this name (or
            of ``run_dir``); ``auto`` for the same where there is a run, else a new one; or a
            checkpoint's path. A resumed run goes on in its own folder. One that ended before its
            first checkpoint begins again, in its own folder.

    Returns:
        The folder, and the checkpoint or None.

    Raises:
        InputError: there is no such checkpoint or no whole one, or ``run_dir`` holds a run
            already.
    """
    folder = None if run_dir is None else Path(run_dir)
    if ckpt_path in ("last", "auto"):
        begun = _newest_run(name, folder)
        if begun is not None:
            if has_checkpoint(begun):
                return begun, newest_good(begun)
            print(f"the run in {begun} ended before its first checkpoint; it begins again")
            return begun, None
        if ckpt_path == "last":
            raise InputError(
                f"--ckpt_path last: there is no {CHECKPOINT} in {folder or Path('runs') / name}; "
                "leave --ckpt_path out to start a run, or give a checkpoint's path"
            )
    elif ckpt_path is not None:
        checkpoint = Path(ckpt_path)
        check_given(checkpoint)
        return folder or checkpoint.parent, checkpoint
    elif folder is not None and (folder / METRICS).exists():
        raise InputError(
            f"--run_dir {folder} holds a run already; add --ckpt_path last to go on with it, "
            "or name another folder"
        )
    time = datetime.now().strftime("%Y%m%d-%H%M%S")
    return folder or Path("runs") / name / time, None


def _newest_run(name: str, folder: Path | None) -> Path | None:
    """The folder of the run that was written to last; one with a checkpoint before all others."""
    folders = (Path("runs") / name).glob("*") if folder is None else [folder]
    ages = {
        begun: (file != RUN, (begun / file).stat().st_mtime)
        for begun in folders
        for file in (RUN, PREVIOUS, CHECKPOINT)  # the last of those that there are counts
        if (begun / file).is_file()
    }
    return max(ages, key=ages.__getitem__, default=None)


def describe_run(seed: int | None, command: list[str]) -> dict[str, Any]:
    """What one needs to know to reproduce a run, as JSON values."""
    packages = ["torch", "numpy", "pytorch-lightning", "open3d", "MinkowskiEngine"]
    return {
        "version": __version__,
        **git_state(Path(__file__).resolve().parent),
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": command,
        "seed": seed,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu_count": os.cpu_count(),
        "devices": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
        "packages": {name: _version(name) for name in packages},
    }


def git_state(folder: Path) -> dict[str, Any]:
    """The commit that ``folder`` is at and whether files differ from it; None outside git."""

    def git(*arguments: str) -> str | None:
        try:
            return subprocess.run(
                ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
            ).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            return None

    status = git("status", "--porcelain", "--untracked-files=no")
    return {
        "commit": git("rev-parse", "HEAD"),
        "modified": None if status is None else bool(status),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


class JsonLinesLogger(Logger):
    """Append figures to ``metrics.jsonl``: one object a line, ``step`` first."""

    def __init__(self, folder: Path) -> None:
        """Write to ``folder``."""
        super().__init__()
        self.path = folder / METRICS

    @property
    def name(self) -> str:
        """Lightning asks for one."""
        return "jsonl"

    @property
    def version(self) -> str:
        """Lightning asks for one."""
        return ""

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *_: Any, **__: Any) -> None:
        """Nothing: config.yaml has them."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Append one line."""
        figures = {name: value for name, value in metrics.items() if name != "epoch"}
        if figures:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(json.dumps({"step": step, **figures}) + "\n")

    @rank_zero_only
    def forget_from(self, step: int) -> None:
        """Drop what a run that goes on after ``step`` steps makes again.

        That are the lines of step ``step`` (counted from 0) and later, and the scores after the
        step before: a checkpoint is written before them. Those before training stay.
        """

        def is_kept(place: int, line: dict[str, Any]) -> bool:
            is_score = any(name.startswith("validation/") for name in line)
            is_before_training = step == 1 and place == 0
            return line["step"] < (step - 1 if is_score and not is_before_training else step)

        read = read_metrics(self.path.parent)
        lines = [line for place, line in enumerate(read) if is_kept(place, line)]
        with atomic_file(self.path) as partial:
            partial.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's ``metrics.jsonl``; a last line that a kill cut short is left out."""
    path = folder / METRICS
    if not path.exists():
        return []
    metrics = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            metrics.append(json.loads(line))
        except json.JSONDecodeError:
            print(f"{path}: left out a line that is not JSON: {line[:60]!r}", file=sys.stderr)
    return metrics
