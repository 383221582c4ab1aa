"""``tools/pretrain.py`` that notes what each rank trains on; ``EMPTY`` empties one rank's batch."""

from __future__ import annotations

import json
import os

import torch

from pointcontrast.data.collate import collate_pairs
from pointcontrast.pretrain import PointContrast
from pointcontrast.pretrain_cli import main

plain_step = PointContrast.training_step
empty = json.loads(os.environ.get("EMPTY", "null"))


def training_step(self: PointContrast, batch, batch_idx: int) -> torch.Tensor:
    line = {
        "step": self.global_step,
        "rank": self.global_rank,
        "pairs": [[p.scene, p.view0, p.view1] for p in batch.pairs],
    }
    with open(os.environ["RECORD"] + f"/{self.global_rank}.jsonl", "a") as file:
        file.write(json.dumps(line) + "\n")
    if [self.global_rank, self.global_step] == empty:
        batch = collate_pairs([])
    return plain_step(self, batch, batch_idx)


PointContrast.training_step = training_step

if __name__ == "__main__":
    raise SystemExit(main())
