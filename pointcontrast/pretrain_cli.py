"""The command line of pretraining: before, during, after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytorch_lightning.cli import LightningArgumentParser

from pointcontrast.data.module import PairDataModule
from pointcontrast.data.network_input import num_channels
from pointcontrast.data.pair_readers import StoredPairs
from pointcontrast.errors import InputError, run_command
from pointcontrast.pretrain import PointContrast
from pointcontrast.runs.checkpoints import CHECKPOINT
from pointcontrast.runs.cli import RunCLI
from pointcontrast.runs.folder import read_metrics
from pointcontrast.runs.report import draw_curves, format_scores
from pointcontrast.weights.backbone_file import save_backbone
from pointcontrast.weights.model_card import card_path
from pointcontrast.weights.safetensors_file import BACKBONE

CURVES, FEATURES = "curves.png", "features.png"
"""Pictures in a run's folder."""


class PretrainCLI(RunCLI):
    """Keys: ``data.*`` (:class:`PairDataModule`), ``model.*`` (:class:`PointContrast`)."""

    default_name = "pretrain"

    def __init__(self, argv: list[str] | None = None) -> None:
        """Parse ``argv`` (None: the process's) and build data, model and trainer."""
        self._exported_step = 0
        super().__init__(
            PointContrast,
            PairDataModule,
            argv,
            "Pretrain a sparse 3D network on pairs of views.",
            {"val_check_interval": 2_500},
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the switch for pictures, and link the network's input to the data's features."""
        super().add_arguments_to_parser(parser)
        parser.add_argument(
            "--picture", type=bool, default=True, help="draw curves and features at the end"
        )
        parser.link_arguments(
            "data.features", "model.backbone.init_args.in_channels", compute_fn=num_channels
        )

    def check_data(self) -> None:
        """Read the pair list, and refuse settings that exclude each other."""
        if self.model.pairs_a_pass is not None and self.config.trainer.sync_batchnorm:
            raise InputError(
                "model.pairs_a_pass and trainer.sync_batchnorm exclude each other: passes are one "
                "process's own; leave one of them out"
            )
        super().check_data()

    def train(self) -> int:
        """Score, train, score again, export, and report."""
        self.model.on_scored = self._export
        for note in self.datamodule.notes:
            self.say(f"note: {note}")
        parts = self.trainer.accumulate_grad_batches
        if parts > 1:
            self.say(
                f"trainer.accumulate_grad_batches {parts}: each of the {parts} parts of a step has "
                "its own negatives only; model.pairs_a_pass saves as much memory and takes those "
                "of the whole batch"
            )
        if self.resume_from is None:
            self._validate("before training")
        if not self.fit():
            return self.stopped()
        self._validate("after training")
        if self.trainer.is_global_zero:
            if self._exported_step != self.trainer.global_step:  # no pairs were held out to score
                with self.model.calibrated():
                    self._export({})
            self._report()
        return 0

    def has_results(self) -> bool:
        """Return whether backbone, card and pictures exist."""
        backbone = self.folder / BACKBONE
        drawn = [self.folder / CURVES] if self.config.picture else []
        if drawn and isinstance(self.datamodule.reader, StoredPairs):
            drawn.append(self.folder / FEATURES)
        return all(path.exists() for path in (backbone, card_path(backbone), *drawn))

    def _validate(self, when: str) -> None:
        self.say(f"scoring held-out pairs {when}")
        self.trainer.validate(self.model, self.datamodule, verbose=False)

    def _export(self, scores: dict[str, float]) -> None:
        """Write the backbone as it was scored, unless it is untrained."""
        if self.trainer.global_step == 0 or not self.trainer.is_global_zero:
            return
        save_backbone(
            self.folder / BACKBONE,
            self.model.backbone,
            self.datamodule.network_input,
            {**self.provenance(), **self._all_scores(scores)},
        )
        self._exported_step = self.trainer.global_step

    def _all_scores(self, scores: dict[str, float]) -> dict[str, dict[str, float]]:
        """Return the figures of the exported weights, and those before training."""
        before, _ = _scores(read_metrics(self.folder))
        return {"scores": scores, "scores_before": before}

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
        from pointcontrast.pictures.feature_picture import draw_features

        curves, features = self.folder / CURVES, self.folder / FEATURES
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
    """Return the first and the last validation figures of a run."""
    prefix = "validation/"
    scored = [
        {key.removeprefix(prefix): line[key] for key in line if key.startswith(prefix)}
        for line in metrics
    ]
    scored = [figures for figures in scored if figures]
    return (scored[0], scored[-1]) if scored else ({}, {})


def main(argv: list[str] | None = None) -> int:
    """Run the command line; see ``tools/pretrain.py --help``.

    Args:
        argv: Arguments of the command; None takes those of the process.

    Returns:
        The exit status.
    """
    return run_command(lambda: PretrainCLI(argv).run())


if __name__ == "__main__":
    raise SystemExit(main())
