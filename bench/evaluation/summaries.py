"""The seeds of a method on a dataset joined to one number, with its spread, its interval over clips
and what a reader must know of it.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from bench.contracts.metric import Metric
from bench.contracts.protocol import Protocol
from bench.evaluation.measurements import Measurement, explained, label_sets_of
from bench.evaluation.mixtures import mixtures
from bench.evaluation.run_scores import RunScores
from bench.plugins.display_names import plain
from bench.runs.records import CellRecord
from bench.runs.status import Status
from bench.scoring.intervals import METRIC, Interval, interval_of
from bench.scoring.resampling import ClipAuc
from bench.wording import counted, listed

MOST = 5
"""Clips that a flag names; cell.json has all."""
BARELY = 0.3
"""Of the variance of the training frames: a network that explains less is said to be barely
trained. Chosen here."""
BARELY_TRAINED = (
    f"barely trained: the network explains less than {BARELY:.0%} of the variance "
    "of training frames around their mean frame"
)


def share_text(share: float) -> str:
    """Return a share below 1 in percent, never as 0 % or 100 %."""
    return f"{min(max(share * 100, 0.1), 99.9):.3g} %"


@dataclass(frozen=True)
class Summary:
    """A method on a dataset: its seeds joined. `values` are those that exist, `mean` only where no
    seed failed.
    """

    row: str
    """The label of its cells: identifies the row."""
    dataset: str
    label_set: str
    protocol: str
    metric: str
    measurements: tuple[Measurement, ...]
    """One a seed."""

    @property
    def values(self) -> list[float]:
        """The numbers of the seeds that have one."""
        return [one.result.value for one in self.measurements if one.result.value is not None]

    @property
    def missing(self) -> list[Measurement]:
        """The seeds without a number."""
        return [one for one in self.measurements if one.result.value is None]

    @property
    def mean(self) -> float | None:
        """The mean over seeds; None with a seed missing: a mean over survivors would flatter."""
        return statistics.fmean(self.values) if self.values and not self.missing else None

    @property
    def sd(self) -> float | None:
        """The standard deviation over seeds (n - 1); None for fewer than two."""
        return (
            statistics.stdev(self.values)
            if self.mean is not None and len(self.values) > 1
            else None
        )

    @cached_property
    def interval(self) -> Interval | None:
        """The interval over clips of the mean over seeds; None without a mean, and for metrics
        other than `auc`.
        """
        if self.mean is None or self.metric != METRIC:
            return None
        return interval_of(self.clip_auc)

    @property
    def clip_auc(self) -> ClipAuc:
        """The AUC of the row as a function of its clips; made anew each time, since it is large."""
        return ClipAuc([one.clips for one in self.measurements], self.measurements[0].protocol)

    @property
    def ends(self) -> tuple[float, float] | None:
        """The ends of the interval over clips; None where there is none."""
        found = self.interval
        return (
            None
            if found is None or found.low is None or found.high is None
            else (found.low, found.high)
        )

    @property
    def name(self) -> str:
        """The display name of the row, as text."""
        return plain(self.cell.display_name) or self.row

    @property
    def dataset_name(self) -> str:
        """The display name of the dataset, as text."""
        return plain(self.cell.dataset_display_name) or self.dataset

    @property
    def cell(self) -> CellRecord:
        """The first seed's cell."""
        return self.measurements[0].cell

    def _left_out(self) -> list[str]:
        """Return which clips the number does not hold, of the seed that lacks most, and why as far
        as it is known.
        """
        most = max(self.measurements, key=lambda one: one.result.clips_left_out)
        if not most.result.clips_left_out:
            return []
        short = [clip.id for clip in most.clips if clip.id in most.cell.clips_left_out]
        empty = [clip.id for clip in most.clips if not len(clip.scores) and clip.id not in short]
        others = most.result.clips_left_out - len(short) - len(empty)
        reasons = (
            (len(short), f", shorter than the window: {listed(short, MOST)}"),
            (len(empty), f", without a score: {listed(empty, MOST)}"),
            (others, ", whose scored frames are of one class"),
        )
        return [f"{counted(number, 'clip')} left out{why}" for number, why in reasons if number]

    def _deviations(self) -> list[str]:
        """Return how the seeds depart from the method's paper; what not all of them do with the
        seed.
        """
        every = dict.fromkeys(text for one in self.measurements for text in one.cell.deviations)
        shared = [
            text for text in every if all(text in one.cell.deviations for one in self.measurements)
        ]
        own = [
            f"seed {one.cell.seed}: {text}"
            for one in self.measurements
            for text in one.cell.deviations
            if text not in shared
        ]
        return shared + own

    def flags(self) -> list[str]:
        """Return what a reader must know of this number."""
        cell = self.cell
        flags = [
            f"seed {one.cell.seed}: {one.cell.status}"
            for one in self.missing
            if one.cell.status != Status.DONE
        ]
        if cell.profile != "paper" and cell.follows_profile:
            flags.append(f"profile {cell.profile}")
        if len(self.measurements) == 1 and cell.uses_seed:
            flags.append("single seed")
        if (share := min(one.cell.data_share for one in self.measurements)) < 1:
            flags.append(f"{share_text(share)} of the data")
        if any(
            share is not None and share < BARELY
            for share in (explained(one.cell) for one in self.measurements)
        ):
            flags.append(BARELY_TRAINED)
        flags += self._left_out()
        mixed = mixtures(
            [
                member
                for one in self.measurements
                for member in one.members or (one.cell,)
                if member.status == Status.DONE
            ]
        )
        flags += [mixed] if mixed else []
        flags += self._deviations()
        flags += [
            f"seed {one.cell.seed}: {warning}"
            for one in self.measurements
            for warning in one.cell.warnings
        ]
        return list(dict.fromkeys(flags))


