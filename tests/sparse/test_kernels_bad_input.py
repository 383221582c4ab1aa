"""Wrong input raises an error on every path, without a crash or a wrong result.

Compiled kernels take addresses and check nothing, so each case runs in a child process.
"""

from __future__ import annotations

import multiprocessing
import re
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from torch import nn

from pointcontrast.sparse import native
from pointcontrast.sparse.convolution import sparse_convolution
from pointcontrast.sparse.coordinates import CoordinateManager
from pointcontrast.sparse.native_tensor import NativeSparseTensor
from tests.oracles.engines import random_coordinates, random_features

COORDINATES = random_coordinates(300, extent=4)
NUM = len(COORDINATES)


def tensor(channels: int = 3, dtype: torch.dtype = torch.float32) -> NativeSparseTensor:
    return native.sparse_tensor(COORDINATES, random_features(NUM, channels).to(dtype))


def with_kernel(*shape: int, kernel_size: int = 3, **options: Any) -> native.Convolution:
    layer = native.Convolution(3, 4, kernel_size=kernel_size)
    layer.kernel = nn.Parameter(torch.ones(shape, **options))
    return layer


def backward(layer: nn.Module, x: NativeSparseTensor) -> None:
    x.features.requires_grad_()
    layer(x).features.sum().backward()


def after(norm: int, convolution: native.Convolution) -> None:
    native.BatchNorm(norm).eval().after(convolution, tensor())


def added(shape: tuple[int, ...], *, training: bool = True, **options: Any) -> None:
    x = tensor(8)
    native.BatchNorm(8).train(training)(x, x.replace(torch.ones(shape, **options)))


def norm_with(name: str, value: torch.Tensor, training: bool = True) -> None:
    layer = native.BatchNorm(8).train(training)
    setattr(layer.bn, name, nn.Parameter(value) if name in ("weight", "bias") else value)
    layer(tensor(8))


def shortened() -> None:
    """A tensor that bypasses the checks of ``sparse_tensor`` and ``replace``."""
    x = tensor()
    native.Convolution(3, 4, kernel_size=3)(NativeSparseTensor(x.features[:9], x.manager, x.stride))


CASES: dict[str, tuple[Callable[[], Any], str]] = {
    # Kernels
    "too few taps": (lambda: with_kernel(8, 3, 4)(tensor()), r"27|8"),
    "too many taps": (lambda: with_kernel(30, 3, 4)(tensor()), r"27|30"),
    "matrix for a cube": (lambda: with_kernel(3, 4)(tensor()), r"\(?3, 4\)?"),
    "four axes": (lambda: with_kernel(27, 2, 3, 4)(tensor()), r"27, 2, 3, 4"),
    "taps for a matrix": (lambda: with_kernel(5, 3, 4, kernel_size=1)(tensor()), r"5, 3, 4|5"),
    "taps, folded": (lambda: after(4, with_kernel(8, 3, 4)), r"27|8"),
    "channels": (lambda: with_kernel(27, 5, 4)(tensor()), r"\(27, 3, 4\), .*\(27, 5, 4\)"),
    "kernel elsewhere": (lambda: with_kernel(27, 3, 4, device="meta")(tensor()), r"meta"),
    "kernel elsewhere, folded": (lambda: after(4, with_kernel(27, 3, 4, device="meta")), r"meta"),
    "half kernel": (
        lambda: with_kernel(27, 3, 4, dtype=torch.float16)(tensor()),
        r"weights are torch\.float16, its input is torch\.float32",
    ),
    # Features put on a tensor
    "features of 3 axes": (
        lambda: with_kernel(27, 3, 4)(tensor().replace(torch.ones(NUM, 3, 3))), r"3, 3"
    ),
    "features of 1 axis": (
        lambda: with_kernel(27, 3, 4)(tensor().replace(torch.ones(NUM))), r"features|shape"
    ),
    "integer features": (
        lambda: with_kernel(27, 3, 4)(tensor().replace(torch.ones(NUM, 3).int())), r"torch\.int32"
    ),
    "features elsewhere": (
        lambda: with_kernel(27, 3, 4)(tensor().replace(torch.ones(NUM, 3, device="meta"))), r"meta"
    ),
    "fewer features than coordinates": (shortened, r"9|index out of range"),
    # Batch norm
    "norm of more channels": (lambda: native.BatchNorm(8)(tensor(4)), r"8.*4|4.*8"),
    "norm of fewer channels": (lambda: native.BatchNorm(8)(tensor(16)), r"8.*16|16.*8"),
    "norm of one channel": (lambda: native.BatchNorm(8)(tensor(1)), r"8.*1|1.*8"),
    "evaluated norm, more": (lambda: native.BatchNorm(8).eval()(tensor(4)), r"8.*4|4.*8"),
    "evaluated norm, fewer": (lambda: native.BatchNorm(8).eval()(tensor(16)), r"8.*16|16.*8"),
    "folded norm": (lambda: after(8, with_kernel(27, 3, 4)), r"8.*4|4.*8"),
    "folded norm, fewer": (lambda: after(2, with_kernel(27, 3, 4)), r"2.*4|4.*2"),
    "shortcut of fewer channels": (lambda: added((NUM, 4)), r"8.*4|4.*8"),
    "shortcut of more channels": (lambda: added((NUM, 16)), r"8.*16|16.*8"),
    "evaluated shortcut": (lambda: added((NUM, 16), training=False), r"8.*16|16.*8"),
    "shortcut elsewhere": (lambda: added((NUM, 8), device="meta"), r"meta"),
    "evaluated shortcut elsewhere": (
        lambda: added((NUM, 8), device="meta", training=False), r"meta"
    ),
    "weight of another length": (lambda: norm_with("weight", torch.ones(5)), r"5"),
    "evaluated weight": (lambda: norm_with("weight", torch.ones(5), False), r"5"),
    "statistics of another length": (lambda: norm_with("running_var", torch.ones(3), False), r"3"),
    "statistics elsewhere": (
        lambda: norm_with("running_mean", torch.ones(8, device="meta"), False), r"meta"
    ),
    # Ranges
    "stride overflow": (
        lambda: with_stride(2**16)(with_stride(2**16)(tensor())), "4294967296.* is beyond"
    ),
    "range overflow": (lambda: with_stride(1, 2**40)(tensor()), r"too many to number in 63 bits"),
    "dilation beyond 64 bits": (lambda: with_stride(1, 2**70)(tensor()), f"{2**70}|Overflow"),
    "wrong dimension": (
        lambda: native.Convolution(3, 4, kernel_size=3, dimension=2)(tensor()),
        "has 2 dimensions, its input 3",
    ),
    "twice": (
        lambda: CoordinateManager(COORDINATES[[0, 5, 5]]), "hold 1 duplicate rows"
    ),
}  # fmt: skip


