"""The settings of a run: what a checkpoint was trained with, compared with what goes on from it.

A run's settings belong to it: weights that saw two voxel sizes are those of neither. So each
checkpoint holds its settings, and a run that goes on under others is refused key by key, or names
them by ``--allow-changed``; then every file that it writes tells of the change. (Lightning restores
weights, optimiser and steps under whatever configuration it is started with: Lightning-AI/
pytorch-lightning issue 12118. A learning rate that had decayed to its end and is computed anew for
a longer run is huggingface/transformers issue 18070.)
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from pointcontrast.errors import InputError
from pointcontrast.runs.architecture import flat
from pointcontrast.runs.checkpoints import CheckpointFacts
from pointcontrast.runs.folder import CONFIG
from pointcontrast.runs.setting_keys import (
    BATCH_SIZES,
    CHOOSING,
    CONTENTS,
    FREE,
    FREE_ARGUMENTS,
    MAX_STEPS,
    MEANING,
    PATHS,
    SAMPLES,
)

_SHOWN = 60
_GIVEN = "given"

Pace = Callable[[int, int], float]
"""A value that follows the steps, such as a learning rate: (step, steps of the run) -> factor."""


@dataclass(frozen=True)
class Change:
    """A setting that differs between a checkpoint and the run that goes on from it.

    Attributes:
        key: Key of the configuration, or of the data's contents.
        was: Value of the steps before, JSON.
        now: Value of the steps after.
        step: Steps that were done before the change.
    """

    key: str
    was: Any
    now: Any
    step: int

    def __str__(self) -> str:
        """Name the key and both values."""
        return f"{self.key} {_shown(self.was)}, here {_shown(self.now)}"


class RunSettings:
    """The settings of this start of a run, and what changed since its checkpoint.

    Attributes:
        values: Settings by key, JSON; stored in each checkpoint.
        changes: Accepted changes since the run began, oldest first, as JSON.
        notes: Sentences about them, for the user.
    """

    def __init__(self, config: Mapping[str, Any], allowed: Sequence[str]) -> None:
        """Take a configuration.

        Args:
            config: Resolved configuration with its nulls, nested mappings of JSON values.
            allowed: Keys of ``--allow-changed``; each stands for all keys below it.
        """
        self.values = _compared(config)
        self.changes: list[dict[str, Any]] = []
        self.notes: list[str] = []
        self._allowed = tuple(allowed)
        self._facts: CheckpointFacts | None = None
        self._checkpoint = Path()
        self._accepted: list[Change] = []

    def record_samples(self, samples: int) -> None:
        """Add the samples per step of all processes."""
        self.values[SAMPLES] = samples

    def compare(self, checkpoint: Path, facts: CheckpointFacts, paces: Sequence[Pace]) -> None:
        """Compare the configuration with that of a checkpoint.

        Args:
            checkpoint: File that the run goes on from.
            facts: Its description of itself.
            paces: Values that follow the steps; a length of the run under which they are the same
                for all steps done is no change.

        Raises:
            InputError: Settings differ that are not allowed to, or a key of ``--allow-changed`` is
                no setting.
        """
        self._checkpoint, self._facts = checkpoint, facts
        self.notes = []
        saved = facts.settings
        if saved is None:
            saved = _settings_beside(checkpoint)
            source = "from config.yaml next to it" if saved else "not recorded, nor compared"
            self.notes.append(f"{checkpoint} is of an older version; its settings are {source}")
        found = [
            change
            for change in _differences(saved, self.values, facts.step)
            if not change.key.startswith((f"{CONTENTS}.", f"{MEANING}."))
        ]
        if saved.get(SAMPLES) == self.values[SAMPLES]:
            found = [change for change in found if change.key not in BATCH_SIZES]
        elif any(change.key in BATCH_SIZES for change in found):
            found = [change for change in found if change.key != SAMPLES]
        self._check_allowed({*saved, *self.values})
        self._accept([change for change in found if not self._is_consistent(change, paces)])

    def compare_data(self, contents: Mapping[str, Any], meaning: Mapping[str, Any]) -> None:
        """Compare the data with those of the checkpoint; without one, record them.

        Args:
            contents: Digests of the data, by name.
            meaning: What the outputs of the network mean, nested JSON values.

        Raises:
            InputError: The meaning differs, or the contents do without leave.
        """
        self.values |= flat(contents, f"{CONTENTS}.") | flat(meaning, f"{MEANING}.")
        if self._facts is None:
            return
        saved = self._facts.settings or {}
        changes = list(_differences(saved, self.values, self._facts.step))
        other = [change for change in changes if change.key.startswith(f"{MEANING}.")]
        if other:
            raise InputError(
                f"{self._checkpoint} is of a network for another task: it has {_listed(other)}; "
                "its outputs would be read as something else. Give the data that it was trained "
                "on, or start a new run from its weights (--model.weights)"
            )
        if any(_is_below(change.key, CHOOSING) for change in self._accepted):
            return  # other data were asked for
        self._accept([change for change in changes if change.key.startswith(f"{CONTENTS}.")])

    def _accept(self, found: Sequence[Change]) -> None:
        refused = [change for change in found if not _is_below(change.key, self._allowed)]
        if refused:
            keys = " ".join([*self._allowed, *(change.key for change in refused)])
            raise InputError(
                f"{self._checkpoint} was trained with other settings: {_listed(refused)}; give "
                f"its values, start a new run, or add --allow-changed {keys} to go on with a "
                "mixture, which the run's files will tell of"
            )
        assert self._facts is not None
        kept = {change.key: change for change in (*self._accepted, *found)}
        self._accepted = list(kept.values())
        self.changes = [*self._facts.changes, *(asdict(change) for change in self._accepted)]

    @property
    def is_same(self) -> bool:
        """Whether the run goes on as it was, with the same length."""
        return not self._accepted and not self.notes

    def all_notes(self) -> list[str]:
        """Return what the user must know of the changes."""
        return [
            *self.notes,
            *(
                f"changed after step {change.step}: {change.key} was {_shown(change.was)}, is "
                f"{_shown(change.now)}"
                for change in self._accepted
            ),
        ]

    def _is_consistent(self, change: Change, paces: Sequence[Pace]) -> bool:
        """Whether another length of the run leaves the steps done as they were."""
        if change.key != MAX_STEPS:
            return False
        if change.now <= change.step:
            return True  # nothing is left to train
        steps = range(0, change.step, max(1, change.step // 1000))
        if any(
            pace(step, change.was) != pace(step, change.now) for pace in paces for step in steps
        ):
            return False
        self.notes.append(
            f"{MAX_STEPS} is {change.now}, was {change.was}: the steps done are the same under both"
        )
        return True

    def _check_allowed(self, known: set[str]) -> None:
        for key in self._allowed:
            if not any(_is_below(name, (key,)) for name in known):
                close = difflib.get_close_matches(key, known, 1)
                hint = f"; is {close[0]} meant?" if close else ""
                raise InputError(f"--allow-changed {key} is no setting of this run{hint}")


def _compared(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a configuration that a checkpoint is compared by."""
    return {
        key: value
        for key, value in flat(config).items()
        if not _is_below(key, FREE) and key.rpartition(".")[2] not in FREE_ARGUMENTS
    }


