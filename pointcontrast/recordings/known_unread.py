"""Recordings that are known but not read, and what to give in their place.

A folder in no known layout is searched for the signs of these, so that the error names the next
step instead of a list of layouts.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_MOST_PATHS = 2000
_MAX_DEPTH = 3
_METRIC = "give depth images with poses in metres, as transforms.json for example"


class _Sign(NamedTuple):
    """A file or folder by which a recording is known.

    Attributes:
        pattern: Pattern of ``Path.match``, in lower case.
        advice: Name of the recording and what to do.
    """

    pattern: str
    advice: str


_SIGNS = (
    *(
        _Sign(
            f"{name}.{suffix}",
            "a COLMAP reconstruction, whose poses have no metric scale, which the overlap of views "
            f"needs; {_METRIC}, or its fused.ply in metres (--unit)",
        )
        for name in ("cameras", "images", "points3d")
        for suffix in ("bin", "txt")
    ),
    _Sign(
        "*.mkv",
        "a recording of Azure Kinect, or another video; extract its frames with Open3D's "
        "azure_kinect_mkv_reader and give their poses (color/, depth/, trajectory.log)",
    ),
    _Sign(
        "undistorted_depth_images",
        "Matterport3D; give each scan as depth/, images/, poses.txt and K.txt, with --depth-scale "
        "4000 --axes opengl",
    ),
    *(
        _Sign(
            pattern,
            "a recording in Record3D's own format, whose depth is compressed with LZFSE; open it "
            "in Record3D, export it as EXR + JPG sequence, and give that folder",
        )
        for pattern in ("*.r3d", "rgbd/*.depth")
    ),
    _Sign(
        "sample_data.json",
        "nuScenes; write its sweeps as folders first: python datasets/nuscenes.py sweeps",
    ),
    _Sign("*.tfrecord", "TFRecord files (Waymo); export its sweeps as sweeps/ with poses.txt"),
    *(
        _Sign(
            name,
            "depth images without poses; give these as poses.txt (one row per frame), pose/ (one "
            "file per frame), trajectory.log or transforms.json",
        )
        for name in ("depth", "depths")
    ),
    *(
        _Sign(f"*.{suffix}", "an archive; unpack it, and give the folder")
        for suffix in ("zip", "7z", "tar", "tgz", "tar.gz")
    ),
    _Sign("*.mp4", f"a video without depth; {_METRIC}"),
    _Sign("*.mov", f"a video without depth; {_METRIC}"),
    *(
        _Sign(f"*.{suffix}", f"images without depth and poses; {_METRIC}")
        for suffix in ("jpg", "jpeg", "png")
    ),
)


def advice_on(folder: Path) -> str | None:
    """Name the recording in a folder that is not read, and what to give in its place.

    Args:
        folder: Folder or file in no known layout.

    Returns:
        Half a sentence, or None where nothing is known.
    """
    paths = [folder] if folder.is_file() else list(_below(folder, _MAX_DEPTH))
    lower = [Path(str(path).lower()) for path in paths[:_MOST_PATHS]]
    found = (sign for sign in _SIGNS if any(path.match(sign.pattern) for path in lower))
    sign = next(found, None)
    return None if sign is None else sign.advice


def _below(folder: Path, depth: int) -> Iterator[Path]:
    """Yield what lies in a folder, the folder's own entries before those below them."""
    try:
        entries = sorted(each for each in folder.iterdir() if not each.name.startswith("."))
    except OSError:
        return
    yield from entries
    if depth > 1:
        for entry in entries:
            if entry.is_dir() and not entry.is_symlink():
                yield from _below(entry, depth - 1)
