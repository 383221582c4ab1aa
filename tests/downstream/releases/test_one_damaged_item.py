"""One damaged item of three stops no other, is named in one line, and is made after repair."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from downstream.releases.grid import GridSettings
from downstream.releases.s3dis.rooms import convert_rooms, find_rooms
from downstream.releases.scannet.release import find_scans
from downstream.releases.scannet.scenes import SceneSettings, convert_scans
from downstream.releases.shapenetpart.shapes import convert_release
from downstream.releases.sunrgbd.images import ImageSettings, convert_images, find_images
from downstream.releases.synthia4d.frames import convert_frames, find_frames
from downstream.shapes.shape_set import read_shape_set
from pointcontrast.preparation.scene_conversion import ConvertedScene
from tests.helpers.converters import contents
from tests.inputs import makers_releases as releases
from tests.inputs.damage import damage_once

Converted = tuple[list[ConvertedScene], dict[str, str]]
NUM_DAMAGES = 25


@dataclass(frozen=True)
class Release:
    """A release of three items and its conversion.

    Attributes:
        make: Function that writes it below a folder, as ``raw``.
        convert: Function from the folder of the release and the output to what was converted.
        item: Name of the first item's scene.
        files: Pattern of the first item's files below ``raw``.
    """

    make: Callable[[Path], object]
    convert: Callable[[Path, Path], Converted]
    item: str
    files: str


def _s3dis(raw: Path, output: Path) -> Converted:
    return convert_rooms(find_rooms(raw), output, GridSettings())


def _scannet(raw: Path, output: Path) -> Converted:
    return convert_scans(find_scans(raw), output, SceneSettings())


def _synthia(raw: Path, output: Path) -> Converted:
    names = find_frames(raw, [f"{releases.SEQUENCE}/{frame}" for frame in releases.FRAMES])
    return convert_frames(raw, names, output, GridSettings())


def _sunrgbd(raw: Path, output: Path) -> Converted:
    found = find_images(raw, "v1")
    settings = ImageSettings(max_points=0, keep_empty=True)
    return convert_images(found.images, output, settings, failures=found.failures)


RELEASES = {
    "s3dis": Release(releases.s3dis, _s3dis, "Area_1/office_1", "Area_1/office_1/Annotations/*"),
    "scannet": Release(releases.scannet, _scannet, "scene0000_00", "scans/scene0000_00/*"),
    "synthia": Release(
        releases.synthia, _synthia, f"{releases.SEQUENCE}/000000", "*/point_clouds/000000*"
    ),
    "sunrgbd": Release(releases.sunrgbd, _sunrgbd, "000001", "*/000001.*"),
}


def damage_item(rng: np.random.Generator, raw: Path, pattern: str, staging: Path) -> str:
    """Damage one of the files below ``raw`` that fit a pattern; return what was done."""
    for path in sorted(raw.glob(pattern)):
        there = staging / path.relative_to(raw)
        there.parent.mkdir(parents=True, exist_ok=True)
        path.rename(there)
    how = damage_once(rng, staging)
    while how.startswith("file in its place"):  # of a folder, which other items share
        how = damage_once(rng, staging)
    shutil.copytree(staging, raw, dirs_exist_ok=True, symlinks=True)
    return how


def repair(damaged: Path, raw: Path) -> None:
    """Copy again the files that differ from those of ``raw``, and remove all others."""
    for path in sorted(damaged.rglob("*"), reverse=True):
        whole = raw / path.relative_to(damaged)
        if path.is_symlink() or (path.is_file() and not whole.is_file()):
            path.unlink()
        elif path.is_dir() and not whole.is_dir():
            path.rmdir()
    for whole in raw.rglob("*"):
        path = damaged / whole.relative_to(raw)
        if whole.is_file() and not (path.exists() and path.read_bytes() == whole.read_bytes()):
            shutil.copyfile(whole, path)


@pytest.mark.parametrize("name", RELEASES)
def test_scenes(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    release = RELEASES[name]
    release.make(tmp_path)
    raw, whole = tmp_path / "raw", tmp_path / "whole"
    finished, failures = release.convert(raw, whole)
    assert (len(finished), failures) == (3, {})
    num_failed = 0
    for number in range(NUM_DAMAGES):
        rng = np.random.default_rng([number, *name.encode()])
        folder = tmp_path / str(number)
        shutil.copytree(raw, folder / "raw")
        how = damage_item(rng, folder / "raw", release.files, folder / "staging")
        finished, failures = release.convert(folder / "raw", folder / "out")
        assert not caplog.records, (how, caplog.text)
        assert set(failures) <= {release.item}, how
        assert all(reason and "\n" not in reason for reason in failures.values()), how
        names = {scene.scene for scene in finished}
        others = {scene.scene for scene in finished} - {release.item}
        assert len(others) == 2, (how, failures)
        for other in others:
            assert contents(folder / "out" / other) == contents(whole / other), how
        if release.item not in names:
            assert not (folder / "out" / release.item).exists(), how
            assert release.item in failures or how.startswith(("renamed", "deleted")), how
            num_failed += release.item in failures
        else:
            assert release.item not in failures, how
        repair(folder / "raw", raw)
        again, failures = release.convert(folder / "raw", folder / "out")
        assert failures == {}, how
        made = {scene.scene for scene in again if not scene.reused}
        assert made <= {release.item}, how
        if release.item not in names:
            assert made == {release.item}, how
        assert contents(folder / "out" / release.item) == contents(whole / release.item), how
        shutil.rmtree(folder)
    assert num_failed >= NUM_DAMAGES // 4


def test_shapes_with_parts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    releases.shapenetpart(tmp_path)
    raw, whole, mug = tmp_path / "raw", tmp_path / "whole", releases.MUG
    convert_release(raw, whole)
    num_failed = 0
    for number in range(NUM_DAMAGES):
        rng = np.random.default_rng([number, 7])
        folder = tmp_path / str(number)
        shutil.copytree(raw, folder / "raw")
        how = damage_item(rng, folder / "raw", f"{mug}/aaa.txt", folder / "staging")
        done = convert_release(folder / "raw", folder / "out")
        assert not caplog.records, (how, caplog.text)
        assert (len(done.finished), done.failures) == (2, {}), how
        table = folder / "out" / releases.TABLE
        assert contents(table) == contents(whole / releases.TABLE), how
        left_out = next(each.left_out for each in done.finished if each.name == mug)
        assert set(left_out) <= {"aaa"}, how
        assert all(reason and "\n" not in reason for reason in left_out.values()), how
        found, wanted = read_shape_set(folder / "out" / mug), read_shape_set(whole / mug)
        for shape_id in ("bbb", "ccc"):
            one, two = (each.shape(each.ids.index(shape_id)) for each in (found, wanted))
            for name, array in two.arrays().items():
                np.testing.assert_array_equal(one.arrays()[name], array, err_msg=how)
        num_failed += bool(left_out)
        repair(folder / "raw", raw)
        again = convert_release(folder / "raw", folder / "out")
        assert {each.name: each.left_out for each in again.finished} == {
            mug: {}, releases.TABLE: {},
        }, how  # fmt: skip
        assert next(each for each in again.finished if each.name == releases.TABLE).reused, how
        assert contents(folder / "out" / mug) == contents(whole / mug), how
        shutil.rmtree(folder)
    assert num_failed >= NUM_DAMAGES // 4


def test_one_broken_scan_of_many(tmp_path: Path) -> None:
    names = [f"scene{number:04d}_00" for number in range(40)]
    releases.scannet(tmp_path, names)
    scans = tmp_path / "raw" / "scans"
    (scans / names[7] / f"{names[7]}_vh_clean_2.ply").write_bytes(b"ply\n")
    (scans / names[23] / f"{names[23]}.aggregation.json").write_text(json.dumps({"segGroups": 3}))
    finished, failures = _scannet(tmp_path / "raw", tmp_path / "out")
    assert len(finished) == 38
    assert list(failures) == [names[7], names[23]]
