"""The parts of a run around its training step, for pretraining and finetuning.

``cli`` parses a configuration (``run_arguments``, ``class_paths``) and starts a run in its
``folder``; ``rank_agreement`` starts the other ranks and has all agree. ``trained_module`` is the
base of both LightningModules, with ``schedules``, ``batch_norm`` (its statistics, measured anew)
and ``passes`` (a batch encoded in parts). ``last_checkpoint`` saves through ``checkpoints``;
``architecture`` and ``settings_of_run`` (``setting_keys``) compare a checkpoint with the run.
``stop_signals`` and ``finite_guard`` end a run, ``bad_batch`` saves the batch at fault, ``slurm``
queues the job again, and ``report`` prints scores and curves.
"""
