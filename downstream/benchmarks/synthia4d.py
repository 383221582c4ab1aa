"""Synthia4D: segmentation of street scenes over time, 12 classes; single frames or clips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from downstream.benchmarks.benchmark import Split
from downstream.benchmarks.cloud_preparation import CloudPreparation
from downstream.benchmarks.labelled_scenes import SceneBenchmark, existing_folders
from downstream.benchmarks.split_files import split_folder
from downstream.releases.synthia4d.classes import CLASS_NAMES
from downstream.releases.synthia4d.layout import read_split
from downstream.types import LabelledCloud
from pointcontrast.errors import InputError


class Synthia4D(SceneBenchmark):
    """Folders ``<root>/<sequence>/<frame>`` of ``datasets/synthia4d.py frames``.

    With ``frames_per_clip`` 1 a cloud is a frame, as in the paper (3D kernels, no time). With more
    it is a clip for a backbone of dimension 4: every ``frame_step``-th frame of a part of a
    sequence. Clips share no frame, so that each frame is scored once.
    """

    class_names = CLASS_NAMES

    def __init__(
        self,
        root: str,
        frames_per_clip: int = 1,
        frame_step: int = 1,
        evaluation_crop: float = 25.0,
        split_file: str | None = None,
    ) -> None:
        """Read frames from ``root``.

        Args:
            root: Folder of labelled scenes.
            frames_per_clip: Frames per cloud.
            frame_step: Step between the frames of a clip.
            evaluation_crop: Half the edge, metres, of the crop about the cloud's centre that is
                evaluated; 0 for no crop (``TEST_CLIP_BOUND`` of SpatioTemporalSegmentation
                ``lib/datasets/synthia.py``).
            split_file: Split; None for the official ``datasets/splits/synthia4d_cvpr19.json``.
        """
        super().__init__(
            root,
            frames_per_clip=frames_per_clip,
            frame_step=frame_step,
            evaluation_crop=evaluation_crop,
            split_file=split_file,
        )
        if not evaluation_crop >= 0:
            raise InputError(f"evaluation_crop {evaluation_crop} must not be negative (metres)")
        self.evaluation_crop = evaluation_crop
        if min(frames_per_clip, frame_step) < 1:
            raise InputError(
                f"frames_per_clip {frames_per_clip} and frame_step {frame_step} must be 1 or more"
            )
        self.frames_per_clip = frames_per_clip
        self.frame_step = frame_step
        self.split_file = split_file
        self._clips: dict[str, list[str]] = {}

    @property
    def preparation(self) -> CloudPreparation:
        """Clips have frame numbers."""
        return CloudPreparation(has_time=self.frames_per_clip > 1)

    def names(self, split: Split) -> list[str]:
        """List frames, such as ``SYNTHIA-SEQS-05-FOG/000010``; a clip is named by its first."""
        path = self.split_file or split_folder() / "synthia4d_cvpr19.json"
        listed = [
            f"{sequence}/{frame}"
            for sequence, frames in read_split(Path(path), split).items()
            for frame in frames
        ]
        found = existing_folders(self.root, sorted(listed), f"frames of the {split} split")
        sequences: dict[str, list[str]] = {}
        for name in found:
            sequences.setdefault(name.rpartition("/")[0], []).append(name)
        stretch = self.frames_per_clip * self.frame_step
        clips = [
            clip
            for frames in sequences.values()
            for start in range(0, len(frames), stretch)
            for offset in range(self.frame_step)
            if (clip := frames[start : start + stretch][offset :: self.frame_step])
        ]
        self._clips |= {clip[0]: clip for clip in clips}
        return [clip[0] for clip in clips]

    def has_truth(self, name: str) -> bool:
        """Whether a frame, or every frame of a clip, has labels."""
        frames = self._clips.get(name, [name])
        return all(super(Synthia4D, self).has_truth(frame) for frame in frames)

    def read(self, name: str, rng: np.random.Generator | None = None) -> LabelledCloud:
        """Read one frame, or one clip with frame numbers as time."""
        cloud = super().read(name, rng) if self.frames_per_clip == 1 else self._clip(name, rng)
        if rng is not None or not self.evaluation_crop:
            return cloud  # the augmentation of training crops
        low, high = cloud.points.min(axis=0), cloud.points.max(axis=0)
        away = np.abs(cloud.points - (low + high) / 2)
        return cloud[(away <= self.evaluation_crop).all(axis=1)]

    def _clip(self, name: str, rng: np.random.Generator | None) -> LabelledCloud:
        read = [super(Synthia4D, self).read(frame, rng) for frame in self._clips[name]]
        frames = [_in_frame_of(read[0], frame) for frame in read]
        time = np.repeat(np.arange(len(frames), dtype=np.int32), [len(frame) for frame in frames])
        return replace(
            frames[0],
            points=np.concatenate([frame.points for frame in frames]),
            colors=np.concatenate([f.colors for f in frames if f.colors is not None]),
            labels=np.concatenate([f.labels for f in frames if f.labels is not None]),
            normals=None,
            time=time,
            floor_height=min(frame.floor_height for frame in frames),
        )


def _in_frame_of(first: LabelledCloud, cloud: LabelledCloud) -> LabelledCloud:
    """Move a cloud to the origin of another one of the same upright frame."""
    poses = [
        np.eye(4) if c.source_from_cloud is None else c.source_from_cloud for c in (first, cloud)
    ]
    shift = (poses[1][:3, 3] - poses[0][:3, 3]) @ poses[0][:3, :3]
    if not shift.any():
        return cloud
    points = (cloud.points + shift).astype(np.float32)
    return replace(
        cloud,
        points=points,
        floor_height=cloud.floor_height + float(shift[2]),
        source_from_cloud=first.source_from_cloud,
    )
