"""Where in the frame: pixel-level AUC, RBDC and TBDC of the methods that give error maps, from the
regions that their cells kept.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bench.errors import RunError
from bench.evaluation.anomaly_tracks import TrackRegions
from bench.evaluation.run_scores import RunScores
from bench.plugins.display_names import plain
from bench.runs.folder import Run
from bench.runs.records import CellRecord, DatasetRecord
from bench.runs.regions import ClipDetections, ClipRegions, Detections, Regions
from bench.runs.status import Status
from bench.scoring.localisation import (
    ALPHA,
    BETA,
    DetectedClip,
    Located,
    LocatedClip,
    pixel_auc,
    rbdc,
    tbdc,
)
from bench.tables.table import (
    DASH,
    MARKS,
    TRIVIAL,
    Footnotes,
    Row,
    Table,
    TableCell,
    ranks_of,
)
from bench.wording import listed

Clips = Mapping[str, tuple[ClipRegions | ClipDetections, tuple[int, int]]]
"""Clip id -> what its cell kept of its maps, and their size; or the regions that it detected, and
the size of the dataset's frames."""
Measure = Callable[[Clips], Located]


class Unknown(Exception):
    """Why a cell has no number."""


def localisation_tables(
    run: Run, run_scores: RunScores, tracks: Mapping[str, Mapping[str, TrackRegions]]
) -> list[Table]:
    """Return one table a dataset for which a cell kept regions.

    Parameters
    ----------
    tracks : label of a dataset -> clip id -> its tracks.
    """
    tables = []
    for dataset, cells in run_scores.by_dataset().items():
        record = run_scores.dataset(cells[0])
        if record is not None and any(
            "regions" not in run.lacking(cell, ["regions"])
            for cell in cells
            if cell.status == Status.DONE
        ):
            table = _table(run, cells, record, tracks.get(dataset))
            tables.append(replace(table, names=run_scores.names, dataset=dataset))
    return tables


def _table(
    run: Run,
    cells: Sequence[CellRecord],
    record: DatasetRecord,
    tracks: Mapping[str, TrackRegions] | None,
) -> Table:
    measures: dict[str, Measure] = {
        "pixel AUC": lambda clips: _pixel_auc(clips, record),
        "RBDC, components": lambda clips: _on_masks(
            clips, record, lambda chosen: rbdc(_of_masks(chosen, record))
        ),
    }
    if tracks is not None:
        measures["RBDC, tracks"] = lambda clips: rbdc(_of_tracks(clips, tracks))
        measures["TBDC, tracks"] = lambda clips: tbdc(_of_tracks(clips, tracks))
    footnotes = Footnotes()
    notes = _notes(record, tracks)
    shown: dict[str, list[TableCell]] = {}
    first: dict[str, CellRecord] = {}
    for cell in cells:
        first.setdefault(cell.label, cell)
    for label in first:
        mine = [cell for cell in cells if cell.label == label]
        try:
            seeds = [
                _kept(run, record, [cell for cell in mine if cell.seed == seed])
                for seed in dict.fromkeys(cell.seed for cell in mine)
            ]
        except Unknown as error:
            bad = next((cell for cell in mine if cell.status != Status.DONE), None)
            mark = DASH if bad is None else MARKS.get(bad.status, DASH)
            shown[label] = [footnotes.mark(mark, str(error))] * len(measures)
            continue
        name = plain(first[label].display_name)
        shown[label] = [
            _mean([measure(clips) for clips in seeds], footnotes) for measure in measures.values()
        ]
        notes += _dropped(name, seeds) + _detected(name, seeds)
    for column in range(len(measures)):
        values = {
            label: value
            for label, row in shown.items()
            if (value := row[column].value) is not None and first[label].family != TRIVIAL
        }
        for label, rank in ranks_of(values).items():
            shown[label][column] = replace(shown[label][column], rank=rank)
    rows = [
        Row(label, first[label].family, first[label].year, tuple(row))
        for label, row in shown.items()
    ]
    return Table(list(measures), rows, _caption(cells, tracks), footnotes.listed(), notes)


