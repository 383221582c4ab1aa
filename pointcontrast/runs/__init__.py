"""What surrounds the training step, of pretraining and finetuning alike.

``cli`` parses and starts a run in its ``folder``; ``rank_agreement`` starts the other ranks and has
all agree; ``last_checkpoint`` saves through ``checkpoints``; ``stop_signals`` and ``finite_guard``
end a run, ``bad_batch`` keeps what it ended at, ``slurm`` queues it again, ``report`` sums it up.
"""