def summarise(measurements: Iterable[Measurement]) -> list[Summary]:
    """Join the seeds of each method, dataset, label set, protocol and metric, all scenes pooled, in
    their order.

    A seed that is not done stands in one label set alone; here it counts in each.
    """
    joined: dict[tuple[str, str, str, str], list[Measurement]] = {}
    for one in measurements:
        if not one.scene:
            joined.setdefault(
                (one.cell.label, one.cell.dataset, one.protocol.name, one.metric), []
            ).append(one)
    found = []
    for (label, dataset, protocol, metric), members in joined.items():
        done = [one.label_set for one in members if one.cell.status == Status.DONE]
        for label_set in dict.fromkeys(done or [one.label_set for one in members]):
            of_set = tuple(
                one
                for one in members
                if one.label_set == label_set or one.cell.status != Status.DONE
            )
            found.append(Summary(label, dataset, label_set, protocol, metric, of_set))
    return found


def least_shares(summaries: Iterable[Summary]) -> dict[str, float]:
    """Return the least share of the data behind a row of each dataset, by the dataset's name; only
    shares below 1.

    Rows that read no frame have the share of the test clips, others also that of what they train
    on: one figure stands for a dataset.
    """
    shares: dict[str, float] = {}
    for one in summaries:
        if one.cell.status != Status.NO_DATA:
            least = min(each.cell.data_share for each in one.measurements)
            shares[one.dataset_name] = min(shares.get(one.dataset_name, 1.0), least)
    return {name: share for name, share in shares.items() if share < 1}


def summaries_of(run_scores: RunScores, protocol: Protocol, metric: Metric) -> list[Summary]:
    """Return the summaries of a run under a protocol and metric, made once."""
    key = "summaries", protocol, metric.name
    if key not in run_scores.memo:
        run_scores.memo[key] = summarise(run_scores.measure([protocol], [metric], intervals=True))
    made: list[Summary] = run_scores.memo[key]
    for summary in made:
        known = (summary.row, summary.dataset, summary.label_set, protocol)
        if metric.name == METRIC and known in run_scores.intervals:
            vars(summary)["interval"] = run_scores.intervals[known]
    return made


def shown_summaries(run_scores: RunScores, protocol: Protocol, metric: Metric) -> list[Summary]:
    """Return the summaries that stand in a table: under the protocol's label set where the dataset
    has it, else under the default.
    """
    found = summaries_of(run_scores, protocol, metric)
    records = [run_scores.dataset(summary.cell) for summary in found]
    return [
        summary
        for summary, record in zip(found, records)
        if summary.label_set
        == ("" if record is None else "".join(label_sets_of(record, protocol)[:1]))
    ]
