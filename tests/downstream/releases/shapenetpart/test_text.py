"""Reader of a shape: fast and slow agree, and wrong lines are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from downstream.releases.shapenetpart.text import PartNumbers, read_shape
from pointcontrast.errors import InputError
from tests.helpers.shapenetpart_lines import slow_shape

GOOD = "0.1 0.2 0.3 0.000000 1.000000 0.000000 36.000000"
PARTS = PartNumbers((36, 37), 36)


def write(folder: Path, *lines: str, end: str = "\n") -> Path:
    path = folder / "abc.txt"
    path.write_bytes(end.join([*lines, ""]).encode())
    return path


def test_a_generated_shape_agrees_with_a_slow_reader(release: Path):
    for path in sorted((release / "03797390").iterdir()):
        found, slow = read_shape([path], PARTS), slow_shape(path)
        assert found.id == path.stem
        assert [array.dtype for array in found.arrays().values()] == ["f4", "f4", "i4"]
        for name, array in found.arrays().items():
            np.testing.assert_array_equal(array, slow[name])


@pytest.mark.parametrize(
    "line",
    ["-1.5e-3 .5 12345678.9 0.6 -0.8 0 37", "0.3333333333333333 1 2 0 0 -1 37.000000"],
)
def test_numbers_of_any_form(tmp_path: Path, line: str):
    path = write(tmp_path, GOOD, line)
    found, slow = read_shape([path], PARTS), slow_shape(path)
    for name, array in found.arrays().items():
        np.testing.assert_array_equal(array, slow[name])


@pytest.mark.parametrize("spoil", [str.strip, lambda s: s + " ", lambda s: s.replace(" ", "\t")])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"])
def test_any_white_space(tmp_path: Path, spoil, end: str):
    found = read_shape([write(tmp_path, spoil(GOOD), spoil(GOOD), end=end)], PARTS)
    assert len(found) == 2
    np.testing.assert_array_equal(found.coord[1], np.float32([0.1, 0.2, 0.3]))
    assert found.part is not None
    assert found.part.tolist() == [36, 36]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0.1 0.2 0.3 0 1 0", "line 2: .* is not `x y z nx ny nz part`"),
        (GOOD + " 1", "line 2: .* is not `x y z nx ny nz part`"),
        (GOOD.replace("0.2", "0,2"), "line 2: "),
        (GOOD.replace("0.2", "nan"), "line 2: .* with finite coordinates"),
        (GOOD.replace("0.2", "inf"), "line 2: .* with finite coordinates"),
        (GOOD.replace("36.0", "38.0"), r"line 2: part 38 is not one of 36\.\.37"),
        (GOOD.replace("36.0", "35.0"), "line 2: part 35 is not one of"),
        (GOOD.replace("36.0", "36.5"), "line 2: part 36.5 is not one of"),
        (GOOD.replace("36.0", "nan"), "line 2: .*is not"),
        ('"0.1" 0.2 0.3 0 1 0 36', "line 2: "),
        ("0.1  0.3 0 1 0 36", "line 2: "),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, message: str):
    path = write(tmp_path, GOOD, line, GOOD)
    with pytest.raises(InputError, match=message) as error:
        read_shape([path], PARTS)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("text", ["", "\n", " \n\n"])
def test_an_empty_file_is_named(tmp_path: Path, text: str):
    (tmp_path / "abc.txt").write_text(text)
    with pytest.raises(InputError, match=r"abc.txt is empty"):
        read_shape([tmp_path / "abc.txt"], PARTS)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(InputError, match=r"abc.txt cannot be read \(No such file"):
        read_shape([tmp_path / "abc.txt"], PARTS)


def test_normals_become_unit_vectors_only_where_they_are_none(tmp_path: Path):
    normals = ["0.6 0.8 0", "0.6001 0.8 0", "3 0 4", "0 0 0", "nan 1 0", "inf 0 0"]
    path = write(tmp_path, *(f"0 0 0 {normal} 36" for normal in normals))
    found = read_shape([path], PARTS).normal
    wanted = [[0.6, 0.8, 0], [0.6001, 0.8, 0], [0.6, 0, 0.8], [0, 0, 0], [0, 0, 0], [0, 0, 0]]
    np.testing.assert_array_equal(found, np.float32(wanted))
