"""A table before it has any form: columns, rows, numbers with their marks, footnotes and notes.

Numbers stay numbers until `forms` prints them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.evaluation.row_names import RowNames
from bench.evaluation.summaries import Summary

TRIVIAL = "trivial"
FROM_A_FILE = "from a file"
"""The family of rows whose scores somebody else computed."""
PUBLISHED = "published, not measured here"
"""The family of rows that a paper prints, beside those that were measured."""
DASH = "-"
MARKS = {"failed": "failed", "interrupted": "interrupted", "running": "running", "queued": "queued"}
"""What stands in the place of a number, by status; a dash for all others."""
DIGITS = 2
"""Behind the point of a percentage."""


@dataclass(frozen=True)
class TableCell:
    """A number with its spread, or a mark in its place; and the letters of its footnotes."""

    value: float | None = None
    """In the unit of its column, mostly percent; None where there is no number."""
    form: str = f"{{:.{DIGITS}f}}"
    """Prints `value` and `more` (`str.format`)."""
    more: tuple[float, ...] = ()
    """Further numbers that `form` prints: the upper end of an interval."""
    sd: float | None = None
    """Over seeds; None for a single one."""
    seeds: int = 1
    decimals: int = DIGITS
    """Behind the point of `sd` and of the ends of the interval."""
    mark: str = ""
    """In the place of the number."""
    notes: tuple[str, ...] = ()
    rank: int = 0
    """1 for the best of its column, 2 for the second; 0 otherwise."""
    place: int = 0
    """In the order of its column, where the table is about order; 0 otherwise."""
    tied: bool = False
    """Not distinguishable from the best of its column by a test over clips."""
    low: float | None = None
    high: float | None = None
    """The ends of the 95 % interval over clips; None where there is none."""

    @property
    def shown(self) -> str:
        """The number as it is printed; empty where there is none."""
        return "" if self.value is None else self.form.format(self.value, *self.more)

    @property
    def spread(self) -> str:
        """What is printed behind the number: its standard deviation over so many seeds."""
        return "" if self.sd is None else f" ± {self.sd:.{self.decimals}f} ({self.seeds})"


NOTHING = TableCell(mark=DASH)
"""A place without a number that needs no reason."""


@dataclass(frozen=True)
class Row:
    """One row of a table."""

    name: str
    """The label of its cells, or another identifier; `Table.names` has what is printed."""
    family: str
    year: int | None
    cells: tuple[TableCell, ...]
    citation: str = ""
    """Key of the BibTeX entry; empty where there is none."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """Year, supervision, knowledge, input: what `Table.facts` shows."""


@dataclass(frozen=True)
class Table:
    """A whole table."""

    columns: list[str]
    """Labels of datasets, alone or with a word behind them, or other headings."""
    rows: list[Row]
    caption: str
    """Full sentences."""
    footnotes: list[tuple[str, str]]
    """(letter, text)."""
    notes: list[str]
    tied: str = ""
    """What the mark of `TableCell.tied` means; empty where there is none."""
    names: RowNames = field(default_factory=RowNames)
    """How the forms call its rows and columns."""
    short: str = ""
    """The caption in a paper; empty for the first sentence of `caption`."""
    brief: Mapping[str, str] = field(default_factory=dict)
    """Text of a footnote -> its words in a paper. Other footnotes stand in the notes alone."""
    facts: list[str] = field(default_factory=list)
    """Facts about the methods that a paper shows as columns."""
    dataset: str = ""
    """Label of the only dataset that it is about; empty where columns are datasets."""
    ordered: bool = False
    """Whether trivial rows, too, stand where the order of the rows puts them."""

    @property
    def headings(self) -> list[str]:
        """The columns as they are printed, formulas as text."""
        return [self.names.heading(column) for column in self.columns]

    def row_name(self, row: Row) -> str:
        """Return a row's name as it is printed, formulas as text."""
        return self.names.row(row.name)

    @property
    def ranked(self) -> bool:
        """Whether any number is marked as the best."""
        return any(cell.rank for row in self.rows for cell in row.cells)

    @property
    def spread(self) -> bool:
        """Whether any number has a standard deviation."""
        return any(cell.sd is not None for row in self.rows for cell in row.cells)

    def groups(self) -> list[tuple[str, list[Row]]]:
        """Return the rows by family, in the order of the rows; trivial ones last."""
        names = list(dict.fromkeys(row.family for row in self.rows))
        if not self.ordered:
            names.sort(key=lambda name: name == TRIVIAL)
        return [
            (
                name or ("other" if len(names) > 1 else ""),
                [row for row in self.rows if row.family == name],
            )
            for name in names
        ]


class Footnotes:
    """Gives each distinct text a letter, in the order of appearance; `known` are those that a table
    has already.
    """

    def __init__(self, known: Iterable[tuple[str, str]] = ()) -> None:
        self.letters = {text: letter for letter, text in known}

    def letter(self, text: str) -> str:
        """Return the letter of a text, a new one where it is new."""
        text = one_line(text)
        number = len(self.letters)
        return self.letters.setdefault(text, chr(97 + number % 26) * (number // 26 + 1))

    def mark(self, mark: str, *texts: str) -> TableCell:
        """Return a cell with a mark in the place of a number, and footnotes that say why."""
        return TableCell(mark=mark, notes=tuple(map(self.letter, texts)))

    def listed(self) -> list[tuple[str, str]]:
        """Return (letter, text) of each."""
        return [(letter, text) for text, letter in self.letters.items()]

    def used(self, rows: Sequence[Row]) -> list[tuple[str, str]]:
        """Return (letter, text) of those that stand in some rows."""
        used = {letter for row in rows for cell in row.cells for letter in cell.notes}
        return [(letter, text) for letter, text in self.listed() if letter in used]


def one_line(text: str) -> str:
    """Return a text as a footnote has it."""
    return " ".join(text.split())


def percent(fraction: float) -> str:
    """Return a fraction as the tables print it."""
    return f"{100 * fraction:.{DIGITS}f}"


def as_printed(percentage: float, digits: int = DIGITS) -> float:
    """Return a percentage with the digits that tables print: what prints alike is equal."""
    return round(percentage, digits)


def ranks_of(
    values: Mapping[str, float], higher_is_better: bool = True, digits: int = DIGITS
) -> dict[str, int]:
    """Return 1 and 2 for the best and the second of some percentages, as printed; none where there
    is only one.
    """
    shown = {name: as_printed(value, digits) for name, value in values.items()}
    if len(shown) < 2:
        return {}
    order = sorted(set(shown.values()), reverse=higher_is_better)[:2]
    return {name: order.index(value) + 1 for name, value in shown.items() if value in order}


def cell_of(summary: Summary, **more: Any) -> TableCell:
    """Return the cell of a row that has a mean, in percent."""
    assert summary.mean is not None, "no mean, and a number of it"
    sd = None if summary.sd is None else 100 * summary.sd
    return TableCell(100 * summary.mean, sd=sd, seeds=len(summary.measurements), **more)


def p_cell(p: float) -> TableCell:
    """Return the cell of a p-value."""
    return TableCell(p, "<0.001" if p < 0.001 else "{:.3f}")


def cell_as_printed(text: str, notes: tuple[str, ...] = ()) -> TableCell:
    """Return a number with the digits that its source prints; what is no number stands as a
    mark.
    """
    try:
        value = float(text)
    except ValueError:
        return TableCell(mark=text, notes=notes)
    return TableCell(value, f"{{:.{len(text.partition('.')[2])}f}}", notes=notes)
