"""Apply a finetuned network to scans: labels, boxes, pictures. See --help."""

from downstream.predict_cli import main

if __name__ == "__main__":
    raise SystemExit(main())
