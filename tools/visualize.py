"""Pictures of a backbone's features; see ``--help`` and ``pointcontrast/visualize_cli.py``."""

from pointcontrast.visualize_cli import main

if __name__ == "__main__":
    raise SystemExit(main())
