"""Packages that only some formats need: imported when a file asks for one, or named in one line."""

from __future__ import annotations

import importlib
from types import ModuleType

from pointcontrast.errors import InputError


def require(module: str, requirement: str, why: str) -> ModuleType:
    """Import an optional package.

    Args:
        module: Name to import, such as "laspy" or "rosbags.highlevel".
        requirement: What pip installs, such as "laspy[lazrs]".
        why: What needs the package, usually a file; the first words of the error message.

    Returns:
        The module.

    Raises:
        InputError: The package is not installed, or cannot be imported.
    """
    package = module.partition(".")[0]
    needs, install = f"{why} needs {package}", f'pip install "{requirement}"'
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != package:  # it is there, and what it needs is not
            raise InputError(f"{needs}, which lacks {error.name}: {install}") from None
        raise InputError(f"{needs}: {install}") from None
    except ImportError as error:  # a shared library that is missing, for example
        reason = " ".join(str(error).split())
        raise InputError(f"{needs}, which cannot be imported ({reason}): {install}") from None