def _mean(located: Sequence[Located], footnotes: Footnotes) -> TableCell:
    """Return the mean over seeds, or why there is none."""
    numbers = [one.value for one in located if one.value is not None]
    if len(numbers) < len(located):
        return footnotes.mark(DASH, next(one.reason for one in located if one.value is None))
    sd = 100 * statistics.stdev(numbers) if len(numbers) > 1 else None
    return TableCell(100 * statistics.fmean(numbers), sd=sd, seeds=len(numbers))


def _kept(run: Run, record: DatasetRecord, cells: Sequence[CellRecord]) -> Clips:
    """Return what one seed kept, all scenes' own models together; their levels are the same
    quantiles, each of its own training maps.

    Raises
    ------
    Unknown : a cell is not done, kept nothing, or its file is damaged.
    """
    clips: dict[str, tuple[ClipRegions | ClipDetections, tuple[int, int]]] = {}
    for cell in cells:
        if cell.status != Status.DONE:
            raise Unknown(cell.reason or cell.status)
        try:
            regions: Regions | Detections | None = run.regions(cell)
        except RunError as error:
            raise Unknown(str(error)) from error
        if regions is None:
            raise Unknown(
                "no regions were kept: `bench run` as before, into the same --out, with --keep "
                f"regions --force '{cell.selector}' makes them"
                if run.lacking(cell, ["regions"])
                else "gives no error maps"
            )
        size = regions.size if isinstance(regions, Regions) else record.resolution
        if size is None:
            raise Unknown(
                f"the run does not say how large the frames of {plain(cell.dataset_display_name)} are, so the "
                "regions cannot be placed"
            )
        clips |= {clip: (kept, size) for clip, kept in regions.clips.items()}
    return clips


def _on_masks(clips: Clips, record: DatasetRecord, measure: Measure) -> Located:
    """Measure the clips that have pixel masks, where these are what they were while scoring."""
    if not record.regions:
        return Located(
            None,
            record.problems.get("regions", "the regions of the pixel masks are not in this run"),
        )
    chosen = {clip: kept for clip, kept in clips.items() if clip in record.regions}
    for clip, (kept, _) in chosen.items():
        if isinstance(kept, ClipRegions) and not np.array_equal(
            np.isfinite(kept.threshold_40), np.isin(kept.frames, record.regions[clip].frames)
        ):
            return Located(
                None,
                f"the pixel masks of clip {clip} have changed since it was scored; --force "
                "scores it again",
            )
    return measure(chosen)


def _pixel_auc(clips: Clips, record: DatasetRecord) -> Located:
    if any(isinstance(kept, ClipDetections) for kept, _ in clips.values()):
        return Located(None, "gives regions and no error maps")

    def measure(chosen: Clips) -> Located:
        kept = [clip for clip, _ in chosen.values() if isinstance(clip, ClipRegions)]
        return pixel_auc(
            np.concatenate([clip.maximum for clip in kept]),
            np.concatenate([clip.threshold_40 for clip in kept]),
        )

    return _on_masks(clips, record, measure)


def _of_masks(clips: Clips, record: DatasetRecord) -> list[LocatedClip] | list[DetectedClip]:
    trues = {clip: record.regions[clip] for clip in clips}
    return [
        _located(kept, size, _shares(trues[clip].boxes, trues[clip].size), trues[clip].frames)
        for clip, (kept, size) in clips.items()
    ]


def _of_tracks(
    clips: Clips, tracks: Mapping[str, TrackRegions]
) -> list[LocatedClip] | list[DetectedClip]:
    return [
        _located(kept, size, tracks[clip].boxes, tracks[clip].frames, tracks[clip].tracks)
        for clip, (kept, size) in clips.items()
    ]


