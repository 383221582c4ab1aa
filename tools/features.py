"""Write the features that a pretrained network computes for scans. See --help."""

from pointcontrast.features_cli import main

if __name__ == "__main__":
    raise SystemExit(main())
