"""Pre-emption under SLURM: a real run with a `scontrol` that only writes down how it was called."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from pathlib import Path

import pytest
import yaml

from pointcontrast.errors import RunFailed
from pointcontrast.pretrain_cli import main
from pointcontrast.runs.checkpoints import read_facts
from pointcontrast.runs.slurm import requeue, requeue_signal
from tests.helpers.killed_runs import assert_same_runs, finish, losses, start, wait_for_lines
from tests.helpers.repository import REPOSITORY

SBATCH = REPOSITORY / "tools" / "slurm" / "pretrain.sbatch"
TASK = {
    "SLURM_JOB_ID": "4711", "SLURM_JOB_NAME": "pointcontrast", "SLURM_NTASKS": "1",
    "SLURM_NTASKS_PER_NODE": "1", "SLURM_NNODES": "1", "SLURM_PROCID": "0",
    "SLURM_LOCALID": "0", "SLURM_NODEID": "0", "SLURM_NODELIST": "127.0.0.1",
}  # fmt: skip
"""What `srun` tells the one task of a job."""


@pytest.fixture
def scontrol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file to which each call of `scontrol` is appended."""
    calls = tmp_path / "calls"
    program = tmp_path / "bin" / "scontrol"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {calls}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return calls


def test_a_preempted_job_is_queued_again_and_goes_on(config: Path, scontrol: Path) -> None:
    folder = Path("run")
    arguments = ("--config", config, "--trainer.max_steps", 24, "--checkpoint_every", 1000,
                 "--trainer.val_check_interval", 1000)  # fmt: skip
    again = (*arguments, "--run_dir", folder, "--ckpt_path", "auto")
    environment = {**TASK, "PATH": os.environ["PATH"]}
    job = start("pretrain", *again, "--data.num_workers", 2, **environment)
    wait_for_lines(job, folder, 2)
    os.killpg(job.pid, signal.SIGUSR1)  # as slurmstepd: all processes of the step
    output = finish(job, 128 + signal.SIGUSR1)
    assert "queued job 4711 again" in output
    assert scontrol.read_text() == "requeue 4711\n"
    assert 2 <= read_facts(folder / "last.ckpt").step == len(losses(folder)) < 24
    finish(start("pretrain", *again, **environment, SLURM_RESTART_COUNT="1"), 0)
    assert main([*map(str, arguments), "--run_dir", "whole"]) == 0
    assert_same_runs(Path("whole"), folder)
    assert scontrol.read_text() == "requeue 4711\n"


def test_array_jobs_are_named_by_job_and_task(
    scontrol: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert requeue_signal() is None
    for name, value in (("JOB_ID", "4713"), ("ARRAY_JOB_ID", "4711"), ("ARRAY_TASK_ID", "2")):
        monkeypatch.setenv(f"SLURM_{name}", value)
    assert requeue_signal() == signal.SIGUSR1
    assert requeue() == "4711_2"
    assert scontrol.read_text() == "requeue 4711_2\n"


def test_a_refusal_is_told(scontrol: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin" / "scontrol").write_text("#!/bin/sh\necho not allowed >&2\nexit 1\n")
    monkeypatch.setenv("SLURM_JOB_ID", "5")
    with pytest.raises(RunFailed, match="requeue 5` failed: not allowed; submit the job again"):
        requeue()
    (tmp_path / "bin" / "scontrol").unlink()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(RunFailed, match="No such file"):
        requeue()


def test_the_job_script_is_one_that_bash_and_our_parser_take(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["bash", "-n", str(SBATCH)], check=True)
    # run it whole, but for srun, which here prints its words
    for name, body in (("srun", 'printf "%s\\n" "$@"\n'), ("activate", "")):
        path = tmp_path / (".venv/bin/activate" if name == "activate" else "bin/srun")
        path.parent.mkdir(parents=True)
        path.write_text(body if name == "activate" else f"#!/bin/sh\n{body}")
        path.chmod(0o755)
    said = subprocess.run(
        ["bash", str(SBATCH)], cwd=tmp_path, check=True, capture_output=True, text=True,
        env={**os.environ, **TASK, "SLURM_NNODES": "2", "SLURM_NTASKS_PER_NODE": "4",
             "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"},
    ).stdout.splitlines()  # fmt: skip
    assert said[:2] == ["python", "tools/pretrain.py"]
    monkeypatch.chdir(REPOSITORY)
    with pytest.raises(SystemExit) as stopped:
        main([*said[2:], "--print_config"])
    assert stopped.value.code == 0
    resolved = yaml.safe_load(capsys.readouterr().out)
    assert resolved["run_dir"] == "runs/scannet_infonce/slurm-4711"
    assert resolved["ckpt_path"] == "auto"
    assert resolved["trainer"]["num_nodes"] == 2
    assert resolved["trainer"]["devices"] in (4, "4")


def test_the_job_script_asks_slurm_for_what_the_run_hears() -> None:
    options = [
        shlex.split(line.removeprefix("#SBATCH"), comments=True)[0].split("=")
        for line in SBATCH.read_text().splitlines()
        if line.startswith("#SBATCH")
    ]
    names = {option[0]: option[1:] for option in options}
    assert "--requeue" in names
    assert names["--open-mode"] == ["append"]
    number, _, seconds = names["--signal"][0].partition("@")
    assert getattr(signal, number) == signal.SIGUSR1
    assert int(seconds) >= 60
