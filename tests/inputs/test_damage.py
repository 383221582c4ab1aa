"""Whatever happens to an input, a command is right about it, or says in one line what is wrong.

Each valid input is damaged at random (``damage.py``) and given to its command
(``valid_inputs.py``). The command must end without a traceback and without warnings of Python; name
the file or the scene where it refuses; write whole scenes or none; and leave the input as it was.

``DAMAGES_EACH`` in the environment gives more damages to each input, ``FIRST_DAMAGE`` other ones:
``DAMAGES_EACH=100 pytest tests/inputs/test_damage.py``.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from pointcontrast.labelled_scene import problems_of_scene
from pointcontrast.preparation.verify import verify
from tests.inputs.damage import damage_once
from tests.inputs.outcome import Outcome, run_on_input
from tests.inputs.valid_inputs import INPUTS, copy_of

DAMAGES_EACH = int(os.environ.get("DAMAGES_EACH", "2"))
FIRST_DAMAGE = int(os.environ.get("FIRST_DAMAGE", "0"))
STATUSES = {0, 1, 2, 74}
PROGRAMMER = re.compile(
    r"Warning:|\[Errno|object has no attribute|KeyError|IndexError|TypeError|ValueError|np\.float"
    r"|<class |not supported between|unexpected keyword"
)
"""Words of Python in the place of words for people."""


@pytest.mark.parametrize("number", range(FIRST_DAMAGE, FIRST_DAMAGE + DAMAGES_EACH))
@pytest.mark.parametrize("name", INPUTS)
def test_damaged(name: str, number: int, tmp_path: Path) -> None:
    valid = INPUTS[name]()
    raw = copy_of(valid, tmp_path)
    rng = np.random.default_rng([number, *name.encode()])
    how = damage_once(rng, raw)
    outcome = run_on_input(valid.command, tmp_path)
    told = f"{how}\n{outcome.said}"
    assert outcome.status in STATUSES, told
    assert not PROGRAMMER.search(outcome.said), told
    if outcome.status:
        check_message(how, outcome)
    check_output(tmp_path / "output", told)


@pytest.mark.parametrize("name", INPUTS)
def test_undamaged(name: str, tmp_path: Path) -> None:
    valid = INPUTS[name]()
    copy_of(valid, tmp_path)
    outcome = run_on_input(valid.command, tmp_path)
    assert outcome.status == 0, outcome.said
    assert "error:" not in outcome.said
    check_output(tmp_path / "output", outcome.said)


def check_message(how: str, outcome: Outcome) -> None:
    """A command that fails names the file, or the scene or folder in which it is."""
    told = f"{how}\n{outcome.said}"
    lines = [
        line for line in outcome.said.splitlines() if line.startswith(("error:", "BROKEN:"))
    ]  # fmt: skip
    assert lines, told
    assert len(set(lines)) == len(lines), told
    path = Path(how.rpartition(": ")[2])
    names = {path.name, path.stem, *path.parent.parts, path.parent.name or "input"}
    if how.startswith("swapped with "):
        names.add(how.removeprefix("swapped with ").partition(":")[0])
    assert any(name and name in line for line in lines for name in names), told


def check_output(output: Path, told: str) -> None:
    """Everything that was written is whole, and holds no number that is none."""
    if not output.is_dir():
        return
    for path in [*output.rglob("*.npy"), *output.rglob("*.npz")]:
        loaded = np.load(path, allow_pickle=False)
        arrays = [loaded] if path.suffix == ".npy" else list(loaded.values())
        for array in arrays:
            assert array.dtype.kind != "f" or np.isfinite(array).all(), f"{path}\n{told}"
    for path in output.rglob("*.json"):
        json.loads(path.read_text())
    for scene in {path.parent for path in output.rglob("coord.npy")}:
        if not (scene / "offsets.npy").exists():  # a set of shapes has them
            assert not problems_of_scene(scene), told
    if any(output.rglob("overlap.npy")):
        assert not verify(output, num_workers=1, progress=False).broken, told
