import errno
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

import pointcontrast.preparation.prepare
import pointcontrast.preparation.prepare_scene
import pointcontrast.prepare_cli
from pointcontrast.errors import InputError
from pointcontrast.preparation.prepare import prepare
from pointcontrast.preparation.prepare_scene import Settings
from pointcontrast.preparation.workers import Workers
from pointcontrast.prepare_cli import main
from pointcontrast.recordings.layouts import open_sequence
from pointcontrast.recordings.rgbd.layouts.seven_scenes import SevenScenesSequence
from pointcontrast.scenes.pairs import read_pairs
from pointcontrast.scenes.recorded_views import to_view
from pointcontrast.scenes.view_store import ViewStore
from pointcontrast.types import Pair
from tests.helpers.repository import REPOSITORY
from tests.helpers.small_scenes import save_depth, walk, write_image_folder, write_seven_scenes
from tests.oracles.overlap import overlap_of_two

HERE = ["--num-workers", "1"]  # quicker than starting processes


@pytest.fixture
def raw(tmp_path):
    """Two scenes, one of each layout."""
    write_seven_scenes(tmp_path / "raw" / "a", walk(4))
    write_image_folder(tmp_path / "raw" / "b", walk(3, step=0.3))
    return tmp_path / "raw"


def _snapshot(folder):
    return {
        path.relative_to(folder): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_two_layouts_become_scenes_and_one_pair_list(raw, tmp_path, capsys):
    output = tmp_path / "out"
    assert main([str(raw), "--output", str(output), *HERE]) == 0
    printed = capsys.readouterr().out
    assert "2 scenes, 7 views" in printed
    assert f"--data.root {output}" in printed
    pairs = read_pairs(output / "pairs.parquet")
    assert {pair.scene for pair in pairs} == {"raw/a", "raw/b"}
    for scene, count in (("raw/a", 4), ("raw/b", 3)):
        store = ViewStore(output / scene)
        store.verify()
        assert len(store) == count
        assert read_pairs(output / scene / "pairs.parquet") == [
            pair for pair in pairs if pair.scene == scene
        ]


def test_overlaps_are_the_authors_at_full_resolution(raw, tmp_path):
    prepare([raw / "a"], tmp_path / "out", Settings(overlap="exact", overlap_threshold=0.2))
    sequence = open_sequence(raw / "a")
    points = [to_view(sequence.read(i)).cloud.points for i in range(4)]
    found = read_pairs(tmp_path / "out" / "pairs.parquet")
    expected = []
    for i in range(4):
        for j in range(i + 1, 4):
            overlap = float(np.float32(overlap_of_two(points[i], points[j])))
            if overlap >= 0.2:
                expected.append(Pair("a", i, j, overlap))
    assert found == expected
    assert len(found) >= 3


def test_a_second_run_changes_nothing_and_other_settings_do(raw, tmp_path):
    output = tmp_path / "out"
    assert not any(scene.reused for scene in prepare([raw], output).scenes)
    before = _snapshot(output / "raw")
    assert all(scene.reused for scene in prepare([raw], output).scenes)
    assert _snapshot(output / "raw") == before
    # Another threshold chooses the pairs again and leaves the views.
    prepare([raw], output, Settings(overlap_threshold=0.9))
    after = _snapshot(output / "raw")
    changed = {path.name for path in before if after[path] != before[path]}
    assert changed == {"pairs.parquet"}
    # Another storage makes the scene again; so does a frame that was replaced.
    summary = prepare([raw / "a"], tmp_path / "a", Settings(storage="points", storage_grid=0.05))
    sizes = [scene.meta.num_points[0] for scene in summary.scenes]
    assert sizes[0] < ViewStore(output / "raw" / "a").meta.num_points[0]
    save_depth(raw / "a" / "frame-000000.depth.png", np.ones((120, 160)))
    reused = {scene.scene: scene.reused for scene in prepare([raw], output).scenes}
    assert reused == {"raw/a": False, "raw/b": False}  # b's pairs were chosen again


def test_the_settings_in_a_prepared_folder_keep_their_names(raw, tmp_path):
    # Folders that were prepared by earlier versions are recognised by these keys.
    meta = prepare([raw / "a"], tmp_path, Settings(overlap_voxel_size=0.05)).scenes[0].meta
    assert set(meta.settings) == {
        *("frame_skip", "max_depth", "storage", "storage_grid", "overlap", "voxel_size"),
        *("up", "intrinsics", "recipe", "frames"),
    }
    assert meta.settings["voxel_size"] == 0.05


def test_a_damaged_scene_is_made_again(raw, tmp_path):
    output = tmp_path / "out"
    prepare([raw / "a"], output)
    before = {k: v[0] for k, v in _snapshot(output).items()}
    for name in ("depth.bin", "overlap.npy", "pairs.parquet"):
        os.truncate(output / "a" / name, 50)
        prepare([raw / "a"], output)
        assert {k: v[0] for k, v in _snapshot(output).items()} == before


def test_bad_frames_are_skipped_counted_and_listed(raw, tmp_path, capsys):
    (raw / "a" / "frame-000001.pose.txt").write_text("nan " * 16)
    save_depth(raw / "a" / "frame-000002.depth.png", np.zeros((120, 160)))
    assert (
        main([str(raw / "a"), "-o", str(tmp_path / "out"), "--overlap-threshold", "0.05", *HERE])
        == 0
    )
    assert "2 frames skipped" in capsys.readouterr().out
    skipped = json.loads((tmp_path / "out" / "a" / "meta.json").read_text())["skipped"]
    assert [frame["frame_id"] for frame in skipped] == ["frame-000001", "frame-000002"]
    assert "pose.txt" in skipped[0]["reason"]
    assert "no valid depth" in skipped[1]["reason"]
    assert len(ViewStore(tmp_path / "out" / "a")) == 2


def test_a_scene_that_fails_does_not_stop_the_others(raw, tmp_path, capsys):
    (raw / "a" / "camera-intrinsics.txt").unlink()
    assert main([str(raw), "-o", str(tmp_path / "out"), *HERE]) == 1
    captured = capsys.readouterr()
    assert "error: raw/a:" in captured.err
    assert "camera-intrinsics.txt" in captured.err
    assert not (tmp_path / "out" / "raw" / "a").exists()
    assert {pair.scene for pair in read_pairs(tmp_path / "out" / "pairs.parquet")} == {"raw/b"}


def test_one_view_only_is_an_error_and_leaves_nothing(raw, tmp_path, capsys):
    for path in (raw / "a").glob("frame-00000[1-3]*"):
        path.unlink()
    assert main([str(raw), "-o", str(tmp_path / "out"), *HERE]) == 1
    assert "only one usable view" in capsys.readouterr().err
    assert not (tmp_path / "out" / "raw" / "a").exists()
    assert (tmp_path / "out" / "raw" / "b").exists()


def test_no_pair_above_the_threshold_is_an_error_that_says_the_best(tmp_path, capsys):
    raw = write_seven_scenes(tmp_path / "apart", walk(2, step=np.pi))
    for _ in range(2):  # also if the scene exists already
        assert main([str(raw), "-o", str(tmp_path / "out"), *HERE]) == 1
        assert "the best by 0." in capsys.readouterr().err
    assert not (tmp_path / "out" / "pairs.parquet").exists()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["gone"], "gone does not exist"),
        (["."], "holds no frames in a known layout"),
        ([".", "--frame-skip", "0"], "--frame-skip must be at least 1"),
        ([".", "--overlap-threshold", "30"], "--overlap-threshold must be"),
        ([".", "--storage-grid", "-1"], "--storage-grid must be"),
        ([".", "--up", "0", "0", "0"], "--up must be not zero"),
        ([".", "--overlap-voxel-size", "nan"], "--overlap-voxel-size must be"),
        ([".", "--voxel-size", "0.5"], "--voxel-size is now --overlap-voxel-size"),
        ([".", "--max-pairs", "-1"], "--max-pairs must be at least 0"),
        ([".", "--seed", "-1"], "--seed must be at least 0"),
        ([".", "--num-workers", "2", "--scheduler", "tcp://a:1"], "--num-workers and --memory"),
    ],
)
def test_wrong_arguments_are_one_line(tmp_path, monkeypatch, capsys, arguments, reason):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    assert main([*arguments, "--output", str(tmp_path / "out"), *HERE]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_full_disk_keeps_finished_scenes_and_leaves_no_half(raw, tmp_path, monkeypatch, capsys):
    output = tmp_path / "out"
    fill = pointcontrast.preparation.prepare_scene.fill_view_store
    monkeypatch.setattr(
        pointcontrast.preparation.prepare_scene,
        "fill_view_store",
        lambda folder, *args, **options: (
            _full_disk(monkeypatch) if folder.name.startswith(".b.") else None,
            fill(folder, *args, **options),
        )[1],
    )
    assert main([str(raw), "-o", str(output), *HERE]) == 74
    assert "free some space" in capsys.readouterr().err
    monkeypatch.undo()
    ViewStore(output / "raw" / "a").verify()
    assert [path.name for path in (output / "raw").iterdir()] == ["a"]
    assert main([str(raw), "-o", str(output), *HERE]) == 0
    assert {pair.scene for pair in read_pairs(output / "pairs.parquet")} == {"raw/a", "raw/b"}


def _full_disk(monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)


def test_what_a_killed_run_left_is_swept_away(raw, tmp_path):
    output = tmp_path / "out"
    (output / ".a.xyz12345.partial").mkdir(parents=True)
    (output / ".a.xyz12345.partial" / "points.spill").write_bytes(b"half")
    prepare([raw / "a"], output)
    assert sorted(path.name for path in output.iterdir()) == ["a", "pairs.parquet"]


def test_the_raw_frames_are_never_replaced(raw, tmp_path):
    before = _snapshot(raw)
    summary = prepare([raw / "a"], raw)
    assert "holds other files" in summary.failures["a"]
    assert _snapshot(raw) == before


def test_merge_makes_one_scene_and_a_name_taken_twice_is_an_error(raw, tmp_path):
    summary = prepare([raw], tmp_path / "out", merge=True)
    assert [scene.scene for scene in summary.scenes] == ["raw"]
    assert len(summary.scenes[0].meta.frame_ids) == 7
    shutil.copytree(raw / "a", tmp_path / "other" / "a")
    with pytest.raises(InputError, match="rename one"):
        prepare([raw / "a", tmp_path / "other" / "a"], tmp_path / "twice")


def test_frame_skip_max_depth_and_up_are_obeyed(raw, tmp_path):
    settings = Settings(frame_skip=2, max_depth=1.9, up=(0, 0, 1), overlap_threshold=0.01)
    prepare([raw / "a"], tmp_path / "out", settings)
    store = ViewStore(tmp_path / "out" / "a")
    assert store.meta.frame_ids == ("frame-000000", "frame-000002")
    assert store.meta.up.tolist() == [0, 0, 1]
    assert store.meta.up_how == "given"
    sequence = open_sequence(raw / "a")
    pose = sequence.read(0).world_from_camera
    assert ((store[0].points - pose[:3, 3]) @ pose[:3, 2]).max() < 1.902


def test_the_source_may_state_up(raw, tmp_path):
    (raw / "a" / "up.txt").write_text("0 0.1 1")
    meta = prepare([raw / "a"], tmp_path / "out").scenes[0].meta
    assert meta.up_how == "stated by the source"
    assert meta.up[1] == pytest.approx(0.1 / np.hypot(0.1, 1))


def test_the_script_runs(raw, tmp_path):
    command = [
        sys.executable,
        REPOSITORY / "tools/prepare_pairs.py",
        raw,
        "-o",
        tmp_path / "out",
        *HERE,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "pairs.parquet").exists()


@pytest.mark.parametrize("words", [["--help"], ["verify", "--help"]])
def test_help_loads_no_heavy_library(words):
    script = str(REPOSITORY / "tools/prepare_pairs.py")
    code = (
        "import runpy, sys; sys.argv[0] = 'prepare_pairs.py'\n"
        f"try: runpy.run_path({script!r}, run_name='__main__')\n"
        "except SystemExit as stop: assert not stop.code, stop.code\n"
        "heavy = {'torch', 'open3d', 'dask', 'distributed', 'scipy', 'pandas', 'lightning'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    command = [sys.executable, "-c", code, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--num-workers" in done.stdout


def _content(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}


def test_the_list_is_a_fair_choice_that_is_made_again_alone(raw, tmp_path, capsys):
    output = tmp_path / "out"
    command = [str(raw), "-o", str(output), "--overlap-threshold", "0.05", *HERE]
    assert main([*command, "--max-pairs", "0"]) == 0
    everything = read_pairs(output / "pairs.parquet")
    own = {each: read_pairs(output / each / "pairs.parquet") for each in ("raw/a", "raw/b")}
    assert everything == own["raw/a"] + own["raw/b"]
    assert "stratified" not in capsys.readouterr().out
    before = _snapshot(output / "raw")
    lists = []
    for seed in ("0", "1", "0"):
        assert main([*command, "--max-pairs", "4", "--seed", seed]) == 0
        assert f"4 of {len(everything)} pairs, stratified over 2 scenes" in capsys.readouterr().out
        lists.append((output / "pairs.parquet").read_bytes())
        pairs = read_pairs(output / "pairs.parquet")
        assert [pair.scene for pair in pairs] == ["raw/a"] * 2 + ["raw/b"] * 2
        assert set(pairs) < set(everything)
    assert lists[0] == lists[2] != lists[1]
    assert _snapshot(output / "raw") == before


def test_every_setting_has_an_option(raw, tmp_path, monkeypatch):
    caught = []
    monkeypatch.setattr(
        pointcontrast.prepare_cli,
        "prepare",
        lambda inputs, output, settings, **rest: caught.append((settings, rest)) or 1 / 0,
    )
    with pytest.raises(ZeroDivisionError):
        main([str(raw), "-o", str(tmp_path)])
    assert caught[0][0] == Settings()
    words = ["--frame-skip", "3", "--up", "0", "0", "2", "--intrinsics", "1", "2", "3", "4"]
    words += ["--max-depth", "inf", "--num-workers", "2"]
    with pytest.raises(ZeroDivisionError):
        main([str(raw), "-o", str(tmp_path), *words])
    settings, rest = caught[1]
    assert settings == Settings(
        frame_skip=3, up=(0, 0, 2), intrinsics=(1, 2, 3, 4), max_depth=float("inf")
    )
    assert rest["workers"] == Workers(num_workers=2, progress=True)


def test_a_file_that_is_a_scene_gives_its_name_without_the_suffix(tmp_path, monkeypatch):
    found = [tmp_path / "raw" / "x" / "scan.v2.sens", tmp_path / "raw" / "y"]
    found[1].mkdir(parents=True)
    found[0].parent.mkdir()
    found[0].touch()
    monkeypatch.setattr(pointcontrast.preparation.prepare, "find_sequences", lambda given: found)
    sources = pointcontrast.preparation.prepare.scene_sources([tmp_path / "raw"], merge=False)
    assert sources == {"raw/x/scan.v2": found[0], "raw/y": found[1]}


def test_leftovers_of_one_scene_are_not_those_of_another(raw, tmp_path):
    output = tmp_path / "out"
    prepare([raw / "a"], output)
    leftovers = [".a.0123abc_.partial", ".a.0123abc_.old", ".pairs.0123abc_.partial.parquet"]
    others = [".a.b.0123abc_.partial", ".a.partial", ".other.0123abc_.partial", "notes.partial"]
    for name in leftovers + others:
        (output / name).mkdir()
    (output / "a" / ".pairs.0123abc_.partial.parquet").touch()
    prepare([raw / "a"], output)
    assert {path.name for path in output.iterdir()} == {"a", "pairs.parquet", *others}
    assert not list((output / "a").glob(".*"))


def test_two_at_one_scene_leave_it_whole(raw, tmp_path):
    """As when Dask loses the connection to a worker that still works."""
    prepare([raw / "a"], tmp_path / "alone")
    script = (
        "import sys; from pathlib import Path; from pointcontrast.preparation.prepare import *; "
        "from pointcontrast.preparation.prepare import _prepare_one, _Task; sys.stdin.read(1); "
        "task = _Task(Path(sys.argv[1]), Path(sys.argv[2]), 'a', Settings(), False, None); "
        "print(_prepare_one(task)[0].num_pairs)"
    )
    command = [sys.executable, "-c", script, raw / "a", tmp_path / "out"]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    running = [subprocess.Popen(command, text=True, **pipes) for _ in range(2)]
    for each in running:
        each.stdin.write(".")
        each.stdin.flush()
    ended = [each.communicate() for each in running]
    assert any(each.returncode == 0 for each in running), ended
    prepare([raw / "a"], tmp_path / "out")  # sweeps, and takes the scene as it is
    assert _content(tmp_path / "out") == _content(tmp_path / "alone")


def test_the_loser_of_a_race_takes_the_winners_scene(raw, tmp_path, monkeypatch):
    real = pointcontrast.preparation.prepare.prepare_scene
    attempts = []

    def beaten(*arguments):
        attempts.append(real(*arguments))
        if len(attempts) == 1:
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), "a")
        return attempts[-1]

    monkeypatch.setattr(pointcontrast.preparation.prepare, "prepare_scene", beaten)
    summary = prepare([raw / "a"], tmp_path / "out")
    assert [scene.reused for scene in summary.scenes] == [True]
    assert not summary.failures


def test_a_damaged_recording_is_told_though_its_good_frames_are_kept(raw, tmp_path, monkeypatch):
    monkeypatch.setattr(SevenScenesSequence, "problem", "a.sens is cut short", raising=False)
    summary = prepare([raw], tmp_path / "out")
    assert summary.failures == {"raw/a": "a.sens is cut short"}
    assert [scene.scene for scene in summary.scenes] == ["raw/a", "raw/b"]
    assert {pair.scene for pair in read_pairs(tmp_path / "out/pairs.parquet")} == {"raw/a", "raw/b"}
