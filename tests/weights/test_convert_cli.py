from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from pointcontrast.backbones import Res16UNet
from pointcontrast.data.network_input import NetworkInput
from pointcontrast.errors import InputError
from pointcontrast.files import sha256
from pointcontrast.weights.backbone_file import load_backbone, read_weights, save_backbone
from pointcontrast.weights.convert_cli import main
from tests.helpers.authors_weights import in_hybrid_order, write_checkpoint
from tests.helpers.fork_server import output_of, run
from tests.helpers.repository import REPOSITORY
from tests.helpers.small_backbones import assert_same_weights, small_cloud, trained_like

INPUT = NetworkInput(0.05, ("color",), "vertical", 0.05, 0.4)
NETWORKS = [
    {"variant": "14A"},
    {"variant": "34C", "normalize_output": True, "out_channels": 32},
    {"variant": "18B", "widen_at": "stride", "batch_norm_eps": 1e-3, "stem_kernel_size": 5},
    {"variant": "14D", "out_channels": None, "width": 0.125},
]


def save(path: Path, **arguments) -> Res16UNet:
    backbone = trained_like(**arguments)
    save_backbone(path, backbone, INPUT, {"step": 3, "scores": {"top1_accuracy": 0.5}})
    return backbone


def convert(*arguments: Path | str) -> int:
    return main([str(argument) for argument in arguments])


@pytest.mark.parametrize("target", ["minkowski", "spconv"])
@pytest.mark.parametrize("arguments", NETWORKS)
def test_every_export_comes_back_bit_for_bit(tmp_path: Path, target: str, arguments: dict) -> None:
    original = tmp_path / "a.safetensors"
    backbone = save(original, **arguments)
    exported, back = tmp_path / "b.pth", tmp_path / "c.safetensors"
    assert convert(original, "--output", exported, "--to", target) == 0
    assert convert(exported, "--output", back) == 0
    found = read_weights(exported)
    assert found.source["program"] == "this project"
    assert found.source["num_permuted"] == 0
    assert_same_weights(found.state_dict, backbone.state_dict())
    with safe_open(original, "pt") as a, safe_open(back, "pt") as b:
        assert a.metadata() == b.metadata()  # including the configuration and the scores
    assert sha256(back) == sha256(original)
    other = "spconv" if target == "minkowski" else "minkowski"
    assert convert(exported, "--output", tmp_path / "d.pth", "--to", other) == 0
    assert_same_weights(read_weights(tmp_path / "d.pth").state_dict, backbone.state_dict())


def test_exports_hold_tensors_only_and_load_into_minkowski_engine(tmp_path: Path) -> None:
    backbone = save(tmp_path / "a.safetensors")
    convert(tmp_path / "a.safetensors", "--output", tmp_path / "b.pth", "--to", "minkowski")
    state = torch.load(tmp_path / "b.pth", weights_only=True)["state_dict"]
    minkowski = Res16UNet(3, 8, "14A", width=0.25, engine="minkowski")
    minkowski.load_state_dict(state, strict=True)
    coordinates, features = small_cloud()
    with torch.no_grad():
        torch.testing.assert_close(
            minkowski.eval().encode(coordinates, features),
            backbone.encode(coordinates, features),
            rtol=1e-4,
            atol=1e-4,
        )


def test_a_released_file_becomes_a_backbone(tmp_path: Path, capsys) -> None:
    backbone = trained_like(variant="34C", out_channels=32)
    old = in_hybrid_order(backbone.state_dict())
    write_checkpoint(tmp_path / "nce.pth", "PointContrast", old, legacy=True)
    output = tmp_path / "nce.safetensors"
    assert convert(tmp_path / "nce.pth", "--output", output) == 0
    table = " ".join(capsys.readouterr().out.split())
    for line in (
        "program PointContrast pretraining", "container legacy", "prefix none",
        "kernel order hybrid", "num permuted 46", "variant 34C", "width 0.25", "in_channels 3",
        "out_channels 32", "stem_kernel_size 3", "normalize_output True", "voxel size 0.025 m",
        "features ones", "rotation free", f"SHA-256 {sha256(output)}",
    ):  # fmt: skip
        assert line in table
    loaded, metadata = load_backbone(output)
    assert_same_weights(loaded.state_dict(), backbone.state_dict())
    source = metadata.provenance["converted_from"]
    assert source["sha256"] == sha256(tmp_path / "nce.pth")
    assert (source["kernel_order"], source["num_permuted"]) == ("hybrid", 46)
    # once more, and by any way, nothing is reordered again
    for name, order in (("again", "auto"), ("forced", "hybrid")):
        again = tmp_path / f"{name}.safetensors"
        assert convert(output, "--output", again, "--kernel-order", order) == 0
        assert sha256(again) == sha256(output)
    assert read_weights(output).source["converted_from"] == source
    convert(output, "--output", tmp_path / "new.pth", "--to", "minkowski")
    assert_same_weights(read_weights(tmp_path / "new.pth").state_dict, backbone.state_dict())
    with pytest.raises(InputError, match="says that its kernels have been reordered"):
        read_weights(tmp_path / "new.pth", "hybrid")