def with_stride(stride: int, dilation: int = 1) -> native.Convolution:
    size = 1 if stride > 1 else 3
    return native.Convolution(3, 3, kernel_size=size, stride=stride, dilation=dilation)


def try_from(first: int, connection: Any) -> None:
    """Run all cases from ``first`` on, with gradients and without."""
    torch.set_num_threads(1)
    for call, _ in list(CASES.values())[first:]:
        found = []
        for grad in (True, False):
            try:
                with torch.set_grad_enabled(grad):
                    call()
                found.append("silent: gave an answer")
            except Exception as error:
                found.append(f"{type(error).__name__}: {error}")
        connection.send(found)


@cache
def outcomes(path: str) -> dict[str, list[str]]:
    """Outcome of each case; a new child continues after a case that kills the last one."""
    found: list[list[str]] = []
    context = multiprocessing.get_context("fork")
    while len(found) < len(CASES):
        receiver, sender = context.Pipe(duplex=False)
        child = context.Process(target=try_from, args=(len(found), sender))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # about forking with threads
            child.start()
        sender.close()
        try:
            while len(found) < len(CASES) and receiver.poll(60):
                found.append(receiver.recv())
        except EOFError:
            pass
        child.join(60)
        if len(found) < len(CASES):
            found.append([f"killed the process, exit code {child.exitcode}"])
        child.kill()
    return dict(zip(CASES, found, strict=True))


@pytest.mark.parametrize("case", CASES)
def test_refused(arithmetic: str, case: str) -> None:
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("this system cannot fork")
    for outcome in outcomes(arithmetic)[case]:
        error = r"(ValueError|InputError|RuntimeError|IndexError): [^\0]*"
        assert re.match(f"{error}({CASES[case][1]})", outcome), outcome


@pytest.mark.parametrize("channels", [(3, 0), (0, 4), (-1, 4)])
def test_a_layer_without_channels_is_refused(channels: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"in_channels {channels[0]} and out_channels"):
        native.Convolution(*channels, kernel_size=3)


@pytest.mark.parametrize("shape", [(27, 3, 0), (27, 0, 4)])
def test_a_sum_of_nothing_is_nothing(arithmetic: str, shape: tuple[int, ...], in_child) -> None:
    def work() -> tuple[int, ...]:
        x, kernel = tensor(shape[1]), torch.zeros(shape, requires_grad=True)
        kernel_map = x.manager.kernel_map(x.stride, (1,) * 3, (3,) * 3, (1,) * 3, "hypercube")
        y = sparse_convolution(x.features, kernel, kernel_map)
        y.sum().backward()
        assert kernel.grad is not None
        assert not y.any()
        return tuple(y.shape)

    assert in_child(work) == ("result", (NUM, shape[2]))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("layout", ["turned", "strided", "expanded"])
def test_memory_in_any_order(arithmetic: str, layout: str, training: bool) -> None:
    """Views of other tensors, as features, shortcut, kernel, parameters and statistics."""
    arrange = {
        "turned": lambda t: t.transpose(0, -1).contiguous().transpose(0, -1),
        "strided": lambda t: t.repeat_interleave(2, dim=-1)[..., ::2],
        "expanded": lambda t: t[:1].expand_as(t),
    }[layout]
    convolution, norm = native.Convolution(3, 64, kernel_size=3), native.BatchNorm(64)
    norm.train(training)
    bn = norm.bn
    tensors = [torch.randn(s, generator=torch.Generator().manual_seed(7)) for s in (64, 64)]
    features, shortcut = random_features(NUM, 3).float(), random_features(NUM, 64).float()
    results = []
    for clean in (False, True):
        prepare = (lambda t: arrange(t).contiguous()) if clean else arrange
        with torch.no_grad():
            generator = torch.Generator().manual_seed(8)
            kernel = torch.randn(27, 3, 64, generator=generator)
            convolution.kernel = nn.Parameter(prepare(kernel))
            bn.weight, bn.bias = (nn.Parameter(prepare(t)) for t in tensors)
            if not training:
                bn.running_mean = prepare(tensors[0])
                bn.running_var = prepare(tensors[1].square() + 0.1)
        base = native.sparse_tensor(COORDINATES, prepare(features))
        with torch.set_grad_enabled(training):
            # equal rows have no variance: the norm would amplify rounding errors
            added = base.replace(shortcut if layout == "expanded" else prepare(shortcut))
            y = norm.after(convolution, base, added, rectify=True)
            z = norm(added)
        results.append((y.features, z.features))
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)
