"""The scores of a run, read once from its folder, and every number that follows from them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bench.contracts.method import Scores
from bench.contracts.metric import Metric
from bench.contracts.protocol import Protocol
from bench.errors import RunError
from bench.evaluation.measurements import Measurement, joined, label_sets_of
from bench.evaluation.row_names import row_names
from bench.files.checksums import digest_of, digest_of_value
from bench.plugins.display_names import plain
from bench.plugins.registry import Registry, current
from bench.runs.folder import Run
from bench.runs.layout import KEPT
from bench.runs.records import CellRecord, DatasetRecord
from bench.runs.status import Status
from bench.runs.table_options import TableOptions, read_options
from bench.scoring.evaluate import ClipScores, Result, evaluate_all, processed


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
                f"{path}: clip {clip} has a score of frame {scores[clip].frames[-1]}, and "
                f"{length} frames; --force repeats the cell"
            )


class RunScores:
    """The cells, scores and labels of a run, read once, and the numbers that follow from them."""

    def __init__(self, run: Run, registry: Registry | None = None) -> None:
        """Read a run; `registry` (default: that of this process) names rows of earlier versions."""
        self.cells = run.cells()
        self.options = read_options(run.path)
        self.names = row_names(
            self.cells, current() if registry is None else registry, self.options.names
        )
        self._run = run
        self._as_kept = [replace(cell) for cell in self.cells]
        for cell in self.cells:
            cell.display_name = self.names.rows[cell.label]
            cell.dataset_display_name = self.names.datasets[cell.dataset]
        self._datasets: dict[str, DatasetRecord] = {}
        self._scores: dict[str, dict[str, Scores]] = {}
        self._common: dict[str, Common] = {}
        self._measurements: dict[tuple[Protocol, str], list[Measurement]] = {}
        self.memo: dict[Any, Any] = {}
        """What else was computed of these scores, by keys that its authors choose."""
        for cell in self.cells:
            if cell.status != Status.DONE:
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
                cell.status, cell.reason = Status.FAILED, str(error)

    def dataset(self, cell: CellRecord) -> DatasetRecord | None:
        """Return what the run keeps of the cell's dataset; None where nothing was prepared."""
        if cell.dataset_folder not in self._datasets:
            try:
                self._datasets[cell.dataset_folder] = self._run.dataset(cell.dataset_folder)
            except RunError:
                return None
        return self._datasets[cell.dataset_folder]

    def by_dataset(self) -> dict[str, list[CellRecord]]:
        """Return the cells of each dataset that has a finished one, published numbers aside."""
        names = dict.fromkeys(cell.dataset for cell in self.cells if cell.status == Status.DONE)
        return {
            name: [
                cell
                for cell in self.cells
                if cell.dataset == name and cell.status != Status.PUBLISHED_ONLY
            ]
            for name in names
        }

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
        everything: list[Any] = [list(map(_told, self._as_kept)), files, datasets]
        if self.options != TableOptions():
            everything.append(asdict(self.options))
        return digest_of_value(everything)

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
            if any(cell.status != Status.DONE for cell in cells):
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

    def measure(
        self, protocols: Iterable[Protocol], metrics: Sequence[Metric]
    ) -> list[Measurement]:
        """Return every number of the run: one a cell, scene, label set, protocol and metric; those
        that do not exist with their reason.
        """
        found: list[Measurement] = []
        for protocol in protocols:
            missing = [one for one in metrics if (protocol, one.name) not in self._measurements]
            if missing:
                made = list(self._measure(protocol, missing))
                for number, metric in enumerate(missing):
                    self._measurements[protocol, metric.name] = made[number :: len(missing)]
            of_metrics = [self._measurements[protocol, metric.name] for metric in metrics]
            found += [one for together in zip(*of_metrics) for one in together]
        return found

    def _measure(self, protocol: Protocol, metrics: Sequence[Metric]) -> Iterator[Measurement]:
        for cell, members in self._grouped():
            record = self.dataset(cell)
            label_sets = () if record is None else label_sets_of(record, protocol)
            if cell.status != Status.DONE or record is None or not label_sets:
                reason = (
                    cell.reason or cell.status
                    if cell.status != Status.DONE
                    else f"{plain(cell.dataset_display_name)} has no labels: there are scores, and no number"
                )
                nothing = Result(None, reason, 0, 0, 0, 0, None)
                first = "".join(label_sets[:1])
                for metric in metrics:
                    yield Measurement(
                        cell, cell.scene, first, protocol, metric.name, nothing, (), tuple(members)
                    )
                continue
            for label_set in label_sets:
                clips = self.clips(members, label_set, protocol)
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
                for scene, of_scene, parts_of_scene in groups:
                    results = evaluate_all(of_scene, protocol, metrics, parts_of_scene)
                    for metric, result in zip(metrics, results, strict=True):
                        yield Measurement(
                            cell,
                            scene,
                            label_set,
                            protocol,
                            metric.name,
                            result,
                            tuple(of_scene),
                            tuple(members),
                        )

    def _grouped(self) -> Iterator[tuple[CellRecord, list[CellRecord]]]:
        """Yield each cell with itself; and after the last of the scenes' own models of a method and
        seed one that joins them.
        """
        scenes: dict[tuple[str, str, int], list[CellRecord]] = {}
        for cell in self.cells:
            if cell.scene:
                scenes.setdefault((cell.label, cell.dataset, cell.seed), []).append(cell)
        for cell in self.cells:
            yield cell, [cell]
            cells = scenes.get((cell.label, cell.dataset, cell.seed), [])
            if cell.scene and cell is cells[-1]:
                yield joined(cells), cells


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
