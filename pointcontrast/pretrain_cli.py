"""The command line of pretraining: configuration, run folder, before, during, after."""

from __future__ import annotations

import logging
import sys
import warnings
from pathlib import Path
from typing import Any

from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Callback, TQDMProgressBar
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.loggers import TensorBoardLogger

from pointcontrast.checkpoint import BACKBONE, save_backbone
from pointcontrast.data import PairDataModule
from pointcontrast.errors import InputError
from pointcontrast.files import atomic_file, write_json
from pointcontrast.last_checkpoint import LastCheckpoint
from pointcontrast.network_input import num_channels
from pointcontrast.pair_readers import StoredPairs
from pointcontrast.pretrain import PointContrast
from pointcontrast.report import draw_curves, format_scores
from pointcontrast.run_folder import (
    CHECKPOINT,
    CONFIG,
    RUN,
    JsonLinesLogger,
    checkpoint_step,
    choose_run_folder,
    describe_run,
    read_metrics,
)

INTERRUPTED = 128
"""Exit status of a run that a signal ended, plus the signal's number."""

TRAINER_DEFAULTS: dict[str, Any] = {
    "max_steps": 60_000,  # as the released launch script scripts/ddp_launch.sh
    "max_epochs": -1,
    "val_check_interval": 2_500,
    "check_val_every_n_epoch": None,  # validation counts steps, not epochs
    "num_sanity_val_steps": 0,  # the network is scored before training anyway
    "log_every_n_steps": 10,
    "use_distributed_sampler": False,  # PairStream gives each rank its part
    "enable_model_summary": False,
}


