"""Fixtures for tests of the native engine: instruction sets, threads, child processes."""

from __future__ import annotations

import ctypes
import multiprocessing
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from pointcontrast.compiled.library import SWITCH, load_library, switched_off
from pointcontrast.sparse import kernel_library


@pytest.fixture(scope="session")
def library() -> ctypes.CDLL:
    """The compiled kernels; skips the test if they cannot be built here."""
    if switched_off():
        pytest.skip(f"{SWITCH}=0 leaves the compiled kernels out")
    if load_library("sparse._sparse_kernels") is None:
        assert shutil.which("c++") is None, "there is a compiler, yet the kernels were not built"
        pytest.skip("no C++ compiler on this machine: the kernels were not built")
    library = kernel_library.load()
    assert library is not None
    return library


@contextmanager
def _chosen(name: str) -> Iterator[str]:
    before = kernel_library.instruction_set()
    assert kernel_library.choose_instruction_set(name) == name
    yield name
    kernel_library.choose_instruction_set(before)


@pytest.fixture(params=kernel_library.instruction_sets())
def compiled(request: pytest.FixtureRequest, library: ctypes.CDLL) -> Iterator[str]:
    """Each instruction set of the compiled kernels that runs on this processor."""
    with _chosen(request.param) as name:
        yield name


@pytest.fixture(params=[*kernel_library.instruction_sets(), "torch"])
def arithmetic(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each instruction set, and torch alone."""
    if request.param == "torch":
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kernel_library, "available", lambda: False)
            yield "torch"
        return
    with _chosen(request.param) as name:
        yield name


@pytest.fixture
def set_threads() -> Iterator[Callable[[int], None]]:
    """``torch.set_num_threads``, restored after the test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def _report(connection: Any, work: Callable[[], Any]) -> None:
    torch.set_num_threads(1)
    try:
        connection.send(("result", work()))
    except BaseException as error:
        connection.send(("error", (type(error).__name__, str(error))))


@pytest.fixture
def in_child() -> Callable[[Callable[[], Any]], tuple[str, Any]]:
    """Call a function in a forked child on one thread, so that a crash does not end the tests.

    Returns ("result", its result), ("error", (name, message)) if it raised, or
    ("died", exit code), negative for a signal and None after a minute.
    """
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("this system cannot fork")

    def run(work: Callable[[], Any]) -> tuple[str, Any]:
        context = multiprocessing.get_context("fork")
        receiver, sender = context.Pipe(duplex=False)
        child = context.Process(target=_report, args=(sender, work))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # about forking with threads
            child.start()
        sender.close()
        try:
            if receiver.poll(60):
                return receiver.recv()
        except EOFError:
            child.join(60)
            return "died", child.exitcode
        finally:
            child.kill()
            child.join()
        return "died", None

    return run
