"""Views stored as depth images, with the colour images registered to them.

Files:
    ``depth.bin``    lossless depth images (``pointcontrast.scenes.depth.codec``), concatenated
    ``colors.bin``   colour images as JPEG, concatenated; optional

Index in ``meta.json``, one entry per view:
    ``sizes``        width, height in pixels
    ``intrinsics``   fx, skew, cx, fy, cy in pixels
    ``depth``        length in bytes and CRC-32 of the depth image
    ``colors``       the same of the colour image; null in place of the list if there are none
"""

from __future__ import annotations

import zlib
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pointcontrast.errors import InputError
from pointcontrast.files import sync
from pointcontrast.scenes.depth.cloud import DepthCloud
from pointcontrast.scenes.depth.codec import decode_depth, encode_depth
from pointcontrast.scenes.views import View
from pointcontrast.types import Cloud

DEPTH_FILE, COLOR_FILE = "depth.bin", "colors.bin"
_JPEG = {"format": "JPEG", "quality": 90}


class ImageWriter:
    """Appends views to the files of a store of depth images."""

    def __init__(self, folder: Path) -> None:
        """Start a store in ``folder``; its files are made with the first view."""
        self._folder = folder
        self._files: dict[str, BinaryIO] = {}
        self._rows: dict[str, list[Any]] = {
            name: [] for name in ("sizes", "intrinsics", "depth", "colors")
        }

    def add(self, view: View) -> int:
        """Append a view and return its number of points.

        Raises:
            InputError: Some views have colour, and some do not.
        """
        cloud = view.cloud
        assert isinstance(cloud, DepthCloud), "the caller checks this"
        if self._files and (cloud.color is not None) != (COLOR_FILE in self._files):
            raise InputError(f"{view.frame_id}: some frames of the scene have colour, some do not")
        height, width = cloud.millimetres.shape
        self._rows["sizes"].append([width, height])
        (fx, skew, cx), (_, fy, cy), _ = cloud.intrinsics.tolist()
        self._rows["intrinsics"].append([fx, skew, cx, fy, cy])
        self._append("depth", DEPTH_FILE, encode_depth(cloud.millimetres))
        if cloud.color is not None:
            encoded = BytesIO()
            Image.fromarray(cloud.color).save(encoded, **_JPEG)
            self._append("colors", COLOR_FILE, encoded.getvalue())
        return int(np.count_nonzero(cloud.millimetres))

    def finish(self) -> dict[str, Any]:
        """Complete the files and return their index for ``meta.json``."""
        for file in self._files.values():
            sync(file)
        return {**self._rows, "colors": self._rows["colors"] or None}

    def close(self) -> None:
        """Close the files, also after an error.

        A full disk fails again here; the first error is the one to tell.
        """
        for file in self._files.values():
            with suppress(OSError):
                file.close()

    def _append(self, row: str, name: str, data: bytes) -> None:
        if name not in self._files:
            self._files[name] = open(self._folder / name, "wb")  # noqa: SIM115 (closed in close)
        self._files[name].write(data)
        self._rows[row].append([len(data), zlib.crc32(data)])


class ImageReader:
    """Reads the views that an :class:`ImageWriter` wrote."""

    def __init__(self, folder: Path, content: dict[str, Any], num_points: tuple[int, ...]) -> None:
        """Map the files of a store into memory; no image is read.

        Args:
            folder: Folder of the store.
            content: Index of the files, from ``meta.json``.
            num_points: Number of points of each view.

        Raises:
            ValueError: The index is incomplete or disagrees with the files.
        """
        self._folder = folder
        num_views = len(num_points)
        self._sizes = np.array(content["sizes"], dtype=np.int64).reshape(num_views, 2)
        self._intrinsics = np.array(content["intrinsics"], dtype=np.float64).reshape(num_views, 5)
        self._depth = _Blobs(folder / DEPTH_FILE, content["depth"], num_views)
        colors = content["colors"]
        self._colors = None if colors is None else _Blobs(folder / COLOR_FILE, colors, num_views)

    def read(
        self, index: int, world_from_camera: NDArray[np.float64], *, colors: bool, normals: bool
    ) -> Cloud:
        """Read the depth of view ``index`` now, and its colours on first use."""
        width, height = self._sizes[index].tolist()
        try:
            millimetres = decode_depth(self._depth[index], (height, width))
        except ValueError as error:
            raise InputError(self._damaged(DEPTH_FILE, index, error)) from None
        fx, skew, cx, fy, cy = self._intrinsics[index]
        return DepthCloud(
            millimetres,
            np.array([[fx, skew, cx], [0, fy, cy], [0, 0, 1]]),
            world_from_camera,
            color=(lambda: self._color(index)) if colors and self._colors is not None else None,
            normals=normals,
        )

    def _color(self, index: int) -> NDArray[np.uint8]:
        assert self._colors is not None
        width, height = self._sizes[index].tolist()
        try:
            with Image.open(BytesIO(self._colors[index])) as image:
                return np.array(image).reshape(height, width, 3)
        except (OSError, SyntaxError, ValueError) as error:
            raise InputError(self._damaged(COLOR_FILE, index, error)) from None

    def _damaged(self, name: str, index: int, reason: Exception) -> str:
        return f"{self._folder / name}: view {index} is damaged ({reason}); run prepare_pairs again"


class _Blobs:
    """Byte strings concatenated in one memory-mapped file."""

    def __init__(self, path: Path, facts: list[list[int]], num_views: int) -> None:
        lengths, self._checksums = np.array(facts, dtype=np.int64).reshape(num_views, 2).T
        self._ends = np.cumsum(lengths)
        self._starts = self._ends - lengths
        if (lengths <= 0).any() or path.stat().st_size != self._ends[-1]:
            raise ValueError(f"{path.name} is not as long as its images")
        self._bytes = np.memmap(path, dtype=np.uint8, mode="r").view(np.ndarray)

    def __getitem__(self, index: int) -> bytes:
        """Return byte string ``index``; ValueError if its checksum differs."""
        piece = self._bytes[self._starts[index] : self._ends[index]].tobytes()
        if zlib.crc32(piece) != self._checksums[index]:
            raise ValueError("its checksum differs")
        return piece
