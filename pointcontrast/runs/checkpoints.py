"""The checkpoints of a run: written durably, checked for damage, found again.

A run's folder holds the newest, ``last.ckpt``, and the one before, ``previous.ckpt``. Both are
Lightning's checkpoints with one more entry (:data:`FACTS`): the version of the format and the
architecture and the settings that the weights belong to.
"""

from __future__ import annotations

import io
import os
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from pointcontrast.errors import InputError
from pointcontrast.files import errors_name, sync, sync_folder

CHECKPOINT = "last.ckpt"
PREVIOUS = "previous.ckpt"
FACTS = "pointcontrast"
FORMAT_VERSION = 1
"""Increased when today's reader would misread a new file; a reader takes all versions up to its
own."""


class DamagedCheckpoint(InputError):
    """A checkpoint that is missing, empty, cut short or altered."""


@dataclass(frozen=True)
class CheckpointFacts:
    """The description that a checkpoint holds of itself.

    Attributes:
        step: Optimiser steps done.
        architecture: Architecture of its weights by configuration key (``architecture.py``); None
            in files of an older version.
        settings: Settings of the run by key (``settings_of_run.py``); None in files of an older
            version.
        changes: Settings that changed within the run, oldest first, as JSON.
    """

    step: int
    architecture: dict[str, Any] | None
    settings: dict[str, Any] | None = None
    changes: list[dict[str, Any]] = field(default_factory=list)


def facts_entry(
    architecture: Mapping[str, Any],
    settings: Mapping[str, Any] | None = None,
    changes: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return the entry :data:`FACTS` of a checkpoint."""
    return {
        "format_version": FORMAT_VERSION,
        "architecture": dict(architecture),
        "settings": None if settings is None else dict(settings),
        "changes": [dict(change) for change in changes],
    }


def write_checkpoint(checkpoint: dict[str, Any], path: Path) -> None:
    """Write a checkpoint and flush it to the disk; an error leaves no file.

    The bytes are made first: PyTorch's own writer hides the reason where a disk is full.
    """
    content = io.BytesIO()
    torch.save(checkpoint, content)
    try:
        with errors_name(path), open(path, "wb") as file:
            file.write(content.getbuffer())
            sync(file)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def keep_as_last(path: Path) -> None:
    """Rename a written file to ``last.ckpt``, and the old ``last.ckpt`` to ``previous.ckpt``.

    At every moment, including a crash of the machine, one of the two exists and is whole.
    """
    folder = path.parent
    last = folder / CHECKPOINT
    if last.exists():
        os.replace(last, folder / PREVIOUS)
    os.replace(path, last)
    sync_folder(folder)


def read_facts(path: Path) -> CheckpointFacts:
    """Read a checkpoint's description, and check every byte against its checksums.

    Raises:
        DamagedCheckpoint: It is missing or damaged; the message says in what way.
        InputError: It is whole, but not a run's, or of a newer version of this program.
    """
    if not path.is_file():
        raise DamagedCheckpoint(f"{path} does not exist")
    if path.stat().st_size == 0:
        raise DamagedCheckpoint(f"{path} is empty")
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
        if broken is not None:
            raise zipfile.BadZipFile(f"bytes of {broken} were altered")
        checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # a damaged file can fail anywhere in the readers
        raise DamagedCheckpoint(f"{path} is cut short or damaged ({error})") from error
    if not isinstance(checkpoint, dict) or "global_step" not in checkpoint:
        raise InputError(f"{path} is not a checkpoint of a run of this program")
    facts = checkpoint.get(FACTS, {})
    version = facts.get("format_version", 0)
    if version > FORMAT_VERSION:
        raise InputError(
            f"{path} has format version {version}, this program reads up to {FORMAT_VERSION}: "
            "update it, or start a new run"
        )
    return CheckpointFacts(
        int(checkpoint["global_step"]),
        facts.get("architecture"),
        facts.get("settings"),
        list(facts.get("changes", ())),
    )


def read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """Return the weights in a checkpoint, memory-mapped."""
    return torch.load(path, map_location="cpu", weights_only=True, mmap=True)["state_dict"]


def has_checkpoint(folder: Path) -> bool:
    """Return whether a folder has a checkpoint of a run, whole or damaged."""
    return any((folder / name).is_file() for name in (CHECKPOINT, PREVIOUS))


def newest_good(folder: Path) -> Path:
    """Find the newest whole checkpoint of a run's folder; name a damaged one on stderr.

    Raises:
        InputError: None is whole, or the newest is of a newer version of this program.
    """
    problems = []
    for name in (CHECKPOINT, PREVIOUS):
        try:
            facts = read_facts(folder / name)
        except DamagedCheckpoint as error:
            problems.append(str(error))
            continue
        if problems:
            print(
                f"{problems[0]}: resuming from {folder / name} instead, which holds step "
                f"{facts.step}",
                file=sys.stderr,
            )
        return folder / name
    raise InputError(
        f"no whole checkpoint is left in {folder}: {'; '.join(problems)}; start a new run"
    )


def check_given(path: Path) -> None:
    """Check a checkpoint that the user named.

    Raises:
        InputError: It cannot be read; the message names a whole one in its folder, if there is one.
    """
    try:
        read_facts(path)
    except DamagedCheckpoint as error:
        for name in (CHECKPOINT, PREVIOUS):
            other = path.with_name(name)
            try:
                facts = read_facts(other)
            except InputError:
                continue
            raise InputError(
                f"--ckpt_path {error}; give --ckpt_path {other}, which is whole and holds step "
                f"{facts.step}"
            ) from None
        raise InputError(
            f"--ckpt_path {error}; its folder has no whole one, start a new run"
        ) from None


def set_aside_damaged(folder: Path) -> None:
    """Rename a damaged ``last.ckpt``, which must not become ``previous.ckpt``."""
    last = folder / CHECKPOINT
    try:
        read_facts(last)
    except DamagedCheckpoint:
        if last.exists():
            os.replace(last, folder / f"damaged-{CHECKPOINT}")
