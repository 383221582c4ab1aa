"""What command lines share: the format of help texts, and modules of the user's own."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any


class CommandHelp(argparse.ArgumentDefaultsHelpFormatter):
    """Shows the default of an option, unless it has none."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        has_default = action.default is not None and action.default is not False
        return super()._get_help_string(action) if has_default else action.help


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
