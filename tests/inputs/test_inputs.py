"""Every row of the table gives its exit status, its words and its right value; none a traceback."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from tests.helpers.fork_server import run
from tests.inputs.row import Row

KINDS = {
    "A": "places lose digits",
    "B": "units and ranges",
    "C": "absent is not empty",
    "D": "one bad item, a real release",
    "E": "copies",
    "F": "order and meaning of classes",
    "G": "messages",
    "H": "expected forms",
    "I": "a recording taken for another",
    "J": "colours of clouds",
    "K": "a changed source",
    "L": "resuming under other settings",
    "M": "weights",
    "N": "forms of files",
}


def _rows() -> list[Row]:
    files = sorted(Path(__file__).parent.glob("rows_*.py"))
    modules = [importlib.import_module(f"tests.inputs.{path.stem}") for path in files]
    return [row for module in modules for row in module.ROWS]


ROWS = _rows()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.kind}-{row.name}")
def test_input(row: Row, tmp_path: Path) -> None:
    command = row.make(tmp_path)
    process = run(command, tmp_path)
    said, _ = process.communicate()
    assert "Traceback" not in said, said
    assert process.returncode == row.status, said
    for words in row.says:
        assert words in said, f"{words!r} is not in:\n{said}"
    if row.check is not None:
        row.check(tmp_path, said)
    for name in row.absent:
        assert not (tmp_path / name).exists(), f"{name} was left behind"


def test_rows_are_well_formed() -> None:
    names = [row.name for row in ROWS]
    assert len(set(names)) == len(names)
    silent = [row.name for row in ROWS if not row.says and row.check is None]
    assert not silent, f"these rows prove nothing: {silent}"
