"""The levels at which regions of error maps are kept, taken from training clips."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bench.contracts.method import Context, OpenClip
from bench.contracts.network_method import NetworkMethod

STRETCHES, STRETCH = 25, 8
"""Training windows that the levels are taken from: stretches, and windows in a row in each. Chosen
here: 200 maps are 25 batches of the engine, a small part of what scoring the test clips takes, and
steady enough for 20 quantiles."""
QUANTILES, EVENLY = 20, 30
"""Levels at quantiles of the largest values of the training maps, and evenly spaced from below to
above them: 50 in all."""


def training_levels(
    method: NetworkMethod, clips: Sequence[OpenClip], context: Context
) -> np.ndarray:
    """Return the levels at which regions are kept, (50,) float32, ascending, from maps of training
    windows; (0,) where there are none.

    The same windows for every seed, drawn without repetition among stretches that do not overlap.
    No test frame takes part.
    """
    whole = method.window.span + STRETCH - 1
    stretches = [
        (clip, start)
        for clip in clips
        for start in range(0, max(1, clip.length - whole + 1), whole)
    ]
    chosen = np.random.default_rng(0).permutation(len(stretches))[:STRETCHES]
    largest: list[float] = []
    usual: list[float] = []

    def take(
        method: NetworkMethod, clip: OpenClip, frame: int, found: dict[str, np.ndarray]
    ) -> None:
        if "map" in found:
            largest.append(float(found["map"].max()))
            usual.append(float(np.median(found["map"])))

    # A copy, since a method may carry something from clip to clip, and scores must not depend on
    # what is kept.
    method, quiet = (
        copy.deepcopy(method),
        replace(context, images=take, test_lengths={}, step=lambda done, total, what: None),
    )
    for number in sorted(chosen):
        clip, start = stretches[number]
        stop = min(start + whole, clip.length)

        def cut(clip: OpenClip = clip, start: int = start, stop: int = stop) -> np.ndarray:
            return clip.frames[start:stop]

        method.score(replace(clip, length=stop - start, opener=cut, _frames=None), quiet)
    return (
        levels_of(np.asarray(largest), float(np.median(usual)))
        if largest
        else np.zeros(0, dtype=np.float32)
    )


def levels_of(largest: np.ndarray, usual: float) -> np.ndarray:
    """Return 50 levels, (50,) float32, ascending.

    False regions a frame of normal video fall from at least 1 to 0 between the smallest and the
    largest of the maps' largest values: the span of RBDC and TBDC. 20 levels are quantiles of these
    values, from the smallest to the largest; test maps may lie lower, and mostly lie higher, so 30
    more are evenly spaced from 3/4 of the way up to the smallest to half as far again beyond the
    largest. Chosen here: there is no source; on Ped2 (profile smoke) 9 to 18 of the levels fall
    between 0 and 1 false regions a frame.

    Parameters
    ----------
    largest : (M,) the largest value of each training map. `usual` : the median of all their values,
        from which ways are measured.
    """
    low, high = float(largest.min()), float(largest.max())
    even = np.linspace(usual + 0.75 * (low - usual), usual + 1.5 * (high - usual), EVENLY)
    return np.sort(
        np.concatenate([even, np.quantile(largest, np.linspace(0, 1, QUANTILES))])
    ).astype(np.float32)
