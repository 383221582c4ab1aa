"""The base of the command lines of pretraining and finetuning: folder, loggers, resuming."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import yaml
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Callback, TQDMProgressBar
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.loggers import TensorBoardLogger

from pointcontrast import __version__
from pointcontrast.command_help import with_home
from pointcontrast.data.loading import samples_per_rank
from pointcontrast.errors import InputError, RunFailed
from pointcontrast.files import atomic_file, leftover_of, read_json, remove, write_json
from pointcontrast.runs.architecture import (
    check_same_architecture,
    check_same_weights,
    describe_architecture,
    flat,
)
from pointcontrast.runs.bad_batch import read_bad_batch, reproduce
from pointcontrast.runs.checkpoints import (
    CheckpointFacts,
    facts_entry,
    has_checkpoint,
    read_facts,
    set_aside_damaged,
)
from pointcontrast.runs.class_paths import prepare_parser, with_current_paths
from pointcontrast.runs.finite_guard import FiniteGuard
from pointcontrast.runs.folder import (
    CONFIG,
    RUN,
    JsonLinesLogger,
    choose_run_folder,
    describe_run,
)
from pointcontrast.runs.last_checkpoint import DurableCheckpointIO, LastCheckpoint
from pointcontrast.runs.precision import check_precision
from pointcontrast.runs.quiet import quiet
from pointcontrast.runs.rank_agreement import prepare_and_agree, tell_of_failure
from pointcontrast.runs.run_arguments import TRAINER_DEFAULTS, add_run_arguments
from pointcontrast.runs.settings_of_run import RunSettings
from pointcontrast.runs.slurm import requeue, requeue_signal, slurm_environment
from pointcontrast.runs.stop_signals import StopSignals

INTERRUPTED = 128
"""Exit status of a run that a signal ended, less the signal's number."""

FINISHED = "finished_step"
"""Key in ``run.json`` for the steps after which the run came to its end."""

RESUME = "resume with the same command and --ckpt_path last"
START_AGAIN = "nothing was trained yet: give the same command again"


