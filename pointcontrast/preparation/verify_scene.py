"""Checks of one prepared scene."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.geometry import rigid_problem
from pointcontrast.scenes.pairs import (
    PAIRS_FILE,
    choose_pair_table,
    has_changed,
    read_pair_settings,
    read_pair_table,
)
from pointcontrast.scenes.scene_meta import SceneMeta, read_meta
from pointcontrast.scenes.view_store import ViewStore

OVERLAP_FILE = "overlap.npy"
# Every file name in a scene's folder, to recognise its files also if meta.json is damaged.
_ARRAYS = ("points.npy", "offsets.npy", "colors.npy", "normals.npy")
SCENE_FILES = frozenset(
    ("meta.json", OVERLAP_FILE, PAIRS_FILE, "depth.bin", "colors.bin", *_ARRAYS)
)


@dataclass
class SceneCheck:
    """Result of the check of a scene.

    Attributes:
        problems: Problems for which it must be made again.
        pairs_problems: Problems for which only its pairs must be chosen again.
        orphans: Other files and folders in its folder.
        pairs: Pairs of the scene; None if it or they are broken.
        num_views: Number of views; 0 if it is broken.
        num_bytes: Size, bytes; 0 if it is broken.
    """

    problems: list[str] = field(default_factory=list)
    pairs_problems: list[str] = field(default_factory=list)
    orphans: list[Path] = field(default_factory=list)
    pairs: pa.Table | None = None
    num_views: int = 0
    num_bytes: int = 0


def check_scene(scene: str, folder: Path) -> SceneCheck:
    """Read every byte of a scene, and check it against checksums and for consistency.

    Args:
        scene: Name of the scene in lists.
        folder: Folder of the scene.
    """
    check = SceneCheck()
    own = own_files(folder)
    check.orphans = sorted(path for path in folder.iterdir() if path not in own)
    try:
        store = ViewStore(folder)
        store.verify()
        _check_meta(store.meta, folder)
        overlap = _read_overlap(folder / OVERLAP_FILE, len(store))
    except (InputError, OSError) as error:
        check.problems.append(_plain(error))
        return check
    except (KeyError, TypeError, AttributeError) as error:  # meta.json with another key or type
        check.problems.append(f"{folder / 'meta.json'} is damaged ({error!r})")
        return check
    check.num_views = len(store)
    check.num_bytes = sum(path.stat().st_size for path in own)
    try:
        check.pairs = _read_scene_pairs(folder / PAIRS_FILE, overlap, scene)
    except (InputError, OSError) as error:
        check.pairs_problems.append(_plain(error))
    return check


def own_files(folder: Path) -> set[Path]:
    """Return the files in a scene's folder that prepare_pairs made."""
    names = set(SCENE_FILES)
    with suppress(InputError, OSError):  # a damaged meta.json names no files
        names |= set(read_meta(folder).files)
    return {path for path in folder.iterdir() if path.name in names and path.is_file()}


def _check_meta(meta: SceneMeta, folder: Path) -> None:
    """Check ``meta.json`` for consistency; the arrays have checksums."""
    num_views = len(meta.frame_ids)
    problem = next(filter(None, map(rigid_problem, meta.poses)), None)
    for good, what in (
        (num_views >= 2, "has fewer than two views"),
        (len(set(meta.frame_ids)) == num_views, "names a frame twice"),
        (problem is None, f"has a pose that is not rigid: it {problem}"),
        (abs(float(np.linalg.norm(meta.up)) - 1) < 1e-6, "has no up direction of length 1"),
        (np.isfinite(meta.floor_height), "has no floor height"),
        (bool(meta.files), "names no file"),
    ):
        if not good:
            raise InputError(f"{folder / 'meta.json'} is damaged: it {what}")


def _read_overlap(path: Path, num_views: int) -> NDArray[np.float32]:
    try:
        overlap = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise InputError(f"{path} is missing") from None
    except (ValueError, EOFError, SyntaxError) as error:
        raise InputError(f"{path} is damaged ({error})") from None
    for good, what in (
        (overlap.dtype == np.float32, f"holds {overlap.dtype}, not float32"),
        (overlap.shape == (num_views, num_views), f"is {overlap.shape} for {num_views} views"),
    ):
        if not good:
            raise InputError(f"{path} {what}")
    for good, what in (
        (((overlap >= 0) & (overlap <= 1)).all(), "holds values outside 0..1"),
        (np.array_equal(overlap, overlap.T), "is not symmetric"),
        ((np.diag(overlap) == 1).all(), "is not 1 on its diagonal"),
        (path.read_bytes() == _npy_bytes(overlap), "has bytes that np.save would not write"),
    ):
        if not good:
            raise InputError(f"{path} is damaged: it {what}")
    return overlap


def _npy_bytes(array: NDArray[np.float32]) -> bytes:
    buffer = BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _read_scene_pairs(path: Path, overlap: NDArray[np.float32], scene: str) -> pa.Table:
    table, settings = read_pair_table(path), read_pair_settings(path)
    threshold = settings.get("overlap_threshold")
    if not isinstance(threshold, (int, float)):
        raise InputError(f"{path} does not say which --overlap-threshold it was made with")
    expected = choose_pair_table(overlap, threshold, scene)
    if table.column("scene").unique().to_pylist() not in ([], [scene]):
        raise InputError(f"{path} names another scene than its folder's, {scene}")
    if has_changed(path):
        raise InputError(f"{path} is damaged: its bytes are not those of its content")
    if not table.equals(expected):  # equal values; metadata may differ
        raise InputError(
            f"{path} does not list the {len(expected)} pairs that {OVERLAP_FILE} gives at "
            f"{threshold:g}"
        )
    return table


def _plain(error: Exception) -> str:
    """Return the message without its advice, which is given once, at the end."""
    if isinstance(error, OSError):
        return f"{error.filename or 'a file'} cannot be read ({error.strerror or error})"
    text = str(error)
    for advice in ("; run prepare_pairs again", ": run prepare_pairs again"):
        text = text.removesuffix(advice)
    return text
