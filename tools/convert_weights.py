"""Convert weights between this project, MinkowskiEngine and spconv; see ``--help``."""

from pointcontrast.weights.convert_cli import main

if __name__ == "__main__":
    raise SystemExit(main())
