"""Where the official splits lie that come with the repository."""

from __future__ import annotations

from pathlib import Path


def split_folder() -> Path:
    """``datasets/splits`` of the repository that this module is part of."""
    return Path(__file__).resolve().parents[2] / "datasets" / "splits"
