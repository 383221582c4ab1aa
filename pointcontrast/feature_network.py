"""Features of point clouds by a pretrained network: :func:`load`, the front door of the package.

``network = pointcontrast.load("runs/demo/TIME")`` and then ``network(points, colors)``.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from pointcontrast.backbones import Backbone
from pointcontrast.data.array_clouds import ArrayClouds, Arrays, read_clouds
from pointcontrast.data.blocks import Block, overlapping_blocks
from pointcontrast.data.collate import collate_views
from pointcontrast.data.network_input import FeatureName, NetworkInput
from pointcontrast.errors import InputError
from pointcontrast.geometry import unit_vector
from pointcontrast.runs.batch_norm import measure_batch_norm, recalibrated_batch_norm
from pointcontrast.sparse import EngineName
from pointcontrast.types import Cloud, PointCloud, VoxelizedView
from pointcontrast.weights.backbone_file import build_backbone
from pointcontrast.weights.backbone_header import NETWORK_FORMAT, BackboneMetadata
from pointcontrast.weights.convert import GivenFacts, read_network
from pointcontrast.weights.pretrained import local_weights

MAX_VOXELS = 2_000_000
OVERLAP = 1.0
FLOOR_PERCENTILE = 1.0
"""Of the heights: a few points lie below the floor (reflections, noise)."""

BatchNormStatistics = Literal["file", "input"]


@dataclass(frozen=True, kw_only=True)
class VoxelFeatures:
    """Features of the M voxels of one cloud of N points.

    Attributes:
        features: (M, C) float32; a tensor on the points' device where these are a tensor, as is
            every other attribute.
        points: (M, 3) coordinates of the point that each voxel keeps, its first, in the frame of
            the input: float32, or float64 for coordinates beyond 1 km.
        inverse: (N,) int64 voxel of each point: ``features[inverse]`` has a row per point.
    """

    features: Any
    points: Any
    inverse: Any


class FeatureNetwork:
    """A pretrained network as a function from points to features; made by :func:`load`.

    The points are centred, and stood upright where the network was trained with rotations about
    the vertical; a voxel takes the colour and normal of its first point. There is no augmentation.

    Attributes:
        backbone: The network, in evaluation mode, on :attr:`device`.
        network_input: How points become its input: voxel size and input features.
        metadata: What the weights' file says about them, with their origin.
    """

    def __init__(
        self, backbone: Backbone, metadata: BackboneMetadata, device: torch.device | str | None
    ) -> None:
        """Take a network in evaluation mode to ``device``; None is a GPU if there is one."""
        if device is None:
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self.backbone = backbone.eval().to(device)
        self.metadata = metadata
        self.network_input: NetworkInput = metadata.network_input

    @property
    def device(self) -> torch.device:
        """Device that the network runs on."""
        return next(self.backbone.parameters()).device

    @property
    def voxel_size(self) -> float:
        """Edge of a voxel in metres, as in training."""
        return self.network_input.voxel_size

    @property
    def num_features(self) -> int:
        """Channels C of the features."""
        return self.backbone.out_channels or self.backbone.num_features

    def __repr__(self) -> str:
        """One line: class, channels, input, device."""
        return (
            f"FeatureNetwork({type(self.backbone).__name__}, {self.num_features} features from "
            f"{' and '.join(self.network_input.features)} at {self.voxel_size:g} m voxels, "
            f"{self.device})"
        )

    def __call__(
        self,
        points: Arrays,
        colors: Arrays | None = None,
        *,
        normals: Arrays | None = None,
        up: ArrayLike = (0.0, 0.0, 1.0),
        floor_height: float | None = None,
        batch_norm: BatchNormStatistics = "file",
        max_voxels: int = MAX_VOXELS,
        overlap: float = OVERLAP,
    ) -> Any:
        """Compute a feature vector for each point.

        Args:
            points: (N, 3) metres: a list, an array, or a tensor on any device; or a sequence of
                such clouds.
            colors: (N, 3) RGB: uint8, or floats 0..1 or 0..255, told apart by their range; needed
                by networks with the input feature ``color``. A sequence for several clouds.
            normals: (N, 3) unit vectors; needed by networks with the input feature ``normal``.
            up: (3,) up direction of the clouds. Matters to networks trained with rotations about
                the vertical and to the input feature ``height``.
            floor_height: Height of the floor along ``up`` in metres, for the input feature
                ``height``; None takes the 1st percentile of each cloud.
            batch_norm: Statistics of batch norm: ``file`` takes those of training, ``input``
                measures them on the clouds of this call: for data unlike those of training, and
                for comparing networks fairly.
            max_voxels: A cloud with more voxels goes through the network in overlapping blocks.
            overlap: Width in metres of the surroundings that a block sees around its own part.

        Returns:
            (N, C) float32, one row per input point: an array, or a tensor on the points' device
            where these are a tensor. A list of those for several clouds.

        Raises:
            InputError: An array is not as described, is empty, not finite or in half precision;
                colours or normals that the network needs are missing; the cloud is too large for
                its voxels to be numbered or to be cut into blocks. The message names the argument
                and the fix.
        """
        clouds = read_clouds(points, colors, normals, self.voxel_size)
        found = [
            clouds.like_input(i, features[inverse])
            for i, (features, _, inverse) in enumerate(
                self._run(clouds, up, floor_height, batch_norm, max_voxels, overlap)
            )
        ]
        return found[0] if clouds.is_single else found

    def voxels(
        self,
        points: Arrays,
        colors: Arrays | None = None,
        *,
        normals: Arrays | None = None,
        up: ArrayLike = (0.0, 0.0, 1.0),
        floor_height: float | None = None,
        batch_norm: BatchNormStatistics = "file",
        max_voxels: int = MAX_VOXELS,
        overlap: float = OVERLAP,
    ) -> Any:
        """Compute a feature vector for each voxel.

        Args:
            points: As for a call of the network, as are all other arguments.
            colors: See there.
            normals: See there.
            up: See there.
            floor_height: See there.
            batch_norm: See there.
            max_voxels: See there.
            overlap: See there.

        Returns:
            :class:`VoxelFeatures`, or a list of them for several clouds.

        Raises:
            InputError: As for a call of the network.
        """
        clouds = read_clouds(points, colors, normals, self.voxel_size)
        found = [
            VoxelFeatures(
                features=clouds.like_input(i, features),
                points=clouds.like_input(i, clouds.in_input_frame(i, kept)),
                inverse=clouds.like_input(i, inverse),
            )
            for i, (features, kept, inverse) in enumerate(
                self._run(clouds, up, floor_height, batch_norm, max_voxels, overlap)
            )
        ]
        return found[0] if clouds.is_single else found

    def encode(
        self, cloud: Cloud, up: NDArray[np.float64], floor_height: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Encode a view of a prepared scene, as pretraining's validation does.

        Args:
            cloud: The view, world metres.
            up: (3,) unit vector, the scene's up direction.
            floor_height: Height of the floor along ``up``, metres.

        Returns:
            Points (M, 3) of the voxels in world metres, and features (M, C).
        """
        view = self.network_input(cloud, up, floor_height)
        return view.points, self._encode(view).cpu().numpy()

    def with_random_weights(self, seed: int) -> FeatureNetwork:
        """The same network with the random weights of ``seed``, for comparison."""
        with torch.random.fork_rng(devices=[]):  # the global generator is left as it was
            torch.manual_seed(seed)
            engine = cast(EngineName, self.backbone.engine_name)
            backbone = build_backbone(self.metadata, engine)
        return FeatureNetwork(backbone, self.metadata, self.device)

    def calibrate(
        self, clouds: Sequence[Cloud], up: NDArray[np.float64], floor_height: float
    ) -> None:
        """Measure batch norm's statistics on views of a scene, all in one pass, for good.

        Where the views are too small for that (one voxel on some level), the statistics stay as
        they are and the log says so.
        """
        views = [self.network_input(cloud, up, floor_height) for cloud in clouds]
        try:
            measure_batch_norm(self.backbone, [partial(self._encode, *views)])
        except ValueError as error:
            logging.getLogger(__name__).warning("batch norm's statistics stay: %s", error)

    def _run(
        self,
        clouds: ArrayClouds,
        up: ArrayLike,
        floor_height: float | None,
        batch_norm: BatchNormStatistics,
        max_voxels: int,
        overlap: float,
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]]:
        """Features (M, C) of the voxels, their points (M, 3), and the voxel of each point (N,)."""
        if batch_norm not in ("file", "input"):
            raise InputError(f"batch_norm {batch_norm!r} must be 'file' or 'input'")
        direction = unit_vector(up, "up")
        clouds.require(self.network_input.features)
        floors = [
            _floor(cloud, direction)
            if floor_height is None
            else floor_height - float(origin @ direction)
            for cloud, origin in zip(clouds.clouds, clouds.origins, strict=True)
        ]
        views = [
            self.network_input.with_inverse(cloud, direction, floor)
            for cloud, floor in zip(clouds.clouds, floors, strict=True)
        ]
        margin = int(np.ceil(overlap / self.voxel_size))
        blocks = [overlapping_blocks(view.coordinates, max_voxels, margin) for view, _ in views]
        with self._statistics(batch_norm, [view for view, _ in views], blocks):
            for (view, inverse), parts in zip(views, blocks, strict=True):
                yield self._encode_blocks(view, parts), view.points, inverse

    @contextmanager
    def _statistics(
        self, which: str, views: list[VoxelizedView], blocks: list[list[Block]]
    ) -> Iterator[None]:
        if which == "file":
            yield
            return
        passes = [
            partial(self._encode, _rows_of(view, block.rows))
            for view, parts in zip(views, blocks, strict=True)
            for block in parts
        ]
        try:
            with recalibrated_batch_norm(self.backbone, passes):
                yield
        except ValueError as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"batch_norm='input' needs larger clouds ({error}); take batch_norm='file'"
            ) from None

    def _encode_blocks(self, view: VoxelizedView, blocks: list[Block]) -> NDArray[np.float32]:
        if len(blocks) == 1:
            return self._encode(view).cpu().numpy()
        features = np.empty((len(view.coordinates), self.num_features), np.float32)
        for block in blocks:
            found = self._encode(_rows_of(view, block.rows)).cpu().numpy()
            features[block.rows[block.core]] = found[block.core]
        return features

    @torch.no_grad()  # not inference_mode: probes are trained on what comes out
    def _encode(self, *views: VoxelizedView) -> torch.Tensor:
        """(M, C) features of the views in one pass."""
        batch = collate_views(list(views)).to(self.device)
        return self.backbone.encode(batch.coordinates, batch.features).float()


