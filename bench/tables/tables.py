"""A table as text and as Markdown."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from bench.plugins.registry import Registry
from bench.plugins.selection import select_one
from bench.runs.folder import Run
from bench.scoring.metrics import choose_metric
from bench.tables.comparison import DASH, Comparison, Entry, compare

WIDTH = 100
"""Columns of a terminal that text is wrapped to."""
_LABEL = 44
"""Columns that the names of rows may take where the numbers need the rest."""
_GAP = "   "
_MARKS = {0: " ", 1: "*", 2: "+"}
TIED = "~"


def comparison_text(run: Run, registry: Registry, protocol: str, metric: str = "auc") -> str:
    """Return the comparison as text for a terminal, at most 100 columns wide.

    Raises
    ------
    RequestError : no such protocol or metric.
    """
    return to_text(
        compare(
            run,
            select_one("protocols", protocol, registry).parameters,
            choose_metric(metric, registry),
        )
    ).rstrip("\n")


def to_text(table: Comparison) -> str:
    """Return the table as plain text: `*` the best, `+` the second of a column. What is too wide is
    continued below.
    """
    first = max([len("method"), *(len(line.label) + 2 for line in table.lines)])
    cells = [_column(number, table) for number in range(len(table.columns))]
    widest = max([0, *(len(column[0]) + len(_GAP) for column in cells)])
    first = min(
        first,
        max(_LABEL, WIDTH - sum(len(column[0]) + len(_GAP) for column in cells)),
        max(20, WIDTH - widest),
    )
    lines: list[str] = []
    for block in _blocks(cells, first):
        lines += [*([""] if lines else []), *_block(table, block, first)]
    legend = []
    if table.ranked:
        legend.append("* best, + second of a column, trivial methods aside")
    if table.tied:
        legend.append(f"{TIED} {table.tied}")
    if table.spread:
        legend.append("mean ± standard deviation over seeds (their number)")
    lines += [*textwrap.wrap("; ".join(legend), WIDTH, break_on_hyphens=False), ""]
    lines += textwrap.wrap(table.caption, WIDTH, break_on_hyphens=False)
    remarks = [(f"[{letter}]", text) for letter, text in table.footnotes] + [
        ("note:", note) for note in table.notes
    ]
    if remarks:
        lines.append("")
    for head, text in remarks:
        lines += textwrap.wrap(
            f"{head} {text}",
            WIDTH,
            subsequent_indent=" " * (len(head) + 1),
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _column(number: int, table: Comparison) -> list[str]:
    """Return the heading and the places of a column, all of one width: numbers end in one line,
    their marks and letters follow.
    """
    entries = [line.entries[number] for line in table.lines]
    marked = any(entry.rank for entry in entries)
    tied = any(entry.tied for entry in entries)
    means = max([0, *(len(entry.mean) for entry in entries)])
    numbers = [
        entry.mean.rjust(means)
        + (_MARKS[entry.rank] if marked else "")
        + ((TIED if entry.tied else " ") if tied else "")
        + _spread(entry)
        if entry.mean
        else entry.mark.rjust(means)
        for entry in entries
    ]
    width = max([0, *map(len, numbers)])
    places = [
        text.ljust(width) + (f" [{','.join(entry.notes)}]" if entry.notes else "")
        for text, entry in zip(numbers, entries)
    ]
    total = max([len(table.columns[number]), *map(len, places)])
    return [text.ljust(total) for text in (table.columns[number], *places)]


def _spread(entry: Entry) -> str:
    return (f" ± {entry.sd} ({entry.seeds})" if entry.sd else "") + (
        f" ({entry.place})" if entry.place else ""
    )


def _blocks(columns: list[list[str]], first: int) -> Iterator[list[list[str]]]:
    """Yield as many columns at a time as fit beside the names."""
    block: list[list[str]] = []
    used = first
    for column in columns:
        width = len(_GAP) + len(column[0])
        if block and used + width > WIDTH:
            yield block
            block, used = [], first
        block.append(column)
        used += width
    yield block


def _block(table: Comparison, columns: list[list[str]], first: int) -> list[str]:
    rule = "-" * min(WIDTH, first + sum(len(_GAP) + len(column[0]) for column in columns))
    lines = [_GAP.join(["method".ljust(first), *(column[0] for column in columns)])]
    for family, members in table.groups():
        lines += [rule, *([family] if family else [])]
        for line in members:
            place = table.lines.index(line) + 1
            head, *rest = _wrap_label(line.label, first - 4)
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


def to_markdown(table: Comparison) -> str:
    """Return the table as Markdown: the best bold, the second underlined."""

    def shown(entry: Entry) -> str:
        value = {0: "{}", 1: "**{}**", 2: "<u>{}</u>"}[entry.rank].format(entry.mean)
        value += (r"\~" if entry.tied else "") + _spread(entry)
        value = value if entry.mean else "–" if entry.mark == DASH else entry.mark
        return value + (f" <sup>{','.join(entry.notes)}</sup>" if entry.notes else "")

    lines = [
        "| method | " + " | ".join(map(_escape, table.columns)) + " |",
        "|---|" + "---:|" * len(table.columns),
    ]
    for family, members in table.groups():
        if family:
            lines.append(f"| *{_escape(family)}* |" + " |" * len(table.columns))
        lines += [
            "| " + " | ".join([_escape(line.label), *map(shown, line.entries)]) + " |"
            for line in members
        ]
    legend = "Best in bold, second underlined, trivial methods aside." if table.ranked else ""
    legend += " Mean ± standard deviation over seeds (their number)." if table.spread else ""
    legend += f" {TIED} {table.tied}." if table.tied else ""
    lines += ["", _escape(f"{table.caption} {legend}"), ""]
    lines += [f"- <sup>{letter}</sup> {_escape(text)}" for letter, text in table.footnotes]
    lines += [f"- {_escape(note)}" for note in table.notes]
    return "\n".join(lines).rstrip("\n") + "\n"


def _escape(text: str) -> str:
    """Return text that Markdown shows as it is, on one line."""
    return re.sub(r"([\\`*_{}\[\]<>|#~&])", r"\\\1", " ".join(text.split()))
