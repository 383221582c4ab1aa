"""Pairs in the format of the released code: ``.npz`` clouds and a text file that lists them.

As PointContrast ``pretrain/data_preprocess/scannet_pair`` at commit 47e8682 writes them:
``point_cloud_extractor.py`` writes one ``<frame>.npz`` per frame with the key ``pcd``, (N, 3)
float64 world metres at the depth image's full resolution, and ``generate_list.py`` writes lines of
``<npz> <npz> <overlap>``. Clouds keep their full resolution, as in the authors' training.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from pointcontrast.data.network_input import FeatureName
from pointcontrast.data.pair_readers.pair_reader import PairReader
from pointcontrast.errors import InputError
from pointcontrast.scenes.up_direction import given_up
from pointcontrast.types import Pair, PointCloud, RegisteredViews

_KEY = "pcd"


class AuthorsPairs(PairReader):
    """The authors' ``overlap-30-full.txt`` with its ``.npz`` files.

    A pair's scene is the folder of its files, relative to the root. A view's number is the position
    of its file among the ``.npz`` files of that folder in natural order (75 before 100).
    """

    def __init__(
        self,
        list_file: str = "overlap-30-full.txt",
        up: tuple[float, float, float] = (0.0, 0.0, 1.0),
    ) -> None:
        """Store the settings.

        Args:
            list_file: Path of the list, relative to ``data.root``. Paths in the list may be
                relative to the root, or have leading folders that the root lacks (``data_f25/`` in
                the authors' example, or the folder that the authors' scripts were run in). These
                are dropped, as many as the first line needs.
            up: Up direction of all scenes, (3,), for rotations about the vertical. The format does
                not state it; ScanNet's scans have z up.

        Raises:
            InputError: ``up`` is not a direction.
        """
        self.list_file = list_file
        self.up = given_up(up, np.empty((0, 3))).direction

    def list_pairs(self, root: Path, features: tuple[FeatureName, ...]) -> list[Pair]:
        """Read the list's pairs in its order, and check that every file in it exists."""
        _refuse_absent(features)
        path = root / self.list_file
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"{path} cannot be read ({error}); data.root is the folder of the authors' list, "
                "and data.pairs.list_file its name"
            ) from None
        files = _ListedFiles(root)
        pairs = []
        for where, words in _split(path, lines):
            (scene, view0), (scene1, view1) = (files.find(name, where) for name in words[:2])
            if scene != scene1 or view0 == view1:
                raise InputError(
                    f"{where} names {words[0]} and {words[1]}; a pair is two files of one folder"
                )
            pairs.append(Pair(scene, view0, view1, _overlap(words[2], where)))
        if not pairs:
            raise InputError(f"{path} lists no pair; make it with the authors' generate_list.py")
        return pairs

    def read(
        self,
        root: Path,
        pair: Pair,
        features: tuple[FeatureName, ...],
        rng: np.random.Generator,
    ) -> RegisteredViews:
        """Read two whole clouds; nothing is random, and the unknown floor height is 0."""
        _refuse_absent(features)
        folder = root / pair.scene
        names = _frames(folder)
        view0, view1 = (_read_cloud(folder / names[view]) for view in (pair.view0, pair.view1))
        return RegisteredViews(view0, view1, self.up, floor_height=0.0)


class _ListedFiles:
    """Find the files that a list names, reading each folder once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._num_dropped: int | None = None
        self._folders: dict[str, tuple[str, dict[str, int]]] = {}

    def find(self, name: str, where: str) -> tuple[str, int]:
        """Return the scene and the view's number of a file."""
        folder, _, file = name.rpartition("/")
        if folder not in self._folders:
            scene = self._scene(PurePosixPath(name), where)
            frames = _list_frames(self._root / scene)
            self._folders[folder] = (scene, {frame: i for i, frame in enumerate(frames)})
        scene, frames = self._folders[folder]
        if file not in frames:
            raise InputError(
                f"{where} names {name}, but {self._root / scene / file} does not exist; extract "
                "that scene again or take the line out"
            )
        return scene, frames[file]

    def _scene(self, name: PurePosixPath, where: str) -> str:
        """Return the folder of a file, relative to the root."""
        if ".." in name.parts:
            raise InputError(f"{where} names {name}, which leads out of {self._root}; refused")
        if self._num_dropped is None:
            self._num_dropped = self._leading_folders(name, where)
        kept = name.parts[self._num_dropped : -1]
        if name.is_absolute() and self._num_dropped == 0:
            raise InputError(f"{where} names {name}, which is not below {self._root}; refused")
        return PurePosixPath(*kept).as_posix()

    def _leading_folders(self, name: PurePosixPath, where: str) -> int:
        """Return the number of leading folders of a path that the root lacks."""
        for dropped in range(1 if name.is_absolute() else 0, len(name.parts)):
            if (self._root / PurePosixPath(*name.parts[dropped:])).is_file():
                return dropped
        raise InputError(
            f"{where} names {name}, which is not below {self._root} with any of its leading "
            "folders left out; set data.root to the folder that holds the scenes"
        )


def _split(path: Path, lines: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the place of each non-empty line, for messages, and its words."""
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words:
            continue
        where = f"{path}: line {number}"
        if len(words) != 3:
            raise InputError(f"{where} has {len(words)} words, not `<npz> <npz> <overlap>`")
        yield where, words


def _overlap(word: str, where: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:  # false for NaN
        raise InputError(f"{where} has the overlap {word}, which is not a number in 0..1")
    return value


def _refuse_absent(features: tuple[FeatureName, ...]) -> None:
    absent = [name for name in features if name != "ones"]
    if absent:
        raise InputError(
            f"data.features asks for {', '.join(absent)}, but the authors' .npz files hold points "
            "only (no colours, normals or floor): use [ones], or pairs prepared by "
            "tools/prepare_pairs.py"
        )


def _list_frames(folder: Path) -> tuple[str, ...]:
    """List the ``.npz`` files of a folder in natural order."""
    try:
        names = [path.name for path in folder.iterdir() if path.suffix == ".npz"]
    except OSError:
        names = []
    return tuple(sorted(names, key=_natural))


@lru_cache(maxsize=4096)
def _frames(folder: Path) -> tuple[str, ...]:
    """Cache :func:`_list_frames`; there is one list per scene."""
    return _list_frames(folder)


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a sort key that puts 75 before 100."""
    words = re.split(r"(\d+)", name)
    return [(int(word), "") if word.isdecimal() else (-1, word) for word in words]


def _read_cloud(path: Path) -> PointCloud:
    try:
        with path.open("rb") as file:  # NumPy leaves a damaged file open that it opened itself
            points: NDArray[np.floating] = np.load(file, allow_pickle=False)[_KEY]
    except KeyError:
        raise InputError(f"{path} has no array {_KEY!r}; extract its scene again") from None
    # an .npy of that name is an array, which takes no key: an IndexError
    except (OSError, ValueError, IndexError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path} is missing or damaged ({error}); extract it again") from None
    if points.ndim != 2 or points.shape[1] != 3 or not np.issubdtype(points.dtype, np.floating):
        raise InputError(f"{path} holds {points.dtype} {points.shape}, not floating-point (N, 3)")
    if not len(points):
        raise InputError(f"{path} holds no point; take its pairs out of the list")
    if not np.isfinite(points).all():
        raise InputError(
            f"{path} holds NaN or infinite points, as a frame without a valid pose gives; take "
            "its pairs out of the list (the authors' compute_full_overlapping.py does)"
        )
    return PointCloud(points.astype(np.float32))
