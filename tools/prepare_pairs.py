"""Turn raw recordings into scenes with a list of training pairs, or check such a folder.

``python tools/prepare_pairs.py RAW_FOLDER --output data/prepared`` prepares,
``python tools/prepare_pairs.py verify data/prepared`` checks; ``--help`` says more.
"""

from pointcontrast.preparation.prepare_cli import main

if __name__ == "__main__":
    raise SystemExit(main())
