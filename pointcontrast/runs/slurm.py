"""Jobs that SLURM takes the machine from: announced by a signal, and queued again."""

from __future__ import annotations

import os
import signal
import subprocess

from lightning_fabric.plugins.environments.slurm import SLURMEnvironment

from pointcontrast.errors import RunFailed


def requeue_signal() -> int | None:
    """The signal that ``#SBATCH --signal=SIGUSR1@90`` sends; None outside a SLURM job."""
    return signal.SIGUSR1 if "SLURM_JOB_ID" in os.environ else None


def slurm_environment() -> SLURMEnvironment | None:
    """What Lightning asks for ranks and addresses under ``srun``; None outside of it.

    Lightning's own requeueing is off: it saves from within the signal's handler, wherever the
    step at hand is, each rank by itself.
    """
    return SLURMEnvironment(auto_requeue=False) if SLURMEnvironment.detect() else None


def requeue() -> str:
    """Queue this job again; returns its number. One process of the job calls this.

    Raises:
        RunFailed: SLURM refused, or ``scontrol`` is not there.
    """
    job = os.environ["SLURM_JOB_ID"]
    if "SLURM_ARRAY_JOB_ID" in os.environ:
        job = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    command = ["scontrol", "requeue", job]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip()
        raise RunFailed(f"`{' '.join(command)}` failed: {said}; submit the job again") from error
    return job
