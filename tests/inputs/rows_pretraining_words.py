"""What pretraining and preparation say of their own figures and settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tests.inputs import makers_rgbd, makers_runs
from tests.inputs.row import PREPARE, Row

Command = Sequence[object]


def _pretrain(*more: object) -> Callable[[Path], Command]:
    def make(_: Path) -> Command:
        words = ["--data.root", makers_runs.prepared_scenes(), "--run_dir", "run",
                 "--data.holdout", "scenes", "--data.holdout_fraction", "0.5"]  # fmt: skip
        return [*makers_runs.PRETRAIN_SMALL, *words, *more]

    return make


def _card_says(words: str) -> Callable[[Path, str], None]:
    def check(folder: Path, _: str) -> None:
        assert words in (folder / "run" / "backbone.md").read_text()

    return check


def _no_overlap(folder: Path) -> Command:
    frames = makers_rgbd.box_room_frames(3, step=2.0)  # they look at different walls
    makers_rgbd.write_seven_scenes(folder / "raw", frames)
    return [PREPARE, "raw", "--output", "out", *makers_rgbd.PREPARE_SMALL,
            "--overlap-threshold", "0.9"]  # fmt: skip


ROWS = [
    Row(name="hold-out-everything", kind="N", make=_pretrain("--data.holdout_fraction", "1.0"),
        status=2, says=("data.holdout_fraction 1 must be at least 0 and below 1",),
        absent=("run",)),
    Row(name="hold-out-less-than-nothing", kind="N",
        make=_pretrain("--data.holdout_fraction", "-0.5"), status=2,
        says=("data.holdout_fraction -0.5 must be at least 0 and below 1",), absent=("run",)),
    Row(name="no-pair-no-list", kind="N", make=_no_overlap, status=1,
        says=("3 views, 0 pairs", "no out/pairs.parquet, for want of pairs",
              "no two of its 3 views overlap"), absent=("out/pairs.parquet",)),
    Row(name="retrieval-among-a-handful", kind="N", make=_pretrain("--data.voxel_size", "100"),
        says=("candidates (mean over pairs), not 1,000: chance is 1 in ",),
        check=_card_says("candidates (mean over pairs), not 1,000: chance is 1 in ")),
    Row(name="retrieval-among-few", kind="N", make=_pretrain(),
        says=("note: top-1 match accuracy is among ",),
        check=_card_says("Note: top-1 match accuracy is among ")),
]  # fmt: skip
