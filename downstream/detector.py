"""Detection of the objects in a cloud."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from downstream.network import Network
from downstream.samples import SampleMaker, collate_samples
from downstream.tasks.detection import Detection
from downstream.types import DetectedBoxes, LabelledCloud


@dataclass(frozen=True, kw_only=True)
class Detector:
    """Detects the objects in clouds.

    Attributes:
        network: Network in evaluation mode, on the device to use.
        task: Task that turns proposals into detections.
        maker: Converts clouds to samples, without augmentation.
    """

    network: Network
    task: Detection
    maker: SampleMaker

    @torch.inference_mode()
    def __call__(self, cloud: LabelledCloud) -> DetectedBoxes:
        """Detect the objects in one cloud, in its frame.

        Raises:
            InputError: the cloud is empty or lacks what the features need, or an output of the
                network is not finite.
        """
        device = next(self.network.parameters()).device
        batch = collate_samples([self.maker(cloud, None)]).to(device)
        return self.task.detect(self.network(batch), batch.names, [cloud.points])[0]
