"""Coding of boxes: a bin and a residual of heading, a mean size and a residual of size.

The parameterisation of VoteNet (facebookresearch/votenet ``{sunrgbd,scannet}/model_util_*.py`` and
``models/proposal_module.py decode_scores``). Deviation: headings are counter-clockwise, as
everywhere in this project, while VoteNet's are clockwise. The first bin is centred on yaw 0 in
both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

NUM_OBJECTNESS = 2
NUM_CENTER = 3


@dataclass(frozen=True)
class CodedBoxes:
    """Boxes as classes and residuals. Any leading shape, here (K,).

    Attributes:
        heading_class: (K,) int64 bin of the heading.
        heading_rest: (K,) float32 residual in half bins, -1..1.
        size_class: (K,) int64 row of the mean size, that of the box's class.
        size_rest: (K, 3) float32 residual relative to the mean size.
    """

    heading_class: torch.Tensor
    heading_rest: torch.Tensor
    size_class: torch.Tensor
    size_rest: torch.Tensor


@dataclass(frozen=True)
class RawProposals:
    """Outputs of a network by their meaning. B samples, P proposals, H bins, C classes.

    Attributes:
        objectness: (B, P, 2) logits: no object, object.
        center_offset: (B, P, 3) metres from the cluster of votes to the centre of the box.
        heading_logits: (B, P, H).
        heading_rests: (B, P, H) residuals in half bins.
        size_logits: (B, P, C), one mean size per class.
        size_rests: (B, P, C, 3) residuals relative to the mean sizes.
        class_logits: (B, P, C).
    """

    objectness: torch.Tensor
    center_offset: torch.Tensor
    heading_logits: torch.Tensor
    heading_rests: torch.Tensor
    size_logits: torch.Tensor
    size_rests: torch.Tensor
    class_logits: torch.Tensor


class BoxCoding:
    """Conversion between boxes and the outputs of a network.

    Attributes:
        num_classes: Number of classes C, which is also the number of mean sizes.
        num_heading_bins: Number of heading bins H; 1 for axis-aligned boxes.
        num_outputs: Number of outputs per proposal.
        arguments: Arguments of the constructor, JSON values.
    """

    def __init__(self, mean_sizes: Sequence[Sequence[float]], num_heading_bins: int) -> None:
        """Code boxes relative to ``mean_sizes`` (C, 3) metres, one per class."""
        self.arguments = {
            "mean_sizes": [list(map(float, size)) for size in mean_sizes],
            "num_heading_bins": num_heading_bins,
        }
        self.mean_sizes = torch.tensor(mean_sizes, dtype=torch.float32)
        self.num_classes = len(self.mean_sizes)
        self.num_heading_bins = num_heading_bins
        self._widths = (
            NUM_OBJECTNESS,
            NUM_CENTER,
            num_heading_bins,
            num_heading_bins,
            self.num_classes,
            3 * self.num_classes,
            self.num_classes,
        )
        self.num_outputs = sum(self._widths)

    def encode(self, boxes: torch.Tensor) -> CodedBoxes:
        """Compute the targets of boxes (..., 8); those of padding are finite but meaningless.

        Without headings a rotated box is replaced by its enclosing axis-aligned box (VoteNet
        ``scannet/scannet_detection_dataset.py rotate_aligned_boxes``).
        """
        sizes, yaw = boxes[..., 3:6], boxes[..., 6]
        if self.num_heading_bins == 1:
            cosine, sine = yaw.cos().abs(), yaw.sin().abs()
            x, y, z = sizes.unbind(dim=-1)
            sizes = torch.stack([cosine * x + sine * y, sine * x + cosine * y, z], dim=-1)
            yaw = torch.zeros_like(yaw)
        width = 2 * math.pi / self.num_heading_bins
        heading_class = torch.round(yaw / width).long() % self.num_heading_bins
        rest = yaw - heading_class * width
        rest = torch.remainder(rest + math.pi, 2 * math.pi) - math.pi
        size_class = boxes[..., 7].long().clamp(min=0)
        mean = self.mean_sizes.to(boxes.device)[size_class]
        return CodedBoxes(heading_class, rest / (width / 2), size_class, sizes / mean - 1)

    def split(self, outputs: torch.Tensor) -> RawProposals:
        """Split outputs (B, P, num_outputs) by their meaning."""
        parts = list(outputs.split(self._widths, dim=-1))
        parts[5] = parts[5].unflatten(-1, (self.num_classes, 3))
        return RawProposals(*parts)

    def decode(self, raw: RawProposals, centers: torch.Tensor) -> torch.Tensor:
        """Decode boxes (B, P, 7).

        Args:
            raw: Outputs; the most probable bin and mean size are taken.
            centers: (B, P, 3) metres, centres of the clusters of votes.
        """
        bins = raw.heading_logits.argmax(dim=-1, keepdim=True)
        width = 2 * math.pi / self.num_heading_bins
        yaw = bins * width + raw.heading_rests.gather(-1, bins) * (width / 2)
        if self.num_heading_bins == 1:
            yaw = torch.zeros_like(yaw)
        yaw = torch.remainder(yaw + math.pi, 2 * math.pi) - math.pi
        size_class = raw.size_logits.argmax(dim=-1)
        rows = size_class[..., None, None].expand(*size_class.shape, 1, 3)
        rest = raw.size_rests.gather(-2, rows).squeeze(-2)
        sizes = self.mean_sizes.to(rest.device)[size_class] * (1 + rest)
        return torch.cat([centers + raw.center_offset, sizes.clamp(min=0), yaw], dim=-1)


def num_heading_bins(num_outputs: int, num_classes: int) -> int:
    """Compute the number of heading bins H from the number of outputs per proposal."""
    return (num_outputs - NUM_OBJECTNESS - NUM_CENTER - 5 * num_classes) // 2
