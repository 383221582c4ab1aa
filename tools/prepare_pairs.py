"""Turn folders of posed RGB-D frames into scenes with a list of training pairs.

Example: ``python tools/prepare_pairs.py RAW_FOLDER --output data/prepared``; ``--help`` says more.
"""

from pointcontrast.prepare import main

if __name__ == "__main__":
    raise SystemExit(main())
