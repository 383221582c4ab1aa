"""Folders of the release, official splits, and download lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from downstream.releases.scannet.downloads import DOWNLOADS, PURPOSES, download_list
from downstream.releases.scannet.release import check_scan_id, find_scans, is_test_scan, read_split
from pointcontrast.errors import InputError
from tests.helpers.repository import REPOSITORY

SPLITS = REPOSITORY / "datasets" / "splits"
# the endings that the official script accepts, and those that test scans have
OFFICIAL = {
    ".aggregation.json",
    ".sens",
    ".txt",
    "_vh_clean.ply",
    "_vh_clean_2.0.010000.segs.json",
    "_vh_clean_2.ply",
    "_vh_clean.segs.json",
    "_vh_clean.aggregation.json",
    "_vh_clean_2.labels.ply",
}
OFFICIAL_TEST = {".sens", ".txt", "_vh_clean.ply", "_vh_clean_2.ply"}


def test_official_splits():
    train, val, test = (read_split(SPLITS, split) for split in ("train", "val", "test"))
    assert (len(train), len(val), len(test)) == (1201, 312, 100)
    assert len({*train, *val, *test}) == 1613
    assert read_split(SPLITS, "trainval") == train + val
    # a room is scanned several times: never in two splits
    rooms = [{name[:9] for name in split} for split in (train, val, test)]
    assert sum(map(len, rooms)) == len(set.union(*rooms)) == 807


def test_bad_split_files(tmp_path: Path):
    with pytest.raises(InputError, match=r"scannetv2_val\.txt does not exist"):
        read_split(tmp_path, "val")
    (tmp_path / "scannetv2_val.txt").write_text("scene0011_00\n../../etc\n")
    with pytest.raises(InputError, match="is not a scan's id"):
        read_split(tmp_path, "val")


@pytest.mark.parametrize(
    "name", ["scene000_00", "scene0000_00x", "../scene0000_00", "scene0000_0\u0661", "", "x\n"]
)
def test_ids_that_are_none(name: str):
    with pytest.raises(InputError, match="is not a scan's id"):
        check_scan_id(name, "here")


def test_find_scans(release: Path, tmp_path: Path):
    names = [scan.name for scan in find_scans(release)]
    assert names == ["scene0000_00", "scene0001_00", "scene0707_00"]
    assert [is_test_scan(scan) for scan in find_scans(release)] == [False, False, True]
    assert [scan.name for scan in find_scans(release, ["scene0707_00", "scene0003_00"])] == [
        "scene0707_00"
    ]
    assert [scan.name for scan in find_scans(release / "scans")] == names[:2]
    with pytest.raises(InputError, match="none of the 1 scans"):
        find_scans(release, ["scene0003_00"])
    with pytest.raises(InputError, match="holds no scan"):
        find_scans(tmp_path)
    with pytest.raises(InputError, match="is not a folder"):
        find_scans(tmp_path / "absent")


@pytest.mark.parametrize("purpose", PURPOSES)
def test_download_types_are_those_of_the_official_script(purpose: str):
    needed = DOWNLOADS[purpose]  # pyright: ignore[reportArgumentType]
    assert set(needed.endings) <= OFFICIAL
    assert set(needed.test_endings) <= OFFICIAL_TEST


def test_download_list():
    text = download_list("detection", "val", ["scene0011_00", "scene0011_01"], files=True)
    types = [line.split("--type ")[1] for line in text.splitlines() if "--type " in line]
    assert types == list(DOWNLOADS["detection"].endings)
    assert text.splitlines()[-1] == "scans/scene0011_01/scene0011_01.txt"
    assert len([line for line in text.splitlines() if line.startswith("scans/")]) == 2 * 5
    assert "--label_map" in text
    test = download_list("detection", "test", ["scene0707_00"], files=True)
    assert "--label_map" not in test
    assert "labels.ply" not in test.split("\n\n", 1)[1]
    assert test.splitlines()[-1] == "scans_test/scene0707_00/scene0707_00.txt"


def test_sizes_scale_with_the_scans():
    assert "about 940 GB; 620 MB per scan" in download_list("pairs", "trainval", ["x"] * 1513)
    assert "about 20 GB; 12 MB per scan" in download_list("scenes", "trainval", ["x"] * 1613)
    with pytest.raises(InputError, match="no scans"):
        download_list("pairs", "test", [])
