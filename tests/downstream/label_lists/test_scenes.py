from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from downstream.label_lists.scenes import (
    choose_scenes,
    limited_scenes,
    read_scene_list,
    read_scene_list_comment,
    write_scene_list,
)
from pointcontrast.errors import InputError

SCANS = [f"scene{number // 2:04d}_{number % 2:02d}" for number in range(1201)]
FRACTIONS = (0.01, 0.05, 0.1, 0.2, 0.4, 0.8, 1)


def test_counts_are_those_of_the_published_lists_and_nested() -> None:
    lists = [limited_scenes(SCANS, fraction, 7) for fraction in FRACTIONS]
    assert [len(chosen) for chosen in lists] == [12, 60, 120, 240, 480, 960, 1201]
    for smaller, larger in itertools.pairwise(lists):
        assert set(smaller) < set(larger)


def test_a_number_is_rounded_down_and_is_one_at_least() -> None:
    assert len(limited_scenes(SCANS[:100], 0.29, 0)) == 29  # 0.29 * 100 is 28.999999999999996
    assert len(limited_scenes(SCANS[:19], 0.1, 0)) == 1
    assert len(limited_scenes(SCANS[:5], 0.01, 0)) == 1


def test_the_choice_depends_on_names_and_seed_alone() -> None:
    assert limited_scenes(SCANS, 0.1, 3) == limited_scenes(SCANS[::-1], 0.1, 3)
    assert limited_scenes(SCANS, 0.1, 3) != limited_scenes(SCANS, 0.1, 4)
    assert list(limited_scenes(SCANS, 0.1, 3)) == sorted(limited_scenes(SCANS, 0.1, 3))


def test_every_scene_is_as_likely() -> None:
    counts = dict.fromkeys(SCANS[:20], 0)
    for seed in range(2000):
        for name in limited_scenes(SCANS[:20], 0.25, seed):
            counts[name] += 1
    # 2000 draws of 5 of 20: 500 each, standard deviation 19.4
    assert max(abs(count - 500) for count in counts.values()) < 5 * 19.4


def test_every_group_keeps_its_fraction() -> None:
    names = [
        f"{group}/{i}" for group, size in (("a", 100), ("b", 7), ("c", 16)) for i in range(size)
    ]
    groups = [name[0] for name in names]
    lists = [limited_scenes(names, fraction, 0, groups) for fraction in (0.01, 0.1, 0.5)]
    counts = [[sum(name[0] == group for name in chosen) for group in "abc"] for chosen in lists]
    assert counts == [[1, 1, 1], [10, 1, 2], [50, 4, 8]]
    assert set(lists[0]) < set(lists[1]) < set(lists[2])
    assert lists[1] == limited_scenes(names[::-1], 0.1, 0, groups[::-1])


def test_every_group_has_an_order_of_its_own() -> None:
    names = [f"{group}/{i:02d}" for group in "ab" for i in range(40)]
    chosen = limited_scenes(names, 0.5, 0, [name[0] for name in names])
    a, b = ({name[2:] for name in chosen if name[0] == group} for group in "ab")
    assert a != b


@pytest.mark.parametrize("fraction", [0, -0.1, 1.01, float("nan")])
def test_a_fraction_out_of_range_is_refused(fraction: float) -> None:
    with pytest.raises(InputError, match="must be above 0 and at most 1"):
        limited_scenes(SCANS, fraction, 0)


def test_names_that_cannot_be_chosen_from_are_refused() -> None:
    with pytest.raises(InputError, match="no scenes to choose from"):
        limited_scenes([], 0.1, 0)
    with pytest.raises(InputError, match="'b' is listed twice"):
        limited_scenes(["a", "b", "b"], 0.1, 0)


def test_a_list_of_scenes_comes_back(tmp_path: Path) -> None:
    names = ("b", "Area_1/office 1", "a#1")
    write_scene_list(tmp_path / "lists" / "ours.txt", names, "ScanNet train: 3 of 1201 scenes")
    assert read_scene_list(tmp_path / "lists" / "ours.txt") == names
    comment = read_scene_list_comment(tmp_path / "lists" / "ours.txt")
    assert comment == "ScanNet train: 3 of 1201 scenes"


@pytest.mark.parametrize("text", ["a\nb", "a\nb\n", "a\r\nb\r\n", "\ufeffa\n\n b # why\n# c\n"])
def test_a_plain_list_loads(tmp_path: Path, text: str) -> None:
    (tmp_path / "published.txt").write_bytes(text.encode())
    assert read_scene_list(tmp_path / "published.txt") == ("a", "b")
    assert read_scene_list_comment(tmp_path / "published.txt") == ""


@pytest.mark.parametrize("name", ["", " a", "a # b", "#a", "a\nb"])
def test_a_name_that_would_be_read_as_another_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot contain the name"):
        write_scene_list(tmp_path / "list.txt", ["b", name], "")
    assert not list(tmp_path.iterdir())


def test_bad_lists_of_scenes_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.txt does not exist"):
        read_scene_list(tmp_path / "none.txt")
    (tmp_path / "empty.txt").write_text("# nothing\n\n")
    with pytest.raises(InputError, match=r"empty\.txt lists no scene"):
        read_scene_list(tmp_path / "empty.txt")
    (tmp_path / "twice.txt").write_text("a\nb\na\n")
    with pytest.raises(InputError, match="lists 'a' twice"):
        read_scene_list(tmp_path / "twice.txt")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"binary\.txt is not a list"):
        read_scene_list(tmp_path / "binary.txt")
    with pytest.raises(InputError, match="is not a list"):
        read_scene_list(tmp_path)


def test_scenes_are_found_by_their_name_or_its_last_part() -> None:
    names = ["Area_1/office_1", "Area_1/hall", "Area_2/office_1", "lobby", "Area_2/lobby"]
    listed = ["hall", "Area_2/office_1", "lobby"]  # a whole name is meant before a last part
    assert choose_scenes(names, listed, "a.txt") == (
        ("Area_1/hall", "Area_2/office_1", "lobby"), None,
    )  # fmt: skip
    for listed, message in (
        (["office_1"], r"a.txt names 'office_1', which may be Area_1/office_1 or Area_2"),
        (["cellar"], r"a.txt names 'cellar', which the .* \(it has 5 scenes, such as 'Are"),
        (["hall", "Area_1/hall"], r"'Area_1/hall' twice, as 'hall' and as 'Area_1/hall'"),
    ):
        with pytest.raises(InputError, match=message):
            choose_scenes(names, listed, "a.txt")
    with pytest.raises(InputError, match=r"\(it has 0 scenes\)"):
        choose_scenes([], ["hall"], "a.txt")


def test_scenes_of_a_list_may_be_absent() -> None:
    chosen, note = choose_scenes(["a", "b"], ["c", "b", "d"], "part.txt")
    assert chosen == ("b",)
    assert note == ("2 of the 3 scenes of part.txt are absent, such as 'c'; the other 1 are taken")
