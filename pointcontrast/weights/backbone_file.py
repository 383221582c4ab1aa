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
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from pointcontrast.backbones import Backbone
from pointcontrast.data.network_input import NetworkInput
from pointcontrast.errors import InputError
from pointcontrast.sparse import EngineName
from pointcontrast.weights.backbone_header import (
    CONVERTED_FROM,
    LAYOUTS,
    NETWORK_FORMAT,
    BackboneMetadata,
    backbone_header,
    check_header,
    read_backbone_header,
)
from pointcontrast.weights.foreign import ForeignWeights, read_foreign_weights
from pointcontrast.weights.formats import KernelOrder
from pointcontrast.weights.known_classes import import_path, known_class
from pointcontrast.weights.model_card import write_model_card
from pointcontrast.weights.safetensors_file import BACKBONE, read_safetensors, write_safetensors
from pointcontrast.weights.weight_checks import check_weights


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


def read_weights(
    path: str | os.PathLike[str],
    kernel_order: KernelOrder = "auto",
    network: str | None = None,
) -> Weights:
    """Read weights of a backbone, of a finetuned network, or of another program's ``.pth`` file.

    Args:
        path: File, or a run's folder. A file that does not end in ``.safetensors`` is read as a
            ``.pth`` file; that is also what Lightning's ``.ckpt`` are.
        kernel_order: Order of the kernels in a ``.pth`` file, if it cannot be detected; see
            :func:`pointcontrast.weights.foreign.read_foreign_weights`. The kernels in files of
            this project are never reordered.
        network: Which network, if a ``.pth`` file holds several
            (``pointcontrast.weights.networks_in_file``).

    Raises:
        InputError: The file is absent or damaged, holds no such weights or several networks, or
            values that no network has.
    """
    path = Path(path)
    if path.is_file() and path.suffix != ".safetensors":
        foreign = read_foreign_weights(path, kernel_order, network)
        check_weights(path, foreign.state_dict)
        return _foreign(path, foreign)
    path = _weights_path(path)
    weights, header = read_safetensors(path)
    check_weights(path, weights)
    if network is not None:
        raise InputError(f"{path} holds one network; leave --network out")
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
        check_header(path, found.header, LAYOUTS)
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
    backbone = build_backbone(found.metadata, engine, path)
    try:
        backbone.load_state_dict(found.state_dict, strict=True)
    except RuntimeError as error:
        raise InputError(f"{path} does not hold the weights of its network: {error}") from None
    return backbone.eval(), found.metadata


def build_backbone(
    metadata: BackboneMetadata,
    engine: EngineName = "auto",
    file: str | os.PathLike[str] = "the file",
) -> Backbone:
    """Build the network that the header describes, with random weights.

    Args:
        metadata: Header of a file.
        engine: ``auto``, ``native`` or ``minkowski``.
        file: Name of the file, for messages.

    Raises:
        InputError: The class is neither one of this project nor imported by the program, it does
            not have one of the arguments, or it refuses the value of one.
    """
    try:
        kind = known_class(metadata.backbone_class, Backbone)
        unknown = set(metadata.arguments) - set(inspect.signature(kind).parameters)
        if unknown:
            raise InputError(
                f"its {kind.__name__} has the argument {min(unknown)}, which this version does "
                "not have; update pointcontrast"
            )
        return kind(**metadata.arguments, engine=engine)
    except (TypeError, ValueError, KeyError) as error:  # an InputError is a ValueError
        raise InputError(f"{file}: {error}") from None
