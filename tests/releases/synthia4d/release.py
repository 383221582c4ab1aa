"""Write a small Synthia4D release of generated streets.

python -m tests.releases.synthia4d.release data/mini_synthia4d --num-frames 6
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from plyfile import PlyData, PlyElement
from tqdm import tqdm

from downstream.releases.synthia4d.classes import LABELS
from downstream.releases.synthia4d.layout import frame_files
from pointcontrast.errors import InputError, run_command
from pointcontrast.files import atomic_file
from tests.releases.command import release_parser

SEQUENCES = (
    "SYNTHIA-SEQS-01-DAWN",
    "SYNTHIA-SEQS-02-SUMMER",
    "SYNTHIA-SEQS-05-FOG",
    "SYNTHIA-SEQS-06-SPRING",
)
"""Sequences, at least one of each split."""

_LABEL_OF = {name: label for label, name in LABELS.items()} | {"void": 0}
_LENGTH = 60.0  # length of the street, metres


@dataclass(frozen=True)
class Box:
    """Box, or the ellipsoid inscribed in it.

    Attributes:
        name: Name of its class.
        low: Lower corner (x, y, z), metres; y is up.
        high: Upper corner.
        color: RGB colour.
        speed: Speed along x, metres per frame.
        is_round: Whether it is an ellipsoid.
    """

    name: str
    low: tuple[float, float, float]
    high: tuple[float, float, float]
    color: tuple[int, int, int]
    speed: float = 0.0
    is_round: bool = False


def make_street(rng: np.random.Generator) -> list[Box]:
    """Create a street along x with houses, static objects and traffic."""
    gray = int(rng.integers(60, 110))
    boxes = [
        Box("road", (0, -0.1, -4), (_LENGTH, 0, 4), (gray, gray, gray + 5)),
        Box("void", (0, 9, -0.05), (_LENGTH, 9.05, 0.05), (20, 20, 20)),  # a wire
    ]
    for side in (-1, 1):
        near, far = sorted((4.0 * side, 7.0 * side))
        boxes.append(Box("sidewalk", (0, -0.1, near), (_LENGTH, 0.15, far), (170, 165, 160)))
        x = 0.0
        while x < _LENGTH:
            width, height = rng.uniform(6, 14), rng.uniform(5, 12)
            low, high = sorted((8.0 * side, 12.0 * side))
            shade = _color(rng, 90, 220)
            boxes.append(Box("building", (x, 0, low), (x + width, height, high), shade))
            x += width + rng.uniform(0, 4)
        for x in rng.uniform(2, _LENGTH - 2, 6):
            z = 6.5 * side
            boxes.append(_standing("pole", x, z, 0.12, 5.0, (90, 90, 95)))
            kind = rng.choice(["traffic light", "traffic sign"])
            color = (220, 30, 30) if kind == "traffic sign" else (40, 40, 30)
            boxes.append(Box(str(kind), (x - 0.3, 2.6, z - 0.15), (x + 0.3, 3.4, z + 0.15), color))
        for x in rng.uniform(2, _LENGTH - 2, 5):
            crown = rng.uniform(1.0, 2.0)
            boxes.append(
                Box(
                    "vegetation", (x - crown, 2, 7.2 * side - crown),
                    (x + crown, 2 + 2 * crown, 7.2 * side + crown), (40, 120, 40), is_round=True,
                )
            )  # fmt: skip
        start = rng.uniform(5, _LENGTH - 15)
        z = 7.0 * side
        boxes.append(Box("fence", (start, 0, z - 0.05), (start + 10, 1.2, z + 0.05), (130, 90, 60)))
    for x in np.arange(1.0, _LENGTH, 4.0):
        boxes.append(Box("lane marking", (x, 0, -0.1), (x + 2, 0.02, 0.1), (235, 235, 230)))
    for x in rng.uniform(3, _LENGTH - 8, 5):
        z, speed = (2.0, 0.8) if rng.random() < 0.5 else (-2.0, -0.8)
        color = _color(rng, 20, 240)
        boxes.append(Box("car", (x, 0.2, z - 0.9), (x + 4.2, 1.6, z + 0.9), color, speed))
    for x in rng.uniform(3, _LENGTH - 3, 6):
        z = float(rng.choice([-5.5, 5.5]))
        color = _color(rng, 30, 220)
        speed = float(rng.choice([-0.1, 0.1]))
        boxes.append(
            Box("pedestrian", (x, 0.1, z - 0.25), (x + 0.4, 1.8, z + 0.25), color, speed, True)
        )
    for x in rng.uniform(3, _LENGTH - 3, 3):
        boxes.append(Box("bicycle", (x, 0, 3.2), (x + 1.7, 1.1, 3.5), (30, 60, 160), 0.3))
    return boxes


def _color(rng: np.random.Generator, low: int, high: int) -> tuple[int, int, int]:
    red, green, blue = rng.integers(low, high, 3).tolist()
    return red, green, blue


def _standing(
    name: str, x: float, z: float, width: float, height: float, color: tuple[int, int, int]
) -> Box:
    half = width / 2
    return Box(name, (x - half, 0, z - half), (x + half, height, z + half), color)


def write_synthia4d_release(
    output: Path,
    num_frames: int = 6,
    seed: int = 0,
    *,
    sequences: tuple[str, ...] = SEQUENCES,
    points_per_frame: int = 20_000,
    progress: bool = False,
) -> list[Path]:
    """Write a release.

    Args:
        output: Folder that receives ``SYNTHIA-SEQS-01-DAWN/point_clouds/000000.ply``,
            ``000000_label.ply`` and so on.
        num_frames: Number of frames per sequence; cars, pedestrians and bicycles move.
        seed: Seed of the release. A frame is a pure function of the seed, its sequence and its
            number.
        sequences: Names of the sequences.
        points_per_frame: Approximate number of points per frame.
        progress: Whether to show a progress bar.

    Returns:
        Files of points.

    Raises:
        InputError: A number is out of range.
    """
    if num_frames < 1 or points_per_frame < 1000:
        raise InputError(
            f"num_frames {num_frames} must be 1 or more, points_per_frame {points_per_frame} 1000"
        )
    tasks = [(s, frame) for s in range(len(sequences)) for frame in range(num_frames)]
    files = []
    for number, frame in tqdm(tasks, "frames", unit="frame", disable=None if progress else True):
        street = make_street(np.random.default_rng([seed, number]))
        rng = np.random.default_rng([seed, number, frame])
        coord, color, label = _sample(street, frame, points_per_frame, rng)
        points, labels = frame_files(output, sequences[number], f"{frame:06d}")
        points.parent.mkdir(parents=True, exist_ok=True)
        _write_ply(points, coord, {"red": color[:, 0], "green": color[:, 1], "blue": color[:, 2]})
        _write_ply(labels, coord, {"label": label})
        files.append(points)
    return files


def _sample(
    street: list[Box], frame: int, num_points: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.uint8]]:
    """Sample surface points, centimetres; small objects are sampled more densely."""
    areas = []
    for box in street:
        dx, dy, dz = np.subtract(box.high, box.low)
        areas.append(max(2 * (dx * dy + dy * dz + dx * dz), 12.0))
    counts = np.ceil(num_points * np.array(areas) / sum(areas)).astype(int)
    coord, color, label = [], [], []
    for box, count in zip(street, counts, strict=True):
        low, high = np.array(box.low), np.array(box.high)
        points = _on_ball(rng, count) if box.is_round else _on_cube(rng, low, high, count)
        points = low + (high - low) * points
        points[:, 0] += box.speed * frame
        coord.append(100 * points)
        noise = rng.integers(-12, 13, (count, 3))
        color.append(np.clip(np.array(box.color) + noise, 0, 255))
        label.append(np.full(count, _LABEL_OF[box.name]))
    return (
        np.concatenate(coord).astype(np.float32),
        np.concatenate(color).astype(np.uint8),
        np.concatenate(label).astype(np.uint8),
    )


def _on_ball(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Sample points (count, 3) on the sphere inscribed in the unit cube."""
    direction = rng.standard_normal((count, 3))
    return 0.5 + 0.5 * direction / np.linalg.norm(direction, axis=1, keepdims=True)


