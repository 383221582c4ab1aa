"""Files of weights: several networks, weights that no network has, Lightning's, damaged ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch

from pointcontrast.backbones import Res16UNet
from pointcontrast.weights.backbone_file import load_backbone
from tests.helpers.authors_weights import with_strong_centres, write_authors_file
from tests.inputs.makers_runs import FINETUNE_SMALL, labelled_rooms, pretrained_run
from tests.inputs.row import CONVERT_WEIGHTS, FEATURES, Row

State = dict[str, torch.Tensor]
GIVEN = ("--output", "out.safetensors", "--voxel-size", "0.05", "--features", "color")
"""What such files do not record."""


@cache
def _state() -> State:
    """Weights of a small network; a caller copies what it changes."""
    torch.manual_seed(0)
    return with_strong_centres(Res16UNet(3, 8, "14A", engine="native", width=0.25)).state_dict()


def _scaled(factor: float, prefix: str = "") -> State:
    return {
        prefix + name: w * factor if w.is_floating_point() and "running" not in name else w.clone()
        for name, w in _state().items()
    }


def _convert(value: Callable[[], Any], *more: object, name: str = "w.pth") -> Callable[..., Any]:
    def make(folder: Path) -> Sequence[object]:
        torch.save(value(), folder / name)
        return [CONVERT_WEIGHTS, name, *GIVEN, "--kernel-order", "hypercube", *more]

    return make


def _two(one: str, other: str) -> dict[str, Any]:
    return {one: _scaled(1.0), other: _scaled(0.5), "epoch": 3}


def _student_and_teacher() -> dict[str, Any]:
    return {"state_dict": {**_scaled(1.0, "student."), **_scaled(0.5, "teacher.")}}


def _broken(name: str, change: Callable[[torch.Tensor], torch.Tensor]) -> dict[str, Any]:
    state = dict(_state())
    state[name] = change(state[name].clone())
    return {"state_dict": state}


def _scale_is(factor: float, folder: Path, said: str) -> None:
    """The converted network is that of the file times ``factor``."""
    backbone, metadata = load_backbone(folder / "out.safetensors")
    for name, tensor in backbone.state_dict().items():
        torch.testing.assert_close(tensor, _scaled(factor)[name], rtol=0, atol=0)
    assert metadata.network_input.voxel_size == 0.05


def _cut(folder: Path) -> Sequence[object]:
    torch.save({"state_dict": _state()}, folder / "w.pth")
    content = (folder / "w.pth").read_bytes()
    (folder / "w.pth").write_bytes(content[: len(content) * 2 // 3])
    return [CONVERT_WEIGHTS, "w.pth", *GIVEN]


def _foreign_classes(folder: Path) -> Sequence[object]:
    """A pickle with an object of a class that is not installed here, as the authors' files have."""
    write_authors_file(folder / "w.pth", dict(_state()), prefix="module.", legacy=True)
    return [CONVERT_WEIGHTS, "w.pth", *GIVEN, "--kernel-order", "hypercube"]


def _own_checkpoint(folder: Path) -> Sequence[object]:
    return [CONVERT_WEIGHTS, pretrained_run() / "last.ckpt", "--output", "out.safetensors"]


def _finetune_from_two(folder: Path) -> Sequence[object]:
    torch.save(_two("model", "model_ema"), folder / "w.pth")
    return [*FINETUNE_SMALL, "--data.benchmark.init_args.root", labelled_rooms(),
            "--run_dir", "run", "--model.weights", "w.pth"]  # fmt: skip


def _features_of_nan(folder: Path) -> Sequence[object]:
    from tests.inputs.makers_scans import write_room_ply

    torch.save(_broken("bn0.bn.weight", lambda w: w * torch.nan), folder / "w.pth")
    write_room_ply(folder / "room.ply")
    return [FEATURES, "w.pth", "room.ply", "--output", "out"]


def _lightning() -> dict[str, Any]:
    return {
        "state_dict": _scaled(1.0, "model.backbone."),
        "pytorch-lightning_version": "2.4.0",
        "epoch": 3,
        "global_step": 1000,
        "loops": {},
        "hyper_parameters": {"lr": 0.1},
    }


def _asks(name: str, value: Callable[[], Any], *names: str) -> Row:
    return Row(
        name=f"weights-with-{name}",
        kind="M",
        make=_convert(value),
        status=2,
        says=(f"w.pth holds several networks: {', '.join(names)}", f"--network {names[0]}"),
        absent=("out.safetensors", "out.md"),
    )


