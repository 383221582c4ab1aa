"""One configuration, three places that pairs come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from pointcontrast.data.network_input import NetworkInput
from pointcontrast.data.pair_dataset import PairDataset
from pointcontrast.data.pair_readers import AuthorsPairs, StoredPairs
from pointcontrast.preparation.prepare import prepare
from pointcontrast.preparation.prepare_scene import Settings
from pointcontrast.pretrain_cli import main
from pointcontrast.recordings.layouts import open_sequence
from pointcontrast.recordings.rgbd.sens.writer import SensFrame, write_sens
from pointcontrast.runs.folder import read_metrics
from pointcontrast.scenes.overlap import overlap_matrix
from pointcontrast.scenes.pairs import choose_pairs
from pointcontrast.scenes.recorded_views import read_views
from pointcontrast.types import PointCloud
from tests.helpers.repository import REPOSITORY
from tests.helpers.small_run import CONFIG


def write_authors(rooms: Path, root: Path) -> None:
    """Raw rooms as the authors' scripts would leave them."""
    lines = []
    for number, raw in enumerate(sorted(rooms.iterdir())):
        folder = root / f"scene{number:04d}_00" / "pcd"
        folder.mkdir(parents=True)
        clouds = [PointCloud(view.cloud.points) for view in read_views(open_sequence(raw))]
        for i, cloud in enumerate(clouds):
            np.savez(folder / f"{25 * i}.npz", pcd=cloud.points.astype(np.float64))
        for pair in choose_pairs(overlap_matrix(clouds)):
            names = (f"data_f25/{folder.relative_to(root).as_posix()}/{25 * view}.npz"
                     for view in (pair.view0, pair.view1))  # fmt: skip
            lines.append(f"{' '.join(names)} {pair.overlap:.12f}")
    (root / "overlap-30-full.txt").write_text("\n".join(lines) + "\n")


def write_sens_scans(rooms: Path, root: Path) -> None:
    """Raw rooms as ScanNet's recorder would leave them."""
    for raw in sorted(rooms.iterdir()):
        sequence = open_sequence(raw)
        frames = [sequence.read(index) for index in range(len(sequence))]
        write_sens(
            root / raw.name / f"{raw.name}.sens",
            [
                SensFrame(f.color, np.rint(f.depth * 1000).astype(np.uint16), f.world_from_camera)
                for f in frames
            ],
            depth_intrinsics=frames[0].intrinsics,
            color_intrinsics=frames[0].intrinsics,
        )


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two generated rooms: scenes made from .sens, the authors' format, labelled scenes."""
    from pointcontrast.synthetic.source import write_rooms

    root = tmp_path_factory.mktemp("sources")
    write_rooms(root / "raw", 2, num_frames=10, seed=7, width=160, height=120, density=900.0,
                labelled_output=root / "scans", progress=False)  # fmt: skip
    write_sens_scans(root / "raw", root / "sens")
    assert not prepare([root / "sens"], root / "stored", Settings()).failures
    write_authors(root / "raw", root / "authors")
    return {name: root / name for name in ("stored", "authors", "scans")}


def data_sections(sources: dict[str, Path]) -> dict[str, dict[str, Any]]:
    readers = "pointcontrast.data.pair_readers."
    crops = {"class_path": readers + "SceneCrops", "init_args": {"pairs_per_scene": 4}}
    cameras = {**crops, "init_args": {"visibility": "camera"}}
    scans = {"root": str(sources["scans"]), "holdout": "scenes", "holdout_fraction": 0.5}
    return {
        "stored": {"root": str(sources["stored"])},
        "authors": {
            "root": str(sources["authors"]),
            "pairs": {"class_path": readers + "AuthorsPairs"},
        },
        "crops": {**scans, "pairs": crops},
        "cameras": {**scans, "pairs": cameras},
    }


def test_pretraining_runs_from_each_with_one_config(
    sources: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shared = {**CONFIG["data"], "features": ["ones"]}
    for name, data in data_sections(sources).items():
        Path("config.yaml").write_text(yaml.safe_dump({**CONFIG, "data": {**shared, **data}}))
        arguments = ["--config", "config.yaml", "--run_dir", name, "--trainer.max_steps=3"]
        assert main(arguments) == 0
        metrics = read_metrics(Path(name))
        losses = [line["train/loss"] for line in metrics if "train/loss" in line]
        assert len(losses) == 3
        assert np.isfinite(losses).all()
        assert any("validation/top1_accuracy" in line for line in metrics), name
        assert not any("train/dropped_pairs" in line for line in metrics), name


def test_crops_do_not_depend_on_the_number_of_workers(
    sources: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = {**CONFIG["data"], **data_sections(sources)["cameras"]}
    Path("config.yaml").write_text(yaml.safe_dump({**CONFIG, "data": data}))
    losses = []
    for workers in (0, 1):
        arguments = ["--config", "config.yaml", "--run_dir", f"run{workers}",
                     "--trainer.max_steps=2", f"--data.num_workers={workers}"]  # fmt: skip
        assert main(arguments) == 0
        metrics = read_metrics(Path(f"run{workers}"))
        losses.append([line["train/loss"] for line in metrics if "train/loss" in line])
    assert losses[0] == losses[1]


def test_stored_and_authors_pairs_match_alike(sources: dict[str, Path]) -> None:
    """The same frames either way: the pairs and about as many correspondences."""
    recipe = NetworkInput(voxel_size=0.05)
    listed, counts = [], []
    for name, reader in (("stored", StoredPairs()), ("authors", AuthorsPairs())):
        pairs = reader.list_pairs(sources[name], ("ones",))
        scenes = sorted({pair.scene for pair in pairs})
        listed.append({(scenes.index(p.scene), p.view0, p.view1): i for i, p in enumerate(pairs)})
        dataset = PairDataset(sources[name], pairs, recipe, match_radius=1.5, seed=0, reader=reader)
        counts.append([len(dataset[0, i].correspondences) for i in range(len(pairs))])
    both = sorted(listed[0].keys() & listed[1].keys())
    # a pair at the threshold may fall to either side of it by the depths' rounding
    assert len(both) >= 0.95 * max(len(each) for each in listed) > 10
    stored, authors = (
        sum(count[pairs[key]] for key in both) for pairs, count in zip(listed, counts, strict=True)
    )
    assert stored == pytest.approx(authors, rel=0.03)


def test_the_scenes_config_is_the_frames_config_but_for_its_data() -> None:
    frames, scenes = (
        yaml.safe_load((REPOSITORY / "configs" / "pretrain" / f"{name}.yaml").read_text())
        for name in ("scannet_infonce", "scannet_scenes")
    )
    assert scenes["data"].pop("pairs")["class_path"] == "pointcontrast.data.pair_readers.SceneCrops"
    for config in (frames, scenes):
        del config["name"], config["data"]["root"]
    assert frames == scenes
