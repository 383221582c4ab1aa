"""What a resumed run may change: the comparison itself, on plain settings."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from pointcontrast.errors import InputError
from pointcontrast.runs.checkpoints import CheckpointFacts
from pointcontrast.runs.schedules import PolynomialDecay, StepwiseExponential
from pointcontrast.runs.settings_of_run import RunSettings

CONFIG: dict[str, Any] = {
    "name": "a",
    "seed_everything": 0,
    "allow_changed": [],
    "data": {"root": "rooms", "voxel_size": 0.1, "batch_size": 4, "total_batch_size": None,
             "source": None, "num_workers": 2, "seed": 0},
    "model": {"backbone": {"class_path": "Net", "init_args": {"engine": "native", "width": 1.0}},
              "loss": {"class_path": "Loss", "init_args": {"temperature": 0.1}}},
    "trainer": {"max_steps": 100, "devices": 1, "precision": None},
}  # fmt: skip
CHECKPOINT = Path("run/last.ckpt")


def changed(**keys: Any) -> dict[str, Any]:
    """The configuration with other values; ``__`` stands for a dot."""
    config = deepcopy(CONFIG)
    for key, value in keys.items():
        *parts, last = key.split("__")
        place = config
        for part in parts:
            place = place[part]
        place[last] = value
    return config


def saved(samples: int = 4, step: int = 50, **keys: Any) -> CheckpointFacts:
    first = RunSettings(changed(**keys), ())
    first.record_samples(samples)
    first.compare_data({"training_pairs": "7 (a)"}, {"class_names": ["wall", "floor"]})
    return CheckpointFacts(step, {}, first.values)


def go_on(
    facts: CheckpointFacts, *allowed: str, samples: int = 4, pace: Any = None, **keys: Any
) -> RunSettings:
    found = RunSettings(changed(**keys), allowed)
    found.record_samples(samples)
    found.compare(CHECKPOINT, facts, [StepwiseExponential().factor if pace is None else pace])
    return found


def refusal(*arguments: Any, **keys: Any) -> str:
    with pytest.raises(InputError) as raised:
        go_on(*arguments, **keys)
    return str(raised.value)


def test_the_same_settings_go_on_without_a_word() -> None:
    found = go_on(saved())
    found.compare_data({"training_pairs": "7 (a)"}, {"class_names": ["wall", "floor"]})
    assert found.all_notes() == []
    assert found.changes == []


def test_what_the_weights_do_not_depend_on_may_change() -> None:
    found = go_on(
        saved(), name="b", data__num_workers=0, trainer__devices=2, data__batch_size=2,
        model__backbone__init_args__engine="minkowski", data__seed=9,
    )  # fmt: skip
    assert found.all_notes() == []


def test_each_difference_is_named_with_both_values() -> None:
    message = refusal(saved(), seed_everything=1, data__voxel_size=0.08, data__root="other")
    assert message.startswith("run/last.ckpt was trained with other settings: ")
    for words in ("seed_everything 0, here 1", "data.voxel_size 0.1, here 0.08",
                  "data.root rooms, here other",
                  "--allow-changed seed_everything data.root data.voxel_size"):  # fmt: skip
        assert words in message


def test_a_class_in_place_of_nothing_is_a_difference() -> None:
    source = {"class_path": "Rooms", "init_args": {"num_rooms": 3}}
    assert "data.source null, here Rooms" in refusal(saved(), data__source=source)
    assert "data.source Rooms, here null" in refusal(saved(data__source=source))


def test_another_class_is_named_once() -> None:
    loss = {"class_path": "Other", "init_args": {"margin": 1.0}}
    message = refusal(saved(), model__loss=loss)
    assert "model.loss.class_path Loss, here Other" in message
    assert "margin" not in message


def test_an_argument_of_a_newer_version_is_no_difference() -> None:
    facts = saved()
    assert facts.settings is not None
    del facts.settings["trainer.precision"]
    assert go_on(facts).changes == []


def test_the_batch_is_that_of_all_processes() -> None:
    assert "data.batch_size 4, here 8" in refusal(saved(), data__batch_size=8, samples=8)
    message = refusal(saved(), samples=8)  # the same batch_size on twice the devices
    assert "data.samples_per_step 4, here 8" in message
    assert "batch_size" not in message


def test_allowed_changes_are_kept_in_order() -> None:
    facts = saved()
    facts.changes.append({"key": "data.root", "was": "a", "now": "rooms", "step": 10})
    found = go_on(facts, "data.voxel_size", data__voxel_size=0.08)
    assert [(c["step"], c["key"], c["was"], c["now"]) for c in found.changes] == [
        (10, "data.root", "a", "rooms"),
        (50, "data.voxel_size", 0.1, 0.08),
    ]
    assert found.values["data.voxel_size"] == 0.08
    assert "changed after step 50: data.voxel_size was 0.1, is 0.08" in found.all_notes()


def test_a_key_allows_those_below_it_and_must_exist() -> None:
    loss = {"class_path": "Loss", "init_args": {"temperature": 0.4}}
    assert len(go_on(saved(), "model.loss", model__loss=loss).changes) == 1
    with pytest.raises(InputError, match=r"data\.voxel_sze is no setting of this run; is data\.vo"):
        go_on(saved(), "data.voxel_sze", data__voxel_size=0.08)


def test_an_allowed_key_that_has_changed_before_is_no_error() -> None:
    assert go_on(saved(), "data.voxel_size").changes == []


@pytest.mark.parametrize(("steps", "says"), [(200, "is 200, was 100"), (60, "is 60, was 100")])
def test_another_length_goes_on_where_the_steps_done_are_the_same(steps: int, says: str) -> None:
    found = go_on(saved(), trainer__max_steps=steps)
    assert [note for note in found.all_notes() if says in note]
    assert found.changes == []
    message = refusal(saved(), trainer__max_steps=steps, pace=PolynomialDecay().factor)
    assert f"trainer.max_steps 100, here {steps}" in message


def test_a_length_that_is_passed_leaves_nothing_to_change() -> None:
    assert go_on(saved(), trainer__max_steps=50, pace=PolynomialDecay().factor).changes == []


def test_another_order_of_classes_is_never_allowed() -> None:
    found = go_on(saved(), "data.task", "data.contents")
    with pytest.raises(InputError, match=r"\['wall', 'floor'\], here \['floor', 'wall'\]; its out"):
        found.compare_data({"training_pairs": "7 (a)"}, {"class_names": ["floor", "wall"]})


def test_other_contents_need_leave_unless_other_data_were_asked_for() -> None:
    other = {"training_pairs": "9 (b)"}, {"class_names": ["wall", "floor"]}
    with pytest.raises(InputError, match=r"data\.contents\.training_pairs 7 \(a\), here 9 \(b\)"):
        go_on(saved()).compare_data(*other)
    allowed = go_on(saved(), "data.contents")
    allowed.compare_data(*other)
    assert [change["key"] for change in allowed.changes] == ["data.contents.training_pairs"]
    moved = go_on(saved(), "data.root", data__root="elsewhere")
    moved.compare_data(*other)
    assert [change["key"] for change in moved.changes] == ["data.root"]


def test_two_names_of_one_place_are_the_same(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    assert go_on(saved(), data__root=str(tmp_path / "rooms")).changes == []


def test_an_older_checkpoint_is_compared_by_the_configuration_beside_it(
    tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    old = CheckpointFacts(50, {})
    assert "not recorded, nor compared" in go_on(old, data__voxel_size=0.3).all_notes()[0]
    (tmp_path / "run" / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    assert "data.voxel_size 0.1, here 0.3" in refusal(old, data__voxel_size=0.3)
    assert go_on(old, samples=8).changes == []  # how many processes is not known
