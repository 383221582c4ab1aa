"""Run a command under conditions that a test cannot set for it: ``run_under.py --WHAT ...``.

``--home FOLDER``            the user's home folder is FOLDER
``--closed-output``          what reads the output has gone, as in ``COMMAND | head -1``
``--encoding NAME``          a terminal of this encoding
``--largest-file BYTES``     no file may grow beyond this: writing then fails as on a full disk
``--interrupt-at PATTERN``   Ctrl-C as soon as a file or folder fits, such as ``out/.*.partial``

The script and its arguments follow.
"""

from __future__ import annotations

import glob
import io
import os
import resource
import runpy
import signal
import sys
import threading
import time
from pathlib import Path


def _closed_output() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    os.dup2(writing, 1)
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 (standard output)


def _encoding(name: str) -> None:
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), encoding=name)
    sys.stderr = io.TextIOWrapper(
        io.FileIO(2, "w", closefd=False), encoding=name, errors="backslashreplace",
        write_through=True,
    )  # fmt: skip


def _interrupt_at(pattern: str) -> None:
    while not glob.glob(pattern):
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGINT)


def main(words: list[str]) -> None:
    """Set the conditions, and become the command."""
    while words[0].startswith("--"):
        what = words.pop(0)
        if what == "--home":
            os.environ["HOME"] = str(Path(words.pop(0)).resolve())
        elif what == "--closed-output":
            _closed_output()
        elif what == "--encoding":
            _encoding(words.pop(0))
        elif what == "--largest-file":
            size = int(words.pop(0))
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        elif what == "--interrupt-at":
            threading.Thread(target=_interrupt_at, args=(words.pop(0),), daemon=True).start()
        else:
            raise SystemExit(f"run_under.py: {what} is unknown")
    sys.argv = words
    sys.path[0] = str(Path(words[0]).resolve().parent)
    runpy.run_path(words[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
