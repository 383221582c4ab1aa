"""Tables of numbers in text files, as people have them.

Separators are spaces, tabs, commas or semicolons. Decimals have a point, or a comma where commas do
not separate. The encoding is UTF-8 with or without a byte order mark, UTF-16, or Latin-1. A header
may name the columns (CloudCompare writes ``//X Y Z R G B``), and a line with one whole number may
state how many rows follow, as in ``.pts``, whose scans may follow one another.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.recordings.file_formats.text_numbers import columns_of_rows

_COMMENT = ("#", "//", "%", ";", "!", '"#')
_DECIMAL_COMMA = re.compile(r"[+-]?\d+(,\d+)?([eE][+-]?\d+)?")
_NOT_A_NUMBER = re.compile(r"[+-]?1\.#[A-Z0-9]+")  # as Microsoft's C library prints NaN


@dataclass(frozen=True)
class TextTable:
    """A table of N rows.

    Attributes:
        columns: Columns of N float64 numbers, or of N words.
        names: Names of the columns, or None where no header names all of them.
    """

    columns: list[NDArray[Any]]
    names: tuple[str, ...] | None


@dataclass(frozen=True)
class _Layout:
    """Where the rows begin in a text, and how they are written."""

    start: int
    separator: str | None
    decimal_comma: bool
    width: int
    header: str | None
    count: int | None


def read_text_table(path: Path) -> TextTable:
    """Read the table of a text file.

    Raises:
        InputError: No row starts with three numbers, rows differ in their number of columns, or
            their number is not the one that the file states.
    """
    text = decoded(path.read_bytes())
    layout = _layout_of(path, text)
    body = text[layout.start :].replace('"', "")
    fast = columns_of_rows(
        body.encode(),
        layout.width,
        separator=layout.separator or ("\t" if "\t" in body[:4096] else " "),
        decimal="," if layout.decimal_comma else ".",
    )
    if fast is not None:
        _check_count(path, layout.count, len(fast[0]))
        return TextTable(fast, _names(layout.header, len(fast)))
    if layout.decimal_comma:
        body = body.replace(",", ".")
    if "1.#" in body:
        body = _NOT_A_NUMBER.sub("nan", body)
    try:
        table = np.loadtxt(io.StringIO(body), delimiter=layout.separator, ndmin=2, comments="#")
        columns = list(np.ascontiguousarray(table.T))
        count = layout.count
    except ValueError:  # words, comments, counts between the rows, a separator at the end
        columns, count = _read_by_lines(path, body, layout)
    _check_count(path, count, len(columns[0]))
    return TextTable(columns, _names(layout.header, len(columns)))


def decoded(content: bytes) -> str:
    """Decode a text of unknown encoding: by its byte order mark, else UTF-8, else Latin-1."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", errors="replace")
    if content[:200].count(b"\0") > len(content[:200]) // 3:  # UTF-16 without a mark
        order = "utf-16-be" if content[:1] == b"\0" else "utf-16-le"
        return content.decode(order, errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _layout_of(path: Path, text: str) -> _Layout:
    header: str | None = None
    count: int | None = None
    first = ""
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        line = text[start:end].strip().replace('"', "")
        first = first or line
        if line and not line.startswith(_COMMENT):
            separator, decimal_comma = _separator(line)
            words = _split(line, separator)
            if len(words) >= 3 and all(_is_number(word, decimal_comma) for word in words[:3]):
                return _Layout(start, separator, decimal_comma, len(words), header, count)
            if line.isdigit():
                count = int(line)
            else:
                header = line
        elif line:
            header = line
        start = end + 1
    if count is not None:
        raise InputError(_wrong_count(path, count, 0))
    shown = first if len(first) <= 60 else f"{first[:57]}..."
    raise InputError(
        f"{path} holds no points: no row starts with three numbers"
        + (f", the first is {shown!r}" if first else "")
        + "; is it damaged, or another kind of file?"
    )


def _separator(line: str) -> tuple[str | None, bool]:
    """The separator of a row (None: spaces or tabs), and whether decimals have a comma."""
    if ";" in line:
        return ";", "," in line
    if "," not in line:
        return None, False
    words = line.split()
    if len(words) >= 3 and all(_DECIMAL_COMMA.fullmatch(word) for word in words[:3]):
        return None, True
    return ",", False


def _split(line: str, separator: str | None) -> list[str]:
    words = [word.strip() for word in line.split(separator)]
    return words[:-1] if words and not words[-1] else words  # a separator ends the line


def _is_number(word: str, decimal_comma: bool = False) -> bool:
    try:
        float(_NOT_A_NUMBER.sub("nan", word.replace(",", ".") if decimal_comma else word))
    except ValueError:
        return False
    return True


def _read_by_lines(path: Path, body: str, layout: _Layout) -> tuple[list[NDArray[Any]], int | None]:
    """Read rows one by one; returns the columns and the stated number of rows, if any."""
    rows: list[list[str]] = []
    count = layout.count
    for number, line in enumerate(body.splitlines(), start=1):
        line = line.strip()
        if not line or line.startswith(_COMMENT):
            continue
        words = _split(line, layout.separator)
        if len(words) == 1 and count is not None and line.isdigit():
            count += int(line)  # the next scan of a .pts
            continue
        if len(words) != layout.width:
            if count is not None and count > len(rows):
                raise InputError(_wrong_count(path, count, len(rows)))
            raise InputError(
                f"{path} is damaged or cut short (row {number} has {len(words)} columns, the first "
                f"has {layout.width}); export it again"
            )
        rows.append(words)
    columns = [_numbers_or_words(words) for words in zip(*rows, strict=True)]
    for axis, column in enumerate(columns[:3]):
        if column.dtype.kind == "U":
            wrong = next(word for word in column.tolist() if not _is_number(word))
            raise InputError(f"{path}: {'xyz'[axis]} {wrong!r} is not a number; export it again")
    return columns, count


def _numbers_or_words(words: tuple[str, ...]) -> NDArray[Any]:
    try:
        return np.array([float(word) for word in words])
    except ValueError:
        return np.array(words)


def _names(header: str | None, width: int) -> tuple[str, ...] | None:
    """The names in a header line, if there is one for each column and none twice."""
    if header is None:
        return None
    line = header.lstrip("#/%;! ")
    for separator in (";", ",", "\t", None):
        names = tuple(_split(line, separator))
        if len(names) == width and len(set(names)) == width:
            return None if any(map(_is_number, names)) else names
    return None


def _check_count(path: Path, promised: int | None, found: int) -> None:
    if promised is not None and promised != found:
        raise InputError(_wrong_count(path, promised, found))


def _wrong_count(path: Path, promised: int, found: int) -> str:
    return (
        f"{path} is damaged or cut short (its header promises {promised} points, {found} can be "
        "read); export it again"
    )
