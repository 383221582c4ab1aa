"""The command line of ``tools/convert_weights.py``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from pointcontrast.data.augment import Rotation
from pointcontrast.data.network_input import NUM_CHANNELS
from pointcontrast.errors import InputError, run_command
from pointcontrast.files import sha256
from pointcontrast.weights.convert import SUFFIXES, InputSaid, read_network
from pointcontrast.weights.kernel_order import KernelOrder
from pointcontrast.weights.model_card import card_path


def main(argv: Sequence[str] | None = None) -> int:
    """The command line of ``tools/convert_weights.py``.

    Args:
        argv: the arguments, None for those of the process.

    Returns:
        The exit status, see :func:`pointcontrast.errors.run_command`.
    """
    arguments = _parser().parse_args(argv)
    return run_command(lambda: _convert(arguments))


def _convert(arguments: argparse.Namespace) -> None:
    output, target = arguments.output, arguments.to
    if output.suffix != SUFFIXES[target]:
        raise InputError(f"--output {output} must end in {SUFFIXES[target]} with --to {target}")
    if output.exists() and not arguments.force:
        raise InputError(f"{output} is there already; give another --output, or --force")
    said = InputSaid(
        voxel_size=arguments.voxel_size,
        features=arguments.features,
        rotation=arguments.rotation,
        batch_norm_eps=arguments.batch_norm_eps,
        normalize_output=arguments.normalize_output,
    )
    network = read_network(arguments.input, arguments.kernel_order, said)
    rows = network.describe(arguments.input, target)
    network.write(output, target)
    rows += [("written", str(output)), ("SHA-256", sha256(output))]
    if target == "backbone":
        rows.append(("model card", str(card_path(output))))
    width = max(len(title) for title, _ in rows)
    print("\n".join(f"{title:<{width}}  {value}" for title, value in rows))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="convert_weights.py",
        description="Convert weights between this project, MinkowskiEngine and spconv "
        "(docs/weights.md).",
    )
    parser.add_argument(
        "input", type=Path, metavar="IN", help="a .pth, a backbone file, or a run's folder"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="OUT")
    parser.add_argument(
        "--to",
        choices=tuple(SUFFIXES),
        default="backbone",
        help="backbone: a file of this project; minkowski: a state dict for MinkowskiEngine 0.5; "
        "spconv: one in the layout of Pointcept's SpUNet (default: %(default)s)",
    )
    parser.add_argument(
        "--kernel-order",
        choices=get_args(KernelOrder),
        default="auto",
        help="of IN, where it cannot be told: hybrid (MinkowskiEngine 0.4), hypercube (0.5)",
    )
    parser.add_argument("--force", action="store_true", help="replace OUT where it is there")
    said = parser.add_argument_group("to be recorded, where IN does not say it")
    said.add_argument("--voxel-size", type=float, metavar="METRES")
    said.add_argument("--features", nargs="+", choices=tuple(NUM_CHANNELS))
    said.add_argument("--rotation", choices=get_args(Rotation), help="in training")
    said.add_argument("--batch-norm-eps", type=float, metavar="E", help="1e-3 in SpUNet, else 1e-5")
    said.add_argument(
        "--normalize-output",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="unit length, as the released pretrainings have it",
    )
    return parser
