"""The command line of ``tools/convert_weights.py``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from pointcontrast.command_help import CommandParser, add_import_argument
from pointcontrast.data.augment import Rotation
from pointcontrast.data.network_input import NUM_CHANNELS
from pointcontrast.errors import InputError, run_command
from pointcontrast.files import sha256
from pointcontrast.weights.formats import SUFFIXES, KernelOrder


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``tools/convert_weights.py``.

    Args:
        argv: Arguments; None takes those of the process.

    Returns:
        Exit status, see :func:`pointcontrast.errors.run_command`.
    """
    return run_command(lambda: _convert(_parser().parse_args(argv)))


def _convert(arguments: argparse.Namespace) -> None:
    from pointcontrast.weights.convert import GivenFacts, read_network
    from pointcontrast.weights.model_card import card_path

    output, target = arguments.output, arguments.to
    if output.suffix != SUFFIXES[target]:
        raise InputError(f"--output {output} must end in {SUFFIXES[target]} with --to {target}")
    if output.exists() and not arguments.force:
        raise InputError(f"{output} exists; give another --output, or --force")
    given = GivenFacts(
        voxel_size=arguments.voxel_size,
        features=arguments.features,
        rotation=arguments.rotation,
        batch_norm_eps=arguments.batch_norm_eps,
        normalize_output=arguments.normalize_output,
    )
    network = read_network(
        arguments.input, arguments.kernel_order, given, network=arguments.network
    )
    rows = network.describe(arguments.input, target)
    network.write(output, target)
    rows += [("written", str(output)), ("SHA-256", sha256(output))]
    if target == "backbone":
        rows.append(("model card", str(card_path(output))))
    width = max(len(title) for title, _ in rows)
    print("\n".join(f"{title:<{width}}  {value}" for title, value in rows))


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog="convert_weights.py",
        description="Convert weights between this project, MinkowskiEngine and spconv "
        "(docs/weights.md).",
    )
    parser.add_argument(
        "input",
        type=Path,
        metavar="IN",
        help=".pth or .ckpt file, backbone file, or a run's folder",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="OUT")
    parser.add_argument(
        "--to",
        choices=tuple(SUFFIXES),
        default="backbone",
        help="backbone: a backbone file; minkowski: a state dict for MinkowskiEngine 0.5; spconv: "
        "a state dict in the layout of Pointcept's SpUNet (default: %(default)s)",
    )
    parser.add_argument(
        "--kernel-order",
        choices=get_args(KernelOrder),
        default="auto",
        help="order of the taps in IN, if it cannot be detected: hybrid (MinkowskiEngine 0.4) or "
        "hypercube (0.5)",
    )
    parser.add_argument(
        "--network",
        metavar="NAME",
        help="which network of IN, if it holds several, such as model, model_ema, student, teacher",
    )
    add_import_argument(parser)
    parser.add_argument("--force", action="store_true", help="replace OUT if it exists")
    facts = parser.add_argument_group("network input, if IN does not record it")
    facts.add_argument("--voxel-size", type=float, metavar="METRES")
    facts.add_argument("--features", nargs="+", choices=tuple(NUM_CHANNELS))
    facts.add_argument("--rotation", choices=get_args(Rotation), help="rotation in training")
    facts.add_argument(
        "--batch-norm-eps", type=float, metavar="E", help="default: 1e-3 for SpUNet, else 1e-5"
    )
    facts.add_argument(
        "--normalize-output",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="scale features to unit length, as the released pretrainings do",
    )
    return parser
