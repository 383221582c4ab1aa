"""Reader of the lists that other programs publish: dictionaries by scene, saved by PyTorch.

ContrastiveSceneContexts reads limited points as scan -> rows (``downstream/semseg/datasets/
scannet.py``), and limited boxes as scan -> (rows of the boxes, ids of the instances)
(``downstream/votenet/datasets/scannet/scannet_detection_dataset.py``, ``sampled_bbox``). Numbers
may be Python's, NumPy's or tensors.
"""

from __future__ import annotations

import codecs
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError


def is_published(path: Path) -> bool:
    """Return whether a file is a pickle, as PyTorch saves it, by its first bytes."""
    with open(path, "rb") as file:
        start = file.read(2)
    return start == b"PK" or start[:1] == b"\x80"


def read_dictionary(path: Path, what: str) -> dict[str, Any]:
    """Read a dictionary by scene. No code in the file is executed.

    Args:
        path: File that ``torch.save`` wrote.
        what: What the file should be, for messages, such as "list of points".

    Raises:
        InputError: The file is missing, damaged, or holds anything else.
    """
    import torch  # only here: lists in this project's format need no PyTorch

    try:
        with torch.serialization.safe_globals(_number_globals()):
            value = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:  # its message advises to execute the file
        raise InputError(
            f"{path} is not a complete {what}: it is damaged, or has other values than integers "
            "by scene, which are not read because that could execute code"
        ) from None
    except Exception as error:  # a damaged file can fail in any part of the reader
        reason = " ".join(str(error).split())
        raise InputError(
            f"{path} is not a complete {what} ({type(error).__name__}: {reason})"
        ) from None
    if not isinstance(value, dict) or not value:
        raise InputError(f"{path} holds a {type(value).__name__}, not rows by scene")
    wrong = next((name for name in value if not isinstance(name, str)), None)
    if wrong is not None:
        raise InputError(f"{path}: {wrong!r} is not the name of a scene")
    return value


def integers(value: Any, where: str) -> NDArray[np.int64]:
    """Convert a list, array or tensor of integers to (N,) int64.

    Raises:
        InputError: It is anything else.
    """
    try:
        found = np.asarray(value)
    except (TypeError, ValueError, RuntimeError):
        found = np.empty((0, 0))
    if not found.size and found.ndim == 1:
        return np.empty(0, np.int64)
    if found.ndim != 1 or found.dtype.kind not in "iu":
        raise InputError(f"{where} has no list of integers")
    return found.astype(np.int64)


def is_pair(value: Any) -> bool:
    """Return whether a value is (rows, instances), not rows alone."""
    return (
        isinstance(value, (tuple, list))
        and len(value) == 2
        and all(isinstance(each, Sequence) or np.ndim(each) == 1 for each in value)
    )


def _number_globals() -> list[Any]:
    """Return the globals of pickled NumPy integers and their arrays, with old and new names."""
    reconstruct = np.zeros(0).__reduce__()[0]
    scalar = np.int64(0).__reduce__()[0]
    dtypes = [type(np.dtype(kind)) for kind in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")]
    both = [
        (function, f"{module}.{name}")
        for module in ("numpy.core.multiarray", "numpy._core.multiarray")
        for function, name in ((reconstruct, "_reconstruct"), (scalar, "scalar"))
    ]
    return [*both, (codecs.encode, "_codecs.encode"), np.ndarray, np.dtype, *dtypes]
