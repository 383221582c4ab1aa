"""What ``meta.json`` of a labelled scene says of its ground truth, without opening the arrays.

Labels or boxes that are absent are not empty: a scene without ``boxes.npy`` says nothing of its
objects, one whose ``boxes.npy`` has no row says that there are none.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from pointcontrast.errors import InputError
from pointcontrast.files import read_json


@dataclass(frozen=True)
class SceneRecord:
    """The record of a labelled scene.

    Attributes:
        arrays: Names of its arrays, such as ``semantic`` and ``boxes``.
        class_names: Names of its classes, in the order of the labels.
        digest: Digest of the checksums of its arrays, of its classes and of its up axis.
    """

    arrays: frozenset[str]
    class_names: tuple[str, ...]
    digest: str


def read_scene_record(folder: Path) -> SceneRecord:
    """Read the record of a scene.

    Raises:
        InputError: ``meta.json`` is missing or damaged.
    """
    file = folder / "meta.json"
    try:
        meta = read_json(file)
        files, names = meta["files"], meta["class_names"]
        meant = json.dumps([files, names, meta["up_axis"]], sort_keys=True)
        return SceneRecord(
            arrays=frozenset(name.removesuffix(".npy") for name in files),
            class_names=tuple(names),
            digest=hashlib.sha256(meant.encode()).hexdigest()[:16],
        )
    except FileNotFoundError:
        raise InputError(f"{folder} is not a labelled scene: it has no meta.json") from None
    except (KeyError, TypeError) as error:
        raise InputError(f"{file} is damaged ({error!r}); make the scene again") from None
