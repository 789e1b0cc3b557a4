"""Protocols: everything between scores and number. Five choices, made for each clip in this order,
then pooled.
"""

from __future__ import annotations

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
    if protocol.smooth == "none" or not len(scores):
        return scores
    if protocol.smooth == "median":
        padded = np.pad(
            scores,
            protocol.window // 2,
            mode="symmetric" if protocol.edge == "reflect" else "constant",
        )
        return _medians(padded, protocol.window)
    from scipy import ndimage

    mode = "reflect" if protocol.edge == "reflect" else "constant"
    return np.asarray(
        ndimage.gaussian_filter1d(scores, protocol.sigma, mode=mode, cval=0.0, truncate=TRUNCATE)
    )


def _medians(padded: np.ndarray, window: int) -> np.ndarray:
    """Return the median of each `window` consecutive values of (K + window - 1,), as (K,).

    NumPy's, since scipy.ndimage.median_filter cannot be relied on: it reads unwritten memory where
    the window is longer than what it filters (seen in SciPy 1.13 and 1.17), and has wrong medians
    of long arrays, too, in 1.15.0 and 1.15.1.
    """
    windows = np.lib.stride_tricks.sliding_window_view(padded, window)
    rows = max(1, AT_ONCE // window)
    parts = [
        np.partition(windows[first : first + rows], window // 2, axis=1)[:, window // 2]
        for first in range(0, len(windows), rows)
    ]
    return np.concatenate(parts)


def reach(protocol: Protocol) -> int:
    """Return how many scores before and after a score `smooth` looks at."""
    if protocol.smooth == "none":
        return 0
    return (
        protocol.window // 2
        if protocol.smooth == "median"
        else int(TRUNCATE * protocol.sigma + 0.5)
    )  # as scipy cuts a Gaussian off


def normalise(scores: np.ndarray, protocol: Protocol) -> np.ndarray:
    """Return (K,) scores of one clip, normalised as the protocol says; a constant clip becomes
    0.
    """
    if protocol.normalise == "none" or not len(scores):
        return scores
    low, high = scores.min(), scores.max()
    return np.zeros_like(scores) if high == low else (scores - low) / (high - low)


def process(scores: np.ndarray, protocol: Protocol) -> np.ndarray:
    """Return (K,) float64 scores of one clip, smoothed and normalised in the protocol's order."""
    scores = np.asarray(scores, dtype=np.float64)
    if protocol.order == "smooth-first":
        return normalise(smooth(scores, protocol), protocol)
    return smooth(normalise(scores, protocol), protocol)


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
