"""The contract of a source of data: it makes a folder of data where there is none."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path


class DataSource(ABC):
    """A source of data, named by import path under ``data.source`` in a configuration."""

    @abstractmethod
    def prepare(self, root: Path) -> None:
        """Make or complete the folder ``root``; return quickly where it is complete."""
