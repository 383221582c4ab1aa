"""Checks of the list over all scenes against the scenes' own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.preparation.pair_sampling import share_out
from pointcontrast.scenes.pairs import has_changed, read_pair_settings, read_pair_table


@dataclass
class ListCheck:
    """Result of the check of the list over all scenes.

    Attributes:
        problems: Problems for which it must be written again.
        unlisted: Finished scene -> valid reason why it is not in the list.
        num_pairs: Number of pairs in the list; 0 if it is broken.
    """

    problems: list[str] = field(default_factory=list)
    unlisted: dict[str, str] = field(default_factory=dict)
    num_pairs: int = 0


def check_list(path: Path, scenes: Mapping[str, pa.Table | None]) -> ListCheck:
    """Check a list of pairs against the scenes that it lists.

    Args:
        path: File of the list.
        scenes: Scene -> its own pairs; None if they are unknown, which skips their check.
    """
    check = ListCheck()
    known = {scene: table for scene, table in scenes.items() if table is not None}
    if not path.exists():
        if any(map(len, known.values())):
            check.problems.append(f"{path} is missing")
        return check
    try:
        table = read_pair_table(path)
        max_pairs, seed = _sampling(path)
        if has_changed(path):
            raise InputError(f"{path} is damaged: its bytes are not those of its content")
    except InputError as error:
        check.problems.append(str(error).removesuffix("; run prepare_pairs again"))
        return check
    listed = _by_scene(table)
    check.problems += [
        f"{path} lists the scene {scene}, which does not exist"
        for scene in listed
        if scene not in scenes
    ]
    for scene in known.keys() & listed.keys():
        problem = _compare(listed[scene], known[scene])
        if problem:
            check.problems.append(f"{path}, scene {scene}: {problem}")
    if len(known) == len(scenes):  # else the shares of the other scenes are unknown
        _check_shares(check, path, listed, known, max_pairs, seed)
    check.problems.sort()
    if not check.problems:
        check.num_pairs = len(table)
    return check


def listed_scenes(path: Path) -> set[str]:
    """Return the scenes in a list; none if it is absent or damaged."""
    try:
        return set(read_pair_table(path).column("scene").unique().to_pylist())
    except InputError:
        return set()


def _sampling(path: Path) -> tuple[int, int]:
    settings: dict[str, Any] = read_pair_settings(path)
    max_pairs, seed = settings.get("max_pairs"), settings.get("seed")
    if not (isinstance(max_pairs, int) and isinstance(seed, int) and max_pairs >= 0 and seed >= 0):
        raise InputError(f"{path} does not say which --max-pairs and --seed it was made with")
    return max_pairs, seed


def _by_scene(table: pa.Table) -> dict[str, pa.Table]:
    """Split a table by scene, keeping the order of rows."""
    names = table.column("scene").combine_chunks().dictionary_encode()
    codes = names.indices.to_numpy(zero_copy_only=False)
    order = np.argsort(codes, kind="stable")
    bounds = np.searchsorted(codes[order], np.arange(len(names.dictionary) + 1))
    return {
        scene: table.take(order[bounds[i] : bounds[i + 1]])
        for i, scene in enumerate(names.dictionary.to_pylist())
    }


def _compare(listed: pa.Table, own: pa.Table) -> str | None:
    """Compare the listed pairs of a scene with its own list; return the problem, if any."""
    keys, own_keys = _keys(listed), _keys(own)
    if len(np.unique(keys)) < len(keys):
        return "a pair is listed twice"
    if (np.diff(keys) < 0).any():
        return "its pairs are not sorted"
    order = np.argsort(own_keys)
    places = np.minimum(np.searchsorted(own_keys, keys, sorter=order), len(own_keys) - 1)
    if not len(own_keys) or (own_keys[order[places]] != keys).any():
        return "a pair is listed that is not among the scene's own"
    overlap, own_overlap = (each.column("overlap").to_numpy() for each in (listed, own))
    if (own_overlap[order[places]] != overlap).any():
        return "a pair is listed with another overlap than in the scene's own list"
    return None


def _keys(table: pa.Table) -> NDArray[np.int64]:
    """Return a number for each pair of views that sorts as (view0, view1)."""
    view0, view1 = (table.column(name).to_numpy().astype(np.int64) for name in ("view0", "view1"))
    return view0 << 32 | view1


def _check_shares(
    check: ListCheck,
    path: Path,
    listed: Mapping[str, pa.Table],
    scenes: Mapping[str, pa.Table],
    max_pairs: int,
    seed: int,
) -> None:
    """Check the number of listed pairs of each scene, and explain scenes without any."""
    available = {scene: len(scenes[scene]) for scene in sorted(scenes)}
    for scene, share in share_out(available, max_pairs, seed).items():
        found = len(listed.get(scene, ()))
        if found != share:
            check.problems.append(
                f"{path}, scene {scene}: {found} pairs are listed, not {share} (it has "
                f"{available[scene]}; --max-pairs {max_pairs}, --seed {seed})"
            )
        elif not available[scene]:
            check.unlisted[scene] = "no two of its views overlap enough for a pair"
        elif not share:
            check.unlisted[scene] = f"--max-pairs {max_pairs} leaves it no share"
