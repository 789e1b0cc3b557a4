"""Protocols: everything between scores and number. Five choices, made for each clip in this order,
then pooled.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.contracts.protocol import Protocol

TRUNCATE = 4.0
"""Sigmas after which a Gaussian is cut off: scipy's default."""
AT_ONCE = 1 << 18
"""Values that the windows of a median hold at once, which bounds the memory (2 MiB)."""


def smooth(scores: np.ndarray, protocol: Protocol) -> np.ndarray:
    """Return (K,) scores of one clip, smoothed as the protocol says.

    Mirrored ends repeat the first and the last score: d c b a | a b c d | d c b a, as often as the
    window needs, so that a clip may be shorter than the window.
    """
    return _smoothed([scores], protocol)


def _smoothed(clips: Sequence[np.ndarray], protocol: Protocol) -> np.ndarray:
    """Return the smoothed scores of clips, one after the other: (sum of all K,)."""
    if protocol.smooth == "median" and any(map(len, clips)):
        return _medians(clips, protocol.window // 2, protocol.edge == "reflect")
    if protocol.smooth == "gaussian":
        from scipy import ndimage

        mode = "reflect" if protocol.edge == "reflect" else "constant"
        clips = [
            ndimage.gaussian_filter1d(
                scores, protocol.sigma, mode=mode, cval=0.0, truncate=TRUNCATE
            )
            if len(scores)
            else scores
            for scores in clips
        ]
    return clips[0] if len(clips) == 1 else np.concatenate(clips)


def _medians(clips: Sequence[np.ndarray], half: int, mirrored: bool) -> np.ndarray:
    """Return the median of each score and the `half` scores before and after it, clip by clip.

    NumPy's, since scipy.ndimage.median_filter cannot be relied on: it reads unwritten memory where
    the window is longer than what it filters (seen in SciPy 1.13 and 1.17), and has wrong medians
    of long arrays, too, in 1.15.0 and 1.15.1. All clips are one array with ends between them: a
    dataset has a hundred clips, and a run thousands of cells.
    """
    lengths = np.array([len(scores) for scores in clips])
    padded = np.zeros(lengths.sum() + 2 * half * len(clips))
    end = 0
    for scores in clips:
        length = len(scores)
        start, end = end, end + length + 2 * half
        place = padded[start:end]
        place[half : half + length] = scores
        if mirrored and length >= half:
            place[:half] = scores[:half][::-1]
            place[half + length :] = scores[length - half :][::-1]
        elif mirrored and length:
            place[:] = np.pad(scores, half, mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    first = np.arange(lengths.sum()) + np.repeat(2 * half * np.arange(len(clips)), lengths)
    rows = max(1, AT_ONCE // (2 * half + 1))
    medians = np.empty(len(first))
    for begin in range(0, len(first), rows):
        some = windows[first[begin : begin + rows]]
        some.partition(half, axis=1)
        medians[begin : begin + rows] = some[:, half]
    return medians


def reach(protocol: Protocol) -> int:
    """Return how many scores before and after a score `smooth` looks at."""
    if protocol.smooth == "none":
        return 0
    return (
        protocol.window // 2
        if protocol.smooth == "median"
        else int(TRUNCATE * protocol.sigma + 0.5)
    )  # as scipy cuts a Gaussian off


def _normalised(scores: np.ndarray, lengths: np.ndarray, protocol: Protocol) -> np.ndarray:
    """Return the scores of clips of these lengths, one after the other, normalised as the protocol
    says; a constant clip becomes 0.
    """
    lengths = lengths[lengths > 0]
    if protocol.normalise == "none" or not len(lengths):
        return scores
    starts = np.cumsum(lengths) - lengths
    low, high = (one.reduceat(scores, starts) for one in (np.minimum, np.maximum))
    spread = np.where(high == low, 1.0, high - low)
    return (scores - np.repeat(low, lengths)) / np.repeat(spread, lengths)


def process(scores: np.ndarray, protocol: Protocol) -> np.ndarray:
    """Return (K,) float64 scores of one clip, smoothed and normalised in the protocol's order."""
    return process_clips([scores], protocol)[0]


def process_clips(clips: Sequence[np.ndarray], protocol: Protocol) -> list[np.ndarray]:
    """Return what `process` returns of the scores of each clip: many clips at once are quicker."""
    if not clips:
        return []
    clips = [np.asarray(scores, dtype=np.float64) for scores in clips]
    lengths = np.array([len(scores) for scores in clips])
    ends = np.cumsum(lengths)
    if protocol.order == "smooth-first":
        values = _normalised(_smoothed(clips, protocol), lengths, protocol)
    else:
        values = _normalised(np.concatenate(clips), lengths, protocol)
        values = _smoothed(_cut(values, ends), protocol)
    return _cut(values, ends)


def _cut(values: np.ndarray, ends: np.ndarray) -> list[np.ndarray]:
    return [
        values[start:end]
        for start, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True)
    ]


POOLING = {
    "micro": "all frames of all clips pooled",
    "macro": "the mean over clips, clips of one class left out",
    "macro-padded": "the mean over clips, each padded with a normal 0 and an anomalous 1",
    "scene-median": "the median over scenes, the frames of a scene pooled (a dataset without "
    "scenes is one)",
    "scene-mean": "the mean over scenes, the frames of a scene pooled (a dataset without scenes "
    "is one)",
}


def smoothing(protocol: Protocol) -> str:
    """Return the protocol's smoothing in words; empty where there is none."""
    edge = "ends mirrored" if protocol.edge == "reflect" else "zeros beyond the ends"
    return {
        "none": "",
        "median": f"median over {protocol.window} frames of each clip ({edge})",
        "gaussian": f"Gaussian of sigma {protocol.sigma:g} frames along each clip ({edge})",
    }[protocol.smooth]


def sentence(protocol: Protocol) -> str:
    """Return the protocol in words, as captions say it."""
    normalising = "min-max in each clip" if protocol.normalise == "clip" else ""
    steps = (
        [smoothing(protocol), normalising]
        if protocol.order == "smooth-first"
        else [normalising, smoothing(protocol)]
    )
    words = ", then ".join(step for step in steps if step) or "scores as they are"
    frames = "" if protocol.frames == "own" else "; only frames that every row scored"
    return f"{words}; {POOLING[protocol.pool]}{frames}"
