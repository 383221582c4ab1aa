"""From a released ``.pth`` to a finetuned network: converted, served, finetuned by address."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from downstream.network_file import read_network
from pointcontrast.files import sha256
from pointcontrast.weights.backbone_file import load_backbone
from pointcontrast.weights.convert_cli import main as convert
from tests.helpers.authors_weights import in_hybrid_order, with_strong_centres, write_checkpoint
from tests.helpers.small_backbones import assert_same_weights


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Of a server of the files in ``tmp_path / served``."""
    monkeypatch.setenv("POINTCONTRAST_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "served"
    folder.mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_released_file_is_finetuned_by_address(
    finetune: Any, s3dis_scenes: Path, pretrained: Path, address: str, tmp_path: Path, capfd: Any
) -> None:
    backbone = with_strong_centres(load_backbone(pretrained)[0])
    released, served = tmp_path / "released.pth", tmp_path / "served" / "backbone.safetensors"
    old = in_hybrid_order(backbone.state_dict())
    write_checkpoint(released, "PointContrast", old, legacy=True)
    asked = ["--voxel-size", "0.2", "--features", "color"]
    assert convert([str(released), "--output", str(served), *asked]) == 0

    options = ("--data.voxel_size", "0.2", "--model.mode", "linear",
               "--model.calibration_batches", "0")  # fmt: skip
    weights = f"{address}/backbone.safetensors#sha256="
    folder = finetune(
        "s3dis_small", s3dis_scenes, *options, "--model.weights", weights + sha256(served),
        folder="by_address",
    )  # fmt: skip
    finetuned = read_network(folder).network.backbone.state_dict()
    wanted = {n: w for n, w in backbone.state_dict().items() if not n.startswith("final.")}
    assert_same_weights(finetuned, wanted)

    finetune(
        "s3dis_small", s3dis_scenes, *options, "--model.weights", weights + 64 * "0",
        folder="wrong", status=2,
    )  # fmt: skip
    assert f"not {64 * '0'}" in capfd.readouterr().err
