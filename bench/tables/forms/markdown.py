"""A table as Markdown. Not made by tabulate, which has no headings of families."""

from __future__ import annotations

import re

from bench.tables.forms.text import TIED, behind
from bench.tables.table import DASH, Table, TableCell


def to_markdown(table: Table) -> str:
    """Return the table as Markdown: the best bold, the second underlined."""

    def shown(cell: TableCell) -> str:
        value = {0: "{}", 1: "**{}**", 2: "<u>{}</u>"}[cell.rank].format(cell.shown)
        value += (r"\~" if cell.tied else "") + behind(cell)
        value = value if cell.value is not None else "–" if cell.mark == DASH else cell.mark
        return value + (f" <sup>{','.join(cell.notes)}</sup>" if cell.notes else "")

    lines = [
        "| method | " + " | ".join(map(_escape, table.headings)) + " |",
        "|---|" + "---:|" * len(table.columns),
    ]
    for family, members in table.groups():
        if family:
            lines.append(f"| *{_escape(family)}* |" + " |" * len(table.columns))
        lines += [
            "| " + " | ".join([_escape(table.row_name(row)), *map(shown, row.cells)]) + " |"
            for row in members
        ]
    legend = "Best in bold, second underlined, trivial methods excluded." if table.ranked else ""
    legend += " Mean ± standard deviation over seeds (their number)." if table.spread else ""
    legend += f" {TIED} {table.tied}." if table.tied else ""
    lines += ["", _escape(f"{table.caption} {legend}"), ""]
    lines += [f"- <sup>{letter}</sup> {_escape(text)}" for letter, text in table.footnotes]
    lines += [f"- {_escape(note)}" for note in table.notes]
    return "\n".join(lines).rstrip("\n") + "\n"


def _escape(text: str) -> str:
    """Return text that Markdown shows as it is, on one line."""
    return re.sub(r"([\\`*_{}\[\]<>|#~&])", r"\\\1", " ".join(text.split()))
