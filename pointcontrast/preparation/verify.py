"""Verification of a prepared folder, byte by byte.

A run of ``prepare.py`` recognises a finished scene by settings and file sizes; a byte that changed
on the disk is found only here. Nothing is changed before :func:`remove_broken` removes the broken
parts, for the next run to make them again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from pointcontrast.errors import InputError
from pointcontrast.files import leftover_of, remove
from pointcontrast.preparation.verify_list import check_list, listed_scenes
from pointcontrast.preparation.verify_scene import SCENE_FILES, SceneCheck, check_scene, own_files
from pointcontrast.scenes.pairs import PAIRS_FILE
from pointcontrast.scenes.scene_meta import read_meta

Kind = Literal["scene", "pairs", "list", "leftover", "stranger", "unlisted"]
BROKEN: tuple[Kind, ...] = ("scene", "pairs", "list")


@dataclass(frozen=True)
class Finding:
    """One difference from a folder that prepare_pairs writes.

    Attributes:
        kind: Broken parts: a ``scene``, the ``pairs`` of a scene, or the ``list`` over all scenes.
            Other findings: a ``leftover`` of a killed run, a ``stranger`` that prepare_pairs did
            not make, or a scene that is ``unlisted`` for a valid reason.
        path: File or folder.
        problem: Description in one line.
    """

    kind: Kind
    path: Path
    problem: str


@dataclass(frozen=True)
class Report:
    """Result of :func:`verify`.

    Attributes:
        findings: All findings, broken parts first.
        num_scenes: Number of scenes checked.
        num_views: Number of views of the intact scenes.
        num_pairs: Number of pairs in the list; 0 if it is broken.
        num_bytes: Size of the intact scenes, bytes.
    """

    findings: tuple[Finding, ...]
    num_scenes: int
    num_views: int
    num_pairs: int
    num_bytes: int

    @property
    def broken(self) -> tuple[Finding, ...]:
        """Findings of broken parts, which must be made again."""
        return tuple(each for each in self.findings if each.kind in BROKEN)


def verify(root: Path, *, num_workers: int = 1, progress: bool = False) -> Report:
    """Check all scenes below ``root`` and the list over them.

    Args:
        root: Folder of prepared scenes; no run may be working on it.
        num_workers: Number of scenes read at the same time.
        progress: Whether to show a progress bar.

    Raises:
        InputError: The folder does not exist, or holds no prepared scene.
    """
    if not root.is_dir():
        raise InputError(f"{root} is not a folder; give the --output of prepare_pairs")
    if num_workers < 1:
        raise InputError(f"--num-workers must be at least 1; got {num_workers}")
    survey = _survey(root)
    if not survey.scenes and not (root / PAIRS_FILE).exists():
        raise InputError(f"{root} holds no prepared scene; give the --output of prepare_pairs")
    checks = dict(_check_all(survey.scenes, num_workers, progress))
    findings: list[Finding] = []
    for scene, check in checks.items():
        findings += [Finding("scene", survey.scenes[scene], problem) for problem in check.problems]
        pairs = survey.scenes[scene] / PAIRS_FILE
        findings += [Finding("pairs", pairs, problem) for problem in check.pairs_problems]
        findings += [_orphan(path) for path in check.orphans]
    checked = check_list(root / PAIRS_FILE, {scene: each.pairs for scene, each in checks.items()})
    findings += [Finding("list", root / PAIRS_FILE, problem) for problem in checked.problems]
    findings += [Finding("unlisted", root / scene, why) for scene, why in checked.unlisted.items()]
    findings += [_orphan(path) for path in survey.orphans]
    return Report(
        tuple(sorted(findings, key=lambda each: (each.kind not in BROKEN, str(each.path)))),
        num_scenes=len(checks),
        num_views=sum(each.num_views for each in checks.values()),
        num_pairs=checked.num_pairs,
        num_bytes=sum(each.num_bytes for each in checks.values()),
    )


def remove_broken(report: Report) -> tuple[list[Path], list[str]]:
    """Remove broken parts and leftovers, but no file that prepare_pairs did not make.

    The list over all scenes is kept, because every run of prepare_pairs writes it again.

    Returns:
        Removed paths, and a line for each broken scene that is kept because it also holds other
        files.
    """
    removed: list[Path] = []
    kept: list[str] = []
    for path in sorted({each.path for each in report.findings if each.kind == "scene"}):
        own = own_files(path)
        others = [each.name for each in path.iterdir() if each not in own]
        if others:
            kept.append(
                f"{path} is kept: it holds {others[0]}, which prepare_pairs did not make; "
                "move it away"
            )
            continue
        for each in own:
            remove(each)
        path.rmdir()
        removed.append(path)
    for each in report.findings:
        if each.kind in ("pairs", "leftover") and each.path.exists():
            remove(each.path)
            removed.append(each.path)
    return removed, kept


def _check_all(
    scenes: dict[str, Path], num_workers: int, progress: bool
) -> Iterator[tuple[str, SceneCheck]]:
    # Threads: nearly all of the time is spent in reading and SHA-256, which release the GIL.
    pool = ThreadPoolExecutor(num_workers)
    shown = None if progress else True
    try:
        results = pool.map(check_scene, scenes, scenes.values())
        bar = tqdm(results, total=len(scenes), unit="scene", disable=shown, leave=False)
        yield from zip(scenes, bar, strict=True)
    finally:
        pool.shutdown(cancel_futures=True)


@dataclass
class _Survey:
    scenes: dict[str, Path] = field(default_factory=dict)
    orphans: list[Path] = field(default_factory=list)


def _survey(root: Path) -> _Survey:
    """Find every scene below ``root``, and other files and folders there."""
    survey = _Survey()
    listed = {root / scene for scene in listed_scenes(root / PAIRS_FILE)}

    def search(folder: Path) -> bool:
        """Search ``folder``; return whether it holds a scene."""
        others: list[Path] = []
        found = False
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            path = Path(entry.path)
            if path == root / PAIRS_FILE:
                continue
            if not entry.is_dir(follow_symlinks=False) or leftover_of(path):
                others.append(path)
            elif path in listed or _is_scene(path):
                survey.scenes[path.relative_to(root).as_posix()] = path
                found = True
            elif search(path):
                found = True
            else:
                others.append(path)
        if found or folder == root:  # a folder without a scene counts once, not per file
            survey.orphans += others
        return found

    search(root)
    return survey


def _is_scene(folder: Path) -> bool:
    if any((folder / name).exists() for name in SCENE_FILES if name != "meta.json"):
        return True
    try:
        read_meta(folder)
    except InputError:
        return False
    return True


def _orphan(path: Path) -> Finding:
    if leftover_of(path):
        return Finding("leftover", path, "left by a run that was killed")
    return Finding("stranger", path, "not made by prepare_pairs")
