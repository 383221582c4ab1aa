from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pointcontrast.data.pair_readers import StoredPairs
from pointcontrast.errors import InputError
from pointcontrast.scenes.pairs import PAIRS_FILE, read_pairs
from pointcontrast.scenes.view_store import ViewStore


def test_the_store_is_handed_on(prepared: Path) -> None:
    reader = StoredPairs()
    pairs = reader.list_pairs(prepared, ("color",))
    assert pairs == read_pairs(prepared / PAIRS_FILE)
    pair = pairs[3]
    rng = np.random.default_rng(0)
    views = reader.read(prepared, pair, ("color",), rng)
    store = ViewStore(prepared / pair.scene)
    for view, number in ((views.view0, pair.view0), (views.view1, pair.view1)):
        stored = store[number]
        np.testing.assert_array_equal(view.points, stored.points)
        np.testing.assert_array_equal(view[:].colors, stored[:].colors)
    assert views.up.tolist() == store.meta.up.tolist()
    assert views.floor_height == store.meta.floor_height
    assert rng.random() == np.random.default_rng(0).random()  # nothing was drawn


def test_no_list_says_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no pairs\.parquet; make it with .*prepare_pairs\.py"):
        StoredPairs().list_pairs(tmp_path, ())
