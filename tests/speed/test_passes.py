"""The benchmark of a batch in passes, small: its figures are there and agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.oracles.engines import engine_or_skip
from tests.speed.conftest import Benchmark
from tools.speed.command import main


def test_figures_of_a_small_batch(checkout: Path, benchmark: Benchmark) -> None:
    engine_or_skip("minkowski")
    has_data = (checkout.parent / "shared").exists()
    engines = ("native",) if has_data else ("native", "minkowski")
    figures = benchmark(
        checkout, "passes", "--engines", *engines, "--num-pairs", 2, "--pairs-a-pass", 1,
        "--voxel-size", 0.2, "--rounds", 2, "--variant", "14A",
        "--generated-rooms", 1, "--generated-frames", 5,
    )  # fmt: skip
    for engine in engines:
        for way in ("whole", "passes", "parts"):
            assert figures[f"{engine}_{way}_ms_median"] > 0
            assert figures[f"{engine}_{way}_peak_mb"] > 0
        assert figures[f"{engine}_passes_time_ratio"] > 0
        assert figures[f"{engine}_passes_memory_ratio"] == pytest.approx(
            figures[f"{engine}_passes_peak_mb"] / figures[f"{engine}_whole_peak_mb"], rel=0.1
        )


@pytest.mark.parametrize(("arguments", "message"), [
    (["--rounds", "1"], "--rounds 1 must be 2 or more"),
    (["--pairs-a-pass", "9"], "--pairs-a-pass 9 must be in 1..8"),
    (["--num-pairs", "100000"], "too few for --num-pairs 100000"),
])  # fmt: skip
def test_bad_input(arguments: list[str], message: str, prepared: Path, capsys: Any) -> None:
    assert main(["passes", "--root", str(prepared), "--engines", "native", *arguments]) != 0
    assert message in capsys.readouterr().err
