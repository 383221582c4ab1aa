"""Places of inputs and outputs: names of paths, files for folders, outputs within inputs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from pointcontrast.preparation.verify import verify
from pointcontrast.scenes.view_store import ViewStore
from tests.inputs import makers_rgbd, makers_runs, makers_scans
from tests.inputs.row import DATASETS, EVALUATE, FEATURES, PREDICT, PREPARE, PRETRAIN, Row

Command = Sequence[object]
SMALL = makers_rgbd.PREPARE_SMALL
ODD = {
    "spaces": "my  scans of 2024",
    "unicode": "szén \N{SNOWMAN} 部屋",
    "hash": "room # 1",
    "comma-and-brackets": "a,b [c] {d} (e)",
    "colon-and-equals": "key: value=1",
    "quotes": 'it\'s "so" `x` $HOME',
    "percent": "100 % {0} %s",
    "number": "2024",
    "null": "null",
    "boolean": "true",
    "star": "a*b?",
    "long": "x" * 200,
    "newline": "two\nlines",
    "dots": "v1.2.3",
}
"""Names that file managers allow, and that shells, YAML and formats of text read otherwise."""


def _write_frames(folder: Path) -> Path:
    return makers_rgbd.write_seven_scenes(folder, makers_rgbd.box_room_frames(3))


def _whole_scene(folder: Path, count: int = 1) -> None:
    """A prepared folder is whole, and has this many scenes of three views."""
    report = verify(folder, num_workers=1, progress=False)
    assert not report.findings
    assert (report.num_scenes, report.num_views) == (count, 3 * count)


def _odd_rows() -> list[Row]:
    def prepare(key: str) -> Row:
        name = ODD[key]

        def make(folder: Path) -> Command:
            _write_frames(folder / name)
            return [PREPARE, name, "--output", f"out {name}", *SMALL]

        def check(folder: Path, _: str) -> None:
            _whole_scene(folder / f"out {name}")
            assert len(ViewStore(folder / f"out {name}" / name)) == 3

        return Row(name=f"named-{key}-prepare", kind="N", make=make, check=check)

    def features(key: str) -> Row:
        name = ODD[key]

        def make(folder: Path) -> Command:
            makers_scans.write_room_ply(folder / f"{name}.ply")
            network = shutil.copytree(makers_runs.pretrained_run(), folder / f"run {name}")
            return [FEATURES, network.name, f"{name}.ply", "--output", f"out {name}"]

        def check(folder: Path, _: str) -> None:
            with np.load(folder / f"out {name}" / f"{name}.npz") as arrays:
                assert len(arrays["points"]) == len(makers_scans.room_cloud()[0])

        return Row(name=f"named-{key}-features", kind="N", make=make, check=check)

    def pretrain(key: str) -> Row:
        name = ODD[key]

        def make(folder: Path) -> Command:
            shutil.copytree(makers_runs.prepared_scenes(), folder / name)
            return [*makers_runs.PRETRAIN_SMALL, "--data.root", f"./{name}", "--run_dir",
                    f"./run {name}"]  # fmt: skip

        def check(folder: Path, _: str) -> None:
            assert (folder / f"run {name}" / "backbone.safetensors").exists()

        return Row(name=f"named-{key}-pretrain", kind="N", make=make, check=check)

    return [
        *(prepare(key) for key in ODD),
        *(features(key) for key in ("spaces", "unicode", "hash", "percent", "long", "dots")),
        *(pretrain(key) for key in ("spaces", "hash", "colon-and-equals", "quotes", "percent")),
    ]


def _pretrain_on_number(folder: Path) -> Command:
    shutil.copytree(makers_runs.prepared_scenes(), folder / "2024")
    return [*makers_runs.PRETRAIN_SMALL, "--data.root", "2024", "--run_dir", "1e3"]


def _check_number(folder: Path, _: str) -> None:
    assert (folder / "1e3" / "backbone.safetensors").exists()


def _output_in_input(folder: Path) -> Command:
    _write_frames(folder / "raw" / "room")
    return [PREPARE, "raw", "--output", "raw/prepared", *SMALL]


def _check_output_in_input(folder: Path, said: str) -> None:
    _whole_scene(folder / "raw" / "prepared")


def _output_in_input_again(folder: Path) -> Command:
    _write_frames(folder / "raw" / "room")
    # what the first run made: it must not be taken for a recording
    shutil.copytree(makers_runs.prepared_scenes(), folder / "raw" / "prepared")
    return [PREPARE, "raw", "--output", "raw/prepared", *SMALL]


def _check_again(folder: Path, said: str) -> None:
    assert "1 scenes, 3 views" in said
    assert sorted(path.name for path in (folder / "raw" / "prepared" / "raw").iterdir()) == [
        "room", "room_a", "room_b",
    ]  # fmt: skip


def _output_is_input(folder: Path) -> Command:
    _write_frames(folder / "raw")
    return [PREPARE, "raw", "--output", ".", *SMALL]


def _given_twice(folder: Path) -> Command:
    _write_frames(folder / "raw")
    return [PREPARE, "raw", "raw", "./raw", folder / "raw", "--output", "out", *SMALL]


def _folder_and_its_scene(folder: Path) -> Command:
    _write_frames(folder / "raw" / "room")
    return [PREPARE, "raw/room", "raw", "--output", "out", *SMALL]


def _scan_twice(folder: Path) -> Command:
    makers_scans.write_room_ply(folder / "room.ply")
    network = makers_runs.pretrained_run()
    return [FEATURES, network, "room.ply", "./room.ply", folder / "room.ply", "-o", "out"]


def _check_scan_twice(folder: Path, said: str) -> None:
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["room.npz", "room.ply"]
    assert said.count("points in") == 1


def _wrong_kind_rows() -> list[Row]:
    """A file where a folder is expected, and the reverse."""

    def file_named(name: str, *words: object) -> Callable[[Path], Command]:
        def make(folder: Path) -> Command:
            (folder / name).write_text("something\n")
            return words

        return make

    def prepare_into_file(folder: Path) -> Command:
        _write_frames(folder / "raw")
        (folder / "out").write_text("mine\n")
        return [PREPARE, "raw", "--output", "out", *SMALL]

    def prepare_below_file(folder: Path) -> Command:
        _write_frames(folder / "raw")
        (folder / "out").write_text("mine\n")
        return [PREPARE, "raw", "--output", "out/prepared", *SMALL]

    def features_into_file(folder: Path) -> Command:
        makers_scans.write_room_ply(folder / "room.ply")
        (folder / "out").write_text("mine\n")
        return [FEATURES, makers_runs.pretrained_run(), "room.ply", "-o", "out"]

    def s3dis_into_file(folder: Path) -> Command:
        makers_scans.write_s3dis_room(folder / "raw" / "Area_1" / "office_1")
        (folder / "out").write_text("mine\n")
        return [DATASETS / "s3dis.py", "rooms", "raw", "--output", "out"]

    def run_into_file(folder: Path) -> Command:
        (folder / "out").write_text("mine\n")
        return [*makers_runs.PRETRAIN_SMALL, "--data.root", makers_runs.prepared_scenes(),
                "--run_dir", "out"]  # fmt: skip

    def finetune_into_file(folder: Path) -> Command:
        (folder / "out").write_text("mine\n")
        return [*makers_runs.FINETUNE_SMALL, "--data.benchmark.init_args.root",
                makers_runs.labelled_rooms(), "--run_dir", "out"]  # fmt: skip

    def unchanged(folder: Path, _: str) -> None:
        assert (folder / "out").read_text() == "mine\n"

    def folder_as_config(folder: Path) -> Command:
        (folder / "config.yaml").mkdir()
        return [PRETRAIN, "--config", "config.yaml"]

    def folder_as_checkpoint(folder: Path) -> Command:
        (folder / "last.ckpt").mkdir()
        return [*makers_runs.PRETRAIN_SMALL, "--data.root", makers_runs.prepared_scenes(),
                "--run_dir", "run", "--ckpt_path", "last.ckpt"]  # fmt: skip

    def folder_as_network(folder: Path) -> Command:
        makers_scans.write_room_ply(folder / "room.ply")
        (folder / "best.safetensors").mkdir()
        return [PREDICT, "best.safetensors", "room.ply", "-o", "out"]

    def scan_as_network(folder: Path) -> Command:
        makers_scans.write_room_ply(folder / "room.ply")
        return [FEATURES, "room.ply", "room.ply", "-o", "out"]

    def network_as_scan(folder: Path) -> Command:
        run = makers_runs.pretrained_run()
        return [FEATURES, run, run / "backbone.safetensors", "-o", "out"]

    def root_is_file(folder: Path) -> Command:
        (folder / "root").write_text("mine\n")
        return [*makers_runs.PRETRAIN_SMALL, "--data.root", "root", "--run_dir", "run"]

    def benchmark_root_is_file(folder: Path) -> Command:
        (folder / "root").write_text("mine\n")
        return [*makers_runs.FINETUNE_SMALL, "--data.benchmark.init_args.root", "root",
                "--run_dir", "run"]  # fmt: skip

    def row(name: str, make: Callable[[Path], Command], *says: str, status: int = 2,
            absent: tuple[str, ...] = ()) -> Row:  # fmt: skip
        into = "into-file" in name
        return Row(name=name, kind="N", make=make, status=status, says=("error: ", *says),
                   check=unchanged if into else None, absent=absent)  # fmt: skip

    return [
        row("file-for-recording", file_named("raw", PREPARE, "raw", "--output", "out"), "raw",
            absent=("out",)),
        row("file-for-release", file_named("raw", DATASETS / "s3dis.py", "rooms", "raw",
            "--output", "out"), "raw", absent=("out",)),
        row("file-for-shapes", file_named("raw", DATASETS / "shapenetpart.py", "shapes", "raw",
            "--output", "out"), "raw", absent=("out",)),
        row("file-for-scannet", file_named("raw", DATASETS / "scannet.py", "scenes", "raw",
            "--output", "out"), "raw", absent=("out",)),
        row("file-for-sunrgbd", file_named("raw", DATASETS / "sunrgbd.py", "scenes", "raw",
            "--output", "out"), "raw", absent=("out",)),
        row("file-for-prepared", file_named("raw", PREPARE, "verify", "raw"), "raw"),
        row("file-for-run", file_named("run", EVALUATE, "run"), "run"),
        row("prepare-into-file", prepare_into_file, "out", status=2),
        row("prepare-below-file", prepare_below_file, "out", status=2),
        row("features-into-file", features_into_file, "out", status=2),
        row("s3dis-into-file", s3dis_into_file, "out", status=2),
        row("pretrain-into-file", run_into_file, "out", status=2),
        row("finetune-into-file", finetune_into_file, "out", status=2),
        row("folder-for-configuration", folder_as_config, "config.yaml"),
        row("folder-for-checkpoint", folder_as_checkpoint, "last.ckpt", absent=("run",)),
        row("folder-for-network", folder_as_network, "best.safetensors", absent=("out",)),
        row("scan-for-network", scan_as_network, "room.ply", absent=("out",)),
        row("network-for-scan", network_as_scan, "backbone.safetensors"),
        row("file-for-data-root", root_is_file, "root", absent=("run",)),
        row("file-for-benchmark-root", benchmark_root_is_file, "root", absent=("run",)),
    ]  # fmt: skip


def _read_only_rows() -> list[Row]:
    """``/sys`` takes no files, not even those of root."""

    def prepare(folder: Path) -> Command:
        _write_frames(folder / "raw")
        return [PREPARE, "raw", "--output", "/sys/prepared", *SMALL]

    def features(folder: Path) -> Command:
        makers_scans.write_room_ply(folder / "room.ply")
        return [FEATURES, makers_runs.pretrained_run(), "room.ply", "-o", "/sys/out"]

    def pretrain(folder: Path) -> Command:
        return [*makers_runs.PRETRAIN_SMALL, "--data.root", makers_runs.prepared_scenes(),
                "--run_dir", "/sys/run"]  # fmt: skip

    def s3dis(folder: Path) -> Command:
        makers_scans.write_s3dis_room(folder / "raw" / "Area_1" / "office_1")
        return [DATASETS / "s3dis.py", "rooms", "raw", "--output", "/sys/out"]

    return [
        Row(name=f"read-only-{name}", kind="N", make=make, status=status,
            says=("error: ", "/sys/", "check the path and its permissions"))
        for name, make, status in (("prepare", prepare, 1), ("features", features, 2),
                                   ("pretrain", pretrain, 74), ("s3dis", s3dis, 1))
    ]  # fmt: skip


def _too_long(folder: Path) -> Command:
    _write_frames(folder / "raw")
    return [PREPARE, "raw", "--output", "x" * 300, *SMALL]


def _dash(folder: Path) -> Command:
    _write_frames(folder / "-raw")
    return [PREPARE, "--output", "out", *SMALL, "--", "-raw"]


def _link(folder: Path) -> Command:
    _write_frames(folder / "store" / "scan-0815")
    os.symlink(folder / "store" / "scan-0815", folder / "kitchen")
    return [PREPARE, "kitchen", "--output", "out", *SMALL]


def _check_link(folder: Path, _: str) -> None:
    assert len(ViewStore(folder / "out" / "kitchen")) == 3


def _loop_of_links(folder: Path) -> Command:
    _write_frames(folder / "raw" / "room")
    os.symlink(folder / "raw", folder / "raw" / "again")
    return [PREPARE, "raw/room", "--output", "out", *SMALL]


def _whole(folder: Path, _: str) -> None:
    _whole_scene(folder / "out")


ROWS = [
    *_odd_rows(),
    Row(name="named-as-numbers-pretrain", kind="N", make=_pretrain_on_number, check=_check_number),
    Row(name="output-in-input", kind="N", make=_output_in_input, check=_check_output_in_input),
    Row(name="output-in-input-again", kind="N", make=_output_in_input_again, check=_check_again),
    Row(name="output-is-input", kind="N", make=_output_is_input, status=1,
        says=("raw holds other files", "give another --output"), absent=("pairs.parquet",)),
    Row(name="recording-given-twice", kind="N", make=_given_twice, check=_whole),
    Row(name="folder-and-its-scene", kind="N", make=_folder_and_its_scene,
        check=_whole),
    Row(name="scan-given-twice", kind="N", make=_scan_twice, check=_check_scan_twice),
    *_wrong_kind_rows(),
    *_read_only_rows(),
    Row(name="name-too-long", kind="N", make=_too_long, status=74, says=("File name too long",)),
    Row(name="name-begins-with-dash", kind="N", make=_dash, check=_whole),
    Row(name="link-to-recording", kind="N", make=_link, check=_check_link),
    Row(name="loop-of-links", kind="N", make=_loop_of_links, check=_whole),
]  # fmt: skip
