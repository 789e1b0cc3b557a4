"""The comparison once more, each row under the protocol of its paper: what may stand beside a
published number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bench.contracts.metric import Metric
from bench.contracts.protocol import Protocol
from bench.errors import RequestError
from bench.evaluation.in_short import short_caption
from bench.evaluation.published_numbers import number_of
from bench.evaluation.run_scores import RunScores
from bench.evaluation.summaries import shown_summaries
from bench.plugins.registry import Registry
from bench.plugins.selection import select_one
from bench.runs.records import CellRecord
from bench.scoring.protocols import sentence
from bench.tables.comparison import (
    caption_of,
    cell_of_summary,
    differences_across,
    said_in_caption,
)
from bench.tables.table import NOTHING, Footnotes, Row, Table

COLUMN = "protocol"
"""The heading of the last column."""
UNKNOWN = "the protocol of its paper is not known: that of the comparison"


def under_paper_protocols(
    run_scores: RunScores,
    registry: Registry,
    comparison: Table,
    protocol: Protocol,
    metric: Metric,
) -> Table:
    """Return the rows and columns of a comparison with the numbers that each row has under the
    protocol of its paper, and in a last column which that is.

    Rows are measured differently, so none is marked as the best. Footnotes begin with those of the
    comparison.

    Parameters
    ----------
    protocol : of the comparison; taken for a row whose paper's is not known, with a footnote where
        the paper prints a number.
    """
    cells: dict[str, list[CellRecord]] = {}
    for cell in run_scores.cells:
        cells.setdefault(cell.label, []).append(cell)
    footnotes, brief = Footnotes(comparison.footnotes), dict(comparison.brief)
    chosen, unknown = {}, {}
    for row in comparison.rows:
        chosen[row.name], unknown[row.name] = _protocol_of(cells[row.name], protocol, registry)
    found = {
        (one.row, one.dataset): one
        for used in dict.fromkeys(chosen.values())
        for one in shown_summaries(run_scores, used, metric)
        if chosen.get(one.row) == used
    }
    summaries = list(found.values())
    # A share of the data stands in the notes of the comparison, and here at its numbers.
    said = {flag for flag in said_in_caption(summaries) if not flag.endswith(" of the data")}
    across = differences_across(summaries)
    rows = []
    for row in comparison.rows:
        numbers = [
            cell_of_summary(
                found.get((row.name, column)), said, across.get(row.name, ""), footnotes, brief
            )
            for column in comparison.columns
        ]
        used = NOTHING
        if any(number.value is not None for number in numbers):
            reasons = [unknown[row.name]] if unknown[row.name] else []
            brief |= {reason: reason for reason in reasons}
            used = footnotes.mark(chosen[row.name].name, *reasons)
        rows.append(replace(row, cells=(*numbers, used)))
    return Table(
        [*comparison.columns, COLUMN],
        rows,
        caption_of(
            summaries,
            metric,
            "Each row under the protocol of its paper, where that is known, else under "
            f"{protocol.name}",
            said,
        ),
        footnotes.listed(),
        [f"{used.name}: {sentence(used)}" for used in _used(rows, chosen)],
        names=comparison.names,
        short=short_caption(
            summaries, metric, "each row under the protocol of its paper, where that is known"
        ),
        brief=brief,
    )


def _protocol_of(
    cells: Sequence[CellRecord], default: Protocol, registry: Registry
) -> tuple[Protocol, str]:
    """Return the protocol of the paper of a row, or the default and what is to be said of that."""
    text = next((cell.paper_protocol for cell in cells if cell.paper_protocol), "")
    if text:
        try:
            return select_one("protocols", text, registry).parameters, ""
        except RequestError:  # of a plugin that is not loaded
            return default, f"{UNKNOWN}; {text} is no protocol that is known here"
    printed = any(cell.published or number_of(cell.method, cell.dataset) for cell in cells)
    return default, UNKNOWN if printed else ""


def _used(rows: Sequence[Row], chosen: dict[str, Protocol]) -> list[Protocol]:
    """Return the protocols that numbers stand under, each once."""
    return list(dict.fromkeys(chosen[row.name] for row in rows if row.cells[-1] != NOTHING))
