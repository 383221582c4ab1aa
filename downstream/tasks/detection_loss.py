"""The loss of VoteNet: votes, objectness, boxes, classes.

facebookresearch/votenet ``models/loss_helper.py``, unchanged in PointContrast
``downstream/votenet_det_new/models/loss_helper.py``. Deviations: padding of the boxes is never
nearest to a proposal (in VoteNet it is a box at the origin), and the number of boxes of a sample
is not limited (in VoteNet to 64).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from downstream.tasks.box_coding import BoxCoding, RawProposals
from downstream.types import IGNORE, LabelledBatch, Proposals
from pointcontrast.losses import LossOutput

NEAR = 0.3
"""Distance to a box's centre, metres, below which a proposal is an object."""
FAR = 0.6
"""Distance to all centres, metres, above which it is none; objectness ignores those between."""
OBJECTNESS_WEIGHTS = (0.2, 0.8)
"""Weights of the classes no object and object."""
SCALE = 10.0
"""Factor of the whole loss."""

_EPSILON = 1e-6


def detection_loss(proposals: Proposals, coding: BoxCoding, batch: LabelledBatch) -> LossOutput:
    """Compute the loss 10 (vote + 0.5 objectness + box + 0.1 class).

    Args:
        proposals: Proposals of the batch.
        coding: Meaning of their outputs.
        batch: Batch, of which boxes and box_rows are read.

    Returns:
        The loss, and as terms the unweighted ``vote``, ``objectness``, ``center``, ``heading``,
        ``size``, ``class``, and ``objects``, the fraction of proposals that are objects.
    """
    boxes = batch.boxes
    if not boxes.shape[1]:  # no sample has a box: one row of padding
        boxes = F.pad(boxes, (0, 0, 0, 1))
        boxes[..., 7] = IGNORE
    real = boxes[..., 7] != IGNORE
    raw = coding.split(proposals.outputs)
    vote = vote_loss(proposals, boxes, batch)
    squares = _square_distances(proposals.centers.detach(), boxes, real)
    nearest, assigned = squares.min(dim=2)
    gap = (nearest + _EPSILON).sqrt()
    is_object = gap < NEAR
    objectness = _objectness_loss(raw.objectness, is_object, is_object | (gap > FAR))
    parts = _box_losses(proposals, raw, coding, boxes, real, assigned, is_object)
    box = parts["center"] + parts["heading"] + parts["size"]
    loss = SCALE * (vote + 0.5 * objectness + box + 0.1 * parts["class"])
    terms = {"vote": vote, "objectness": objectness, **parts, "objects": is_object.float().mean()}
    return LossOutput(loss=loss, terms={name: value.detach() for name, value in terms.items()})


def vote_loss(proposals: Proposals, boxes: torch.Tensor, batch: LabelledBatch) -> torch.Tensor:
    """Mean L1 distance from the votes of points on objects to the nearest of their centres.

    Args:
        proposals: Proposals, of which seeds and votes are read.
        boxes: (B, K, 8) ground-truth boxes.
        batch: Batch, whose ``box_rows`` name the boxes that each voxel may vote for.
    """
    rows = batch.box_rows[proposals.seeds].long()  # (B, S, 3)
    samples = torch.arange(len(boxes), device=rows.device)[:, None, None]
    targets = boxes[samples, rows.clamp(min=0), :3]
    gaps = (proposals.votes[:, :, None] - targets).abs().sum(dim=-1)
    gaps = gaps.masked_fill(rows < 0, torch.inf).amin(dim=2)
    votes = rows[..., 0] >= 0
    return _mean_where(gaps.masked_fill(~votes, 0.0), votes)


def _objectness_loss(
    logits: torch.Tensor, is_object: torch.Tensor, counted: torch.Tensor
) -> torch.Tensor:
    weights = logits.new_tensor(OBJECTNESS_WEIGHTS)
    each = F.cross_entropy(
        logits.flatten(end_dim=1), is_object.flatten().long(), weights, reduction="none"
    )
    return _mean_where(each.view_as(counted), counted)


def _box_losses(
    proposals: Proposals,
    raw: RawProposals,
    coding: BoxCoding,
    boxes: torch.Tensor,
    real: torch.Tensor,
    assigned: torch.Tensor,
    is_object: torch.Tensor,
) -> dict[str, torch.Tensor]:
    """Compute the losses of centre, heading, size and class of proposals on objects."""
    samples = torch.arange(len(boxes), device=boxes.device)[:, None]
    own = boxes[samples, assigned]  # (B, P, 8)
    target = coding.encode(own)
    squares = _square_distances(proposals.centers + raw.center_offset, boxes, real)
    to_box = squares.amin(dim=2).masked_fill(~is_object, 0.0)
    to_proposal = squares.amin(dim=1).masked_fill(~real, 0.0)
    heading_rest = raw.heading_rests.gather(-1, target.heading_class[..., None]).squeeze(-1)
    rows = target.size_class[..., None, None].expand(*target.size_class.shape, 1, 3)
    size_rest = raw.size_rests.gather(-2, rows).squeeze(-2)

    def of_objects(each: torch.Tensor) -> torch.Tensor:
        return _mean_where(each, is_object)

    return {
        "center": of_objects(to_box) + _mean_where(to_proposal, real),
        "heading": 0.1 * of_objects(_cross_entropy(raw.heading_logits, target.heading_class))
        + of_objects(_huber(heading_rest, target.heading_rest)),
        "size": 0.1 * of_objects(_cross_entropy(raw.size_logits, target.size_class))
        + of_objects(_huber(size_rest, target.size_rest).mean(dim=-1)),
        "class": of_objects(_cross_entropy(raw.class_logits, target.size_class)),
    }


def _square_distances(
    points: torch.Tensor, boxes: torch.Tensor, real: torch.Tensor
) -> torch.Tensor:
    """Squared distances (B, P, K) from points (B, P, 3) to centres; infinite to padding."""
    squares = (points[:, :, None] - boxes[:, None, :, :3]).square().sum(dim=-1)
    return squares.masked_fill(~real[:, None], torch.inf)


def _cross_entropy(logits: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(logits.movedim(-1, 1), classes, reduction="none")


def _huber(found: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    return F.huber_loss(found, wanted, reduction="none", delta=1.0)


def _mean_where(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean of the values where ``mask`` is true; about 0, differentiable, if it nowhere is."""
    return (values * mask).sum() / (mask.sum() + _EPSILON)
