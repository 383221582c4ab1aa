"""The recipes of CONTRIBUTING.md, run as they stand there."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from downstream.evaluate_cli import main as evaluate
from downstream.finetune_cli import main as finetune
from downstream.network_file import read_network
from pointcontrast.preparation.prepare import prepare
from pointcontrast.pretrain_cli import main
from pointcontrast.recordings import layouts
from pointcontrast.recordings.layouts import open_sequence
from pointcontrast.runs.folder import read_metrics
from pointcontrast.scenes.view_store import ViewStore
from pointcontrast.synthetic.source import write_labelled_rooms, write_rooms
from pointcontrast.types import Frame
from pointcontrast.weights.backbone_file import load_backbone
from tests.helpers.downstream_small import SMALL
from tests.helpers.fork_server import run as run_program
from tests.helpers.repository import REPOSITORY
from tests.helpers.small_run import CONFIG

RECIPE = re.compile(
    r"<!-- recipe: (\w+) -->\n```python\n# (\w+\.py)\n((?:(?!```).)*)```\n\n```yaml\n(.*?)```",
    re.DOTALL,
)


def merged(base: dict, change: dict) -> dict:
    result = dict(base)
    for key, value in change.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        swaps_class = both and "class_path" in value
        result[key] = merged(base[key], value) if both and not swaps_class else value
    return result


TEXT = (REPOSITORY / "CONTRIBUTING.md").read_text()
RECIPES = RECIPE.findall(TEXT)


def test_all_recipes_are_found() -> None:
    assert TEXT.count("<!-- recipe: ") == len(RECIPES) + 1  # the reader's has no YAML
    assert [name for name, *_ in RECIPES] == [
        "loss",
        "backbone",
        "dataset",
        "benchmark",
        "head",
    ]


PRETRAINING = [recipe for recipe in RECIPES if recipe[0] in ("loss", "backbone", "dataset")]
FINETUNING = [recipe for recipe in RECIPES if recipe not in PRETRAINING]


@pytest.mark.parametrize(("name", "file", "code", "config"), FINETUNING)
def test_finetuning_recipe_runs(
    name: str,
    file: str,
    code: str,
    config: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    write_labelled_rooms(Path("data/two_rooms"), 2, density=60, progress=False)
    Path(file).write_text(code)
    demo = yaml.safe_load((REPOSITORY / "configs" / "downstream" / "demo.yaml").read_text())
    del demo["data"]["source"]
    demo["data"]["benchmark"]["init_args"]["root"] = "data/two_rooms"
    Path("config.yaml").write_text(yaml.safe_dump(merged(demo, yaml.safe_load(config))))
    assert finetune(["--config", "config.yaml", "--run_dir", "run", *SMALL]) == 0
    finetuned = read_network(Path("run"))
    if name == "benchmark":
        assert finetuned.benchmark_class == "my_benchmark.TwoRooms"
        assert finetuned.benchmark().names("test") == ["room_0001"]
    if name == "head":
        assert finetuned.network.head.arguments == {"hidden": 32}
    assert evaluate(["run", "--output", "scores"]) == 0


def finetune_pretrained(backbone: str) -> None:
    """Finetune the backbone of the folder ``run`` on two labelled rooms, and score it."""
    write_labelled_rooms(Path("data/two_rooms"), 2, density=60, progress=False)
    demo = yaml.safe_load((REPOSITORY / "configs" / "downstream" / "demo.yaml").read_text())
    del demo["data"]["source"]
    demo["data"]["benchmark"]["init_args"] = {
        "root": "data/two_rooms",
        "validation_fraction": 0.5,
    }
    change = {
        "data": {"voxel_size": CONFIG["data"]["voxel_size"]},
        "model": {"weights": "run", "backbone": {"class_path": backbone}},
    }
    Path("finetune.yaml").write_text(yaml.safe_dump(merged(demo, change)))
    small = SMALL[2:]  # the width of Res16UNet is a factor
    assert finetune(["--config", "finetune.yaml", "--run_dir", "finetuned", *small]) == 0
    report = json.loads(Path("finetuned/initialization.json").read_text())
    assert set(report["dropped"]) == {"final.kernel", "final.bias"}
    assert report["num_loaded"] > 0
    finetuned = read_network(Path("finetuned")).network.backbone
    assert type(finetuned).__name__ == "TwoLayers"
    assert finetuned.out_channels is None
    assert evaluate(["finetuned", "--output", "scores"]) == 0
    command = [REPOSITORY / "tools" / "predict.py", "finetuned", "data/two_rooms/room_0001"]
    command += ["-o", "predicted"]
    unknown = run_program(command, Path.cwd())  # a process that has not imported the backbone
    assert unknown.returncode == 2
    assert "--import MODULE" in unknown.communicate()[0]
    found = run_program([*command, "--import", backbone.partition(".")[0]], Path.cwd())
    assert found.returncode == 0, found.communicate()[0]
    assert Path("predicted/room_0001.ply").exists()


@pytest.mark.parametrize(("name", "file", "code", "config"), PRETRAINING)
def test_recipe_runs(
    name: str,
    file: str,
    code: str,
    config: str,
    tmp_path: Path,
    prepared: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    Path(file).write_text(code)
    base = {**CONFIG, "data": {**CONFIG["data"], "root": str(prepared)}}
    Path("config.yaml").write_text(yaml.safe_dump(merged(base, yaml.safe_load(config))))
    assert main(["--config", "config.yaml", "--run_dir", "run", "--trainer.max_steps=2"]) == 0
    lines = [line for line in read_metrics(Path("run")) if "train/loss" in line]
    assert len(lines) == 2
    if name == "loss":
        assert "train/distance" in lines[0]
    if name == "backbone":
        backbone, _ = load_backbone("run/backbone.safetensors")
        assert type(backbone).__name__ == "TwoLayers"
        finetune_pretrained("my_backbone.TwoLayers")
    if name == "dataset":
        assert Path("data/one_room/pairs.parquet").exists()


def test_reader_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the reader's recipe prepares is what its frames are in a known layout."""
    (found,) = re.findall(
        r"<!-- recipe: reader -->\n```python\n# (\w+).py\n(.*?)```", TEXT, re.DOTALL
    )
    module, code = found
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    Path(f"{module}.py").write_text(code)
    (room,) = write_rooms(Path("raw"), num_rooms=1, num_frames=8, seed=0, width=80, height=60)
    sequence = open_sequence(room)
    for index, name in enumerate(sequence.frame_ids):
        frame = sequence.read(index)
        assert isinstance(frame, Frame)
        assert frame.color is not None
        Path("npz").mkdir(exist_ok=True)
        np.savez(
            f"npz/frame_{name}.npz",
            depth=frame.depth,
            color=frame.color,
            intrinsics=frame.intrinsics,
            pose=frame.world_from_camera,
        )
    reader = importlib.import_module(module).NpzFrames
    monkeypatch.setattr(layouts, "LAYOUTS", (*layouts.LAYOUTS, reader))
    Path("npz/frame_damaged.npz").write_bytes(b"not an archive")
    for source in (room, Path("npz")):
        assert prepare([source], Path("prepared")).num_pairs > 0
    expected, stored = ViewStore(Path("prepared") / room.name), ViewStore(Path("prepared/npz"))
    assert stored.meta.source["layout"] == "npz_frames"
    assert "frame_damaged" in str(stored.meta.skipped)
    assert len(stored) == len(expected)
    for view, wanted in zip(stored, expected, strict=True):
        np.testing.assert_array_equal(view.points, wanted.points)
        np.testing.assert_array_equal(view.colors, wanted.colors)
