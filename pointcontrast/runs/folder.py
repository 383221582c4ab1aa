"""The folder of a run: its configuration, its environment, its figures and its results.

config.yaml            the resolved configuration, for `--config`
run.json               versions, commit, machine, seed, command line
metrics.jsonl          one JSON object per line: step and figures
tensorboard/           the same figures as curves
last.ckpt              the newest checkpoint, to resume from
previous.ckpt          the one before, in case the last is damaged
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
from pointcontrast.files import atomic_file, check_output_folder, errors_name
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
    """Choose a run's folder and the checkpoint to resume from.

    Args:
        name: Name of the experiment; new runs go to ``runs/<name>/<time>``.
        run_dir: Folder that the user named, or None.
        ckpt_path: None for a new run; ``last`` for the newest whole checkpoint of this name (or
            of ``run_dir``); ``auto`` for the same where there is a run, else a new one; or a
            checkpoint's path. A resumed run keeps its folder. A run that ended before its first
            checkpoint starts again in its folder.

    Returns:
        The folder, and the checkpoint or None.

    Raises:
        InputError: The checkpoint is missing or damaged, or ``run_dir`` holds a run already.
    """
    folder = None if run_dir is None else Path(run_dir)
    if folder is not None:
        check_output_folder(folder, "--run_dir")
    if ckpt_path in ("last", "auto"):
        begun = _newest_run(name, folder)
        if begun is not None:
            if has_checkpoint(begun):
                return begun, newest_good(begun)
            print(f"the run in {begun} ended before its first checkpoint; it starts again")
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
            f"--run_dir {folder} holds a run already; add --ckpt_path last to resume it, "
            "or name another folder"
        )
    time = datetime.now().strftime("%Y%m%d-%H%M%S")
    return folder or Path("runs") / name / time, None


def _newest_run(name: str, folder: Path | None) -> Path | None:
    """Find the folder of the run written last; runs with a checkpoint come first."""
    folders = (Path("runs") / name).glob("*") if folder is None else [folder]
    ages = {
        begun: (file != RUN, (begun / file).stat().st_mtime)
        for begun in folders
        for file in (RUN, PREVIOUS, CHECKPOINT)  # the last one that exists counts
        if (begun / file).is_file()
    }
    return max(ages, key=ages.__getitem__, default=None)


def describe_run(seed: int | None, command: list[str]) -> dict[str, Any]:
    """Describe the environment of a run, to reproduce it, as JSON values."""
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
    """Return the commit of a folder and whether files differ from it; None outside git."""

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
    """Append figures to ``metrics.jsonl``: one object per line, ``step`` first."""

    name, version = "jsonl", ""  # pyright: ignore[reportIncompatibleMethodOverride, reportAssignmentType]

    def __init__(self, folder: Path) -> None:
        """Write to ``folder``."""
        super().__init__()
        self.path = folder / METRICS

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *_: Any, **__: Any) -> None:
        """Nothing: config.yaml has them."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Append one line."""
        figures = {name: value for name, value in metrics.items() if name != "epoch"}
        if figures:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with errors_name(self.path), open(self.path, "a", encoding="utf-8") as file:
                file.write(json.dumps({"step": step, **figures}) + "\n")

    @rank_zero_only
    def forget_from(self, step: int) -> None:
        """Drop the lines that a run resumed after ``step`` steps writes again.

        These are the lines of step ``step`` (counted from 0) and later, and the scores after the
        step before, which come after the checkpoint. Scores before training stay.
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
    """Read a run's ``metrics.jsonl``, without a last line that a kill cut short."""
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
