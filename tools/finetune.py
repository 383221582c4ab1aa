"""Finetune a backbone on a benchmark; without --config the demo. See --help, and README.md."""

import sys
from pathlib import Path

from downstream.finetune_cli import main

DEMO = Path(__file__).resolve().parents[1] / "configs" / "downstream" / "demo.yaml"

if __name__ == "__main__":
    argv = sys.argv[1:]
    if not any(a.startswith("--config") or a in ("-h", "--help") for a in argv):
        argv = ["--config", str(DEMO), *argv]
    raise SystemExit(main(argv))
