"""Checkpoint files: whole or told apart, never both gone, of this network or refused."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from pointcontrast.errors import InputError
from pointcontrast.runs.architecture import (
    check_same_architecture,
    check_same_weights,
    describe_architecture,
)
from pointcontrast.runs.checkpoints import (
    FACTS,
    DamagedCheckpoint,
    facts_entry,
    has_checkpoint,
    keep_as_last,
    newest_good,
    read_facts,
    set_aside_damaged,
    write_checkpoint,
)


def save(path: Path, step: int = 7, **changes: Any) -> Path:
    content = {"global_step": step, "state_dict": {"w": torch.arange(5000.0)},
               FACTS: facts_entry({"model.backbone.init_args.width": 0.5})}  # fmt: skip
    write_checkpoint({**content, **changes}, path)
    return path


def test_facts_come_back(tmp_path: Path) -> None:
    facts = read_facts(save(tmp_path / "a.ckpt"))
    assert facts.step == 7
    assert facts.architecture == {"model.backbone.init_args.width": 0.5}


def test_a_checkpoint_of_before_there_were_facts_is_read(tmp_path: Path) -> None:
    torch.save({"global_step": 12}, tmp_path / "old.ckpt")
    assert read_facts(tmp_path / "old.ckpt").step == 12
    assert read_facts(tmp_path / "old.ckpt").architecture is None


def test_every_truncation_is_damage(tmp_path: Path) -> None:
    whole = save(tmp_path / "whole.ckpt").read_bytes()
    cut = tmp_path / "cut.ckpt"
    for size in [*range(0, len(whole), 997), len(whole) - 1]:
        cut.write_bytes(whole[:size])
        with pytest.raises(DamagedCheckpoint, match="empty" if size == 0 else "cut short"):
            read_facts(cut)
    with pytest.raises(DamagedCheckpoint, match="does not exist"):
        read_facts(tmp_path / "none.ckpt")


def test_a_flipped_bit_in_the_weights_is_damage(tmp_path: Path) -> None:
    path = save(tmp_path / "a.ckpt")
    content = bytearray(path.read_bytes())
    place = content.index(torch.arange(5000.0).numpy().tobytes()[400:440])
    content[place] ^= 1
    path.write_bytes(content)
    torch.load(path, weights_only=True, mmap=True)  # which sees nothing
    with pytest.raises(DamagedCheckpoint, match="altered"):
        read_facts(path)


def test_other_files_and_newer_versions_are_refused(tmp_path: Path) -> None:
    torch.save({"weights": 1}, tmp_path / "other.pt")
    with pytest.raises(InputError, match="not a checkpoint of a run"):
        read_facts(tmp_path / "other.pt")
    save(tmp_path / "last.ckpt", **{FACTS: {"format_version": 99}})
    save(tmp_path / "previous.ckpt")
    # not damaged: resuming from the one before would lose work
    with pytest.raises(InputError, match=r"last\.ckpt has format version 99.* reads up to 1"):
        newest_good(tmp_path)


def test_no_moment_is_without_a_whole_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every rename and every sync is the last that the machine does, in turn."""
    for fatal in range(3):
        folder = tmp_path / str(fatal)
        folder.mkdir()
        save(folder / "last.ckpt", 2)
        save(folder / "previous.ckpt", 1)
        written = save(folder / ".last.ckpt.partial", 3)
        calls = iter(range(10))

        def crash(*arguments: Any, real: Any = os.replace, calls=calls, fatal=fatal) -> None:
            if next(calls) == fatal:
                raise KeyboardInterrupt
            real(*arguments)

        monkeypatch.setattr("pointcontrast.runs.checkpoints.os.replace", crash)
        monkeypatch.setattr("pointcontrast.runs.checkpoints.sync_folder", crash)
        if fatal < 2:
            with pytest.raises(KeyboardInterrupt):
                keep_as_last(written)
        monkeypatch.undo()
        assert has_checkpoint(folder)
        assert read_facts(newest_good(folder)).step >= 2


def test_the_newest_and_the_one_before_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        keep_as_last(save(tmp_path / "partial", step))
    assert read_facts(tmp_path / "last.ckpt").step == 3
    assert read_facts(tmp_path / "previous.ckpt").step == 2
    assert len(list(tmp_path.iterdir())) == 2


def test_a_damaged_last_never_replaces_a_good_previous(tmp_path: Path) -> None:
    save(tmp_path / "previous.ckpt", 5)
    (tmp_path / "last.ckpt").write_bytes(b"PK half of it")
    set_aside_damaged(tmp_path)
    assert (tmp_path / "damaged-last.ckpt").exists()
    keep_as_last(save(tmp_path / "partial", 6))
    assert read_facts(tmp_path / "previous.ckpt").step == 5
    set_aside_damaged(tmp_path)
    assert read_facts(tmp_path / "last.ckpt").step == 6


def test_a_file_that_finds_no_room_is_not_left_behind(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            save(tmp_path / "big.ckpt")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert not list(tmp_path.iterdir())


CONFIG = {
    "data": {"features": ["color"], "batch_size": 4},
    "model": {
        "backbone": {
            "class_path": "B", "init_args": {"width": 0.5, "engine": "native", "variant": "14A"}
        },
        "loss": {"class_path": "L", "init_args": {"temperature": 0.1}},
        "optimizer": {"class_path": "torch.optim.SGD", "init_args": {"lr": 0.1}},
        "schedule": None,
    },
}  # fmt: skip


def test_the_architecture_is_what_decides_what_is_in_a_checkpoint() -> None:
    assert describe_architecture(CONFIG) == {
        "data.features": ["color"],
        "model.backbone.class_path": "B",
        "model.backbone.init_args.width": 0.5,
        "model.backbone.init_args.variant": "14A",
        "model.loss.class_path": "L",
        "model.optimizer.class_path": "torch.optim.SGD",
    }


def test_another_architecture_is_named() -> None:
    ours = describe_architecture(CONFIG)
    saved = {**ours, "model.backbone.init_args.variant": "34C", "data.features": ["ones"]}
    check_same_architecture(Path("a"), dict(ours), ours)
    check_same_architecture(Path("a"), None, ours)
    with pytest.raises(InputError) as raised:
        check_same_architecture(Path("a.ckpt"), saved, ours)
    assert "a.ckpt" in str(raised.value)
    assert "model.backbone.init_args.variant '34C', here '14A'" in str(raised.value)
    assert "data.features ['ones'], here ['color']" in str(raised.value)


def test_other_weights_are_named(tmp_path: Path) -> None:
    layer = torch.nn.Linear(3, 4)
    save(tmp_path / "same.ckpt", state_dict=layer.state_dict())
    check_same_weights(tmp_path / "same.ckpt", layer)
    with pytest.raises(InputError, match=r"weight \(4, 3\), here \(5, 3\); bias"):
        check_same_weights(tmp_path / "same.ckpt", torch.nn.Linear(3, 5))
    with pytest.raises(InputError, match=r"bias \(4,\), here not at all"):
        check_same_weights(tmp_path / "same.ckpt", torch.nn.Linear(3, 4, bias=False))
