"""The table of ranks: what the clips of a dataset resolve of the order of its rows."""

from __future__ import annotations

from collections.abc import Sequence

from bench.contracts.metric import Metric
from bench.contracts.protocol import Protocol
from bench.evaluation.columns import detectable_difference, in_order, ranking
from bench.evaluation.row_names import RowNames
from bench.evaluation.run_scores import RunScores
from bench.evaluation.summaries import Summary, shown_summaries
from bench.scoring.protocols import sentence
from bench.scoring.ranks import Ranking
from bench.scoring.resampling import RESAMPLES
from bench.tables.table import NOTHING, TRIVIAL, Footnotes, Row, Table, TableCell, cell_of, p_cell
from bench.wording import counted

COLUMNS = ["AUC", "rank", "95 %", "first/%", "groups", "p to best", "corrected"]


def rank_tables(run_scores: RunScores, protocol: Protocol, metric: Metric) -> list[Table]:
    """Return one table a dataset with at least two rows that have an AUC, trivial ones aside: the
    best first, each with its rank and what the clips know of it.
    """
    shown = contenders_of(shown_summaries(run_scores, protocol, metric))
    found = ((of_column, ranking(run_scores, of_column, metric)) for of_column in shown.values())
    return [
        _table(in_order(of_column, metric), known, protocol, run_scores.names)
        for of_column, known in found
        if known is not None
    ]


def contenders_of(summaries: Sequence[Summary]) -> dict[str, list[Summary]]:
    """Return the rows of each dataset that have a number, trivial ones aside."""
    found: dict[str, list[Summary]] = {}
    for one in summaries:
        if one.mean is not None and one.cell.family != TRIVIAL:
            found.setdefault(one.dataset, []).append(one)
    return found


def resolution(dataset: str, found: Ranking) -> str:
    """Return in a sentence what the clips resolve of a ranking."""
    clips = max((one.clips for one in found.tests.values()), default=0)
    if not clips:
        return f"{dataset}: the order of the rows cannot be tested"
    apart = [found.separated(*pair) for pair in found.neighbours]
    smallest = detectable_difference(found)
    power = (
        ""
        if smallest is None
        else f"; with {counted(clips, 'clip')}, a true difference of {100 * smallest:.1f} points "
        "(median over the pairs) would be found in 80 of 100 test sets"
    )
    return (
        f"{dataset}: {apart.count(False)} of {counted(len(apart), 'neighbour')} in the ranking, and "
        f"{sum(not found.separated(*pair) for pair in found.tests)} of "
        f"{counted(len(found.tests), 'pair')} of rows, are not separated (paired tests over clips, "
        f"Benjamini-Hochberg among all pairs){power}"
    )


def _table(rows: Sequence[Summary], found: Ranking, protocol: Protocol, names: RowNames) -> Table:
    footnotes = Footnotes()
    shown = []
    best = rows[0].row
    for place, summary in enumerate(rows, 1):
        known, test = found.ranks[summary.row], found.tests.get((best, summary.row))
        notes: tuple[str, ...] = ()
        if len(summary.measurements) == 1 and summary.cell.uses_seed:
            notes = (footnotes.letter("single seed: another training may change its rank"),)
        to_best = [TableCell(mark="best") if place == 1 else NOTHING, NOTHING]
        if test is not None and test.p is not None:
            to_best = [p_cell(test.p), p_cell(found.adjusted[best, summary.row])]
        cells = (
            cell_of(summary, notes=notes),
            TableCell(place, "{:.0f}"),
            TableCell(known.low, "{:.0f} to {:.0f}", (known.high,)),
            NOTHING if known.first is None else TableCell(100 * known.first, "{:.0f}"),
            TableCell(mark=known.groups),
            *to_best,
        )
        shown.append(Row(summary.row, "", summary.cell.year, cells))
    first = rows[0]
    return Table(
        COLUMNS,
        shown,
        f"What the clips resolve of the order on {first.dataset_name}, labels {first.label_set}, trivial "
        "methods aside. Frame-level AUC in percent. 95 %: the interval of the rank, which holds the "
        "true rank of a row, by itself, in 95 of 100 test sets (paired tests against all other "
        "rows, at the level of their smallest p-value). First: in how many percent of "
        f"{RESAMPLES} resamples of the clips the row has the highest AUC. p to best: of the paired "
        "test, by itself; corrected: after Benjamini and Hochberg among all pairs of rows, so that "
        "of the pairs below 0.05 one in twenty is expected to be false. Groups: rows that have a "
        "letter in common are not separated after this correction. Clips are drawn anew, and so is "
        f"the mean over seeds of rows that have several. Protocol {protocol.name}: "
        f"{sentence(protocol)}.",
        footnotes.listed(),
        [resolution(first.dataset_name, found)],
        names=names,
    )
