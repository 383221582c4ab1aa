"""Keys of a run's settings: which may change within it, which decide its data, which its task."""

from __future__ import annotations

FREE = (
    # where a run is and what is printed of it
    "name",
    "run_dir",
    "ckpt_path",
    "reproduce",
    "picture",
    "allow_changed",
    "checkpoint_every",
    "trainer.default_root_dir",
    "trainer.enable_autolog_hparams",
    "trainer.enable_checkpointing",
    "trainer.enable_model_summary",
    "trainer.enable_progress_bar",
    "trainer.log_every_n_steps",
    "trainer.logger",
    "trainer.profiler",
    # the machine: samples per step of all processes are compared instead
    "trainer.accelerator",
    "trainer.devices",
    "trainer.num_nodes",
    "trainer.plugins",
    "trainer.strategy",
    "trainer.benchmark",
    "trainer.detect_anomaly",
    "trainer.deterministic",
    "trainer.inference_mode",
    "trainer.max_time",
    "data.num_workers",
    # how often a network is scored; its weights do not depend on it
    "trainer.check_val_every_n_epoch",
    "trainer.num_sanity_val_steps",
    "trainer.val_check_interval",
    # copies of seed_everything, and what only the start of a run reads
    "data.seed",
    "model.seed",
    "model.accept_differences",
)
"""Settings that may change from one start of a run to the next: the weights do not depend on them
(a key stands for all keys below it)."""

FREE_ARGUMENTS = ("engine", "checkpoint_activations", "chunk_size")
"""Arguments of networks and losses that decide how, not what, is computed."""

MAX_STEPS = "trainer.max_steps"
SAMPLES = "data.samples_per_step"
"""Samples per step of all processes, recorded in addition to the configuration."""
BATCH_SIZES = ("data.batch_size", "data.total_batch_size")
CONTENTS = "data.contents"
"""Prefix of the digests of what the data hold."""
MEANING = "data.task"
"""Prefix of what the network's outputs mean (classes and their order, coding of boxes). It can not
change within a run."""
CHOOSING = (
    "data.root",
    "data.pairs",
    "data.source",
    "data.benchmark",
    "data.holdout",
    "data.holdout_fraction",
    "data.num_validation_pairs",
    "data.scene_list",
    "data.point_list",
    "data.box_list",
)
"""Settings that decide the contents of the data."""
PATHS = ("root", "weights", "scene_list", "point_list", "box_list", "validation_list", "test_list")
"""Last parts of keys whose values are places: two names of one place are equal."""
