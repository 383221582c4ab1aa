"""Arguments of a run as a whole, and defaults of Lightning's trainer."""

from __future__ import annotations

from typing import Any

from pytorch_lightning.cli import LightningArgumentParser

TRAINER_DEFAULTS: dict[str, Any] = {
    "max_steps": 60_000,  # as the released launch scripts of pretraining and of segmentation
    "max_epochs": -1,
    "check_val_every_n_epoch": None,  # validation counts steps, not epochs
    "num_sanity_val_steps": 0,  # the network is scored before training anyway
    "log_every_n_steps": 10,
    "use_distributed_sampler": False,  # SampleStream gives each rank its part
    "enable_model_summary": False,
}


def add_run_arguments(parser: LightningArgumentParser, default_name: str) -> None:
    """Add the arguments; ``default_name`` is the experiment's where none is given."""
    parser.add_argument(
        "--name",
        type=str,
        default=default_name,
        help="name of the experiment: runs/<name>/<time>",
    )
    parser.add_argument(
        "--run_dir", type=str | None, default=None, help="folder to write to instead"
    )
    parser.add_argument(
        "--ckpt_path",
        type=str | None,
        default=None,
        help="checkpoint to resume from; `last` is the newest whole one of this name, `auto` "
        "the same, or a new run where there is none",
    )
    parser.add_argument(
        "--allow_changed",
        "--allow-changed",
        type=str,
        nargs="+",
        default=[],
        metavar="KEY",
        help="settings that may differ from those of the checkpoint that the run resumes from",
    )
    parser.add_argument(
        "--checkpoint_every",
        type=int,
        default=250,
        help="steps between checkpoints (the authors' pretraining: 250); another is written "
        "before each validation",
    )
    parser.add_argument(
        "--reproduce",
        type=str | None,
        default=None,
        help="bad_batch_step_*.pt of a run, to compute its loss again without training",
    )
