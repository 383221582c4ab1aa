"""One rank of :func:`tests.helpers.gloo.in_ranks`: run a pickled function in a gloo group."""

from __future__ import annotations

import os
import pickle
import sys
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist


def main() -> None:
    """Read the call from a file, and write what it returns to another."""
    call, result = map(Path, sys.argv[1:])
    function, arguments = pickle.loads(call.read_bytes())
    rank = int(os.environ["RANK"])
    torch.set_num_threads(1)
    dist.init_process_group("gloo", timeout=timedelta(seconds=60))
    torch.save(function(rank, *arguments), result)
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
