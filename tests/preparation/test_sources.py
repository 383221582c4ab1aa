from __future__ import annotations

from pathlib import Path

import pytest

from pointcontrast.errors import InputError
from pointcontrast.preparation.sources import PosedRGBD, SyntheticRooms
from pointcontrast.scenes.pairs import PAIRS_FILE, read_pairs
from tests.helpers.small_sens import small_frames, write_small


def test_folders_of_frames_become_pairs_once(rooms: Path, tmp_path: Path) -> None:
    source = PosedRGBD([str(rooms)], frame_skip=2)
    source.prepare(tmp_path)
    pairs = read_pairs(tmp_path / PAIRS_FILE)
    assert max(pair.view1 for pair in pairs) < 5  # every second of ten frames
    stores = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("depth.bin")}
    assert len(stores) == 2
    source.prepare(tmp_path)
    assert stores == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("depth.bin")}


def test_a_recording_that_is_cut_short_is_used_as_far_as_it_goes(tmp_path: Path) -> None:
    path = write_small(tmp_path / "scan", small_frames(4))
    path.write_bytes(path.read_bytes()[:-500])
    PosedRGBD([str(path.parent)]).prepare(tmp_path / "out")
    pairs = read_pairs(tmp_path / "out" / PAIRS_FILE)
    assert {pair.view1 for pair in pairs} == {1, 2}  # the last frame is not whole


def test_generated_rooms_become_pairs(tmp_path: Path) -> None:
    SyntheticRooms(num_rooms=1, num_frames=3, seed=2).prepare(tmp_path)
    assert len(list((tmp_path / "raw" / "room_0000").glob("*.depth.png"))) == 3
    assert (tmp_path / PAIRS_FILE).exists()


def test_scenes_that_fail_are_named_with_their_reasons(rooms: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"2 scenes could not be prepared: .*room_0000"):
        PosedRGBD([str(rooms)], frame_skip=100).prepare(tmp_path)
    with pytest.raises(InputError, match="nowhere"):
        PosedRGBD(["nowhere"]).prepare(tmp_path)
