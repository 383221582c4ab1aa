"""The pair list."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pointcontrast.errors import InputError
from pointcontrast.preparation.pair_sampling import check_sampling, sample_pairs, share_out
from pointcontrast.scenes.pairs import (
    choose_pairs,
    has_changed,
    pair_table,
    read_pair_settings,
    read_pair_table,
    read_pairs,
    write_pairs,
)
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


def _poured(counts, total):
    """Shares found by giving one pair after another to the scene with the smallest share."""
    shares = dict.fromkeys(counts, 0)
    for _ in range(total):
        able = [scene for scene in counts if shares[scene] < counts[scene]]
        if able:
            shares[min(able, key=shares.__getitem__)] += 1
    return shares


def test_shares_are_equal_and_small_scenes_leave_theirs_to_the_others():
    rng = np.random.default_rng(0)
    for _ in range(200):
        counts = {f"s{i}": int(n) for i, n in enumerate(rng.integers(0, 20, rng.integers(1, 8)))}
        total = int(rng.integers(1, 60))
        shares = share_out(counts, total, seed=int(rng.integers(9)))
        # The odd ones out go to scenes that are drawn, so the sorted shares are compared.
        assert sorted(shares.values()) == sorted(_poured(counts, total).values())
        assert all(shares[scene] <= counts[scene] for scene in counts)
    assert share_out({"a": 1, "b": 100, "c": 100}, 41, 0) == {"a": 1, "b": 20, "c": 20}
    assert share_out({"a": 3, "b": 4}, 0, 0) == {"a": 3, "b": 4}
    drawn = {max(shares, key=shares.__getitem__) for shares in _of_seeds({"a": 9, "b": 9}, 3)}
    assert drawn == {"a", "b"}


def _of_seeds(counts, total):
    return [share_out(counts, total, seed) for seed in range(20)]


def _tables(*sizes):
    rows = [np.arange(n) for n in sizes]
    return {f"s{i}": pair_table(f"s{i}", r, r + 1, r / 100) for i, r in enumerate(rows)}


def _chosen(table, scene):
    return [row["view0"] for row in table.to_pylist() if row["scene"] == scene]


def test_a_scenes_choice_depends_on_the_seed_its_name_and_its_share_alone():
    tables = _tables(50, 60, 40)
    chosen = sample_pairs(tables, 30, seed=0)
    assert chosen.column("scene").to_pylist() == ["s0"] * 10 + ["s1"] * 10 + ["s2"] * 10
    again = sample_pairs(dict(reversed(tables.items())), 30, seed=0)
    assert again.equals(chosen)
    alone = sample_pairs({"s1": tables["s1"]}, 10, seed=0)
    assert _chosen(alone, "s1") == _chosen(chosen, "s1")
    assert _chosen(chosen, "s1") == sorted(_chosen(chosen, "s1"))
    assert _chosen(chosen, "s0") != _chosen(chosen, "s1")
    assert not sample_pairs(tables, 30, seed=1).equals(chosen)
    more = sample_pairs(tables, 60, seed=0)
    assert all(set(_chosen(chosen, each)) < set(_chosen(more, each)) for each in tables)
    assert len(sample_pairs(tables, 0, seed=0)) == 150
    counts = np.zeros(50)
    for seed in range(400):
        counts[_chosen(sample_pairs({"s0": tables["s0"]}, 10, seed), "s0")] += 1
    assert counts.min() > 40  # 80 on average: every pair has its chance
    assert counts.max() < 120


def test_negative_numbers_are_refused():
    with pytest.raises(InputError, match="--max-pairs must be at least 0; got -1"):
        check_sampling(-1, 0)
    with pytest.raises(InputError, match="--seed"):
        check_sampling(1, -1)


def test_the_same_pairs_give_the_same_bytes_whatever_they_come_from(tmp_path):
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    table = pa.concat_tables(_tables(5, 7).values())
    write_pairs(paths[0], table, {"seed": 1})
    write_pairs(paths[1], read_pairs(paths[0]), {"seed": 1})
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert read_pair_table(paths[0]).equals(table)


def test_every_flipped_byte_is_an_input_error_or_noticed(tmp_path):
    path = tmp_path / "p.parquet"
    write_pairs(path, [Pair("a", 0, 1, 0.5), Pair("b", 2, 3, 0.25)], {"overlap_threshold": 0.3})
    whole = path.read_bytes()
    assert not has_changed(path)
    facts = (read_pairs(path), read_pair_settings(path))
    by = whole.index(b"parquet-cpp-arrow")
    for place in range(0, len(whole), 5):
        content = bytearray(whole)
        content[place] ^= 0x11
        path.write_bytes(content)
        try:
            noticed = has_changed(path) or (read_pairs(path), read_pair_settings(path)) != facts
        except InputError:
            continue
        assert noticed or by <= place < by + 40, place  # but for the name of who wrote it
