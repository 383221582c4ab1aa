"""The notebooks run from top to bottom; their committed outputs are small and portable."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pointcontrast.runs.folder import read_metrics
from tests.helpers.repository import REPOSITORY

NOTEBOOKS = sorted((REPOSITORY / "docs" / "notebooks").glob("*.ipynb"))
by_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_all_notebooks_are_found_and_small() -> None:
    assert [path.stem for path in NOTEBOOKS] == [
        "features_and_prediction",
        "pretrain_on_your_frames",
    ]
    assert sum(path.stat().st_size for path in NOTEBOOKS) < 400_000


@by_notebook
def test_committed_outputs_are_of_one_clean_run(path: Path) -> None:
    cells = code_cells(json.loads(path.read_text()))
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert any("image/jpeg" in output.get("data", {}) for output in outputs)
    for output in outputs:
        assert output["output_type"] != "error"
        texts = [output.get("text", ""), output.get("data", {}).get("text/plain", "")]
        for text in ("".join(text) for text in texts):
            assert not re.search(r"(?<![\w.])/(?:home|root|tmp|work|Users)/", text), text


@pytest.mark.slow
@by_notebook
def test_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=1800, kernel_name="python3", resources=resources).execute()
    if path.stem == "pretrain_on_your_frames":
        run = tmp_path / path.stem / "run"
        scores = [
            line["validation/top1_accuracy"]
            for line in read_metrics(run)
            if "validation/top1_accuracy" in line
        ]
        assert len(scores) >= 5
        assert scores[-1] > 8 * scores[0]  # 18 times when it was written
    else:
        texts = [
            "".join(output.get("text", ""))
            for cell in code_cells(notebook)
            for output in cell["outputs"]
        ]
        (right,) = re.findall(r"(\d+)% of the points are right", "".join(texts))
        assert int(right) > 50  # always the most frequent class: 31%