class RunCLI(LightningCLI, ABC):
    """Parse the configuration, build the parts, and run them in the run's folder.

    Keys are the constructors' arguments: ``data.*``, ``model.*``, ``trainer.*`` (Lightning's),
    and those of :meth:`add_arguments_to_parser`. A subclass implements :meth:`train`.
    """

    default_name: str
    """Name of the experiment where the configuration has none."""

    def __init__(
        self,
        model_class: type[pl.LightningModule],
        data_class: type[pl.LightningDataModule],
        argv: list[str] | None,
        description: str,
        trainer_defaults: dict[str, Any],
    ) -> None:
        """Parse ``argv`` (None: the process's) and build data, model and trainer."""
        quiet()
        prepare_parser()
        self.command = list(sys.argv[1:] if argv is None else argv)
        try:
            super().__init__(
                model_class,
                data_class,
                save_config_callback=None,  # run() writes it
                seed_everything_default=0,
                trainer_defaults={**TRAINER_DEFAULTS, **trainer_defaults},
                args=with_current_paths(self.command),
                run=False,
                auto_configure_optimizers=False,  # model.optimizer and model.schedule do
                parser_kwargs={"description": description},
            )
        except InputError as error:
            raise tell_of_failure(error) from error
        except SystemExit as stop:
            if stop.code:  # this rank's parser has printed the error
                tell_of_failure(InputError("its arguments are wrong; its own output says how"))
            raise

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the arguments of the run as a whole, and link values that must agree."""
        add_run_arguments(parser, self.default_name)
        parser.link_arguments("seed_everything", "data.seed", compute_fn=_seed)
        parser.link_arguments("seed_everything", "model.seed", compute_fn=_seed)

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse, and expand ``~`` in paths of the command line and of configurations."""
        super().parse_arguments(parser, args)
        for key, value in list(self.config.items()):
            expanded = with_home(value)
            if expanded != value:
                self.config[key] = expanded

    def before_instantiate_classes(self) -> None:
        """Choose the run's folder and the checkpoint to resume from; nothing is written yet."""
        self.architecture = describe_architecture(self.config.as_dict())
        self.settings = RunSettings(
            yaml.safe_load(self.parser.dump(self.config, skip_check=True, skip_none=False)),
            self.config.allow_changed,
        )
        self.resumed: CheckpointFacts | None = None
        self.resume_step = 0
        if self.config.reproduce is not None:
            self.folder, self.resume_from = Path(self.config.reproduce).parent, None
            return
        self.folder, self.resume_from = choose_run_folder(
            self.config.name, self.config.run_dir, self.config.ckpt_path
        )
        if self.resume_from is not None:
            self.resumed = facts = read_facts(self.resume_from)
            self.resume_step = facts.step
            check_same_architecture(self.resume_from, facts.architecture, self.architecture)
        elif self.config.allow_changed and self.config.ckpt_path is None:
            raise InputError(
                "--allow-changed is for a run that goes on; give --ckpt_path, or leave it out"
            )

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Add the parts of every run: loggers, the last checkpoint, a progress bar."""
        given: Any = self._get(self.config_init, "trainer")
        self.metrics = JsonLinesLogger(self.folder)
        self.signals = StopSignals()
        self.last_checkpoint = LastCheckpoint(
            self.folder,
            self.config.checkpoint_every,
            self.signals,
            facts_entry(self.architecture),
        )
        self.finite_guard = FiniteGuard(self.folder, self.architecture)
        callbacks: list[Callback] = [self.last_checkpoint, self.finite_guard]
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
            plugins=[
                DurableCheckpointIO(),
                *_as_list(slurm_environment()),
                *_as_list(given.plugins),
            ],
        )

    def run(self) -> int:
        """Describe the run in its folder, and train.

        Returns:
            The exit status: 0, or 128 plus the number of the signal that ended the run.
        """
        if self.trainer.max_steps < 1:
            raise InputError("trainer.max_steps must be set: the stream of samples has no end")
        if self.config.reproduce is not None:
            return self._reproduce(Path(self.config.reproduce))
        with self.signals:
            try:
                return self._run()
            except (KeyboardInterrupt, SystemExit):  # Lightning turns the first into the second
                if self.signals.received is None:
                    raise
                return self.stopped()
            except (RunFailed, OSError):
                if self.trainer.is_global_zero and has_checkpoint(self.folder):
                    print(f"{self.folder} keeps its checkpoint: {RESUME}", file=sys.stderr)
                raise

    def _run(self) -> int:
        self._meet()
        for note in self.settings.all_notes():
            self.say(f"note: {note}")
        if self.resume_from is not None and self._is_done():
            return 0
        self.model.takes_new_settings = not self.settings.is_same
        self.last_checkpoint.facts = facts_entry(
            self.architecture, self.settings.values, self.settings.changes
        )
        self.datamodule.start_importing()
        self.facts = describe_run(self.model.seed, self.command)
        if self.trainer.is_global_zero:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._describe()
        if self.resume_from is not None:
            self.say(f"resuming from {self.resume_from}")
        status = self.train()
        if status == 0 and self.trainer.is_global_zero:
            self._note_end()
        return status

    def _note_end(self) -> None:
        """Write the steps of the finished run to ``run.json``."""
        path = self.folder / RUN
        told = read_json(path) if path.exists() else {}
        write_json(path, {**told, FINISHED: self.trainer.global_step})

    def _is_done(self) -> bool:
        """Return whether a resumed run has nothing left to do, and say so."""
        most = self.trainer.max_steps
        if self.resume_step < most:
            return False
        if self.resume_step > most:
            self.say(
                f"nothing to do: {self.resume_from} is at step {self.resume_step}, past "
                f"trainer.max_steps {most}"
            )
            return True
        path = self.folder / RUN
        finished = read_json(path).get(FINISHED) if path.exists() else None
        if finished == most and self.has_results():
            self.say(
                f"nothing to do: the {most} steps of the run in {self.folder} are done; for more, "
                "give a larger trainer.max_steps"
            )
            return True
        self.say(f"all {most} steps are done; the results are made again")
        return False

    def say(self, text: str) -> None:
        """Print on rank 0."""
        if self.trainer.is_global_zero:
            print(text, flush=True)

    def _meet(self) -> None:
        """Check data and configuration, start the other processes, and agree with them."""
        # kept as an attribute: rank 0 may hold the store, which others still read
        self.ranks, agreed = prepare_and_agree(
            self.trainer, self._prepare, self._check, self._statement
        )
        self.folder = Path(agreed["_folder"])  # named by the time, which differs between ranks
        self.last_checkpoint.folder = self.finite_guard.folder = self.folder

    def _prepare(self) -> None:
        """Compare the settings with those of the checkpoint, then make the data."""
        data, ranks = self.datamodule, self.trainer.world_size
        samples = samples_per_rank(data.batch_size, data.total_batch_size, ranks) * ranks
        self.settings.record_samples(samples)
        if self.resume_from is not None and self.resumed is not None:
            self.settings.compare(self.resume_from, self.resumed, self.model.paces())
        self.datamodule.prepare_data()

    def _statement(self) -> dict[str, Any]:
        """Return the values that all ranks must share, and the folder of rank 0."""
        return {
            "version": __version__,
            **flat(yaml.safe_load(self.parser.dump(self.config, skip_check=True))),
            **flat(self.datamodule.contents(), "data.contents."),
            "the step of --ckpt_path": self.resume_step,
            "_folder": str(self.folder),
        }

    def _check(self) -> None:
        """Check everything that can be checked before the computation starts."""
        self.check_data()
        self.settings.compare_data(self.datamodule.contents(), self.datamodule.meaning())
        check_precision(self.model, str(self.trainer.precision))
        if self.resume_from is not None:
            check_same_weights(self.resume_from, self.model)

    def _reproduce(self, path: Path) -> int:
        bad = read_bad_batch(path, self.model.batch_class)
        check_same_architecture(path, bad.architecture, self.architecture)
        self.datamodule.prepare_data()
        self.check_data()
        self.model.to(self.trainer.strategy.root_device)
        with self.trainer.precision_plugin.forward_context():
            print(reproduce(bad, self.model))
        return 0

    def check_data(self) -> None:
        """Check the data before the run's folder is made; bad data leaves no folder behind."""
        samples_per_rank(
            self.datamodule.batch_size, self.datamodule.total_batch_size, self.trainer.world_size
        )
        synchronised = self.config.trainer.sync_batchnorm and self.trainer.world_size > 1
        if synchronised and self.trainer.strategy.root_device.type == "cpu":
            raise InputError(
                "trainer.sync_batchnorm needs GPUs: PyTorch synchronises batch norm only there; "
                "leave it out, and each process's batch norm sees its own batch"
            )
        self.datamodule.setup("fit")

    @abstractmethod
    def train(self) -> int:
        """Run the experiment; return the exit status."""

    @abstractmethod
    def has_results(self) -> bool:
        """Return whether the run's folder holds all that the end of a run writes."""

    def fit(self) -> bool:
        """Train, from a checkpoint if one was given; return whether training reached its end."""
        self.trainer.fit(self.model, self.datamodule, ckpt_path=self.resume_from)
        if self.resume_step >= self.trainer.max_steps:  # there was nothing to train
            self.last_checkpoint.complete_last_step(self.trainer)
        return self.signals.agreed(self.trainer) is None  # the same answer on all ranks

    def stopped(self) -> int:
        """Say how to resume after a signal, queue a pre-empted job again, return the status."""
        number = self.signals.received
        assert number is not None
        self.say(
            f"stopped at step {self.trainer.global_step} of {self.trainer.max_steps} in "
            f"{self.folder}; {RESUME if (self.folder / RUN).exists() else START_AGAIN}"
        )
        if self.trainer.is_global_zero and number == requeue_signal():
            self.say(f"queued job {requeue()} again")
        return INTERRUPTED + number

    def provenance(self) -> dict[str, Any]:
        """Return the provenance that is stored in files of weights."""
        return {
            "config": self.parser.dump(self.config, skip_check=True),
            "step": self.trainer.global_step,
            **({"changes": self.settings.changes} if self.settings.changes else {}),
            **self.facts,
        }

    def _describe(self) -> None:
        config = self.folder / CONFIG
        with atomic_file(config) as partial:
            self.parser.save(self.config, str(partial), skip_check=True, overwrite=True)
        for path in list(self.folder.iterdir()):
            if leftover_of(path) is not None:  # of a run that was killed while it wrote
                remove(path)
        if self.metrics.path.exists():
            self.metrics.forget_from(self.resume_step)
        if self.resume_from is None:
            write_json(self.folder / RUN, self.facts)
            return
        set_aside_damaged(self.folder)


def _seed(value: Any) -> int:
    """Return the number of ``seed_everything``, which may be a switch: then 0."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _as_list(value: Any) -> list[Any]:
    if value is None or isinstance(value, bool):
        return []
    return list(value) if isinstance(value, list | tuple) else [value]
