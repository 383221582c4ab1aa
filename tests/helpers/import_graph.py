"""The imports of a source tree, read from its files."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path


def modules_of(root: Path, packages: Iterable[str]) -> dict[str, Path]:
    """Files below ``root`` by dotted module name."""
    found = {}
    for package in packages:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path, *, inside_functions: bool = True) -> set[tuple[str, str]]:
    """What a file imports when it runs: (module, name in it), the name empty for a plain import.

    What stands under ``if TYPE_CHECKING`` is left out: it never runs.
    """
    found: set[tuple[str, str]] = set()
    for node in _nodes(ast.parse(path.read_text("utf-8")), inside_functions):
        if isinstance(node, ast.Import):
            found |= {(alias.name, "") for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {(node.module, alias.name) for alias in node.names}
    return found


def graph(modules: Mapping[str, Path], *, inside_functions: bool = True) -> dict[str, set[str]]:
    """For each module, the modules that it names in imports.

    ``from package import name`` names the package, or the module of that name where there is one.
    """
    edges = {}
    for module, path in modules.items():
        named = {
            f"{target}.{name}" if f"{target}.{name}" in modules else target
            for target, name in imports(path, inside_functions=inside_functions)
        }
        edges[module] = (named & set(modules)) - {module}
    return edges


def circles(edges: Mapping[str, set[str]]) -> set[str]:
    """The modules that import each other in a circle, and those between circles."""
    left = {module: set(targets) for module, targets in edges.items()}
    while True:
        imported = set().union(*left.values()) if left else set()
        ends = {m for m, targets in left.items() if not targets or m not in imported}
        if not ends:
            return set(left)
        left = {m: targets - ends for m, targets in left.items() if m not in ends}


def reached(edges: Mapping[str, set[str]], starts: Iterable[str]) -> set[str]:
    """All modules that importing ``starts`` imports, their packages included."""
    seen: set[str] = set()
    waiting = list(starts)
    while waiting:
        module = waiting.pop()
        if module not in seen:
            seen.add(module)
            package = module.rpartition(".")[0]
            waiting += [*edges[module], *([package] if package in edges else [])]
    return seen


def _nodes(tree: ast.AST, inside_functions: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        yield node
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if inside_functions or not is_function:
            yield from _nodes(node, inside_functions)
