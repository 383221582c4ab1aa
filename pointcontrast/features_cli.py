"""The command line of ``tools/features.py``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointcontrast.command_help import CommandParser
from pointcontrast.errors import InputError, run_command

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pointcontrast.recordings.single_scan import SingleScan


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``tools/features.py``.

    Args:
        argv: Arguments; None takes those of the process.

    Returns:
        Exit status, see :func:`pointcontrast.errors.run_command`; 1 where one of several scans
        failed.
    """
    parser = CommandParser(
        prog="features.py",
        description="Write the features that a pretrained network computes for scans: NAME.npz "
        "with a row per point, and NAME.ply in the colours of their principal components, the "
        "same components for all scans of a call.",
    )
    _add_arguments(parser)
    return run_command(lambda: _run(parser.parse_args(argv)))


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    from pointcontrast.scan_commands import add_scan_arguments

    add_scan_arguments(parser)
    parser.add_argument(
        "--voxels",
        action="store_true",
        help="write a row per voxel and the voxel of each point: much smaller files",
    )
    parser.add_argument(
        "--batch-norm",
        choices=("file", "input"),
        default="file",
        help="statistics of training, or measured on each scan (default: %(default)s)",
    )
    recorded = parser.add_argument_group("for a .pth that does not record its input")
    recorded.add_argument("--voxel-size", type=float, metavar="METRES")
    recorded.add_argument(
        "--features", nargs="+", metavar="NAME", help="ones, color, normal, height"
    )


def _run(arguments: argparse.Namespace) -> int:
    from pointcontrast.feature_network import load
    from pointcontrast.scan_commands import apply_to_scans

    network = load(
        arguments.network,
        device=arguments.device,
        voxel_size=arguments.voxel_size,
        features=arguments.features,
        finetuned=True,
    )
    writer = _FeatureWriter(network, arguments)
    suffixes = (".npz", ".ply", *([".png"] if arguments.png else []))
    return apply_to_scans(arguments, suffixes, writer.write)


class _FeatureWriter:
    """Writes the features of one scan after another, coloured by the components of the first."""

    def __init__(self, network: Any, arguments: argparse.Namespace) -> None:
        self.network = network
        self.up = arguments.up
        self.png = arguments.png
        self.per_voxel = arguments.voxels
        self.batch_norm = arguments.batch_norm
        self.reference: NDArray[np.float32] | None = None

    def write(self, scan: SingleScan, stem: Path) -> str:
        from pointcontrast.pictures.feature_colors import pca_colors
        from pointcontrast.pictures.point_ply import write_point_ply
        from pointcontrast.scan_commands import check_scan

        check_scan(scan, self.network.network_input.features)
        up = self.up or scan.up or (0.0, 0.0, 1.0)
        voxels = self.network.voxels(
            scan.seen_points,
            scan.seen_colors,
            normals=scan.seen_normals,
            up=up,
            batch_norm=self.batch_norm,
        )
        inverse = voxels.inverse[: len(scan.points)]
        if self.reference is None:
            self.reference = voxels.features
        colors = pca_colors(voxels.features, self.reference)[voxels.inverse]
        self._write_arrays(stem.with_name(f"{stem.name}.npz"), scan, voxels, inverse)
        write_point_ply(
            stem.with_name(f"{stem.name}.ply"),
            scan.file_points,
            colors[: len(scan.points)],
            faces=scan.faces,
        )
        if self.png:
            _draw(stem.with_name(f"{stem.name}.png"), scan, colors, up)
        return (
            f"{len(scan.points):,} points in {len(voxels.features):,} voxels, "
            f"{self.network.num_features} features each"
        )

    def _write_arrays(
        self, path: Path, scan: SingleScan, voxels: Any, inverse: NDArray[np.int64]
    ) -> None:
        import numpy as np

        from pointcontrast.files import atomic_file

        arrays: dict[str, Any] = {"points": scan.file_points}
        if self.per_voxel:
            arrays["features"] = voxels.features
            arrays["voxel_points"] = voxels.points if scan.unit == 1 else voxels.points / scan.unit
            arrays["inverse"] = inverse
        else:
            arrays["features"] = voxels.features[inverse]
        if scan.rows is not None:
            arrays["rows"] = scan.rows
        with atomic_file(path) as partial:
            np.savez(partial, **arrays)


def _draw(path: Path, scan: SingleScan, colors: NDArray[np.uint8], up: Sequence[float]) -> None:
    """Draw what the network sees of a scan: its colours, if any, and those of its features."""
    import numpy as np

    from pointcontrast.pictures.cameras import look_at
    from pointcontrast.pictures.colored_points import ColoredPoints
    from pointcontrast.pictures.drawing import draw
    from pointcontrast.pictures.scene_clouds import below_ceiling

    if not len(scan.points):
        raise InputError(f"{scan.name} holds no point to draw")
    direction = np.asarray(up, dtype=np.float64)
    direction = direction / np.linalg.norm(direction)
    seen, seen_colors = scan.seen_points, scan.seen_colors
    points = (seen - seen.mean(axis=0)).astype(np.float32)
    shown = below_ceiling(points, direction, 0.2)
    panels = []
    if seen_colors is not None:
        panels.append(ColoredPoints(points[shown], seen_colors[shown], f"{scan.name}: colours"))
    panels.append(ColoredPoints(points[shown], colors[shown], f"{scan.name}: features"))
    camera = look_at(points[shown], direction, elevation=60.0)
    draw(panels, cameras=[camera] * len(panels), png=path, window="never", size=(800, 600))
