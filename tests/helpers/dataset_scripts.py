"""The scripts of ``datasets/``, run as users do."""

from __future__ import annotations

from tests.helpers.fork_server import output_of
from tests.helpers.repository import REPOSITORY


def convert(script: str, *arguments: object) -> None:
    """Run a converter; it must end well."""
    output_of([REPOSITORY / "datasets" / script, *arguments])