class PretrainCLI(LightningCLI):
    """Parse the configuration, build the parts, and run them.

    Keys are the constructors' arguments: ``data.*`` (:class:`PairDataModule`), ``model.*``
    (:class:`PointContrast`), ``trainer.*`` (Lightning's), and those of :meth:`add_arguments`.
    """

    def __init__(self, argv: list[str] | None = None) -> None:
        """Parse ``argv`` (None: the process's) and build data, model and trainer."""
        _quiet()
        self.command = list(sys.argv[1:] if argv is None else argv)
        super().__init__(
            PointContrast,
            PairDataModule,
            save_config_callback=None,  # written by run(), beside what else describes the run
            seed_everything_default=0,
            trainer_defaults=TRAINER_DEFAULTS,
            args=argv,
            run=False,
            auto_configure_optimizers=False,  # model.optimizer and model.schedule are the one way
            parser_kwargs={"description": "Pretrain a sparse 3D network on pairs of views."},
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add what belongs to the run as a whole, and tie values that must agree."""
        parser.add_argument(
            "--name", type=str, default="pretrain", help="of the experiment: runs/<name>/<time>"
        )
        parser.add_argument("--run_dir", type=str | None, default=None, help="write here instead")
        parser.add_argument(
            "--ckpt_path",
            type=str | None,
            default=None,
            help="go on from this checkpoint; `last` is the newest of this name",
        )
        parser.add_argument(
            "--checkpoint_every",
            type=int,
            default=250,
            help="steps between writes of last.ckpt (the authors': 250)",
        )
        parser.add_argument(
            "--picture", type=bool, default=True, help="draw curves and features at the end"
        )
        parser.link_arguments("seed_everything", "data.seed", compute_fn=_seed)
        parser.link_arguments("seed_everything", "model.seed", compute_fn=_seed)
        parser.link_arguments(
            "data.features", "model.backbone.init_args.in_channels", compute_fn=num_channels
        )

    def before_instantiate_classes(self) -> None:
        """Choose the run's folder; nothing is written yet."""
        self.folder, self.resume_from = choose_run_folder(
            self.config.name, self.config.run_dir, self.config.ckpt_path
        )
        self.resume_step = 0 if self.resume_from is None else checkpoint_step(self.resume_from)

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Add what every run has: loggers, the last checkpoint, a progress bar."""
        given: Any = self._get(self.config_init, "trainer")
        self.metrics = JsonLinesLogger(self.folder)
        self.last_checkpoint = LastCheckpoint(
            self.folder / CHECKPOINT, self.config.checkpoint_every
        )
        callbacks: list[Callback] = [self.last_checkpoint]
        if self.config.trainer.enable_progress_bar is not False:
            callbacks.append(TQDMProgressBar(refresh_rate=1 if sys.stderr.isatty() else 50))
        return super().instantiate_trainer(
            default_root_dir=str(self.folder),
            logger=[
                self.metrics,
                TensorBoardLogger(
                    self.folder, name="tensorboard", version="", purge_step=self.resume_step
                ),
                *_as_list(given.logger),
            ],
            callbacks=[*callbacks, *_as_list(given.callbacks)],
        )

    def run(self) -> int:
        """Score, train, score again, export; tell what came out.

        Returns:
            The exit status: 0, or 128 and the signal's number where one ended the run.
        """
        if self.trainer.max_steps < 1:
            raise InputError("trainer.max_steps must be set: the stream of samples has no end")
        if self.datamodule.source is None:
            self.datamodule.setup("fit")  # data that is not there leaves no folder behind
        self.folder.mkdir(parents=True, exist_ok=True)
        self._facts = describe_run(self.model.seed, self.command)
        self._exported_step = 0
        self.model.on_scored = self._export
        if self.trainer.is_global_zero:
            self._describe()
        if self.resume_from is None:
            self._validate("before training")
        else:
            print(f"going on from {self.resume_from}")
        self.trainer.fit(self.model, self.datamodule, ckpt_path=self.resume_from)
        if self.last_checkpoint.signal_received is not None:
            print(
                f"stopped at step {self.trainer.global_step} of {self.trainer.max_steps}; go on "
                f"with the same command and --ckpt_path {self.folder / CHECKPOINT}"
            )
            return INTERRUPTED + self.last_checkpoint.signal_received
        self._validate("after training")
        if self.trainer.is_global_zero:
            if self._exported_step != self.trainer.global_step:  # nothing was held out to score
                with self.model.calibrated():
                    self._export({})
            self._report()
        return 0

    def _describe(self) -> None:
        config = self.folder / CONFIG
        with atomic_file(config) as partial:
            self.parser.save(self.config, str(partial), skip_check=True, overwrite=True)
        if self.resume_from is not None:
            self.metrics.forget_from(self.resume_step)
            return
        write_json(self.folder / RUN, self._facts)

    def _validate(self, when: str) -> None:
        print(f"scoring held-out pairs {when}")
        self.trainer.validate(self.model, self.datamodule, verbose=False)

    def _export(self, scores: dict[str, float]) -> None:
        """Write the backbone as it was scored; never the untrained one."""
        if self.trainer.global_step == 0 or not self.trainer.is_global_zero:
            return
        save_backbone(
            self.folder / BACKBONE,
            self.model.backbone,
            self.datamodule.network_input,
            {
                "config": self.parser.dump(self.config, skip_check=True),
                "step": self.trainer.global_step,
                "scores": scores,
                **self._facts,
            },
        )
        self._exported_step = self.trainer.global_step

    def _report(self) -> None:
        metrics = read_metrics(self.folder)
        pictures: list[Path] = []
        if self.config.picture:
            pictures = self._draw(metrics)
        print(f"\ncheckpoint  {self.folder / CHECKPOINT}")
        print(f"backbone    {self.folder / BACKBONE}\n")
        print(format_scores(*_scores(metrics)))
        for picture in pictures:
            print(f"picture     {picture}")

    def _draw(self, metrics: list[dict[str, Any]]) -> list[Path]:
        from pointcontrast.visualize import draw_features

        curves, features = self.folder / "curves.png", self.folder / "features.png"
        draw_curves(curves, {self.config.name: metrics})
        if not isinstance(self.datamodule.reader, StoredPairs):
            return [curves]  # features are drawn from a view store
        dataset = self.datamodule.validation_dataset
        pair = (dataset.pairs or self.datamodule.train_dataset.pairs)[0]
        draw_features(
            self.folder / BACKBONE,
            dataset.root / pair.scene,
            views=[pair.view0],
            png=features,
            window="never",
            compare_untrained=True,
        )
        return [curves, features]


def _scores(metrics: list[dict[str, Any]]) -> tuple[dict[str, float], dict[str, float]]:
    """The first and the last validation figures of a run."""
    prefix = "validation/"
    scored = [
        {key.removeprefix(prefix): line[key] for key in line if key.startswith(prefix)}
        for line in metrics
    ]
    scored = [figures for figures in scored if figures]
    return (scored[0], scored[-1]) if scored else ({}, {})


def _seed(value: Any) -> int:
    """``seed_everything`` may be a number or a switch."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _as_list(value: Any) -> list[Any]:
    if value is None or isinstance(value, bool):
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _quiet() -> None:
    """Silence what Lightning says on every run and what does not fit this program."""
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in (
        ".*args parameter is intended to run from within Python.*",
        ".*does not have many workers.*",  # validation is small
        ".*persistent_workers=True.*",
        ".*Total length of `DataLoader` across ranks is zero.*",  # nothing held out
        ".*dataloader is not resumable.*",  # PairStream starts where the run stopped
        ".*The `srun` command is available.*",
        ".*treespec.*is deprecated.*",  # between Lightning and torch
        r"(?s).*(JsonargparseDeprecation|was deprecated in v4)",  # Lightning and jsonargparse
    ):
        warnings.filterwarnings("ignore", message=message)
