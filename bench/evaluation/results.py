"""results.csv and summary.csv, as pandas frames, from a run's folder alone."""

from __future__ import annotations

import hashlib
import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.contracts.method import Scores
from bench.contracts.metric import Metric
from bench.contracts.protocol import Protocol
from bench.errors import RunError
from bench.evaluation.mixtures import mixtures
from bench.files.checksums import digest_of, digest_of_value
from bench.runs.folder import Run
from bench.runs.layout import KEPT
from bench.runs.records import CellRecord, DatasetRecord
from bench.scoring.evaluate import ClipScores, Result, evaluate, processed
from bench.scoring.intervals import METRIC, Interval, interval

if TYPE_CHECKING:
    import pandas as pd

RESULT_COLUMNS = (
    "method", "dataset", "scene", "seed", "label_set", "protocol", "metric", "value", "status", "reason", "frames",
    "anomalous_frames", "clips", "clips_left_out", "detector", "profile", "data_share", "device",
)  # fmt: skip
SUMMARY_COLUMNS = (
    "method", "dataset", "label_set", "protocol", "metric", "seeds", "seeds_failed", "mean", "sd", "min", "max", "ci_low",
    "ci_high", "ci_method", "chance", "published", "published_source", "flags",
)  # fmt: skip
DIGITS = 6
"""Of values in files: more than any use of them needs, and few enough to be the same on every
machine."""
BARELY = 0.3
"""Of the variance of the training frames: a network that explains less is said to be barely
trained. Chosen here."""
BARELY_TRAINED = f"barely trained: the network explains less than {BARELY:.0%} of the variance of training frames around their mean frame"


@dataclass(frozen=True)
class Row:
    """One number of one cell; `scene` is empty for all clips pooled."""

    cell: CellRecord
    scene: str
    label_set: str
    protocol: Protocol
    metric: str
    result: Result
    clips: tuple[ClipScores, ...] = field(default=(), repr=False, compare=False)
    """What the number was made from; empty where nothing was scored."""
    members: tuple[CellRecord, ...] = field(default=(), repr=False, compare=False)
    """The cells that `cell` stands for: itself, or the models of all scenes."""


@dataclass(frozen=True)
class Common:
    """The frames of each clip that every counted row scored; the rows that counted, and those with
    too few frames to count.
    """

    frames: dict[str, set[int]]
    rows: list[str]
    short: list[str]

    @property
    def number(self) -> int:
        """How many frames they are."""
        return sum(map(len, self.frames.values()))


def _check_frames(path: Path, scores: Mapping[str, Scores], dataset: DatasetRecord) -> None:
    """Raise RunError for scores of frames that their clip does not have."""
    for clip, length, _ in dataset.clips:
        if clip in scores and scores[clip].frames.size and scores[clip].frames[-1] >= length:
            raise RunError(
                f"{path}: clip {clip} has a score of frame {scores[clip].frames[-1]}, and {length} frames; --force repeats the cell"
            )


