"""Backbone files: weights with all that is needed to build the network and to use it.

A backbone file is a safetensors file: tensors and a JSON header, without code. The header holds the
class and its arguments, the network input (features, voxel size, rotation), the run's
configuration, version and commit. Weights are in the layout of MinkowskiEngine 0.5, whichever
engine trained them. The file of a finetuned network has the same form, with a head in addition to
the backbone (``downstream.network_file``).

:func:`read_weights` reads weights of any origin.
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
from pointcontrast.weights.formats import KernelOrder
from pointcontrast.weights.known_classes import import_path, known_class
from pointcontrast.weights.model_card import write_model_card

FORMAT = "pointcontrast-backbone"
NETWORK_FORMAT = "pointcontrast-network"
"""Format of a finetuned network, with the entries ``backbone.*`` and ``head.*``."""
FORMAT_VERSION = 1
LAYOUT = "minkowski-0.5"
LAYOUTS = (LAYOUT, "spconv-2")
"""Layouts of the ``.pth`` files that :mod:`pointcontrast.weights.export` writes."""
CONVERTED_FROM = "converted_from"
"""Key in the provenance of converted weights for the file that they came from."""
BACKBONE = "backbone.safetensors"


@dataclass(frozen=True)
class BackboneMetadata:
    """Header of a backbone file.

    Attributes:
        backbone_class: Import path of the class.
        arguments: Arguments of its constructor, without the engine.
        network_input: Conversion of views to input features.
        provenance: Origin of the weights: configuration, steps, scores, version, commit, ...
    """

    backbone_class: str
    arguments: dict[str, Any]
    network_input: NetworkInput
    provenance: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Weights of any origin.

    Attributes:
        state_dict: Weights in the names and layout of this project.
        source: Description of the file, for people and for ``provenance``; JSON values.
        metadata: Header of the file; None if another program wrote it.
        dropped: Other weights in the file, those of a head.
    """

    state_dict: dict[str, torch.Tensor]
    source: dict[str, Any]
    metadata: BackboneMetadata | None = None
    dropped: tuple[str, ...] = field(default=())


def read_weights(path: str | os.PathLike[str], kernel_order: KernelOrder = "auto") -> Weights:
    """Read weights of a backbone, of a finetuned network, or of another program's ``.pth`` file.

    Args:
        path: File, or a run's folder. A file that does not end in ``.safetensors`` or ``.ckpt`` is
            read as a ``.pth`` file.
        kernel_order: Order of the kernels in a ``.pth`` file, if it cannot be detected; see
            :func:`pointcontrast.weights.foreign.read_foreign_weights`. The kernels in files of
            this project are never reordered.

    Raises:
        InputError: The file is absent or damaged, or holds no such weights.
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
        path: File to write, ``.safetensors``. The card has the same name with ``.md``.
        backbone: Network to write.
        network_input: Conversion of views to input features.
        provenance: Origin of the weights, JSON values.
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
    """Build the header of a file with a backbone."""
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
    """Write weights and their header, atomically and deterministically."""
    weights = {name: w.detach().cpu().contiguous() for name, w in state_dict.items()}
    with atomic_file(path) as partial:
        # not save_file, whose error hides a full disk
        partial.write_bytes(_with_sorted_header(save(weights, metadata=header)))


def _with_sorted_header(content: bytes) -> bytes:
    """Sort the keys of a safetensors header; the library's order is random."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8:end]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)  # align the tensors
    return b"".join([len(header).to_bytes(8, "little"), header, memoryview(content)[end:]])


def read_safetensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Read the weights and the header of a file of this project.

    Raises:
        InputError: The file is absent or damaged, or has another or a newer format.
    """
    if path.suffix == ".ckpt":
        raise InputError(f"{path} is a checkpoint; give the .safetensors file next to it")
    if not path.is_file():
        raise InputError(f"{path} does not exist; give a run's folder or its {BACKBONE}")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"{path} is not a complete safetensors file ({error}); copy or export it again"
        ) from None
    if header.get("format") not in (FORMAT, NETWORK_FORMAT):
        raise InputError(f"{path} is a safetensors file but not a backbone of this project")
    _check_header(path, header, (LAYOUT,))
    return weights, header


def _check_header(path: Path, header: Mapping[str, str], layouts: tuple[str, ...]) -> None:
    version, layout = header.get("format_version", "0"), header.get("layout")
    if not version.isdigit() or int(version) > FORMAT_VERSION or layout not in layouts:
        raise InputError(
            f"{path} has format version {version} and layout {layout}, this version of "
            f"pointcontrast reads {FORMAT_VERSION} and {' or '.join(layouts)}; update it"
        )


def read_backbone_header(path: Path, header: Mapping[str, str]) -> BackboneMetadata:
    """Parse the header of a backbone.

    Raises:
        InputError: The header is damaged.
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
    """Path of the weights in a run's folder; a path of a file is returned unchanged."""
    if not path.is_dir():
        return path
    finetuned = path / "best.safetensors"
    return finetuned if finetuned.exists() else path / BACKBONE


def load_backbone(
    path: str | os.PathLike[str], engine: EngineName = "auto"
) -> tuple[Backbone, BackboneMetadata]:
    """Load the network of a backbone file on either engine, in evaluation mode.

    Args:
        path: Backbone file, or a run's folder.
        engine: ``auto``, ``native`` or ``minkowski``.

    Returns:
        The network and the header of its file.

    Raises:
        InputError: See :func:`read_weights`; or the weights do not fit the network.
    """
    found = read_weights(path)
    if found.metadata is None:
        raise InputError(
            f"{path} does not name the network of its weights; convert it to a backbone file with "
            f"tools/convert_weights.py {path} --output backbone.safetensors"
        )
    backbone = build_backbone(found.metadata, engine)
    try:
        backbone.load_state_dict(found.state_dict, strict=True)
    except RuntimeError as error:
        raise InputError(f"{path} does not hold the weights of its network: {error}") from None
    return backbone.eval(), found.metadata


def build_backbone(metadata: BackboneMetadata, engine: EngineName = "auto") -> Backbone:
    """Build the network that the header describes, with random weights.

    Raises:
        InputError: The class is neither one of this project nor imported by the program, or it does
            not have one of the arguments.
    """
    kind = known_class(metadata.backbone_class, Backbone)
    unknown = set(metadata.arguments) - set(inspect.signature(kind).parameters)
    if unknown:
        raise InputError(
            f"the file's {kind.__name__} has the argument {min(unknown)}, which this version does "
            "not have; update pointcontrast"
        )
    return kind(**metadata.arguments, engine=engine)
