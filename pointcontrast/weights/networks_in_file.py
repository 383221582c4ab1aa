"""The SR-UNets in a ``.pth`` or ``.ckpt`` file, by name, and the choice of one.

Many programs keep a second network beside the trained one: its moving average (``state_dict_ema``
and ``model_ema`` in huggingface/pytorch-image-models ``timm/models/_helpers.py`` and in what grew
from it, ``ema``), or a teacher beside a student. They have the same layers and other weights, so
nothing but the user can tell which is meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pointcontrast.errors import InputError
from pointcontrast.weights.architecture import STEM
from pointcontrast.weights.spconv_layout import STEM as SPCONV_STEM

_TRUNK = re.compile(r"(.*\btrunk\.)(\d+)\.")
_DEPTH = 4
"""Dictionaries within dictionaries that are looked into."""


@dataclass(frozen=True)
class FoundNetwork:
    """The weights of one SR-UNet in a file.

    Attributes:
        place: Keys of the dictionaries around the weights, joined by dots; empty at the top.
        prefix: Prefix of the weights' names in their dictionary.
        weights: Weights by name, without the prefix.
    """

    place: str
    prefix: str
    weights: dict[str, torch.Tensor]

    @property
    def names(self) -> tuple[str, ...]:
        """Names that choose this network: place, prefix, or both."""
        prefix = self.prefix.rstrip(".")
        both = ".".join(part for part in (self.place, prefix) if part)
        return tuple(name for name in (self.place, prefix, both) if name)


def the_network(path: Path, value: Any, name: str | None = None) -> FoundNetwork:
    """Find the network in a file, or the one of that name.

    DepthContrast's files hold two: the trained network and its moving average (DepthContrast
    ``models/base_ssl3d_model.py _get_trunk``). Without a name, the trained one is taken.

    Args:
        path: The file, for messages.
        value: Its content.
        name: Key of the dictionary that holds the weights, or prefix of their names; None where
            the file has one network.

    Raises:
        InputError: There is no network, several and no name, or none of that name.
    """
    found = list(_networks(value, (), set()))
    if not found:
        raise InputError(
            f"{path} holds no sparse residual U-Net: nothing in it is called ...{STEM} or "
            f"...{SPCONV_STEM}; it has {_describe(value)}"
        )
    if name is not None:
        chosen = [network for network in found if name in network.names]
        if len(chosen) != 1:
            raise InputError(
                f"{path} holds {len(chosen)} networks {name!r}; give --network one of "
                f"{', '.join(_shortest_names(found))}"
            )
        return chosen[0]
    found = _trained_trunk(_different(found))
    if len(found) > 1:
        names = _shortest_names(found)
        raise InputError(
            f"{path} holds several networks: {', '.join(names)}; choose one with "
            f"tools/convert_weights.py --network {names[0]} (a moving average, ema, has other "
            "weights than the network that was trained)"
        )
    return found[0]


def _networks(value: Any, place: tuple[str, ...], seen: set[int]) -> Iterator[FoundNetwork]:
    """Yield each SR-UNet in nested dictionaries."""
    if not isinstance(value, Mapping) or len(place) > _DEPTH or id(value) in seen:
        return
    seen.add(id(value))
    tensors = {k: v for k, v in value.items() if isinstance(k, str) and torch.is_tensor(v)}
    prefixes = [
        name[: -len(stem)]
        for name in tensors
        for stem in (STEM, SPCONV_STEM)
        if name.endswith(stem) and (name == stem or name[: -len(stem)].endswith("."))
    ]
    for prefix in prefixes:
        weights = {
            name.removeprefix(prefix): tensor
            for name, tensor in tensors.items()
            if name.startswith(prefix)
        }
        yield FoundNetwork(".".join(place), prefix, weights)
    for key, below in value.items():
        yield from _networks(below, (*place, f"{key}"), seen)


def _different(found: list[FoundNetwork]) -> list[FoundNetwork]:
    """Leave out copies of a network that came before."""
    kept: list[FoundNetwork] = []
    for network in found:
        if not any(_same(network.weights, other.weights) for other in kept):
            kept.append(network)
    return kept


def _same(one: Mapping[str, torch.Tensor], two: Mapping[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def _trained_trunk(found: list[FoundNetwork]) -> list[FoundNetwork]:
    """Of the two networks of DepthContrast, the trained one; else all."""
    trunks = [_TRUNK.fullmatch(network.prefix) for network in found]
    if len(found) != 2 or not all(trunks):
        return found
    (before, first), (after, second) = ((t[1], int(t[2])) for t in trunks if t is not None)
    trained = min(first, second)
    if before == after and trained % 2 == 0 and {first, second} == {trained, trained + 1}:
        return [network for network in found if network.prefix == f"{before}{trained}."]
    return found


def _shortest_names(found: list[FoundNetwork]) -> list[str]:
    """A name for each network that no other has; the top of the file may have none."""
    names = []
    for network in found:
        others = {name for other in found if other is not network for name in other.names}
        own = [name for name in network.names if name not in others]
        names.append(own[0] if own else "(the weights at the top of the file)")
    return names


def _describe(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"the keys {', '.join(f'{key!s:.40}' for key in list(value)[:8])}"
    return f"a {type(value).__name__}"