def _chooses(name: str, value: Callable[[], Any], network: str, factor: float) -> Row:
    return Row(
        name=f"weights-with-{name}-{network}",
        kind="M",
        make=_convert(value, "--network", network),
        check=partial(_scale_is, factor),
    )


def _refuses(name: str, entry: str, change: Callable[[torch.Tensor], Any], says: str) -> Row:
    return Row(
        name=f"weights-{name}",
        kind="M",
        make=_convert(partial(_broken, entry, change)),
        status=2,
        says=(f"w.pth: {entry} {says}",),
        absent=("out.safetensors", "out.md"),
    )


ROWS = [
    _asks("a-moving-average", partial(_two, "model", "model_ema"), "model", "model_ema"),
    _asks("a-moving-average-first", partial(_two, "state_dict_ema", "state_dict"),
          "state_dict_ema", "state_dict"),
    _asks("ema", partial(_two, "state_dict", "ema"), "state_dict", "ema"),
    _asks("student-and-teacher", _student_and_teacher, "student", "teacher"),
    _chooses("a-moving-average", partial(_two, "model", "model_ema"), "model", 1.0),
    _chooses("a-moving-average", partial(_two, "model", "model_ema"), "model_ema", 0.5),
    _chooses("student-and-teacher", _student_and_teacher, "teacher", 0.5),
    Row(
        name="weights-of-a-name-that-is-not-there",
        kind="M",
        make=_convert(partial(_two, "model", "model_ema"), "--network", "ema"),
        status=2,
        says=("holds 0 networks 'ema'; give --network one of model, model_ema",),
        absent=("out.safetensors",),
    ),
    Row(
        name="weights-twice-the-same",
        kind="M",
        make=_convert(partial(dict, model=_scaled(1.0), state_dict=_scaled(1.0))),
        check=partial(_scale_is, 1.0),
    ),
    Row(
        name="finetune-from-weights-with-a-moving-average",
        kind="M",
        make=_finetune_from_two,
        status=2,
        says=("w.pth holds several networks: model, model_ema", "tools/convert_weights.py"),
        absent=("run",),
    ),
    _refuses("with-nan", "block1.0.conv1.kernel",
             lambda w: w.index_fill(0, torch.tensor([3]), torch.nan), "holds 64 values of 1728"),
    _refuses("with-infinity", "final.bias", lambda w: w / 0.0, "holds 8 values of 8 that are"),
    _refuses("all-zero", "conv0p1s1.kernel", torch.zeros_like, "is all zero"),
    _refuses("of-absurd-magnitude", "conv1p1s2.kernel", lambda w: w * 1e9, "holds values from -"),
    _refuses("with-a-negative-variance", "bn2.bn.running_var", lambda w: w - 3,
             "holds a negative variance, -2"),
    _refuses("quantised", "conv1p1s2.kernel", lambda w: (w * 100).to(torch.int8), "holds int8"),
    Row(
        name="weights-of-another-shape",
        kind="M",
        make=_convert(partial(_broken, "block3.0.conv1.kernel", lambda w: w[:, :3])),
        status=2,
        says=("block3.0.conv1.kernel is (27, 3, ",),
        absent=("out.safetensors",),
    ),
    Row(
        name="features-of-weights-with-nan",
        kind="M",
        make=_features_of_nan,
        status=2,
        says=("w.pth: bn0.bn.weight holds",),
        absent=("out",),
    ),
    Row(
        name="lightning-checkpoint-as-ckpt",
        kind="M",
        make=_convert(_lightning, name="epoch=3.ckpt"),
        check=partial(_scale_is, 1.0),
    ),
    Row(
        name="lightning-checkpoint-as-pth",
        kind="M",
        make=_convert(_lightning),
        check=partial(_scale_is, 1.0),
    ),
    Row(
        name="checkpoint-of-a-run-of-this-program",
        kind="M",
        make=_own_checkpoint,
        status=2,
        says=("last.ckpt is a checkpoint of a run", "give the .safetensors file next to it"),
        absent=("out.safetensors",),
    ),
    Row(
        name="weights-that-were-cut",
        kind="M",
        make=_cut,
        status=2,
        says=("w.pth is not a complete .pth file", "download it again"),
        absent=("out.safetensors",),
    ),
    Row(
        name="weights-with-an-unknown-class",
        kind="M",
        make=_foreign_classes,
        check=partial(_scale_is, 1.0),
    ),
]  # fmt: skip
