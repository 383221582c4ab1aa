"""One input of a user: how it is made, the command it is given to, and what must come out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.helpers.repository import REPOSITORY

PREPARE = REPOSITORY / "tools" / "prepare_pairs.py"
PRETRAIN = REPOSITORY / "tools" / "pretrain.py"
FINETUNE = REPOSITORY / "tools" / "finetune.py"
PREDICT = REPOSITORY / "tools" / "predict.py"
FEATURES = REPOSITORY / "tools" / "features.py"
VISUALIZE = REPOSITORY / "tools" / "visualize.py"
EVALUATE = REPOSITORY / "tools" / "evaluate.py"
CONVERT_WEIGHTS = REPOSITORY / "tools" / "convert_weights.py"
DATASETS = REPOSITORY / "datasets"


@dataclass(frozen=True, kw_only=True)
class Row:
    """An input and what its command must do with it.

    Attributes:
        name: Unique name, in words joined by hyphens.
        kind: Letter of the kind of fault (A to N, ``table.KINDS``), or a format's name.
        make: Function that writes the input into an empty folder and returns the command: a script
            and its arguments. The command runs in that folder.
        status: Exit status that the command must have.
        says: Words that its output must hold, all of them.
        check: Check of the right value, from the folder and the output; it raises AssertionError.
            A command that succeeds must have a check or words.
        absent: Names in the folder that must not exist after a failure.
        source: Public report that the input stands for, or empty.
        environment: Variables of the environment to add.
    """

    name: str
    kind: str
    make: Callable[[Path], Sequence[object]]
    status: int = 0
    says: tuple[str, ...] = ()
    check: Callable[[Path, str], None] | None = None
    absent: tuple[str, ...] = ()
    source: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
