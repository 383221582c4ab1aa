"""The order of frames that are known by their names only.

Rows of a file of poses carry no names, so the order of the frames decides which pose each gets.
Names are ordered by their numbers, of any width: ``9`` before ``10``. Sorted as text, ``10`` comes
before ``9``, and every pose after it goes to another frame.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from pointcontrast.errors import InputError

_NUMBER = re.compile(r"\d+(?:\.\d+)?")  # a time in seconds has a fraction


def numeric_order(name: str) -> tuple[tuple[tuple[str, ...], tuple[Decimal, ...]], str]:
    """Return a sort key of a frame whose files carry its name, so that its place cannot be wrong.

    Names of several forms are ordered by form, and names of the same numbers as text.
    """
    return _pieces(name), name


def order_by_number(names: Iterable[str], place: Path, unit: str) -> list[str]:
    """Order names by the numbers in them.

    Args:
        names: Names of frames without suffixes, unique.
        place: Folder of the frames, for messages.
        unit: "frame" or "sweep", for messages.

    Raises:
        InputError: Two names have the same numbers (``1`` and ``01``), or the names are of several
            forms, which sort differently as text and by number.
    """
    text = sorted(names)
    order = sorted(text, key=_pieces)
    for first, second in pairwise(order):
        if _numbers(first) and _pieces(first) == _pieces(second):
            raise InputError(
                f"{place}: {first} and {second} are the same number, so that the order of its "
                f"{unit}s is uncertain; rename or remove one"
            )
    forms = {_NUMBER.sub("0", name): name for name in text}
    if len(forms) > 1 and order != text:
        one, other = sorted(forms.values())[:2]
        raise InputError(
            f"{place}: the names of its {unit}s are of several forms ({one}, {other}), so that "
            f"their order is uncertain; name the {unit}s by number: 000000, 000001"
        )
    return order


def _pieces(name: str) -> tuple[tuple[str, ...], tuple[Decimal, ...]]:
    """The text between the numbers, and the numbers."""
    return tuple(_NUMBER.split(name)), _numbers(name)


def _numbers(name: str) -> tuple[Decimal, ...]:
    return tuple(Decimal(each) for each in _NUMBER.findall(name))
