"""The table of epochs: what is gained by reporting the epoch that is best on the test clips.

The numbers of that choice stand here and in no other table.
"""

from __future__ import annotations

from bench.contracts.metric import Metric
from bench.contracts.protocol import Protocol
from bench.evaluation.epoch_audit import EpochAudit, audit
from bench.evaluation.run_scores import RunScores
from bench.evaluation.summaries import Summary, shown_summaries
from bench.runs.folder import Run
from bench.scoring.intervals import METRIC
from bench.scoring.protocols import sentence
from bench.scoring.resampling import RESAMPLES
from bench.tables.table import DASH, NOTHING, Footnotes, Row, Table, TableCell

COLUMNS = ["last", "oracle", "its epoch", "lowest loss", "its epoch", "inflation", "95 %"]


def epoch_tables(
    run: Run, run_scores: RunScores, protocol: Protocol, metric: Metric
) -> list[Table]:
    """Return one table a dataset with a row that kept the scores of its epochs."""
    if metric.name != METRIC:
        return []
    shown: dict[str, list[tuple[Summary, EpochAudit]]] = {}
    for summary in shown_summaries(run_scores, protocol, metric):
        cells = [one.cell for one in summary.measurements if not one.cell.scene]
        found = audit(run, run_scores, cells, summary.label_set, protocol)
        if found is not None:
            shown.setdefault(summary.dataset, []).append((summary, found))
    return [_table(rows, run_scores, protocol) for rows in shown.values()]


def _table(
    audits: list[tuple[Summary, EpochAudit]], run_scores: RunScores, protocol: Protocol
) -> Table:
    footnotes = Footnotes()
    rows = [
        Row(summary.row, summary.cell.family, summary.cell.year, _cells(found, footnotes))
        for summary, found in audits
    ]
    first = audits[0][0]
    caption = (
        f"Which epoch is reported, on {first.dataset_name}, labels {first.label_set}: frame-level "
        "AUC in percent of the last epoch, which all other tables show; of the epoch that is best "
        "on the test clips (oracle), which nobody can choose without their labels; and of the epoch "
        "with the lowest training loss. Means over seeds. Inflation: oracle less last, in points; "
        f"95 %: the middle of {RESAMPLES} resamples of the clips, in each of which the oracle "
        f"chooses anew. Protocol {protocol.name}: {sentence(protocol)}."
    )
    return Table(COLUMNS, rows, caption, footnotes.listed(), [], names=run_scores.names)


def _cells(found: EpochAudit, footnotes: Footnotes) -> tuple[TableCell, ...]:
    interval = footnotes.mark(DASH, found.reason)
    if found.low is not None and found.high is not None:
        interval = TableCell(100 * found.low, "{:+.2f} to {:+.2f}", (100 * found.high,))
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
