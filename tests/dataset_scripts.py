"""The scripts of ``datasets/``, run as users do."""

from __future__ import annotations

from conftest import REPOSITORY
from fork_server import output_of


def convert(script: str, *arguments: object) -> None:
    """Run a converter; it must end well."""
    output_of([REPOSITORY / "datasets" / script, *arguments])
