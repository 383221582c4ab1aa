"""Segments, objects and labels against slow loops and written-out examples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from downstream.releases.scannet.annotations import (
    Objects,
    checked_labels,
    commonest_labels,
    object_labels,
    read_label_map,
    read_objects,
)
from downstream.releases.scannet.classes import CLASS_NAMES, class_rows
from pointcontrast.errors import InputError


def write(folder: Path, segments: Any, groups: Any) -> tuple[Path, Path]:
    paths = folder / "x.segs.json", folder / "x.aggregation.json"
    for path, value in zip(paths, ({"segIndices": segments}, {"segGroups": groups}), strict=True):
        path.write_text(json.dumps(value))
    return paths


def group(number: int, label: str, *segments: int) -> dict[str, Any]:
    return {"id": number, "objectId": number, "label": label, "segments": list(segments)}


def test_objects_against_a_loop(tmp_path: Path):
    rng = np.random.default_rng(2)
    ids = rng.permutation(1000)[:60] * 7
    segments = rng.choice(ids, 500)
    present = np.unique(segments).tolist()
    groups = [group(n, f"c{n % 3}", *rng.choice(present, 9).tolist()) for n in range(8)]
    found = read_objects(*write(tmp_path, segments.tolist(), groups), 500)
    expected = [-1] * 500
    for each in groups:  # the later of two has a segment
        for vertex in range(500):
            if segments[vertex] in each["segments"]:
                expected[vertex] = each["objectId"]
    assert found.instance.tolist() == expected
    assert found.instance.dtype == np.int32
    assert found.categories == {n: f"c{n % 3}" for n in range(8)}
    assert found.notes == ()


def test_objects_listed_twice_count_once(tmp_path: Path):
    # scene0217_00 of the release
    groups = [group(0, "bed", 1, 2), group(1, "lamp", 5), group(2, "bed", 2, 1)]
    found = read_objects(*write(tmp_path, [1, 2, 5, 9], groups), 4)
    assert found.instance.tolist() == [0, 0, 1, -1]
    assert found.categories == {0: "bed", 1: "lamp"}
    assert "object 2 ('bed') repeats" in found.notes[0]


@pytest.mark.parametrize(
    ("segments", "groups", "match"),
    [
        ([1, 2], [], "has segments of 2 vertices"),
        ([1, 2, 2.5], [], "segIndices"),
        ([1, 2, "../x"], [], "segIndices"),
        ([[1], [2, 3], []], [], "segIndices"),
        (None, [], "segIndices"),
        ([1, 2, 3], {}, "segGroups"),
        ([1, 2, 3], [3], "entry 0"),
        ([1, 2, 3], [group(0, "bed")], "entry 0"),
        ([1, 2, 3], [{**group(0, "bed", 1), "label": 3}], "entry 0"),
        ([1, 2, 3], [{**group(0, "bed", 1), "objectId": -1}], "entry 0"),
        ([1, 2, 3], [group(0, "bed", 1), group(0, "bed", 2)], "two objects 0"),
        ([1, 2, 3], [group(0, "bed", 1, 4)], "names segment 4"),
        ([1, 2, 3], [group(0, "bed", 0)], "names segment 0"),
    ],
)
def test_bad_annotations(tmp_path: Path, segments: Any, groups: Any, match: str):
    with pytest.raises(InputError, match=match):
        read_objects(*write(tmp_path, segments, groups), 3)


def test_label_map(tmp_path: Path):
    path = tmp_path / "map.tsv"
    path.write_text(
        "id\traw_category\tx\tnyu40id\n1\tcouch\t\t6\n2\tstick\t\t\n3\tcoffee, cold\t\t7\n"
    )
    label_map = read_label_map(path)
    assert label_map == {"couch": 6, "stick": 0, "coffee, cold": 7}
    objects = Objects(np.zeros(1, np.int32), {0: "couch", 4: "stick"}, ())
    assert object_labels(objects, label_map, path) == {0: 6, 4: 0}
    objects = Objects(np.zeros(1, np.int32), {3: "spoon"}, ())
    with pytest.raises(InputError, match="object 3 is a 'spoon'"):
        object_labels(objects, label_map, path)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "is empty"),
        ("id\traw_category\n1\tcouch\n", "line 2"),
        ("id\traw_category\tnyu40id\n1\tcouch\t41\n", "'41' is not an NYU40 id"),
        ("id\traw_category\tnyu40id\n1\tcouch\tsofa\n", "'sofa' is not an NYU40 id"),
    ],
)
def test_bad_label_maps(tmp_path: Path, text: str, match: str):
    path = tmp_path / "map.tsv"
    path.write_text(text)
    with pytest.raises(InputError, match=match):
        read_label_map(path)


def test_commonest_labels():
    objects = Objects(
        np.array([3, 3, 3, -1, 0, 0], dtype=np.int32), {0: "bed", 3: "sofa", 7: "gone"}, ()
    )
    labels = np.array([6, 6, 4, 40, 0, 0])
    assert commonest_labels(objects, labels) == {0: 0, 3: 6, 7: 0}


@pytest.mark.parametrize(("scan", "bogus"), [("scene0270_02", 50), ("scene0384_00", 149)])
def test_bogus_ids_are_known_of_their_own_scans_only(scan: str, bogus: int):
    labels = np.array([0, 1, bogus, 40], dtype=np.uint16)
    checked, notes = checked_labels(labels, scan, Path("x.ply"))
    assert checked.tolist() == [0, 1, 0, 40]
    assert len(notes) == 1
    for other in ("scene0000_00", "scene0270_00" if bogus == 149 else "scene0384_00"):
        with pytest.raises(InputError, match=rf"x\.ply: the scan {other} has the label {bogus}"):
            checked_labels(labels, other, Path("x.ply"))
    with pytest.raises(InputError, match="the label -1"):
        checked_labels(np.array([-1]), "scene0000_00", Path("x.ply"))


def test_classes():
    assert len(CLASS_NAMES) == 20
    ids = np.arange(41)
    valid = [*range(1, 13), 14, 16, 24, 28, 33, 34, 36, 39]  # the benchmark's
    expected = [valid.index(i) if i in valid else -1 for i in range(41)]
    assert class_rows(ids).tolist() == expected
    assert class_rows(ids).dtype == np.int32
