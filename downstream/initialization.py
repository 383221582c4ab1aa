"""Strict loading of pretrained weights: the file must hold every entry of the backbone."""

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
"""Differences between pretraining and a run that the run may accept."""


@dataclass(frozen=True, kw_only=True)
class InitializationReport:
    """What was loaded and what was not.

    Attributes:
        path: File.
        source: Format and origin of the file.
        num_loaded: Number of entries of the backbone's state dict, all of which were loaded.
        dropped: Entries of the file that belong to its output layer or head.
        differences: Accepted differences, in words.
        not_recorded: Names of ``DIFFERENCES`` that the file does not record.
    """

    path: str
    source: Mapping[str, Any]
    num_loaded: int
    dropped: tuple[str, ...]
    differences: tuple[str, ...]
    not_recorded: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Convert to a dictionary of JSON values."""
        return asdict(self)

    def __str__(self) -> str:
        """Format as a few lines for the log."""
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

    The released code loads the entries of equal name and shape and ignores the rest without a word
    (PointContrast ``downstream/semseg/lib/utils.py load_state_with_same_shape``): a file that
    matches nothing "loads", and the head of another task with as many classes is loaded unnoticed.
    Here the file must hold every entry, and its output layer is not loaded, whatever its shape.

    Args:
        backbone: Backbone to load into; unchanged after an error.
        path: Backbone file, run folder, network file, or ``.pth``.
        network_input: Input of the network in this run.
        accept_differences: Names of ``DIFFERENCES`` to accept.
        kernel_order: Order of the kernels of a ``.pth`` file (``pointcontrast.weights.foreign``).

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
    """Compare class and arguments of the file's backbone with this one."""
    own = import_path(type(backbone))
    if metadata.backbone_class != own:
        raise InputError(
            f"{path} is of a {metadata.backbone_class}, the run's backbone is a {own}; set "
            "model.backbone to the class that was pretrained"
        )
    for name, value in backbone.arguments.items():
        pretrained = metadata.arguments.get(name, _default(type(backbone), name))
        if name not in backbone.free_arguments and pretrained != value:
            fix = "data.features" if name == "in_channels" else f"model.backbone.init_args.{name}"
            raise InputError(
                f"{path} was trained with {name} {pretrained}, the run has {value}; set {fix} as "
                "it was in pretraining, or take other weights"
            )


def _default(kind: type[Backbone], name: str) -> Any:
    """Value of an argument that an older file does not name: the default, as it was then."""
    parameter = inspect.signature(kind).parameters.get(name)
    return None if parameter is None else parameter.default


def _check_shapes(path: Path, backbone: Backbone, state: Mapping[str, torch.Tensor]) -> None:
    """Check names and shapes of all entries except those of the output layer."""
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
    """Compare voxel size and features; returns the accepted differences, in words."""
    if weights.metadata is None:
        return ()
    pretrained = weights.metadata.network_input
    found = []
    for name in DIFFERENCES:
        there, here = getattr(pretrained, name), getattr(network_input, name)
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
