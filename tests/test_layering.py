"""What may import what, and how much an import and a loss pull in."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.import_graph import circles, graph, imports, modules_of, reached
from tests.helpers.repository import REPOSITORY

INSTALLED = modules_of(REPOSITORY, ("pointcontrast", "downstream"))
EVERYTHING = {**INSTALLED, **modules_of(REPOSITORY, ("tools", "tests", "datasets"))}
EDGES = graph(INSTALLED)

ORDER = """
pointcontrast command_streams errors optional_packages command_help files process_memory types
geometry origins colors growing_array compiled voxelize labelled_scene_checks
labelled_scene_forms labelled_scene retrieval recordings scenes
synthetic data preparation sparse backbones losses weights runs feature_network pictures
scan_commands features_cli dry_run prepare_cli pretrain pretrain_cli doctor
downstream types boxes label_lists augmentation samples shapes metrics heads tasks
releases benchmarks label_lists.candidates label_lists.making cloud_scale data initialization
network older_files network_file detector predictor predictions predict predict_cli evaluate
evaluate_cli seeds finetune finetune_cli
"""
"""Modules and packages: each imports only those before it."""

LIGHTNING = (
    "pointcontrast.pretrain", "pointcontrast.pretrain_cli", "pointcontrast.data",
    "pointcontrast.runs", "downstream.finetune", "downstream.finetune_cli", "downstream.data",
)  # fmt: skip
"""Where Lightning may be imported."""


def units() -> list[str]:
    names, top = [], ""
    for word in ORDER.split():
        if word in ("pointcontrast", "downstream"):
            top = word
            names.append(word)
        else:
            names.append(f"{top}.{word}")
    return names


PLACES = {unit: place for place, unit in enumerate(units())}


def unit_of(module: str) -> str:
    """The module or the package that ORDER names, or the one that it should name."""
    parts = module.split(".")
    names = [".".join(parts[:length]) for length in (3, 2)]
    return next((name for name in names if name in PLACES), names[-1])


def within(module: str, places: tuple[str, ...]) -> bool:
    return any(module == place or module.startswith(f"{place}.") for place in places)


def users_of(modules: dict[str, Path], *packages: str) -> list[str]:
    """The modules that import one of these top-level packages."""
    return [
        module for module, path in modules.items()
        if any(target.split(".")[0].startswith(packages) for target, _ in imports(path))
    ]  # fmt: skip


def test_pointcontrast_never_imports_downstream() -> None:
    upstream = {m: path for m, path in INSTALLED.items() if within(m, ("pointcontrast",))}
    assert len(upstream) > 100
    assert users_of(upstream, "downstream") == []


def test_nothing_installed_imports_tests_or_tools() -> None:
    for package in ("tests", "tools"):
        assert users_of(EVERYTHING, package), "the search itself finds imports"
        assert users_of(INSTALLED, package) == []


def test_minkowski_engine_is_imported_in_sparse_alone() -> None:
    users = users_of(EVERYTHING, "MinkowskiEngine")
    assert users
    assert [user for user in users if not within(user, ("pointcontrast.sparse",))] == []


def test_lightning_stays_with_data_and_runs() -> None:
    users = users_of(INSTALLED, "pytorch_lightning", "lightning")
    assert users
    assert [user for user in users if not within(user, LIGHTNING)] == []


def test_no_circle_among_files() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == {"b", "c"}
    assert circles(EDGES) == set()


def test_packages_import_only_those_before_them() -> None:
    assert len(PLACES) == len(units())
    missing = {unit_of(module) for module in INSTALLED} - set(PLACES)
    assert not missing, f"ORDER does not name {sorted(missing)}"
    gone = set(PLACES) - {unit_of(module) for module in INSTALLED}
    assert not gone, f"ORDER names {sorted(gone)}, which are not there"
    wrong = [
        f"{module} imports {target}"
        for module, targets in EDGES.items()
        for target in targets
        if PLACES[unit_of(target)] > PLACES[unit_of(module)]
    ]
    assert wrong == []


def test_importing_pointcontrast_is_light() -> None:
    code = "import json, sys, pointcontrast; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    loaded = json.loads(done.stdout)
    assert [name for name in loaded if within(name, ("pointcontrast",))] == ["pointcontrast"]
    assert not {"torch", "numpy", "scipy"} & set(loaded)


def test_the_data_module_imports_few_modules() -> None:
    loaded = reached(graph(INSTALLED, inside_functions=False), ["pointcontrast.data.module"])
    assert len(loaded) <= 53  # half of what it was before the packages were ordered
    unneeded = ("preparation", "synthetic", "sparse", "backbones", "runs", "pictures",
                "recordings.rgbd", "recordings.lidar")  # fmt: skip
    assert [m for m in loaded if within(m, tuple(f"pointcontrast.{u}" for u in unneeded))] == []


def test_one_depth_image_reaches_the_loss_through_few_files(
    rooms: Path, tmp_path: Path, record_property: pytest.RecordProperty
) -> None:
    """Files of which a function runs, from the recorder's files of a scene to the loss."""
    files_from_depth_to_loss(rooms / "room_0000", tmp_path / "first")  # loads what loads but once
    files = files_from_depth_to_loss(rooms / "room_0000", tmp_path / "prepared")
    record_property("files", len(files))
    print(f"{len(files)} files from one depth image to the loss:", *sorted(files), sep="\n  ")
    assert len(files) <= 77


def files_from_depth_to_loss(recording: Path, output: Path) -> set[str]:
    """Paths within ``pointcontrast`` whose functions run.

    Importing a file does not count, nor does asking each layout whether a folder is in it.
    """
    import torch

    from pointcontrast.backbones import Res16UNet
    from pointcontrast.data.collate import collate_pairs
    from pointcontrast.data.module import PairDataModule
    from pointcontrast.losses import PointInfoNCE
    from pointcontrast.preparation.prepare import prepare
    from pointcontrast.pretrain import PointContrast

    source = f"{REPOSITORY / 'pointcontrast'}/"
    files: set[str] = set()

    asked = 0  # depth of calls inside ``recognises``

    def note(frame, event: str, _: object) -> None:
        nonlocal asked
        code = frame.f_code
        if code.co_name == "recognises":
            asked += {"call": 1, "return": -1}.get(event, 0)
            return
        if asked:
            return
        if event == "call" and code.co_filename.startswith(source) and code.co_name != "<module>":
            files.add(code.co_filename.removeprefix(source))

    sys.setprofile(note)
    try:
        prepare([recording], output)
        data = PairDataModule(str(output), voxel_size=0.1, holdout_fraction=0)
        data.setup("fit")
        batch = collate_pairs([data.train_dataset[0, 0]])
        backbone = Res16UNet(3, 16, "14A", engine="native", normalize_output=True)
        loss = PointContrast(backbone, PointInfoNCE()).loss_of(batch, (0, 0, 0)).loss
    finally:
        sys.setprofile(None)
    assert torch.isfinite(loss)
    return files
