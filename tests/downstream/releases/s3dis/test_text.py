r"""Reader of text files: every damaged line known in the release, and others."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

from downstream.releases.s3dis.text import MARGIN, read_points
from pointcontrast.errors import InputError

CORNERS = b"22.1 -9.3 1.5 1 2 3\n22.9 -9.0 3.5 4 5 6\n"
"""Two points; a third lies between them."""


def write(folder: Path, text: bytes) -> Path:
    path = folder / "ceiling_1.txt"
    path.write_bytes(text)
    return path


def test_lines_are_read(tmp_path: Path) -> None:
    text = b"22.350 6.692 3.048 185 187 182\n-22.314000 .5 5. 170.000000 1.71e2 +175\n"
    found = read_points(write(tmp_path, text))
    expected = np.array([[22.35, 6.692, 3.048], [-22.314, 0.5, 5]], np.float32)
    np.testing.assert_array_equal(found.coord, expected)
    np.testing.assert_array_equal(found.color, [[185, 187, 182], [170, 171, 175]])
    assert (found.coord.dtype, found.color.dtype) == (np.float32, np.uint8)
    assert found.notes == ()


def test_the_end_of_the_last_line_may_be_missing(tmp_path: Path) -> None:
    assert len(read_points(write(tmp_path, b"1 2 3 4 5 6\n1 2 3 4 5 7")).coord) == 2


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        # the release's own four: their bytes, places and neighbours as reported
        (b"22.350 -9.160 3.048 185\x00187 182", (22.350, -9.160, 3.048, 185, 187, 182)),
        (b"22.3 -9.1 2.604000 103.0\x100000 9.000000 8", (22.3, -9.1, 2.604, 103, 9, 8)),
        (b"22.302 -9.1\x160 1.785 146 137 106", (22.302, -9.160, 1.785, 146, 137, 106)),
        (b"22.5775 -9.1 2.604 167.\x1000000 175.0 177.0", (22.5775, -9.1, 2.604, 167, 175, 177)),
        # others that lost the same bit
        (b"22.5 \r9.1 2.5 1 2 3", (22.5, -9.1, 2.5, 1, 2, 3)),
        (b"22\x0e5 -9.1 2.5 1 2 3", (22.5, -9.1, 2.5, 1, 2, 3)),
        (b"22.5 -9.1 2.5 1\x185 7 9", (22.5, -9.1, 2.5, 185, 7, 9)),
        (b"22.5\x00-9.1\x002.5\x001 2 3\r", (22.5, -9.1, 2.5, 1, 2, 3)),
        # 18587 is no colour, and one number would be missing: the byte stands between two
        (b"22.5 -9.1 2.5 185\x187 9", (22.5, -9.1, 2.5, 185, 7, 9)),
        (b"22.5\x01-9.1 2.5 1 2 3", (22.5, -9.1, 2.5, 1, 2, 3)),
    ],
)
def test_damaged_bytes_are_repaired_and_named(
    tmp_path: Path, written: bytes, meant: tuple[float, ...]
) -> None:
    found = read_points(write(tmp_path, CORNERS + b"\n" + written + b"\n" + CORNERS))
    np.testing.assert_array_equal(found.coord[2], np.array(meant[:3], np.float32))
    np.testing.assert_array_equal(found.color[2], meant[3:])
    np.testing.assert_array_equal(found.coord[[0, 1]], found.coord[[3, 4]])
    np.testing.assert_array_equal(found.color[[0, 1]], found.color[[3, 4]])
    (note,) = found.notes
    before, after = note.split(" read as ")
    assert before == f"ceiling_1.txt, line 4: {written.rstrip()!r}"
    assert [float(word) for word in ast.literal_eval(after).split()] == list(meant)


def test_a_sign_that_lost_its_bit_is_no_end_of_a_line(tmp_path: Path) -> None:
    """The byte of "-" without the bit is a carriage return."""
    path = write(tmp_path, b"-3 1 1 1 2 3\n\r2 1 1 1 2 3\n-1 1 1 1 2 3\n")
    found = read_points(path)
    np.testing.assert_array_equal(found.coord[:, 0], [-3, -2, -1])
    assert len(found.notes) == 1
    with pytest.raises(InputError, match="line 1"):
        read_points(write(tmp_path, b"1 2 3 4 5 6\r1 2 3 4 5 6\r"))


@pytest.mark.parametrize(
    "line",
    [
        b"22.5 -9.1 2.5 1 2",
        b"22.5 -9.1 2.5 1 2 3 4",
        b"22.5  -9.1 2.5 1 2",  # six fields, one of them empty
        b"22.5 -9.1 2.5 1 2 x",
        b"nan -9.1 2.5 1 2 3",
        b"22.5 -inf 2.5 1 2 3",
        b"22.5 -9.1 1e39 1 2 3",  # infinite as float32
        b"22.5 -9.1 2.5 256 2 3",
        b"22.5 -9.1 2.5 1 -1 3",
        b"22.5 -9.1 2.5 1 2 0.5",
        b"22.5 -9.1 2.5 1 2 1_0",  # a number to Python
        b"22.5 -9.1 2.5 1 2 \x01x",
        b"22.5 -9.1 2.5 1 2 3\x01",  # not a digit, and not between two numbers
        b"22.5 -9.1 2.5 1 2 \x013",  # it may have been a digit
        b"22.5 -9.1\x0c2.5 1 2 3 4",  # a space to Python
        b"22.5 -9.1 2.5 \x12 256 3",  # repaired, it is still not a colour
        b"\xff\xfe",
        b"22.5,-9.1,2.5,1,2,3",
    ],
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_lines_that_make_no_sense_are_named(tmp_path: Path, line: bytes, end: bytes) -> None:
    text = (CORNERS + b"\n" + line + b"\n" + CORNERS).replace(b"\n", end)
    with pytest.raises(InputError, match=r"ceiling_1\.txt, line 4: .* is not `x y z r g b`") as no:
        read_points(write(tmp_path, text))
    assert repr(line[:80])[2:-1] in str(no.value)


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_repaired_point_must_lie_near_the_others(tmp_path: Path, axis: int, sign: int) -> None:
    edge = np.array([(22.1, -9.3, 1.5), (22.9, -9.0, 3.5)][sign == 1])
    for beyond, good in ((0.9 * MARGIN, True), (1.1 * MARGIN, False)):
        place = edge.copy()
        place[axis] += sign * beyond
        line = b"%.3f %.3f %.3f 1 2\x003\n" % tuple(place)
        path = write(tmp_path, CORNERS + line)
        if good:
            np.testing.assert_allclose(read_points(path).coord[2], place, atol=1e-3)
        else:
            with pytest.raises(InputError, match="line 3"):
                read_points(path)


def test_repaired_points_do_not_support_each_other(tmp_path: Path) -> None:
    far = b"99.0 -9.1 2.5 1 2\x003\n"
    with pytest.raises(InputError, match="line 3"):
        read_points(write(tmp_path, CORNERS + far + far))
    with pytest.raises(InputError, match="line 1"):
        read_points(write(tmp_path, far))  # nothing to compare with


def test_blanks_and_line_ends_do_not_matter(ceiling: Path) -> None:
    plain = read_points(ceiling)
    text = ceiling.read_bytes()
    assert len(plain.coord) == text.count(b"\n") > 100
    for edited in (
        text.replace(b"\n", b"\r\n"),
        text.replace(b" ", b"  "),
        text.replace(b" ", b"\t"),
        text.replace(b"\n", b" \n"),
        text.replace(b"\n", b"\n \n\n"),
        b"\n " + text,
    ):
        ceiling.write_bytes(edited)
        found = read_points(ceiling)
        np.testing.assert_array_equal(found.coord, plain.coord)
        np.testing.assert_array_equal(found.color, plain.color)
        assert not found.notes


@pytest.mark.parametrize("text", [b"", b"\n", b" \r\n\n"])
def test_empty_files(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(InputError, match=r"ceiling_1\.txt is empty"):
        read_points(write(tmp_path, text))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.txt cannot be read \(No such file"):
        read_points(tmp_path / "nowhere.txt")
    with pytest.raises(InputError, match="cannot be read"):
        read_points(tmp_path)
