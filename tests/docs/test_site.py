"""What the site is made of fits together; ``make docs`` builds it with warnings as errors."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.helpers.repository import REPOSITORY

DOCS = REPOSITORY / "docs"
API = sorted((DOCS / "api").glob("*.md"))
OUTSIDE = {"datasets.md", "contributing.md", "changelog.md"}
"""Pages made of documents outside docs/ (docs/hooks/pages.py)."""


def pages(nav: list[Any]) -> Iterator[str]:
    """The pages of a navigation, section by section."""
    for entry in nav:
        for value in entry.values() if isinstance(entry, dict) else [entry]:
            yield from pages(value) if isinstance(value, list) else [value]


def test_every_page_is_in_the_navigation_once() -> None:
    listed = list(pages(yaml.safe_load((REPOSITORY / "mkdocs.yml").read_text())["nav"]))
    documents = [path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")]
    notebooks = [path.relative_to(DOCS).with_suffix(".md") for path in DOCS.rglob("*.ipynb")]
    assert sorted(listed) == sorted({*documents, *map(str, notebooks), *OUTSIDE})


@pytest.mark.parametrize("page", API, ids=lambda path: path.stem)
def test_documented_names_exist_and_say_what_they_are(page: Any) -> None:
    names = re.findall(r"^::: ([\w.]+)$", page.read_text(), re.MULTILINE)
    assert names
    for name in names:
        assert pkgutil.resolve_name(name).__doc__, name


def test_equations_are_closed() -> None:
    text = (DOCS / "how_it_works.md").read_text()
    displayed = text.split("\n$$\n")
    assert len(displayed) > 20
    assert len(displayed) % 2 == 1
    for inline in displayed[::2]:
        assert inline.count("$") % 2 == 0, inline
    for equation in displayed[1::2]:
        assert equation.count("{") == equation.count("}"), equation
        assert equation.count(r"\left") == equation.count(r"\right"), equation
