"""PointInfoNCE: each point must find its match among the matches of all other points.

Follows the authors' ``PointNCELossTrainer`` (facebookresearch/PointContrast at 47e8682,
``pretrain/pointcontrast/lib/ddp_trainer.py``). For n sampled matches with features q (view0) and
k (view1), both of unit length, and the temperature t::

    loss = mean over i of  -log( exp(q_i . k_i / t) / sum over j of exp(q_i . k_j / t) )

As there: view0 asks and view1 answers, one direction only; the negatives of a query are the keys
of the other sampled queries, from its own scene and all other scenes of this process; nothing is
gathered from other processes, unless ``gather_negatives`` asks for it. Two queries may share a
key, which is then a negative of both.

Deliberate differences: all randomness comes from one generator (there, two global ones); the
n x n logits are never held at once, so memory grows with n and not with its square; half
precision is computed in float32, also under autocast; rows of another length are refused (there,
the dot products of whatever the network returns are taken).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from pointcontrast.errors import InputError
from pointcontrast.losses.contract import LossOutput, check_inputs, check_negatives, unit_length
from pointcontrast.losses.gathering import mean_over_ranks, rows_of_other_ranks, sum_over_ranks
from pointcontrast.losses.sampling import choose_matches, choose_rows, scene_of_rows

LEARNT_TEMPERATURE_RANGE = (0.01, 1.0)
"""Range in which a learnt temperature is kept. Below it the exponentials are nearly a hard maximum
and training turns unstable; above it unit features cannot be told apart."""


def point_info_nce(
    features0: torch.Tensor,
    features1: torch.Tensor,
    correspondences: torch.Tensor,
    generator: torch.Generator | None = None,
    *,
    num_positives: int = 4096,
    temperature: float | torch.Tensor = 0.4,
    symmetric: bool = False,
    same_scene_negatives: bool = False,
    chunk_size: int = 512,
    gather_negatives: bool = False,
    normalize: bool = False,
    offsets0: Sequence[int] | None = None,
    offsets1: Sequence[int] | None = None,
) -> LossOutput:
    """Sample matches from a batch of pairs of views and contrast them; equation in this module.

    Args:
        features0: Features of view0, (N0, C) floating point, rows of unit length.
        features1: Features of view1, (N1, C), same dtype and device.
        correspondences: Rows of features0 and features1 that match, (M, 2) int64, sorted by
            column 0.
        generator: Source of randomness for the matches that take part; None: PyTorch's global
            generator for the CPU.
        num_positives: Largest number of matches that take part, from all pairs of the batch
            together. The authors' scripts use 4096 for the four pairs of one GPU.
        temperature: Divisor of the cosines, > 0; 0.4 in the authors' scripts (their YAML default,
            0.07, is overridden there). A scalar tensor receives a gradient.
        symmetric: Whether to average the loss with that of view1 asking and view0 answering.
        same_scene_negatives: Whether a query is compared with keys of its own scene only; a query
            alone in its scene then adds 0.
        chunk_size: Rows of logits held at once; changes memory and speed, never the result.
        gather_negatives: Whether the keys of all ranks' queries are negatives. The loss is then the
            mean over all ranks' queries: under DDP its gradient is that of one process on the
            joined batch. Batch norm still sees each rank's own batch, and each rank still chooses
            ``num_positives`` matches of its own. The released code does not do this.
        normalize: Whether to scale the rows to unit length first; otherwise rows of another
            length are refused.
        offsets0: B+1 row numbers; sample b owns rows ``offsets0[b]:offsets0[b + 1]``.
        offsets1: B+1 row numbers of features1. Only same-scene negatives need both.

    Returns:
        The loss (float32 at least), and the terms ``accuracy`` (fraction of the queries whose own
        match has the largest logit; ties count as right), ``positive_similarity`` (mean cosine of
        the matches), ``temperature`` and ``num_positives``.

    Raises:
        InputError: A number is out of its range, negatives are to be of the own scene and of other
            ranks, or rows are not of unit length.
        ValueError: A tensor has a wrong shape, dtype or value
            (:func:`~pointcontrast.losses.contract.check_inputs`), or offsets are missing.
    """
    _check_numbers(num_positives, temperature, chunk_size)
    check_negatives(gather_negatives, same_scene_negatives)
    check_inputs(
        features0, features1, correspondences, offsets0, offsets1, may_be_empty=gather_negatives
    )
    rows0, rows1 = sample_positives(correspondences, num_positives, generator).unbind(1)
    scenes = None
    if same_scene_negatives:
        if offsets0 is None:
            raise ValueError("same_scene_negatives needs offsets0 and offsets1: got None")
        scenes = scene_of_rows(rows0, offsets0)
    return info_nce(
        unit_length(features0, rows0, normalize)[rows0],
        unit_length(features1, rows1, normalize)[rows1],
        temperature,
        symmetric=symmetric,
        scenes=scenes,
        chunk_size=chunk_size,
        gather_negatives=gather_negatives,
    )


class PointInfoNCE(nn.Module):
    """:func:`point_info_nce` as a module: it holds the numbers, and a temperature to learn.

    Args:
        num_positives: Largest number of matches that take part in a batch.
        temperature: Divisor of the cosines; the starting value if ``learn_temperature``.
        symmetric: Whether to average the loss with that of view1 asking and view0 answering.
        learn_temperature: Whether to train the logarithm of 1 / temperature,
            ``log_inverse_temperature``. It is set back into :data:`LEARNT_TEMPERATURE_RANGE`
            before each use, not clamped in the graph, so that its gradient does not vanish at the
            border. Exclude it from weight decay, which would draw the temperature to 1.
        same_scene_negatives: Whether negatives are of a query's own scene only.
        chunk_size: Rows of logits held at once; changes memory and speed, never the result.
        gather_negatives: Whether the keys of all ranks' queries are negatives.
        normalize: Whether to scale the rows to unit length first, for a backbone that does not.

    Raises:
        InputError: A number is out of its range, or negatives are to be of the own scene and of
            other ranks.
    """

    def __init__(
        self,
        *,
        num_positives: int = 4096,
        temperature: float = 0.4,
        symmetric: bool = False,
        learn_temperature: bool = False,
        same_scene_negatives: bool = False,
        chunk_size: int = 512,
        gather_negatives: bool = False,
        normalize: bool = False,
    ) -> None:
        super().__init__()
        _check_numbers(num_positives, temperature, chunk_size)
        check_negatives(gather_negatives, same_scene_negatives)
        self.num_positives = num_positives
        self.temperature = temperature
        self.symmetric = symmetric
        self.same_scene_negatives = same_scene_negatives
        self.chunk_size = chunk_size
        self.gather_negatives = gather_negatives
        self.normalize = normalize
        self.log_inverse_temperature: nn.Parameter | None = None
        if learn_temperature:
            low, high = LEARNT_TEMPERATURE_RANGE
            if not low <= temperature <= high:
                raise InputError(
                    f"temperature is {temperature}; to learn it, start from {low} to {high}"
                )
            self.log_inverse_temperature = nn.Parameter(torch.tensor(-math.log(temperature)))

    def forward(
        self,
        features0: torch.Tensor,
        features1: torch.Tensor,
        correspondences: torch.Tensor,
        generator: torch.Generator | None = None,
        *,
        offsets0: Sequence[int] | None = None,
        offsets1: Sequence[int] | None = None,
    ) -> LossOutput:
        """Compute the loss of one batch; arguments, result and errors: :func:`point_info_nce`."""
        return point_info_nce(
            features0,
            features1,
            correspondences,
            generator,
            num_positives=self.num_positives,
            temperature=self.current_temperature(),
            symmetric=self.symmetric,
            same_scene_negatives=self.same_scene_negatives,
            chunk_size=self.chunk_size,
            gather_negatives=self.gather_negatives,
            normalize=self.normalize,
            offsets0=offsets0,
            offsets1=offsets1,
        )

    def current_temperature(self) -> float | torch.Tensor:
        """Return the temperature: the number given, or a differentiable scalar if it is learnt."""
        if self.log_inverse_temperature is None:
            return self.temperature
        low, high = LEARNT_TEMPERATURE_RANGE
        with torch.no_grad():
            self.log_inverse_temperature.clamp_(-math.log(high), -math.log(low))
        return (-self.log_inverse_temperature).exp()


def sample_positives(
    correspondences: torch.Tensor, num_positives: int, generator: torch.Generator | None
) -> torch.Tensor:
    """Choose the matches that take part in the loss.

    Each row of view0 that has a match keeps one, uniformly at random; of these rows,
    ``num_positives`` are then chosen without replacement if there are more.

    Args:
        correspondences: (M, 2) int64, sorted by column 0.
        num_positives: Largest number of matches to choose.
        generator: Source of randomness; None: PyTorch's global generator for the CPU.

    Returns:
        (n, 2) int64, n <= num_positives, column 0 unique and ascending.
    """
    matches = choose_matches(correspondences, generator)
    return matches[choose_rows(len(matches), num_positives, generator, matches.device)]


def info_nce(
    queries: torch.Tensor,
    keys: torch.Tensor,
    temperature: float | torch.Tensor = 0.4,
    *,
    symmetric: bool = False,
    scenes: torch.Tensor | None = None,
    chunk_size: int = 512,
    gather_negatives: bool = False,
) -> LossOutput:
    """Compute the cross-entropy of every query finding its own key; the equation of this module.

    Args:
        queries: (n, C) floating point, rows of unit length.
        keys: (n, C); row i is the match of query i.
        temperature: > 0; a scalar tensor receives a gradient.
        symmetric: Whether to average with the loss of the keys finding their queries.
        scenes: Scene of each query, (n,) integers; if given, only keys of a query's own scene take
            part in its sum.
        chunk_size: Rows of logits held at once.
        gather_negatives: Whether each query is also compared with all other ranks' keys
            (symmetric: and each key with their queries). All means are then over all ranks' rows,
            and n may be 0. Not together with scenes.

    Returns:
        The output of :func:`point_info_nce`.

    Raises:
        InputError: The temperature is not above 0.
        ValueError: There is no row, or queries and keys differ in shape.
    """
    is_empty = len(queries) == 0 and not gather_negatives
    if queries.shape != keys.shape or queries.ndim != 2 or is_empty:
        raise ValueError(
            "queries and keys must be (n, C) with n >= 1: got "
            f"{tuple(queries.shape)} and {tuple(keys.shape)}"
        )
    _check_temperature(temperature)
    dtype = torch.promote_types(queries.dtype, torch.float32)
    queries, keys = queries.to(dtype), keys.to(dtype)
    scale = 1 / torch.as_tensor(temperature, dtype=dtype, device=queries.device)
    directions = [(queries, keys), (keys, queries)] if symmetric else [(queries, keys)]
    if gather_negatives:
        directions = _with_rows_of_other_ranks(directions)
    total, num_right = queries.new_zeros(()), queries.new_zeros(())
    with torch.autocast(queries.device.type, enabled=False):
        for group in _rows_of_each_scene(scenes):
            for asking, answering in directions:
                summed, right = _SummedCrossEntropy.apply(
                    asking[group], answering[group], scale, chunk_size
                )
                total = total + summed
                num_right = num_right + right
    similarity = (queries * keys).sum()
    num_positives = queries.new_tensor(len(queries))
    num_rows = num_positives * len(directions)
    if gather_negatives:
        sums = torch.stack([num_right, similarity, num_positives, num_rows])
        num_right, similarity, num_positives, num_rows = sum_over_ranks(sums).unbind()
        loss = mean_over_ranks(total, num_rows)
    else:
        loss = total / num_rows
    return LossOutput(
        loss=loss,
        terms={
            "accuracy": (num_right / num_rows.clamp(min=1)).detach(),
            "positive_similarity": (similarity / num_positives.clamp(min=1)).detach(),
            "temperature": 1 / scale.detach(),
            "num_positives": num_positives,
        },
    )


def _with_rows_of_other_ranks(
    directions: list[tuple[torch.Tensor, torch.Tensor]],
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Append other ranks' rows to the answering ones, by one collective for all directions."""
    channels = directions[0][1].shape[1]
    others = rows_of_other_ranks(torch.cat([answering for _, answering in directions], dim=1))
    return [
        (asking, torch.cat([answering, rows]))
        for (asking, answering), rows in zip(directions, others.split(channels, 1), strict=True)
    ]


