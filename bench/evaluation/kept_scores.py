"""The scores and labels of a run, read once from its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from bench.contracts.method import Scores
from bench.contracts.protocol import Protocol
from bench.errors import RunError
from bench.evaluation.processes import in_processes
from bench.runs.folder import Run
from bench.runs.records import CellRecord, DatasetRecord
from bench.runs.status import Status
from bench.scoring.evaluate import REMEMBERED, ClipScores

LARGE = 1 << 24
"""Bytes of files of scores from which on they are read in several processes. Chosen here: about two
seconds of work."""


@dataclass(frozen=True)
class Common:
    """The frames of each clip that every counted row scored, (N,) bool; the rows that counted, and
    those with too few frames to count.
    """

    frames: dict[str, np.ndarray]
    rows: list[str]
    short: list[str]

    @property
    def number(self) -> int:
        """How many frames they are."""
        return sum(int(np.count_nonzero(mask)) for mask in self.frames.values())


def _check_frames(path: Path, scores: Mapping[str, Scores], dataset: DatasetRecord) -> None:
    """Raise RunError for scores of frames that their clip does not have."""
    for clip, length, _ in dataset.clips:
        if clip in scores and scores[clip].frames.size and scores[clip].frames[-1] >= length:
            raise RunError(
                f"{path}: clip {clip} has a score of frame {scores[clip].frames[-1]}, and "
                f"{length} frames; --force repeats the cell"
            )


class KeptScores:
    """The cells of a run with their scores and labels. A cell whose scores cannot be read is
    failed.
    """

    def __init__(self, run: Run) -> None:
        self.cells = run.cells()
        self._run = run
        self._as_kept = [replace(cell) for cell in self.cells]
        self._datasets: dict[str, DatasetRecord] = {}
        self._scores: dict[str, dict[str, Scores]] = {}
        self._common: dict[str, Common] = {}
        self._clips = lru_cache(maxsize=REMEMBERED)(self._read_clips)
        self._read()

    def _read(self) -> None:
        """Read the scores of all cells that are done."""
        run = self._run
        done = [cell for cell in self.cells if cell.status == Status.DONE]

        def scores_of(cell: CellRecord) -> dict[str, Scores] | RunError:
            try:
                return run.scores(cell)
            except RunError as error:
                return error

        size = sum(
            path.stat().st_size for cell in done if (path := run.files_of(cell).scores).is_file()
        )
        read = (in_processes if size > LARGE else map)(scores_of, done)
        frames: dict[bytes, np.ndarray] = {}  # most cells scored the same ones
        for cell, found in zip(done, read, strict=True):
            try:
                if isinstance(found, RunError):
                    raise found
                self._scores[cell.folder] = {
                    clip: replace(one, frames=frames.setdefault(one.frames.tobytes(), one.frames))
                    for clip, one in found.items()
                }
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

    def scored_frames(self, cell: CellRecord) -> int:
        """Return how many frames a cell that is done gave a score."""
        return sum(len(scores.frames) for scores in self._scores[cell.folder].values())

    def clips(
        self, cells: Sequence[CellRecord], label_set: str, protocol: Protocol
    ) -> list[ClipScores]:
        """Return scores beside labels of one cell, or of the scenes' cells that belong together, on
        the protocol's frames.
        """
        folders = tuple(cell.folder for cell in cells)
        return list(self._clips(folders, cells[0].dataset_folder, label_set, protocol.frames))

    def _read_clips(
        self, folders: tuple[str, ...], dataset_folder: str, label_set: str, frames: str
    ) -> tuple[ClipScores, ...]:
        """Return what `clips` returns; kept, so that what is computed of a clip is computed once."""
        record = self._datasets[dataset_folder]
        found = {clip: one for folder in folders for clip, one in self._scores[folder].items()}
        labels = record.labels[label_set]
        clips = tuple(
            ClipScores(clip, scene, found[clip].values, found[clip].frames, labels[clip])
            for clip, _, scene in record.clips
            if clip in found
        )
        if frames == "own":
            return clips
        common = self.common_frames(record.name).frames
        kept = [common[clip.id][clip.frames] for clip in clips]
        return tuple(
            replace(clip, scores=clip.scores[keep], frames=clip.frames[keep])
            for clip, keep in zip(clips, kept)
        )

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
        frames = {clip: np.ones(length, dtype=bool) for clip, length, _ in record.clips}
        counted, short = [], []
        for (label, _), cells in members.items():
            if any(cell.status != Status.DONE for cell in cells):
                continue
            found = {
                clip: scores.frames
                for cell in cells
                for clip, scores in self._scores[cell.folder].items()
            }
            if 2 * sum(map(len, found.values())) < total:
                short.append(label)
                continue
            counted.append(label)
            for clip, common in frames.items():
                scored = np.zeros(len(common), dtype=bool)
                scored[found.get(clip, [])] = True
                common &= scored
        self._common[dataset_folder] = Common(
            frames, list(dict.fromkeys(counted)), list(dict.fromkeys(short))
        )
        return self._common[dataset_folder]

    @cached_property
    def all_scored_frames(self) -> int:
        """How many frames got a score, all cells together."""
        return sum(self.scored_frames(cell) for cell in self.cells if cell.folder in self._scores)

    def cells_of(self, label: str, dataset: str, seed: int) -> list[CellRecord]:
        """Return the cell of a row, dataset and seed, or those of its scenes."""
        return self._by_seed.get((label, dataset, seed), [])

    @cached_property
    def _by_seed(self) -> dict[tuple[str, str, int], list[CellRecord]]:
        found: dict[tuple[str, str, int], list[CellRecord]] = {}
        for cell in self.cells:
            found.setdefault((cell.label, cell.dataset, cell.seed), []).append(cell)
        return found