class Evidence:
    """The scores and labels of a run, read once."""

    def __init__(self, run: Run) -> None:
        self.cells = run.cells()
        self._run = run
        self._as_kept = [replace(cell) for cell in self.cells]
        self._datasets: dict[str, DatasetRecord] = {}
        self._scores: dict[str, dict[str, Scores]] = {}
        self._common: dict[str, Common] = {}
        self.rows: dict[tuple[Protocol, tuple[str, ...]], list[Row]] = {}
        """By protocol and metrics, as `evaluate_run` found them: most tables of a report begin with
        the same ones."""
        for cell in self.cells:
            if cell.status != "done":
                continue
            try:
                self._scores[cell.folder] = run.scores(cell)
                if cell.dataset_folder not in self._datasets:
                    self._datasets[cell.dataset_folder] = run.dataset(cell.dataset_folder)
                _check_frames(
                    run.files_of(cell).scores,
                    self._scores[cell.folder],
                    self._datasets[cell.dataset_folder],
                )
            except RunError as error:
                cell.status, cell.reason = "failed", str(error)

    def dataset(self, cell: CellRecord) -> DatasetRecord | None:
        """Return what the run keeps of the cell's dataset; None where nothing was prepared."""
        if cell.dataset_folder not in self._datasets:
            try:
                self._datasets[cell.dataset_folder] = self._run.dataset(cell.dataset_folder)
            except RunError:
                return None
        return self._datasets[cell.dataset_folder]

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of all that tables, figures and page are made from; where it differs, they
        are stale.
        """
        files = {
            f"{cell.folder}/{name}": digest_of(path)
            for cell in self._as_kept
            for name, path in self._run.files_of(cell).checked().items()
            if name != KEPT["weights"]
        }
        records = {cell.dataset_folder: self.dataset(cell) for cell in self._as_kept}
        datasets = {
            name: None if record is None else _digest_of_dataset(record)
            for name, record in records.items()
        }
        return digest_of_value([list(map(_told, self._as_kept)), files, datasets])

    def scored_frames(self, cell: CellRecord) -> int:
        """Return how many frames a cell that is done gave a score."""
        return sum(len(scores.frames) for scores in self._scores[cell.folder].values())

    def clips(
        self, cells: Sequence[CellRecord], label_set: str, protocol: Protocol
    ) -> list[ClipScores]:
        """Return scores beside labels of one cell, or of the scenes' cells that belong together, on
        the protocol's frames.
        """
        record = self._datasets[cells[0].dataset_folder]
        found = {
            clip: scores for cell in cells for clip, scores in self._scores[cell.folder].items()
        }
        labels = record.labels[label_set]
        clips = [
            ClipScores(clip, scene, found[clip].values, found[clip].frames, labels[clip])
            for clip, _, scene in record.clips
            if clip in found
        ]
        if protocol.frames == "own":
            return clips
        common = self.common_frames(record.name).frames
        kept = [np.isin(clip.frames, list(common[clip.id])) for clip in clips]
        return [
            replace(clip, scores=clip.scores[keep], frames=clip.frames[keep])
            for clip, keep in zip(clips, kept)
        ]

    def common_frames(self, dataset_folder: str) -> Common:
        """Return the frames that all rows of a dataset scored. A row counts that is done and scored
        at least half of the frames.
        """
        if dataset_folder in self._common:
            return self._common[dataset_folder]
        record = self._datasets[dataset_folder]
        total = sum(length for _, length, _ in record.clips)
        members: dict[tuple[str, int], list[CellRecord]] = {}
        for cell in self.cells:
            if cell.dataset_folder == dataset_folder:
                members.setdefault((cell.label, cell.seed), []).append(cell)
        frames: dict[str, set[int]] = {clip: set(range(length)) for clip, length, _ in record.clips}
        counted, short = [], []
        for (label, _), cells in members.items():
            if any(cell.status != "done" for cell in cells):
                continue
            found = {
                clip: scores.frames.tolist()
                for cell in cells
                for clip, scores in self._scores[cell.folder].items()
            }
            if 2 * sum(map(len, found.values())) < total:
                short.append(label)
                continue
            counted.append(label)
            for clip, common in frames.items():
                common.intersection_update(found.get(clip, ()))
        self._common[dataset_folder] = Common(
            frames, list(dict.fromkeys(counted)), list(dict.fromkeys(short))
        )
        return self._common[dataset_folder]


def _told(cell: CellRecord) -> dict[str, Any]:
    """Return the fields of a cell that say something, so that a field which only later versions
    have changes no digest.
    """
    return {name: value for name, value in asdict(cell).items() if value not in ("", None, [], {})}


def _digest_of_dataset(record: DatasetRecord) -> str:
    """Return the SHA-256 of what a run keeps of a dataset."""
    words = {
        name: value for name, value in vars(record).items() if name not in ("labels", "regions")
    }
    arrays = {
        f"{label_set}/{clip}": array
        for label_set, clips in record.labels.items()
        for clip, array in clips.items()
    }
    for clip, regions in record.regions.items():
        arrays |= {f"{clip} boxes": regions.boxes, f"{clip} frames": regions.frames}
    return digest_of_value(
        [
            words,
            {name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in arrays.items()},
        ]
    )


def _grouped(evidence: Evidence) -> Iterator[tuple[CellRecord, list[CellRecord]]]:
    """Yield each cell with itself; and after the last of the scenes' own models of a method and
    seed one that joins them.
    """
    scenes: dict[tuple[str, str, int], list[CellRecord]] = {}
    for cell in evidence.cells:
        if cell.scene:
            scenes.setdefault((cell.label, cell.dataset, cell.seed), []).append(cell)
    for cell in evidence.cells:
        yield cell, [cell]
        cells = scenes.get((cell.label, cell.dataset, cell.seed), [])
        if cell.scene and cell is cells[-1]:
            yield _joined(cells), cells


def _explained(cell: CellRecord) -> float | None:
    """Return what a trained network explains of the training frames (the column `explained` of
    training.csv); None where that is unknown.
    """
    found = cell.facts.get("explained")
    return found if isinstance(found, int | float) else None


def _joined(cells: Sequence[CellRecord]) -> CellRecord:
    """Return the record that stands for the models of all scenes: done where all are."""
    warnings = [f"scene {cell.scene}: {warning}" for cell in cells for warning in cell.warnings]
    explained = [share for cell in cells if (share := _explained(cell)) is not None]
    facts = cells[0].facts | ({"explained": min(explained)} if explained else {})
    bad = sorted(
        (cell for cell in cells if cell.status != "done"), key=lambda cell: cell.status != "failed"
    )
    if not bad:
        return replace(cells[0], scene="", warnings=warnings, facts=facts)
    reason = bad[0].reason or bad[0].status
    if len(bad) < len(cells) or len({cell.reason for cell in bad}) > 1:
        reason = f"scene {bad[0].scene}: {reason}"
    return replace(
        cells[0], scene="", warnings=warnings, facts=facts, status=bad[0].status, reason=reason
    )


def evaluate_run(
    run: Run,
    protocols: Iterable[Protocol],
    metrics: Sequence[Metric],
    evidence: Evidence | None = None,
) -> list[Row]:
    """Return every number of a run: one a cell, scene, label set, protocol and metric; those that
    do not exist with their reason.
    """
    evidence = evidence or Evidence(run)
    rows: list[Row] = []
    for protocol in protocols:
        key = (protocol, tuple(metric.name for metric in metrics))
        if key not in evidence.rows:
            evidence.rows[key] = _evaluate(evidence, protocol, metrics)
        rows += evidence.rows[key]
    return rows


def _evaluate(evidence: Evidence, protocol: Protocol, metrics: Sequence[Metric]) -> list[Row]:
    rows: list[Row] = []
    for cell, members in _grouped(evidence):
        record = evidence.dataset(cell)
        label_sets = () if record is None else label_sets_of(record, protocol)
        if cell.status != "done" or record is None or not label_sets:
            reason = (
                cell.reason or cell.status
                if cell.status != "done"
                else f"{cell.dataset} has no labels: there are scores, and no number"
            )
            nothing = Result(None, reason, 0, 0, 0, 0, None)
            of_cells = tuple(members)
            rows += [
                Row(
                    cell,
                    cell.scene,
                    "".join(label_sets[:1]),
                    protocol,
                    metric.name,
                    nothing,
                    (),
                    of_cells,
                )
                for metric in metrics
            ]
            continue
        for label_set in label_sets:
            clips = evidence.clips(members, label_set, protocol)
            parts = processed(clips, protocol)
            groups = [(cell.scene, clips, parts)]
            if record.has_scenes and not members[0].scene:
                groups += [
                    (
                        scene,
                        [clip for clip in clips if clip.scene == scene],
                        [part for part in parts if part.scene == scene],
                    )
                    for scene in sorted({clip.scene for clip in clips})
                ]
            for scene, chosen, of_scene in groups:
                rows += [
                    Row(
                        cell,
                        scene,
                        label_set,
                        protocol,
                        metric.name,
                        found,
                        tuple(chosen),
                        tuple(members),
                    )
                    for metric in metrics
                    for found in [evaluate(chosen, protocol, metric, of_scene)]
                ]
    return rows


def label_sets_of(record: DatasetRecord, protocol: Protocol) -> tuple[str, ...]:
    """Return the label sets to compute: all, the default first; or the one that the protocol names,
    the default where it is not there.
    """
    if protocol.labels == "default":
        return record.label_sets
    return (protocol.labels,) if protocol.labels in record.label_sets else record.label_sets[:1]


def shown_summaries(
    run: Run, protocol: Protocol, metric: Metric, evidence: Evidence
) -> list[Summary]:
    """Return the summaries that stand in a table: under the protocol's label set where the dataset
    has it, else under the default.
    """
    found = summarise(evaluate_run(run, [protocol], [metric], evidence))
    records = [evidence.dataset(summary.cell) for summary in found]
    return [
        summary
        for summary, record in zip(found, records)
        if summary.label_set
        == ("" if record is None else "".join(label_sets_of(record, protocol)[:1]))
    ]


def results_frame(
    run: Run,
    protocols: Iterable[Protocol],
    metrics: Sequence[Metric],
    rows: Sequence[Row] | None = None,
) -> pd.DataFrame:
    """Return results.csv: one line a cell, scene, label set, protocol and metric; fractions; what
    does not exist is empty.
    """
    import pandas as pd

    lines = []
    for row in evaluate_run(run, protocols, metrics) if rows is None else rows:
        cell, result = row.cell, row.result
        counts = result.clips or result.clips_left_out
        lines.append(
            {
                "method": cell.label,
                "dataset": cell.dataset,
                "scene": row.scene,
                "seed": cell.seed,
                "label_set": row.label_set,
                "protocol": row.protocol.name,
                "metric": row.metric,
                "value": rounded(result.value),
                "status": cell.status,
                "reason": " ".join(result.reason.split()),
                "frames": result.frames if counts else None,
                "anomalous_frames": result.anomalous_frames if counts else None,
                "clips": result.clips if counts else None,
                "clips_left_out": result.clips_left_out if counts else None,
                "detector": cell.detector,
                "profile": cell.profile,
                "data_share": cell.data_share,
                "device": cell.device,
            }
        )
    frame = pd.DataFrame(lines, columns=list(RESULT_COLUMNS))
    for name in ("frames", "anomalous_frames", "clips", "clips_left_out"):
        frame[name] = frame[name].astype("Int64")
    return frame


def share_text(share: float) -> str:
    """Return a share below 1 in percent, never as 0 % or 100 %."""
    return f"{min(max(share * 100, 0.1), 99.9):.3g} %"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: '1 clip', '2 clips'."""
    return f"{number} {noun}{'s' * (number != 1)}"


