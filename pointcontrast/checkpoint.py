"""Backbone files: weights that say what they are.

A backbone file is safetensors: plain tensors and a JSON header, nothing that runs when it is
read. The header holds all that is needed to build the network and to feed it: class, arguments,
network input (features, voxel size, rotation), the run's configuration, version and commit.
Weights are in the layout of MinkowskiEngine 0.5, whatever engine trained them.
"""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from pointcontrast.backbones import Backbone
from pointcontrast.errors import InputError
from pointcontrast.files import atomic_file
from pointcontrast.network_input import NetworkInput
from pointcontrast.sparse import EngineName

FORMAT = "pointcontrast-backbone"
FORMAT_VERSION = 1
LAYOUT = "minkowski-0.5"
BACKBONE = "backbone.safetensors"


@dataclass(frozen=True)
class BackboneMetadata:
    """What a backbone file says of itself.

    Attributes:
        backbone_class: import path of the class.
        arguments: what its constructor takes, without the engine.
        network_input: how views become its input.
        provenance: where it came from: configuration, steps, scores, version, commit, ...
    """

    backbone_class: str
    arguments: dict[str, Any]
    network_input: NetworkInput
    provenance: dict[str, Any]


def save_backbone(
    path: Path, backbone: Backbone, network_input: NetworkInput, provenance: dict[str, Any]
) -> None:
    """Write a backbone file, atomically.

    Args:
        path: where; ``.safetensors``.
        backbone: the network; its weights are written as they stand.
        network_input: how views become its input.
        provenance: JSON values worth keeping.
    """
    header = {
        "format": FORMAT,
        "format_version": str(FORMAT_VERSION),
        "layout": LAYOUT,
        "backbone": json.dumps(
            {
                "class": f"{type(backbone).__module__}.{type(backbone).__qualname__}",
                "arguments": backbone.arguments,
                "network_input": network_input.to_json(),
                "provenance": provenance,
            }
        ),
    }
    weights = {name: w.detach().cpu().contiguous() for name, w in backbone.state_dict().items()}
    with atomic_file(path) as partial:
        save_file(weights, partial, metadata=header)


def read_backbone_file(path: Path) -> tuple[dict[str, torch.Tensor], BackboneMetadata]:
    """The weights and the metadata of a backbone file.

    Raises:
        InputError: the file is absent, damaged, not a backbone file, or of a newer format.
    """
    if path.is_dir():
        path = path / BACKBONE
    if path.suffix == ".ckpt":
        raise InputError(f"{path} is for resuming; give the {BACKBONE} beside it")
    if not path.is_file():
        raise InputError(f"{path} does not exist; give a {BACKBONE} of a run, or the run's folder")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"{path} is not a whole safetensors file ({error}); copy or export it again"
        ) from None
    if header.get("format") != FORMAT:
        raise InputError(f"{path} is a safetensors file but not a backbone of this project")
    version = int(header.get("format_version", "0"))
    if version > FORMAT_VERSION or header.get("layout") != LAYOUT:
        raise InputError(
            f"{path} has format version {version} and layout {header.get('layout')}; this "
            f"program reads version {FORMAT_VERSION}, {LAYOUT}: update it"
        )
    value = json.loads(header["backbone"])
    return weights, BackboneMetadata(
        backbone_class=value["class"],
        arguments=value["arguments"],
        network_input=NetworkInput.from_json(value["network_input"]),
        provenance=value["provenance"],
    )


def load_backbone(path: Path, engine: EngineName = "auto") -> tuple[Backbone, BackboneMetadata]:
    """Build the network of a backbone file on either engine, in evaluation mode.

    Raises:
        InputError: see :func:`read_backbone_file`; or the weights are not the network's.
    """
    weights, metadata = read_backbone_file(path)
    backbone = build_backbone(metadata, engine)
    try:
        backbone.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        raise InputError(f"{path} does not hold the weights it says it does: {error}") from None
    return backbone.eval(), metadata


def build_backbone(metadata: BackboneMetadata, engine: EngineName = "auto") -> Backbone:
    """The network that the metadata describes, with fresh weights.

    Raises:
        InputError: the class is not one of the project's and not imported by the program.
    """
    return _backbone_class(metadata.backbone_class)(**metadata.arguments, engine=engine)


def _backbone_class(import_path: str) -> type[Backbone]:
    """Find a backbone class by its import path.

    A file must not make the program import what it likes: only the project's own modules are
    imported; a class of another package counts only if the program has imported it.
    """
    module_name, _, name = import_path.rpartition(".")
    if module_name.startswith("pointcontrast."):
        try:
            found = getattr(importlib.import_module(module_name), name, None)
        except ModuleNotFoundError:
            found = None
        if isinstance(found, type) and issubclass(found, Backbone):
            return found
    for known in _subclasses(Backbone):
        if f"{known.__module__}.{known.__qualname__}" == import_path:
            return known
    raise InputError(
        f"the backbone class {import_path} is unknown; import the module that defines it first"
    )


def _subclasses(base: type[Backbone]) -> list[type[Backbone]]:
    direct = base.__subclasses__()
    return direct + [below for one in direct for below in _subclasses(one)]
