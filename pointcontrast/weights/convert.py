"""Conversion of weights of any origin to a file of this project or of another program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pointcontrast.backbones import Backbone, Res16UNet
from pointcontrast.data.augment import Rotation
from pointcontrast.data.network_input import FeatureName, NetworkInput
from pointcontrast.errors import InputError
from pointcontrast.files import sha256
from pointcontrast.sparse import EngineName
from pointcontrast.weights.architecture import infer_arguments
from pointcontrast.weights.backbone_file import Weights, build_backbone, read_weights, save_backbone
from pointcontrast.weights.backbone_header import CONVERTED_FROM, BackboneMetadata
from pointcontrast.weights.export import spconv_differences, write_minkowski, write_spconv
from pointcontrast.weights.formats import KernelOrder, Target
from pointcontrast.weights.known_classes import import_path
from pointcontrast.weights.program import NORMALIZES_OUTPUT, POINTCONTRAST, SCENE_CONTEXTS, SPUNET

RELEASED_INPUT = {
    POINTCONTRAST: NetworkInput(0.025, ("ones",), "free", 0.0, 0.0, 0.01),
    SCENE_CONTEXTS: NetworkInput(0.025, ("color",), "vertical", torch.pi / 64, 0.0, 0.01),
}
"""Network input of the two released pretrainings, from ``lib/ddp_data_loaders.py`` of PointContrast
and of ContrastiveSceneContexts."""


@dataclass(frozen=True, kw_only=True)
class GivenFacts:
    """Facts about the network that the user gives for a file without them; None: not given."""

    voxel_size: float | None = None
    features: Sequence[FeatureName] | None = None
    rotation: Rotation | None = None
    batch_norm_eps: float | None = None
    normalize_output: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Converted:
    """A network read from weights of any origin.

    Attributes:
        backbone: Network in evaluation mode.
        metadata: Header of its backbone file.
        weights: Weights as read from the file.
    """

    backbone: Backbone
    metadata: BackboneMetadata
    weights: Weights

    def write(self, path: Path, target: Target) -> None:
        """Write the file, atomically; a backbone file together with its model card."""
        if target == "backbone":
            save_backbone(
                path, self.backbone, self.metadata.network_input, self.metadata.provenance
            )
        else:
            write = write_minkowski if target == "minkowski" else write_spconv
            write(path, self.backbone, self.metadata)

    def describe(self, source: Path, target: Target) -> list[tuple[str, str]]:
        """List what was detected, as (title, value)."""
        found, arguments = self.weights.source, self.backbone.arguments
        rows = [("file", str(source))]
        rows += [(key.replace("_", " "), _words(value)) for key, value in found.items()]
        rows.append(("network", import_path(type(self.backbone)).rpartition(".")[2]))
        rows += [(f"  {key}", f"{value}") for key, value in arguments.items()]
        rows.append(("entries", f"{len(self.weights.state_dict)}"))
        rows.append(("parameters", f"{sum(p.numel() for p in self.backbone.parameters()):,}"))
        if self.weights.dropped:
            rows.append(("left out", ", ".join(self.weights.dropped)))
        recorded = self.metadata.network_input
        rows.append(("voxel size", f"{recorded.voxel_size:g} m"))
        rows.append(("features", ", ".join(recorded.features)))
        rows.append(("rotation", recorded.rotation))
        if target == "spconv":
            rows += [("not SpUNet's", text) for text in spconv_differences(self.backbone)]
        return rows


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key} {_words(inner)}" for key, inner in value.items())
    return "none" if value == "" else f"{value}"


def read_network(
    path: Path,
    kernel_order: KernelOrder,
    given: GivenFacts,
    engine: EngineName = "native",
    network: str | None = None,
) -> Converted:
    """Read weights of any origin as a network.

    Args:
        path: File of weights, or a run's folder.
        kernel_order: See :func:`pointcontrast.weights.backbone_file.read_weights`.
        given: Facts about the network, for a file that does not record them.
        engine: Sparse engine of the network.
        network: See :func:`pointcontrast.weights.backbone_file.read_weights`.

    Raises:
        InputError: The file cannot be read or holds no known network; or facts are missing, or
            given although the file records them.
    """
    weights = read_weights(path, kernel_order, network)
    if weights.metadata is None:
        metadata = _new_metadata(path, weights, given)
    else:
        metadata = weights.metadata
        recorded = [name for name, value in vars(given).items() if value is not None]
        if recorded:
            raise InputError(f"{path} records its network input; leave {recorded[0]} out")
    with torch.random.fork_rng(devices=[]):
        backbone = build_backbone(metadata, engine, path)
    try:
        backbone.load_state_dict(weights.state_dict, strict=True)
    except RuntimeError as error:
        raise InputError(f"{path} does not hold the weights of its network: {error}") from None
    return Converted(backbone=backbone.eval(), metadata=metadata, weights=weights)


def _new_metadata(path: Path, weights: Weights, given: GivenFacts) -> BackboneMetadata:
    """Header for weights without one."""
    program = weights.source["program"]
    arguments = infer_arguments(path, weights.state_dict)
    arguments["normalize_output"] = (
        program in NORMALIZES_OUTPUT if given.normalize_output is None else given.normalize_output
    )
    arguments["batch_norm_eps"] = given.batch_norm_eps or (1e-3 if program == SPUNET else 1e-5)
    network_input = _network_input(path, program, given)
    if network_input.in_channels != arguments["in_channels"]:
        raise InputError(
            f"{path} takes {arguments['in_channels']} input channels, the features "
            f"{', '.join(network_input.features)} make {network_input.in_channels}; give features"
        )
    source = {"file": path.name, "sha256": sha256(path), **weights.source}
    return BackboneMetadata(
        backbone_class=import_path(Res16UNet),
        arguments=arguments,
        network_input=network_input,
        provenance={CONVERTED_FROM: source},
    )


def _network_input(path: Path, program: str, given: GivenFacts) -> NetworkInput:
    released = RELEASED_INPUT.get(program)
    if released is None:
        lacking = [name for name in ("voxel_size", "features") if getattr(given, name) is None]
        if lacking:
            raise InputError(
                f"{path} does not record its network input; give voxel_size (metres) and "
                "features (ones, color, normal, height; in the order of the channels)"
            )
        released = NetworkInput(rotation="vertical", feature_noise=0.0)
    return NetworkInput(
        voxel_size=given.voxel_size or released.voxel_size,
        features=tuple(given.features or released.features),
        rotation=given.rotation or released.rotation,
        max_tilt=released.max_tilt,
        color_jitter=released.color_jitter,
        feature_noise=released.feature_noise,
    )
