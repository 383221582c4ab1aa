"""The command line of finetuning: one run, or one per seed."""

from __future__ import annotations

import os
import sys
from operator import attrgetter

from pytorch_lightning.cli import LightningArgumentParser

from downstream.data import FinetuneDataModule
from downstream.evaluate import SCORES, evaluate_network, write_evaluation
from downstream.finetune import Finetune
from downstream.network_file import BEST, LAST, read_network, save_network
from downstream.seeds import run_seeds, take_seeds
from pointcontrast.data.network_input import num_channels
from pointcontrast.errors import InputError, run_command
from pointcontrast.files import write_json
from pointcontrast.losses.gathering import part_ways
from pointcontrast.runs.checkpoints import CHECKPOINT
from pointcontrast.runs.cli import RunCLI

INITIALIZATION = "initialization.json"


class FinetuneCLI(RunCLI):
    """Keys: ``data.*`` (:class:`FinetuneDataModule`), ``model.*`` (:class:`Finetune`)."""

    default_name = "finetune"

    def __init__(self, argv: list[str] | None = None) -> None:
        """Parse ``argv`` (None: those of the process) and build data, model and trainer."""
        super().__init__(
            Finetune,
            FinetuneDataModule,
            argv,
            "Finetune a pretrained backbone on a benchmark. --seeds 0,1,2 makes one run per seed, "
            "and a table of their mean and standard deviation.",
            {"val_check_interval": 500},  # as the released ScanNet script
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Link benchmark and network input; the backbone has no output layer."""
        super().add_arguments_to_parser(parser)
        backbone = "model.backbone.init_args"
        parser.link_arguments("data.features", f"{backbone}.in_channels", compute_fn=num_channels)
        parser.link_arguments("data.features", f"{backbone}.out_channels", compute_fn=_no_output)
        for name in ("benchmark", "network_input"):
            parser.link_arguments(
                "data", f"model.{name}", compute_fn=attrgetter(name), apply_on="instantiate"
            )

    def check_data(self) -> None:
        """List the clouds, then build the network for their classes."""
        super().check_data()
        self.model.configure_model()

    def train(self) -> int:
        """Train, write the best and the last network, and score the best."""
        self.model.on_scored = self._save
        if self.trainer.is_global_zero:
            self._say_initialization()
            chosen, everything = self.datamodule.train_dataset, self.datamodule.benchmark
            for note in self.datamodule.notes:
                print(f"note: {note}")
            print(f"training on {len(chosen)} of {len(everything.names('train'))} clouds")
        if self.resume_from is None:
            self.model.measure_frozen(self.datamodule)
        if not self.fit():
            return self.stopped()
        # Shorter than the validation interval
        if not self.trainer.strategy.broadcast((self.folder / BEST).exists()):
            self.trainer.validate(self.model, self.datamodule, verbose=False)
        part_ways()
        if self.trainer.is_global_zero:
            self._finish()
        return 0

    def has_results(self) -> bool:
        """Return whether the networks and the scores, which are written last, exist."""
        return all((self.folder / name).exists() for name in (BEST, LAST, SCORES))

    def _say_initialization(self) -> None:
        report = self.model.initialization
        if report is None:
            print("weights: from scratch")
            return
        print(report)
        write_json(self.folder / INITIALIZATION, report.to_json())

    def _save(self, scores: dict[str, float], is_best: bool) -> None:
        """Write the network as it was scored, also as the best if it is."""
        if not self.trainer.is_global_zero or self.trainer.sanity_checking:
            return
        for name in (LAST, BEST) if is_best else (LAST,):
            save_network(
                self.folder / name,
                self.model.network,
                self.datamodule.network_input,
                self.datamodule.benchmark,
                {**self.provenance(), "scores": scores},
            )

    def _finish(self) -> None:
        best = self.folder / BEST
        evaluation = evaluate_network(
            read_network(best, self.model.network.backbone.engine_name),
            self.datamodule.benchmark,
            self.datamodule.benchmark.final_split,
            device=self.trainer.strategy.root_device,
        )
        print(f"\ncheckpoint  {self.folder / CHECKPOINT}\nbest        {best}")
        print(f"last        {self.folder / LAST}\n")
        if evaluation is not None:
            write_evaluation(self.folder, evaluation)
            print(evaluation.table())


def run_command_line(argv: list[str] | None) -> int:
    """Make one run, or one per seed and a table of their mean and standard deviation."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    seeds, rest = take_seeds(arguments)
    if seeds is not None and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise InputError(
            "--seeds starts its runs itself and cannot run under torchrun; give one "
            "--seed_everything per command"
        )
    return FinetuneCLI(rest).run() if seeds is None else run_seeds(seeds, rest)


def _no_output(_: object) -> None:
    """The head replaces the backbone's output layer."""


def main(argv: list[str] | None = None) -> int:
    """Run the command line; see ``tools/finetune.py --help``.

    Args:
        argv: Arguments; None for those of the process.

    Returns:
        The exit status.
    """
    return run_command(lambda: run_command_line(argv))


if __name__ == "__main__":
    raise SystemExit(main())
