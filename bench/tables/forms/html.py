"""A table as HTML, for a notebook."""

from __future__ import annotations

from dataclasses import dataclass

from bench.tables.forms.text import TIED, to_text
from bench.tables.table import Table


@dataclass(frozen=True)
class NotebookTable(Table):
    """A table that shows itself: `print` as text, a notebook as HTML."""

    def __str__(self) -> str:
        return to_text(self).rstrip("\n")

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return to_html(self)


def to_html(table: Table) -> str:
    """Return the table as a piece of HTML without colours of its own; every text of it is
    escaped.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("bench.tables.forms"),
        autoescape=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("notebook.html").render(table=table, tied=TIED)
