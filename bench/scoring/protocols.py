"""Protocols: everything between scores and number. Five choices, made for each clip in this order, then pooled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..plugins.hookspecs import hookimpl
from ..plugins.parameters import check_value, parameter, schema

OURS = "no source: the choices that published evaluations differ in"
TRUNCATE = 4.0
"""Sigmas after which a Gaussian is cut off: scipy's default."""
AT_ONCE = 1 << 18
"""Values that the windows of a median hold at once, which bounds the memory (2 MiB)."""


@dataclass(frozen=True)
class Protocol:
    """One point in the space of protocols. Each choice is a parameter: 'median17[edge=zero]'."""

    name: str
    smooth: Literal["none", "median", "gaussian"] = parameter("none", source=OURS, doc="smoothing of the scores of a clip")
    window: int = parameter(17, unit="frames", source="Lappas et al. 2024; HF2-VAD's code", doc="of the median; odd", minimum=1)
    sigma: float = parameter(
        10.0, unit="frames", source="no source: object-centric papers smooth about so far", doc="of the gaussian", minimum=0.0
    )
    edge: Literal["reflect", "zero"] = parameter(
        "reflect",
        source="zero: scipy.signal.medfilt, as HF2-VAD's code; the DDL paper does not say",
        doc="beyond a clip's ends: mirrored, or 0",
    )
    normalise: Literal["none", "clip"] = parameter("none", source=OURS, doc="clip: min-max to 0..1 in each clip; a constant clip becomes 0")
    order: Literal["smooth-first", "normalise-first"] = parameter("smooth-first", source=OURS, doc="which comes first")
    pool: Literal["micro", "macro", "macro-padded", "scene-median", "scene-mean"] = parameter(
        "micro", source="macro: Georgescu et al. 2021; scene-median: Lappas et al. 2024", doc="how the clips become one number"
    )
    labels: str = parameter("default", source=OURS, doc="label set by name, where the dataset has it; default: the dataset's own")
    frames: Literal["own", "common"] = parameter(
        "own", source=OURS, doc="own: all frames a method scored; common: those that every row of the table scored"
    )

    def __post_init__(self) -> None:
        for entry in schema(type(self)):
            check_value(getattr(self, entry.name), entry)
        if self.window % 2 == 0:
            raise ValueError(f"window {self.window}: an odd number of frames from 1 is needed, so that it has a middle")
        if not self.sigma > 0:
            raise ValueError(f"sigma {self.sigma}: must be above 0")
        if self.pool == "macro-padded" and self.normalise != "clip":
            raise ValueError(
                "pool macro-padded adds a score of 0 and one of 1 to each clip, which means something after normalise=clip alone"
            )


def smooth(scores: np.ndarray, protocol: Protocol) -> np.ndarray:
    """Return (K,) scores of one clip, smoothed as the protocol says.

    Mirrored ends repeat the first and the last score: d c b a | a b c d | d c b a, as often as the window needs, so that a clip
    may be shorter than the window.
    """
    if protocol.smooth == "none" or not len(scores):
        return scores
    if protocol.smooth == "median":
        padded = np.pad(scores, protocol.window // 2, mode="symmetric" if protocol.edge == "reflect" else "constant")
        return _medians(padded, protocol.window)
    from scipy import ndimage

    mode = "reflect" if protocol.edge == "reflect" else "constant"
    return np.asarray(ndimage.gaussian_filter1d(scores, protocol.sigma, mode=mode, cval=0.0, truncate=TRUNCATE))


def _medians(padded: np.ndarray, window: int) -> np.ndarray:
    """Return the median of each `window` consecutive values of (K + window - 1,), as (K,).

    NumPy's, since scipy.ndimage.median_filter cannot be relied on: it reads unwritten memory where the window is longer than what it
    filters (seen in SciPy 1.13 and 1.17), and has wrong medians of long arrays, too, in 1.15.0 and 1.15.1.
    """
    windows = np.lib.stride_tricks.sliding_window_view(padded, window)
    rows = max(1, AT_ONCE // window)
    parts = [np.partition(windows[first : first + rows], window // 2, axis=1)[:, window // 2] for first in range(0, len(windows), rows)]
    return np.concatenate(parts)


def reach(protocol: Protocol) -> int:
    """Return how many scores before and after a score `smooth` looks at."""
    if protocol.smooth == "none":
        return 0
    return protocol.window // 2 if protocol.smooth == "median" else int(TRUNCATE * protocol.sigma + 0.5)  # as scipy cuts a Gaussian off


def normalise(scores: np.ndarray, protocol: Protocol) -> np.ndarray:
    """Return (K,) scores of one clip, normalised as the protocol says; a constant clip becomes 0."""
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
    "scene-median": "the median over scenes, the frames of a scene pooled (a dataset without scenes is one)",
    "scene-mean": "the mean over scenes, the frames of a scene pooled (a dataset without scenes is one)",
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
    steps = [smoothing(protocol), normalising] if protocol.order == "smooth-first" else [normalising, smoothing(protocol)]
    words = ", then ".join(step for step in steps if step) or "scores as they are"
    frames = "" if protocol.frames == "own" else "; only frames that every row scored"
    return f"{words}; {POOLING[protocol.pool]}{frames}"


@hookimpl
def bench_protocols() -> list[Protocol]:
    """Offer the protocols that come with bench."""
    return [
        Protocol("median17", smooth="median", normalise="clip"),
        Protocol("ddl", smooth="median", edge="zero", pool="scene-median"),
        Protocol("minmax", normalise="clip"),
        Protocol("raw"),
        Protocol("minmax-median17", smooth="median", normalise="clip", order="normalise-first"),
        Protocol("gaussian10", smooth="gaussian", normalise="clip"),
        Protocol("macro17", smooth="median", normalise="clip", pool="macro"),
        Protocol("macro17-padded", smooth="median", normalise="clip", pool="macro-padded"),
    ]
