"""Lists of scenes, for training on a part of the scenes.

The protocol is that of limited reconstructions in the ScanNet data-efficient benchmark: 1, 5, 10 or
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
"""Fractions of scenes in the benchmark (limited reconstructions), for segmentation."""

_COMMENT = re.compile(r"(^|\s)#.*")


def limited_scenes(
    names: Sequence[str], fraction: float, seed: int, groups: Sequence[str] | None = None
) -> tuple[str, ...]:
    """Choose a fraction of the scenes at random.

    The number is rounded down, as in the released script (ContrastiveSceneContexts
    ``downstream/insseg/datasets/preprocessing/sampling_scenes.py``): of ScanNet's 1201 scenes, 1,
    5, 10, 20, 40 and 80 % are 12, 60, 120, 240, 480 and 960.

    Deviation: with the same seed, a smaller choice is part of a larger one, because both are the
    beginning of the same permutation. The released script draws each fraction independently.

    Args:
        names: Names of all scenes, in any order.
        fraction: Fraction, above 0 and at most 1.
        seed: Seed of the permutation.
        groups: Group of each name, such as the category of a shape. The fraction is then taken
            from each group and rounded to the nearest integer, so that small groups keep their
            share.

    Returns:
        Chosen names, sorted; at least one, or at least one per group.

    Raises:
        InputError: The fraction is out of range, there are no names, or a name is repeated.
    """
    if not 0 < fraction <= 1:
        raise InputError(f"fraction {fraction} must be above 0 and at most 1")
    if not names:
        raise InputError("there are no scenes to choose from")
    repeated = _first_repeated(names)
    if repeated is not None:
        raise InputError(f"{repeated!r} is listed twice among the scenes to choose from")
    members: dict[str, list[str]] = {}
    of_names = [""] * len(names) if groups is None else groups
    for name, group in zip(names, of_names, strict=True):
        members.setdefault(group, []).append(name)
    # 0.29 * 100 is slightly less than 29
    rounding = 1e-9 if groups is None else 0.5
    chosen: list[str] = []
    for group, group_names in members.items():
        ordered = sorted(group_names)
        order = np.random.default_rng([seed, number_of(group)]).permutation(len(ordered))
        count = max(1, math.floor(fraction * len(ordered) + rounding))
        chosen += [ordered[i] for i in order[:count]]
    return tuple(sorted(chosen))


def write_scene_list(path: Path, names: Sequence[str], comment: str) -> None:
    """Write a list of scenes, atomically: a comment, then one name per line.

    Raises:
        InputError: A name could not be read back.
    """
    for name in names:
        if name.splitlines() != [name] or _COMMENT.sub("", name).strip() != name:
            raise InputError(f"a list of scenes cannot contain the name {name!r}; rename the scene")
    lines = [f"# {comment}", *names]
    with atomic_file(path) as partial:
        partial.write_text("\n".join(lines) + "\n", "utf-8")


def read_scene_list(path: Path) -> tuple[str, ...]:
    """Read a list of scenes with one name per line, such as the benchmark's files of scan ids.

    ``#`` at the start of a line or after a space starts a comment. ContrastiveSceneContexts reads
    the published files in ``downstream/semseg/datasets/scannet.py`` (``data.train_file``).

    Raises:
        InputError: The file is missing, lists no scene, or lists a name twice.
    """
    names = [name for line in _lines(path) if (name := _COMMENT.sub("", line).strip())]
    if not names:
        raise InputError(f"{path} lists no scene")
    repeated = _first_repeated(names)
    if repeated is not None:
        raise InputError(f"{path} lists {repeated!r} twice")
    return tuple(names)


def read_scene_list_comment(path: Path) -> str:
    """Read the comment in the first line of a list of scenes; empty if there is none.

    Raises:
        InputError: The file is missing or not text.
    """
    lines = _lines(path)
    return lines[0].lstrip("#").strip() if lines and lines[0].startswith("#") else ""


def choose_scenes(
    names: Sequence[str], listed: Sequence[str], source: str
) -> tuple[tuple[str, ...], str | None]:
    """Find the scenes of a list by their full names or by the last parts of these.

    A published list names all scenes of a dataset, of which only some may be there: those are
    taken.

    Args:
        names: Names of all scenes, with folders, such as ``Area_1/office_3``.
        listed: Names in the list; ``office_3`` stands for the only scene whose name ends with it.
        source: Name of the list in messages.

    Returns:
        Full names, in the order of the list; and a note on the scenes that do not exist, None if
        all do.

    Raises:
        InputError: No scene exists, a last part is ambiguous, or a scene is listed twice.
    """
    whole = set(names)
    by_last: dict[str, list[str]] = {}
    for name in names:
        by_last.setdefault(name.rpartition("/")[2], []).append(name)
    chosen: dict[str, str] = {}
    absent: list[str] = []
    for entry in listed:
        found = [entry] if entry in whole else by_last.get(entry, [])
        if not found:
            absent.append(entry)
            continue
        if len(found) > 1:
            raise InputError(f"{source} names {entry!r}, which may be {' or '.join(found)}")
        if found[0] in chosen:
            raise InputError(
                f"{source} names {found[0]!r} twice, as {chosen[found[0]]!r} and as {entry!r}"
            )
        chosen[found[0]] = entry
    if not chosen:
        example = f", such as {names[0]!r}" if names else ""
        raise InputError(
            f"{source} names {absent[0] if absent else 'nothing'!r}, which the training data does "
            f"not have (it has {len(names)} scenes{example}), nor any other of its {len(listed)} "
            "scenes"
        )
    if not absent:
        return tuple(chosen), None
    return tuple(chosen), (
        f"{len(absent)} of the {len(listed)} scenes of {source} are absent, such as "
        f"{absent[0]!r}; the other {len(chosen)} are taken"
    )


def number_of(name: str) -> int:
    """Return a number for a name in a seed, the same on every machine."""
    return zlib.crc32(name.encode())


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise InputError(
            f"{path} does not exist; make lists with datasets/label_lists.py"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a list of scenes ({error})") from None


def _first_repeated(names: Sequence[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
