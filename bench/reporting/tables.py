"""The tables of a run: results.csv, summary.csv, and the comparison as text, Markdown and LaTeX."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

from ..plugins.registry import Registry
from ..plugins.selection import select_one
from ..runs.files import write_text
from ..runs.folder import Run
from ..scoring.protocols import Protocol
from .comparison import TRIVIAL, Comparison, Entry, Line, compare
from .latex import to_latex
from .results import Evidence, evaluate_run, results_frame, summary_frame

WIDTH = 100
"""Columns of a terminal that text is wrapped to."""


def write_tables(run: Run, registry: Registry, protocols: Sequence[Protocol] | None = None, table_protocol: str = "median17") -> list[Path]:
    """Write every table of a run and return their paths. Equal scores give equal bytes.

    `protocols` are computed beside all named ones; the comparison is made under `table_protocol` (a selector) with `auc`.
    """
    chosen: Protocol = select_one("protocols", table_protocol, registry).parameters
    every = {protocol.name: protocol for protocol in [*registry.protocols.values(), *(protocols or ()), chosen]}
    evidence = Evidence(run)
    metrics = list(registry.metrics.values())
    rows = evaluate_run(run, every.values(), metrics, evidence)
    table = compare(run, chosen, registry.metrics["auc"], evidence)
    contents = {
        "results.csv": results_frame(run, every.values(), metrics, rows).to_csv(index=False, lineterminator="\n"),
        "summary.csv": summary_frame(rows).to_csv(index=False, lineterminator="\n"),
        "comparison.txt": to_text(table),
        "comparison.md": to_markdown(table),
        "comparison.tex": to_latex(table),
    }
    for name, content in contents.items():
        write_text(run.tables / name, content)
    return [run.tables / name for name in contents]


def comparison_text(run: Run, registry: Registry, protocol: str, metric: str = "auc") -> str:
    """Return the comparison as terminal text.

    Raises
    ------
    RequestError : no such protocol or metric.
    """
    from ..errors import RequestError
    from ..plugins.syntax import nearest

    if metric not in registry.metrics:
        near = nearest(metric, registry.metrics)
        raise RequestError(
            f"no metric {metric!r}" + (f" - did you mean {near!r}?" if near else "") + f" (there are {', '.join(registry.metrics)})"
        )
    return to_text(compare(run, select_one("protocols", protocol, registry).parameters, registry.metrics[metric])).rstrip("\n")


def _value(entry: Entry) -> str:
    if entry.mean is None:
        return entry.mark
    text = f"{entry.mean * 100:.2f}"
    return text + (f" ± {entry.sd * 100:.2f} ({entry.seeds})" if entry.sd is not None else "")


def to_text(table: Comparison) -> str:
    """Return the table as plain text: `*` the best, `+` the second of a column."""

    def shown(line: Line, entry: Entry) -> str:
        mark = "" if line.family == TRIVIAL else {1: "*", 2: "+"}.get(entry.rank, "")
        return _value(entry) + mark.ljust(1) + (f"[{','.join(entry.notes)}]" if entry.notes else "")

    columns = table.columns
    widths = [
        max([len(column), *(len(shown(line, line.entries[number])) for line in table.lines)]) for number, column in enumerate(columns)
    ]
    first = max([len("method"), *(len(line.label) + 2 for line in table.lines)])
    first = min(first, max(20, WIDTH - sum(width + 2 for width in widths)))
    rule = "-" * (first + sum(width + 2 for width in widths))
    lines = ["  ".join(["method".ljust(first), *(column.ljust(width) for column, width in zip(columns, widths))]).rstrip()]
    for family, members in table.groups():
        lines += [rule, family]
        for line in members:
            head, *rest = textwrap.wrap(line.label, first - 2, break_on_hyphens=False) or [""]
            cells = [shown(line, entry).ljust(width) for entry, width in zip(line.entries, widths)]
            lines.append("  ".join([("  " + head).ljust(first), *cells]).rstrip())
            lines += ["    " + more for more in rest]
    lines.append(rule)
    if any(entry.rank for line in table.lines for entry in line.entries):
        lines.append("* best, + second of a column, trivial methods aside")
    lines += textwrap.wrap(table.caption, WIDTH)
    for letter, text in table.footnotes:
        lines += textwrap.wrap(f"[{letter}] {text}", WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    for note in table.notes:
        lines += textwrap.wrap(f"note: {note}", WIDTH, subsequent_indent="    ", break_on_hyphens=False)
    return "\n".join(lines) + "\n"


def to_markdown(table: Comparison) -> str:
    """Return the table as Markdown: the best bold, the second underlined."""

    def shown(line: Line, entry: Entry) -> str:
        value = "–" if entry.mean is None and entry.mark == "-" else _value(entry)
        if line.family != TRIVIAL:
            value = {1: f"**{value}**", 2: f"<u>{value}</u>"}.get(entry.rank, value)
        return value + (f" <sup>{','.join(entry.notes)}</sup>" if entry.notes else "")

    lines = ["| method | " + " | ".join(_escape(column) for column in table.columns) + " |", "|---|" + "---:|" * len(table.columns)]
    for family, members in table.groups():
        lines.append(f"| *{_escape(family)}* |" + " |" * len(table.columns))
        lines += ["| " + " | ".join([_escape(line.label), *(shown(line, entry) for entry in line.entries)]) + " |" for line in members]
    lines += ["", _escape(table.caption), ""]
    lines += [f"- <sup>{letter}</sup> {_escape(text)}" for letter, text in table.footnotes]
    lines += [f"- {_escape(note)}" for note in table.notes]
    return "\n".join(lines).rstrip("\n") + "\n"


def _escape(text: str) -> str:
    """Return text that Markdown shows as it is, on one line."""
    return re.sub(r"([\\`*_{}\[\]<>|#~])", r"\\\1", " ".join(text.split()))
