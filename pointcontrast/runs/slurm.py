"""Pre-emption by SLURM: announced by a signal, after which the job is queued again."""

from __future__ import annotations

import os
import signal
import subprocess

from lightning_fabric.plugins.environments.slurm import SLURMEnvironment

from pointcontrast.errors import RunFailed


def requeue_signal() -> int | None:
    """Return the signal of ``#SBATCH --signal=SIGUSR1@90``; None outside a SLURM job."""
    return signal.SIGUSR1 if "SLURM_JOB_ID" in os.environ else None


def slurm_environment() -> SLURMEnvironment | None:
    """Return Lightning's source of ranks and addresses under ``srun``; None outside of it.

    Lightning's own requeueing is off: it saves within the signal's handler, in the middle of a
    step and on each rank separately.
    """
    return SLURMEnvironment(auto_requeue=False) if SLURMEnvironment.detect() else None


def requeue() -> str:
    """Queue this job again, from one process of the job, and return the job's number.

    Raises:
        RunFailed: SLURM refused, or ``scontrol`` does not exist.
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
