"""From a cloud to the boxes of its objects."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from downstream.collate import collate_samples
from downstream.network import Network
from downstream.samples import SampleMaker
from downstream.tasks.detection import Detection
from downstream.types import DetectedBoxes, LabelledCloud


@dataclass(frozen=True, kw_only=True)
class Detector:
    """Runs a network that detects.

    Attributes:
        network: in evaluation mode, on the device to use.
        task: turns proposals into detections.
        maker: makes samples; without augmentation.
    """

    network: Network
    task: Detection
    maker: SampleMaker

    @torch.inference_mode()
    def __call__(self, cloud: LabelledCloud) -> DetectedBoxes:
        """Detect the objects of one cloud, in its frame.

        Raises:
            InputError: the cloud voxelises to nothing, lacks what the features need, or the
                network's outputs are not finite.
        """
        device = next(self.network.parameters()).device
        batch = collate_samples([self.maker(cloud, None)]).to(device)
        return self.task.detect(self.network(batch), batch.names, [cloud.points])[0]