def load(
    source: str | os.PathLike[str],
    *,
    device: torch.device | str | None = None,
    engine: EngineName = "auto",
    sha256: str | None = None,
    voxel_size: float | None = None,
    features: Sequence[FeatureName] | None = None,
    finetuned: bool = False,
) -> FeatureNetwork:
    """Load a pretrained network as a function from points to features.

    Args:
        source: A run's folder, a backbone file, an ``http(s)`` address, or a ``.pth`` of the
            released PointContrast or one of its relatives (``docs/weights.md``).
        device: Device to run on; None is a GPU if there is one, else the CPU.
        engine: Sparse engine: ``auto``, ``native`` or ``minkowski``.
        sha256: SHA-256 that the file must have; see
            :func:`pointcontrast.weights.pretrained.from_pretrained`.
        voxel_size: Voxel size in metres, for a ``.pth`` that does not record it.
        features: Input features, for a ``.pth`` that does not record them.
        finetuned: Accept a finetuned network, for the features of its backbone's last level.

    Raises:
        InputError: The file is absent, damaged or of another kind, or does not record how the
            network is fed and the arguments do not say so.
    """
    path = local_weights(source if isinstance(source, str) else Path(source), sha256)
    found = read_network(
        path, "auto", GivenFacts(voxel_size=voxel_size, features=features), engine=engine
    )
    if found.weights.source.get("format") == NETWORK_FORMAT and not finetuned:
        raise InputError(
            f"{path} is a finetuned network; downstream.load({str(source)!r}) predicts with it, "
            "and pointcontrast.load(..., finetuned=True) gives the features of its backbone"
        )
    if found.backbone.arguments.get("dimension", 3) != 3:
        raise InputError(
            f"{path} is of a network in space and time, which takes clips; build it with "
            "pointcontrast.load_backbone and give it coordinates with a time column"
        )
    return FeatureNetwork(found.backbone, found.metadata, device)


def _floor(cloud: PointCloud, up: NDArray[np.float64]) -> float:
    return float(np.percentile(cloud.points @ up.astype(np.float32), FLOOR_PERCENTILE))


def _rows_of(view: VoxelizedView, rows: NDArray[np.int64]) -> VoxelizedView:
    return VoxelizedView(view.coordinates[rows], view.features[rows], view.points[rows])
