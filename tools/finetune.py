"""Finetune a pretrained backbone on a benchmark. See --help, and README.md."""

from downstream.finetune import main

if __name__ == "__main__":
    raise SystemExit(main())
