"""Backbone files: weights that say what they are.

A backbone file is safetensors: plain tensors and a JSON header, nothing that runs when it is
read. The header holds all that is needed to build the network and to feed it: class, arguments,
network input (features, voxel size, rotation), the run's configuration, version and commit.
Weights are in the layout of MinkowskiEngine 0.5, whatever engine trained them. A finetuned network
is such a file too, with a head beside the backbone (``downstream.network_file``).

:func:`read_weights` is the one door for weights of any origin.
"""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from pointcontrast.backbones import Backbone
from pointcontrast.data.network_input import NetworkInput
from pointcontrast.errors import InputError
from pointcontrast.files import atomic_file
from pointcontrast.sparse import EngineName
from pointcontrast.weights.foreign import ForeignWeights, read_foreign_weights
from pointcontrast.weights.kernel_order import KernelOrder
from pointcontrast.weights.known_classes import import_path, known_class
from pointcontrast.weights.model_card import write_model_card

FORMAT = "pointcontrast-backbone"
NETWORK_FORMAT = "pointcontrast-network"
"""Of a finetuned network: ``backbone.*`` and ``head.*``."""
FORMAT_VERSION = 1
LAYOUT = "minkowski-0.5"
LAYOUTS = (LAYOUT, "spconv-2")
"""Of the ``.pth`` files that :mod:`pointcontrast.weights.export` writes for other programs."""
CONVERTED_FROM = "converted_from"
"""In the provenance of converted weights: what the file was that they came from."""
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


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Weights of any origin.

    Attributes:
        state_dict: in our names and layout.
        source: what the file was found to be, for people and for ``provenance``; JSON values.
        metadata: what the file says of itself; None where it is not ours.
        dropped: what else was in the file: the names of a head's weights.
    """

    state_dict: dict[str, torch.Tensor]
    source: dict[str, Any]
    metadata: BackboneMetadata | None = None
    dropped: tuple[str, ...] = field(default=())


def read_weights(path: str | os.PathLike[str], kernel_order: KernelOrder = "auto") -> Weights:
    """The weights in a file: a backbone, a finetuned network, or a ``.pth`` of another program.

    Args:
        path: the file, or a run's folder. What is no safetensors file is taken for a ``.pth``.
        kernel_order: of a ``.pth`` file's kernels, where it cannot be told from them; see
            :func:`pointcontrast.weights.foreign.read_foreign_weights`. Files of this project are
            in order, and never put in order again.

    Raises:
        InputError: the file is absent, damaged, or holds no such weights.
    """
    path = Path(path)
    if path.is_file() and path.suffix not in (".safetensors", ".ckpt"):
        return _foreign(path, read_foreign_weights(path, kernel_order))
    path = _weights_path(path)
    weights, header = read_safetensors(path)
    metadata = read_backbone_header(path, header)
    dropped: tuple[str, ...] = ()
    if header["format"] == NETWORK_FORMAT:
        dropped = tuple(name for name in weights if not name.startswith("backbone."))
        weights = {
            name.removeprefix("backbone."): tensor
            for name, tensor in weights.items()
            if name not in dropped
        }
    source: dict[str, Any] = {"format": header["format"]}
    if CONVERTED_FROM in metadata.provenance:
        source[CONVERTED_FROM] = metadata.provenance[CONVERTED_FROM]
    return Weights(state_dict=weights, source=source, metadata=metadata, dropped=dropped)


def _foreign(path: Path, found: ForeignWeights) -> Weights:
    metadata = None
    if found.header is not None:
        _check_header(path, found.header, LAYOUTS)
        metadata = read_backbone_header(path, found.header)
    return Weights(
        state_dict=found.state_dict,
        source=found.to_json(),
        metadata=metadata,
        dropped=found.dropped,
    )


def save_backbone(
    path: str | os.PathLike[str],
    backbone: Backbone,
    network_input: NetworkInput,
    provenance: dict[str, Any],
) -> None:
    """Write a backbone file and its model card, each atomically.

    Args:
        path: where; ``.safetensors``. The card goes beside it, as ``.md``.
        backbone: the network; its weights are written as they stand.
        network_input: how views become its input.
        provenance: JSON values worth keeping.
    """
    path = Path(path)
    header = backbone_header(backbone, network_input, provenance)
    write_safetensors(path, backbone.state_dict(), header)
    write_model_card(
        path,
        backbone_class=import_path(type(backbone)),
        arguments=backbone.arguments,
        num_parameters=sum(p.numel() for p in backbone.parameters()),
        network_input=network_input,
        provenance=provenance,
    )


def backbone_header(
    backbone: Backbone,
    network_input: NetworkInput,
    provenance: dict[str, Any],
    format: str = FORMAT,
) -> dict[str, str]:
    """What the header of a file says of its backbone."""
    return {
        "format": format,
        "format_version": str(FORMAT_VERSION),
        "layout": LAYOUT,
        "backbone": json.dumps(
            {
                "class": import_path(type(backbone)),
                "arguments": backbone.arguments,
                "network_input": network_input.to_json(),
                "provenance": provenance,
            }
        ),
    }


def write_safetensors(
    path: Path, state_dict: Mapping[str, torch.Tensor], header: dict[str, str]
) -> None:
    """Write weights and their header, atomically; the same ones to the same bytes."""
    weights = {name: w.detach().cpu().contiguous() for name, w in state_dict.items()}
    with atomic_file(path) as partial:
        # not save_file: that hides a full disk in an error of its own
        partial.write_bytes(_with_sorted_header(save(weights, metadata=header)))


def _with_sorted_header(content: bytes) -> bytes:
    """A safetensors file whose header has its keys in order; the library's order is random."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8:end]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)  # so that the numbers are aligned in memory
    return b"".join([len(header).to_bytes(8, "little"), header, memoryview(content)[end:]])


