"""Write a small SUN RGB-D release of synthetic rooms.

python -m tests.releases.sunrgbd.release data/mini_sunrgbd --num-train 8 --num-validation 4

Folders, files, fields and bit layout follow the release. Cabinets are labelled as dressers. There
are no toilets, night stands or bathtubs. The v1 box of every third object is 10 % larger than its
v2 box, as the older annotations are less tight.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from downstream.releases.sunrgbd.depth import store_depth
from downstream.releases.sunrgbd.layout import BOXES_V1, BOXES_V2, RECTANGLES_V2, SPLIT
from pointcontrast.errors import InputError, run_command
from pointcontrast.files import atomic_folder
from pointcontrast.synthetic.camera_walk import walk
from pointcontrast.synthetic.pieces import CLASS_NAMES as ROOM_CLASS_NAMES
from pointcontrast.synthetic.render import LabelledFrame, Renderer, pinhole
from pointcontrast.synthetic.rooms import Room, make_room
from tests.releases.command import release_parser
from tests.releases.sunrgbd.mat_writer import MatVersion, write_mat

_CLASS_OF = {
    "bed": "bed",
    "table": "table",
    "sofa": "sofa",
    "chair": "chair",
    "desk": "desk",
    "cabinet": "dresser",
    "bookcase": "bookshelf",
    "monitor": "monitor",
    "lamp": "lamp",
}
"""Class of the synthetic rooms -> class of SUN RGB-D. The last two are not among the ten."""

_MIN_PIXELS = 60  # smaller objects are not annotated
_MACHINE = "/n/fs/sun3d/data/"  # prefix of all paths in the release


@dataclass(frozen=True)
class WrittenImage:
    """Ground truth of one image.

    Attributes:
        sequence: Folder below ``SUNRGBD``.
        boxes: Boxes (K, 8) float64 with columns ``BOX_COLUMNS``; the class is a row of ``names``.
        names: Classes of the K objects.
        depth: Rendered depth (H, W), metres.
        tilt: ``Rtilt`` (3, 3).
        intrinsics: Camera matrix (3, 3), with pixels counted from 1.
    """

    sequence: str
    boxes: NDArray[np.float64]
    names: tuple[str, ...]
    depth: NDArray[np.float32]
    tilt: NDArray[np.float64]
    intrinsics: NDArray[np.float64]


def write_sunrgbd_release(
    output: Path,
    num_train: int = 8,
    num_validation: int = 4,
    seed: int = 0,
    *,
    size: tuple[int, int] = (320, 240),
    mat_version: MatVersion = "5",
    progress: bool = False,
) -> list[WrittenImage]:
    """Write a release.

    Args:
        output: Folder that receives ``SUNRGBD/``, the metadata and ``SUNRGBDtoolbox/``.
        num_train: Number of training images. They follow the validation images, as in the release.
        num_validation: Number of validation images.
        seed: Seed of the release.
        size: Width and height, pixels.
        mat_version: Version of the ``.mat`` files.
        progress: Whether to show a progress bar.

    Returns:
        Ground truth of each image, in the order of the metadata.

    Raises:
        InputError: A split has no image.
    """
    if num_train < 1 or num_validation < 1:
        raise InputError(
            f"--num-train {num_train} and --num-validation {num_validation} must be > 0"
        )
    images: list[WrittenImage] = []
    numbers = range(num_validation + num_train)
    for number in tqdm(numbers, "images", unit="image", disable=not progress):
        images.append(_write_image(output, number, seed, size))
    v2 = [_record(image, "SUNRGBD/", scale=1.0) for image in images]
    v1 = [_record(image, "", scale=1.1) for image in images]
    rectangles = [{"groundtruth2DBB": record.pop("groundtruth2DBB")} for record in v2]
    write_mat(output / BOXES_V2, {"SUNRGBDMeta": v2}, mat_version)
    write_mat(output / RECTANGLES_V2, {"SUNRGBDMeta2DBB": rectangles}, mat_version)
    write_mat(output / BOXES_V1, {"SUNRGBDMeta": v1}, mat_version)
    folders = [f"{_MACHINE}SUNRGBD/{image.sequence}" for image in images]
    splits = {"alltrain": folders[num_validation:], "alltest": folders[:num_validation]}
    write_mat(output / SPLIT, splits, mat_version)
    return images


def _write_image(output: Path, number: int, seed: int, size: tuple[int, int]) -> WrittenImage:
    """Write the folder of one image: of 12 views of a new room, the one with most objects."""
    room_rng, walk_rng, sensor_rng = np.random.default_rng([seed, number]).spawn(3)
    room = make_room(room_rng)
    renderer = Renderer(room)
    # The renderer's pixels count from 0, the release's from 1
    intrinsics = pinhole(*size, 65.0)
    views = [
        renderer.frame(pose, intrinsics, size, rng=sensor_rng) for pose in walk(room, 12, walk_rng)
    ]
    frame = max(views, key=lambda view: len(_seen_objects(view, room)))
    sequence = f"kv2/kinect2data/{number + 1:06d}_generated"
    boxes, names = _upright_boxes(frame, room)
    tilt, _ = _upright_frame(frame.frame.world_from_camera)
    assert frame.frame.color is not None
    with atomic_folder(output / "SUNRGBD" / sequence) as folder:
        for name in ("depth", "image"):
            (folder / name).mkdir()
        Image.fromarray(store_depth(frame.frame.depth)).save(folder / "depth" / f"{number:06d}.png")
        picture = Image.fromarray(frame.frame.color)
        picture.save(folder / "image" / f"{number:06d}.jpg", quality=95)
    shifted = intrinsics.copy()
    shifted[:2, 2] += 1
    return WrittenImage(sequence, boxes, names, frame.frame.depth, tilt, shifted)


def _upright_frame(
    world_from_camera: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return ``Rtilt`` (3, 3), and the rotation (3, 3) from the world to the upright frame.

    The y axis of the upright frame is the viewing direction.
    """
    # right, forward, up of the camera in its own axes: x right, y down, z forward
    axes = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]).T
    world_from_axes = world_from_camera[:3, :3] @ axes
    forward = world_from_axes[:2, 1] / np.linalg.norm(world_from_axes[:2, 1])
    upright_from_world = np.array(
        [[forward[1], -forward[0], 0], [forward[0], forward[1], 0], [0, 0, 1.0]]
    )
    return upright_from_world @ world_from_axes, upright_from_world