def _located(
    kept: ClipRegions | ClipDetections,
    size: tuple[int, int],
    true_boxes: np.ndarray,
    true_frames: np.ndarray,
    true_tracks: np.ndarray | None = None,
) -> Any:
    boxes = _shares(kept.boxes, size)
    if isinstance(kept, ClipDetections):
        return DetectedClip(
            kept.frames,
            boxes,
            kept.box_frames,
            kept.box_scores,
            true_boxes,
            true_frames,
            true_tracks,
        )
    return LocatedClip(
        kept.frames,
        boxes,
        kept.box_frames,
        kept.box_levels,
        kept.dropped,
        true_boxes,
        true_frames,
        true_tracks,
    )


def _shares(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return boxes in pixels as shares of width and height."""
    height, width = (max(1, side) for side in size)
    return boxes / np.asarray([width, height, width, height], dtype=np.float64)


# -- words -----------------------------------------------------------------------------------------


def _caption(cells: Sequence[CellRecord], tracks: Mapping[str, TrackRegions] | None) -> str:
    parts = [
        f"Localisation on {plain(cells[0].dataset_display_name)}, in percent, higher is better, from the error maps "
        "as they are (not smoothed), on the frames "
        "that have one. Pixel AUC (Mahadevan et al. 2010): a normal frame is a false positive "
        "when any of its pixels is detected, an "
        "anomalous one is found when 40 % of its anomalous pixels are. RBDC (Ramachandra and "
        "Jones 2020): the share of anomalous regions "
        f"that a detected box meets (intersection over union at least {BETA:g}), as the area "
        "over 0 to 1 false regions a frame, at 50 levels "
        "taken from training maps; here on connected components of the pixel masks, not on the "
        "regions of tracks"
    ]
    if tracks is None:
        parts.append("TBDC needs tracks: bench report RUN --tracks DIR")
    else:
        parts.append(
            "RBDC, tracks: on the regions of the tracks. TBDC: the share of tracks of which at "
            f"least {ALPHA:.0%} of the regions are found"
        )
    parts.append(f"Profile: {listed(cell.profile for cell in cells)}")
    seeds = sorted({cell.seed for cell in cells if cell.uses_seed})
    if seeds:
        parts.append(f"Seed{'s' * (len(seeds) > 1)}: {', '.join(map(str, seeds))}")
    return " ".join(f"{part}." for part in parts)


def _notes(record: DatasetRecord, tracks: Mapping[str, TrackRegions] | None) -> list[str]:
    notes = []
    if record.regions:
        regions = sum(len(true.boxes) for true in record.regions.values())
        frames = sum(len(np.unique(true.frames)) for true in record.regions.values())
        some = (
            ""
            if len(record.regions) == len(record.clips)
            else f" of {len(record.regions)} of {len(record.clips)} clips, the others do not count"
        )
        notes.append(
            f"pixel masks{some}: {regions:,} connected components (8 neighbours) in {frames:,} "
            "frames"
        )
    if tracks is not None:
        number = sum(len(np.unique(clip.tracks)) for clip in tracks.values())
        outside = sum(clip.outside for clip in tracks.values())
        leaving = f", {outside:,} of them outside of the frame" if outside else ""
        notes.append(
            f"tracks: {sum(len(clip.boxes) for clip in tracks.values()):,} regions of {number} "
            f"tracks{leaving}"
        )
    return notes


def _dropped(name: str, seeds: Sequence[Clips]) -> list[str]:
    kept, dropped = (
        sum(
            number(clip)
            for clips in seeds
            for clip, _ in clips.values()
            if isinstance(clip, ClipRegions)
        )
        for number in (lambda clip: len(clip.boxes), lambda clip: int(clip.dropped.sum()))
    )
    if not dropped:
        return []
    return [
        f"{name}: of {kept + dropped:,} regions at all levels, {dropped:,} are counted as false "
        "and were not kept (the smallest of a frame)"
    ]


def _detected(name: str, seeds: Sequence[Clips]) -> list[str]:
    found = [
        clip for clips in seeds for clip, _ in clips.values() if isinstance(clip, ClipDetections)
    ]
    if not found:
        return []
    return [
        f"{name}: {sum(len(clip.boxes) for clip in found):,} regions with a score each, and "
        "every score is a level"
    ]
