"""Several seeds in one command: one process per seed, and a table of mean and deviation."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime
from pathlib import Path

import yaml

from downstream.evaluate import SCORES, main_figures
from downstream.metrics.tables import mean_std_table
from pointcontrast.command_help import with_home
from pointcontrast.errors import InputError
from pointcontrast.files import atomic_file, read_json
from pointcontrast.runs.folder import RUN

TABLE = "seeds.txt"


def take_seeds(argv: list[str]) -> tuple[list[int] | None, list[str]]:
    """Split ``--seeds 0,1,2`` from the other arguments.

    Returns:
        The seeds, None without ``--seeds``; and the other arguments.

    Raises:
        InputError: the seeds are not different integers, or ``--seed_everything`` is given too.
    """
    rest: list[str] = []
    words: str | None = None
    arguments = iter(argv)
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if name == "--seeds":
            words = value if equals else next(arguments, "")
        else:
            rest.append(argument)
    if words is None:
        return None, rest
    try:
        seeds = [int(word) for word in words.split(",")]
    except ValueError:
        raise InputError(f"--seeds {words!r} must be integers, such as 0,1,2") from None
    if len(set(seeds)) < len(seeds):
        raise InputError(f"--seeds {words!r} names a seed twice")
    if any(argument.startswith(("--seed_everything", "--ckpt_path")) for argument in rest):
        raise InputError(
            "--seeds sets --seed_everything and --ckpt_path itself; leave them out. The same "
            "command with --run_dir resumes runs that were stopped"
        )
    return seeds, rest


def run_seeds(seeds: list[int], argv: list[str]) -> int:
    """Run the command once per seed, and print the mean and deviation of the scores.

    If ``--run_dir`` names the folder of an earlier command, finished runs are not repeated and
    stopped runs are resumed.

    Args:
        seeds: Seeds; each run goes to ``<run_dir>/seed_<seed>``.
        argv: Arguments of the command without seeds.

    Returns:
        0, or the exit status of the first run that failed.
    """
    folder, rest = _take_run_dir(argv)
    for seed in seeds:
        run = folder / f"seed_{seed}"
        own = ["--seed_everything", str(seed), "--run_dir", str(run), "--ckpt_path", "auto"]
        if (run / SCORES).exists() and _command_of(run) == [*rest, *own]:
            print(f"seed {seed}: finished before in {run}")
            continue  # under another command, the run itself compares its settings
        command = [sys.executable, "-m", "downstream.finetune_cli", *rest, *own]
        print(f"seed {seed}: {run}", flush=True)
        status = subprocess.run(command, check=False).returncode
        if status:
            print(f"seed {seed} ended with status {status}; resume with --run_dir {folder}")
            return status
    table = mean_std_table([main_figures(read_json(folder / f"seed_{s}" / SCORES)) for s in seeds])
    with atomic_file(folder / TABLE) as partial:
        partial.write_text(table, "utf-8")
    print(f"\n{len(seeds)} seeds in {folder}\n{table}")
    return 0


def _command_of(run: Path) -> list[str] | None:
    """Arguments that a run was started with; None where its folder does not tell."""
    path = run / RUN
    return read_json(path).get("command") if path.exists() else None


def _take_run_dir(argv: list[str]) -> tuple[Path, list[str]]:
    """Folder of all seeds, and the arguments without it."""
    rest: list[str] = []
    folder: str | None = None
    name: str | None = None
    configured = "finetune"
    arguments = iter(argv)
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if key == "--run_dir":
            folder = with_home(value if equals else next(arguments, ""))
            continue
        rest.append(argument)
        if key == "--name":
            name = value if equals else next(arguments, "")
            rest += [] if equals else [name]
        elif key in ("--config", "-c"):
            path = value if equals else next(arguments, "")
            rest += [] if equals else [path]
            configured = _name_in(Path(with_home(path))) or configured
    time = datetime.now().strftime("%Y%m%d-%H%M%S")
    return Path(folder or Path("runs") / f"{name or configured}_seeds" / time), rest


def _name_in(config: Path) -> str | None:
    """Name of the experiment in a configuration; None if it cannot be read, which runs report."""
    try:
        value = yaml.safe_load(config.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None
    return value.get("name") if isinstance(value, dict) else None
