"""Import of MinkowskiEngine, without its side effects on the process and with clear errors."""

from __future__ import annotations

import collections
import collections.abc
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from pointcontrast.errors import InputError

HOW_TO_GET_IT = (
    "run `make minkowski` in the project's folder to build it (about 6 minutes on 2 cores), or "
    "use engine: native, which needs nothing more"
)


def import_minkowski() -> ModuleType:
    """Import MinkowskiEngine without side effects on the process.

    Raises:
        InputError: It is not installed, or broken; the message says which and what to do.
    """
    try:
        with _without_side_effects():
            import MinkowskiEngine  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError as error:
        if error.name == "MinkowskiEngine":
            raise InputError(f"MinkowskiEngine is not installed; {HOW_TO_GET_IT}") from None
        raise InputError(
            f"MinkowskiEngine is installed but needs the missing module {error.name!r}; "
            f"{HOW_TO_GET_IT}"
        ) from error
    except Exception as error:
        # a build against another torch fails with an ImportError about symbols, or worse
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            f"MinkowskiEngine is installed but broken ({reason}), most often because torch "
            f"changed since it was built; {HOW_TO_GET_IT}"
        ) from error
    return MinkowskiEngine


@contextmanager
def _without_side_effects() -> Iterator[None]:
    """Make MinkowskiEngine importable, and undo the side effects of its import.

    It imports ``Sequence`` from ``collections``, where Python 3.10 no longer has it. It leaves its
    own folder, with modules such as ``utils``, on ``sys.path``, and on machines with more than 16
    cores sets ``OMP_NUM_THREADS`` for every child process.
    """
    lend = not hasattr(collections, "Sequence")
    if lend:
        collections.Sequence = collections.abc.Sequence  # pyright: ignore[reportAttributeAccessIssue]
    path = list(sys.path)
    num_threads = os.environ.get("OMP_NUM_THREADS")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations in its own code
            yield
    finally:
        if lend:
            del collections.Sequence  # pyright: ignore[reportAttributeAccessIssue]
        sys.path[:] = path
        if num_threads is None:
            os.environ.pop("OMP_NUM_THREADS", None)