def read_safetensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """The weights and the header of a file of this project.

    Raises:
        InputError: the file is absent, damaged, of another program, or of a newer format.
    """
    if path.suffix == ".ckpt":
        raise InputError(f"{path} is for resuming; give the .safetensors beside it")
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
    if header.get("format") not in (FORMAT, NETWORK_FORMAT):
        raise InputError(f"{path} is a safetensors file but not a backbone of this project")
    _check_header(path, header, (LAYOUT,))
    return weights, header


def _check_header(path: Path, header: Mapping[str, str], layouts: tuple[str, ...]) -> None:
    version, layout = header.get("format_version", "0"), header.get("layout")
    if not version.isdigit() or int(version) > FORMAT_VERSION or layout not in layouts:
        raise InputError(
            f"{path} has format version {version} and layout {layout}; this program reads version "
            f"{FORMAT_VERSION}, {' and '.join(layouts)}: update it"
        )


def read_backbone_header(path: Path, header: Mapping[str, str]) -> BackboneMetadata:
    """The metadata in a header.

    Raises:
        InputError: it is not as this program writes it.
    """
    try:
        value = json.loads(header["backbone"])
        return BackboneMetadata(
            backbone_class=value["class"],
            arguments=dict(value["arguments"]),
            network_input=NetworkInput.from_json(value["network_input"]),
            provenance=value["provenance"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} has a damaged header ({type(error).__name__}: {error}); export it again"
        ) from None


def _weights_path(path: Path) -> Path:
    """The file of weights in a run's folder; a file is taken as it is."""
    if not path.is_dir():
        return path
    finetuned = path / "best.safetensors"
    return finetuned if finetuned.exists() else path / BACKBONE


def load_backbone(
    path: str | os.PathLike[str], engine: EngineName = "auto"
) -> tuple[Backbone, BackboneMetadata]:
    """Build the network of a backbone file on either engine, in evaluation mode.

    Raises:
        InputError: see :func:`read_weights`; or the weights are not the network's.
    """
    found = read_weights(path)
    if found.metadata is None:
        raise InputError(
            f"{path} does not say which network its weights are of; make it a backbone file with "
            f"tools/convert_weights.py {path} --output backbone.safetensors"
        )
    backbone = build_backbone(found.metadata, engine)
    try:
        backbone.load_state_dict(found.state_dict, strict=True)
    except RuntimeError as error:
        raise InputError(f"{path} does not hold the weights it says it does: {error}") from None
    return backbone.eval(), found.metadata


def build_backbone(metadata: BackboneMetadata, engine: EngineName = "auto") -> Backbone:
    """The network that the metadata describes, with fresh weights.

    Raises:
        InputError: the class is not one of the project's and not imported by the program, or
            does not know one of the arguments.
    """
    kind = known_class(metadata.backbone_class, Backbone)
    unknown = set(metadata.arguments) - set(inspect.signature(kind).parameters)
    if unknown:
        raise InputError(
            f"the file's {kind.__name__} has the argument {min(unknown)}, which this program does "
            "not know: update it"
        )
    return kind(**metadata.arguments, engine=engine)
