"""Python programs as processes of their own, there at once.

A fresh interpreter takes seconds to import PyTorch and Lightning, and the tests start hundreds. So
one process for each test process imports them (:data:`PRELOADED`), computes nothing, and forks; a
fork leads a session of its own, with its own arguments, environment and folder, and runs the script
to the interpreter's own end. What is not as in a fresh one: the seed of string hashes, and what
reads the environment at import. Tests that are about these start a fresh one.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import itertools
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]  # this file is also run as a script
PRELOADED = (
    "pytorch_lightning.cli", "torch.utils.tensorboard", "pointcontrast.pretrain_cli",
    "downstream.finetune_cli", "downstream.predict_cli", "downstream.evaluate_cli",
    "pointcontrast.prepare_cli", "pointcontrast.dry_run", "pointcontrast.features_cli",
    "pointcontrast.preparation.conversion_cli", "pointcontrast.recordings.layouts",
    "scipy.spatial", "scipy.spatial.transform", "open3d", "dask.system", "pyarrow.parquet",
    "plyfile", "PIL.PngImagePlugin", "PIL.JpegImagePlugin", "PIL.TiffImagePlugin",
    "matplotlib.backends.backend_agg",
)  # fmt: skip


class Forked:
    """A running program, with the interface of ``subprocess.Popen`` as far as tests use it.

    Attributes:
        pid: also of its process group.
        returncode: None until it was seen to end.
    """

    def __init__(
        self,
        command: Sequence[object],
        cwd: Path | str | None,
        env: Mapping[str, str],
        *,
        finalize: bool = True,
    ) -> None:
        """Fork; ``command`` is a script or ``-m module``, and its arguments.

        ``finalize=False`` ends the program without the interpreter's finalization.
        """
        self.args = list(map(str, command))
        self.returncode: int | None = None
        self._output = _server().new_file()
        folder = str(Path.cwd() if cwd is None else cwd)
        request = {
            "argv": self.args,
            "cwd": folder,
            "env": {**env},
            "output": str(self._output),
            "finalize": finalize,
        }
        self.pid = _server().ask(request)

    def poll(self) -> int | None:
        """The exit status, or None while it runs."""
        if self.returncode is None:
            self.returncode = _server().ask({"poll": self.pid})
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, once it has ended."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.poll() is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(self.args, timeout or 0, self._output.read_bytes())
            time.sleep(0.01)
        assert self.returncode is not None
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, None]:
        """All that it wrote, once it has ended."""
        self.wait(timeout)
        return self._output.read_text("utf-8", "backslashreplace"), None

    def send_signal(self, number: int) -> None:
        """Signal it, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL, if it still runs."""
        self.send_signal(signal.SIGKILL)


def run(command: Sequence[object], cwd: Path | None = None, seconds: float = 300) -> Forked:
    """Run a program, without finalization; returns it ended, whatever its exit status."""
    process = Forked(command, cwd, {**os.environ, "OMP_NUM_THREADS": "1"}, finalize=False)
    process.wait(seconds)
    return process


def output_of(command: Sequence[object], cwd: Path | None = None) -> str:
    """What a program wrote; it must have ended well."""
    process = run(command, cwd)
    said, _ = process.communicate()
    assert process.returncode == 0, said
    return said


class _Server:
    def __init__(self) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=environment,
        )  # fmt: skip
        self._lock = threading.Lock()
        self._folder = tempfile.TemporaryDirectory(prefix="outputs-")
        self._numbers = itertools.count()
        atexit.register(self._stop)

    def ask(self, request: Mapping[str, Any]) -> Any:
        with self._lock:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())

    def new_file(self) -> Path:
        """An empty file, there until the end of this process."""
        path = Path(self._folder.name) / str(next(self._numbers))
        path.touch()
        return path

    def _stop(self) -> None:
        with contextlib.suppress(OSError):
            self._process.communicate()
        self._folder.cleanup()


@cache
def _server() -> _Server:
    return _Server()


def _serve() -> dict[str, Any] | None:
    """Answer requests; returns one in the fork that is to run it, and None at the end."""
    answers = os.dup(1)
    os.dup2(2, 1)  # what is imported may print
    sys.path[0] = str(REPOSITORY)
    for name in PRELOADED:
        importlib.import_module(name)
    gc.freeze()  # or every fork would copy all of it only to collect it at its end
    ended: dict[int, int] = {}
    requests = os.fdopen(os.dup(0), "rb", buffering=0)
    while line := requests.readline():
        request = json.loads(line)
        if "poll" in request:
            pid = request["poll"]
            if pid not in ended:
                found, status = os.waitpid(pid, os.WNOHANG)
                if found:
                    ended[pid] = os.waitstatus_to_exitcode(status)
            answer = ended.get(pid)
        else:
            answer = os.fork()
            if answer == 0:
                requests.close()
                os.close(answers)
                return request
            ended.pop(answer, None)  # of a process that had this number before
        os.write(answers, (json.dumps(answer) + "\n").encode())
    return None


def _become(request: Mapping[str, Any]) -> None:
    """Be the program that was asked for."""
    os.setsid()
    for name, place, flags in (
        (os.devnull, 0, os.O_RDONLY),
        (request["output"], 1, os.O_WRONLY | os.O_APPEND),
    ):
        opened = os.open(name, flags)
        os.dup2(opened, place)
        os.close(opened)
    os.dup2(1, 2)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    folders = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[1:1] = [folder for folder in folders if folder and folder not in sys.path[1:]]
    first, *rest = request["argv"]
    if first == "-m":
        sys.argv = rest
        sys.path[0] = request["cwd"]
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = [first, *rest]
        sys.path[0] = str(Path(first).resolve().parent)
        runpy.run_path(first, run_name="__main__")


def _end_without_finalization(stop: SystemExit) -> None:
    """End as the interpreter does, but leave the memory as it is.

    Finalization writes to every object of all imported modules, and so copies the memory that the
    fork shares: four times the work of a command on a tiny input.
    """
    if stop.code is not None and not isinstance(stop.code, int):
        print(stop.code, file=sys.stderr)
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(stop.code if isinstance(stop.code, int) else int(stop.code is not None))


if __name__ == "__main__":
    asked = _serve()
    if asked is not None:
        try:
            _become(asked)
        except SystemExit as stop:
            if asked["finalize"]:
                raise
            _end_without_finalization(stop)
