"""Every row of the table gives its exit status, its words and its right value; none a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.inputs.outcome import run_on_input
from tests.inputs.row import Row
from tests.inputs.table import KINDS, all_rows, rows_per_kind

ROWS = all_rows()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.kind}-{row.name}")
def test_input(row: Row, tmp_path: Path) -> None:
    outcome = run_on_input(row.make(tmp_path), tmp_path, row.environment)
    assert outcome.status == row.status, outcome.said
    for words in row.says:
        assert words in outcome.said, f"{words!r} is not in:\n{outcome.said}"
    if row.check is not None:
        row.check(tmp_path, outcome.said)
    for name in row.absent:
        assert not (tmp_path / name).exists(), f"{name} was left behind"


def test_every_kind_has_rows() -> None:
    few = {
        kind: count for kind, count in rows_per_kind(ROWS).items() if kind in KINDS and count < 5
    }
    assert not few
    assert len(ROWS) >= 250


def test_rows_are_well_formed() -> None:
    names = [row.name for row in ROWS]
    twice = {name for name in names if names.count(name) > 1}
    assert not twice
    silent = [row.name for row in ROWS if not row.says and row.check is None]
    assert not silent, f"these rows prove nothing: {silent}"
