"""A table as a notebook shows it."""

from __future__ import annotations

from dataclasses import dataclass

from bench.tables.comparison import Comparison
from bench.tables.tables import TIED, to_text


@dataclass(frozen=True)
class Table:
    """A comparison that shows itself: `print` as text, a notebook as HTML."""

    comparison: Comparison

    def __str__(self) -> str:
        return to_text(self.comparison).rstrip("\n")

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return to_html(self.comparison)


def to_html(table: Comparison) -> str:
    """Return the table as a piece of HTML without colours of its own; every text of it is
    escaped.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("bench.tables"),
        autoescape=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("notebook.html").render(table=table, tied=TIED)
