"""Ray casting of a room: depth, colour and labels of frames, and points on its surfaces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.synthetic.rooms import Room
from pointcontrast.synthetic.sensor import measured_color, measured_depth
from pointcontrast.synthetic.textures import TextureTable
from pointcontrast.types import Frame

_AMBIENT = 0.34
_HIDDEN = 0.01  # metres: a surface covered from less than this distance is hidden


@dataclass(frozen=True)
class LabelledFrame:
    """A frame with the labels of each pixel.

    Attributes:
        frame: Depth, colour, intrinsics and pose.
        semantic: (H, W) int32 class ids, -1 where the depth is 0.
        instance: (H, W) int32 instance ids, -1 where the depth is 0.
    """

    frame: Frame
    semantic: NDArray[np.int32]
    instance: NDArray[np.int32]


@dataclass(frozen=True)
class SurfacePoints:
    """Labelled points on the surfaces of a room.

    Attributes:
        points: (N, 3) float32 world metres.
        colors: (N, 3) uint8 RGB with lighting.
        normals: (N, 3) float32 unit vectors out of the solids.
        semantic: (N,) int32 class ids.
        instance: (N,) int32 instance ids.
    """

    points: NDArray[np.float32]
    colors: NDArray[np.uint8]
    normals: NDArray[np.float32]
    semantic: NDArray[np.int32]
    instance: NDArray[np.int32]


def pinhole(width: int, height: int, field_of_view: float) -> NDArray[np.float64]:
    """Return the (3, 3) pinhole matrix of a camera whose axis meets the centre of its image.

    Args:
        width: Width of the image, pixels.
        height: Height of the image, pixels.
        field_of_view: Horizontal field of view, degrees, from 1 to 170.

    Raises:
        InputError: A size below 1, or a field of view out of range.
    """
    if width < 1 or height < 1 or not 1 <= field_of_view <= 170:
        raise InputError(
            f"an image of {width}x{height} pixels at {field_of_view} degrees cannot be rendered; "
            "give sizes of at least 1 and a field of view from 1 to 170"
        )
    focal = width / 2 / np.tan(np.radians(field_of_view) / 2)
    return np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1.0]])


class Renderer:
    """Casts rays into one room (with Embree, by Open3D)."""

    def __init__(self, room: Room) -> None:
        import open3d as o3d  # slow to import, and needs system libraries

        self.room = room
        self._tensor: Any = o3d.core.Tensor.from_numpy
        self._textures = TextureTable(room.materials)
        self._new_scene: Any = o3d.t.geometry.RaycastingScene
        self._scene = self._scene_of(room.vertices)
        vertices = np.concatenate([room.vertices, room.normals, room.texture_coordinates], axis=1)
        self._corners = vertices[room.triangles]  # (T, 3, 9), contiguous for one fast look-up

    def frame(
        self,
        world_from_camera: NDArray[np.float64],
        intrinsics: NDArray[np.float64],
        size: tuple[int, int],
        frame_id: str = "frame-000000",
        rng: np.random.Generator | None = None,
    ) -> LabelledFrame:
        """Render one posed image.

        Args:
            world_from_camera: (4, 4) float64 pose, metres.
            intrinsics: (3, 3) pinhole matrix, pixels; pixel centres are whole numbers.
            size: Width and height, pixels.
            frame_id: Name of the frame.
            rng: Source of the sensor noise; None for a perfect sensor.

        Returns:
            The frame. Its depth is in whole millimetres, as the file format stores it.
        """
        width, height = size
        u, v = np.meshgrid(np.arange(width), np.arange(height))
        pixels = np.stack([u, v, np.ones_like(u)], axis=-1).reshape(-1, 3)
        rotation, eye = world_from_camera[:3, :3], world_from_camera[:3, 3]
        # Directions with z = 1 in the camera frame: the ray parameter of a hit is its depth.
        directions = pixels @ np.linalg.inv(intrinsics).T @ rotation.T
        rays = np.concatenate([np.broadcast_to(eye, directions.shape), directions], axis=1)
        hits = self._cast(rays)
        depth = hits["t_hit"]
        seen = np.isfinite(depth)
        depth = np.where(seen, depth, 0).astype(np.float32).reshape(height, width)
        triangles = np.where(seen, hits["primitive_ids"], 0).astype(np.int64)
        _, normals, colors = self._lit(triangles, hits["primitive_uvs"])
        colors = np.where(seen[:, None], colors, 0).reshape(height, width, 3)
        if rng is not None:
            facing = np.abs(_dot(normals, directions)) / np.sqrt(_dot(directions, directions))
            depth = measured_depth(depth, facing.reshape(height, width), rng)
            colors = measured_color(colors, rng)
        depth = (np.round(depth * 1000) / 1000).astype(np.float32)
        semantic = self.room.semantic[triangles].reshape(height, width)
        instance = self.room.instance[triangles].reshape(height, width)
        return LabelledFrame(
            frame=Frame(
                frame_id=frame_id,
                depth=depth,
                color=np.round(255 * np.clip(colors, 0, 1)).astype(np.uint8),
                intrinsics=intrinsics,
                world_from_camera=world_from_camera,
            ),
            semantic=np.where(depth > 0, semantic, -1).astype(np.int32),
            instance=np.where(depth > 0, instance, -1).astype(np.int32),
        )

    def sample_points(self, density: float, rng: np.random.Generator) -> SurfacePoints:
        """Sample points evenly on the surfaces that are visible from inside the room.

        Surfaces less than a centimetre behind another one and surfaces inside a solid are left out:
        a scanner never sees them, and they belong to two objects at once.

        Args:
            density: Points per square metre, above 0.
            rng: Source of randomness.

        Raises:
            InputError: ``density`` is not above 0.
        """
        if not density > 0:
            raise InputError(f"density must be above 0 points per square metre, got {density}")
        corners = self._corners[:, :, :3].astype(np.float64)
        cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        area = np.linalg.norm(cross, axis=1) / 2
        # A whole number per triangle, on average proportional to its area.
        counts = np.floor(area * density + rng.uniform(size=len(area))).astype(np.int64)
        triangles = np.repeat(np.arange(len(area)), counts)
        share = rng.uniform(size=(len(triangles), 2))
        share = np.where(share.sum(axis=1, keepdims=True) > 1, 1 - share, share)
        flat = (cross / np.maximum(2 * area[:, None], 1e-12))[triangles]
        points = self._interpolated(triangles, share)[:, :3]
        visible = self._visible(points, flat)
        triangles, share = triangles[visible], share[visible].astype(np.float32)
        points, normals, colors = self._lit(triangles, share)
        return SurfacePoints(
            points=points.astype(np.float32),
            colors=np.round(255 * np.clip(colors, 0, 1)).astype(np.uint8),
            normals=normals.astype(np.float32),
            semantic=self.room.semantic[triangles],
            instance=self.room.instance[triangles],
        )

    def _visible(
        self, points: NDArray[np.floating], normals: NDArray[np.floating]
    ) -> NDArray[np.bool_]:
        """Return the mask of surface points (N, 3) that are uncovered and outside every solid.

        Surfaces are counted along a ray from each point. Solids are closed, so the ray leaves as
        many as it enters, and one more for each solid that contains the point. Finally it enters
        the shell of the room.
        """
        # Where two solids touch, Open3D reports only one of the two surfaces at the same distance.
        # Every part is therefore enlarged or shrunk by a different fraction of 0.2 mm.
        part = np.zeros(len(self.room.vertices), dtype=np.int64)
        part[self.room.triangles] = self.room.material[:, None]
        swell = 4e-4 * ((part * 0.618034) % 1 - 0.5)  # the golden ratio keeps neighbours apart
        moved = self.room.vertices + swell[:, None] * self.room.normals
        scene = self._scene_of(moved.astype(np.float32))
        rays = np.concatenate([points + 1e-3 * normals, normals], axis=1).astype(np.float32)
        found = scene.list_intersections(self._tensor(rays))
        ray = found["ray_ids"].numpy().astype(np.int64)
        corners = self._corners[:, :, :3]
        out = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        leaves = np.sign(_dot(out[found["primitive_ids"].numpy()], normals[ray]))
        depth_inside = 1 + np.bincount(ray, weights=leaves, minlength=len(points))
        near = found["t_hit"].numpy() < _HIDDEN
        covered = np.bincount(ray, weights=near, minlength=len(points)) > 0
        return (depth_inside < 0.5) & ~covered

    def _scene_of(self, vertices: NDArray[np.float32]) -> Any:
        """Build a ray-casting scene of the room's triangles with corners at ``vertices``."""
        scene = self._new_scene()
        triangles = self.room.triangles.astype(np.uint32)
        scene.add_triangles(self._tensor(vertices), self._tensor(triangles))
        return scene

    def _cast(self, rays: NDArray[np.floating]) -> dict[str, NDArray]:
        """Return the nearest hits of rays (N, 6), origin and direction, world metres."""
        tensor = self._tensor(np.ascontiguousarray(rays, dtype=np.float32))
        return {name: value.numpy() for name, value in self._scene.cast_rays(tensor).items()}

    def _interpolated(
        self, triangles: NDArray[np.int64], share: NDArray[np.floating]
    ) -> NDArray[np.floating]:
        """Interpolate position, normal, texture coordinates (N, 9); ``share`` of corners 1, 2."""
        u, v = share[:, 0].astype(np.float32), share[:, 1].astype(np.float32)
        return np.einsum(
            "nk,nkc->nc", np.stack([1 - u - v, u, v], axis=1), self._corners[triangles]
        )

    def _lit(
        self, triangles: NDArray[np.int64], share: NDArray
    ) -> tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating]]:
        """Return world points, unit normals and lit display colours (0..1) on triangles."""
        room = self.room
        values = self._interpolated(triangles, share)
        points, normals, coordinates = values[:, :3], values[:, 3:6], values[:, 6:]
        normals = normals / np.sqrt(_dot(normals, normals))[:, None]
        which = room.material[triangles]
        surface = self._textures.color(which, coordinates) ** 2  # gamma 2: linear light
        glow = self._textures.glow[which]
        # Ambient light comes more from the pale ceiling than from the floor.
        light = np.repeat(_AMBIENT * (0.8 + 0.2 * normals[:, 2:]), 3, axis=1)
        for source in room.lights:
            share_of_light = self._received(points, normals, source.position, source.direction)
            light += share_of_light[:, None] * source.color.astype(np.float32)
        linear = surface * ((1 - glow)[:, None] * light + glow[:, None])
        return points, normals, np.sqrt(linear / (1 + 0.25 * linear))

    def _received(
        self,
        points: NDArray[np.floating],
        normals: NDArray[np.floating],
        light: NDArray[np.float64],
        direction: NDArray[np.float64] | None,
    ) -> NDArray[np.floating]:
        """Return the fraction (N,) of a light's intensity that reaches points."""
        towards = light.astype(np.float32) - points
        away = np.sqrt(_dot(towards, towards))
        falling = np.clip(_dot(normals, towards), 0, None) / (away * (1 + (away / 2.5) ** 2) + 1e-6)
        if direction is not None:
            falling *= np.clip(-towards @ direction.astype(np.float32), 0, None) / (away + 1e-6)
        lit = np.flatnonzero(falling > 0.02)
        # Rays start off the surface and end before the lamp, which would shade itself.
        rays = np.concatenate([points[lit] + 2e-3 * normals[lit], towards[lit]], axis=1)
        tensor = self._tensor(np.ascontiguousarray(rays, dtype=np.float32))
        blocked = self._scene.test_occlusions(tensor, tnear=0.0, tfar=0.98).numpy()
        falling[lit[blocked]] *= 0.12  # light reflected by the walls
        return falling


def _dot(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray:
    """Return the dot products (N,) of two arrays of vectors (N, 3)."""
    return np.einsum("nc,nc->n", first, second)