def _on_cube(
    rng: np.random.Generator, low: NDArray[np.float64], high: NDArray[np.float64], count: int
) -> NDArray[np.float64]:
    """Sample points (count, 3) on the faces of the unit cube by their areas after scaling."""
    size = high - low
    areas = np.repeat([size[1] * size[2], size[0] * size[2], size[0] * size[1]], 2)
    faces = rng.choice(6, count, p=areas / areas.sum())
    points = rng.random((count, 3))
    points[np.arange(count), faces // 2] = faces % 2
    return points


def _write_ply(path: Path, coord: NDArray[np.float32], more: dict[str, NDArray[np.uint8]]) -> None:
    fields = [(axis, "<f4") for axis in "xyz"] + [(name, "u1") for name in more]
    vertices = np.empty(len(coord), dtype=fields)
    for axis, name in enumerate("xyz"):
        vertices[name] = coord[:, axis]
    for name, values in more.items():
        vertices[name] = values
    with atomic_file(path) as partial:
        PlyData([PlyElement.describe(vertices, "vertex")]).write(str(partial))


def main() -> None:
    """Write a release as the command line says."""
    parser = release_parser(__doc__)
    parser.add_argument("--num-frames", type=int, default=6, help="number of frames per sequence")
    parser.add_argument(
        "--points-per-frame", type=int, default=20_000, help="approximate number of points"
    )
    write_synthia4d_release(**vars(parser.parse_args()), progress=True)


if __name__ == "__main__":
    sys.exit(run_command(main))
