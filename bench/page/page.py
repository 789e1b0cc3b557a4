"""report.html: the whole run on one page that opens from disk and asks no network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.files.whole_files import write_text
from bench.page.data import data_of
from bench.page.facts import facts_of
from bench.page.images import add_images
from bench.page.views import views_of
from bench.runs.layout import ReportFiles
from bench.tables.kinds import Source

TEMPLATES = Path(__file__).parent / "templates"
SCRIPTS = ("base.js", "link.js", "table.js", "clips.js", "plots.js", "page.js")
"""In this order; together they are the script of the page."""
LIMIT = 25_000_000
"""Bytes of the whole page. Chosen here: what mail and code hosts still take, and a browser opens at
once."""


def write_page(source: Source, path: Path, question: str = "") -> tuple[list[Path], list[str]]:
    """Write the page of a run. It links to the tables of the same question, in the same folder.

    Returns its path, and a sentence for each thing that was left out of it.
    """
    views = views_of(source)
    rows = [row for view in views for _, members in view.comparison.groups() for row in members]
    labels = list(dict.fromkeys(row.name for row in rows))
    data = data_of(source, views, labels)
    facts = facts_of(source, ReportFiles(path.parent), question, views, labels)
    facts |= {
        "script": "\n".join(map(_read, SCRIPTS)),
        "style": _read("page.css"),
    }
    frame = _render(facts | {"data": _json(data), "images": "[]"})
    images = add_images(source, data, LIMIT - len(frame.encode()), LIMIT)
    page = _render(
        facts
        | {
            "data": _json(data | {"thinned": images.said}),
            "images": _json(images.files),
        }
    )
    write_text(path, page)
    return [path], [f"page: {sentence}" for sentence in images.said]


def _read(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _render(facts: Mapping[str, Any]) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(facts).lstrip()


def _json(value: Any) -> str:
    """Return JSON that may stand inside of <script>: no text in it can end the element or begin a
    comment.
    """
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace(
        "<", "\\u003c"
    )
