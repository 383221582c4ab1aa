"""Runs that rows start from: tiny, real, and made once per test process.

What a function here returns is shared: a row reads it, or copies it (:func:`copied`) and changes
the copy. The commands are ``PRETRAIN_SMALL`` and ``FINETUNE_SMALL`` with more options after them.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

from tests.helpers.downstream_small import SMALL
from tests.helpers.fork_server import output_of
from tests.helpers.repository import REPOSITORY
from tests.inputs.makers_rgbd import PREPARE_SMALL, box_room_frames, write_seven_scenes
from tests.inputs.makers_scans import write_labelled_rooms
from tests.inputs.row import FINETUNE, PREPARE, PRETRAIN

PRETRAIN_SMALL: tuple[object, ...] = (
    PRETRAIN,
    "--config", REPOSITORY / "configs" / "pretrain" / "rgbd_small.yaml",
    "--data.voxel_size", "0.2",
    "--data.batch_size", "2",
    "--data.num_workers", "0",
    "--data.num_validation_pairs", "1",
    "--model.backbone.init_args.variant", "14A",
    "--model.backbone.init_args.width", "0.125",
    "--model.calibration_batches", "1",
    "--trainer.max_steps", "2",
    "--trainer.log_every_n_steps", "1",
    "--trainer.accelerator", "cpu",
    "--trainer.enable_progress_bar", "false",
    "--picture", "false",
)  # fmt: skip
"""A pretraining of two steps; add ``--data.root PREPARED --run_dir RUN``."""

FINETUNE_SMALL: tuple[object, ...] = (
    FINETUNE,
    "--config", REPOSITORY / "configs" / "downstream" / "demo.yaml",
    "--data.source", "null",
    "--data.voxel_size", "0.2",
    *SMALL,
    "--model.backbone.init_args.width", "0.125",
    "--trainer.max_steps", "2",
)  # fmt: skip
"""A finetuning of two steps; add ``--data.benchmark.init_args.root SCENES --run_dir RUN``."""


@cache
def shared_folder() -> Path:
    """A folder for what is made once; it is there until the end of this process."""
    folder = Path(tempfile.mkdtemp(prefix="inputs-"))
    maker = os.getpid()

    def remove() -> None:
        if os.getpid() == maker:  # not at the end of a fork
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return folder


def copied(made: Path, folder: Path) -> Path:
    """Copy what a function here made into ``folder``, under its own name; return the copy."""
    return Path(shutil.copytree(made, folder / made.name))


@cache
def prepared_scenes() -> Path:
    """A prepared folder of two scenes, ``raw/room_a`` and ``raw/room_b``, five views each."""
    raw, prepared = shared_folder() / "raw", shared_folder() / "prepared"
    write_seven_scenes(raw / "room_a", box_room_frames(5))
    write_seven_scenes(raw / "room_b", box_room_frames(5, step=0.2))
    output_of([PREPARE, raw, "--output", prepared, *PREPARE_SMALL])
    return prepared


@cache
def labelled_rooms() -> Path:
    """A folder of three labelled scenes."""
    return write_labelled_rooms(shared_folder() / "labelled")


@cache
def pretrained_run() -> Path:
    """The folder of a finished pretraining on :func:`prepared_scenes`."""
    run = shared_folder() / "pretrained"
    output_of([*PRETRAIN_SMALL, "--data.root", prepared_scenes(), "--run_dir", run])
    return run


@cache
def finetuned_run() -> Path:
    """The folder of a finished segmentation on :func:`labelled_rooms`, from scratch."""
    run = shared_folder() / "finetuned"
    output_of([
        *FINETUNE_SMALL,
        "--data.benchmark.init_args.root", labelled_rooms(),
        "--run_dir", run,
    ])  # fmt: skip
    return run
