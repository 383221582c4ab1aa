"""Messages of Lightning, PyTorch and jsonargparse that do not help the user of a run."""

from __future__ import annotations

import logging
import warnings


def quiet() -> None:
    """Silence the messages that Lightning prints on every run or that do not apply here."""
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in (
        ".*args parameter is intended to run from within Python.*",
        ".*does not have many workers.*",  # validation is small
        ".*persistent_workers=True.*",
        ".*Total length of `DataLoader` across ranks is zero.*",  # nothing held out
        ".*dataloader is not resumable.*",  # SampleStream starts where the run stopped
        r".*module\(s\) in eval mode at the start of training.*",  # what finetuning leaves alone
        ".*The `srun` command is available.*",
        ".*It is recommended to use `self.log.*sync_dist=True.*",  # they are of all ranks already
        ".*treespec.*is deprecated.*",  # between Lightning and torch
        r"(?s).*(JsonargparseDeprecation|was deprecated in v4)",  # Lightning and jsonargparse
    ):
        warnings.filterwarnings("ignore", message=message)
