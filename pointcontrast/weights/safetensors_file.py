"""Safetensors files of this project: tensors by name, and a header of strings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from pointcontrast.errors import InputError
from pointcontrast.files import atomic_file
from pointcontrast.weights.backbone_header import FORMAT, LAYOUT, NETWORK_FORMAT, check_header

BACKBONE = "backbone.safetensors"
"""Name of the backbone file in a run's folder."""


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
    check_header(path, header, (LAYOUT,))
    return weights, header
