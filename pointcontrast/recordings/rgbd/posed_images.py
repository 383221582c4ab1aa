"""Folders of posed depth images: what all their layouts share.

A layout lists its frames (:class:`ImageRecording`): the paths of the images, the poses as recorded,
the unit of the depth images and the convention of the poses. :class:`PosedImages` reads the images
and converts the poses. A user's statements (``RecordingOptions``) take the place of the layout's.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.geometry import rigid_problem
from pointcontrast.recordings.options import CameraAxes, PoseDirection, RecordingOptions
from pointcontrast.recordings.pose_rows import checked_pose
from pointcontrast.recordings.rgbd.images.color_images import read_color
from pointcontrast.recordings.rgbd.images.depth_images import depth_size, read_depth
from pointcontrast.recordings.rgbd.images.intrinsics import check_center, scaled_intrinsics
from pointcontrast.recordings.rgbd.images.lens_distortion import LensDistortion, look_up
from pointcontrast.recordings.rgbd.pose_conventions import camera_to_world
from pointcontrast.recordings.rgbd.self_check import check_views
from pointcontrast.recordings.sequence import FrameError, Layout
from pointcontrast.recordings.text_files import read_matrix
from pointcontrast.types import Frame

MILLIMETRES = 1000.0


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageFrame:
    """One frame of a folder, not read yet.

    Attributes:
        frame_id: Name of the frame, unique within its recording.
        depth: Depth image, or None where it is missing.
        color: Colour image, or None where it is missing.
        pose: (4, 4) float64 as recorded, a text file of it, the reason why it cannot be used, or
            None where the frame has none.
        pose_place: File, and row or key, of the pose, for messages.
        intrinsics: (3, 3) float64 pinhole matrix, pixels; None takes that of the recording.
        intrinsics_size: (width, height) of the image that ``intrinsics`` belongs to, pixels; None
            is the depth image.
        distortion: Lens distortion of depth and colour, which is removed; None if there is none.
    """

    frame_id: str
    depth: Path | None
    color: Path | None = None
    pose: NDArray[np.float64] | Path | FrameError | None
    pose_place: str
    intrinsics: NDArray[np.float64] | None = None
    intrinsics_size: tuple[int, int] | None = None
    distortion: LensDistortion | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageRecording:
    """All frames of a folder and what holds for all of them.

    Attributes:
        frames: Frames in order, at least one with a depth image.
        intrinsics: (3, 3) float64 pinhole matrix, pixels; None if each frame has its own.
        intrinsics_size: (width, height) of the images that ``intrinsics`` belongs to, pixels; None
            are the depth images.
        units_per_metre: Units of integer depth images per metre.
        poses: Direction of the recorded poses.
        axes: Axes of the recorder's cameras.
        texts: Files of poses and intrinsics, other than those in ``frames``.
        notes: See :class:`~pointcontrast.recordings.sequence.PosedSequence`.
    """

    frames: tuple[ImageFrame, ...]
    intrinsics: NDArray[np.float64] | None
    intrinsics_size: tuple[int, int] | None = None
    units_per_metre: float = MILLIMETRES
    poses: PoseDirection = "camera_to_world"
    axes: CameraAxes = "opencv"
    texts: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()


class PosedImages(Layout):
    """A folder of posed depth images; derive from it for each layout.

    Attributes:
        units_per_metre: Units of integer depth images per metre.
        poses: Direction of the recorded poses.
        axes: Axes of the recorder's cameras.
    """

    def __init__(self, folder: Path, options: RecordingOptions | None = None) -> None:
        """Open a folder; only names, texts and a few image headers are read.

        Args:
            folder: Folder of the scene.
            options: Statements of the user about the recording; None makes none.

        Raises:
            InputError: No depth image, no intrinsics, or a file of the whole recording is wrong.
        """
        options = options or RecordingOptions()
        self.name = folder.name
        self.folder = folder
        self._recording = self.list_frames(folder, options)
        self.notes = self._recording.notes
        self.frame_ids = tuple(frame.frame_id for frame in self._recording.frames)
        self.units_per_metre = options.depth_scale or self._recording.units_per_metre
        self._float_units = options.depth_scale or 1.0
        self.poses: PoseDirection = options.poses or self._recording.poses
        self.axes: CameraAxes = options.axes or self._recording.axes
        self._given_intrinsics = options.intrinsics
        depths = [frame.depth for frame in self._recording.frames if frame.depth is not None]
        if not depths:
            raise InputError(f"{folder} holds no depth image")
        self._has_color = any(frame.color is not None for frame in self._recording.frames)
        self._size = depth_size(depths)
        check_center(f"{depths[0].parent}: its depth", self._size, self.intrinsics(0))
        self._by_columns = _are_by_columns(self._recording.frames)
        if self._by_columns:
            self.notes += (
                "the poses are stored by columns (their translation is in the last row); they are "
                "transposed",
            )
        _, size, whose = self._stated_intrinsics(0)
        if size not in (None, self._size):
            self.notes += (
                f"{whose}: intrinsics of {size[0]} x {size[1]} pixels are scaled to the depth "
                f"images of {self._size[0]} x {self._size[1]}; --intrinsics states others",
            )
        first = self._recording.frames[0]
        if first.distortion is not None:
            place = first.pose_place
            *_, moved = first.distortion.pixels(self.intrinsics(0), self._size, place)
            self.notes += (
                f"{place}: the lens distortion ({first.distortion.stated}) of depth and colour is "
                f"removed; it moves pixels by up to {moved:.1f}",
            )

    @abstractmethod
    def list_frames(self, folder: Path, options: RecordingOptions) -> ImageRecording:
        """List the frames of the folder without reading their images.

        Args:
            folder: Folder of the scene.
            options: Statements of the user. Those about units and conventions are applied by the
                caller; a layout without intrinsics of its own needs ``options.intrinsics``.

        Raises:
            InputError: A file of the whole recording is absent or wrong.
        """

    def intrinsics(self, index: int) -> NDArray[np.float64]:
        """Return the (3, 3) pinhole matrix of a frame's depth image, pixels.

        Raises:
            InputError: There is none, or it belongs to an image of another side ratio.
        """
        matrix, size, whose = self._stated_intrinsics(index)
        return matrix if size is None else scaled_intrinsics(matrix, size, self._size, whose)

    def _stated_intrinsics(
        self, index: int
    ) -> tuple[NDArray[np.float64], tuple[int, int] | None, str]:
        """Return a matrix, the size of its image if it is not the depth image, and their place."""
        if self._given_intrinsics is not None:
            return self._given_intrinsics, None, "--intrinsics"
        frame, recording = self._recording.frames[index], self._recording
        if frame.intrinsics is not None:
            return frame.intrinsics, frame.intrinsics_size, str(self.folder / frame.frame_id)
        if recording.intrinsics is not None:
            return recording.intrinsics, recording.intrinsics_size, str(self.folder)
        raise InputError(f"{self.folder} has no intrinsics; pass --intrinsics fx fy cx cy")

    def read(self, index: int) -> Frame:
        """Read one frame; see :meth:`~pointcontrast.recordings.sequence.PosedSequence.read`."""
        return self._read(index, with_color=self._has_color)

    def read_geometry(self, index: int) -> Frame:
        """Read one frame without its colours."""
        return self._read(index, with_color=False)

    def check_conventions(self) -> None:
        """Check that the views fit together as they are read; see the base class."""
        check_views(self, units_per_metre=self.units_per_metre, poses=self.poses, axes=self.axes)

    def read_depth(self, path: Path, index: int) -> NDArray[np.float32]:
        """Read the depth image of a frame.

        A layout with more to say about its pixels, such as their confidence, overrides this.

        Args:
            path: Depth image.
            index: Row of the frame.

        Returns:
            (H, W) float32 metres, 0 where there is no measurement.

        Raises:
            FrameError: The image is damaged, or is none of depth.
        """
        return read_depth(path, self._size, self.units_per_metre, self._float_units)

    def read_color(self, path: Path, index: int, depth: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Read the colour image of a frame, registered to its depth image.

        A layout whose colour camera is another one overrides this.

        Args:
            path: Colour image.
            index: Row of the frame.
            depth: (H, W) float32 metres, 0 where there is no measurement.

        Returns:
            (H, W, 3) uint8 RGB.

        Raises:
            FrameError: The image is damaged or cannot be registered.
        """
        return read_color(path, self._size)

    def files(self) -> list[Path]:
        """Return the images and the texts."""
        frames = self._recording.frames
        named = [
            path
            for f in frames
            for path in sorted(p for p in (f.depth, f.color, f.pose) if isinstance(p, Path))
        ]
        # a video is the colour of every frame
        return list(dict.fromkeys([*named, *self._recording.texts]))

    def _read(self, index: int, *, with_color: bool) -> Frame:
        frame = self._recording.frames[index]
        for kind, there in (
            ("depth", frame.depth),
            ("pose", frame.pose),
            *((("color", frame.color),) if self._has_color else ()),
        ):
            if there is None:
                raise FrameError(f"{self.folder / frame.frame_id}: its {kind} file is missing")
        assert frame.depth is not None
        pose = self._pose(frame)
        depth = self.read_depth(frame.depth, index)
        color = None
        if with_color:
            assert frame.color is not None
            color = self.read_color(frame.color, index, depth)
        try:
            intrinsics = self.intrinsics(index)
            if frame.distortion is not None:
                pixels, outside, _ = frame.distortion.pixels(
                    intrinsics, self._size, frame.pose_place
                )
                depth = look_up(depth, pixels, outside)
                color = None if color is None else look_up(color, pixels, outside)
        except InputError as error:
            raise FrameError(str(error)) from None
        return Frame(frame.frame_id, depth, color, intrinsics, pose)

    def _pose(self, frame: ImageFrame) -> NDArray[np.float64]:
        matrix = _recorded_pose(frame)
        matrix = matrix.T if self._by_columns else matrix
        return camera_to_world(checked_pose(matrix, frame.pose_place), self.poses, self.axes)


def _recorded_pose(frame: ImageFrame) -> NDArray[np.float64]:
    if isinstance(frame.pose, FrameError):
        raise frame.pose
    if frame.pose is None:
        raise FrameError(f"{frame.pose_place} is missing")
    if not isinstance(frame.pose, Path):
        return frame.pose
    try:
        return read_matrix(frame.pose, (4, 4))
    except InputError as error:
        raise FrameError(str(error)) from None


def _are_by_columns(frames: Sequence[ImageFrame]) -> bool:
    """Whether the poses are stored by columns, with the translation in the last row.

    Judged on up to 16 frames: at least two are rigid transforms only when transposed, and none is
    one as it stands. (A pose without translation is rigid either way and decides nothing.)
    """
    found = 0
    for frame in frames[:: max(1, len(frames) // 16)]:
        try:
            matrix = _recorded_pose(frame)
        except FrameError:
            continue
        transposed = rigid_problem(matrix.T) is None
        if rigid_problem(matrix) is None:
            if not transposed:
                return False
        elif transposed:
            found += 1
    return found >= 2
