"""The comparison: which rows, numbers, marks, notes and words stand in the table, before it has any
form.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.contracts.metric import Metric
from bench.contracts.protocol import Protocol
from bench.evaluation.mixtures import mixtures_across
from bench.evaluation.pairs import against_best, best_of, too_few
from bench.evaluation.results import (
    Evidence,
    Summary,
    counted,
    evaluate_run,
    share_text,
    shown_summaries,
    summarise,
)
from bench.runs.folder import Run
from bench.runs.records import CellRecord, DatasetRecord
from bench.scoring.evaluate import evaluate, turned_round
from bench.scoring.protocols import sentence

FAMILIES = (
    "reference",
    "non-deep",
    "reconstruction",
    "sparse coding",
    "pseudo-anomaly",
    "distinction learning",
)
"""Order of the headings; families that are not here come after them, and trivial ones last of
all."""
TRIVIAL = "trivial"
DASH = "-"
MARKS = {"failed": "failed", "interrupted": "interrupted", "running": "running", "queued": "queued"}
"""What stands in the place of a number, by status; a dash for all others."""
TIED = "not distinguishable from the best of its column: p at least 0.05 in a paired test over clips, each pair by itself"
METRICS = {
    "auc": "Frame-level AUC",
    "ap": "Frame-level average precision",
    "eer": "Frame-level equal error rate",
}


@dataclass(frozen=True)
class Entry:
    """One place of the table: a number in percent with its spread, or a mark; and the letters of
    its footnotes.
    """

    mean: str = ""
    sd: str = ""
    """Empty for a single seed."""
    seeds: int = 1
    mark: str = ""
    """In the place of the number."""
    notes: tuple[str, ...] = ()
    rank: int = 0
    """1 for the best of its column, 2 for the second; 0 otherwise."""
    place: int = 0
    """In the order of its column, where the table is about order; 0 otherwise."""
    tied: bool = False
    """Not distinguishable from the best of its column by a test over clips."""
    low: str = ""
    """The ends of the 95 % interval over clips, in percent; empty where there is none."""
    high: str = ""


@dataclass(frozen=True)
class Line:
    """One row of the table."""

    label: str
    family: str
    year: int | None
    entries: tuple[Entry, ...]
    citation: str = ""
    """Key of the BibTeX entry; empty where there is none."""


@dataclass(frozen=True)
class Comparison:
    """The whole table, free of any form."""

    columns: list[str]
    lines: list[Line]
    caption: str
    """Full sentences."""
    footnotes: list[tuple[str, str]]
    """(letter, text)."""
    notes: list[str]
    tied: str = ""
    """What the mark of `Entry.tied` means; empty where there is none."""

    @property
    def ranked(self) -> bool:
        """Whether any number is marked as the best."""
        return any(entry.rank for line in self.lines for entry in line.entries)

    @property
    def spread(self) -> bool:
        """Whether any number has a standard deviation."""
        return any(entry.sd for line in self.lines for entry in line.entries)

    def groups(self) -> list[tuple[str, list[Line]]]:
        """Return the lines by family, in the order of the headings; trivial ones last."""
        names = list(dict.fromkeys(line.family for line in self.lines))
        names.sort(
            key=lambda name: (
                name == TRIVIAL,
                FAMILIES.index(name) if name in FAMILIES else len(FAMILIES),
            )
        )
        return [
            (
                name or ("other" if len(names) > 1 else ""),
                [line for line in self.lines if line.family == name],
            )
            for name in names
        ]


class Footnotes:
    """Gives each distinct text a letter, in the order of appearance; `known` are those that a table
    has already.
    """

    def __init__(self, known: Iterable[tuple[str, str]] = ()) -> None:
        self.letters = {text: letter for letter, text in known}

    def letter(self, text: str) -> str:
        """Return the letter of a text, a new one where it is new."""
        text = " ".join(text.split())
        number = len(self.letters)
        return self.letters.setdefault(text, chr(97 + number % 26) * (number // 26 + 1))

    def listed(self) -> list[tuple[str, str]]:
        """Return (letter, text) of each."""
        return [(letter, text) for text, letter in self.letters.items()]


def compare(
    run: Run, protocol: Protocol, metric: Metric, evidence: Evidence | None = None
) -> Comparison:
    """Return the comparison of a run under one protocol and metric."""
    evidence = evidence or Evidence(run)
    summaries = shown_summaries(run, protocol, metric, evidence)
    columns = list(dict.fromkeys(summary.dataset for summary in summaries))
    notes = []
    if protocol.normalise == "clip" and any(
        summary.cell.method == "frame-index" for summary in summaries
    ):
        kept = [summary for summary in summaries if summary.cell.method != "clip-position"]
        if len(kept) < len(summaries):
            notes.append(
                "clip-position is left out: after min-max in each clip it is the frame-index"
            )
        summaries = kept
    found = {(summary.label, summary.dataset): summary for summary in summaries}
    ranks = _ranks(summaries, metric)
    contenders = {
        column: [one for one in summaries if one.dataset == column and one.cell.family != TRIVIAL]
        for column in columns
    }
    tied = {
        (label, column)
        for column in columns
        for label, found_difference in against_best(
            contenders[column], contenders[column], metric
        ).items()
        if found_difference.p is not None and not found_difference.distinguishable
    }
    said = _said_in_caption(summaries)
    across = {label: mixtures_across(cells) for label, cells in _cells_of_rows(summaries).items()}
    footnotes = Footnotes()
    lines: dict[str, Line] = {}
    for family in dict.fromkeys(summary.cell.family for summary in summaries):
        for summary in summaries:
            if summary.cell.family == family and summary.label not in lines:
                entries = tuple(
                    _entry(
                        found.get((summary.label, column)),
                        ranks,
                        tied,
                        said,
                        across[summary.label],
                        footnotes,
                    )
                    for column in columns
                )
                lines[summary.label] = Line(
                    summary.label, family, summary.cell.year, entries, _citation(summary)
                )
    caption = _caption(summaries, protocol, metric, said)
    notes += _notes(run, evidence, summaries, protocol, metric)
    return Comparison(
        columns, list(lines.values()), caption, footnotes.listed(), notes, TIED if tied else ""
    )


def _cells_of_rows(summaries: Sequence[Summary]) -> dict[str, list[CellRecord]]:
    """Return the cells that give the numbers of each row."""
    found: dict[str, list[CellRecord]] = {}
    for summary in summaries:
        cells = (
            [member for row in summary.rows for member in row.members]
            if summary.mean is not None
            else []
        )
        found.setdefault(summary.label, []).extend(cells)
    return found


def _citation(summary: Summary) -> str:
    """Return the key where the cell has the entry and the key is one that LaTeX takes as it is."""
    cell = summary.cell
    return (
        cell.citation
        if cell.bibtex and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9:.+-]*", cell.citation)
        else ""
    )


def percent(value: float) -> str:
    """Return a fraction as the tables print it."""
    return f"{value * 100:.2f}"


def _ranks(summaries: Sequence[Summary], metric: Metric) -> dict[tuple[str, str], int]:
    """Return 1 and 2 for the best and the second of each column; what prints alike is alike;
    trivial rows take no part.
    """
    ranks: dict[tuple[str, str], int] = {}
    for column in {summary.dataset for summary in summaries}:
        shown = {
            summary.label: float(percent(summary.mean))
            for summary in summaries
            if summary.dataset == column
            and summary.mean is not None
            and summary.cell.family != TRIVIAL
        }
        ranks |= {(label, column): rank for label, rank in ranks_of(shown, metric).items()}
    return ranks


def ranks_of(shown: Mapping[str, float], metric: Metric) -> dict[str, int]:
    """Return 1 and 2 for the best and the second of some numbers, as printed; none where there is
    only one.
    """
    if len(shown) < 2:
        return {}
    order = sorted(set(shown.values()), reverse=metric.higher_is_better)[:2]
    return {label: order.index(value) + 1 for label, value in shown.items() if value in order}


def _said_in_caption(summaries: Sequence[Summary]) -> set[str]:
    """Return the flags that are no footnotes: seeds and profile where all rows share them, and the
    share of data, which is a note.
    """
    sets = [
        set(summary.flags())
        for summary in summaries
        if summary.mean is not None and summary.cell.uses_seed
    ]
    shared = set.intersection(*sets) if sets else set()
    shares = {f"{share_text(summary.cell.data_share)} of the data" for summary in summaries}
    return {
        flag for flag in shared if flag == "single seed" or flag.startswith("profile ")
    } | shares


def _entry(
    summary: Summary | None,
    ranks: dict[tuple[str, str], int],
    tied: set[tuple[str, str]],
    said: set[str],
    across: str,
    footnotes: Footnotes,
) -> Entry:
    if summary is None:
        return Entry(mark=DASH, notes=(footnotes.letter("not part of this run"),))
    if summary.mean is None:
        # What failed says more than what is still to come, and both more than a number that does
        # not exist.
        row = min(summary.missing, key=lambda row: [*MARKS, row.cell.status].index(row.cell.status))
        reason = row.result.reason
        if row.cell.status == "published only":
            published = row.cell.published
            text = (
                f"published ({published['source']}), not measured here: {reason}"
                if published
                else f"nothing is published; {reason}"
            )
            return Entry(mark=published.get("auc", DASH), notes=(footnotes.letter(text),))
        if row.cell.status in MARKS and len(summary.rows) > 1:
            reason = f"seed {row.cell.seed}: {reason}"
        return Entry(mark=MARKS.get(row.cell.status, DASH), notes=(footnotes.letter(reason),))
    ends = interval_text(summary)
    return Entry(
        percent(summary.mean),
        "" if summary.sd is None else percent(summary.sd),
        len(summary.rows),
        notes=tuple(
            footnotes.letter(flag)
            for flag in [*summary.flags(), across]
            if flag and flag not in said
        ),
        rank=ranks.get((summary.label, summary.dataset), 0),
        tied=(summary.label, summary.dataset) in tied,
        low="" if ends is None else ends[0],
        high="" if ends is None else ends[1],
    )


def interval_text(summary: Summary) -> tuple[str, str] | None:
    """Return the ends of the interval over clips as the tables print them; None where there is
    none.
    """
    found = summary.interval
    return (
        None
        if found is None or found.low is None or found.high is None
        else (percent(found.low), percent(found.high))
    )


def _listed(items: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(item for item in items if item))


def _devices(cells: Sequence[CellRecord]) -> str:
    """Return where cells were computed; on a CPU with their threads too: sums are split over them,
    so last digits depend on their number.
    """
    done = [cell for cell in cells if cell.status == "done"]
    found = []
    for device in dict.fromkeys(cell.device for cell in done or cells):
        threads = sorted({cell.threads for cell in done if cell.device == device == "cpu"})
        found.append(
            device
            + (
                f" of {' and '.join(map(str, threads))} thread{'s' * (threads[-1] > 1)}"
                if threads
                else ""
            )
        )
    return _listed(found)


def _caption(
    summaries: Sequence[Summary], protocol: Protocol, metric: Metric, said: set[str]
) -> str:
    """Return what was measured and how, in sentences."""
    cells = [summary.cell for summary in summaries]
    better = "higher" if metric.higher_is_better else "lower"
    parts = [
        f"{METRICS.get(metric.name, metric.name)} in percent, {better} is better",
        f"Protocol {protocol.name}: {sentence(protocol)}",
    ]
    if sets := _listed(
        f"{summary.label_set} ({summary.dataset})" for summary in summaries if summary.label_set
    ):
        parts.append(f"Labels: {sets}")
    # Where a file of boxes lies is no fact about the numbers; its name is.
    if detectors := _listed(re.sub(r"(\w+=)[^\[\],]*/", r"\1", cell.detector) for cell in cells):
        parts.append(f"Detector: {detectors}")
    if profiles := _listed(cell.profile for cell in cells):
        parts.append(f"Profile: {profiles}")
    if seeds := sorted(
        {row.cell.seed for summary in summaries for row in summary.rows if row.cell.uses_seed}
    ):
        single = ", a single seed: no spread is known" if "single seed" in said else ""
        parts.append(f"Seed{'s' * (len(seeds) > 1)}: {', '.join(map(str, seeds))}{single}")
    parts.append(f"Device: {_devices([row.cell for summary in summaries for row in summary.rows])}")
    if metric.name == "ap":
        chances = [(summary.dataset, summary.rows[0].result.chance) for summary in summaries]
        if levels := _listed(
            f"{percent(chance)} ({dataset})" for dataset, chance in chances if chance is not None
        ):
            parts.append(f"Chance (the share of anomalous frames among those scored): {levels}")
    return " ".join(part + "." for part in parts)


# -- notes -----------------------------------------------------------------------------------------


def _notes(
    run: Run, evidence: Evidence, summaries: Sequence[Summary], protocol: Protocol, metric: Metric
) -> list[str]:
    """Return what a reader must know of each column."""
    notes = []
    shared: list[Summary] = []
    everyone: dict[str, list[str]] = {}
    if protocol.frames == "own":
        shared = summarise(
            evaluate_run(run, [replace(protocol, frames="common")], [metric], evidence)
        )
    for column in dict.fromkeys(summary.dataset for summary in summaries):
        of_column = [summary for summary in summaries if summary.dataset == column]
        own = [summary for summary in of_column if summary.mean is not None]
        if (
            share := min(
                (
                    summary.cell.data_share
                    for summary in of_column
                    if summary.cell.status != "no data"
                ),
                default=1.0,
            )
        ) < 1:
            notes.append(
                f"{column}: {share_text(share)} of the data is there; the numbers are not those of the whole dataset"
            )
        if not own:
            continue
        record = evidence.dataset(own[0].cell)
        assert record is not None, "a number without its dataset"
        if record.lengths_from == "labels":
            notes.append(
                f"{column}: no frames are there; the lengths of the clips come from the labels"
            )
        if protocol.labels not in ("default", *record.label_sets):
            notes.append(
                f"{column}: has no label set {protocol.labels!r}; {own[0].label_set} is used"
            )
        if record.has_scenes:
            notes.append(f"{column}: the number of each scene is in results.csv")
        beaten = [
            f"{summary.label} ({percent(summary.mean)}, index {percent(index)})"
            for summary in own
            if summary.cell.family != TRIVIAL
            and summary.mean is not None
            and (index := _frame_index(evidence, summary, protocol, metric)) is not None
            and (summary.mean <= index if metric.higher_is_better else summary.mean >= index)
        ]
        notes += _few_clips_notes(record, own, metric)
        notes += filter(None, (_upside_down_note(summary, metric) for summary in own))
        if beaten:
            notes.append(
                f"{column}: no better than the frame index on the same frames: {', '.join(beaten)}"
            )
        if protocol.frames == "common":
            common = evidence.common_frames(own[0].cell.dataset_folder)
            everyone.setdefault(_listed(common.rows), []).append(f"{common.number} ({column})")
            if common.short:
                notes.append(
                    f"{column}: these scored less than half of the frames and are given on fewer still: {_listed(common.short)}"
                )
        notes += _order_notes(evidence, own, shared, metric)
    return notes + [
        f"frames that all of these rows scored: {', '.join(numbers)}; rows: {rows}"
        for rows, numbers in everyone.items()
    ]


def _few_clips_notes(record: DatasetRecord, own: Sequence[Summary], metric: Metric) -> list[str]:
    """Say where there are too few clips to carry a ranking, and which trivial methods the best
    cannot be told from.
    """
    column = own[0].dataset
    warning = too_few(record, own[0].label_set)
    best = best_of([summary for summary in own if summary.cell.family != TRIVIAL], metric)
    ends = None if best is None else interval_text(best)
    reach = (
        f"; the best, {best.label}, lies between {ends[0]} and {ends[1]} (95 % over clips)"
        if best is not None and ends
        else ""
    )
    notes = [f"{column}: {warning}{reach}"] if warning else []
    trivial = [summary for summary in own if summary.cell.family == TRIVIAL]
    if best is not None and (
        alike := [
            label
            for label, found in against_best([best], trivial, metric).items()
            if found.p is not None and not found.distinguishable
        ]
    ):
        notes.append(
            f"{column}: over these clips the best, {best.label}, is not distinguishable from the trivial {', '.join(alike)}"
        )
    return notes


def _upside_down_note(summary: Summary, metric: Metric) -> str:
    """Say that the scores of a row seem to be upside down, and what turns them round; empty where
    they do not.

    Trivial rows are what they are, and where the interval over clips holds one half the test set is
    too small to tell.
    """
    found = summary.interval
    if summary.cell.family == TRIVIAL or (
        found is not None and found.high is not None and found.high >= 0.5
    ):
        return ""
    others = [
        turned_round(row.result.value, row.clips, row.protocol, metric) for row in summary.rows
    ]
    known = [other for other in others if other is not None]
    if summary.mean is None or len(known) < len(others):
        return ""
    parameter = "higher_is"
    now = summary.cell.parameters.get(parameter)
    if now in ("anomalous", "normal"):
        advice = f"set {parameter}={'normal' if now == 'anomalous' else 'anomalous'} if the file means it so"
    else:
        advice = "a method must give more anomalous frames higher scores, so one that measures normality returns its negative"
    return (
        f"{summary.dataset}: {summary.label} is probably upside down: normal frames score higher ({percent(summary.mean)}), and turned round "
        f"the scores have {percent(sum(known) / len(known))}; {advice}"
    )


def _frame_index(
    evidence: Evidence, summary: Summary, protocol: Protocol, metric: Metric
) -> float | None:
    """Return what the index of each frame gets on the frames that a method scored."""
    members = [
        cell
        for cell in evidence.cells
        if (cell.label, cell.dataset, cell.seed)
        == (summary.label, summary.dataset, summary.cell.seed)
    ]
    clips = evidence.clips(members, summary.label_set, protocol)
    return evaluate(
        [replace(clip, scores=clip.frames.astype(np.float64)) for clip in clips], protocol, metric
    ).value


def _order_notes(
    evidence: Evidence, own: Sequence[Summary], shared: Sequence[Summary], metric: Metric
) -> list[str]:
    """Say which neighbours of the ranking change places when only the frames count that every row
    scored.
    """
    common = evidence.common_frames(own[0].cell.dataset_folder)
    on_common = {
        summary.label: summary.mean
        for summary in shared
        if (summary.dataset, summary.label_set) == (own[0].dataset, own[0].label_set)
        and summary.label in common.rows
    }
    values = [
        (summary.mean, on_common[summary.label], summary.label)
        for summary in own
        if summary.cell.family != TRIVIAL
        and summary.mean is not None
        and on_common.get(summary.label) is not None
    ]
    sign = -1 if metric.higher_is_better else 1
    values.sort(key=lambda value: sign * value[0])
    changes = []
    for (own_first, common_first, first), (own_second, common_second, second) in itertools.pairwise(
        values
    ):
        assert common_first is not None
        assert common_second is not None
        if own_first != own_second and sign * common_first > sign * common_second:
            changes.append(
                f"{second} ({percent(common_second)}) before {first} ({percent(common_first)})"
            )
    if not changes:
        return []
    return [
        f"{own[0].dataset}: on the {counted(common.number, 'frame')} that all rows scored the order changes: {'; '.join(changes)}"
    ]