def _seen_objects(frame: LabelledFrame, room: Room) -> list[int]:
    """Return rows of the room's boxes of annotated classes that enough pixels show."""
    pixels = np.bincount(frame.instance[frame.instance >= 0], minlength=room.instance.max() + 1)
    return [
        row
        for row, instance in enumerate(room.box_instances)
        if pixels[instance] >= _MIN_PIXELS
        and ROOM_CLASS_NAMES[int(room.boxes[row, 7])] in _CLASS_OF
    ]


def _upright_boxes(frame: LabelledFrame, room: Room) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Return the boxes of visible objects, in the upright frame, and their classes."""
    _, turn = _upright_frame(frame.frame.world_from_camera)
    rows = _seen_objects(frame, room)
    boxes = room.boxes[rows].astype(np.float64)
    boxes[:, :3] = (boxes[:, :3] - frame.frame.world_from_camera[:3, 3]) @ turn.T
    boxes[:, 6] += np.arctan2(turn[1, 0], turn[0, 0])
    names = tuple(_CLASS_OF[ROOM_CLASS_NAMES[int(number)]] for number in boxes[:, 7])
    return boxes, names


def _record(image: WrittenImage, prefix: str, scale: float) -> dict[str, Any]:
    """Return the metadata of one image."""
    folder = f"{_MACHINE}{prefix}{image.sequence}"
    stem = f"{int(image.sequence.split('/')[-1][:6]) - 1:06d}"
    objects, rectangles = [], []
    for number, (box, name) in enumerate(zip(image.boxes, image.names, strict=True)):
        heading = np.array([np.cos(box[6]), np.sin(box[6]), 0.0])
        across = np.array([-heading[1], heading[0], 0.0])
        grown = scale if number % 3 == 0 else 1.0
        objects.append({
            "basis": np.stack([across, heading, [0, 0, 1.0]]),
            "coeffs": grown * np.array([[box[4], box[3], box[5]]]) / 2,
            "centroid": box[None, :3],
            "classname": name,
            "orientation": heading[None],
            "label": float(number + 1),
        })  # fmt: skip
        rectangles.append({
            "classname": name,
            "gtBb2D": np.array([[10.0 + number, 20.0, 30.0, 40.0]]),
        })  # fmt: skip
    return {
        "sequenceName": f"SUNRGBD/{image.sequence}",
        "groundtruth3DBB": objects,
        "groundtruth2DBB": rectangles,
        "rgbpath": f"{folder}/image/{stem}.jpg",
        "depthpath": f"{folder}/depth/{stem}.png",
        "rgbname": f"{stem}.jpg",
        "depthname": f"{stem}.png",
        "Rtilt": image.tilt,
        "K": image.intrinsics,
    }


def main() -> None:
    """Write a release as the command line says."""
    parser = release_parser(__doc__)
    parser.add_argument("--num-train", type=int, default=8, help="number of training images")
    parser.add_argument("--num-validation", type=int, default=4, help="number of validation images")
    parser.add_argument(
        "--mat-version", choices=("5", "7.3"), default="5", help="version of the .mat files"
    )
    write_sunrgbd_release(**vars(parser.parse_args()), progress=True)


if __name__ == "__main__":
    sys.exit(run_command(main))
