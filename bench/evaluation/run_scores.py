"""The scores of a run, read once from its folder, and every number that follows from them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property, partial
from typing import Any

from bench.contracts.metric import Metric
from bench.contracts.protocol import Protocol
from bench.evaluation.kept_scores import KeptScores
from bench.evaluation.measurements import Measurement, joined, label_sets_of
from bench.evaluation.processes import in_processes
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
from bench.scoring.intervals import METRIC, Interval, interval_of
from bench.scoring.resampling import ClipAuc

LARGE = 4_000_000
"""Scored frames, times protocols, from which on numbers are computed in several processes. Chosen
here: about a second of work."""


class RunScores(KeptScores):
    """The cells, scores and labels of a run, read once, and the numbers that follow from them."""

    def __init__(self, run: Run, registry: Registry | None = None) -> None:
        """Read a run; `registry` (default: that of this process) says what cells of earlier
        versions do not: how a row is called, and the protocol of its paper.
        """
        super().__init__(run)
        registry = current() if registry is None else registry
        self.options = read_options(run.path)
        self.names = row_names(self.cells, registry, self.options.names)
        for cell in self.cells:
            cell.display_name = self.names.rows[cell.label]
            cell.dataset_display_name = self.names.datasets[cell.dataset]
            if not cell.paper_protocol and cell.method in registry.methods:
                cell.paper_protocol = registry.methods[cell.method].info.paper_protocol
        self._measurements: dict[tuple[Protocol, str], list[Measurement]] = {}
        self.memo: dict[Any, Any] = {}
        """What else was computed of these scores, by keys that its authors choose."""
        self.intervals: dict[tuple[str, str, str, Protocol], Interval | None] = {}
        """Those known so far of rows whose seeds all have a number: by row, dataset, label set and
        protocol."""
        self._results: dict[tuple[int, str, Protocol, str], list[Result]] = {}

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

    def measure(
        self,
        protocols: Iterable[Protocol],
        metrics: Sequence[Metric],
        intervals: bool = False,
    ) -> list[Measurement]:
        """Return every number of the run: one a cell, scene, label set, protocol and metric; those
        that do not exist with their reason.

        Many are computed in several processes, and `intervals` of their rows there too.
        """
        found: list[Measurement] = []
        protocols = list(protocols)
        absent = {
            protocol: [one for one in metrics if (protocol, one.name) not in self._measurements]
            for protocol in protocols
        }
        self._compute({one: missing for one, missing in absent.items() if missing}, intervals)
        for protocol in protocols:
            if missing := absent.pop(protocol, []):
                made = list(self._measure(protocol, missing))
                for number, metric in enumerate(missing):
                    self._measurements[protocol, metric.name] = made[number :: len(missing)]
            of_metrics = [self._measurements[protocol, metric.name] for metric in metrics]
            found += [one for together in zip(*of_metrics) for one in together]
        return found

    def _measure(self, protocol: Protocol, metrics: Sequence[Metric]) -> Iterator[Measurement]:
        for number, (cell, members) in enumerate(self._groups):
            label_sets = self._label_sets(cell, protocol)
            if cell.status != Status.DONE or not label_sets:
                reason = (
                    cell.reason or cell.status
                    if cell.status != Status.DONE
                    else f"{plain(cell.dataset_display_name)} has no labels: there are scores, and no number"
                )
                nothing = Result(None, reason, 0, 0, 0, 0, None)
                first = "".join(label_sets[:1])
                for metric in metrics:
                    yield Measurement(
                        cell, cell.scene, first, protocol, metric.name, nothing, tuple, members
                    )
                continue
            for label_set in label_sets:
                keys = [(number, label_set, protocol, metric.name) for metric in metrics]
                results = [self._results.pop(key, None) for key in keys]
                if None in results:
                    results = [*self._results_of(number, label_set, protocol, metrics)]
                for place, scene in enumerate(self._scenes(number)):
                    read = partial(self._clips_of_scene, members, label_set, protocol, scene)
                    for metric, of_metric in zip(metrics, results, strict=True):
                        assert of_metric is not None
                        yield Measurement(
                            cell,
                            cell.scene if scene is None else scene,
                            label_set,
                            protocol,
                            metric.name,
                            of_metric[place],
                            read,
                            members,
                        )

    def _label_sets(self, cell: CellRecord, protocol: Protocol) -> tuple[str, ...]:
        record = self.dataset(cell)
        return () if record is None else label_sets_of(record, protocol)

    def _scenes(self, number: int) -> list[str | None]:
        """Return what a group of cells has numbers of: None for all clips, and its scenes."""
        cell, members = self._groups[number]
        record = self._datasets[cell.dataset_folder]
        if not record.has_scenes or members[0].scene:
            return [None]
        scored = {clip for member in members for clip in self._scores[member.folder]}
        return [None, *sorted({scene for clip, _, scene in record.clips if clip in scored})]

    def _clips_of_scene(
        self,
        members: Sequence[CellRecord],
        label_set: str,
        protocol: Protocol,
        scene: str | None,
    ) -> tuple[ClipScores, ...]:
        clips = self.clips(members, label_set, protocol)
        return tuple(clip for clip in clips if scene is None or clip.scene == scene)

    def _results_of(
        self, number: int, label_set: str, protocol: Protocol, metrics: Sequence[Metric]
    ) -> list[list[Result]]:
        """Return the results of a group of cells under each metric: one for each of `_scenes`."""
        clips = self.clips(self._groups[number][1], label_set, protocol)
        parts = processed(clips, protocol)
        of_scenes = [
            evaluate_all(
                [clip for clip in clips if scene is None or clip.scene == scene],
                protocol,
                metrics,
                [part for part in parts if scene is None or part.scene == scene],
            )
            for scene in self._scenes(number)
        ]
        return [list(of_metric) for of_metric in zip(*of_scenes, strict=True)]

    def _compute(self, asked: Mapping[Protocol, Sequence[Metric]], intervals: bool) -> None:
        """Compute what the cells have under these protocols in several processes, where it is
        much.
        """
        if self.all_scored_frames * len(asked) < LARGE:
            return
        rows: dict[tuple[str, str], list[int]] = {}
        for number, (cell, _) in enumerate(self._groups):
            rows.setdefault((cell.label, cell.dataset), []).append(number)
        if any(protocol.frames == "common" for protocol in asked):
            for folder in self._datasets:
                self.common_frames(folder)

        def of_row(row: tuple[str, str]) -> tuple[dict[Any, list[Result]], dict[Any, Any]]:
            results: dict[Any, list[Result]] = {}
            known: dict[Any, Interval | None] = {}
            whole = [number for number in rows[row] if not self._groups[number][0].scene]
            for place, (protocol, metrics) in enumerate(asked.items()):
                of_sets: dict[str, list[int]] = {}
                for number in rows[row]:
                    cell, _ = self._groups[number]
                    if cell.status != Status.DONE:
                        continue
                    for label_set in self._label_sets(cell, protocol):
                        found = self._results_of(number, label_set, protocol, metrics)
                        for metric, of_metric in zip(metrics, found, strict=True):
                            results[number, label_set, place, metric.name] = of_metric
                            if metric.name == METRIC and of_metric[0].value is not None:
                                of_sets.setdefault(label_set, []).append(number)
                for label_set, seeds in of_sets.items():
                    if intervals and [one for one in whole if one in seeds] == whole:
                        clips = [
                            self.clips(self._groups[number][1], label_set, protocol)
                            for number in whole
                        ]
                        known[label_set, place] = interval_of(ClipAuc(clips, protocol))
            return results, known

        protocols = list(asked)
        for row, (results, known) in zip(rows, in_processes(of_row, list(rows)), strict=True):
            for (number, label_set, place, metric), found in results.items():
                self._results[number, label_set, protocols[place], metric] = found
            for (label_set, place), interval in known.items():
                self.intervals[*row, label_set, protocols[place]] = interval

    @cached_property
    def _groups(self) -> list[tuple[CellRecord, tuple[CellRecord, ...]]]:
        return [(cell, tuple(members)) for cell, members in self._grouped()]

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
