"""Header of backbone files: the network, its input, and the origin of its weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pointcontrast.backbones import Backbone
from pointcontrast.data.network_input import NetworkInput
from pointcontrast.errors import InputError
from pointcontrast.weights.known_classes import import_path

FORMAT = "pointcontrast-backbone"
NETWORK_FORMAT = "pointcontrast-network"
"""Format of a finetuned network, with the entries ``backbone.*`` and ``head.*``."""
FORMAT_VERSION = 1
LAYOUT = "minkowski-0.5"
LAYOUTS = (LAYOUT, "spconv-2")
"""Layouts of the ``.pth`` files that :mod:`pointcontrast.weights.export` writes."""
CONVERTED_FROM = "converted_from"
"""Key in the provenance of converted weights for the file that they came from."""


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


def check_header(path: Path, header: Mapping[str, str], layouts: tuple[str, ...]) -> None:
    """Check the format version and the layout of a header.

    Raises:
        InputError: This version of the package does not read them.
    """
    version, layout = header.get("format_version", "0"), header.get("layout")
    if not version.isdigit() or int(version) > FORMAT_VERSION or layout not in layouts:
        raise InputError(
            f"{path} has format version {version} and layout {layout}, this version of "
            f"pointcontrast reads {FORMAT_VERSION} and {' or '.join(layouts)}; update it"
        )
