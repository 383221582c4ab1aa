"""Labelled scenes with faults, for finetuning: the room of ``makers_scans`` with a box, changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.labelled_scene import LabelledScene, write_labelled_scene
from tests.helpers import box_world
from tests.inputs.makers_runs import FINETUNE_SMALL
from tests.inputs.makers_scans import CLASSES, room_cloud, room_labels
from tests.inputs.row import FINETUNE

FINETUNE_BOXES: tuple[object, ...] = (
    FINETUNE,
    "--config", FINETUNE_SMALL[2].parent / "detection_demo.yaml",  # pyright: ignore
    *FINETUNE_SMALL[3:],
    "--data.benchmark.init_args.classes", "[table]",
    "--data.benchmark.init_args.num_points", "300",
    "--model.head.init_args.num_seeds", "8",
    "--model.head.init_args.num_proposals", "4",
)  # fmt: skip
"""A detection of two steps; add ``--data.benchmark.init_args.root SCENES --run_dir RUN``."""


def table_box() -> NDArray[np.float32]:
    """The box (1, 8) of the room's table."""
    low, high = box_world.SOLIDS[1]
    return np.array(
        [[*(low + high) / 2, *(high - low), 0.0, CLASSES.index("table")]], dtype=np.float32
    )


def room(spacing: float = 0.25, **changes: Any) -> LabelledScene:
    """The room with labels and a box; ``changes`` replace arrays."""
    points, colors = room_cloud(spacing)
    arrays: dict[str, Any] = {
        "coord": points,
        "color": colors,
        "semantic": room_labels(points),
        "boxes": table_box(),
        "class_names": CLASSES,
    }
    return LabelledScene(**(arrays | changes))


def write_rooms(
    root: Path, count: int, changed: Mapping[int, Mapping[str, Any]] | None = None
) -> Path:
    """Write ``room_1`` to ``room_<count>``; ``changed`` has other arrays for some of them."""
    for number in range(1, count + 1):
        changes = (changed or {}).get(number, {})
        write_labelled_scene(root / f"room_{number}", room(0.25 + 0.01 * number, **changes))
    return root


def overwrite(root: Path, number: int, name: str, array: NDArray[Any]) -> None:
    """Replace an array of a scene by one that its own writer would have refused."""
    np.save(root / f"room_{number}" / f"{name}.npy", array)


def finetune(root: Path, *more: object, boxes: bool = False) -> Sequence[object]:
    """The command of a small finetuning on ``root``, to the folder ``run``."""
    command = FINETUNE_BOXES if boxes else FINETUNE_SMALL
    return [*command, "--data.benchmark.init_args.root", root, "--run_dir", "run", *more]
