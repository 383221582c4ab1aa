"""Folder of the official splits in the repository."""

from __future__ import annotations

from pathlib import Path


def split_folder() -> Path:
    """Path of ``datasets/splits`` in the repository that this module is part of."""
    return Path(__file__).resolve().parents[2] / "datasets" / "splits"