class _SummedCrossEntropy(torch.autograd.Function):
    """Sum of the rows' cross-entropies, in chunks of rows, with label i in row i.

    There may be more keys than queries; keys past the last query match no query.

    The forward pass computes the gradient too, while it has a chunk's softmax: nothing of size
    n x n is kept, and nothing is computed twice. Differentiable once.
    """

    @staticmethod
    def forward(
        ctx: Any,
        queries: torch.Tensor,
        keys: torch.Tensor,
        inverse_temperature: torch.Tensor,
        chunk_size: int,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        num_rows = len(queries)
        wants_gradient = any(ctx.needs_input_grad)
        losses, right = queries.new_empty(num_rows), queries.new_empty(num_rows)
        grad_queries, grad_keys = torch.zeros_like(queries), torch.zeros_like(keys)
        # one buffer for all chunks: allocating one per chunk costs as much as the product itself
        buffer = queries.new_empty(min(chunk_size, num_rows), len(keys))
        for start in range(0, num_rows, chunk_size):
            rows = slice(start, min(start + chunk_size, num_rows))
            chunk = queries[rows]  # (b, C)
            logits = buffer[: len(chunk)]  # (b, number of keys)
            torch.mm(chunk * inverse_temperature, keys.T, out=logits)
            own = logits[:, rows].diagonal().clone()  # (b,)
            largest = logits.amax(1)
            exponentials = logits.sub_(largest[:, None]).exp_()
            sums = exponentials.sum(1)
            losses[rows] = (largest - own) + sums.log()  # in this order, small losses stay exact
            right[rows] = (own >= largest).to(queries.dtype)
            if wants_gradient:
                # d loss / d logits = softmax - identity, times the other side's features
                grad_queries[rows] = exponentials @ keys / sums[:, None] - keys[rows]
                grad_keys.addmm_(exponentials.T, chunk / sums[:, None])
                grad_keys[rows] -= chunk
        ctx.save_for_backward(
            grad_queries * inverse_temperature,
            grad_keys * inverse_temperature,
            (grad_queries * queries).sum(),
        )
        num_right = right.sum()
        ctx.mark_non_differentiable(num_right)
        return losses.sum(), num_right

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grad_outputs: torch.Tensor
    ) -> tuple[torch.Tensor | None, ...]:
        return *(grad_outputs[0] * saved for saved in ctx.saved_tensors), None


def _rows_of_each_scene(scenes: torch.Tensor | None) -> list[torch.Tensor | slice]:
    if scenes is None:
        return [slice(None)]
    return [(scenes == scene).nonzero()[:, 0] for scene in scenes.unique()]


def _check_numbers(num_positives: int, temperature: float | torch.Tensor, chunk_size: int) -> None:
    for name, count in (("num_positives", num_positives), ("chunk_size", chunk_size)):
        if count < 1:
            raise InputError(f"{name} is {count}; give at least 1")
    _check_temperature(temperature)


def _check_temperature(temperature: float | torch.Tensor) -> None:
    value = float(torch.as_tensor(temperature).detach())
    if not 0 < value < math.inf:
        raise InputError(f"temperature is {value}; give a number greater than 0")