def _some(ids: Sequence[str]) -> str:
    """Return the first five of some ids; cell.json has all."""
    return ", ".join(ids[:5]) + " ..." * (len(ids) > 5)


def rounded(value: float | None) -> float | None:
    """Return a value as files keep it."""
    return None if value is None else round(value, DIGITS)


@dataclass(frozen=True)
class Summary:
    """A method on a dataset: its seeds joined. `values` are those that exist, `mean` only where no
    seed failed.
    """

    label: str
    dataset: str
    label_set: str
    protocol: str
    metric: str
    rows: tuple[Row, ...]

    @property
    def values(self) -> list[float]:
        """The numbers of the seeds that have one."""
        return [row.result.value for row in self.rows if row.result.value is not None]

    @property
    def missing(self) -> list[Row]:
        """The seeds without a number."""
        return [row for row in self.rows if row.result.value is None]

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
        return interval([row.clips for row in self.rows], self.rows[0].protocol)

    @property
    def cell(self) -> CellRecord:
        """The first seed's cell."""
        return self.rows[0].cell

    def _left_out(self) -> list[str]:
        """Return which clips the number does not hold, of the seed that lacks most, and why as far
        as it is known.
        """
        row = max(self.rows, key=lambda row: row.result.clips_left_out)
        short = [clip.id for clip in row.clips if clip.id in row.cell.clips_left_out]
        empty = [clip.id for clip in row.clips if not len(clip.scores) and clip.id not in short]
        others = row.result.clips_left_out - len(short) - len(empty)
        left_out = (
            [f"{counted(len(short), 'clip')} left out, shorter than the window: {_some(short)}"]
            if short
            else []
        )
        left_out += (
            [f"{counted(len(empty), 'clip')} left out, without a score: {_some(empty)}"]
            if empty
            else []
        )
        return left_out + (
            [f"{counted(others, 'clip')} left out, whose scored frames are of one class"]
            if others
            else []
        )

    def _deviations(self) -> list[str]:
        """Return how the seeds depart from the method's paper; what not all of them do with the
        seed.
        """
        every = dict.fromkeys(text for row in self.rows for text in row.cell.deviations)
        shared = [text for text in every if all(text in row.cell.deviations for row in self.rows)]
        own = [
            f"seed {row.cell.seed}: {text}"
            for row in self.rows
            for text in row.cell.deviations
            if text not in shared
        ]
        return shared + own

    def flags(self) -> list[str]:
        """Return what a reader must know of this number."""
        cell = self.cell
        flags = [
            f"seed {row.cell.seed}: {row.cell.status}"
            for row in self.missing
            if row.cell.status != "done"
        ]
        if cell.profile != "paper" and cell.uses_seed:
            flags.append(f"profile {cell.profile}")
        if len(self.rows) == 1 and cell.uses_seed:
            flags.append("single seed")
        if (share := min(row.cell.data_share for row in self.rows)) < 1:
            flags.append(f"{share_text(share)} of the data")
        if any(
            share is not None and share < BARELY
            for share in (_explained(row.cell) for row in self.rows)
        ):
            flags.append(BARELY_TRAINED)
        flags += self._left_out()
        mixed = mixtures(
            [
                member
                for row in self.rows
                for member in row.members or (row.cell,)
                if member.status == "done"
            ]
        )
        flags += [mixed] if mixed else []
        flags += self._deviations()
        flags += [
            f"seed {row.cell.seed}: {warning}" for row in self.rows for warning in row.cell.warnings
        ]
        return list(dict.fromkeys(flags))


