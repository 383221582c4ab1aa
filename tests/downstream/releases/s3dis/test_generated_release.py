"""The generated release: files in the layout of the real one, a function of the seed."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from pointcontrast.errors import InputError
from pointcontrast.synthetic.pieces import CLASS_NAMES as ROOM_CLASS_NAMES
from pointcontrast.synthetic.render import Renderer
from pointcontrast.synthetic.rooms import make_room
from tests.releases.s3dis import release as generator
from tests.releases.s3dis.release import write_s3dis_release

SEED, DENSITY = 3, 30.0  # of conftest.py
S3DIS_NAMES = {
    "desk": "table", "cabinet": "bookcase", "picture": "board", "monitor": "board",
    "wall": "wall", "floor": "floor", "ceiling": "ceiling", "door": "door", "window": "window",
    "table": "table", "chair": "chair", "sofa": "sofa", "bookcase": "bookcase",
}  # fmt: skip


def lines_of(folder: Path) -> list[str]:
    return [line for path in sorted(folder.glob("*.txt")) for line in path.read_text().splitlines()]


def test_files_of_a_room(release: Path) -> None:
    room = release / "Area_5" / "office_1"
    assert sorted(path.name for path in room.iterdir()) == ["Annotations", "office_1.txt"]
    names = sorted(path.name for path in (room / "Annotations").iterdir())
    assert all(re.fullmatch(r"[a-z]+_[1-9]\d*\.txt", name) for name in names)
    assert {"ceiling_1.txt", "floor_1.txt", "wall_1.txt"} <= set(names)
    for name in names:  # numbers of a class run from 1
        word, number = name.removesuffix(".txt").split("_")
        assert number == "1" or f"{word}_{int(number) - 1}.txt" in names
    lines = lines_of(room / "Annotations")
    assert all(re.fullmatch(r"(-?\d+\.\d{3} ){3}\d{1,3} \d{1,3} \d{1,3}", line) for line in lines)
    assert sorted(lines) == sorted(lines_of(room))


def test_points_are_those_of_a_room_somewhere_in_its_building(release: Path) -> None:
    rng = np.random.default_rng([SEED, 5, 1])
    truth = Renderer(make_room(rng)).sample_points(DENSITY, rng)
    order = np.lexsort((truth.instance, truth.semantic))  # object by object
    folder = release / "Area_5" / "office_1"
    found = np.loadtxt(folder / "office_1.txt")
    assert len(found) == len(truth.points) > 1000
    shift = found[0, :3] - truth.points[order[0]]
    assert np.abs(shift[:2]).max() > 1
    np.testing.assert_allclose(found[:, :3], truth.points[order] + shift, atol=2e-3)
    np.testing.assert_array_equal(found[:, 3:], truth.colors[order])
    # each object's points are in one file, of its class
    keys = zip(truth.semantic[order].tolist(), truth.instance[order].tolist(), strict=True)
    object_of = dict(zip(lines_of(folder), keys, strict=True))
    seen = set()
    for path in (folder / "Annotations").iterdir():
        (one,) = {object_of[line] for line in path.read_text().splitlines()}
        seen.add(one)
        assert path.name.split("_")[0] == S3DIS_NAMES.get(ROOM_CLASS_NAMES[one[0]], "clutter")
    assert seen == set(object_of.values())


def test_a_release_is_a_function_of_its_seed(release: Path, tmp_path: Path) -> None:
    write_s3dis_release(tmp_path / "more", 2, SEED, areas=(5,), density=DENSITY)
    write_s3dis_release(tmp_path / "other", 1, SEED + 1, areas=(5,), density=DENSITY)
    first = lines_of(release / "Area_5" / "office_1")
    assert lines_of(tmp_path / "more" / "Area_5" / "office_1") == first
    assert lines_of(tmp_path / "more" / "Area_5" / "office_2") != first
    assert lines_of(tmp_path / "other" / "Area_5" / "office_1") != first
    assert lines_of(release / "Area_1" / "office_1") != first


def test_density_sets_the_number_of_points(release: Path, tmp_path: Path) -> None:
    write_s3dis_release(tmp_path, 1, SEED, areas=(5,), density=DENSITY / 3)
    few, many = (len(lines_of(root / "Area_5" / "office_1")) for root in (tmp_path, release))
    assert few == pytest.approx(many / 3, rel=0.1)


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--num-rooms", "1", "--areas", "2", "4", "--density", "5"]
    words += ["--damage", "Area_4/office_1", "no_folder"]
    monkeypatch.setattr(sys, "argv", ["release.py", str(tmp_path), *words])
    generator.main()
    rooms = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("*/*"))
    assert rooms == ["Area_2/office_1", "Area_4/office_1"]
    found = [(tmp_path / room / "Annotations").exists() for room in rooms]
    assert found == [True, False]
    capsys.readouterr()


@pytest.mark.parametrize("numbers", [{"num_rooms": 0}, {"areas": (7,)}, {"areas": ()}])
def test_bad_numbers(tmp_path: Path, numbers: dict) -> None:
    with pytest.raises(InputError, match=r"num_rooms .* must be"):
        write_s3dis_release(tmp_path, **numbers)


@pytest.mark.parametrize("damaged", [{"Area_1/office_9": "nan"}, {"Area_1/office_1": "hammer"}])
def test_damage_that_cannot_be_done(tmp_path: Path, damaged: dict[str, str]) -> None:
    with pytest.raises(InputError, match="damaged: "):
        write_s3dis_release(tmp_path, 1, areas=(1,), damaged=damaged)
    assert not list(tmp_path.iterdir())
