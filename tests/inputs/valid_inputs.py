"""Valid inputs of every layout and format, each with the command that takes it; made once."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch

from pointcontrast.types import Frame
from tests.helpers.small_backbones import trained_like
from tests.inputs import makers_releases, makers_rgbd, makers_runs, makers_scans
from tests.inputs.row import CONVERT_WEIGHTS, DATASETS, EVALUATE, FEATURES, PREDICT, PREPARE
from tests.inputs.rows_rgbd_formats import FORMATS
from tests.recordings.lidar.test_sweep_folder import write_kitti, write_own
from tests.recordings.reconstruction.scan_file_writers import write_by_open3d, write_glb
from tests.recordings.rgbd.writers import tables
from tests.releases.s3dis.release import write_s3dis_release
from tests.releases.scannet.release import write_scannet_release
from tests.releases.shapenet.release import write_shapenet_release
from tests.releases.shapenetpart.release import write_shapenetpart_release
from tests.releases.sunrgbd.release import write_sunrgbd_release
from tests.releases.synthia4d.release import write_synthia4d_release
from tests.test_feature_network import write_backbone


@dataclass(frozen=True)
class ValidInput:
    """An input that a command takes without complaint.

    Attributes:
        make: Function that writes the input into the empty folder ``input``.
        command: Command, run in the folder that holds ``input``; it writes to ``output``.
    """

    make: Callable[[Path], object]
    command: tuple[object, ...]


def _sensor_folder(folder: Path) -> None:
    makers_rgbd.write_sens_folder(folder / "scene")


def _seven_scenes(folder: Path) -> None:
    makers_rgbd.write_seven_scenes(folder / "scene")


def _image_folder(folder: Path) -> None:
    makers_rgbd.write_image_folder(folder / "scene")


@cache
def _recording(write: Callable[[Path, list[Frame]], object]) -> Callable[[Path], object]:
    """A recording in one of the formats of ``rows_rgbd_formats.py``."""
    return lambda folder: write(folder / "scene", makers_rgbd.walking_frames())


def _kitti(folder: Path) -> None:
    write_kitti(folder)


@cache
def _sweeps(suffix: str) -> Callable[[Path], object]:
    return lambda folder: write_own(folder / "scene", suffix=suffix)


@cache
def _cloud(suffix: str) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        path = folder / f"room{suffix}"
        if suffix == ".ply":
            makers_scans.write_room_ply(path)
        elif suffix == ".obj":
            makers_scans.write_room_obj(path)
        elif suffix == ".glb":
            write_glb(path)
        elif suffix in (".txt", ".csv"):
            makers_scans.write_room_text(path)
        elif suffix == ".npy":
            np.save(path, makers_scans.room_cloud()[0])
        else:
            write_by_open3d(path)

    return write


def _s3dis(folder: Path) -> None:
    write_s3dis_release(folder, 2, areas=(1,), density=8)


def _scannet(folder: Path) -> None:
    write_scannet_release(folder, 1, 3, longest_edge=0.5, depth_size=(40, 30), color_size=(80, 60))


def _sunrgbd(folder: Path) -> None:
    write_sunrgbd_release(folder, 1, 1, size=(48, 36))


def _moved_up(write: Callable[[Path], object]) -> Callable[[Path], object]:
    """A maker of rows, whose release is below ``raw``."""

    def make(folder: Path) -> None:
        write(folder)
        for path in sorted((folder / "raw").iterdir()):
            path.rename(folder / path.name)
        (folder / "raw").rmdir()

    return make


def _shapenetpart(folder: Path) -> None:
    write_shapenetpart_release(folder, 3, num_points=200, synsets=("03001627", "04379243"))


def _shapenet(folder: Path) -> None:
    write_shapenet_release(folder, 3)


def _synthia4d(folder: Path) -> None:
    write_synthia4d_release(
        folder, 1, sequences=("SYNTHIA-SEQS-01-DAWN",), points_per_frame=1000
    )  # fmt: skip


def _labelled(folder: Path) -> None:
    shutil.copytree(makers_runs.labelled_rooms(), folder, dirs_exist_ok=True)


def _prepared(folder: Path) -> None:
    shutil.copytree(makers_runs.prepared_scenes(), folder, dirs_exist_ok=True)


def _pretrained(folder: Path) -> None:
    shutil.copytree(
        makers_runs.pretrained_run(), folder, dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("tensorboard", "*.md"),
    )  # fmt: skip


def _finetuned(folder: Path) -> None:
    shutil.copytree(
        makers_runs.finetuned_run(), folder, dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("tensorboard"),
    )  # fmt: skip


def _weights(folder: Path) -> None:
    state = trained_like().state_dict()
    torch.save({"state_dict": state}, folder / "weights.pth")


@cache
def _scan() -> Path:
    return makers_scans.write_room_ply(makers_runs.shared_folder() / "scan" / "room.ply")


@cache
def _network_of_shapes() -> Path:
    """A backbone file that takes no colours."""
    return write_backbone(makers_runs.shared_folder() / "ones.safetensors", "ones")


@cache
def _made(make: Callable[[Path], object]) -> Path:
    """An input, made once."""
    folder = Path(tempfile.mkdtemp(dir=makers_runs.shared_folder()))
    make(folder)
    return folder


def copy_of(valid: ValidInput, folder: Path) -> Path:
    """Copy a valid input to ``input`` in a folder; return the copy."""
    return Path(shutil.copytree(_made(valid.make), folder / "input"))


def _prepare(make: Callable[[Path], object]) -> Callable[[], ValidInput]:
    words = (PREPARE, "input", "--output", "output", *makers_rgbd.PREPARE_SMALL)
    return lambda: ValidInput(make, words)


def _features(suffix: str) -> Callable[[], ValidInput]:
    def valid() -> ValidInput:
        words = (FEATURES, _network_of_shapes(), "input", "--output", "output")
        return ValidInput(_cloud(suffix), words)

    return valid


def _release(
    script: str, command: str, make: Callable[[Path], object], *more: object
) -> Callable[[], ValidInput]:
    given = ("input", "--output", "output", "--num-workers", 1)  # workers take seconds to start
    words = (DATASETS / f"{script}.py", command, *given, *more)
    return lambda: ValidInput(make, words)


def _training(make: Callable[[Path], object], *words: object) -> Callable[[], ValidInput]:
    return lambda: ValidInput(make, (*words, "input", "--run_dir", "output"))


INPUTS: dict[str, Callable[[], ValidInput]] = {
    "seven-scenes": _prepare(_seven_scenes),
    "image-folder": _prepare(_image_folder),
    "sens": _prepare(_sensor_folder),
    **{
        f"format-{name}": _prepare(_recording(write))
        for name, write in (FORMATS | tables.WRITERS).items()
    },
    "kitti": _prepare(_kitti),
    "sweeps-bin": _prepare(_sweeps(".bin")),
    "sweeps-npy": _prepare(_sweeps(".npy")),
    **{
        f"cloud{suffix}": _features(suffix)
        for suffix in (".ply", ".obj", ".pcd", ".xyz", ".glb", ".off", ".stl", ".npy", ".txt")
    },
    "labelled": lambda: ValidInput(
        _labelled, (FEATURES, _network_of_shapes(), "input", "--output", "output")
    ),
    "labelled-predict": lambda: ValidInput(
        _labelled, (PREDICT, makers_runs.finetuned_run(), "input", "--output", "output")
    ),
    "s3dis": _release("s3dis", "rooms", _s3dis),
    "scannet": _release("scannet", "scenes", _scannet),
    "sunrgbd": _release("sunrgbd", "scenes", _sunrgbd),
    "sunrgbd-matlab": _release("sunrgbd", "scenes", _moved_up(makers_releases.sunrgbd)),
    "sunrgbd-arrays": _release("sunrgbd", "scenes", _moved_up(makers_releases.sunrgbd_arrays)),
    "shapenetpart": _release("shapenetpart", "shapes", _shapenetpart),
    "shapenet": _release("shapenet", "shapes", _shapenet, "--num-points", 64),
    "synthia4d": _release("synthia4d", "frames", _synthia4d),
    "weights-pth": lambda: ValidInput(
        _weights,
        (CONVERT_WEIGHTS, "input/weights.pth", "--output", "output.safetensors", "--voxel-size",
         "0.2", "--features", "color"),
    ),
    "backbone": lambda: ValidInput(
        _pretrained, (FEATURES, "input", _scan(), "--output", "output")
    ),
    "network": lambda: ValidInput(_finetuned, (PREDICT, "input", _scan(), "--output", "output")),
    "evaluate": lambda: ValidInput(_finetuned, (EVALUATE, "input", "--output", "output")),
    "prepared-verify": lambda: ValidInput(_prepared, (PREPARE, "verify", "input")),
    "prepared-pretrain": _training(_prepared, *makers_runs.PRETRAIN_SMALL, "--data.root"),
    "labelled-finetune": _training(
        _labelled, *makers_runs.FINETUNE_SMALL, "--data.benchmark.init_args.root"
    ),
    "run-resume": lambda: ValidInput(
        _pretrained,
        (*makers_runs.PRETRAIN_SMALL, "--data.root", makers_runs.prepared_scenes(),
         "--run_dir", "input", "--ckpt_path", "last", "--trainer.max_steps", "3"),
    ),
}  # fmt: skip
"""Valid inputs by the name of their layout or format; runs that they need are made on demand."""
