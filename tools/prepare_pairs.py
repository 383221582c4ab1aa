"""Convert recordings to scenes with a list of training pairs, or verify a folder of scenes.

Prepare: ``python tools/prepare_pairs.py RAW_FOLDER --output data/prepared``.
Verify: ``python tools/prepare_pairs.py verify data/prepared``.
"""

from pointcontrast.prepare_cli import main

if __name__ == "__main__":
    raise SystemExit(main())
