"""A table as plain text.

Not made by tabulate: a table that is wider than a terminal is continued below, and rows have
headings of their families.
"""

from __future__ import annotations

import os
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace

from bench.tables.table import DASH, MARKS, Footnotes, Table, TableCell
from bench.wording import WIDTH, counted, terminal_width

_LABEL = 44
"""Columns that the names of rows may take where the numbers need the rest."""
_GAP = "   "
_MARKS = {0: " ", 1: "*", 2: "+"}
TIED = "~"


def to_terminal(table: Table, path: str = "") -> str:
    """Return the table for the terminal of this process: as wide as that is, in colours where it
    has any, and with short footnotes.

    Parameters
    ----------
    path : of the file that has all notes; it is named where something is left out.
    """
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    return to_text(shortened(table, path), terminal_width(), colour)


def shortened(table: Table, path: str) -> Table:
    """Return a table with fewer footnotes: of a missing number the whole reason, of a number what
    even a paper would say (`Table.brief`).
    """
    texts, footnotes = dict(table.footnotes), Footnotes()
    left: dict[str, bool] = {}
    rows = []
    for row in [row for _, members in table.groups() for row in members]:
        cells = []
        for cell in row.cells:
            said = []
            for text in (texts[letter] for letter in cell.notes):
                short = table.brief.get(text, "")
                words = text if cell.mark in (DASH, *MARKS.values()) else short
                said += [words] if words else []
                left |= {} if words == text else {text: True}
            cells.append(replace(cell, notes=tuple(dict.fromkeys(map(footnotes.letter, said)))))
        rows.append(replace(row, cells=tuple(cells)))
    notes = list(table.notes)
    if left and path:
        notes.append(f"{counted(len(left), 'remark')} on how rows were made: {path}")
    return replace(table, rows=rows, footnotes=footnotes.listed(), notes=notes)


def to_text(table: Table, width: int = WIDTH, colour: bool = False) -> str:
    """Return the table as plain text: `*` the best, `+` the second of a column. What is wider than
    `width` columns is continued below.
    """
    first = max([len("method"), *(len(table.row_name(row)) + 2 for row in table.rows)])
    columns = [_column(number, table, colour) for number in range(len(table.columns))]
    widest = max([0, *(len(column[0]) + len(_GAP) for column in columns)])
    first = min(
        first,
        max(_LABEL, width - sum(len(column[0]) + len(_GAP) for column in columns)),
        max(20, width - widest),
    )
    lines: list[str] = []
    for block in _blocks(columns, first, width):
        lines += [*([""] if lines else []), *_block(table, block, first, width)]
    legend = []
    if table.ranked:
        legend.append("* best, + second of a column, trivial methods excluded")
    if table.tied:
        legend.append(f"{TIED} {table.tied}")
    if table.spread:
        legend.append("mean ± standard deviation over seeds (their number)")
    lines += [*textwrap.wrap("; ".join(legend), width, break_on_hyphens=False), ""]
    lines += textwrap.wrap(table.caption, width, break_on_hyphens=False)
    remarks = [(f"[{letter}]", text) for letter, text in table.footnotes] + [
        ("note:", note) for note in table.notes
    ]
    if remarks:
        lines.append("")
    for head, text in remarks:
        lines += textwrap.wrap(
            f"{head} {text}",
            width,
            subsequent_indent=" " * (len(head) + 1),
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _column(number: int, table: Table, colour: bool) -> list[str]:
    """Return the heading and the places of a column, all of one width: numbers end in one line,
    their marks and letters follow.
    """
    cells = [row.cells[number] for row in table.rows]
    marked = any(cell.rank for cell in cells)
    tied = any(cell.tied for cell in cells)
    means = max([0, *(len(cell.shown) for cell in cells)])
    numbers = [
        cell.shown.rjust(means)
        + (_MARKS[cell.rank] if marked else "")
        + ((TIED if cell.tied else " ") if tied else "")
        + behind(cell)
        if cell.value is not None
        else cell.mark.rjust(means)
        for cell in cells
    ]
    width = max([0, *map(len, numbers)])
    places = [
        text.ljust(width) + (f" [{','.join(cell.notes)}]" if cell.notes else "")
        for text, cell in zip(numbers, cells)
    ]
    heading = table.headings[number]
    total = max([len(heading), *map(len, places)])
    shown = [text.ljust(total) for text in (heading, *places)]
    if not colour:
        return shown
    return [shown[0], *(_styled(text, cell) for text, cell in zip(shown[1:], cells))]


def _styled(text: str, cell: TableCell) -> str:
    """Return text as a terminal shows it: the best bold, the second underlined, marks of missing
    numbers yellow.
    """
    code = {1: "1", 2: "4"}.get(cell.rank, "33" if cell.value is None else "")
    bare = text.rstrip()
    return f"\x1b[{code}m{bare}\x1b[0m{text[len(bare) :]}" if code else text


def behind(cell: TableCell) -> str:
    """Return what follows a number: its spread, and its place."""
    return cell.spread + (f" ({cell.place})" if cell.place else "")


def _blocks(columns: list[list[str]], first: int, most: int) -> Iterator[list[list[str]]]:
    """Yield as many columns at a time as fit beside the names."""
    block: list[list[str]] = []
    used = first
    for column in columns:
        width = len(_GAP) + len(column[0])
        if block and used + width > most:
            yield block
            block, used = [], first
        block.append(column)
        used += width
    yield block


def _block(table: Table, columns: list[list[str]], first: int, width: int) -> list[str]:
    rule = "-" * min(width, first + sum(len(_GAP) + len(column[0]) for column in columns))
    lines = [_GAP.join(["method".ljust(first), *(column[0] for column in columns)])]
    for family, members in table.groups():
        lines += [rule, *textwrap.wrap(family, width, break_on_hyphens=False)]
        for row in members:
            place = table.rows.index(row) + 1
            head, *rest = _wrap_label(table.row_name(row), first - 4)
            lines.append(
                _GAP.join([f"  {head}".ljust(first), *(column[place] for column in columns)])
            )
            lines += [f"    {more}" for more in rest]
    return [*lines, rule]


def _wrap_label(label: str, width: int) -> list[str]:
    """Break a label that is longer than `width`, behind a bracket or comma where that is
    possible.
    """
    if len(label) <= width + 2:  # only lines after the first are indented
        return [label]
    lines = [""]
    for piece in re.findall(r"[^,\[]*[,\[]|[^,\[]+", label):
        if lines[-1] and len(lines[-1]) + len(piece) > width:
            lines.append("")
        lines[-1] += piece
    return [line[start : start + width] for line in lines for start in range(0, len(line), width)]
