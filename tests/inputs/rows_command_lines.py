"""The command lines themselves: homes, pipes, terminals, names of paths, full disks, places.

Every tool that reads and writes is in :data:`TOOLS`; a condition gives a row for each.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml

from tests.inputs import makers_rgbd, makers_runs, makers_scans
from tests.inputs.row import (
    CONVERT_WEIGHTS,
    DATASETS,
    EVALUATE,
    FEATURES,
    PREDICT,
    PREPARE,
    VISUALIZE,
    Row,
)

UNDER = Path(__file__).with_name("run_under.py")
Command = Sequence[object]
NO_ROOM = ("error: ", "; free some space")


def _recording(folder: Path, name: str = "recording") -> str:
    makers_rgbd.write_seven_scenes(folder / name, makers_rgbd.box_room_frames(3))
    return name


def _prepare(folder: Path, output: str) -> Command:
    return [PREPARE, _recording(folder), f"--output={output}", *makers_rgbd.PREPARE_SMALL]


def _features(folder: Path, output: str) -> Command:
    makers_scans.write_room_ply(folder / "room.ply")
    return [FEATURES, makers_runs.pretrained_run(), "room.ply", f"--output={output}"]


def _predict(folder: Path, output: str) -> Command:
    makers_scans.write_room_ply(folder / "room.ply")
    return [PREDICT, makers_runs.finetuned_run(), "room.ply", f"--output={output}"]


def _evaluate(folder: Path, output: str) -> Command:
    return [EVALUATE, makers_runs.finetuned_run(), f"--output={output}"]


def _s3dis(folder: Path, output: str) -> Command:
    makers_scans.write_s3dis_room(folder / "raw" / "Area_1" / "office_1")
    return [DATASETS / "s3dis.py", "rooms", "raw", f"--output={output}"]


def _convert(folder: Path, output: str) -> Command:
    return [CONVERT_WEIGHTS, makers_runs.pretrained_run(), "--to", "minkowski",
            f"--output={output}.pth"]  # fmt: skip


def _label_list(folder: Path, output: str) -> Command:
    return [DATASETS / "label_lists.py", "scenes", makers_runs.labelled_rooms(),
            "--benchmark", "LabelledScenes", f"--output={output}"]  # fmt: skip


def _rooms(folder: Path, output: str) -> Command:
    return [DATASETS / "synthetic_rooms.py", f"--output={output}", "--num-rooms", 1, "--num-frames",
            2, "--width", 40, "--height", 30]  # fmt: skip


def _curves(folder: Path, output: str) -> Command:
    return [VISUALIZE, "curves", "--runs", makers_runs.pretrained_run(), f"--png={output}.png"]


def _pretrain(folder: Path, output: str) -> Command:
    return [*makers_runs.PRETRAIN_SMALL, "--data.root", makers_runs.prepared_scenes(),
            f"--run_dir={output}"]  # fmt: skip


def _finetune(folder: Path, output: str) -> Command:
    return [*makers_runs.FINETUNE_SMALL, "--data.benchmark.init_args.root",
            makers_runs.labelled_rooms(), f"--run_dir={output}"]  # fmt: skip


TOOLS: dict[str, tuple[Callable[[Path, str], Command], str]] = {
    "prepare": (_prepare, "recording/meta.json"),
    "features": (_features, "room.npz"),
    "predict": (_predict, "room.npz"),
    "evaluate": (_evaluate, "*/scores.json"),
    "s3dis": (_s3dis, "Area_1/office_1/meta.json"),
    "convert-weights": (_convert, ".pth"),
    "label-lists": (_label_list, "*.txt"),
    "synthetic-rooms": (_rooms, "room_0000/camera-intrinsics.txt"),
    "curves": (_curves, ".png"),
    "pretrain": (_pretrain, "backbone.safetensors"),
    "finetune": (_finetune, "best.safetensors"),
}
"""Tool -> function from a folder and an output to a command, and a file that must then exist."""


def _written(folder: Path, output: str, name: str) -> list[Path]:
    """The files of an output that a tool must have written."""
    if name.startswith("."):
        return [path for path in [folder / f"{output}{name}"] if path.is_file()]
    return list((folder / output).glob(name))


def _home_rows() -> list[Row]:
    """``--output=~/x`` is not expanded by the shell, and must not make a folder named ~."""

    def row(tool: str) -> Row:
        command, name = TOOLS[tool]

        def make(folder: Path) -> Command:
            (folder / "home").mkdir()
            return [UNDER, "--home", "home", *command(folder, "~/made/x")]

        def check(folder: Path, said: str) -> None:
            assert _written(folder, "home/made/x", name), said

        return Row(name=f"home-{tool}", kind="N", make=make, check=check, absent=("~",))

    return [row(tool) for tool in TOOLS]


def _home_inputs() -> list[Row]:
    """Inputs in the home folder, in words of the command line and in a configuration."""

    def in_home(folder: Path) -> Path:
        (folder / "home").mkdir()
        return folder / "home"

    def pretrain_root(folder: Path) -> Command:
        shutil.copytree(makers_runs.prepared_scenes(), in_home(folder) / "data")
        config = folder / "home" / "mine.yaml"
        settings = {"data": {"root": "~/data"}, "run_dir": "~/run"}
        config.write_text(yaml.safe_dump(settings))
        return [UNDER, "--home", "home", *makers_runs.PRETRAIN_SMALL, "--config=~/mine.yaml"]

    def finetune_weights(folder: Path) -> Command:
        shutil.copytree(makers_runs.pretrained_run(), in_home(folder) / "run")
        return [
            UNDER, "--home", "home", *makers_runs.FINETUNE_SMALL, "--model.weights=~/run",
            "--data.benchmark.init_args.root", makers_runs.labelled_rooms(), "--run_dir", "made",
        ]  # fmt: skip

    def finetune_root(folder: Path) -> Command:
        shutil.copytree(makers_runs.labelled_rooms(), in_home(folder) / "rooms")
        return [
            UNDER, "--home", "home", *makers_runs.FINETUNE_SMALL, "--run_dir", "made",
            "--data.benchmark.init_args.root=~/rooms",
        ]  # fmt: skip

    def features_network(folder: Path) -> Command:
        shutil.copytree(makers_runs.pretrained_run(), in_home(folder) / "run")
        makers_scans.write_room_ply(folder / "home" / "room.ply")
        return [UNDER, "--home", "home", FEATURES, "~/run", "~/room.ply", "-o", "made"]

    def evaluate_root(folder: Path) -> Command:
        shutil.copytree(makers_runs.labelled_rooms(), in_home(folder) / "rooms")
        return [UNDER, "--home", "home", EVALUATE, makers_runs.finetuned_run(), "--root=~/rooms",
                "--output", "made"]  # fmt: skip

    def exists(name: str) -> Callable[[Path, str], None]:
        def check(folder: Path, said: str) -> None:
            assert (folder / name).exists(), said

        return check

    return [
        Row(name="home-in-configuration", kind="N", make=pretrain_root,
            check=exists("home/run/backbone.safetensors"), absent=("~",)),
        Row(name="home-weights", kind="N", make=finetune_weights,
            check=exists("made/best.safetensors"), absent=("~",)),
        Row(name="home-benchmark-root", kind="N", make=finetune_root,
            check=exists("made/best.safetensors"), absent=("~",)),
        Row(name="home-network-and-scan", kind="N", make=features_network,
            check=exists("made/room.npz"), absent=("~",)),
        Row(name="home-evaluate-root", kind="N", make=evaluate_root,
            says=("mean IoU",), absent=("~",)),
    ]  # fmt: skip


def _closed_rows() -> list[Row]:
    """``COMMAND | head -1``: the reader has gone before the first word."""

    def quiet(_: Path, said: str) -> None:
        assert "Broken pipe" not in said, said
        assert "Exception ignored" not in said, said

    def row(tool: str) -> Row:
        command = TOOLS[tool][0]
        return Row(
            name=f"closed-pipe-{tool}",
            kind="N",
            make=lambda folder: [UNDER, "--closed-output", *command(folder, "made")],
            status=141,
            check=quiet,
        )

    def help_row(name: str, *words: object, status: int = 141) -> Row:
        return Row(
            name=f"closed-pipe-help-{name}", kind="N", status=status, check=quiet,
            make=lambda _: [UNDER, "--closed-output", *words, "--help"],
        )  # fmt: skip

    silent = {"label-lists", "synthetic-rooms"}  # they write without a word
    return [
        *(row(tool) for tool in TOOLS if tool not in silent),
        help_row("prepare", PREPARE),
        help_row("features", FEATURES),
        help_row("pretrain", makers_runs.PRETRAIN_SMALL[0], status=0),
        help_row("finetune", makers_runs.FINETUNE_SMALL[0], status=0),
        help_row("s3dis", DATASETS / "s3dis.py", "rooms"),
        help_row("evaluate", EVALUATE),
    ]


def _terminal_rows() -> list[Row]:
    """Names of paths that the terminal's encoding lacks."""

    def prepare(folder: Path) -> Command:
        name = _recording(folder, "küche \N{SNOWMAN}")
        words = [PREPARE, name, "--output", "fertig é", *makers_rgbd.PREPARE_SMALL]
        return [UNDER, "--encoding", "ascii", *words]

    def missing(folder: Path) -> Command:
        return [UNDER, "--encoding", "ascii", PREPARE, "küche", "--output", "fertig"]

    def features(folder: Path) -> Command:
        makers_scans.write_room_ply(folder / "küche.ply")
        network = makers_runs.pretrained_run()
        return [UNDER, "--encoding", "ascii", FEATURES, network, "küche.ply", "-o", "é"]

    def pretrain(folder: Path) -> Command:
        shutil.copytree(makers_runs.prepared_scenes(), folder / "daten ü")
        words = [*makers_runs.PRETRAIN_SMALL, "--data.root", "daten ü", "--run_dir", "lauf ß"]
        return [UNDER, "--encoding", "latin-1", *words]

    def not_utf8(folder: Path) -> Command:
        _recording(folder, "caf\udce9")  # a name in Latin-1, from another system
        return [PREPARE, "caf\udce9", "--output", "made", *makers_rgbd.PREPARE_SMALL]

    def exists(name: str) -> Callable[[Path, str], None]:
        def check(folder: Path, said: str) -> None:
            assert (folder / name).exists(), said

        return check

    return [
        Row(name="ascii-terminal-prepare", kind="N", make=prepare,
            says=(r"fertig \xe9", "1 scenes, 3 views"), check=exists("fertig é/pairs.parquet")),
        Row(name="ascii-terminal-error", kind="N", make=missing, status=2,
            says=("error: ", r"k\xfcche does not exist", )),
        Row(name="ascii-terminal-features", kind="N", make=features,
            says=(r"k\xfcche.ply:",), check=exists("é/küche.npz")),
        Row(name="latin-terminal-pretrain", kind="N", make=pretrain,
            says=("backbone.safetensors",), check=exists("lauf ß/backbone.safetensors")),
        Row(name="name-not-utf-8", kind="N", make=not_utf8, status=2,
            says=("has a name that is not UTF-8", "rename it"), absent=("made",)),
    ]  # fmt: skip


