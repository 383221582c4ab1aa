"""Folders in the layout of 7-Scenes, 3DMatch and tsdf-fusion.

``frame-NNNNNN.color.png`` (or .jpg), ``frame-NNNNNN.depth.png`` (16 bits, millimetres; or .pgm, as
in 3RScan, and the other forms of ``depth_images``), ``frame-NNNNNN.pose.txt`` (4 x 4 camera to
world, metres), and ``camera-intrinsics.txt`` (of the depth image; ``intrinsics`` has its forms and
other names) in the folder or its parent. All colour images may be absent.

Microsoft's 7-Scenes release has no intrinsics file. Its values are not assumed here, because other
cameras use the same layout: pass them.
"""

from __future__ import annotations

import re
from pathlib import Path

from pointcontrast.errors import InputError
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.recordings.rgbd.images.image_listing import preferred
from pointcontrast.recordings.rgbd.images.intrinsics_file import INTRINSICS_FILES, find_intrinsics
from pointcontrast.recordings.rgbd.posed_images import (
    MILLIMETRES,
    ImageFrame,
    ImageRecording,
    PosedImages,
)

_FILE = re.compile(
    r"(frame-(\d+))\.(color\.(?:png|jpe?g)|depth\.(?:png|pgm|tiff?|npy|exr)|pose\.txt)",
    re.IGNORECASE,
)
INTRINSICS_FILE = "camera-intrinsics.txt"
_INTRINSICS_FILES = (INTRINSICS_FILE, *INTRINSICS_FILES)


class SevenScenesSequence(PosedImages):
    """One folder of ``frame-NNNNNN.{color,depth,pose}`` files, in the order of their numbers."""

    layout = "seven_scenes"
    description = "frame-NNNNNN.{color,depth,pose} files with camera-intrinsics.txt"

    @staticmethod
    def recognises(folder: Path) -> bool:
        """Check whether ``folder`` directly holds frames in this layout."""
        return any(_FILE.fullmatch(path.name) for path in folder.iterdir())

    def list_frames(self, folder: Path, options: RecordingOptions) -> ImageRecording:
        """List the frames; see the base class."""
        found: dict[tuple[int, str], dict[str, Path]] = {}
        for path in sorted(folder.iterdir()):
            match = _FILE.fullmatch(path.name)
            if match:
                kind = match[3].partition(".")[0].lower()
                files = found.setdefault((int(match[2]), match[1]), {})
                files[kind] = preferred(path, files.get(kind))
        if not any("depth" in files for files in found.values()):
            raise InputError(f"{folder} holds frames but no frame-NNNNNN.depth.png")
        intrinsics_file, intrinsics = find_intrinsics(folder, options.intrinsics, _INTRINSICS_FILES)
        if intrinsics is None:
            raise InputError(
                f"{folder} has no {INTRINSICS_FILE}, nor has its parent folder; write it, or pass "
                "--intrinsics fx fy cx cy (585 585 320 240 for Microsoft's 7-Scenes release)"
            )
        return ImageRecording(
            frames=tuple(
                ImageFrame(
                    frame_id=frame_id,
                    depth=files.get("depth"),
                    color=files.get("color"),
                    pose=files.get("pose"),
                    pose_place=str(files.get("pose")),
                )
                for (_, frame_id), files in sorted(found.items())
            ),
            intrinsics=intrinsics.matrix,
            intrinsics_size=intrinsics.size,
            units_per_metre=intrinsics.units_per_metre or MILLIMETRES,
            texts=(intrinsics_file,) if intrinsics_file else (),
        )
