"""What ``tools/prepare_pairs.py`` would make of a recording, found from a few of its frames.

Sixteen frames are prepared as all would be, in a temporary folder, so every figure comes from the
code that does the work.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.pictures.cameras import Viewpoint
from pointcontrast.pictures.colored_points import ColoredPoints
from pointcontrast.pictures.drawing import draw
from pointcontrast.preparation.prepare_scene import Settings, prepare_scene
from pointcontrast.recordings.rgbd.posed_images import PosedImages
from pointcontrast.recordings.sequence import FrameError, PosedSequence
from pointcontrast.scenes.overlap import Overlaps
from pointcontrast.scenes.recorded_views import scene_origin, to_view
from pointcontrast.scenes.view_store import ViewStore
from pointcontrast.scenes.views import View
from pointcontrast.types import Frame, Sweep

_FRAMES = 16
_TINTS = np.array([[230, 126, 34], [52, 120, 200]])  # orange and blue


class SomeFrames(PosedSequence):
    """Evenly spaced frames of a recording."""

    def __init__(self, sequence: PosedSequence, rows: Sequence[int]) -> None:
        """Keep the rows of the frames."""
        self.layout, self.name, self.folder = sequence.layout, sequence.name, sequence.folder
        self.up, self.notes = sequence.up, sequence.notes
        self._sequence, self._rows = sequence, rows
        self.frame_ids = tuple(sequence.frame_ids[row] for row in rows)

    def read(self, index: int) -> Frame | Sweep:
        """Read a frame; see the base class."""
        return self._sequence.read(self._rows[index])

    def read_geometry(self, index: int) -> Frame | Sweep:
        """Read a frame without its colours."""
        return self._sequence.read_geometry(self._rows[index])

    def files(self) -> list[Path]:
        """Return no file: what is prepared from these frames is not kept."""
        return []


@dataclass(frozen=True)
class Findings:
    """Findings on one recording.

    Attributes:
        lines: Facts, one line each.
        problem: Reason why the recording would fail, or None.
        panels: Two neighbouring views put together: in their own colours, and one colour each.
        up: (3,) up direction, if it was found.
        pose: (4, 4) pose of the first of the two views, if it is a camera.
    """

    lines: tuple[str, ...]
    problem: str | None = None
    panels: tuple[ColoredPoints, ...] = ()
    up: NDArray[np.float64] | None = None
    pose: NDArray[np.float64] | None = None


def examine(sequence: PosedSequence, settings: Settings) -> Findings:
    """Examine a recording.

    Args:
        sequence: Recording as it would be prepared.
        settings: Settings of the preparation.

    Returns:
        Findings; a recording that would fail has a problem.
    """
    rows = range(0, len(sequence), settings.frame_skip)
    spread = np.unique(np.linspace(0, len(rows) - 1, min(_FRAMES, len(rows))).round().astype(int))
    chosen = SomeFrames(sequence, [rows[i] for i in spread])
    lines = [
        f"layout       {sequence.layout}",
        f"frames       {len(rows):,}"
        + (f" of {len(sequence):,}" if settings.frame_skip > 1 else "")
        + f", {sequence.frame_ids[rows[0]]} to {sequence.frame_ids[rows[-1]]}",
        *_readings(sequence),
        *(f"note         {note}" for note in sequence.notes),
    ]
    findings = Findings(tuple(lines))
    try:
        shown = _two_views(sequence, rows, settings.max_depth)
        if shown:
            findings = replace(findings, panels=_panels(shown), pose=_camera_pose(shown[0]))
        if settings.self_check:
            sequence.check_conventions()
        with tempfile.TemporaryDirectory() as folder:
            unchecked = replace(settings, self_check=False)
            prepare_scene(chosen, Path(folder), "sample", unchecked)
            report, up = _of_sample(Path(folder) / "sample", len(rows), settings)
            return replace(findings, lines=(*lines, *report), up=up)
    except InputError as error:
        return replace(findings, problem=str(error))


def draw_findings(findings: Sequence[Findings], png: Path) -> bool:
    """Draw the two views of each recording, a row each; False if there is none to draw."""
    shown = [each for each in findings if each.panels]
    if not shown:
        return False
    panels, cameras = [], []
    for each in shown:
        up = np.array([0.0, 0.0, 1.0]) if each.up is None else each.up
        viewpoint = Viewpoint(up, 4 / 3, None, 40.0)
        panels += each.panels
        cameras += [viewpoint.camera(panel.points, each.pose) for panel in each.panels]
    columns = max(len(each.panels) for each in shown)
    draw(panels, cameras=cameras, png=png, window="never", columns=columns, size=(800, 600))
    return True


def _readings(sequence: PosedSequence) -> Iterator[str]:
    """Tell how the frames are read: size, unit, convention, intrinsics, first and last pose."""
    frames = [frame for frame in _first_and_last(sequence) if frame is not None]
    if not frames:
        return
    first, last = frames[0], frames[-1]
    if isinstance(first, Frame):
        height, width = first.depth.shape
        measured = first.depth[first.depth > 0]
        far = f"{np.percentile(measured, 1):.2f} to {np.percentile(measured, 99):.2f} m"
        unit = (
            f", {sequence.units_per_metre:g} units per metre"
            if isinstance(sequence, PosedImages)
            else ""
        )
        yield f"depth        {width} x {height} pixels{unit}; the first frame: {far}"
        k = first.intrinsics
        yield f"intrinsics   fx {k[0, 0]:.1f} fy {k[1, 1]:.1f} cx {k[0, 2]:.1f} cy {k[1, 2]:.1f}"
        if isinstance(sequence, PosedImages):
            yield f"poses        {sequence.poses}, camera axes {sequence.axes}"
    else:
        yield f"points       {len(first.cloud):,} in the first frame"
    yield f"first pose   {_pose_in_words(first)}"
    yield f"last pose    {_pose_in_words(last)}"


def _first_and_last(sequence: PosedSequence) -> Iterator[Frame | Sweep | None]:
    """Read the first and the last usable frame, among ten at either end."""
    count = len(sequence)
    for indices in (range(min(10, count)), range(count - 1, max(-1, count - 11), -1)):
        for index in indices:
            try:
                yield sequence.read_geometry(index)
                break
            except FrameError:
                continue


def _pose_in_words(frame: Frame | Sweep) -> str:
    pose = frame.world_from_camera if isinstance(frame, Frame) else frame.world_from_sensor
    x, y, z = pose[:3, 3]
    forward = pose[:3, 2] if isinstance(frame, Frame) else pose[:3, 0]
    looks = " ".join(f"{value:.2f}" for value in forward)
    return f"{frame.frame_id} at {x:.2f} {y:.2f} {z:.2f} m, looks along {looks}"


def _of_sample(
    scene: Path, num_frames: int, settings: Settings
) -> tuple[list[str], NDArray[np.float64]]:
    """Report on the prepared sample, with its up direction."""
    store = ViewStore(scene)
    overlap = np.load(scene / "overlap.npy")
    upper = overlap[np.triu_indices(len(overlap), 1)]
    share = float((upper >= settings.overlap_threshold).mean())
    usable = len(store) / (len(store) + len(store.meta.skipped))
    views = num_frames * usable
    points = np.concatenate([view.points[::50] for view in store])
    low, high = np.percentile(points, [0.5, 99.5], axis=0)
    sizes = " x ".join(f"{value:.1f}" for value in high - low)
    up = " ".join(f"{value:.2f}" for value in store.meta.up)
    num_bytes = sum(path.stat().st_size for path in scene.iterdir()) / len(store) * views
    skipped = store.meta.skipped
    report = [
        f"colours      {'yes' if store[0].colors is not None else 'none'}",
        f"size         {sizes} m",
        f"up           {up} ({store.meta.up_how}, support {store.meta.up_support:.2f})",
        *([f"origin       {store.meta.origin.tolist()}"] if store.meta.origin.any() else []),
        f"sample       {len(store)} frames, of which {share:.0%} of the pairs overlap by "
        f"{settings.overlap_threshold:g} or more",
        *([f"skipped      {len(skipped)} of the sample: {skipped[0].reason}"] if skipped else []),
        f"expected     about {views:,.0f} views, {share * views * (views - 1) / 2:,.0f} pairs, "
        f"{num_bytes / 1e6:,.1f} MB",
    ]
    return report, store.meta.up


def _camera_pose(view: View) -> NDArray[np.float64] | None:
    return view.world_from_camera if view.is_camera else None


def _two_views(sequence: PosedSequence, rows: range, max_depth: float) -> list[View]:
    """Choose two neighbouring views from the middle, of which about 0.6 overlaps."""
    first = max(0, len(rows) // 2 - 1)
    origin = scene_origin(sequence)
    views: list[View] = []
    for row in dict.fromkeys(min(first + gap, len(rows) - 1) for gap in (0, 1, 2, 5, 10, 20)):
        with contextlib.suppress(FrameError):
            views.append(to_view(sequence.read(rows[row]), max_depth, origin))
    if len(views) < 2:
        return []
    overlaps = Overlaps("fast")
    for view in views:
        overlaps.add(view.cloud.points)
    shared = overlaps.matrix()[0, 1:]
    return [views[0], views[1 + int(np.argmin(np.abs(shared - 0.6)))]]


def _panels(views: Sequence[View]) -> tuple[ColoredPoints, ...]:
    """Put two views together, in their own colours (if they have) and in one colour each."""
    clouds = [view.cloud[:] for view in views]
    points = np.concatenate([cloud.points for cloud in clouds])
    tints = np.concatenate(
        [np.tile(tint, (len(cloud), 1)) for tint, cloud in zip(_TINTS, clouds, strict=True)]
    ).astype(np.uint8)
    caption = f"{views[0].frame_id} (orange) and {views[1].frame_id} (blue)"
    tinted = ColoredPoints(points, tints, caption)
    colors = [cloud.colors for cloud in clouds if cloud.colors is not None]
    if len(colors) < len(clouds):
        return (tinted,)
    return (tinted, ColoredPoints(points, np.concatenate(colors), "both in their own colours"))
