"""A pretraining small enough for a test: two generated rooms, a tiny network, eight steps."""

from __future__ import annotations

from typing import Any

CONFIG: dict[str, Any] = {
    "name": "small",
    "data": {
        "batch_size": 2,
        "num_workers": 0,
        "voxel_size": 0.15,
        "features": ["color"],
        "rotation": "vertical",
        "max_tilt": 0.05,
        "num_validation_pairs": 2,
    },
    "model": {
        "backbone": {
            "class_path": "pointcontrast.backbones.Res16UNet",
            "init_args": {
                "out_channels": 16,
                "variant": "14A",
                "width": 0.25,
                "normalize_output": True,
                "engine": "native",
            },
        },
        "loss": {
            "class_path": "pointcontrast.losses.PointInfoNCE",
            "init_args": {"temperature": 0.1, "num_positives": 256},
        },
        "calibration_batches": 1,
    },
    "trainer": {
        "max_steps": 8,
        "val_check_interval": 4,
        "log_every_n_steps": 1,
        "accelerator": "cpu",
        "enable_progress_bar": False,
    },
    "checkpoint_every": 2,
    "picture": False,
}
