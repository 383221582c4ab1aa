"""The size of the records of .bin files is told from their numbers."""

import numpy as np
import pytest

from pointcontrast.errors import InputError
from pointcontrast.recordings.binary_records import (
    RecordForm,
    common_form,
    read_records,
    record_colors,
    record_form,
)
from tests.recordings.makers_sweeps import SimulatedSweep, columns, drive, scan

FORMS = [(w, "float32") for w in (3, 4, 5, 6, 7, 8)] + [(w, "float64") for w in (3, 4, 5, 6)]
TURNS = np.array([0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15])


@pytest.fixture(scope="module")
def sweep():
    return scan(drive(6)[3])


def ordered(sweep: SimulatedSweep, order: str) -> SimulatedSweep:
    """The points ring by ring, as fired (upper and lower beams in turn), or shuffled."""
    if order == "rings":
        rows = np.arange(len(sweep.points))
    elif order == "fired":
        azimuth = np.arctan2(sweep.points[:, 1], sweep.points[:, 0])
        rows = np.lexsort((np.argsort(TURNS)[sweep.ring], np.round(azimuth * 240 / (2 * np.pi))))
    else:
        rows = np.random.default_rng(1).permutation(len(sweep.points))
    return SimulatedSweep(sweep.points[rows], sweep.intensity[rows], sweep.ring[rows], sweep.pose)


@pytest.mark.parametrize("order", ["rings", "fired", "shuffled"])
@pytest.mark.parametrize(("width", "dtype"), FORMS)
def test_the_form_is_told(tmp_path, sweep, width, dtype, order):
    written = columns(ordered(sweep, order), width).astype(dtype)
    written.tofile(tmp_path / "a.bin")
    assert record_form(tmp_path / "a.bin") == RecordForm(width, dtype)
    np.testing.assert_array_equal(read_records(tmp_path / "a.bin"), written)


def test_short_numbers_are_told_in_both_types(tmp_path, sweep):
    for width, dtype in ((3, "float64"), (3, "float32"), (4, "float64"), (4, "float32")):
        np.round(columns(sweep, width), 0).astype(dtype).tofile(tmp_path / "a.bin")
        assert record_form(tmp_path / "a.bin") == RecordForm(width, dtype)


def test_colours_are_told_from_intensity_ring_and_time(tmp_path, sweep):
    rng = np.random.default_rng(0)
    grey = rng.integers(20, 230, len(sweep.points))
    colors = np.clip(grey[:, None] + rng.integers(-20, 20, (len(grey), 3)), 0, 255)
    np.column_stack([sweep.points, colors]).astype("<f4").tofile(tmp_path / "a.bin")
    records = read_records(tmp_path / "a.bin")
    np.testing.assert_array_equal(record_colors(records), colors)
    assert record_colors(columns(sweep, 6)) is None
    assert record_colors(columns(sweep, 5)) is None


@pytest.mark.parametrize(("width", "dtype"), FORMS)
def test_a_cut_file_is_said_to_be_cut(tmp_path, sweep, width, dtype):
    written = columns(sweep, width).astype(dtype).tobytes()
    (tmp_path / "a.bin").write_bytes(written[: -np.dtype(dtype).itemsize])
    with pytest.raises(InputError, match="cut short"):
        record_form(tmp_path / "a.bin")


def test_a_file_of_something_else_is_refused(tmp_path):
    rng = np.random.default_rng(0)
    for size in (16_000, 30_001, 40_320):
        (tmp_path / "a.bin").write_bytes(rng.bytes(size))
        with pytest.raises(InputError, match="does not hold"):
            record_form(tmp_path / "a.bin")


def test_what_the_numbers_do_not_tell_is_asked(tmp_path):
    values = np.random.default_rng(0).uniform(-20, 20, 60).astype("<f4")
    values.tofile(tmp_path / "a.bin")
    with pytest.raises(InputError, match="--floats-per-point"):
        record_form(tmp_path / "a.bin")
    assert record_form(tmp_path / "a.bin", width=4) == RecordForm(4, "float32")
    assert record_form(tmp_path / "a.bin", RecordForm(5, "float32")).width == 5
    with pytest.raises(InputError, match="7 float32, as --floats-per-point states"):
        record_form(tmp_path / "a.bin", width=7)


def test_a_folder_has_one_form(tmp_path, sweep):
    for i in range(6):
        columns(sweep, 5).astype("<f4").tofile(tmp_path / f"{i}.bin")
    paths = sorted(tmp_path.iterdir())
    paths[0].write_bytes(b"")
    form = common_form(paths)
    assert form == RecordForm(5, "float32")
    columns(sweep, 4).astype("<f4").tofile(paths[1])
    with pytest.raises(InputError, match="holds 4 float32 per point, the other sweeps 5 float32"):
        read_records(paths[1], form)
