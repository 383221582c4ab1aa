"""The command line of ``tools/predict.py``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointcontrast.command_help import CommandParser
from pointcontrast.errors import run_command
from pointcontrast.scan_commands import add_scan_arguments

if TYPE_CHECKING:  # --help answers without NumPy and PyTorch
    import numpy as np
    from numpy.typing import NDArray

    from downstream.predict import Boxes, PointLabels, PredictionNetwork
    from downstream.types import LabelledCloud
    from pointcontrast.recordings.single_scan import SingleScan

SUFFIXES = {
    "points": (".ply", ".npz"),
    "clouds": (".json",),
    "boxes": (".ply", ".json"),
}
"""Files that a scan leaves, by what the network predicts."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``tools/predict.py``.

    Args:
        argv: Arguments; None takes those of the process.

    Returns:
        Exit status, see :func:`pointcontrast.errors.run_command`; 1 where one of several scans
        failed.
    """
    return run_command(lambda: _run(_parser().parse_args(argv)))


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog="predict.py",
        description="Apply a finetuned network to scans. Labels of points: NAME.ply in the colours "
        "of the classes (a mesh keeps its faces), and NAME.npz with labels and probabilities. "
        "Boxes: NAME.json, and NAME.ply with the boxes as lines. Classes of shapes: NAME.json.",
    )
    add_scan_arguments(parser)
    parser.add_argument(
        "--votes",
        type=int,
        default=1,
        metavar="N",
        help="average over N turns about the vertical (default: 1)",
    )
    parser.add_argument(
        "--min-score", type=float, default=0.5, help="smallest score of a box (default: 0.5)"
    )
    parser.add_argument("--category", help="category of the shapes, for networks that label parts")
    parser.add_argument(
        "--max-voxels",
        type=int,
        metavar="N",
        help="larger scans are seen in overlapping blocks; lower it if memory runs out "
        "(default: 2,000,000)",
    )
    return parser


def _run(arguments: argparse.Namespace) -> int:
    from downstream.predict import load
    from pointcontrast.scan_commands import apply_to_scans

    network = load(arguments.network, device=arguments.device)
    suffixes = SUFFIXES[network.predicts]
    if arguments.png and network.predicts != "clouds":
        suffixes = (*suffixes, ".png")

    def apply(scan: SingleScan, stem: Path) -> str:
        return _predict(network, scan, stem, arguments)

    any_size = network.predicts == "clouds" or network.category_names is not None
    return apply_to_scans(arguments, suffixes, apply, any_size=any_size)


def _predict(
    network: PredictionNetwork, scan: SingleScan, stem: Path, arguments: argparse.Namespace
) -> str:
    """Predict one scan, write the files, and say what was found."""
    from downstream.predict import Boxes, CloudLabel
    from pointcontrast.files import write_json
    from pointcontrast.scan_commands import check_scan

    check_scan(scan, network.network_input.features)
    up = arguments.up or scan.up or (0.0, 0.0, 1.0)
    limits = {} if arguments.max_voxels is None else {"max_voxels": arguments.max_voxels}
    found = network(
        scan.seen_points,
        scan.seen_colors,
        normals=scan.seen_normals,
        up=up,
        category=arguments.category,
        num_votes=arguments.votes,
        min_score=arguments.min_score,
        **limits,
    )
    if isinstance(found, CloudLabel):
        content = {
            "class": found.name,
            "probabilities": dict(
                zip(found.class_names, found.probabilities.tolist(), strict=True)
            ),
        }
        write_json(_path(stem, ".json"), content)
        return f"{found.name} ({found.probabilities[found.label]:.2f})"
    if isinstance(found, Boxes):
        return _write_boxes(found, scan, stem, up, arguments.png)
    return _write_labels(found, scan, stem, up, arguments.png)


def _write_labels(
    found: PointLabels, scan: SingleScan, stem: Path, up: Sequence[float], png: bool
) -> str:
    import numpy as np

    from downstream.predictions.files import write_prediction_ply
    from pointcontrast.files import atomic_file

    count = len(scan.points)  # without the points that were drawn on the faces of a mesh
    labels, probabilities = found.labels[:count], found.probabilities[:count]
    truth = scan.labels if scan.class_names == found.class_names else None
    arrays: dict[str, Any] = {"points": scan.file_points, "labels": labels}
    arrays |= {"probabilities": probabilities, "class_names": np.array(found.class_names)}
    arrays |= {} if scan.rows is None else {"rows": scan.rows}
    with atomic_file(_path(stem, ".npz")) as partial:
        np.savez(partial, **arrays)
    write_prediction_ply(
        _path(stem, ".ply"), scan.file_points, labels, found.class_names, truth, faces=scan.faces
    )
    if png:
        _draw_labels(_path(stem, ".png"), scan, found.labels, truth, found.class_names, up)
    shares = np.bincount(labels, minlength=len(found.class_names)) / count
    most = [row for row in np.argsort(-shares, kind="stable")[:4] if shares[row] > 0]
    text = ", ".join(f"{found.class_names[row]} {100 * shares[row]:.0f} %" for row in most)
    if truth is not None and (truth >= 0).any():
        right = 100 * (labels == truth)[truth >= 0].mean()
        text += f"; {right:.1f} % of the labelled points are right"
    return f"{count:,} points: {text}"


def _write_boxes(found: Boxes, scan: SingleScan, stem: Path, up: Sequence[float], png: bool) -> str:
    import numpy as np

    from downstream.predictions.box_picture import lines_of_corners, show_boxes
    from downstream.types import DetectedBoxes
    from pointcontrast.files import write_json
    from pointcontrast.pictures.colored_points import ColoredPoints, write_ply

    names = [found.class_names[row] for row in found.labels]
    boxes = [
        {
            "class": name,
            "score": round(float(score), 4),
            "center": center.round(4).tolist(),
            "size": size.round(4).tolist(),
            "yaw": round(float(yaw), 4),
            "corners": corners.round(4).tolist(),
        }
        for name, score, center, size, yaw, corners in zip(
            names, found.scores, found.centers, found.sizes, found.yaws, found.corners, strict=True
        )
    ]
    content = {"up": list(up), "unit": "metre", "yaw_unit": "radian", "boxes": boxes}
    write_json(_path(stem, ".json"), content)
    segments, colors = lines_of_corners(found.corners, found.labels, found.class_names)
    plain = np.full(scan.points.shape, 150, np.uint8) if scan.colors is None else scan.colors
    write_ply(_path(stem, ".ply"), ColoredPoints(scan.points, plain, "", segments, colors))
    if png:
        cloud, upright, origin = _upright_cloud(scan, up)
        centers = (found.centers - origin) @ upright.T
        columns = [centers, found.sizes, found.yaws[:, None]]
        drawn = DetectedBoxes(
            boxes=np.hstack(columns).astype(np.float32),
            classes=found.labels,
            scores=found.scores,
        )
        show_boxes(cloud, drawn, found.class_names, png=_path(stem, ".png"), window="never")
    counts = {name: names.count(name) for name in dict.fromkeys(names)}
    text = ", ".join(f"{count} {name}" for name, count in counts.items())
    return f"{len(boxes)} boxes" + (f": {text}" if text else "")


def _draw_labels(
    path: Path,
    scan: SingleScan,
    labels: NDArray[np.int64],
    truth: NDArray[np.int32] | None,
    class_names: tuple[str, ...],
    up: Sequence[float],
) -> None:
    from dataclasses import replace

    from downstream.predictions.picture import draw_prediction
    from downstream.predictor import CloudPrediction

    cloud, _, _ = _upright_cloud(scan, up)
    prediction = CloudPrediction(voxel_classes=labels, voxel_labels=labels, point_classes=labels)
    draw_prediction(path, replace(cloud, labels=truth), prediction, class_names)


def _upright_cloud(
    scan: SingleScan, up: Sequence[float]
) -> tuple[LabelledCloud, NDArray[np.float64], NDArray[np.float64]]:
    """All that the network sees of a scan, about its mean and with z up; the rotation and mean."""
    import numpy as np

    from downstream.types import LabelledCloud
    from pointcontrast.geometry import rotation_between, unit_vector

    upright = rotation_between(unit_vector(up, "--up"), np.array([0.0, 0.0, 1.0]))
    seen, seen_colors = scan.seen_points, scan.seen_colors
    origin = seen.mean(axis=0)
    points = ((seen - origin) @ upright.T).astype(np.float32)
    colors = None if seen_colors is None else seen_colors.astype(np.float32)
    return LabelledCloud(name=scan.name, points=points, colors=colors), upright, origin


def _path(stem: Path, suffix: str) -> Path:
    return stem.with_name(stem.name + suffix)
