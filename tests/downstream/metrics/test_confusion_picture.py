from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from downstream.metrics.confusion_picture import draw_confusion
from pointcontrast.errors import InputError

GREY = (217, 217, 217)  # a row without truth
BAR = (74, 144, 194)
STRIP = (237, 237, 237)  # what a bar leaves of 100 %
DARKEST = (8, 48, 107)  # all of a class, in the colour map


def drawn(path: Path, counts: np.ndarray) -> np.ndarray:
    names = [f"a class of long name {row}" for row in range(len(counts))]
    draw_confusion(path, torch.from_numpy(counts), names, "ours, test")
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def where(picture: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    return (np.abs(picture - np.array(color)) <= 2).all(axis=2)


@pytest.mark.parametrize("num_classes", [1, 13, 50])
def test_every_size_is_drawn_whole(tmp_path: Path, num_classes: int) -> None:
    picture = drawn(tmp_path / "a" / "c.png", 5 * np.eye(num_classes, dtype=np.int64))
    diagonal = where(picture, DARKEST)
    rows, columns = np.nonzero(diagonal)
    height, width = np.ptp(rows) + 1, np.ptp(columns[columns < columns.min() + np.ptp(rows) + 9])
    assert abs(height - width) <= 3  # the matrix is square
    assert height / num_classes > 14  # pixels of a cell
    ink = (picture < 200).any(axis=2)
    for lines in (ink.any(axis=0), ink.any(axis=1)):  # a margin on every side: nothing is cut off
        assert 8 <= np.argmax(lines) <= 16
        assert 8 <= np.argmax(lines[::-1]) <= 16
    assert [entry.name for entry in (tmp_path / "a").iterdir()] == ["c.png"]


def test_a_row_without_truth_is_grey_and_the_others_are_shared_out(tmp_path: Path) -> None:
    counts = np.array([[1000, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 3]])
    picture = drawn(tmp_path / "c.png", counts)
    dark, grey = where(picture, DARKEST), where(picture, GREY)
    rows, columns = np.nonzero(dark[:, : np.nonzero(grey)[1].max() + 1])
    top, cell = rows.min(), (np.ptp(rows) + 1) / 4
    left = columns.min()
    seen = [
        [int(dark[int(top + (i + 0.2) * cell), int(left + (j + 0.2) * cell)]) for j in range(4)]
        for i in range(4)
    ]
    assert seen == np.diag([1, 0, 1, 1]).tolist()  # one point of a class is all of it
    grey_rows = np.flatnonzero(grey.sum(axis=1) > 3 * cell)
    assert abs(grey_rows.min() - (top + cell)) <= 2
    assert abs(grey_rows.max() - (top + 2 * cell)) <= 2


def test_bars_stand_beside_their_rows_and_are_as_long_as_the_iou(tmp_path: Path) -> None:
    counts = np.diag(np.full(50, 60))
    counts[7, 8] = 60  # IoU of 7: 1/2; of 8: 1/2
    counts[30] = 0  # nowhere: no bar
    picture = drawn(tmp_path / "c.png", counts)
    bars, matrix = where(picture, BAR), where(picture, DARKEST)
    rows = np.nonzero(matrix.any(axis=1))[0]
    top, cell = rows.min(), (np.ptp(rows) + 1) / 50
    lengths = [int(bars[int(top + (row + 0.5) * cell)].sum()) for row in range(50)]
    strip = where(picture, STRIP)
    full = int(strip[int(top + 30.5 * cell)].sum())
    assert full == pytest.approx(0.14 * 50 * cell, abs=3)
    for row, expected in {0: 1, 7: 0.5, 8: 0.5, 30: 0, 49: 1}.items():
        assert abs(lengths[row] - expected * full) <= 3, row
    gaps = [bars[int(top + row * cell)].any() for row in (1, 25, 49)]
    assert not any(gaps)  # between two rows there is no bar: the two panels have one scale


def test_numbers_are_written_where_they_fit(tmp_path: Path) -> None:
    # the same share in every cell: a cell with a number holds black, one without is of one colour
    for num_classes, written in ((25, True), (26, False)):
        counts = np.full((num_classes, num_classes), 7)
        picture = drawn(tmp_path / f"{num_classes}.png", counts)
        blue = picture[:, :, 2] - picture[:, :, 0] > 5
        rows, columns = np.nonzero(blue)
        inside = picture[rows.min() + 5 : rows.max() - 5, columns.min() + 5 :]
        inside = inside[:, : len(inside)]
        assert bool((inside.max(axis=2) < 60).any()) is written


def test_names_must_fit_and_something_must_be_counted(tmp_path: Path) -> None:
    matrix = torch.eye(3, dtype=torch.int64)
    with pytest.raises(InputError, match=r"2 class names do not fit a matrix of \(3, 3\)"):
        draw_confusion(tmp_path / "c.png", matrix, ["a", "b"], "")
    with pytest.raises(InputError, match="nothing that was evaluated"):
        draw_confusion(tmp_path / "c.png", 0 * matrix, ["a", "b", "c"], "")
    assert not list(tmp_path.iterdir())
