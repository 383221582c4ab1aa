from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from downstream.releases.sunrgbd.mat_files import read_mat
from tests.releases.sunrgbd.mat_writer import MatVersion, write_mat


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_values_of_matlab_files_come_back(tmp_path: Path, version: MatVersion) -> None:
    values = {
        "text": "a word",
        "matrix": np.arange(6.0).reshape(2, 3),
        "cells": ["one", "two"],
        "one": [{"name": "x", "number": np.array([[2.0]])}],
        "many": [
            {"name": "x", "inner": [{"a": "p"}, {"a": "q"}]},
            {"name": "y", "inner": []},
        ],
    }
    write_mat(tmp_path / "a.mat", values, version)
    found = read_mat(tmp_path / "a.mat")
    assert set(found) == set(values)
    np.testing.assert_array_equal(found["matrix"], values["matrix"])
    assert found["text"] == "a word"
    assert found["cells"] == ["one", "two"]
    assert found["one"][0]["name"] == "x"
    assert found["one"][0]["number"].item() == 2
    assert found["many"][0]["inner"] == [{"a": "p"}, {"a": "q"}]
    assert len(found["many"][1]["inner"]) == 0
    assert [row["name"] for row in found["many"]] == ["x", "y"]
