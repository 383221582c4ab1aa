"""Optional packages: imported if they are there, else named with the command that installs them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pointcontrast.errors import InputError
from pointcontrast.optional_packages import require


def test_a_package_that_is_there_is_imported() -> None:
    assert require("xml.dom", "python", "a.xml").__name__ == "xml.dom"


def test_a_missing_package_is_one_line_with_its_installation() -> None:
    with pytest.raises(InputError) as raised:
        require("no_such_reader.files", "no-such-reader[fast]", "scan.xyz1")
    assert str(raised.value) == (
        'scan.xyz1 needs no_such_reader: pip install "no-such-reader[fast]"'
    )


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("import no_such_part", "lacks no_such_part"),
        ("raise ImportError('libx.so:\\n absent')", r"cannot be imported \(libx\.so: absent\)"),
    ],
)
def test_a_package_that_is_broken_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, reason: str
) -> None:
    (tmp_path / "broken_reader.py").write_text(body + "\n")
    monkeypatch.delitem(sys.modules, "broken_reader", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        InputError, match=rf"a\.q needs broken_reader, which {reason}.*: pip install"
    ):
        require("broken_reader", "broken", "a.q")
