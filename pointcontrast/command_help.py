"""What command lines share: help texts, home folders in paths, and modules of the user's own."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class CommandHelp(argparse.ArgumentDefaultsHelpFormatter):
    """Shows the default of an option, unless it has none."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        has_default = action.default is not None and action.default is not False
        return super()._get_help_string(action) if has_default else action.help


class CommandParser(argparse.ArgumentParser):
    """Parser of a command; ``~`` in a path is the user's home folder.

    Shells expand ``~`` only at the beginning of a word, not in ``--output=~/x``.
    """

    def parse_known_args(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, args: Any = None, namespace: Any = None
    ) -> Any:
        """Parse, and expand ``~`` in the values, also in those of a subcommand."""
        found, others = super().parse_known_args(args, namespace)
        for name, value in vars(found).items():
            setattr(found, name, with_home(value))
        return found, others


def with_home(value: Any) -> Any:
    """Return a path, or text that is one, with ``~`` expanded; anything else as it is.

    Args:
        value: Path, text, list or tuple of such values, or anything else.
    """
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return type(value)(with_home(each) for each in value)
    if isinstance(value, (str, Path)) and str(value).startswith("~"):
        expanded = os.path.expanduser(value)
        is_path = isinstance(value, Path) or str(value).startswith("~/") or value == "~"
        return type(value)(expanded) if is_path else value
    return value


def add_import_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--import``: files name their classes, and only the project's own are imported."""
    parser.add_argument(
        "--import",
        action=_Import,
        nargs="+",
        metavar="MODULE",
        help="modules of your own that define classes of the network (backbone, head, benchmark)",
    )


class _Import(argparse.Action):
    """Imports modules from the working folder or ``PYTHONPATH``; nothing is stored."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{**settings, "dest": argparse.SUPPRESS})

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        sys.path.append(os.getcwd())
        for name in values or ():
            try:
                importlib.import_module(name)
            except ImportError as error:
                parser.error(f"--import {name}: {error}")
