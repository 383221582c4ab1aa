"""Pretrained weights into a backbone, strictly: all of it must come from the file."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from pointcontrast.backbones import Backbone
from pointcontrast.data.network_input import NetworkInput
from pointcontrast.errors import InputError
from pointcontrast.weights.backbone_file import Weights, read_weights
from pointcontrast.weights.backbone_header import BackboneMetadata
from pointcontrast.weights.formats import KernelOrder
from pointcontrast.weights.known_classes import import_path

DIFFERENCES = ("voxel_size", "features")
"""In what the pretraining may differ from the run at hand, where that is accepted."""


@dataclass(frozen=True, kw_only=True)
class InitializationReport:
    """What was loaded and what was not.

    Attributes:
        path: the file.
        source: what it was found to be.
        num_loaded: entries of the backbone's state dict, all of them.
        dropped: entries of the file that belong to its output layer or head.
        differences: what differs and was accepted, in words.
        not_recorded: what the file does not say.
    """

    path: str
    source: Mapping[str, Any]
    num_loaded: int
    dropped: tuple[str, ...]
    differences: tuple[str, ...]
    not_recorded: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary."""
        return asdict(self)

    def __str__(self) -> str:
        """A few lines for the log."""
        what = ", ".join(f"{key} {value}" for key, value in self.source.items() if value != "")
        lines = [f"weights: {self.path} ({what})", f"  loaded: {self.num_loaded} entries, all"]
        lines += [f"  not loaded: {', '.join(self.dropped)}"] if self.dropped else []
        lines += [f"  new: the head{'; no output layer is kept' if self.dropped else ''}"]
        lines += [f"  accepted: {difference}" for difference in self.differences]
        if self.not_recorded:
            lines.append(f"  not recorded in the file: {', '.join(self.not_recorded)}")
        return "\n".join(lines)


def load_into_backbone(
    backbone: Backbone,
    path: Path,
    *,
    network_input: NetworkInput,
    accept_differences: Collection[str] = (),
    kernel_order: KernelOrder = "auto",
) -> InitializationReport:
    """Load pretrained weights.

    The released code keeps what has the same name and shape and says nothing of the rest
    (PointContrast ``downstream/semseg/lib/utils.py load_state_with_same_shape``), so that a file
    that matches nothing "loads", and a head of as many classes goes along unseen. Here every entry
    must be in the file, and the file's output layer is left out whatever its shape.

    Args:
        backbone: gets the weights; unchanged after an error.
        path: a backbone file, a run's folder, a finetuned network, or a ``.pth``.
        network_input: what the run at hand feeds the network.
        accept_differences: of ``DIFFERENCES``.
        kernel_order: of a ``.pth`` file, see ``pointcontrast.weights.foreign``.

    Raises:
        InputError: the file cannot be read, or is of another network or input; the message names
            both values.
    """
    strange = set(accept_differences) - set(DIFFERENCES)
    if strange:
        raise InputError(
            f"accept_differences names {sorted(strange)[0]!r}; known are {', '.join(DIFFERENCES)}"
        )
    weights = read_weights(path, kernel_order)
    if weights.metadata is not None:
        _check_architecture(path, backbone, weights.metadata)
    output = tuple(name for name in weights.state_dict if backbone.is_output(name))
    state = {name: w for name, w in weights.state_dict.items() if name not in output}
    _check_shapes(path, backbone, state)
    differences = _check_input(path, weights, network_input, accept_differences)
    own_output = {k: v for k, v in backbone.state_dict().items() if backbone.is_output(k)}
    backbone.load_state_dict({**state, **own_output}, strict=True)
    return InitializationReport(
        path=str(path),
        source=weights.source,
        num_loaded=len(state),
        dropped=(*output, *weights.dropped),
        differences=differences,
        not_recorded=DIFFERENCES if weights.metadata is None else (),
    )


def _check_architecture(path: Path, backbone: Backbone, metadata: BackboneMetadata) -> None:
    """Compare what the file says it was built with."""
    own = import_path(type(backbone))
    if metadata.backbone_class != own:
        raise InputError(
            f"{path} is of a {metadata.backbone_class}, the run's backbone is a {own}; set "
            "model.backbone to the class that was pretrained"
        )
    for name, value in backbone.arguments.items():
        theirs = metadata.arguments.get(name, _default(type(backbone), name))
        if name not in backbone.free_arguments and theirs != value:
            fix = "data.features" if name == "in_channels" else f"model.backbone.init_args.{name}"
            raise InputError(
                f"{path} was trained with {name} {theirs}, the run has {value}; set {fix} as it "
                "was in pretraining, or take other weights"
            )


def _default(kind: type[Backbone], name: str) -> Any:
    """What an older file means that does not name an argument: it had this value then."""
    parameter = inspect.signature(kind).parameters.get(name)
    return None if parameter is None else parameter.default


def _check_shapes(path: Path, backbone: Backbone, state: Mapping[str, torch.Tensor]) -> None:
    """Every entry of the backbone but the output layer's, and no other, of the same shape."""
    wanted = {k: v for k, v in backbone.state_dict().items() if not backbone.is_output(k)}
    other = [
        f"{name} is {tuple(state[name].shape)} there and {tuple(wanted[name].shape)} here"
        for name in wanted
        if name in state and state[name].shape != wanted[name].shape
    ]
    stem = f"{backbone.input_layer}.kernel"
    if stem in state and stem in wanted:
        channels = state[stem].shape[-2], wanted[stem].shape[-2]
        if channels[0] != channels[1]:
            raise InputError(
                f"{path} was trained with in_channels {channels[0]}, the run has {channels[1]}; "
                "set data.features to as many channels"
            )
    missing = [name for name in wanted if name not in state]
    extra = [name for name in state if name not in wanted]
    problems = [*other]
    problems += [f"{len(missing)} entries are not there, such as {missing[0]}"] if missing else []
    problems += [f"{len(extra)} more are there, such as {extra[0]}"] if extra else []
    if problems:
        shown = "; ".join(problems[:3]) + ("; ..." if len(problems) > 3 else "")
        raise InputError(
            f"{path} is of another network than the run's backbone ({shown}); set "
            "model.backbone (variant, width, stem_kernel_size) as it was in pretraining"
        )


def _check_input(
    path: Path, weights: Weights, network_input: NetworkInput, accepted: Collection[str]
) -> tuple[str, ...]:
    """Compare voxel size and features; returns the differences that are accepted, in words."""
    if weights.metadata is None:
        return ()
    theirs = weights.metadata.network_input
    found = []
    for name in DIFFERENCES:
        there, here = getattr(theirs, name), getattr(network_input, name)
        if there == here:
            continue
        words = f"{name} {_words(there)} in pretraining, {_words(here)} here"
        if name not in accepted:
            raise InputError(
                f"{path}: {words}; set data.{name} as it was, or add {name} to "
                "model.accept_differences"
            )
        found.append(words)
    return tuple(found)


def _words(value: Any) -> str:
    return ", ".join(value) if isinstance(value, tuple) else f"{value}"
