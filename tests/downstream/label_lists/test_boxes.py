"""Few labelled boxes per scene: the choice, the file, and the remaining targets."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from downstream.boxes.geometry import points_in_boxes
from downstream.boxes.votes import box_rows
from downstream.label_lists.boxes import (
    NUM_BOXES,
    BoxList,
    ListedBoxes,
    box_checksum,
    keep_boxes,
    limited_boxes,
    read_box_list,
    write_box_list,
)
from downstream.label_lists.point_choice import points_rng
from downstream.types import LabelledCloud
from pointcontrast.errors import InputError


def some_boxes(count: int, seed: int = 0) -> np.ndarray:
    """Boxes in a room of 4 x 4 x 2 m, of five classes."""
    rng = np.random.default_rng(seed)
    columns = [
        rng.uniform(0, (4, 4, 2), (count, 3)),
        rng.uniform(0.8, 2.0, (count, 3)),
        rng.uniform(-3, 3, (count, 1)),
        rng.integers(0, 5, (count, 1)),
    ]
    return np.hstack(columns).astype(np.float32)


def a_list(boxes: np.ndarray, rows: tuple[int, ...] = (0, 3)) -> BoxList:
    listed = {
        "room/b": ListedBoxes(rows, len(boxes), box_checksum(boxes)),
        "a": ListedBoxes((), 0, box_checksum(boxes[:0])),
    }
    return BoxList(listed, source="some.json", meta={"dataset": "rooms", "seed": 3})


class TestChoice:
    def test_a_smaller_number_is_part_of_a_larger(self) -> None:
        boxes = some_boxes(10)
        found = [limited_boxes(boxes, n, points_rng(5, "room")) for n in (*NUM_BOXES, 10, 11)]
        assert [len(rows) for rows in found] == [1, 2, 4, 7, 10, 10]
        assert all(set(few) < set(more) for few, more in itertools.pairwise(found[:5]))
        assert all((np.diff(rows) > 0).all() for rows in found)
        assert all(rows.dtype == np.int64 for rows in found)
        np.testing.assert_array_equal(found[-1], np.arange(10))

    def test_boxes_without_a_class_are_not_chosen(self) -> None:
        boxes = some_boxes(6)
        boxes[[0, 2, 5], 7] = -1
        np.testing.assert_array_equal(limited_boxes(boxes, 4, points_rng(0, "a")), [1, 3, 4])

    def test_every_pair_is_as_likely(self) -> None:
        boxes, draws = some_boxes(4), 3000
        rng = np.random.default_rng(0)
        pairs = Counter(tuple(limited_boxes(boxes, 2, rng).tolist()) for _ in range(draws))
        assert len(pairs) == 6
        expected, deviation = draws / 6, (draws * 5 / 36) ** 0.5
        assert max(abs(count - expected) for count in pairs.values()) < 4 * deviation

    def test_the_number_must_be_positive(self) -> None:
        assert len(limited_boxes(some_boxes(0), 1, points_rng(0, "a"))) == 0
        with pytest.raises(InputError, match="0 labelled boxes"):
            limited_boxes(some_boxes(3), 0, points_rng(0, "a"))


class TestKeptBoxes:
    def test_votes_are_those_of_a_scene_with_these_boxes_alone(self) -> None:
        boxes = some_boxes(9, seed=1) * np.array([1, 1, 1, 1.6, 1.6, 1.6, 1, 1], np.float32)
        points = np.random.default_rng(0).uniform(0, (4, 4, 2), (4000, 3)).astype(np.float32)
        holding = points_in_boxes(points, boxes).sum(axis=1)
        points = points[holding <= 3]  # of more boxes, three votes do not know all
        assert np.bincount(holding)[:4].min() > 100
        cloud = LabelledCloud(
            name="a", points=points, boxes=boxes, box_rows=box_rows(points, boxes)
        )
        for rows in ([0, 1, 2, 3, 4, 5, 6, 7, 8], [1, 3, 4, 8], [5], [8, 0, 4], []):
            kept = keep_boxes(cloud, np.array(rows, dtype=np.int64))
            assert kept.boxes is not None
            assert kept.box_rows is not None
            np.testing.assert_array_equal(kept.boxes, boxes[rows])
            number_of = np.array([*(rows.index(row) for row in sorted(rows)), -1])
            expected = number_of[box_rows(points, boxes[sorted(rows)])]
            np.testing.assert_array_equal(kept.box_rows, expected)
            assert kept.box_rows.dtype == np.int32

    def test_kept_votes_move_up_and_the_first_fills_the_rest(self) -> None:
        votes = np.array(
            [[0, 0, 0], [1, 1, 1], [0, 1, 0], [1, 2, 1], [0, 1, 2], [1, 2, 3], [0, 1, 3], [-1] * 3],
            np.int32,
        )
        cloud = LabelledCloud(
            name="a", points=np.zeros((8, 3), np.float32), boxes=some_boxes(4), box_rows=votes
        )
        kept = keep_boxes(cloud, np.array([1, 3])).box_rows
        expected = [[-1], [0], [0], [0], [0], [0, 1, 0], [0, 1, 0], [-1]]
        expected = [row * 3 if len(row) == 1 else row for row in expected]
        np.testing.assert_array_equal(kept, expected)
        np.testing.assert_array_equal(cloud.box_rows, votes)

    def test_all_else_stays(self) -> None:
        cloud = LabelledCloud(
            name="a",
            points=np.ones((5, 3), np.float32),
            colors=np.full((5, 3), 9, np.float32),
            floor_height=-1.5,
            boxes=some_boxes(2),
        )
        kept = keep_boxes(cloud, np.array([1]))
        assert kept.box_rows is None
        assert kept.colors is cloud.colors
        assert replace(kept, boxes=cloud.boxes) == cloud

    def test_rows_must_be_there(self) -> None:
        cloud = LabelledCloud(name="a/b", points=np.zeros((1, 3), np.float32))
        with pytest.raises(InputError, match="a/b has no boxes"):
            keep_boxes(cloud, np.array([0]))
        for rows in ([-1], [0, 2]):
            with pytest.raises(InputError, match="a/b has 2 boxes"):
                keep_boxes(replace(cloud, boxes=some_boxes(2)), np.array(rows))


class TestRowsOfAScene:
    def test_by_name_or_by_its_last_part(self) -> None:
        boxes = some_boxes(5)
        found = a_list(boxes)
        np.testing.assert_array_equal(found.rows("room/b", boxes), [0, 3])
        assert found.rows("any/a", boxes[:0]).shape == (0,)
        assert found.rows("a", boxes[:0]).dtype == np.int64
        assert found.names == ("a", "room/b")

    def test_other_data_is_refused(self) -> None:
        boxes = some_boxes(5)
        found = a_list(boxes)
        with pytest.raises(InputError, match=r"some.json does not list 'c/d'"):
            found.rows("c/d", boxes)
        with pytest.raises(InputError, match="5 boxes of 'room/b', which has 4 here"):
            found.rows("room/b", boxes[:4])
        moved, reclassified = boxes.copy(), boxes.copy()
        moved[4, 0] += 0.001
        reclassified[4, 7] += 1
        for others in (moved, reclassified, boxes[::-1]):
            with pytest.raises(InputError, match="made for other boxes of 'room/b'"):
                found.rows("room/b", others)

    def test_a_copy_in_another_layout_is_the_same(self) -> None:
        boxes = some_boxes(5)
        assert box_checksum(np.asfortranarray(boxes)) == box_checksum(boxes)
        assert box_checksum(boxes.astype(">f4")) == box_checksum(boxes)


class TestFile:
    def test_what_is_written_is_read(self, tmp_path: Path) -> None:
        path = tmp_path / "new" / "list.json"
        written = a_list(some_boxes(5))
        write_box_list(path, written)
        found = read_box_list(path)
        assert found == replace(written, source=str(path))

    def test_an_empty_list_is_not_written(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="has no scene"):
            write_box_list(tmp_path / "list.json", BoxList({}, source="a"))
        assert not list(tmp_path.iterdir())

    def test_other_files_are_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "list.json"

        def refused(content: Any) -> str:
            path.write_text(content if isinstance(content, str) else json.dumps(content))
            with pytest.raises(InputError) as error:
                read_box_list(path)
            assert str(path) in str(error.value)
            return str(error.value)

        with pytest.raises(InputError, match="does not exist; make lists with"):
            read_box_list(path)
        write_box_list(path, a_list(some_boxes(5)))
        good = json.loads(path.read_text())
        assert "not valid JSON" in refused(json.dumps(good)[:-5])
        for content in ([], {"a": 1}, {**good, "format": "other"}):
            assert "is not a list of boxes" in refused(content)
        assert "version 2" in refused({**good, "format_version": 2})
        for scenes in ({}, [], None):
            assert "lists no scene" in refused({**good, "scenes": scenes})

    @pytest.mark.parametrize(
        ("key", "value", "message"),
        [
            ("rows", None, "not an integer"),
            ("rows", [0, 1.0], "not an integer"),
            ("rows", [0, True], "not an integer"),
            ("rows", [1, 0], "must be ascending"),
            ("rows", [1, 1], "must be ascending"),
            ("rows", [-1, 1], "must be ascending"),
            ("rows", [1, 5], "from 0 to 4"),
            ("num_boxes", "5", "not an integer"),
            ("checksum", 1.5, "not an integer"),
            ("more", 1, "does not have rows, num_boxes, checksum"),
        ],
    )
    def test_damaged_entries_are_refused(
        self, tmp_path: Path, key: str, value: object, message: str
    ) -> None:
        path = tmp_path / "list.json"
        write_box_list(path, a_list(some_boxes(5)))
        content = json.loads(path.read_text())
        content["scenes"]["room/b"][key] = value
        path.write_text(json.dumps(content))
        with pytest.raises(InputError, match=message) as error:
            read_box_list(path)
        assert "'room/b'" in str(error.value)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    "value",
    [
        ([4, 0], [7, 3]),
        (np.array([4, 0]), np.array([7, 3])),
        ([np.int64(4), np.int64(0)], [np.int64(7), np.int64(3)]),
        (torch.tensor([0, 4]), torch.tensor([3, 7])),
        [4, 0],
    ],
)
def test_a_published_list_names_rows_and_instances(
    tmp_path: Path, value: Any, legacy: bool
) -> None:
    torch.save({"a": value}, tmp_path / "bbox_2", _use_new_zipfile_serialization=not legacy)
    found = read_box_list(tmp_path / "bbox_2")
    assert found.rows("a", some_boxes(5)).tolist() == [0, 4]
    with pytest.raises(InputError, match="names box 4 of 'a', which has 4 boxes"):
        found.rows("a", some_boxes(4))


def test_bad_published_lists_are_named(tmp_path: Path) -> None:
    for value, message in (
        ({"a": ([-1], [0])}, "lists the box -1"),
        ({"a": ([0.5], [0])}, "'a' has no list of integers"),
        ({"a": "0 1"}, "'a' has no list of integers"),
        ([0, 1], "holds a list, not rows by scene"),
    ):
        torch.save(value, tmp_path / "bbox_1")
        with pytest.raises(InputError, match=f"bbox_1.*{message}"):
            read_box_list(tmp_path / "bbox_1")
    path = tmp_path / "bbox_1"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match="is not a complete list of boxes"):
        read_box_list(path)
