"""Pairs of prepared scenes, as ``tools/prepare_pairs.py`` writes them."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

import numpy as np

from pointcontrast.data.network_input import FeatureName
from pointcontrast.data.pair_readers.pair_reader import PairReader
from pointcontrast.errors import InputError
from pointcontrast.scenes.pairs import PAIRS_FILE, read_pairs
from pointcontrast.scenes.view_store import ViewStore
from pointcontrast.types import Pair, RegisteredViews


class StoredPairs(PairReader):
    """View stores in a folder with ``pairs.parquet``; the default."""

    def list_pairs(self, root: Path, features: tuple[FeatureName, ...]) -> list[Pair]:
        """Read the pair list; whether a scene has the features shows when it is read."""
        if not (root / PAIRS_FILE).exists():
            raise InputError(
                f"data.root {root} holds no {PAIRS_FILE}; make it with "
                f"`python tools/prepare_pairs.py RAW_FOLDER --output {root}`"
            )
        return read_pairs(root / PAIRS_FILE)

    def list_scenes(self, root: Path) -> list[str]:
        """List the folders of view stores; their own folders are not looked into."""
        found = []
        for folder, below, files in os.walk(root):
            if "meta.json" in files:
                found.append(Path(folder).relative_to(root).as_posix())
                below.clear()
            below[:] = [name for name in below if not name.startswith(".")]
        return sorted(found)

    def read(
        self,
        root: Path,
        pair: Pair,
        features: tuple[FeatureName, ...],
        rng: np.random.Generator,
    ) -> RegisteredViews:
        """Read two views from the store; nothing is random."""
        store = open_store(root / pair.scene)
        view0, view1 = (
            store.read(view, colors="color" in features, normals="normal" in features)
            for view in (pair.view0, pair.view1)
        )
        return RegisteredViews(view0, view1, store.meta.up, store.meta.floor_height)


@lru_cache(maxsize=64)
def open_store(path: Path) -> ViewStore:
    """Open a view store and keep it open: a process reads from few scenes at a time."""
    return ViewStore(path)