def _settings_beside(checkpoint: Path) -> dict[str, Any]:
    """The settings in ``config.yaml`` beside a checkpoint; none where it cannot be read."""
    try:
        config = yaml.safe_load((checkpoint.parent / CONFIG).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return _compared(config) if isinstance(config, dict) else {}


def _differences(
    saved: Mapping[str, Any], current: Mapping[str, Any], step: int
) -> Iterator[Change]:
    """The keys whose values differ.

    A key that one side lacks is an argument that another version of this program, or another class,
    does not have; the class is a difference of its own.
    """
    told: set[str] = set()
    for key in dict.fromkeys([*saved, *current]):
        if key in saved and key in current:
            if not _is_same(key, saved[key], current[key]):
                yield Change(key, saved[key], current[key], step)
            continue
        other = current if key in saved else saved
        parts = key.split(".")
        for end in range(1, len(parts)):
            above = ".".join(parts[:end])
            if above in other and above not in told:  # a null here, a class there
                told.add(above)
                yield Change(above, _value(saved, above), _value(current, above), step)


def _value(settings: Mapping[str, Any], key: str) -> Any:
    return settings.get(key, settings.get(f"{key}.class_path", _GIVEN))


def _is_same(key: str, was: Any, now: Any) -> bool:
    if was == now:
        return True
    is_place = key.rpartition(".")[2] in PATHS and isinstance(was, str) and isinstance(now, str)
    return is_place and os.path.realpath(was) == os.path.realpath(now)


def _is_below(key: str, chosen: Sequence[str]) -> bool:
    return any(key == name or key.startswith(f"{name}.") for name in chosen)


def _listed(changes: Sequence[Change]) -> str:
    return "; ".join(map(str, changes))


def _shown(value: Any) -> str:
    text = "null" if value is None else f"{value}"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
