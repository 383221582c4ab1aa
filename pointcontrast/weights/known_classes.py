"""Classes by their import paths in files, without importing arbitrary modules."""

from __future__ import annotations

import importlib
from typing import Any

from pointcontrast.errors import InputError

_PACKAGES = ("pointcontrast.", "downstream.")


def import_path(kind: type[Any]) -> str:
    """Import path of a class, its name in files."""
    return f"{kind.__module__}.{kind.__qualname__}"


def known_class(path: str, base: type[Any]) -> type[Any]:
    """Look up a class by its import path.

    Only modules of this project are imported; a class of another package is found only if the
    program has imported it.

    Args:
        path: Import path, see :func:`import_path`.
        base: Base class that the class must have.

    Raises:
        InputError: There is no such class.
    """
    module, _, name = path.rpartition(".")
    if module.startswith(_PACKAGES):
        try:
            found = getattr(importlib.import_module(module), name, None)
        except ModuleNotFoundError:
            found = None
        if isinstance(found, type) and issubclass(found, base):
            return found
    for known in _subclasses(base):
        if import_path(known) == path:
            return known
    raise InputError(
        f"the {base.__name__.lower()} class {path} is unknown; import the module that defines it "
        "first (on the command line: --import MODULE)"
    )


def _subclasses(base: type[Any]) -> list[type[Any]]:
    direct = base.__subclasses__()
    return direct + [below for one in direct for below in _subclasses(one)]
