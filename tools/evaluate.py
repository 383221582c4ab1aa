"""Score finetuned networks and write what they predict. See --help, and README.md."""

from downstream.evaluate_cli import main

if __name__ == "__main__":
    raise SystemExit(main())
