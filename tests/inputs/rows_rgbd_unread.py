"""Recordings that are known but not read: the error names what to give in their place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tests.inputs.row import PREPARE, Row


def _holding(*names: str) -> Callable[[Path], Sequence[object]]:
    def make(folder: Path) -> Sequence[object]:
        for name in names:
            path = folder / "recording" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"content")
        return [PREPARE, "recording", "--output", "prepared"]

    return make


def _row(name: str, names: Sequence[str], says: Sequence[str]) -> Row:
    return Row(
        name=name,
        kind="G",
        make=_holding(*names),
        status=2,
        says=("recording holds no frames in a known layout; it looks like", *says),
        absent=("prepared",),
    )


ROWS = [
    _row(
        "colmap-has-no-scale",
        ["sparse/0/cameras.bin", "sparse/0/images.bin", "images/IMG_0001.JPG"],
        ["a COLMAP reconstruction, whose poses have no metric scale", "fused.ply in metres"],
    ),
    _row("colmap-as-text", ["cameras.txt", "images.txt", "points3D.txt"], ["COLMAP"]),
    _row("azure-kinect-video", ["office.mkv"], ["Azure Kinect", "azure_kinect_mkv_reader"]),
    _row(
        "matterport3d-release",
        ["17DRP5sb8fy/undistorted_depth_images/a.png"],
        ["Matterport3D", "--depth-scale 4000 --axes opengl"],
    ),
    _row("waymo-records", ["training/segment-1.tfrecord"], ["TFRecord files (Waymo)"]),
    _row("record3d-own-format", ["scan.r3d"], ["LZFSE", "export it as EXR + JPG sequence"]),
    _row("record3d-unpacked", ["metadata", "rgbd/0.depth", "rgbd/0.jpg"], ["LZFSE"]),
    _row("an-archive", ["scan.zip"], ["an archive; unpack it"]),
    _row(
        "depth-without-poses",
        ["depth/0.png", "color/0.jpg"],
        ["depth images without poses", "poses.txt"],
    ),
    _row("video-without-depth", ["walk.MP4"], ["a video without depth", "transforms.json"]),
    _row("images-without-depth", ["photos/IMG_0001.JPG"], ["images without depth and poses"]),
]
