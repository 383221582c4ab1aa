"""Lists of scenes: training on a part of them.

The protocol is the limited reconstructions of the ScanNet data-efficient benchmark: 1, 5, 10 or
20 % of the 1201 training scenes (10, 20, 40 or 80 % for detection;
http://kaldir.vc.in.tum.de/scannet_benchmark/data_efficient/documentation).
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pointcontrast.errors import InputError
from pointcontrast.files import atomic_file

FRACTIONS = (0.01, 0.05, 0.1, 0.2)
"""Limited reconstructions of the benchmark, for segmentation."""

_COMMENT = re.compile(r"(^|\s)#.*")


def limited_scenes(
    names: Sequence[str], fraction: float, seed: int, groups: Sequence[str] | None = None
) -> tuple[str, ...]:
    """Choose a fraction of the scenes: the beginning of one order of them.

    The number is rounded down, as in the released script (ContrastiveSceneContexts
    ``downstream/insseg/datasets/preprocessing/sampling_scenes.py``): of ScanNet's 1201 scenes 1,
    5, 10, 20, 40 and 80 % are 12, 60, 120, 240, 480 and 960. That script draws each fraction
    anew; here the smaller is part of the larger, whatever the fractions.

    Args:
        names: all scenes, in any order.
        fraction: above 0, at most 1.
        seed: of the order.
        groups: a group for each name, such as the category of a shape; the fraction is then
            taken of each group, rounded to the nearest, so that small groups keep their share.

    Returns:
        The names, sorted; at least one (of each group).

    Raises:
        InputError: the fraction is out of range, there are no names, or one is there twice.
    """
    if not 0 < fraction <= 1:
        raise InputError(f"fraction {fraction} must be above 0 and at most 1")
    if not names:
        raise InputError("there are no scenes to choose from")
    repeated = _first_repeated(names)
    if repeated is not None:
        raise InputError(f"{repeated!r} is there twice among the scenes to choose from")
    members: dict[str, list[str]] = {}
    of_names = [""] * len(names) if groups is None else groups
    for name, group in zip(names, of_names, strict=True):
        members.setdefault(group, []).append(name)
    # 0.29 * 100 is a little less than 29
    rounding = 1e-9 if groups is None else 0.5
    chosen: list[str] = []
    for group, group_names in members.items():
        ordered = sorted(group_names)
        order = np.random.default_rng([seed, number_of(group)]).permutation(len(ordered))
        count = max(1, math.floor(fraction * len(ordered) + rounding))
        chosen += [ordered[i] for i in order[:count]]
    return tuple(sorted(chosen))


def write_scene_list(path: Path, names: Sequence[str], comment: str) -> None:
    """Write a list of scenes, atomically: a name a line, after a line that says what it is.

    Raises:
        InputError: a name that would not be read again as it is.
    """
    for name in names:
        if name.splitlines() != [name] or _COMMENT.sub("", name).strip() != name:
            raise InputError(f"a list of scenes cannot hold the name {name!r}; rename the scene")
    lines = [f"# {comment}", *names]
    with atomic_file(path) as partial:
        partial.write_text("\n".join(lines) + "\n", "utf-8")


def read_scene_list(path: Path) -> tuple[str, ...]:
    """Read a list of scenes: ours, or one of the benchmark's plain files of scan ids.

    A name a line; ``#`` at the beginning of a line or after a space starts a comment. The
    published files are read as such by ContrastiveSceneContexts
    (``downstream/semseg/datasets/scannet.py``, ``data.train_file``).

    Raises:
        InputError: the file is missing, lists nothing, or lists a name twice.
    """
    names = [name for line in _lines(path) if (name := _COMMENT.sub("", line).strip())]
    if not names:
        raise InputError(f"{path} lists no scene")
    repeated = _first_repeated(names)
    if repeated is not None:
        raise InputError(f"{path} lists {repeated!r} twice")
    return tuple(names)


def read_scene_list_comment(path: Path) -> str:
    """What a list of scenes says of itself in its first line; empty where it says nothing.

    Raises:
        InputError: the file is missing, or is no text.
    """
    lines = _lines(path)
    return lines[0].lstrip("#").strip() if lines and lines[0].startswith("#") else ""


def choose_scenes(names: Sequence[str], listed: Sequence[str]) -> tuple[str, ...]:
    """Those of ``names`` that a list names, by the whole name or by its last part.

    Args:
        names: all scenes; with folders, such as ``Area_1/office_3``.
        listed: of a list; ``office_3`` means the only scene whose name ends so.

    Returns:
        The whole names, in the order of the list.

    Raises:
        InputError: the list names a scene that is not there, a last part that two have, or one
            scene in two ways.
    """
    whole = set(names)
    by_last: dict[str, list[str]] = {}
    for name in names:
        by_last.setdefault(name.rpartition("/")[2], []).append(name)
    chosen: dict[str, str] = {}
    for entry in listed:
        found = [entry] if entry in whole else by_last.get(entry, [])
        if not found:
            example = f", such as {names[0]!r}" if names else ""
            raise InputError(
                f"the list names {entry!r}, which the training data does not have (it has "
                f"{len(names)} scenes{example})"
            )
        if len(found) > 1:
            raise InputError(f"the list names {entry!r}, which may be {' or '.join(found)}")
        if found[0] in chosen:
            raise InputError(
                f"the list names {found[0]!r} twice, as {chosen[found[0]]!r} and as {entry!r}"
            )
        chosen[found[0]] = entry
    return tuple(chosen)


def number_of(name: str) -> int:
    """A number that stands for a name in a seed; the same on every machine."""
    return zlib.crc32(name.encode())


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise InputError(
            f"{path} does not exist; make lists with datasets/label_lists.py"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no list of scenes ({error})") from None


def _first_repeated(names: Sequence[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
