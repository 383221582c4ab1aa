"""The result of a check, one line of the report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

Load = Callable[[str], ModuleType]
"""Importer of a module by name. Checks import inside, so that a failing import is reported."""


@dataclass(frozen=True)
class Check:
    """One line of the report.

    Attributes:
        name: Subject of the check.
        ok: Whether it works.
        detail: What was found.
        fix: How to fix it; empty if there is nothing to fix.
    """

    name: str
    ok: bool
    detail: str
    fix: str = ""


def reason(error: Exception) -> str:
    """Type and first line of an error."""
    return f"{type(error).__name__}: {first_line(str(error))}"


def first_line(text: str) -> str:
    """First line of a text that is not empty."""
    return (text.strip().splitlines() or ["(no message)"])[0]