def summarise(rows: Iterable[Row]) -> list[Summary]:
    """Join the seeds of each method, dataset, label set, protocol and metric, all scenes pooled, in
    the order of the rows.

    A seed that is not done stands in one label set alone in the rows; here it counts in each.
    """
    joined: dict[tuple[str, str, str, str], list[Row]] = {}
    for row in rows:
        if not row.scene:
            joined.setdefault(
                (row.cell.label, row.cell.dataset, row.protocol.name, row.metric), []
            ).append(row)
    found = []
    for (label, dataset, protocol, metric), members in joined.items():
        done = [row.label_set for row in members if row.cell.status == "done"]
        for label_set in dict.fromkeys(done or [row.label_set for row in members]):
            of_set = tuple(
                row for row in members if row.label_set == label_set or row.cell.status != "done"
            )
            found.append(Summary(label, dataset, label_set, protocol, metric, of_set))
    return found


def summary_frame(rows: Iterable[Row]) -> pd.DataFrame:
    """Return summary.csv: one line a method, dataset, label set, protocol and metric.

    The columns of the interval (over clips, of the mean over seeds) are empty for metrics other
    than `auc`.
    """
    import pandas as pd

    lines = []
    for summary in summarise(rows):
        values = summary.values if summary.mean is not None else []
        over_clips = summary.interval
        chance = next(
            (row.result.chance for row in summary.rows if row.result.chance is not None), None
        )
        published = summary.cell.published if summary.metric == "auc" else {}
        lines.append(
            {
                "method": summary.label,
                "dataset": summary.dataset,
                "label_set": summary.label_set,
                "protocol": summary.protocol,
                "metric": summary.metric,
                "seeds": len(summary.rows),
                "seeds_failed": len(summary.missing),
                "mean": rounded(summary.mean),
                "sd": rounded(summary.sd),
                "min": rounded(min(values, default=None)),
                "max": rounded(max(values, default=None)),
                "ci_low": rounded(over_clips.low) if over_clips else None,
                "ci_high": rounded(over_clips.high) if over_clips else None,
                "ci_method": over_clips.method if over_clips else None,
                "chance": rounded(chance),
                "published": _fraction(published.get("auc", "")),
                "published_source": published.get("source", ""),
                "flags": "; ".join(summary.flags()),
            }
        )
    return pd.DataFrame(lines, columns=list(SUMMARY_COLUMNS))


def _fraction(percent: str) -> float | None:
    """Return a published percentage as a fraction; None where nothing, or no number, is printed."""
    try:
        value = float(percent)
    except ValueError:
        return None
    return round(value / 100, DIGITS) if math.isfinite(value) else None
