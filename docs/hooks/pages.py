"""What MkDocs does to the pages besides its plugins: equations, notebooks, documents outside docs/.

Equations become MathML while the site is built, so a page needs no script and no network. A
notebook becomes a page with the outputs that are committed with it. The documents that stand
outside ``docs/``, where readers of a repository look for them, become pages too.
"""

from __future__ import annotations

import html
import posixpath
import re
from pathlib import Path
from typing import Any

import latex2mathml.converter
import nbconvert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

REPOSITORY = Path(__file__).parents[2]
PAGES = {
    "datasets/README.md": "datasets.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
"""Documents outside ``docs/``, by path in the repository, and their pages of the site."""

_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)")
_EQUATION = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made from other files."""
    for source, page in PAGES.items():
        text = (REPOSITORY / source).read_text()
        files.append(File.generated(config, page, content=_site_links(text, source)))
    for notebook in [file for file in files if file.src_uri.endswith(".ipynb")]:
        page = notebook.src_uri.removesuffix(".ipynb") + ".md"
        text, outputs = _notebook_page(notebook, posixpath.basename(page).removesuffix(".md"))
        files.append(File.generated(config, page, content=text))
        for name, content in outputs.items():
            uri = posixpath.join(posixpath.dirname(page), name)
            files.append(File.generated(config, uri, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Have links to documents outside ``docs/`` lead to their pages."""
    source = page.file.src_uri
    if source in PAGES.values():
        return markdown
    return _site_links(markdown, f"docs/{source}")


def on_page_content(content: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn equations into MathML."""
    return _EQUATION.sub(_mathml, content)


def _mathml(match: re.Match[str]) -> str:
    element, latex = match.groups()
    display = "block" if element == "div" else "inline"
    return latex2mathml.converter.convert(html.unescape(latex).strip(), display=display)


def _site_links(text: str, source: str) -> str:
    """Relative links of a document of the repository, as links from its page of the site."""
    folder = posixpath.dirname(source)
    own_folder = posixpath.dirname(PAGES.get(source, source.removeprefix("docs/")))

    def on_site(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, match.group(1)))
        if target not in PAGES and not target.startswith("docs/"):
            return match.group(1)
        page = PAGES.get(target, target.removeprefix("docs/"))
        if page.endswith(".ipynb"):
            page = f"{page.removesuffix('.ipynb')}.md"
        return posixpath.relpath(page, own_folder or ".")

    return _LINK.sub(on_site, text)


def _notebook_page(notebook: File, name: str) -> tuple[str, dict[str, Any]]:
    """Markdown and pictures of a notebook, with a link to the notebook itself."""
    exporter = nbconvert.MarkdownExporter()
    resources = {"output_files_dir": f"{name}_files", "unique_key": name}
    text, resources = exporter.from_filename(str(notebook.abs_src_path), resources)
    title, rest = text.lstrip().split("\n", 1)
    return f"{title}\n\n[Download this notebook]({name}.ipynb)\n{rest}", resources["outputs"]
