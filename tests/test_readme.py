"""What the README and the other documents show works as it stands there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pointcontrast
from downstream.benchmarks import LabelledScenes
from downstream.finetune_cli import main as finetune
from pointcontrast.backbones import Res16UNet
from pointcontrast.data.network_input import NetworkInput
from pointcontrast.labelled_scene import read_labelled_scene
from pointcontrast.synthetic.source import write_labelled_rooms
from pointcontrast.weights.backbone_file import save_backbone
from tests.helpers.downstream_small import SMALL
from tests.helpers.fork_server import output_of
from tests.helpers.repository import REPOSITORY

README = (REPOSITORY / "README.md").read_text()
DOCUMENTS = [
    *(REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "datasets/README.md")),
    *sorted((REPOSITORY / "docs").rglob("*.md")),
]
by_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY))
)


def without_code(text: str) -> str:
    """A document without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def test_the_readme_is_read_in_one_sitting() -> None:
    assert len(README.splitlines()) <= 220


def test_features_are_computed_as_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs/demo/TIME").mkdir(parents=True)
    backbone = Res16UNet(3, 32, "14A", engine="native", width=0.25)
    file = Path("runs/demo/TIME/backbone.safetensors")
    save_backbone(file, backbone, NetworkInput(0.1, ("color",)), {})
    code = next(code for code in python_blocks(README) if "pointcontrast.load" in code)
    rng = np.random.default_rng(0)
    given = {"points": rng.random((500, 3)), "colors": rng.integers(0, 256, (500, 3))}
    names = {name: values.astype(np.float32) for name, values in given.items()}
    exec(code, names)
    assert names["features"].shape == (500, 32)
    assert names["features"].dtype == np.float32
    expected = pointcontrast.load(file)(names["points"], names["colors"])
    np.testing.assert_array_equal(names["features"], expected)


def test_labels_are_predicted_as_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_labelled_rooms(Path("rooms"), 2, density=60, progress=False)
    config = REPOSITORY / "configs" / "downstream" / "demo.yaml"
    data = ["--data.source=null", "--data.benchmark.init_args.root=rooms"]
    split = "--data.benchmark.init_args.validation_fraction=0.5"
    run = "--run_dir=runs/finetune_demo/TIME"
    assert finetune([f"--config={config}", *data, split, run, *SMALL]) == 0
    scene = read_labelled_scene(Path("rooms/room_0001"))
    code = next(code for code in python_blocks(README) if "downstream.load" in code)
    names: dict[str, Any] = {"points": scene.coord, "colors": scene.color}
    exec(code, names)
    result = names["result"]
    assert result.class_names == scene.class_names
    assert result.labels.shape == (len(scene),)
    assert result.probabilities.shape == (len(scene), len(scene.class_names))


