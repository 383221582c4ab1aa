"""Text files as programs of all kinds write them: encodings, separators, brackets.

Windows PowerShell's ``>`` writes UTF-16 with a byte order mark, Notepad and Excel write UTF-8 with
one, spreadsheets separate by commas or semicolons, and NumPy prints brackets around rows.
"""

from __future__ import annotations

import codecs
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError

_ENCODINGS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SEPARATORS = str.maketrans(",;[]()", "      ")


def read_text(path: Path) -> str:
    """Read a text file in UTF-8, or in UTF-16 with a byte order mark.

    Raises:
        InputError: Absent, unreadable or not text.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from None
    encoding = next((name for mark, name in _ENCODINGS if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not text in UTF-8 (byte {error.start}: {error.reason}); save it as UTF-8"
        ) from None


def split_numbers(line: str) -> list[float]:
    """Return the numbers of a line; spaces, commas, semicolons and brackets separate them.

    Raises:
        ValueError: A word is not a number.
    """
    return [float(word) for word in split_words(line)]


def split_words(line: str) -> list[str]:
    """Return the words of a line; spaces, commas, semicolons and brackets separate them."""
    return line.translate(_SEPARATORS).split()


def read_number_rows(path: Path, what: str) -> list[list[float]]:
    """Read the numbers of a text file by lines, without empty lines and comments (``#``).

    Args:
        path: The file.
        what: What the file must be ("a 4 x 4 matrix of numbers"), for the message.

    Raises:
        InputError: Absent, unreadable, or not numbers. NaN and infinite values are accepted.
    """
    lines = (line.strip() for line in read_text(path).splitlines())
    try:
        rows = [split_numbers(line) for line in lines if line and not line.startswith("#")]
    except ValueError:
        raise InputError(f"{path} is not {what}") from None
    return [row for row in rows if row]


def read_matrix(path: Path, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Read a matrix of plain numbers, by rows, on any number of lines.

    Raises:
        InputError: Absent, unreadable, not numbers, or another number of them. NaN and infinite
            values are accepted.
    """
    kind = f"a {shape[0]} x {shape[1]} matrix"
    numbers = [number for row in read_number_rows(path, f"{kind} of numbers") for number in row]
    if len(numbers) != shape[0] * shape[1]:
        raise InputError(f"{path} holds {len(numbers)} numbers, not {kind}")
    return np.array(numbers, dtype=np.float64).reshape(shape)
