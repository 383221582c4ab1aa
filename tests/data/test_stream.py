from __future__ import annotations

from collections import Counter

import pytest

from pointcontrast.data.stream import SampleStream


def keys(**arguments) -> list:
    stream = SampleStream(
        **{"num_samples": 10, "batch_size": 3, "num_steps": 20, "seed": 1} | arguments
    )
    return list(stream)


def test_every_epoch_serves_every_pair_once() -> None:
    stream = [key for batch in keys() for key in batch]
    assert len(stream) == 60
    for epoch in range(6):
        assert sorted(i for e, i in stream if e == epoch) == list(range(10))
    orders = [[i for e, i in stream if e == epoch] for epoch in range(6)]
    assert len({tuple(order) for order in orders}) == 6


@pytest.mark.parametrize("num_ranks", [2, 3, 5])
def test_ranks_share_one_permutation(num_ranks: int) -> None:
    ranks = [keys(rank=rank, num_ranks=num_ranks) for rank in range(num_ranks)]
    together = Counter(key for rank in ranks for batch in rank for key in batch)
    assert max(together.values()) == 1
    whole_epochs = 60 * num_ranks // 10
    for epoch in range(whole_epochs):
        assert sum(e == epoch for e, _ in together) == 10
    # the batch of one process of three times the size is that of three processes joined
    joined = [[key for rank in ranks for key in rank[step]] for step in range(20)]
    assert joined == keys(batch_size=3 * num_ranks)


def test_resumed_stream_goes_on() -> None:
    assert keys(first_step=7) == keys()[7:]
    assert len(SampleStream(10, 3, 20, seed=1, first_step=7)) == 20


def test_seed_decides_the_order() -> None:
    assert keys() == keys()
    assert keys(seed=2) != keys()
