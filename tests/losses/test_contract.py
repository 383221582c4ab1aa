from __future__ import annotations

import pytest
import torch

from pointcontrast.losses import HardestContrastive, PointInfoNCE
from tests.oracles.losses import random_batch

BATCH = random_batch(0)
NUM_ROWS0, NUM_ROWS1 = len(BATCH.features0), len(BATCH.features1)


@pytest.fixture(params=[PointInfoNCE, HardestContrastive])
def loss(request) -> torch.nn.Module:
    return request.param()


def call(loss, **changes):
    arguments = {
        "features0": BATCH.features0,
        "features1": BATCH.features1,
        "correspondences": BATCH.correspondences,
        "generator": torch.Generator().manual_seed(0),
        **changes,
    }
    return loss(**arguments)


def test_output_is_a_scalar_to_differentiate_and_detached_scalars_to_log(loss) -> None:
    features0 = BATCH.features0.clone().requires_grad_()
    output = call(loss, features0=features0)
    assert output.loss.shape == ()
    assert output.loss.requires_grad
    for term in output.terms.values():
        assert term.shape == ()
        assert term.is_floating_point()
        assert not term.requires_grad


def test_equal_generators_give_equal_losses(loss) -> None:
    loss.num_positives = loss.num_positives_per_pair = 20
    loss.num_negatives_per_pair = 20
    values = [
        call(loss, generator=torch.Generator().manual_seed(seed)).loss.item() for seed in (5, 5, 6)
    ]
    assert values[0] == values[1]
    assert values[0] != values[2]


def test_the_global_random_state_is_neither_read_nor_advanced(loss) -> None:
    loss.num_positives = loss.num_positives_per_pair = loss.num_negatives_per_pair = 20
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = call(loss).loss
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    assert torch.equal(call(loss).loss, first)


def test_twenty_gradient_steps_lower_the_loss(loss) -> None:
    raw = [BATCH.features0.clone().requires_grad_(), BATCH.features1.clone().requires_grad_()]
    optimizer = torch.optim.SGD(raw, lr=1.0)
    history = []
    for _ in range(20):
        features0, features1 = (torch.nn.functional.normalize(f) for f in raw)
        output = call(loss, features0=features0, features1=features1)
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
        history.append(output.loss.item())
    assert history[-1] < 0.9 * history[0]


def test_same_loss_under_autocast_and_close_for_half_features(loss) -> None:
    features0 = BATCH.features0.float().requires_grad_()
    features1 = BATCH.features1.float()
    reference = call(loss, features0=features0, features1=features1).loss
    (reference_gradient,) = torch.autograd.grad(reference, features0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = call(loss, features0=features0, features1=features1).loss
    assert torch.equal(output, reference)
    assert torch.equal(torch.autograd.grad(output, features0)[0], reference_gradient)
    output = call(loss, features0=features0.bfloat16(), features1=features1.bfloat16()).loss
    assert output.dtype == torch.float32
    assert output.item() == pytest.approx(reference.item(), rel=1e-2)


@pytest.mark.parametrize("same_scene", [False, True])
@pytest.mark.parametrize("loss_class", [PointInfoNCE, HardestContrastive])
def test_a_scene_without_rows_is_no_trouble(loss_class, same_scene: bool) -> None:
    loss = loss_class(same_scene_negatives=same_scene)
    offsets = {
        "offsets0": (*BATCH.offsets0, NUM_ROWS0),
        "offsets1": (*BATCH.offsets1, NUM_ROWS1),
    }
    without = {"offsets0": BATCH.offsets0, "offsets1": BATCH.offsets1}
    assert torch.equal(call(loss, **offsets).loss, call(loss, **without).loss)


PAIRS = BATCH.correspondences
REFUSED = {
    "empty": ({"correspondences": PAIRS[:0]}, "empty"),
    "one column": ({"correspondences": PAIRS[:, :1]}, r"\(M, 2\): got \(\d+, 1\)"),
    "int32": ({"correspondences": PAIRS.int()}, "int64: got torch.int32"),
    "unsorted": ({"correspondences": PAIRS.flip(0)}, "sorted"),
    "negative row": ({"correspondences": torch.tensor([[0, -3]])}, "column 1 names row -3"),
    "row 0 too large": (
        {"correspondences": torch.tensor([[0, 0], [NUM_ROWS0, 0]])},
        f"column 0 names row {NUM_ROWS0}, but features0 have rows 0 to {NUM_ROWS0 - 1}",
    ),
    "row 1 too large": (
        {"correspondences": torch.tensor([[0, NUM_ROWS1 + 6]])},
        f"column 1 names row {NUM_ROWS1 + 6}",
    ),
    "flat features": ({"features0": BATCH.features0[:, 0]}, rf"features0 .*\({NUM_ROWS0},\)"),
    "integer features": ({"features1": BATCH.features1.long()}, "features1 .* torch.int64"),
    "channels differ": ({"features1": BATCH.features1[:, :5]}, "agree in channels.*8.*5"),
    "dtypes differ": ({"features1": BATCH.features1.float()}, "agree in channels, dtype"),
    "devices differ": ({"features1": BATCH.features1.to("meta")}, "device.*meta"),
    "pairs elsewhere": (
        {name: getattr(BATCH, name).to("meta") for name in ("features0", "features1")},
        "correspondences are on cpu, features on meta",
    ),
    "one offsets": ({"offsets0": BATCH.offsets0}, "got .*None"),
    "offsets of other lengths": (
        {"offsets0": BATCH.offsets0, "offsets1": (0, NUM_ROWS1)},
        "same length",
    ),
    "offsets end early": (
        {"offsets0": (0, 10), "offsets1": (0, NUM_ROWS1)},
        rf"offsets0 .* {NUM_ROWS0}: got \(0, 10\)",
    ),
    "offsets fall": (
        {"offsets0": BATCH.offsets0, "offsets1": (0, 60, 50, NUM_ROWS1)},
        "offsets1 must rise",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_wrong_input_is_refused_by_its_value(loss, name: str) -> None:
    changes, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        call(loss, **changes)


@pytest.mark.parametrize("loss_class", [PointInfoNCE, HardestContrastive])
def test_same_scene_negatives_need_offsets(loss_class) -> None:
    with pytest.raises(ValueError, match="same_scene_negatives needs offsets0"):
        call(loss_class(same_scene_negatives=True))
