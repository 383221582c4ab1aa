"""Damage of a part of a generated release, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from pointcontrast.errors import InputError

Damages = Mapping[str, Callable[[Path], None]]
"""Name -> function that damages a folder."""


def damage(folder: Path, how: str, damages: Damages) -> None:
    """Damage a folder in place.

    Args:
        folder: The folder.
        how: Key of ``damages``.
        damages: Known damages.

    Raises:
        InputError: The damage is unknown, or the folder lacks the file.
    """
    if how not in damages:
        raise InputError(f"{how!r} is no known damage; known are: {', '.join(damages)}")
    try:
        damages[how](folder)
    except FileNotFoundError as error:
        raise InputError(f"{error.filename} does not exist, so it cannot be damaged") from None


def check_damaged(damaged: Mapping[str, str], parts: set[str], damages: Damages) -> None:
    """Check which parts of a release are to be damaged, and how.

    Args:
        damaged: Part -> key of ``damages``.
        parts: Names of all parts.
        damages: Known damages.

    Raises:
        InputError: A part or a damage is unknown.
    """
    strange = [*sorted(set(damaged) - parts), *sorted(set(damaged.values()) - set(damages))]
    if strange:
        raise InputError(f"damaged: {strange[0]!r} is neither a part of the release nor a damage")
