"""Pictures of a backbone's features; see ``--help`` and ``pointcontrast/visualize.py``."""

from pointcontrast.visualize import main

if __name__ == "__main__":
    raise SystemExit(main())
