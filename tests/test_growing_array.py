"""A .npy file that grows is the file that NumPy writes at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pointcontrast.growing_array import GrowingArray


@pytest.mark.parametrize(
    ("dtype", "row_shape"), [(np.float32, (3,)), (np.int32, ()), (np.int64, (2, 2))]
)
def test_rows_come_back_in_order(tmp_path: Path, dtype: type, row_shape: tuple[int, ...]):
    rng = np.random.default_rng(0)
    blocks = [rng.integers(-9, 9, (n, *row_shape)).astype(dtype) for n in (2, 0, 1, 700)]
    growing = GrowingArray(tmp_path / "a.npy", dtype, row_shape)
    for block in blocks:
        growing.append(block)
    assert growing.num_rows == 703
    growing.close()
    growing.close()  # twice does no harm
    whole = np.concatenate(blocks)
    for mode in (None, "r"):
        found = np.load(tmp_path / "a.npy", mmap_mode=mode, allow_pickle=False)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, whole)
    np.save(tmp_path / "b.npy", whole)
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()


def test_columns_of_a_wider_array_are_written_as_rows(tmp_path: Path):
    table = np.arange(12, dtype=np.float32).reshape(3, 4)
    growing = GrowingArray(tmp_path / "a.npy", np.float32, (2,))
    growing.append(table[:, 1:3])  # not contiguous
    growing.close()
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), table[:, 1:3])


@pytest.mark.parametrize("rows", [np.zeros((2, 3)), np.zeros((2, 4), np.float32)])
def test_rows_of_another_kind_are_refused(tmp_path: Path, rows: np.ndarray):
    growing = GrowingArray(tmp_path / "a.npy", np.float32, (3,))
    with pytest.raises(ValueError, match="rows are"):
        growing.append(rows)
    growing.close()
