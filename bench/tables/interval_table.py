"""The table of intervals: what the clips say of each number, and of its distance to the best."""

from __future__ import annotations

from collections.abc import Sequence

from bench.contracts.metric import Metric
from bench.contracts.protocol import Protocol
from bench.evaluation.pairs import against_best, best_of, p_text, too_few
from bench.evaluation.results import Evidence, Summary, shown_summaries
from bench.runs.folder import Run
from bench.scoring.intervals import METRIC, RESAMPLES, Difference
from bench.scoring.protocols import sentence
from bench.tables.comparison import (
    DASH,
    TRIVIAL,
    Comparison,
    Entry,
    Footnotes,
    Line,
    interval_text,
    percent,
)

COLUMNS = ["AUC", "95 %", "to best", "95 % of it", "p"]


def intervals(run: Run, protocol: Protocol, metric: Metric, evidence: Evidence) -> list[Comparison]:
    """Return one table a dataset: each AUC with its interval over clips, and how far the best is
    ahead, on common frames of the two.
    """
    if metric.name != METRIC:
        return []
    summaries = [
        summary
        for summary in shown_summaries(run, protocol, metric, evidence)
        if summary.mean is not None
    ]
    return [
        _table(
            [summary for summary in summaries if summary.dataset == column],
            protocol,
            metric,
            evidence,
        )
        for column in dict.fromkeys(summary.dataset for summary in summaries)
    ]


def _table(
    summaries: Sequence[Summary], protocol: Protocol, metric: Metric, evidence: Evidence
) -> Comparison:
    contenders = [summary for summary in summaries if summary.cell.family != TRIVIAL]
    best = best_of(contenders, metric)
    differences = against_best(contenders, summaries, metric)
    footnotes = Footnotes()
    lines = []
    for summary in summaries:
        to_best = [Entry(mark="best"), Entry(mark=DASH), Entry(mark=DASH)]
        if summary is not best:
            to_best = _to_best(differences.get(summary.label), footnotes)
        entries = (_auc(summary), _interval(summary, footnotes), *to_best)
        lines.append(Line(summary.label, summary.cell.family, summary.cell.year, entries))
    first = summaries[0]
    record = evidence.dataset(first.cell)
    warning = "" if record is None else too_few(record, first.label_set)
    ahead = (
        f" To best: {best.label} less the row, in points, on the frames that both scored; p of the paired test over clips, each pair by "
        "itself, uncorrected for their number."
        if best is not None and differences
        else ""
    )
    caption = (
        f"Intervals on {first.dataset}, labels {first.label_set}: frame-level AUC in percent, and its 95 % interval over clips: what other "
        f"clips of the same kind would give ({RESAMPLES} resamples of the clips, standard error on the logit scale, t of K - 1 degrees "
        f"of freedom). The spread over seeds is no part of it.{ahead} Protocol {protocol.name}: {sentence(protocol)}."
    )
    return Comparison(
        COLUMNS,
        lines,
        caption,
        footnotes.listed(),
        [f"{first.dataset}: {warning}"] if warning else [],
    )


def _auc(summary: Summary) -> Entry:
    assert summary.mean is not None
    return Entry(
        percent(summary.mean), "" if summary.sd is None else percent(summary.sd), len(summary.rows)
    )


def _interval(summary: Summary, footnotes: Footnotes) -> Entry:
    found, ends = summary.interval, interval_text(summary)
    if ends is None:
        return Entry(
            mark=DASH, notes=(footnotes.letter(found.reason),) if found is not None else ()
        )
    redrawn = found.redrawn if found is not None else 0
    notes = (footnotes.letter(f"{redrawn} resamples of one class were redrawn"),) if redrawn else ()
    return Entry(f"{ends[0]} to {ends[1]}", notes=notes)


def _to_best(found: Difference | None, footnotes: Footnotes) -> list[Entry]:
    if found is None:
        return [Entry(mark=DASH)] * 3
    ahead = Entry(f"{found.value * 100:+.2f}")
    if found.p is None or found.low is None or found.high is None:
        return [ahead, Entry(mark=DASH, notes=(footnotes.letter(found.reason),)), Entry(mark=DASH)]
    return [
        ahead,
        Entry(f"{found.low * 100:+.2f} to {found.high * 100:+.2f}"),
        Entry(p_text(found.p)),
    ]
