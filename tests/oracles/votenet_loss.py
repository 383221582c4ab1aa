"""VoteNet's loss as loops over proposals and boxes, from its paper's text and published code.

facebookresearch/votenet ``models/loss_helper.py``. One sample at a time, plain Python numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def log_softmax(values: Array, row: int) -> float:
    return float(values[row] - np.log(np.exp(values - values.max()).sum()) - values.max())


def huber(error: float) -> float:
    return 0.5 * error**2 if abs(error) <= 1 else abs(error) - 0.5


def votenet_loss(
    samples: Sequence[dict[str, Array]], mean_sizes: Array, num_bins: int
) -> dict[str, float]:
    """The terms and the total.

    Args:
        samples: each with ``votes`` (S, 3), ``candidates`` (S, 3) rows of boxes (-1 none),
            ``centers`` (P, 3), ``outputs`` (P, K) and ``boxes`` (B, 8).
        mean_sizes: (C, 3).
        num_bins: of the heading.
    """
    num_classes = len(mean_sizes)
    names = ["vote", "objectness", "to_box", "to_proposal", "heading_class", "heading_rest"]
    names += ["size_class", "size_rest", "class"]
    sums = {name: [0.0, 0.0] for name in names}

    def add(name: str, value: float) -> None:
        sums[name][0] += value
        sums[name][1] += 1

    for sample in samples:
        boxes = sample["boxes"]
        for vote, rows in zip(sample["votes"], sample["candidates"], strict=True):
            gaps = [np.abs(vote - boxes[int(row), :3]).sum() for row in rows if row >= 0]
            if gaps:
                add("vote", min(gaps))
        predicted = []
        for center, out in zip(sample["centers"], sample["outputs"], strict=True):
            predicted.append(center + out[2:5])
            gaps = [math.dist(center, box[:3]) for box in boxes]
            nearest = min(gaps, default=math.inf)
            is_object = math.sqrt(nearest**2 + 1e-6) < 0.3 if gaps else False
            if is_object or nearest > 0.6:
                weight = 0.8 if is_object else 0.2
                add("objectness", -weight * log_softmax(out[:2], int(is_object)))
            if not is_object:
                continue
            box = boxes[int(np.argmin(gaps))]
            size, yaw, row = box[3:6], box[6], int(box[7])
            add("to_box", min(((predicted[-1] - b[:3]) ** 2).sum() for b in boxes))
            turn = yaw % (2 * math.pi)
            width = 2 * math.pi / num_bins
            bin_ = int(((turn + width / 2) % (2 * math.pi)) / width)
            rest = (turn + width / 2) % (2 * math.pi) - (bin_ * width + width / 2)
            at = 5
            add("heading_class", -log_softmax(out[at : at + num_bins], bin_))
            at += num_bins
            add("heading_rest", huber(out[at + bin_] - rest / (width / 2)))
            at += num_bins
            add("size_class", -log_softmax(out[at : at + num_classes], row))
            at += num_classes
            wanted = (size - mean_sizes[row]) / mean_sizes[row]
            found = out[at + 3 * row : at + 3 * row + 3]
            add("size_rest", np.mean([huber(f - w) for f, w in zip(found, wanted, strict=True)]))
            at += 3 * num_classes
            add("class", -log_softmax(out[at:], row))
        for box in boxes:
            add("to_proposal", min(((p - box[:3]) ** 2).sum() for p in predicted))
    mean = {name: total / (count + 1e-6) for name, (total, count) in sums.items()}
    terms = {
        "vote": mean["vote"],
        "objectness": mean["objectness"],
        "center": mean["to_box"] + mean["to_proposal"],
        "heading": 0.1 * mean["heading_class"] + mean["heading_rest"],
        "size": 0.1 * mean["size_class"] + mean["size_rest"],
        "class": mean["class"],
    }
    box = terms["center"] + terms["heading"] + terms["size"]
    terms["loss"] = 10 * (terms["vote"] + 0.5 * terms["objectness"] + box + 0.1 * terms["class"])
    return terms
