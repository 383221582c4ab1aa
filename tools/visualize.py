"""Pictures of a backbone's features; see ``--help``."""

from pointcontrast.pictures.visualize_cli import main

if __name__ == "__main__":
    raise SystemExit(main())
