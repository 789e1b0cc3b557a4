"""Scoring one clip again with the weights that a cell kept, to see what the network makes of each
frame.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.applying.finished_cell import dataset_of, finished_method
from bench.contracts.clip import Clip
from bench.contracts.dataset import Dataset
from bench.contracts.method import OpenClip, Scores, as_scores
from bench.contracts.network_method import NetworkMethod
from bench.engine.context import make_context
from bench.errors import DataError
from bench.frames.decode import read_frames
from bench.frames.store import prepare_frames
from bench.runs.folder import Run
from bench.runs.records import CellRecord
from bench.worker.keepers.images import as_image
from bench.worker.opening import clip_length, open_clip

TOLERANCE = 1e-5
"""Allowed difference of scores, relative to the largest: the same code and weights on one machine
differ by less. Chosen here."""


@dataclass(frozen=True)
class RescoredFrame:
    """One frame of a clip and the network's output for it; None if there is none.

    Parameters
    ----------
    image : (H, W, 3) uint8 RGB, in the resolution of the dataset.
    reconstruction : (h, w[, 3]) uint8.
    error : (h, w) float32.
    """

    image: np.ndarray
    reconstruction: np.ndarray | None
    error: np.ndarray | None


@dataclass
class RescoredClip:
    """A clip that was scored again. `frames` decodes it once more, frame by frame, while the
    context manager is open.
    """

    scores: Scores
    frames: Iterator[RescoredFrame]
    parts: tuple[str, ...]
    """Which of 'reconstruction' and 'map' the network provides."""
    largest: float
    """The scale of all error maps: the largest 99.9 % quantile of any of them."""
    frame_rate: float | None
    """Frames per second, if the dataset states them."""
    notes: list[str] = field(default_factory=list)
    """How this differs from the run: another version or device, or other scores."""


@contextlib.contextmanager
def rescore(
    run: Run,
    cell: CellRecord,
    clip_id: str,
    data: Sequence[Path],
    step: Callable[[int, int, str], None],
) -> Iterator[RescoredClip]:
    """Score a clip again as the cell did. Images are stored in a temporary folder, so that memory
    does not grow with the clip.

    Parameters
    ----------
    data : folders with datasets, as `--data`; empty: BENCH_DATA, else the default folders.

    Raises
    ------
    RunError : the cell kept no weights (suggests the command that keeps them), or they cannot be
        read.
    DataError : the dataset or the clip was not found, or is a different copy.
    """
    fitted = finished_method(run, cell, data)
    method, notes = fitted.method, list(fitted.notes)
    dataset = dataset_of(run, cell, data)
    clip = next((clip for clip in dataset.clips("test") if clip.id == clip_id), None)
    if clip is None or clip.source is None:
        raise DataError(
            f"{cell.dataset}: no frames of test clip {clip_id} below {dataset.root}; name the "
            "place of the dataset with --data DIR"
        )
    length = clip_length(clip)
    if method.needs & {"frames", "train"} and method.frames is not None:
        prepare_frames(dataset, [clip], [method.frames], step)
    kept = run.dataset(cell.dataset_folder)
    lengths = {
        known: frames
        for known, frames, scene in kept.clips
        if not cell.scene or scene == cell.scene
    }
    if lengths.get(clip_id) != length:
        raise DataError(
            f"{cell.dataset}: clip {clip_id} has {length} frames here, {lengths.get(clip_id)} in "
            "the run: it is a different copy"
        )
    with tempfile.TemporaryDirectory(prefix="bench-rescore-") as folder:
        images = RescoredImages(Path(folder), length)
        context = make_context(
            cell.seed,
            fitted.compute,
            Path(folder),
            step=step,
            test_lengths=lengths,
        )
        context.images = images
        opened = open_clip(dataset, clip, length, method, None, lambda: None)
        fitted.seed_everything()
        scores = as_scores(
            method.score(opened, context), length, f"{cell.label} on {cell.dataset}, clip {clip_id}"
        )
        notes += _differences(run.scores(cell)[clip_id], scores)
        yield RescoredClip(
            scores,
            _frames(clip, images),
            images.parts,
            images.largest,
            _frame_rate(dataset),
            notes,
        )


def _frame_rate(dataset: Dataset) -> float | None:
    rate = getattr(dataset.info, "frame_rate", None)
    return float(rate) if rate else None


def _differences(before: Scores, now: Scores) -> list[str]:
    """Return how scores differ from those of the run by more than rounding."""
    if not np.array_equal(before.frames, now.frames):
        return [
            f"{len(now.frames)} frames have scores here, {len(before.frames)} in the run: weights "
            "or code differ"
        ]
    if not len(before.values):
        return []
    worst = float(np.abs(now.values - before.values).max())
    allowed = TOLERANCE * float(np.abs(before.values).max())
    return (
        []
        if worst <= allowed
        else [
            f"scores differ from those of the run by up to {worst:.3g}: weights, code or machine "
            "differ"
        ]
    )


class RescoredImages:
    """Stores reconstructions and error maps in memory-mapped files."""

    def __init__(self, folder: Path, length: int) -> None:
        self.folder, self.length = folder, length
        self.arrays: dict[str, np.ndarray] = {}
        self.known: set[int] = set()
        self.largest = 0.0

    @property
    def parts(self) -> tuple[str, ...]:
        """The kinds of images that came: 'reconstruction', 'map'."""
        return tuple(self.arrays)

    def __call__(
        self, method: NetworkMethod, clip: OpenClip, frame: int, found: dict[str, Any]
    ) -> None:
        """Store what the inference engine shows of a scored frame."""
        self.known.add(frame)
        if "reconstruction" in found:
            self._keep("reconstruction", frame, as_image(method, found["reconstruction"]))
        if "map" in found:
            self._keep("map", frame, np.asarray(found["map"], dtype=np.float32))
            self.largest = max(self.largest, float(np.quantile(found["map"], 0.999)))

    def _keep(self, name: str, frame: int, image: np.ndarray) -> None:
        if name not in self.arrays:
            shape = (self.length, *image.shape)
            self.arrays[name] = np.lib.format.open_memmap(
                self.folder / f"{name}.npy", mode="w+", dtype=image.dtype, shape=shape
            )
        self.arrays[name][frame] = image

    def get(self, name: str, frame: int) -> np.ndarray | None:
        """Return the image of a frame; None where the frame has no score, or no such image."""
        return (
            np.asarray(self.arrays[name][frame])
            if frame in self.known and name in self.arrays
            else None
        )


def _frames(clip: Clip, images: RescoredImages) -> Iterator[RescoredFrame]:
    for frame, image in enumerate(read_frames(clip)):
        yield RescoredFrame(image, images.get("reconstruction", frame), images.get("map", frame))
