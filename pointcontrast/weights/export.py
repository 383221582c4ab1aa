"""Export of backbones as ``.pth`` files for other programs.

Such a file is a dictionary with a ``state_dict`` and the header of a backbone file, so that
:func:`pointcontrast.weights.backbone_file.read_weights` reads back exactly the same weights. It
holds tensors, strings and dictionaries, and loads with ``torch.load(..., weights_only=True)``.
Names and layouts: docs/weights.md.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from pointcontrast.backbones import Backbone, Res16UNet
from pointcontrast.errors import InputError
from pointcontrast.files import atomic_file
from pointcontrast.weights.backbone_header import LAYOUTS, BackboneMetadata, backbone_header
from pointcontrast.weights.foreign import HEADER
from pointcontrast.weights.spconv_layout import to_spconv
from pointcontrast.weights.torch_file import write_torch_file

StateDict = Mapping[str, torch.Tensor]


def write_minkowski(path: Path, backbone: Backbone, metadata: BackboneMetadata) -> None:
    """Write a state dict for MinkowskiEngine 0.5, in the names and layout of this project."""
    _write(path, backbone, metadata, LAYOUTS[0], dict)


def write_spconv(path: Path, backbone: Backbone, metadata: BackboneMetadata) -> None:
    """Write a state dict for spconv 2 in the layout of Pointcept's SpUNet.

    Raises:
        InputError: SpUNet does not have these layers; see
            :func:`pointcontrast.weights.spconv_layout.to_spconv`.
    """
    _write(path, backbone, metadata, LAYOUTS[1], to_spconv)


def spconv_differences(backbone: Backbone) -> list[str]:
    """Differences between SpUNet-v1m1 and ``backbone``, for people to change in that class.

    Raises:
        InputError: The backbone is not an SR-UNet.
    """
    if not isinstance(backbone, Res16UNet):
        raise InputError(f"SpUNet is an SR-UNet; a {type(backbone).__name__} has no such layout")
    arguments, found = backbone.arguments, []
    if arguments["widen_at"] == "block":
        found.append(
            "its strided convolutions keep the number of channels, and enc.N.block0 has a proj "
            "(SpUNet increases the channels in the strided convolution)"
        )
    if arguments["batch_norm_eps"] != 1e-3:
        found.append(f"its batch norm adds {arguments['batch_norm_eps']:g}, not 0.001")
    if arguments["normalize_output"]:
        found.append("its output is scaled to unit length afterwards")
    if arguments["out_channels"] is None:
        found.append("it has no output layer (num_classes 0)")
    return found


def _write(
    path: Path,
    backbone: Backbone,
    metadata: BackboneMetadata,
    layout: str,
    convert: Callable[[StateDict], StateDict],
) -> None:
    weights = convert(
        {name: tensor.detach().cpu().contiguous() for name, tensor in backbone.state_dict().items()}
    )
    header = backbone_header(backbone, metadata.network_input, metadata.provenance)
    header["layout"] = layout
    if "stem_kernel_size" in backbone.arguments:
        header["stem_kernel_size"] = str(backbone.arguments["stem_kernel_size"])
    with atomic_file(path) as partial:
        write_torch_file({"state_dict": OrderedDict(weights), HEADER: header}, partial)
