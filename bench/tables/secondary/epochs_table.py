"""The table of epochs: what is gained by reporting the epoch that is best on the test clips.

The numbers of that choice stand here and in no other table.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.contracts.metric import Metric
from bench.contracts.protocol import Protocol
from bench.evaluation.epoch_audit import EpochAudit, NoAudit, audit
from bench.evaluation.run_scores import RunScores
from bench.evaluation.summaries import Summary, shown_summaries
from bench.runs.folder import Run
from bench.runs.records import CellRecord
from bench.scoring.intervals import METRIC
from bench.scoring.protocols import sentence
from bench.scoring.resampling import RESAMPLES
from bench.tables.table import DASH, MARKS, NOTHING, Footnotes, Row, Table, TableCell

COLUMNS = ["last", "oracle", "its epoch", "lowest loss", "its epoch", "inflation", "95 %"]


def epoch_tables(
    run: Run, run_scores: RunScores, protocol: Protocol, metric: Metric
) -> list[Table]:
    """Return one table a dataset; a row for each method of which a cell kept the scores of its
    epochs.
    """
    if metric.name != METRIC:
        return []
    shown: dict[str, list[Summary]] = {}
    for summary in shown_summaries(run_scores, protocol, metric):
        kept = any(
            run.files_of(cell).epoch_scores.is_file()
            for members in _seeds(summary)
            for cell in members
        )
        if kept and summary.label_set:
            shown.setdefault(summary.dataset, []).append(summary)
    return [_table(run, run_scores, rows, protocol) for rows in shown.values()]


def _seeds(summary: Summary) -> list[tuple[CellRecord, ...]]:
    """Return the cells of each seed: one, or those of the scenes' own models."""
    return [one.members or (one.cell,) for one in summary.measurements]


def _table(
    run: Run, run_scores: RunScores, summaries: Sequence[Summary], protocol: Protocol
) -> Table:
    footnotes = Footnotes()
    rows = []
    for summary in summaries:
        try:
            found = audit(run, run_scores, _seeds(summary), summary.label_set, protocol)
            cells = _cells(found, footnotes)
        except NoAudit as error:
            cells = (footnotes.mark(MARKS.get(error.status, DASH), str(error)),) * len(COLUMNS)
        rows.append(Row(summary.row, summary.cell.family, summary.cell.year, cells))
    first = summaries[0]
    of_scenes = (
        " Where each scene has its own model, an epoch is that of all scenes' models, and its loss "
        "their mean."
        if any(len(members) > 1 for one in summaries for members in _seeds(one))
        else ""
    )
    caption = (
        f"Which epoch is reported, on {first.dataset_name}, labels {first.label_set}: frame-level "
        "AUC in percent of the last epoch, which all other tables show; of the epoch that is best "
        "on the test clips (oracle), which nobody can choose without their labels; and of the epoch "
        f"with the lowest training loss. Means over seeds.{of_scenes} Inflation: oracle less last, "
        f"in points; 95 %: the middle of {RESAMPLES} resamples of the clips, in each of which the "
        f"oracle chooses anew. Protocol {protocol.name}: {sentence(protocol)}."
    )
    return Table(COLUMNS, rows, caption, footnotes.listed(), [], names=run_scores.names)


def _cells(found: EpochAudit, footnotes: Footnotes) -> tuple[TableCell, ...]:
    interval = (
        TableCell(100 * found.low, "{:+.2f} to {:+.2f}", (100 * found.high,))
        if found.low is not None and found.high is not None
        else footnotes.mark(DASH, found.reason)
    )
    return (
        TableCell(100 * found.last),
        TableCell(100 * found.oracle),
        TableCell(mark=_epochs(found.oracle_epochs, found.epochs)),
        NOTHING if found.by_loss is None else TableCell(100 * found.by_loss),
        TableCell(mark=_epochs(found.loss_epochs, found.epochs)) if found.loss_epochs else NOTHING,
        TableCell(100 * found.inflation, "{:+.2f}"),
        interval,
    )


def _epochs(chosen: tuple[int, ...], epochs: int) -> str:
    """Return the epochs of the seeds, of how many."""
    return f"{', '.join(map(str, chosen))} of {epochs}"
