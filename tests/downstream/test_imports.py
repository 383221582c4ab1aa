"""The packages of ``downstream`` read in an order: none imports one that imports it."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

from tests.helpers.repository import REPOSITORY

DOWNSTREAM = REPOSITORY / "downstream"


def unit(path: Path) -> str:
    """The package or module directly below ``downstream`` that a file belongs to."""
    first = path.relative_to(DOWNSTREAM).parts[0]
    return first.removesuffix(".py")


def imported_units(path: Path) -> set[str]:
    """Those that a file imports when it is imported itself, not within a function."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("downstream."):
            found.add(str(node.module).split(".")[1])
    return found - {unit(path)}


def test_no_two_packages_import_each_other() -> None:
    imports: dict[str, set[str]] = {}
    for path in DOWNSTREAM.rglob("*.py"):
        imports.setdefault(unit(path), set()).update(imported_units(path))
    assert {"heads", "tasks"} <= imports["benchmarks"] | imports["tasks"]
    TopologicalSorter(imports).prepare()  # CycleError names them
