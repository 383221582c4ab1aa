"""Class paths in a configuration: old ones that moved, and new ones with their own defaults."""

from __future__ import annotations

import inspect
import sys
from typing import Any

import jsonargparse
import yaml
from jsonargparse import _typehints
from jsonargparse._util import import_object
from torch.optim import Optimizer

from pointcontrast.runs.schedules import Schedule

MOVED = {
    "pointcontrast.schedules": "pointcontrast.runs.schedules",
    "pointcontrast.sources": "pointcontrast.preparation.sources",
    "pointcontrast.pair_readers": "pointcontrast.data.pair_readers",
    "pointcontrast.losses.point_info_nce": "pointcontrast.losses",
    "pointcontrast.losses.hardest_contrastive": "pointcontrast.losses",
    "downstream.detection.augmentation": "downstream.augmentation",
}
"""Packages of the classes that a configuration may name: old place -> new place."""

OWN_DEFAULTS = (Optimizer, Schedule)
"""Classes whose arguments are tuned for them alone, though others have arguments of that name."""

_keep_arguments = _typehints.discard_init_args_on_class_path_change


def current_path(path: str) -> str:
    """Return the import path of a class where it is now.

    Args:
        path: Import path as an older version of this program wrote it, or any other text.
    """
    module, _, name = path.rpartition(".")
    for old, new in MOVED.items():
        if module == old or module.startswith(f"{old}."):
            return f"{new}.{name}"
    return path


def prepare_parser() -> None:
    """Have jsonargparse read class paths as this program means them.

    - A class that has moved is found at its new place, and standard error says so.
    - Where a later configuration or the command line names another optimiser or schedule, none of
      the arguments of the one before is kept. (jsonargparse keeps those whose name the new class
      knows: AdamW would train at the learning rate tuned for SGD.)
    """
    jsonargparse.set_loader("yaml", _load, exceptions=(yaml.YAMLError,))
    # Private: there is no setting for it. The pin of jsonargparse in pyproject.toml and
    # tests/runs/test_class_paths.py watch over it.
    _typehints.discard_init_args_on_class_path_change = _discard_arguments


_read_yaml = jsonargparse.get_loader("yaml")


def _load(text: str) -> Any:
    return with_current_paths(_read_yaml(text))


def with_current_paths(value: Any) -> Any:
    """Return a configuration, or a command line, with :func:`current_path` for each class path."""
    if isinstance(value, dict):
        return {key: with_current_paths(item) for key, item in value.items()}
    if isinstance(value, list):
        return [with_current_paths(item) for item in value]
    if not isinstance(value, str):
        return value
    option, equals, given = value.rpartition("=")  # as in --model.schedule=pointcontrast...
    path = current_path(given)
    if path != given:
        print(f"{given} has moved: reading it as {path}", file=sys.stderr)
    return f"{option}{equals}{path}"


def _discard_arguments(parser_or_action: Any, before: Any, value: Any) -> None:
    if before and before.get("init_args") and before["class_path"] != value["class_path"]:
        named = import_object(value["class_path"])
        if inspect.isclass(named) and issubclass(named, OWN_DEFAULTS):
            for key in list(before["init_args"].keys()):
                before["init_args"].pop(key)
    _keep_arguments(parser_or_action, before, value)
