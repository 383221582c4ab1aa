"""Docstrings as Markdown: roles of Sphinx become links, and ``::`` before a block a colon."""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|func|meth|mod|data|attr|exc):`(~?)([\w.]+)`")
_BLOCK = re.compile(r"::$", re.MULTILINE)


class DocstringRoles(griffe.Extension):
    """Rewrite each docstring when its object is read."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rewrite the docstring of one object, if it has one."""
        if obj.docstring is None:
            return
        text = _ROLE.sub(lambda role: _link(role, obj), obj.docstring.value)
        obj.docstring.value = _BLOCK.sub(":", text)


def _link(role: re.Match[str], obj: griffe.Object) -> str:
    """A link where the site has a page of the name, else the name alone."""
    shortened, name = role.groups()
    shown = name.rsplit(".", 1)[-1] if shortened else name.lstrip(".")
    target = name if "." in name else f"{obj.module.path}.{name}"
    return f'<autoref identifier="{target}" optional><code>{shown}</code></autoref>'
