"""One task per scene, in this process and on Dask; workers import tasks from ``scene_tasks``."""

import errno
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import psutil
import pytest

from pointcontrast.errors import InputError
from pointcontrast.preparation.cluster import (
    SceneFailure,
    default_num_workers,
    run_scenes,
    stays_here,
)
from pointcontrast.preparation.prepare import prepare
from pointcontrast.preparation.workers import Workers
from pointcontrast.scenes.pairs import read_pairs
from tests.helpers import scene_tasks
from tests.helpers.cluster_runs import ENVIRONMENT, contents, kill_a_worker_at_work
from tests.helpers.repository import REPOSITORY
from tests.helpers.small_scenes import walk, write_seven_scenes


def _words(*words):
    return {word: word for word in words}


@contextmanager
def _scheduler(num_workers, tmp_path):
    """A Dask scheduler and workers, started as docs/cluster.md does; yields address, processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", address]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1"]
    worker += ["--no-dashboard", "--local-directory", str(tmp_path)]
    dask += ["--dashboard-address", "127.0.0.1:0", "--no-dashboard"]
    options = {"env": ENVIRONMENT, "stderr": subprocess.DEVNULL, "cwd": tmp_path}
    processes = [subprocess.Popen(dask, **options)]
    try:
        _wait_for(lambda: _answers(address))
        processes += [subprocess.Popen(worker, **options) for _ in range(num_workers)]
        yield address, processes
    finally:
        for each in reversed(processes):
            for child in psutil.Process(each.pid).children() if each.poll() is None else ():
                child.kill()
            each.kill()
            each.wait()


def _answers(address):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(address.rpartition(":")[2]))) == 0


def _wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def test_one_worker_is_this_process():
    assert list(run_scenes(scene_tasks.double, {"a": 1, "b": 4})) == [("a", 2), ("b", 8)]
    found = dict(run_scenes(scene_tasks.describe_process, {"a": 0}))
    assert found["a"]["pid"] == os.getpid()
    assert stays_here(1, None)
    assert not stays_here(1, None, "4GB")  # a limit needs a process to be put on
    assert 1 <= default_num_workers(1000) <= os.cpu_count()
    assert default_num_workers(1) == 1


def test_workers_are_processes_with_one_thread_and_give_the_same(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")  # of this process, and it stays so
    tasks = {str(i): i for i in range(8)}
    found = dict(run_scenes(scene_tasks.double, tasks, num_workers=2))
    assert found == dict(run_scenes(scene_tasks.double, tasks))
    described = dict(run_scenes(scene_tasks.describe_process, tasks, num_workers=2)).values()
    assert os.getpid() not in {each["pid"] for each in described}
    assert {each["threads"] for each in described} == {"1"}
    assert os.environ["OMP_NUM_THREADS"] == "2"
    assert list(run_scenes(scene_tasks.double, {}, num_workers=2)) == []


@pytest.mark.parametrize("num_workers", [1, 2])
def test_a_scene_that_fails_does_not_stop_the_others(num_workers, caplog):
    tasks = _words("bad input", "ok", "defect", "unpicklable", "exit", "fine")
    found = dict(run_scenes(scene_tasks.misbehave, tasks, num_workers=num_workers))
    reasons = {name: each.reason for name, each in found.items() if name not in ("ok", "fine")}
    assert found["ok"] == "ok"
    assert found["fine"] == "fine"
    assert reasons["bad input"] == "frame.png is not an image; export it again"
    assert reasons["defect"] == "ZeroDivisionError: it was zero"
    assert reasons["exit"] == "SystemExit: 3"
    assert reasons["unpicklable"].startswith("_LocalError: ")
    logged = [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]
    assert len(logged) == 3  # not the bad input
    assert any("line" in each and "ZeroDivisionError" in each for each in logged)


@pytest.mark.parametrize("num_workers", [1, 2])
@pytest.mark.parametrize("task", ["full disk", "quota"])
def test_a_full_disk_stops_the_run(num_workers, task):
    with pytest.raises(OSError, match=r"No space left|quota") as caught:
        list(run_scenes(scene_tasks.misbehave, _words(task), num_workers=num_workers))
    assert caught.value.errno == (errno.ENOSPC if task == "full disk" else errno.EDQUOT)
    assert caught.value.filename == ("big.npy" if task == "full disk" else None)


def test_a_scene_whose_worker_was_killed_is_done_by_another(tmp_path):
    tasks = {name: tmp_path / name for name in "abc"}
    found = dict(run_scenes(scene_tasks.die_once, tasks, num_workers=2))
    assert found == dict.fromkeys("abc", "done")


def test_a_scene_that_kills_every_worker_is_reported_and_the_others_go_on():
    tasks = _words("ok", "die", "a", "b", "c")
    found = dict(run_scenes(scene_tasks.misbehave, tasks, num_workers=2))
    failure = found.pop("die")
    assert isinstance(failure, SceneFailure)
    assert "its worker died 4 times" in failure.reason
    assert "raise --memory-limit" in failure.reason
    assert found == _words("ok", "a", "b", "c")


def test_a_scene_above_the_memory_limit_is_reported():
    tasks = _words("ok", "eat memory", "fine")
    work = run_scenes(scene_tasks.misbehave, tasks, num_workers=2, memory_limit="300MB")
    found = dict(work)
    assert "its worker died" in found.pop("eat memory").reason
    assert found == _words("ok", "fine")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"num_workers": 0}, "--num-workers must be at least 1"),
        ({"num_workers": 2, "memory_limit": "much"}, "--memory-limit must be a size"),
        ({"num_workers": 2, "memory_limit": "-1GB"}, "--memory-limit must be a size"),
        ({"scheduler": "tcp://127.0.0.1:1"}, r"no Dask scheduler answers at tcp://127\.0\.0\.1:1"),
        ({"scheduler": "nonsense:x"}, "no Dask scheduler answers at nonsense:x"),
    ],
)
def test_wrong_settings_are_told(options, reason):
    with pytest.raises(InputError, match=reason):
        list(run_scenes(scene_tasks.double, {"a": 1}, **options))


def test_ctrl_c_ends_the_workers_quietly(tmp_path):
    script = tmp_path / "linger.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from tests.helpers.scene_tasks import linger\n"
        "from pointcontrast.preparation.cluster import run_scenes\n"
        "from pointcontrast.errors import run_command\n"
        "tasks = dict.fromkeys('abcd', Path(sys.argv[1]))\n"
        "if __name__ == '__main__':\n"
        "    work = run_scenes(linger, tasks, num_workers=2)\n"
        "    raise SystemExit(run_command(lambda: list(work) and None))\n"
    )
    noted = tmp_path / "noted"
    noted.mkdir()
    run = subprocess.Popen(
        [sys.executable, script, noted],
        env=ENVIRONMENT,
        start_new_session=True,
        # a shell that runs the tests in the background has it ignored, and children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        stderr=subprocess.PIPE,
        text=True,
    )
    _wait_for(lambda: len(list(noted.iterdir())) == 2)
    os.killpg(run.pid, signal.SIGINT)  # a terminal sends it to the workers too
    assert run.communicate(timeout=30)[1] == "interrupted\n"
    assert run.returncode == 130
    _wait_for(lambda: not any(psutil.pid_exists(int(path.name)) for path in noted.iterdir()), 5)


def test_an_existing_scheduler_does_the_work_and_may_be_lost(tmp_path):
    (tmp_path / "noted").mkdir()
    with _scheduler(2, tmp_path) as (address, processes):
        tasks = {str(i): i for i in range(8)}
        found = dict(run_scenes(scene_tasks.double, tasks, scheduler=address))
        assert found == {str(i): 2 * i for i in range(8)}
        described = dict(run_scenes(scene_tasks.describe_process, tasks, scheduler=address))
        assert os.getpid() not in {each["pid"] for each in described.values()}
        _prepare_there(tmp_path, address)
        work = run_scenes(scene_tasks.linger_once, {"a": tmp_path / "noted"}, scheduler=address)
        with pytest.raises(InputError, match="the Dask scheduler was lost"):
            _lose(work, tmp_path / "noted", processes[0])


def _prepare_there(tmp_path, address):
    raw = tmp_path / "raw"
    for name in "ab":
        write_seven_scenes(raw / name, walk(4))
    prepare([raw], tmp_path / "here")
    assert not prepare([raw], tmp_path / "there", workers=Workers(scheduler=address)).failures
    assert contents(tmp_path / "there") == contents(tmp_path / "here")


def _lose(work, noted, scheduler):
    def kill():
        _wait_for(lambda: any(noted.iterdir()))
        scheduler.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        list(work)
    finally:
        killer.join()


def test_a_run_whose_worker_is_killed_gives_the_same_bytes(tmp_path):
    raw, output = tmp_path / "raw", tmp_path / "two"
    for name in "abcde":
        write_seven_scenes(raw / name, walk(8, step=0.2))
    (raw / "c" / "camera-intrinsics.txt").write_text("1 2 3")
    assert list(prepare([raw], tmp_path / "one").failures) == ["raw/c"]
    command = [sys.executable, REPOSITORY / "tools/prepare_pairs.py", raw, "-o", output]
    run = subprocess.Popen(
        [*command, "--num-workers", "2"],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    killed = kill_a_worker_at_work(run, output)
    printed, errors = run.communicate(timeout=60)
    assert killed
    assert run.returncode == 1, errors
    # Python's own resource tracker may note that the killed process left a semaphore.
    lines = [line for line in errors.splitlines() if "resource_tracker" not in line]
    assert [line.partition(":")[0] for line in lines] == ["error"], errors
    assert lines[0].startswith("error: raw/c: ")
    assert "4 scenes, 32 views" in printed
    assert contents(output) == contents(tmp_path / "one")
    scenes = {pair.scene for pair in read_pairs(output / "pairs.parquet")}
    assert scenes == {"raw/a", "raw/b", "raw/d", "raw/e"}
