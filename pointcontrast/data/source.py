"""What makes the folder of data where it is not there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path


class DataSource(ABC):
    """Named by import path under ``data.source`` in a configuration."""

    @abstractmethod
    def prepare(self, root: Path) -> None:
        """Make or complete the folder ``root``; quick where it is complete."""
