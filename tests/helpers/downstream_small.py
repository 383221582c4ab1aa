"""Numbers that make a recipe of finetuning one for a test."""

SMALL = [
    "--model.backbone.init_args.width", "0.25",
    "--model.calibration_batches", "1",
    "--data.num_workers", "0",
    "--data.batch_size", "2",
    "--trainer.max_steps", "4",
    "--trainer.val_check_interval", "2",
    "--trainer.log_every_n_steps", "1",
    "--trainer.accelerator", "cpu",
    "--trainer.enable_progress_bar", "false",
]  # fmt: skip
