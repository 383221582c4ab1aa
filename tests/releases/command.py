"""Command line of the generators of releases."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pointcontrast.command_help import CommandHelp


def release_parser(description: str | None) -> argparse.ArgumentParser:
    """Create a parser with the options of every generator.

    Args:
        description: Docstring of the generator, whose first line is shown. Its module is run with
            ``python -m`` from the root of the repository.

    Returns:
        A parser to which the generator adds its own options, named as the arguments of the function
        that writes the release.
    """
    parser = argparse.ArgumentParser(
        description=(description or "").splitlines()[0],
        formatter_class=CommandHelp,
    )
    parser.add_argument("output", type=Path, help="folder of the release")
    parser.add_argument("--seed", type=int, default=0, help="seed of the release")
    return parser


def add_damage_option(
    parser: argparse.ArgumentParser, part: str, example: str, damages: Iterable[str]
) -> None:
    """Add ``--damage PART HOW``, which may be given several times.

    Args:
        parser: Parser of the generator; ``damaged`` becomes a dictionary, part -> damage.
        part: Part of the release, such as "room".
        example: Name of a part.
        damages: Names of the known damages.
    """
    parser.add_argument(
        "--damage",
        dest="damaged",
        nargs=2,
        action=_AddToDictionary,
        default={},
        metavar=(part.upper(), "HOW"),
        help=f"damage a {part}, such as {example}; HOW is one of {', '.join(damages)}",
    )


class _AddToDictionary(argparse.Action):
    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        part, damage = values
        setattr(namespace, self.dest, {**getattr(namespace, self.dest), part: damage})
