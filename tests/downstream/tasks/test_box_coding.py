from __future__ import annotations

import math

import pytest
import torch

from downstream.tasks.box_coding import BoxCoding

MEAN_SIZES = [[0.6, 0.5, 0.9], [2.0, 1.0, 0.8]]


def outputs_of(coding: BoxCoding, boxes: torch.Tensor) -> torch.Tensor:
    """What a perfect network puts out for boxes (K, 8) about which clusters lie 10 cm off."""
    target = coding.encode(boxes)
    bins, classes = coding.num_heading_bins, coding.num_classes
    rows = torch.arange(len(boxes))
    heading, rests = torch.zeros(2, len(boxes), bins).unbind()
    heading[rows, target.heading_class] = 9
    rests[rows, target.heading_class] = target.heading_rest
    size = torch.zeros(len(boxes), classes)
    size[rows, target.size_class] = 9
    size_rests = torch.zeros(len(boxes), classes, 3)
    size_rests[rows, target.size_class] = target.size_rest
    parts = [torch.zeros(len(boxes), 2), torch.full((len(boxes), 3), -0.1), heading, rests, size]
    return torch.cat([*parts, size_rests.flatten(1), size], dim=1)[None]


@pytest.mark.parametrize("bins", [1, 4, 12])
def test_boxes_come_back(bins: int) -> None:
    generator = torch.Generator().manual_seed(bins)
    boxes = torch.rand(200, 8, generator=generator) * 3 + 0.1
    boxes[:, 6] = (torch.rand(200, generator=generator) * 2 - 1) * math.pi if bins > 1 else 0
    boxes[:, 7] = torch.randint(0, 2, (200,), generator=generator)
    coding = BoxCoding(MEAN_SIZES, bins)
    outputs = outputs_of(coding, boxes)
    assert outputs.shape[-1] == coding.num_outputs == 2 + 3 + 2 * bins + 4 * 2 + 2
    found = coding.decode(coding.split(outputs), boxes[None, :, :3] + 0.1)[0]
    torch.testing.assert_close(found, boxes[:, :7], atol=1e-5, rtol=1e-5)


def test_rests_are_of_half_a_bin_and_of_the_mean_size() -> None:
    coding = BoxCoding(MEAN_SIZES, 12)
    width = 2 * math.pi / 12
    yaw = torch.tensor([0.0, width / 4, -width / 4, math.pi, -math.pi, 3 * width + 0.01])
    boxes = torch.zeros(6, 8)
    boxes[:, 3:6] = torch.tensor([1.2, 0.5, 0.45])
    boxes[:, 6] = yaw
    found = coding.encode(boxes)
    assert found.heading_class.tolist() == [0, 0, 0, 6, 6, 3]
    expected = torch.tensor([0, 0.5, -0.5, 0, 0, 0.01 / (width / 2)])
    torch.testing.assert_close(found.heading_rest, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.size_rest[0], torch.tensor([1.0, 0.0, -0.5]))


def test_without_headings_a_turned_box_is_enclosed() -> None:
    coding = BoxCoding(MEAN_SIZES, 1)
    box = torch.tensor([[0, 0, 0, 2.0, 1.0, 0.5, math.pi / 6, 1]])
    found = coding.encode(box)
    size = (found.size_rest[0] + 1) * torch.tensor(MEAN_SIZES[1])
    cosine, sine = math.cos(math.pi / 6), math.sin(math.pi / 6)
    by_hand = torch.tensor([2 * cosine + sine, 2 * sine + cosine, 0.5])
    torch.testing.assert_close(size, by_hand)
    assert found.heading_class.item() == found.heading_rest.item() == 0


def test_a_size_below_nothing_is_none() -> None:
    coding = BoxCoding(MEAN_SIZES, 1)
    outputs = torch.full((1, 1, coding.num_outputs), -2.0)
    assert coding.decode(coding.split(outputs), torch.zeros(1, 1, 3))[0, 0, 3:6].tolist() == [0] * 3
