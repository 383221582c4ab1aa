"""Named damages to S3DIS rooms: defects of the release itself, and of copied files.

``lost_space`` and ``lost_digit`` are the release's own (see ``downstream.releases.s3dis.text``): a
character without its bit 0x20.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from downstream.releases.s3dis.rooms import ANNOTATIONS
from tests.releases.damage import damage

DAMAGED_FILE = "ceiling_1.txt"
"""Annotation file to damage. Every generated room has a ceiling."""

DAMAGED_LINE = 3
"""Damaged line, counted from 1."""


def damage_room(room: Path, how: str) -> None:
    """Damage a room in place.

    Args:
        room: Folder of the room.
        how: Key of ``DAMAGES``.

    Raises:
        InputError: The damage is unknown, or the room lacks the file.
    """
    damage(room / ANNOTATIONS, how, DAMAGES)


def edit_line(path: Path, number: int, edit: Callable[[list[bytes]], bytes]) -> None:
    """Replace a line of a file.

    Args:
        path: The file.
        number: Number of the line, from 1.
        edit: Function from the words of the old line to the new line, without a line end.
    """
    lines = path.read_bytes().split(b"\n")
    lines[number - 1] = edit(lines[number - 1].split())
    path.write_bytes(b"\n".join(lines))


def _edit(edit: Callable[[list[bytes]], bytes]) -> Callable[[Path], None]:
    return lambda folder: edit_line(folder / DAMAGED_FILE, DAMAGED_LINE, edit)


def _without_bit(character: bytes) -> bytes:
    return bytes([character[0] & ~0x20])


def _lost_space(words: list[bytes]) -> bytes:
    return b" ".join(words[:4]) + b"\x00" + b" ".join(words[4:])


def _lost_digit(words: list[bytes]) -> bytes:
    words[1] = words[1][:-1] + _without_bit(words[1][-1:])
    return b" ".join(words)


def _stray_byte(words: list[bytes]) -> bytes:
    words[1] = words[1][:-1] + b"\x01" + words[1][-1:]
    return b" ".join(words)


def _far_digit(words: list[bytes]) -> bytes:
    """Lose a bit in a number that was already wrong: restoring it gives a point far away."""
    words[2] = b"9" + _without_bit(b"9") + b"9.000"
    return b" ".join(words)


def _replace_word(index: int, word: bytes) -> Callable[[Path], None]:
    return _edit(lambda words: b" ".join([*words[:index], word, *words[index + 1 :]]))


def _truncate(folder: Path) -> None:
    """Cut the file within its last line."""
    path = folder / DAMAGED_FILE
    path.write_bytes(path.read_bytes().rstrip().rsplit(b" ", 1)[0])


def _empty(folder: Path) -> None:
    (folder / DAMAGED_FILE).write_bytes(b"\n")


def _remove_files(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def _second_copy(folder: Path) -> None:
    path = folder / DAMAGED_FILE
    shutil.copy(path, path.with_name(f"{path.stem} (1).txt"))


def _rename(name: str) -> Callable[[Path], None]:
    def rename(folder: Path) -> None:
        (folder / DAMAGED_FILE).rename(folder / name)

    return rename


def _hidden_files(folder: Path) -> None:
    """Add the hidden files that macOS creates."""
    for name in (".DS_Store", f"._{DAMAGED_FILE}", "Icon\r"):
        (folder / name).write_bytes(b"\x00\x05\x16\x07")


DAMAGES: dict[str, Callable[[Path], None]] = {
    "lost_space": _edit(_lost_space),
    "lost_digit": _edit(_lost_digit),
    "second_copy": _second_copy,
    "trailing_text": _rename("ceiling_1_old.txt"),
    "misspelt_class": _rename("staris_1.txt"),
    "stairs": _rename("stairs_1.txt"),
    "hidden_files": _hidden_files,
    "stray_byte": _edit(_stray_byte),
    "far_digit": _edit(_far_digit),
    "missing_column": _edit(lambda words: b" ".join(words[:5])),
    "extra_column": _edit(lambda words: b" ".join([*words, b"0"])),
    "letter": _replace_word(5, b"x"),
    "nan": _replace_word(0, b"nan"),
    "infinite": _replace_word(1, b"-inf"),
    "too_bright": _replace_word(3, b"256"),
    "negative_color": _replace_word(4, b"-1"),
    "fractional_color": _replace_word(4, b"0.5"),
    "truncated": _truncate,
    "empty_file": _empty,
    "unknown_class": _rename("spaceship_1.txt"),
    "no_number": _rename("ceiling.txt"),
    "no_files": _remove_files,
    "no_folder": shutil.rmtree,
}
"""Name -> function that damages a folder of annotations. The reader fixes or notes the damages
before ``stray_byte``; from there on they make the room an error."""
