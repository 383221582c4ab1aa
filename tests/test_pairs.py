"""The pair list."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pointcontrast.errors import InputError
from pointcontrast.pairs import choose_pairs, read_pair_settings, read_pairs, write_pairs
from pointcontrast.types import Pair


def test_choose_pairs_keeps_the_threshold_itself_and_each_pair_once():
    overlap = np.array([[1, 0.5, 0.25], [0.5, 1, 0.125], [0.25, 0.125, 1]], np.float32)
    assert choose_pairs(overlap, 0.25, "room") == [
        Pair("room", 0, 1, 0.5),
        Pair("room", 0, 2, 0.25),
    ]
    assert choose_pairs(overlap, 0.6) == []


def test_a_list_comes_back_as_it_was(tmp_path):
    pairs = [Pair("a/b", 0, 3, 0.5), Pair("ü", 1, 2, 1.0)]
    write_pairs(tmp_path / "p.parquet", pairs, {"overlap_threshold": 0.3})
    assert read_pairs(tmp_path / "p.parquet") == pairs
    assert read_pair_settings(tmp_path / "p.parquet") == {"overlap_threshold": 0.3}
    write_pairs(tmp_path / "p.parquet", [])
    assert read_pairs(tmp_path / "p.parquet") == []


@pytest.mark.parametrize(
    ("pair", "reason"),
    [
        (Pair("a", 2, 1, 0.5), "view0 < view1"),
        (Pair("a", -1, 1, 0.5), "view0 < view1"),
        (Pair("a", 0, 1, 1.5), "overlap <= 1"),
        (Pair("a", 0, 1, float("nan")), "overlap <= 1"),
        (Pair("../a", 0, 1, 0.5), "not a folder below"),
        (Pair("/a", 0, 1, 0.5), "not a folder below"),
        (Pair("", 0, 1, 0.5), "not a folder below"),
    ],
)
def test_values_that_cannot_be_are_errors(tmp_path, pair, reason):
    write_pairs(tmp_path / "p.parquet", [Pair("a", 0, 1, 0.5), pair])
    with pytest.raises(InputError, match=reason):
        read_pairs(tmp_path / "p.parquet")


def test_files_that_are_not_pair_lists_are_errors(tmp_path):
    path = tmp_path / "p.parquet"
    with pytest.raises(InputError, match="does not exist"):
        read_pairs(path)
    write_pairs(path, [Pair("a", 0, 1, 0.5)] * 50)
    whole = path.read_bytes()
    for content in (whole[:-20], b"", b"text"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"p\.parquet is not a pair list"):
            read_pairs(path)
    metadata = pq.read_schema(pa.BufferReader(whole)).metadata
    pq.write_table(pa.table({"scene": ["a"]}), path)
    with pytest.raises(InputError, match="format version None"):
        read_pairs(path)
    columns = {"scene": ["a"], "view0": [0.5], "view1": [1], "overlap": [0.5]}
    pq.write_table(pa.table(columns).replace_schema_metadata(metadata), path)
    with pytest.raises(InputError, match="column view0"):
        read_pairs(path)
