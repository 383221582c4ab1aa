"""Lens distortion is removed: what a lens recorded becomes what a pinhole camera would."""

from __future__ import annotations

import numpy as np
import pytest

from pointcontrast.errors import InputError
from pointcontrast.geometry import pixel_rays
from pointcontrast.recordings.layouts import open_sequence
from pointcontrast.recordings.rgbd.images.lens_distortion import LensDistortion, look_up
from pointcontrast.types import Frame
from tests.helpers import small_scenes
from tests.recordings.rgbd.writers.transforms_json import write_transforms

K = np.array([[140.0, 0.0, 79.5], [0.0, 141.0, 59.5], [0.0, 0.0, 1.0]])
SIZE = (160, 120)
PHONE = LensDistortion(k1=0.08, k2=-0.03, p1=0.002, p2=-0.001, k3=0.01)


def undistorted(x: np.ndarray, y: np.ndarray, lens: LensDistortion) -> np.ndarray:
    """The directions that are seen at x, y, by iteration: (..., 2)."""
    seen = np.stack([x, y], axis=-1)
    true = seen.copy()
    for _ in range(50):
        a, b = true[..., 0], true[..., 1]
        r2 = a**2 + b**2
        f = 1 + lens.k1 * r2 + lens.k2 * r2**2 + lens.k3 * r2**3 + lens.k4 * r2**4
        shift = np.stack(
            [
                2 * lens.p1 * a * b + lens.p2 * (r2 + 2 * a**2),
                lens.p1 * (r2 + 2 * b**2) + 2 * lens.p2 * a * b,
            ],
            axis=-1,
        )
        true = (seen - shift) / f[..., None]
    return true


def test_no_coefficient_is_no_distortion():
    assert LensDistortion.of({"k1": 0, "k2": 0.0, "w": 640}) is None
    assert LensDistortion.of({"k1": 0.1, "p2": None}) == LensDistortion(k1=0.1)
    for bad in ("x", [1], float("nan"), float("inf")):
        with pytest.raises((TypeError, ValueError)):
            LensDistortion.of({"k1": bad})
    pixels, outside, moved = LensDistortion(k1=1e-12).pixels(K, SIZE, "lens")
    np.testing.assert_array_equal(pixels.ravel(), np.arange(160 * 120))
    assert not outside.any()
    assert moved < 1e-9


def test_a_distorted_plane_is_a_plane_again():
    """A plane's depth at each pixel is known in closed form, with and without the lens."""
    normal = np.array([0.3, -0.2, 1.0])
    rays = pixel_rays(120, 160, K)
    seen = undistorted(rays[..., 0], rays[..., 1], PHONE)
    recorded = 2 / (seen @ normal[:2] + 1)  # depth along the axis where the ray meets the plane
    pinhole = 2 / (rays[..., :2] @ normal[:2] + 1)
    pixels, outside, moved = PHONE.pixels(K, SIZE, "lens")
    assert 2 < moved < 10
    depth = look_up(recorded.astype(np.float32), pixels, outside)
    # half a pixel of rounding, times the slope of the plane
    slope = np.abs(np.gradient(pinhole)).max()
    assert np.abs(depth - pinhole)[~outside].max() < slope
    assert np.abs(recorded - pinhole).max() > 3 * slope
    assert (depth[outside] == 0).all()


def test_a_folded_image_is_refused():
    with pytest.raises(InputError, match=r"lens\.json: its lens distortion k1 -3 folds the image"):
        LensDistortion(k1=-3).pixels(K, SIZE, "lens.json")


def test_views_of_a_distorted_recording_lie_on_the_walls(tmp_path):
    """Depth that a lens has moved, in transforms.json, and what becomes of it."""
    stated = {"k1": 0.12, "k2": -0.02, "p1": 0.003}
    frames = [distorted(frame, LensDistortion(**stated)) for frame in small_scenes.walk(2)]
    folder = write_transforms(tmp_path / "scene", frames, lambda content: content.update(stated))
    sequence = open_sequence(folder)
    assert "the lens distortion (k1 0.12, k2 -0.02, p1 0.003) of depth and" in sequence.notes[-1]
    for index, frame in enumerate(frames):
        read = sequence.read(index)
        assert isinstance(read, Frame)
        assert off_the_walls(read) < 0.4 * off_the_walls(frame)


def off_the_walls(frame: Frame) -> float:
    """90 % of the points are not farther from a wall, metres."""
    height, width = frame.depth.shape
    rays = pixel_rays(height, width, frame.intrinsics)
    pose = frame.world_from_camera
    points = (rays * frame.depth[..., None])[frame.depth > 0] @ pose[:3, :3].T + pose[:3, 3]
    sides = np.abs(np.stack([points - small_scenes.LOW, points - small_scenes.HIGH]))
    return float(np.quantile(sides.min(axis=(0, 2)), 0.9))


def distorted(frame: Frame, lens: LensDistortion) -> Frame:
    """What a camera with a lens records: depth and colours of the directions that pixels see."""
    height, width = frame.depth.shape
    rays = pixel_rays(height, width, frame.intrinsics)
    seen = undistorted(rays[..., 0], rays[..., 1], lens)
    directions = np.concatenate([seen, np.ones_like(seen[..., :1])], axis=-1)
    pose = frame.world_from_camera
    turned = directions @ pose[:3, :3].T
    ends = np.where(turned > 0, small_scenes.HIGH - pose[:3, 3], small_scenes.LOW - pose[:3, 3])
    with np.errstate(divide="ignore"):
        depth = (ends / turned).min(axis=2)
    return Frame(frame.frame_id, depth.astype(np.float32), frame.color, frame.intrinsics, pose)