def test_a_file_of_pointcepts_is_read(tmp_path: Path) -> None:
    from pointcontrast.weights.spconv_layout import to_spconv

    backbone = trained_like(
        variant="34C", widen_at="stride", batch_norm_eps=1e-3, stem_kernel_size=5, in_channels=6
    )
    state = {f"module.backbone.{n}": w for n, w in to_spconv(backbone.state_dict()).items()}
    value = {"epoch": 600, "state_dict": state, "optimizer": {}, "best_metric_value": 0.75}
    torch.save(value, tmp_path / "model_best.pth")
    output = tmp_path / "b.safetensors"
    options = ("--voxel-size", "0.02", "--features", "color", "normal")
    assert convert(tmp_path / "model_best.pth", "--output", output, *options) == 0
    loaded, metadata = load_backbone(output)
    assert loaded.arguments == backbone.arguments
    assert metadata.provenance["converted_from"]["program"] == "Pointcept SpUNet"
    assert_same_weights(loaded.state_dict(), backbone.state_dict())


def test_differences_from_spunet_are_listed(tmp_path: Path, capsys) -> None:
    save(tmp_path / "a.safetensors")
    convert(tmp_path / "a.safetensors", "--output", tmp_path / "b.pth", "--to", "spconv")
    said = capsys.readouterr().out
    assert "its strided convolutions keep the number of channels" in said
    assert "its batch norm adds 1e-05, not 0.001" in said
    save(tmp_path / "c.safetensors", **NETWORKS[2])
    convert(tmp_path / "c.safetensors", "--output", tmp_path / "d.pth", "--to", "spconv")
    assert "not SpUNet's" not in capsys.readouterr().out


def test_bad_calls_are_one_line_and_change_nothing(tmp_path: Path, capsys) -> None:
    original, output = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save(original)
    state = in_hybrid_order(trained_like().state_dict())
    foreign = tmp_path / "sts.pth"
    write_checkpoint(foreign, "SpatioTemporalSegmentation", state, legacy=True)
    taken = tmp_path / "taken.safetensors"
    taken.write_bytes(b"mine")
    page = tmp_path / "page.pth"
    page.write_text("<!doctype html>")
    unclear = tmp_path / "unclear.pth"
    flat = {name: torch.ones_like(tensor) for name, tensor in state.items()}
    torch.save(flat, unclear)
    said = ("--voxel-size", "0.02", "--features", "color")
    for arguments, message in (
        ((original, "--output", taken), "exists; give another --output, or --force"),
        ((original, "--output", tmp_path / "b.pth"), "must end in .safetensors"),
        ((original, "--output", output, "--voxel-size", "0.1"), "leave voxel_size out"),
        ((foreign, "--output", output), "give voxel_size (metres) and features"),
        ((foreign, "--output", output, "--voxel-size", "0.02", "--features", "height"),
         "takes 3 input channels, the features height make 1"),
        ((page, "--output", output), "it is a web page"),
        ((unclear, "--output", output, *said), "set kernel_order to hybrid"),
        ((tmp_path / "none.pth", "--output", output), "none.pth does not exist"),
    ):  # fmt: skip
        assert convert(*arguments) == 2
        captured = capsys.readouterr().err
        assert message in captured
        assert captured.startswith("error: ")
        assert captured.count("\n") == 1
        assert not output.exists()
    assert taken.read_bytes() == b"mine"
    assert convert(original, "--output", taken, "--force") == 0
    assert sha256(taken) == sha256(original)


def test_a_newer_export_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "a.safetensors")
    convert(tmp_path / "a.safetensors", "--output", tmp_path / "b.pth", "--to", "minkowski")
    value = torch.load(tmp_path / "b.pth", weights_only=True)
    value["pointcontrast"]["format_version"] = "99"
    torch.save(value, tmp_path / "b.pth")
    with pytest.raises(InputError, match="format version 99"):
        read_weights(tmp_path / "b.pth")
    value["pointcontrast"] = {"format": 3}
    torch.save(value, tmp_path / "b.pth")
    with pytest.raises(InputError, match="damaged header"):
        read_weights(tmp_path / "b.pth")


def test_the_script_runs(tmp_path: Path) -> None:
    save(tmp_path / "a.safetensors")
    command = [REPOSITORY / "tools" / "convert_weights.py", tmp_path / "a.safetensors"]
    command += ["--output", tmp_path / "b.pth", "--to", "spconv"]
    assert "SHA-256" in output_of(command)
    again = run(command)
    assert again.returncode == 2
    assert "exists; give another --output" in again.communicate()[0]


def test_the_help_does_not_import_torch() -> None:
    code = (
        "import sys, contextlib; from pointcontrast.weights.convert_cli import main\n"
        "with contextlib.suppress(SystemExit): main(['--help'])\n"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