def python_blocks(text: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def test_all_configurations_are_listed() -> None:
    configs = list((REPOSITORY / "configs").glob("*/*.yaml"))
    assert len(configs) > 15
    for config in configs:
        assert f"`{config.stem}`" in README, config


@by_document
def test_links_lead_somewhere(document: Path) -> None:
    """To a file of the repository, and to a heading of it where one is named."""
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", without_code(document.read_text())):
        path, _, heading = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        assert target.is_relative_to(REPOSITORY), link
        if heading:
            assert heading in slugs(target), link


@cache
def slugs(document: Path) -> set[str]:
    """The anchors that GitHub and MkDocs give the headings of a document."""
    headings = re.findall(r"^#+ (.*)$", without_code(document.read_text()), re.MULTILINE)
    plain = [re.sub(r"[^\w\s-]", "", heading).strip().lower() for heading in headings]
    return {re.sub(r"\s+", "-", heading) for heading in plain}


@by_document
def test_code_that_is_named_exists(document: Path) -> None:
    text = document.read_text()
    named = re.findall(
        r"(?<![\w/.-])((?:pointcontrast|downstream|tests|tools|configs|datasets)/[\w/.]+\w/?)",
        without_code(text).replace("pointcontrast/lib/", ""),
    )
    named += re.findall(r"(?<![\w/-])((?:tools|configs|datasets)/[\w/]+\.\w+)", text)
    for path in named:
        folder = path if document.name != "CONTRIBUTING.md" else path.rstrip("/")
        assert (REPOSITORY / folder).exists(), path
    for module in re.findall(r"`((?:pointcontrast|downstream)(?:\.\w+)+)`", text):
        assert is_importable(module), module


def is_importable(name: str) -> bool:
    """Whether a dotted name is a module, or a name that one holds."""
    path = REPOSITORY / name.replace(".", "/")
    if path.is_dir() or path.with_suffix(".py").exists():
        return True
    module, _, last = name.rpartition(".")
    parent = REPOSITORY / module.replace(".", "/")
    source = parent / "__init__.py" if parent.is_dir() else parent.with_suffix(".py")
    return source.exists() and re.search(rf"\b{last}\b", source.read_text()) is not None


def test_the_folder_list_is_complete() -> None:
    """CONTRIBUTING names every package and module at the top, and none that does not exist."""
    text = (REPOSITORY / "CONTRIBUTING.md").read_text()
    for root in ("pointcontrast", "downstream"):
        start = text.index(f"| `{root}/` |")
        table = text[start : text.index("\n\n", start)].split("\n", 1)[1]
        named = re.findall(r"`(\w+)/`", table)
        packages = {path.parent.name for path in (REPOSITORY / root).glob("*/__init__.py")}
        assert packages <= set(named), packages - set(named)
        modules = {path.name for path in (REPOSITORY / root).glob("*.py")}
        unnamed = {
            name
            for name in modules
            if f"`{name}`" not in text and not name.endswith(("_cli.py", "__init__.py"))
        }
        assert not unnamed, unnamed
        for path in re.findall(r"`(\w+(?:\.py|/))`", table):
            found = [*(REPOSITORY / root).rglob(path.rstrip("/"))]
            assert found, path


@by_document
def test_commands_parse(document: Path) -> None:
    """Every option that a command is shown with is one of the program's."""
    for program, rest in commands(document.read_text()):
        words = rest.split()
        subcommand = []
        if words and re.fullmatch(r"[a-z]\w*", words[0]) and f"\n    {words[0]}" in shown(program):
            subcommand = [words.pop(0)]
        if (program, subcommand) == ("datasets/scannet.py", ["pairs"]):
            continue  # its further options are those of tools/prepare_pairs.py
        text = shown(program, *subcommand)
        for word in words:
            if word.startswith("--"):
                # what a class takes is not in the program's help, but the key of the class is
                option = re.split(r"[=\s]|\.init_args", word)[0]
                assert option in text, (program, *subcommand, word)


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Programs of this repository that a document's blocks call, each with its arguments."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    for block in (block for language, block in blocks if not language):
        lines = re.sub(r" +#.*", "", block.replace("\\\n", " "))
        pattern = r"^(?:python|torchrun.*?) ((?:tools|datasets)/\w+\.py|-m tests\.[\w.]+)(.*)$"
        yield from re.findall(pattern, lines, re.MULTILINE)


@cache
def shown(program: str, *subcommand: str) -> str:
    """The help text of a program or of one of its subcommands."""
    words = program.split() if program.startswith("-m") else [str(REPOSITORY / program)]
    return output_of([*words, *subcommand, "--help"], cwd=REPOSITORY)


def test_commands_are_found() -> None:
    assert sum(len(list(commands(document.read_text()))) for document in DOCUMENTS) > 60


def test_own_scenes_are_written_as_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    np.save("points.npy", rng.random((100, 3)))
    np.save("colors.npy", rng.integers(0, 256, (100, 3)))
    np.save("labels.npy", rng.integers(-1, 3, 100))
    (code,) = python_blocks((REPOSITORY / "datasets" / "README.md").read_text())
    exec(code, {})
    benchmark = LabelledScenes("data/mine_labelled")
    assert benchmark.class_names == ("wall", "floor", "robot")
    assert len(benchmark.read("room_1")) == 100
