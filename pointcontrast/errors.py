"""Errors that the user can fix, and their messages on the command line."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Error numbers of a full disk, an exhausted quota and a file above the largest size allowed."""


class InputError(ValueError):
    """Wrong input of the user; the message names the file, key or value and the fix."""


class RunFailed(RuntimeError):
    """A run cannot continue although its configuration is right; the message gives the cause."""


def run_command(main: Callable[[], int | None]) -> int:
    """Run a tool and turn errors that the user can fix into one line and an exit status.

    Args:
        main: Body of the tool; its return value is the exit status (None is 0).

    Returns:
        The body's status; 2 for an :class:`InputError`, 1 for a :class:`RunFailed`, 74 for a full
        disk or another file that cannot be read or written, 130 for Ctrl-C. Any other exception is
        a defect of this program and keeps its traceback.
    """
    try:
        return main() or 0
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except RunFailed as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        if error.filename is None and error.errno not in NO_ROOM:
            raise
        fix = (
            "free some space and run the same command again"
            if error.errno in NO_ROOM
            else "check the path and its permissions"
        )
        where = "" if error.filename is None else f"{error.filename}: "
        print(f"error: {where}{error.strerror}; {fix}", file=sys.stderr)
        return 74
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
