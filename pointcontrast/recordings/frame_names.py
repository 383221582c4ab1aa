"""Order of frames by the numbers in their names: frame 2 comes before frame 10."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"(\d+)")


def numeric_order(name: str) -> tuple[tuple[str | int, ...], str]:
    """Return a sort key of a file name, in which runs of digits are numbers.

    Names that differ only in padding (``1`` and ``01``) keep an order of their own.
    """
    parts = _NUMBER.split(name)  # text, digits, text, digits, ..., text
    return tuple(int(part) if i % 2 else part for i, part in enumerate(parts)), name
