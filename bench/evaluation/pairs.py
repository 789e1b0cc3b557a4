"""Two rows set against one another over the clips that they share, and whether there are enough
clips for that.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.contracts.metric import Metric
from bench.contracts.protocol import Protocol
from bench.errors import RequestError
from bench.evaluation.columns import MOST as MOST_ROWS
from bench.evaluation.columns import column_of, in_order
from bench.evaluation.data_frames import rounded
from bench.evaluation.run_scores import RunScores
from bench.evaluation.summaries import Summary, shown_summaries
from bench.runs.folder import Run
from bench.runs.records import DatasetRecord
from bench.scoring.intervals import METRIC, Column, Difference
from bench.scoring.power import MOST, clips_needed, detectable
from bench.scoring.protocols import sentence
from bench.scoring.resampling import RESAMPLES
from bench.wording import counted, did_you_mean, wrapped

FEW_CLIPS = 15
"""Clips with frames of a class, below which a table carries a warning. Chosen here: between Ped2 (8
of its 12 test clips have normal frames), where the plain bootstrap covers less than 90 %, and
Avenue (19 of 21, or 21), where it nearly holds."""


def against(first: Summary, second: Summary) -> Difference | None:
    """Return how two rows differ on the frames that all of their seeds scored; None without two
    numbers, and for metrics but `auc`.
    """
    if first.mean is None or second.mean is None or first.metric != METRIC:
        return None
    rows = {first.row: first.clip_auc, second.row: second.clip_auc}
    return Column(rows).difference(first.row, second.row)


def too_few(record: DatasetRecord, label_set: str) -> str:
    """Return what of a dataset's test split cannot carry a close ranking, in words; empty where
    there are FEW_CLIPS of each class.
    """
    labels = [record.labels[label_set][clip] for clip, _, _ in record.clips]
    having = {
        name: sum(bool((of_clip == kind).any()) for of_clip in labels)
        for kind, name in ((0, "normal"), (1, "anomalous"))
    }
    if not labels or min(having.values()) >= FEW_CLIPS:
        return ""
    rarer = min(having, key=lambda name: having[name])
    frames = sum(int((of_clip == (rarer == "anomalous")).sum()) for of_clip in labels)
    single = 2 * len(labels) - sum(having.values())
    return (
        f"{counted(len(labels), 'test clip')}, {single} of one class, and "
        f"{counted(frames, f'{rarer} frame')}, in "
        f"{counted(having[rarer], 'clip')}: the data cannot carry "
        f"close rankings (rule, chosen here: fewer than {FEW_CLIPS} clips with frames of a class)"
    )


@dataclass(frozen=True)
class Pair:
    """Two rows on one dataset."""

    first: Summary
    second: Summary
    difference: Difference
    warning: str

    def conclusion(self) -> str:
        """Return in a sentence what follows."""
        found = self.difference
        first, second = self.first.name, self.second.name
        if found.p is None or found.low is None or found.high is None:
            return f"There is no test: {found.reason}."
        if found.distinguishable:
            better, worse = (first, second) if found.value > 0 else (second, first)
            return (
                f"{better} is better than {worse} over clips like these: if the two were equal, "
                "test sets of this size would show such a "
                f"difference in {_chance(found.p)} of 100 cases."
            )
        return (
            f"These clips cannot tell {first} and {second} apart: the true difference may be "
            f"anything from {_points(found.low)} to "
            f"{_points(found.high)} points. {self._needed()}"
        )

    def _needed(self) -> str:
        """Return how many clips would separate the two, in a sentence."""
        needed = clips_needed(self.difference)
        if needed is not None:
            return (
                "If it is the measured one, "
                f"{needed} clips like these would show it "
                "in 80 of 100 cases."
            )
        if any(one is not None for one in self.difference.over_seeds):
            return "If it is the measured one, more clips alone would not show it at these seeds."
        return f"If it is the measured one, even {MOST} clips like these would hardly show it."

    def remarks(self) -> list[str]:
        """Return what must be said beside it."""
        single = [
            summary.name
            for summary in (self.first, self.second)
            if len(summary.measurements) == 1 and summary.cell.uses_seed
        ]
        remarks = [f"{self.first.dataset_name}: {self.warning}"] if self.warning else []
        if single:
            remarks.append(
                f"one seed alone of {' and '.join(single)}: another training may differ, and the "
                "interval over clips does not hold that"
            )
        return remarks

    def facts(self) -> dict[str, Any]:
        """Return everything as JSON takes it; fractions."""
        found = self.difference
        return {
            "dataset": self.first.dataset,
            "label_set": self.first.label_set,
            "protocol": self.first.protocol,
            "metric": METRIC,
            "methods": [
                {
                    "method": summary.row,
                    "seeds": sorted(one.cell.seed for one in summary.measurements),
                    "mean": rounded(summary.mean),
                    "sd": rounded(summary.sd),
                    "ci_low": rounded(summary.interval.low) if summary.interval else None,
                    "ci_high": rounded(summary.interval.high) if summary.interval else None,
                    "common_frames": rounded(value),
                }
                for summary, value in ((self.first, found.first), (self.second, found.second))
            ],
            "difference": rounded(found.value),
            "ci_low": rounded(found.low),
            "ci_high": rounded(found.high),
            "p": rounded(found.p),
            "reason": found.reason,
            "frames": found.frames,
            "normal_frames": found.normal_frames,
            "clips": found.clips,
            "resamples": RESAMPLES if found.p is not None else 0,
            "redrawn": found.redrawn,
            "detectable": rounded(detectable(found)),
            "clips_needed": clips_needed(found),
            "conclusion": self.conclusion(),
            "remarks": self.remarks(),
        }

    def text(self) -> str:
        """Return it for a terminal, as wide as that is; percent and points."""
        found = self.difference
        protocol = self.first.measurements[0].protocol
        width = max(len(self.first.name), len(self.second.name), len("difference"))
        lines = [
            f"{self.first.dataset_name}, labels {self.first.label_set}. Protocol {protocol.name}: "
            f"{sentence(protocol)}."
        ]
        for summary, value in ((self.first, found.first), (self.second, found.second)):
            own = f"on its own frames {(summary.mean or 0.0) * 100:.2f}"
            if (
                summary.interval is not None
                and summary.interval.low is not None
                and summary.interval.high is not None
            ):
                own += (
                    f", 95 % over clips {summary.interval.low * 100:.2f} to "
                    f"{summary.interval.high * 100:.2f}"
                )
            seeds = sorted(one.cell.seed for one in summary.measurements)
            if summary.cell.uses_seed:
                own += f"; seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
            if summary.sd is not None:
                own += f", sd over seeds {summary.sd * 100:.2f}"
            lines.append(f"  {summary.name.ljust(width)}  {value * 100:6.2f}   {own}")
        if found.p is not None and found.low is not None and found.high is not None:
            over_seeds = " and seeds" if any(found.over_seeds) else ""
            lines.append(
                f"  {'difference'.ljust(width)}  {_points(found.value):>6}   95 % over clips"
                f"{over_seeds} {_points(found.low)} to {_points(found.high)}, p {p_text(found.p)}"
            )
            if (smallest := detectable(found)) is not None:
                lines.append(
                    f"  {'detectable'.ljust(width)}  {100 * smallest:6.2f}   a true difference of "
                    "so many points would be found in 80 of 100 cases"
                )
            resamples = f"; {RESAMPLES} resamples of the clips, {found.redrawn} redrawn"
        else:
            lines.append(f"  {'difference'.ljust(width)}  {_points(found.value):>6}")
            resamples = ""
        clips = counted(found.clips, "clip")
        lines.append(
            f"  on the {found.frames} frames ({found.normal_frames} normal) of {clips} that both "
            f"scored{resamples}"
        )
        beside = " " * (width + 13)
        values = [wrapped(line, "", beside) for line in lines[1:-1]]
        remarks = [wrapped(f"warning: {remark}", "", " " * 9) for remark in self.remarks()]
        said = [wrapped(lines[0]), *values, wrapped(lines[-1], "", "  ")]
        return "\n".join([*said, "", wrapped(self.conclusion()), *remarks])


def pairs(
    run: Run, labels: tuple[str, str], datasets: Sequence[str], protocol: Protocol, metric: Metric
) -> tuple[list[Pair], list[str]]:
    """Return two rows of a run against one another, on each dataset that both are planned for; and
    why there is no pair elsewhere.

    Parameters
    ----------
    labels : rows, by label or display name.
    datasets : only these, by label or display name; empty for all.

    Raises
    ------
    RequestError : a label or dataset that the run does not have, or a row against itself.
    """
    run_scores = RunScores(run)
    labels = (run_scores.names.label_of(labels[0]), run_scores.names.label_of(labels[1]))
    datasets = [run_scores.names.label_of(name) for name in datasets]
    known = {
        "row": dict.fromkeys(cell.label for cell in run_scores.cells),
        "dataset": dict.fromkeys(cell.dataset for cell in run_scores.cells),
    }
    asked = [
        *(("row", label) for label in dict.fromkeys(labels)),
        *(("dataset", name) for name in datasets),
    ]
    mistakes = [
        _unknown(run, kind, name, known[kind]) for kind, name in asked if name not in known[kind]
    ]
    if labels[0] == labels[1]:
        mistakes.append(f"{labels[0]!r} twice: two different rows are compared")
    if mistakes:
        raise RequestError(*mistakes)
    found = {
        (summary.row, summary.dataset): summary
        for summary in shown_summaries(run_scores, protocol, metric)
    }
    made, missing = [], []
    for dataset in datasets or known["dataset"]:
        rows = [found.get((label, dataset)) for label in labels]
        without = [
            f"{dataset}: {label} has no number: "
            f"{'not part of this run' if summary is None else summary.missing[0].result.reason}"
            for label, summary in zip(labels, rows)
            if summary is None or summary.mean is None
        ]
        missing += without
        first, second = rows
        if without or first is None or second is None:
            continue
        apart, record = against(first, second), run_scores.dataset(first.cell)
        if apart is None or record is None:
            missing.append(
                f"{dataset}: {labels[0]} and {labels[1]} have no frames of both classes in common"
            )
        else:
            made.append(Pair(first, second, apart, too_few(record, first.label_set)))
    return made, missing


def every_pair(
    run_scores: RunScores, dataset: str, protocol: Protocol, metric: Metric
) -> list[Pair] | None:
    """Return every two rows of a dataset that have frames of both classes in common, the better one
    first; None for metrics but `auc`, and for more than `MOST_ROWS` rows.
    """
    shown = shown_summaries(run_scores, protocol, metric)
    rows = in_order([summary for summary in shown if summary.dataset == dataset], metric)
    column = column_of(run_scores, dataset, protocol, metric)
    if column is None or len(rows) > MOST_ROWS:
        return None
    record = run_scores.dataset(rows[0].cell) if rows else None
    if record is None:
        return []
    warning = too_few(record, rows[0].label_set)
    return [
        Pair(first, second, found, warning)
        for first, second in itertools.combinations(rows, 2)
        if (found := column.difference(first.row, second.row)) is not None
    ]


def _unknown(run: Run, kind: str, name: str, known: Mapping[str, None]) -> str:
    return (
        f"no {kind} {name!r} in {run.path}{did_you_mean(name, known)} (its {kind}s: "
        f"{', '.join(known)})"
    )


def p_text(p: float) -> str:
    """Return a p-value with three digits after the point."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _points(value: float) -> str:
    return f"{value * 100:+.2f}"


def _chance(p: float) -> str:
    return "fewer than 0.1" if p < 0.001 else f"{p * 100:.1f}"