def _full_rows() -> list[Row]:
    """A full disk: the place is named, and nothing half-written stays."""
    sizes = {"prepare": 2000, "features": 9000, "predict": 9000, "evaluate": 300, "s3dis": 9000,
             "convert-weights": 9000, "curves": 2000, "synthetic-rooms": 500,
             "pretrain": 100_000, "finetune": 100_000}  # fmt: skip

    def row(tool: str) -> Row:
        command = TOOLS[tool][0]

        def make(folder: Path) -> Command:
            return [UNDER, "--largest-file", sizes[tool], *command(folder, "made")]

        def names_the_place(_: Path, said: str) -> None:
            (line,) = {line for line in said.splitlines() if line.startswith("error:")}
            assert "made" in line, line

        return Row(
            name=f"full-disk-{tool}", kind="N", make=make, status=74, says=NO_ROOM,
            check=names_the_place,
        )  # fmt: skip

    return [row(tool) for tool in sizes]


def _interrupted_rows() -> list[Row]:
    """Ctrl-C while a folder is half-written: one word, and nothing of it stays."""

    def prepare(folder: Path) -> Command:
        makers_rgbd.write_seven_scenes(folder / "raw", makers_rgbd.box_room_frames(40, 0.15))
        words = [PREPARE, "raw", "--output", "made", *makers_rgbd.PREPARE_SMALL]
        return [UNDER, "--interrupt-at", "made/.raw.*.partial", *words]

    def rooms(folder: Path) -> Command:
        return [UNDER, "--interrupt-at", "made/.*.partial", *_rooms(folder, "made")]

    return [
        Row(name=f"interrupted-{name}", kind="N", make=make, status=130, says=("interrupted",),
            check=lambda folder, _: _holds_nothing(folder / "made"))
        for name, make in (("prepare", prepare), ("synthetic-rooms", rooms))
    ]  # fmt: skip


def _holds_nothing(folder: Path) -> None:
    assert not list(folder.iterdir())


ROWS = [
    *_home_rows(),
    *_home_inputs(),
    *_closed_rows(),
    *_terminal_rows(),
    *_full_rows(),
    *_interrupted_rows(),
]
