"""Curves of the page: scores after a protocol, and ROC curves, packed.

Each clip is packed as 16 bits between its lowest and highest value: finer than a screen, and small.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.contracts.protocol import Protocol
from bench.runs.records import CellRecord, DatasetRecord
from bench.scoring.evaluate import ClipScores, processed
from bench.scoring.metrics import operating_points
from bench.scoring.protocols import process
from bench.tables.kinds import Source

STEPS = 65535
ROC_POINTS = 200
"""Of a curve, at most. Chosen here: two pixels apart in a plot 400 wide."""


def clips_of(
    source: Source,
    record: DatasetRecord,
    cells: Sequence[CellRecord],
    label_set: str,
    protocol: Protocol,
) -> list[ClipScores]:
    """Return scores beside labels; beside zeros where the dataset has no labels."""
    if not cells:
        return []
    if label_set:
        return source.run_scores.clips(cells, label_set, protocol)
    found = {clip: scores for cell in cells for clip, scores in source.run.scores(cell).items()}
    return [
        ClipScores(
            clip, scene, found[clip].values, found[clip].frames, np.zeros(length, dtype=np.uint8)
        )
        for clip, length, scene in record.clips
        if clip in found
    ]


def anomalous_runs(labels: np.ndarray) -> list[list[int]]:
    """Return [first, behind the last] of each stretch of anomalous frames."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], labels != 0, [0]]).astype(np.int8)))
    return edges.reshape(-1, 2).tolist()


def packed(
    clips: Sequence[ClipScores | None], protocols: Sequence[Protocol]
) -> dict[str, Any] | None:
    """Return one clip under each protocol: [which of `variants`, lowest, highest]. Most protocols
    share one of a few shapes.

    A variant is [frames, scores]: the first frame where they follow one another, else all of them;
    scores as base64 of 16 bits each.
    """
    variants: list[tuple[np.ndarray, np.ndarray]] = []
    of: list[list[float] | None] = []
    for clip, protocol in zip(clips, protocols):
        if clip is None or not len(clip.scores):
            of.append(None)
            continue
        scores = process(clip.scores, protocol)
        low, high = float(scores.min()), float(scores.max())
        shape = (
            np.rint((scores - low) / (high - low) * STEPS) if high > low else np.zeros(len(scores))
        )
        same = (
            number
            for number, (frames, other) in enumerate(variants)
            # A step apart is the rounding of one curve computed in two orders.
            if np.array_equal(frames, clip.frames) and np.abs(other - shape).max() <= 1
        )
        found = next(same, len(variants))
        if found == len(variants):
            variants.append((clip.frames, shape))
        of.append([found, float(f"{low:.6g}"), float(f"{high:.6g}")])
    if not variants:
        return None
    return {"of": of, "variants": [[_frames(frames), _base64(shape)] for frames, shape in variants]}


def _frames(frames: np.ndarray) -> int | list[int]:
    first = int(frames[0])
    return (
        first
        if np.array_equal(frames, np.arange(first, first + len(frames)))
        else [int(frame) for frame in frames]
    )


def _base64(steps: np.ndarray) -> str:
    return base64.b64encode(steps.astype("<u2").tobytes()).decode("ascii")


def roc(clips: Sequence[ClipScores], protocol: Protocol) -> str | None:
    """Return the ROC curve of all frames pooled, as base64 of 16 bits: false positive rate, true
    positive rate, and so on.
    """
    parts = processed(clips, protocol)
    truth = np.concatenate([part.labels for part in parts]) if parts else np.zeros(0)
    if not 0 < truth.sum() < len(truth):
        return None
    false, true = operating_points(truth, np.concatenate([part.scores for part in parts]))
    # A point between two on the same line says nothing.
    corners = np.ones(len(false), dtype=bool)
    corners[1:-1] = (np.diff(false, 2) != 0) | (np.diff(true, 2) != 0)
    false, true = (
        np.concatenate([[0.0], counts[corners] / counts[-1]]) for counts in (false, true)
    )
    along = false + true
    kept = (
        np.unique(np.searchsorted(along, np.linspace(0, 2, ROC_POINTS)).clip(max=len(along) - 1))
        if len(along) > ROC_POINTS
        else slice(None)
    )
    return _base64(np.rint(np.stack([false[kept], true[kept]], axis=1) * STEPS))
