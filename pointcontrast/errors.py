"""Errors that the user can fix, and their messages on the command line."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable

from pointcontrast.command_streams import (
    CLOSED_OUTPUT,
    flush_output,
    give_up_closed_streams,
    give_up_output,
    write_any_character,
)

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Error numbers of a full disk, an exhausted quota and a file above the largest size allowed."""

FILE_PROBLEM = 74
"""Exit status where a file cannot be read or written (EX_IOERR of ``sysexits.h``)."""


class InputError(ValueError):
    """Wrong input of the user; the message names the file, key or value and the fix."""


class RunFailed(RuntimeError):
    """A run cannot continue although its configuration is right; the message gives the cause."""


def file_problem(error: OSError) -> str:
    """Describe an error of a file in one line: its name, the reason and the fix."""
    fix = (
        "free some space and run the same command again"
        if error.errno in NO_ROOM
        else "check the path and its permissions"
    )
    where = "" if error.filename is None else f"{error.filename}: "
    return f"{where}{error.strerror}; {fix}"


def run_command(main: Callable[[], int | None]) -> int:
    """Run a tool and turn errors that the user can fix into one line and an exit status.

    Args:
        main: Body of the tool; its return value is the exit status (None is 0).

    Returns:
        The body's status; 2 for an :class:`InputError`, 1 for a :class:`RunFailed`, 74 for a full
        disk or another file that cannot be read or written, 130 for Ctrl-C, 141 where what reads
        the output has gone. Any other exception is a defect of this program and keeps its
        traceback.
    """
    write_any_character()
    try:
        try:
            status = _status_of(main)
        finally:  # also after --help, which ends in SystemExit
            flush_output()
    except BrokenPipeError:
        if not give_up_closed_streams():
            raise  # a pipe between processes of our own
        return CLOSED_OUTPUT
    except OSError as error:
        if error.filename is None:
            raise
        give_up_output()
        print(f"error: {file_problem(error)}", file=sys.stderr)
        return FILE_PROBLEM
    return status


def _status_of(main: Callable[[], int | None]) -> int:
    try:
        return main() or 0
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except RunFailed as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.filename is None and error.errno not in NO_ROOM:
            raise
        print(f"error: {file_problem(error)}", file=sys.stderr)
        return FILE_PROBLEM
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
