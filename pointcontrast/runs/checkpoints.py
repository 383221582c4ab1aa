"""The checkpoints of a run: written so that they last, told whole from damaged, found again.

A run's folder holds the newest, ``last.ckpt``, and the one before, ``previous.ckpt``. Both are
Lightning's checkpoints with an entry of ours (:data:`FACTS`): the version of the format and the
architecture that the weights are of.
"""

from __future__ import annotations

import io
import os
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pointcontrast.errors import InputError
from pointcontrast.files import sync, sync_folder

CHECKPOINT = "last.ckpt"
PREVIOUS = "previous.ckpt"
FACTS = "pointcontrast"
FORMAT_VERSION = 1
"""Raised when a reader of today would misread what is written; readers take all up to theirs."""


class DamagedCheckpoint(InputError):
    """A file that was a checkpoint, or should have been: missing, empty, cut short or altered."""


@dataclass(frozen=True)
class CheckpointFacts:
    """What a checkpoint says of itself.

    Attributes:
        step: optimiser steps done.
        architecture: what its weights are of, by configuration key (``architecture.py``); None
            in a file of a version that did not say.
    """

    step: int
    architecture: dict[str, Any] | None


def facts_entry(architecture: dict[str, Any]) -> dict[str, Any]:
    """What goes under :data:`FACTS` in a checkpoint."""
    return {"format_version": FORMAT_VERSION, "architecture": architecture}


def write_checkpoint(checkpoint: dict[str, Any], path: Path) -> None:
    """Write ``checkpoint`` to ``path``, down to the disk; an error leaves no file.

    The bytes are made first: torch's own writer hides the reason where a disk is full.
    """
    content = io.BytesIO()
    torch.save(checkpoint, content)
    try:
        with open(path, "wb") as file:
            file.write(content.getbuffer())
            sync(file)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def keep_as_last(path: Path) -> None:
    """Make a written file the folder's ``last.ckpt``, and what was that ``previous.ckpt``.

    At every moment, a crash of the machine included, one of the two is there and whole.
    """
    folder = path.parent
    last = folder / CHECKPOINT
    if last.exists():
        os.replace(last, folder / PREVIOUS)
    os.replace(path, last)
    sync_folder(folder)


def read_facts(path: Path) -> CheckpointFacts:
    """Read what a checkpoint says of itself, and check every byte against its checksums.

    Raises:
        DamagedCheckpoint: it is not there or not whole; the message says in what way.
        InputError: it is whole, but not a run's, or of a newer version of this program.
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
            "update it, or start a run anew"
        )
    return CheckpointFacts(int(checkpoint["global_step"]), facts.get("architecture"))


def read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """The weights in a checkpoint, mapped from the disk as they are used."""
    return torch.load(path, map_location="cpu", weights_only=True, mmap=True)["state_dict"]


def has_checkpoint(folder: Path) -> bool:
    """Whether a run left a checkpoint there, whole or not."""
    return any((folder / name).is_file() for name in (CHECKPOINT, PREVIOUS))


def newest_good(folder: Path) -> Path:
    """The newest whole checkpoint of a run's folder; says on stderr which ones it passed over.

    Raises:
        InputError: none is whole, or the newest is of a newer version of this program.
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
                f"{problems[0]}: passed over for {folder / name}, which holds step {facts.step}",
                file=sys.stderr,
            )
        return folder / name
    raise InputError(
        f"no whole checkpoint is left in {folder}: {'; '.join(problems)}; start a run anew"
    )


def check_given(path: Path) -> None:
    """Check a checkpoint that the user named.

    Raises:
        InputError: it cannot be read; the message names the good one beside it, if there is one.
    """
    try:
        read_facts(path)
    except DamagedCheckpoint as error:
        for name in (CHECKPOINT, PREVIOUS):
            beside = path.with_name(name)
            try:
                facts = read_facts(beside)
            except InputError:
                continue
            raise InputError(
                f"--ckpt_path {error}; {beside} beside it is whole and holds step {facts.step}: "
                f"give --ckpt_path {beside}"
            ) from None
        raise InputError(
            f"--ckpt_path {error}; there is no whole one beside it, start a run anew"
        ) from None


def set_aside_damaged(folder: Path) -> None:
    """Rename a ``last.ckpt`` that is not whole: it must not take the place of the one before."""
    last = folder / CHECKPOINT
    try:
        read_facts(last)
    except DamagedCheckpoint:
        if last.exists():
            os.replace(last, folder / f"damaged-{CHECKPOINT}")
