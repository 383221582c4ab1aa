from __future__ import annotations

import pytest
import torch

from downstream.tasks import Classification, PartSegmentation, Segmentation
from downstream.tasks.task import mean_cross_entropy
from downstream.types import LabelledBatch

PARTS = [[0, 1], [2, 3, 4]]


def batch() -> LabelledBatch:
    """Two clouds of three and two voxels, of categories 0 and 1."""
    return LabelledBatch(
        names=("a", "b"),
        coordinates=torch.tensor(
            [[0, 0, 0, 0], [0, 1, 0, 0], [0, 2, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0]]
        ),
        points=torch.zeros(5, 3),
        features=torch.zeros(5, 3),
        labels=torch.tensor([0, 1, -1, 2, 4]),
        categories=torch.tensor([0, 1]),
        boxes=torch.zeros(2, 0, 8),
        box_rows=torch.full((5, 3), -1),
        offsets=(0, 3, 5),
    )


def test_the_loss_is_the_mean_over_what_is_labelled() -> None:
    logits = torch.randn(5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels = batch().labels
    rows = [0, 1, 3, 4]
    by_hand = -sum(logits[r].log_softmax(0)[labels[r]] for r in rows) / 4
    torch.testing.assert_close(Segmentation("abcde").loss(logits, batch()).loss, by_hand)


def test_without_a_label_the_loss_is_zero_with_gradients() -> None:
    logits = torch.randn(4, 3, requires_grad=True)
    loss = mean_cross_entropy(logits, torch.full((4,), -1))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logits.grad, torch.zeros(4, 3))


def test_only_parts_of_the_category_are_likely() -> None:
    task = PartSegmentation(PARTS, ["mug", "lamp"])
    logits = torch.tensor(
        [[0.0, 1, 9, 0, 0], [3, 0, 9, 9, 9], [0, 0, 0, 0, 0], [9, 9, 1, 2, 0], [9, 0, 0, 0, 5]]
    )
    categories = torch.tensor([0, 0, 0, 1, 1])
    probabilities = task.probabilities(logits, categories)
    assert probabilities.argmax(dim=1).tolist()[:2] == [1, 0]
    assert probabilities.argmax(dim=1).tolist()[3:] == [3, 4]
    assert probabilities[:3, 2:].abs().max() == 0
    assert probabilities[3:, :2].abs().max() == 0
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(5))
    # the loss is that of a softmax over the category's parts alone
    by_hand = (
        -(
            logits[0, :2].log_softmax(0)[0]
            + logits[1, :2].log_softmax(0)[1]
            + logits[3, 2:].log_softmax(0)[0]
            + logits[4, 2:].log_softmax(0)[2]
        )
        / 4
    )
    torch.testing.assert_close(task.loss(logits, batch()).loss, by_hand)


def test_each_task_counts_its_own() -> None:
    logits = torch.eye(5)[[0, 1, 2, 2, 3]] * 10
    segmentation = Segmentation("abcde")
    metric = segmentation.new_metric()
    segmentation.update(metric, logits, batch())
    assert segmentation.scores(metric)["overall_accuracy"] == pytest.approx(3 / 4)
    parts = PartSegmentation(PARTS, ["mug", "lamp"])
    metric = parts.new_metric()
    parts.update(metric, logits, batch())
    # first shape right; second: part 2 right, 3 predicted and not there, 4 there and not found
    assert parts.scores(metric)["instance_mean_iou"] == pytest.approx((1 + 1 / 3) / 2)
    assert parts.class_scores(metric, [])["lamp"] == pytest.approx(1 / 3)
    classes = Classification(["mug", "lamp"], [10, 2])
    metric = classes.new_metric()
    classes.update(metric, torch.tensor([[5.0, 0], [5, 0]]), batch())
    assert classes.scores(metric) == {
        "overall_accuracy": 0.5, "mean_accuracy": 0.5, "tail_accuracy": 0.0
    }  # fmt: skip
    assert classes.class_scores(metric, ["mug", "lamp"]) == {"mug": 1.0, "lamp": 0.0}
