"""What a row of the page opens to: the paper of a method and how its numbers came about here."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

from bench.contracts.parameters import show_value
from bench.runs.records import CellRecord
from bench.runs.status import Status
from bench.tables.kinds import Source
from bench.tables.secondary.published_tables import published_number
from bench.tables.table import Row, Table
from bench.wording import listed

_FIELD = re.compile(r"^\s*(\w+)\s*=\s*[{\"](.*?)[}\"]\s*,?\s*$", re.MULTILINE)
"""One line of a BibTeX entry, as methods of `bench` and most tools write them."""
_MARKS = {'"': "\u0308", "'": "\u0301", "`": "\u0300", "^": "\u0302", "~": "\u0303", "c": "\u0327"}


def facts_of_method(
    source: Source, row: Row, costs: Sequence[Table], label: str
) -> list[tuple[str, list[str]]]:
    """Return (term, lines) of a method, in the order of the page; empty terms are left out.

    Parameters
    ----------
    row : of the table of a view, with its facts.
    costs : the tables of speed, one a dataset.
    """
    cells = [cell for cell in source.run_scores.cells if cell.label == label]
    heading = source.run_scores.names.heading
    first = cells[0]
    computed = [cell for cell in cells if cell.status != Status.PUBLISHED_ONLY]
    facts = {
        "Paper": [reference(first.bibtex)],
        "Family": [first.family],
        "Supervision": [row.facts.get("supervision", "")],
        "Extra knowledge": [row.facts.get("knowledge", "")],
        "Input": [row.facts.get("input", "")],
        "Published": _by_dataset(source, cells, _published),
        "Selection": [first.selector],
        "Profile": [
            listed(filter(None, (cell.profile for cell in computed if cell.follows_profile)))
        ],
        "Parameters": _by_dataset(source, computed, _parameters),
        "Deviations": list(dict.fromkeys(text for cell in cells for text in cell.deviations)),
        "Warnings": [
            f"{heading(cell.dataset)}, seed {cell.seed}: {text}"
            for cell in cells
            for text in cell.warnings
        ],
        "Cost": [text for table in costs if (text := _cost(table, label, heading(table.dataset)))],
        "No number": list(
            dict.fromkeys(
                f"{heading(cell.dataset)}: {cell.status}: {cell.reason}".removesuffix(": ")
                for cell in cells
                if cell.status != Status.DONE
            )
        ),
    }
    return [
        (term, shown)
        for term, lines in facts.items()
        if (shown := [line for line in lines if line])
    ]


def reference(bibtex: str) -> str:
    r"""Return a BibTeX entry as a sentence: authors, title, where, year. What is missing is left out.

    >>> reference("@article{a,\n  author = {Lee, Ann and Ray, Bo},\n  title = {On {VAD}}\n}")
    'Ann Lee, Bo Ray. On VAD.'
    """
    fields = {name.lower(): _plain(value) for name, value in _FIELD.findall(bibtex)}
    authors = [
        " ".join(reversed([part.strip() for part in name.split(",", 1)]))
        for name in re.split(r"\s+and\s+", fields.get("author", ""))
    ]
    where = fields.get("booktitle") or fields.get("journal") or fields.get("howpublished", "")
    parts = [
        ", ".join(filter(None, authors)),
        fields.get("title", ""),
        ", ".join(filter(None, (where, fields.get("year"), fields.get("note")))),
    ]
    return " ".join(f"{part}." for part in parts if part)


def _plain(text: str) -> str:
    """Return a field without braces, accents as letters."""
    text = re.sub(
        r"\{?\\(.)\s*\{?(\w)\}?\}?",
        lambda found: found[2] + _MARKS.get(found[1], ""),
        text,
    )
    return unicodedata.normalize("NFC", re.sub(r"[{}]", "", text)).replace("--", "–").strip()


def _by_dataset(
    source: Source, cells: Sequence[CellRecord], told: Callable[[CellRecord], str]
) -> list[str]:
    """Return what is told of a method, once where all datasets agree, else for each dataset."""
    texts: dict[str, list[str]] = {}
    for cell in cells:
        name = source.run_scores.names.heading(cell.dataset)
        if (text := told(cell)) and name not in texts.setdefault(text, []):
            texts[text].append(name)
    names = {source.run_scores.names.heading(cell.dataset) for cell in cells}
    if len(texts) == 1 and names == set(*texts.values()):
        return list(texts)
    return [f"{listed(names)}: {text}" for text, names in texts.items() if names]


def _published(cell: CellRecord) -> str:
    auc, where, _ = published_number(cell, cell.dataset)
    return f"{auc} ({where})" if auc else ""


def _parameters(cell: CellRecord) -> str:
    def shown(name: str, value: Any) -> str:
        return f"{name}={show_value(value)}" + (
            " (changed)" if name in cell.parameters_changed else ""
        )

    return ", ".join(shown(name, value) for name, value in cell.parameters.items())


def _cost(table: Table, label: str, heading: str) -> str:
    row = next((row for row in table.rows if row.name == label), None)
    if row is None:
        return ""
    known = [
        f"{column} {cell.shown}"
        for column, cell in zip(table.columns, row.cells)
        if cell.value is not None
    ]
    return f"{heading}: {', '.join(known)}" if known else ""
