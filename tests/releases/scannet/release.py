"""Write a small ScanNet release of synthetic rooms.

python -m tests.releases.scannet.release data/mini_scannet --num-scans 20

File names, PLY properties, JSON keys, and the keys and columns of the text files follow the ScanNet
v2 release (ScanNet/ScanNet, README.md and ScannerApp/README.md). The frame of a scan is rotated
about z and shifted against its room, so that ``axisAlignment`` matters.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from downstream.releases.scannet.release import INFO, LABEL_MAP, MESH, SCANS, SENS, TEST_SCANS
from pointcontrast.errors import InputError, run_command
from pointcontrast.files import atomic_file, atomic_folder
from pointcontrast.geometry import transform_points
from pointcontrast.synthetic.camera_walk import walk
from pointcontrast.synthetic.render import Renderer, pinhole
from pointcontrast.synthetic.rooms import Room, make_room
from pointcontrast.synthetic.solids import rotation_about
from tests.releases.command import add_damage_option, release_parser
from tests.releases.damage import check_damaged
from tests.releases.scannet.damage import DAMAGES, damage_scan
from tests.releases.scannet.dense_mesh import dense_mesh
from tests.releases.scannet.files import (
    label_map_text,
    write_annotations,
    write_info,
    write_ply,
)

_NUM_PLACES, _FIRST_TEST_PLACE = 707, 707  # scene0000..scene0706 are train and val


@dataclass(frozen=True)
class ScanSettings:
    """Sizes of a scan.

    Attributes:
        num_frames: Number of frames in the ``.sens`` file; 0 leaves the file out.
        depth_size: Width and height of the depth images, pixels.
        color_size: Width and height of the colour images, pixels.
        longest_edge: Longest edge of the mesh, metres.
    """

    num_frames: int = 12
    depth_size: tuple[int, int] = (160, 120)
    color_size: tuple[int, int] = (320, 240)
    longest_edge: float = 0.2


@dataclass(frozen=True)
class ScanTruth:
    """Ground truth of a scan.

    Attributes:
        room: The room, in the aligned frame.
        aligned_from_scan: ``axisAlignment`` (4, 4) float64, rounded to its 6 decimals.
    """

    room: Room
    aligned_from_scan: NDArray[np.float64]


def scan_truth(seed: int, number: int) -> ScanTruth:
    """Return the ground truth of scan ``number``, a pure function of ``seed`` and ``number``."""
    room_rng, world_rng = _streams(seed, number)[:2]
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_about(2, float(world_rng.uniform(-np.pi, np.pi)))
    matrix[:3, 3] = world_rng.uniform((-6, -6, -0.3), (6, 6, 0.3))
    return ScanTruth(make_room(room_rng), np.round(matrix, 6))


def write_scannet_release(
    output: Path,
    num_scans: int = 20,
    num_frames: int = 12,
    seed: int = 0,
    *,
    num_test_scans: int = 0,
    damaged: Mapping[str, str] | None = None,
    depth_size: tuple[int, int] = (160, 120),
    color_size: tuple[int, int] = (320, 240),
    longest_edge: float = 0.2,
    progress: bool = False,
) -> list[Path]:
    """Write a release.

    Args:
        output: Folder that receives ``scans/scene0000_00`` and so on,
            ``scannetv2-labels.combined.tsv`` and, with test scans, ``scans_test/``.
        num_scans: Number of scans with labels, at most 707.
        num_frames: Number of frames in each ``.sens`` file; 0 writes none.
        seed: Seed of the release. A scan is a pure function of the seed, its number and the sizes.
        num_test_scans: Number of scans without labels and ``axisAlignment``, at most 100.
        damaged: Scan id -> damage, a key of ``damage.DAMAGES``.
        depth_size: Width and height of the depth images, pixels.
        color_size: Width and height of the colour images, pixels.
        longest_edge: Longest edge of the meshes, metres.
        progress: Whether to show a progress bar.

    Returns:
        Folders of the scans, sorted by id.

    Raises:
        InputError: A number is out of range, or a damage or its scan is unknown.
    """
    damaged = damaged or {}
    if not (1 <= num_scans <= _NUM_PLACES and 0 <= num_test_scans <= 100 and num_frames >= 0):
        raise InputError(
            "num_scans must be 1..707, num_test_scans 0..100 and num_frames at least 0; got "
            f"{num_scans}, {num_test_scans}, {num_frames}"
        )
    scans = [output / SCANS / f"scene{number:04d}_00" for number in range(num_scans)]
    first = _FIRST_TEST_PLACE
    scans += [output / TEST_SCANS / f"scene{first + k:04d}_00" for k in range(num_test_scans)]
    check_damaged(damaged, {scan.name for scan in scans}, DAMAGES)
    settings = ScanSettings(num_frames, depth_size, color_size, longest_edge)
    for scan in tqdm(scans, desc="scans", unit="scan", disable=None if progress else True):
        _write_scan(scan, int(scan.name[5:9]), seed, settings)
        if scan.name in damaged:
            damage_scan(scan, damaged[scan.name])
    with atomic_file(output / LABEL_MAP) as partial:
        partial.write_text(label_map_text(), encoding="utf-8")
    return scans


def _write_scan(scan: Path, number: int, seed: int, settings: ScanSettings) -> None:
    truth = scan_truth(seed, number)
    scan_from_aligned = np.linalg.inv(truth.aligned_from_scan).astype(np.float64)
    mesh = dense_mesh(truth.room, settings.longest_edge)
    vertices = transform_points(scan_from_aligned, mesh.vertices).astype(np.float32)
    is_test = scan.parent.name == TEST_SCANS
    depth_intrinsics = pinhole(*settings.depth_size, 60.0)
    color_intrinsics = pinhole(*settings.color_size, 62.0)
    with atomic_folder(scan) as partial:
        stem = partial / scan.name
        write_ply(Path(f"{stem}{MESH}"), vertices, mesh.colors, mesh.triangles)
        if not is_test:
            write_annotations(stem, vertices, mesh)
        write_info(
            Path(f"{stem}{INFO}"),
            None if is_test else truth.aligned_from_scan,
            depth_intrinsics,
            color_intrinsics,
            settings.depth_size,
            settings.color_size,
            settings.num_frames,
        )
        if settings.num_frames:
            _write_stream(
                Path(f"{stem}{SENS}"),
                truth.room,
                scan_from_aligned,
                depth_intrinsics,
                color_intrinsics,
                settings,
                _streams(seed, number)[2:],
            )


def _write_stream(
    path: Path,
    room: Room,
    scan_from_aligned: NDArray[np.float64],
    depth_intrinsics: NDArray[np.float64],
    color_intrinsics: NDArray[np.float64],
    settings: ScanSettings,
    streams: list[np.random.Generator],
) -> None:
    """Write the ``.sens`` file of a walk through the room; the two cameras differ."""
    from pointcontrast.recordings.rgbd.sens.writer import SensFrame, write_sens

    renderer = Renderer(room)
    walk_rng, sensor_rng = streams
    frames = []
    for pose in walk(room, settings.num_frames, walk_rng):
        depth = renderer.frame(pose, depth_intrinsics, settings.depth_size, rng=sensor_rng)
        color = renderer.frame(pose, color_intrinsics, settings.color_size, rng=sensor_rng)
        assert color.frame.color is not None, "a rendered frame has colour"
        millimetres = np.round(depth.frame.depth * 1000).astype(np.uint16)
        frames.append(SensFrame(color.frame.color, millimetres, scan_from_aligned @ pose))
    write_sens(path, frames, depth_intrinsics=depth_intrinsics, color_intrinsics=color_intrinsics)


def _streams(seed: int, number: int) -> list[np.random.Generator]:
    """Generators for the room, the alignment, the camera path and the sensor noise."""
    return np.random.default_rng([seed, number]).spawn(4)


def main() -> None:
    """Write a release as the command line says."""
    parser = release_parser(__doc__)
    parser.add_argument("--num-scans", type=int, default=20, help="number of scans with labels")
    parser.add_argument(
        "--num-test-scans", type=int, default=0, help="number of test scans, without labels"
    )
    parser.add_argument(
        "--num-frames", type=int, default=12, help="frames per .sens file; 0 writes none"
    )
    add_damage_option(parser, "scan", "scene0001_00", DAMAGES)
    write_scannet_release(**vars(parser.parse_args()), progress=True)


if __name__ == "__main__":
    sys.exit(run_command(main))
