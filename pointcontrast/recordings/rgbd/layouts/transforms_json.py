"""``transforms.json`` of nerfstudio, with depth images.

nerfstudio, instant-ngp, ScanNet++, NeRFCapture and the converters of Polycam and Record3D write it.
For each frame it names the images and the pose; paths are relative to the file.

Sources:
- nerfstudio-project/nerfstudio, ``docs/quickstart/data_conventions.md``: ``transform_matrix`` maps
  the camera to the world, and the camera has OpenGL's axes; ``fl_x fl_y cx cy w h`` and the
  distortion hold for all frames or stand in each. ``depth_file_path`` is in millimetres, as in
  Polyform, and 0 is unknown.
- the same, ``nerfstudio/data/dataparsers/nerfstudio_dataparser.py``: w and h are those of the
  colour images; ``applied_transform`` and ``applied_scale`` have been applied to the poses already.
  The first moves the whole world. The second changes metres, so it is undone here.
- the same, ``nerfstudio/cameras/cameras.py``, ``get_image_coords``: the centre of the top left
  pixel is at (0.5, 0.5).
- NVlabs/instant-ngp, ``scripts/nerfcapture2nerf.py``: ``depth_path``, and ``integer_depth_scale``,
  metres per unit; ``docs/nerf_dataset_tips.md``: ``camera_angle_x`` in place of a focal length.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.files import read_json
from pointcontrast.recordings.frame_order import numeric_order
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.recordings.rgbd.images.color_images import COLOR_SUFFIXES
from pointcontrast.recordings.rgbd.images.depth_images import DEPTH_SUFFIXES
from pointcontrast.recordings.rgbd.images.image_files import open_image
from pointcontrast.recordings.rgbd.images.image_listing import depth_folder
from pointcontrast.recordings.rgbd.images.intrinsics import check_intrinsics
from pointcontrast.recordings.rgbd.images.lens_distortion import LensDistortion
from pointcontrast.recordings.rgbd.posed_images import (
    MILLIMETRES,
    ImageFrame,
    ImageRecording,
    PosedImages,
)
from pointcontrast.recordings.sequence import FrameError

_FILE = "transforms.json"
_PARTS = ("transforms_train.json", "transforms_val.json", "transforms_test.json")
_DEPTH_KEYS = ("depth_file_path", "depth_path")
_PINHOLE_MODELS = ("OPENCV", "PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "PERSPECTIVE")
_HALF = 0.5  # of a pixel: this project's centre of the top left pixel is at (0, 0)


class TransformsSequence(PosedImages):
    """A folder with ``transforms.json``, or with the parts of it for training and testing."""

    layout = "transforms_json"
    description = "transforms.json of nerfstudio, instant-ngp or Polycam, with depth images"

    @staticmethod
    def recognises(folder: Path) -> bool:
        """Check whether ``folder`` holds the file."""
        return any((folder / name).is_file() for name in (_FILE, *_PARTS))

    def list_frames(self, folder: Path, options: RecordingOptions) -> ImageRecording:
        """List the frames; see the base class."""
        names = (_FILE,) if (folder / _FILE).is_file() else _PARTS
        files = [_read(folder / name) for name in names if (folder / name).is_file()]
        frames = [frame for file in files for frame in file.frames(options.intrinsics is None)]
        if not any(frame.depth for frame in frames):
            raise InputError(_no_depth(files[0]))
        frames, notes = _without_copies(frames)
        if not any(frame.color for frame in frames):
            notes += (f"{files[0].path}: none of its colour images (file_path) is there",)
        return ImageRecording(
            frames=tuple(sorted(frames, key=lambda frame: numeric_order(frame.frame_id))),
            intrinsics=None,
            units_per_metre=files[0].units_per_metre,
            axes="opengl",
            texts=tuple(file.path for file in files),
            notes=notes,
        )


@dataclass(frozen=True)
class _TransformsFile:
    path: Path
    content: dict[str, Any]

    def frames(self, with_intrinsics: bool) -> list[ImageFrame]:
        """Read the entries of all frames; images that are not there are left out of them.

        Raises:
            InputError: A camera model that is no pinhole, or no intrinsics where they are wanted.
        """
        frames = []
        for number, entry in enumerate(self.content["frames"]):
            place = f"{self.path}: frame {number}"
            if not isinstance(entry, dict):
                raise InputError(f"{place} is no object with transform_matrix; write it again")
            # what stands in the frame takes the place of what holds for all
            values = {**self.content, **entry}
            color = self._image(entry.get("file_path"), COLOR_SUFFIXES)
            named = _depth_of(entry)
            depth = self._image(named, DEPTH_SUFFIXES)
            matrix, size = None, None
            if with_intrinsics:
                matrix, size = _intrinsics(values, color or depth, place)
            frames.append(
                ImageFrame(
                    frame_id=_frame_id(entry.get("file_path") or named, number),
                    depth=depth,
                    color=color,
                    pose=_pose(values, place),
                    pose_place=place,
                    intrinsics=matrix,
                    intrinsics_size=size,
                    distortion=_distortion(values, place),
                )
            )
        return frames

    @property
    def units_per_metre(self) -> float:
        """Units of the depth images per metre: as stated, or those of millimetres."""
        for key in ("integer_depth_scale", "depth_unit_scale_factor", "depth_scale"):
            value = self.content.get(key)
            if isinstance(value, int | float) and 0 < value < np.inf:
                # The first two are metres per unit. The third is used for both; none is above 1 m.
                return 1 / value if value < 1 or key != "depth_scale" else float(value)
        return MILLIMETRES

    def _image(self, named: object, suffixes: tuple[str, ...]) -> Path | None:
        if not isinstance(named, str) or not named:
            return None
        path = self.path.parent / named.replace("\\", "/")
        candidates = (path, *(Path(f"{path}{suffix}") for suffix in suffixes))
        try:
            return next((each for each in candidates if each.is_file()), None)
        except OSError:  # a name that no file can have
            return None


def _depth_of(entry: dict[str, Any]) -> object:
    return next((entry[key] for key in _DEPTH_KEYS if entry.get(key)), None)


def _read(path: Path) -> _TransformsFile:
    content = read_json(path)
    frames = content.get("frames") if isinstance(content, dict) else None
    if not isinstance(frames, list) or not frames:
        raise InputError(f'{path} has no list "frames" of images with poses; export it again')
    return _TransformsFile(path, content)


def _no_depth(file: _TransformsFile) -> str:
    entries = [entry for entry in file.content["frames"] if isinstance(entry, dict)]
    named = [_depth_of(entry) for entry in entries if _depth_of(entry)]
    if named:
        return (
            f"{file.path} names {len(named)} depth images ({named[0]}, ...), of which none is "
            "there; paths are relative to the file"
        )
    there = depth_folder(file.path.parent)
    fix = (
        f"add the key to each frame for the images in {there.name}/"
        if there
        else "export with depth"
    )
    return (
        f"{file.path}: none of its {len(entries)} frames names a depth image (depth_file_path), "
        f"and colours alone give no points; {fix}"
    )


def _frame_id(named: object, number: int) -> str:
    if not isinstance(named, str) or not named:
        return f"{number:06d}"
    parts = [part for part in named.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    path = Path(*parts)
    known = path.suffix.lower() in (*COLOR_SUFFIXES, *DEPTH_SUFFIXES)
    return (path.with_suffix("") if known else path).as_posix()


def _pose(values: dict[str, Any], place: str) -> NDArray[np.float64] | FrameError:
    """Return the (4, 4) matrix in metres, or the reason why the frame has none."""
    try:
        matrix = np.array(values["transform_matrix"], dtype=np.float64)
        scale = float(values.get("applied_scale", 1.0))
    except KeyError:
        return FrameError(f"{place} has no transform_matrix")
    except (TypeError, ValueError, OverflowError):
        return FrameError(f"{place}: its transform_matrix or applied_scale is not numbers")
    if matrix.size not in (12, 16):
        return FrameError(f"{place}: its transform_matrix holds {matrix.size} numbers, not 16")
    if not 0 < scale < np.inf:
        return FrameError(f"{place}: its applied_scale is {scale}, not above 0")
    pose = np.eye(4)
    pose[: matrix.size // 4] = matrix.reshape(-1, 4)
    pose[:3, 3] /= scale
    return pose


def _intrinsics(
    values: dict[str, Any], image: Path | None, place: str
) -> tuple[NDArray[np.float64], tuple[int, int] | None]:
    """Return the (3, 3) matrix, and the size of its image if that is stated or can be read."""
    size = _size(values, image)
    numbers = {key: _number(values, key, place) for key in ("fl_x", "fl_y", "cx", "cy")}
    fx, fy = numbers["fl_x"], numbers["fl_y"]
    if size is not None:
        angles = [_number(values, key, place) for key in ("camera_angle_x", "camera_angle_y")]
        from_angles = [
            None if angle is None else side / 2 / np.tan(angle / 2)
            for side, angle in zip(size, angles, strict=True)
        ]
        fx, fy = fx or from_angles[0], fy or from_angles[1]
        for key, side in zip(("cx", "cy"), size, strict=True):
            numbers[key] = side / 2 if numbers[key] is None else numbers[key]
    fx, fy = fx or fy, fy or fx
    cx, cy = numbers["cx"], numbers["cy"]
    if fx is None or fy is None or cx is None or cy is None:
        raise InputError(
            f"{place} has no intrinsics (fl_x, fl_y, cx, cy, or camera_angle_x with w and h); add "
            "them, or pass --intrinsics fx fy cx cy of the depth images"
        )
    matrix = np.array([[fx, 0, cx - _HALF], [0, fy, cy - _HALF], [0, 0, 1.0]])
    return check_intrinsics(matrix, place), size


def _size(values: dict[str, Any], image: Path | None) -> tuple[int, int] | None:
    stated = values.get("w"), values.get("h")
    if all(isinstance(side, int | float) and 1 <= side < 1e6 for side in stated):
        return int(stated[0]), int(stated[1])  # pyright: ignore[reportArgumentType]
    if image is None or image.suffix.lower() not in COLOR_SUFFIXES:
        return None
    try:
        with open_image(image) as opened:
            return opened.size
    except FrameError:
        return None


def _number(values: dict[str, Any], key: str, place: str) -> float | None:
    try:
        return None if values.get(key) is None else float(values[key])
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{place}: its {key} is not a number; export the file again") from None


def _distortion(values: dict[str, Any], place: str) -> LensDistortion | None:
    model = str(values.get("camera_model", "OPENCV")).upper()
    if model not in _PINHOLE_MODELS or values.get("is_fisheye"):
        raise InputError(
            f"{place}: its camera model {values.get('camera_model', 'is_fisheye')} is no pinhole "
            "camera; undistort the images, colour and depth, to a pinhole model"
        )
    try:
        return LensDistortion.of(values)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{place}: its lens distortion is not numbers; export it again") from None


def _without_copies(frames: list[ImageFrame]) -> tuple[list[ImageFrame], tuple[str, ...]]:
    """Leave out entries that repeat another one.

    Raises:
        InputError: Two entries of one image have different poses.
    """
    kept: dict[str, ImageFrame] = {}
    for frame in frames:
        other = kept.setdefault(frame.frame_id, frame)
        if other is not frame and not _same_pose(other, frame):
            raise InputError(
                f"{frame.pose_place} and {other.pose_place} are the same image with different "
                "poses; keep the right one"
            )
    repeated = len(frames) - len(kept)
    if not repeated:
        return frames, ()
    place = frames[0].pose_place.rpartition(":")[0]
    return list(kept.values()), (f"{place}: {repeated} repeated entries are left out",)


def _same_pose(first: ImageFrame, second: ImageFrame) -> bool:
    if isinstance(first.pose, np.ndarray) and isinstance(second.pose, np.ndarray):
        return np.array_equal(first.pose, second.pose)
    return isinstance(first.pose, FrameError) and isinstance(second.pose, FrameError)
