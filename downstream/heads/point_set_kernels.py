"""Compiled operations on point sets, if they were built, through ctypes.

``pointcontrast/csrc/{farthest_points,point_sets}.cpp``, in the library of
:mod:`pointcontrast.compiled.points`. :mod:`downstream.heads.point_sets` asks here first and has
the same result without, to the bit. Each cloud is a task of its own, so the number of threads
changes nothing but the time.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from pointcontrast.compiled.points import checked, load_kernels

_INT64, _FLOAT32 = (
    np.ctypeslib.ndpointer(dtype, flags="C_CONTIGUOUS") for dtype in (np.int64, np.float32)
)
_left_out = ContextVar("left_out", default=False)


@contextmanager
def without_set_kernels() -> Iterator[None]:
    """Disable the kernels within the context, for comparisons."""
    token = _left_out.set(True)
    try:
        yield
    finally:
        _left_out.reset(token)


def set_kernels() -> ctypes.CDLL | None:
    """Load the library; None if it was not built, is older than this file or is disabled."""
    return None if _left_out.get() else _load()


@lru_cache(maxsize=1)
def _load() -> ctypes.CDLL | None:
    library = load_kernels()
    if library is None or not hasattr(library, "pointcontrast_ball_query"):
        return None
    library.pointcontrast_farthest_points.restype = ctypes.c_int64
    library.pointcontrast_farthest_points.argtypes = [
        _FLOAT32, ctypes.c_int64, ctypes.c_int64, _INT64,
    ]  # fmt: skip
    library.pointcontrast_ball_query.restype = ctypes.c_int64
    library.pointcontrast_ball_query.argtypes = [
        _FLOAT32, ctypes.c_int64, _FLOAT32, ctypes.c_int64, ctypes.c_float, ctypes.c_int64, _INT64,
    ]  # fmt: skip
    library.pointcontrast_three_nearest.restype = ctypes.c_int64
    library.pointcontrast_three_nearest.argtypes = [
        _FLOAT32, ctypes.c_int64, _FLOAT32, ctypes.c_int64, _FLOAT32, _INT64,
    ]  # fmt: skip
    return library


def farthest_points(
    library: ctypes.CDLL, points: NDArray[np.float32], offsets: tuple[int, ...], num: int
) -> NDArray[np.int64]:
    """Farthest-point sampling: rows (B, num) of finite points (N, 3); no cloud is empty."""
    bounds = list(pairwise(offsets))
    chosen = np.empty((len(bounds), num), np.int64)

    def sample(cloud: int) -> None:
        start, stop = bounds[cloud]
        count = min(num, stop - start)
        checked(
            library.pointcontrast_farthest_points(
                points[start:stop], stop - start, count, chosen[cloud]
            )
        )
        chosen[cloud] = start + np.resize(chosen[cloud, :count], num)

    _for_each_cloud(sample, len(bounds))
    return chosen


def ball_query(
    library: ctypes.CDLL,
    points: NDArray[np.float32],
    centers: NDArray[np.float32],
    limit: float,
    num: int,
) -> NDArray[np.int64]:
    """Rows (B, M, num) of points (B, N, 3), with squared distances below ``limit``."""
    num_clouds, num_centers, _ = centers.shape
    rows = np.empty((num_clouds, num_centers, num), np.int64)

    def query(cloud: int) -> None:
        checked(
            library.pointcontrast_ball_query(
                points[cloud],
                points.shape[1],
                centers[cloud],
                num_centers,
                limit,
                num,
                rows[cloud],
            )
        )

    _for_each_cloud(query, num_clouds)
    return rows


def three_nearest(
    library: ctypes.CDLL, points: NDArray[np.float32], known: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Squared distances and rows (B, N, 3) of known (B, M, 3), M >= 1."""
    squares, rows = np.empty(points.shape, np.float32), np.empty(points.shape, np.int64)

    def find(cloud: int) -> None:
        checked(
            library.pointcontrast_three_nearest(
                points[cloud],
                points.shape[1],
                known[cloud],
                known.shape[1],
                squares[cloud],
                rows[cloud],
            )
        )

    _for_each_cloud(find, len(points))
    return squares, rows


def _for_each_cloud(work: Callable[[int], None], num_clouds: int) -> None:
    """Run on the threads that torch may use; the kernels release Python's lock."""
    num_threads = min(torch.get_num_threads(), num_clouds)
    if num_threads <= 1:
        for cloud in range(num_clouds):
            work(cloud)
        return
    with ThreadPoolExecutor(num_threads) as pool:
        for _ in pool.map(work, range(num_clouds)):  # raises what a task raised
            pass
