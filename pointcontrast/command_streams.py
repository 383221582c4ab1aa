"""Standard output and error of a command: terminals without a character, readers that have gone."""

from __future__ import annotations

import contextlib
import io
import os
import select
import sys
from typing import Any

CLOSED_OUTPUT = 141
"""Exit status where what reads the output has gone, as in ``COMMAND | head -1``: that of a program
that SIGPIPE ends."""


def write_any_character() -> None:
    """Escape characters that the terminal's encoding lacks, instead of failing on them."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def flush_output() -> None:
    """Write what is still buffered of standard output.

    Raises:
        BrokenPipeError: What reads it has gone.
        OSError: It cannot be written for another reason; the error's file name says where.
    """
    if sys.stdout is None:  # a program without a console
        return
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        error.filename = "standard output"
        raise


def give_up_closed_streams() -> bool:
    """Let further output go nowhere where what reads it has gone; return whether that is so.

    Python would fail again at its end, when it flushes the streams.
    """
    closed = [stream for stream in (sys.stdout, sys.stderr) if _has_no_reader(stream)]
    for stream in closed:
        _redirect_to_nowhere(stream)
    return bool(closed)


def give_up_output() -> None:
    """Let what is buffered of standard output go nowhere."""
    _redirect_to_nowhere(sys.stdout)


def _has_no_reader(stream: Any) -> bool:
    """Return whether what reads a stream has gone."""
    try:
        stream.flush()
    except BrokenPipeError:
        return True
    except (OSError, ValueError, AttributeError):  # full; closed; without a console
        return False
    if not hasattr(select, "poll"):
        return False
    try:
        poll = select.poll()  # a part that was refused before is not kept for another flush
        poll.register(stream.fileno(), 0)
        return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
    except (OSError, ValueError):  # not a file
        return False


def _redirect_to_nowhere(stream: Any) -> None:
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
