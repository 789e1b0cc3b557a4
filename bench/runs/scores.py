"""scores.npz: the scores of a cell, clip by clip."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bench.contracts.method import Scores, ascend_within
from bench.errors import RunError
from bench.files.whole_files import npz, read_npz, write_bytes

_AGAIN = "as no method's are written; the same `bench run` line with --force repeats the cell"


def write_scores(path: Path, scores: Mapping[str, Scores]) -> None:
    """Write scores: for each clip `ID` float32 and `ID.frames` int32."""
    arrays: dict[str, np.ndarray] = {}
    for clip, result in scores.items():
        arrays[clip] = np.asarray(result.values, dtype=np.float32)
        arrays[f"{clip}.frames"] = np.asarray(result.frames, dtype=np.int32)
    write_bytes(path, npz(arrays))


def read_scores(path: Path) -> dict[str, Scores]:
    """Read what `write_scores` wrote.

    Raises
    ------
    RunError : absent or damaged.
    """
    arrays = read_npz(path)
    clips = [key for key in arrays if not key.endswith(".frames")]
    try:
        found = {clip: Scores(arrays[clip], arrays[f"{clip}.frames"]) for clip in clips}
    except KeyError as error:
        raise RunError(f"{path} has no array {error}") from error
    for clip, scores in found.items():
        values, frames = scores.values, scores.frames
        if (
            values.dtype != np.float32
            or values.ndim != 1
            or frames.dtype != np.int32
            or frames.shape != values.shape
        ):
            raise RunError(
                f"{path}: clip {clip} has {values.dtype} {values.shape} scores of {frames.dtype} {frames.shape} frames, {_AGAIN}"
            )
        if not (np.isfinite(values).all() and ascend_within(frames)):
            raise RunError(
                f"{path}: the scores of clip {clip} are not finite, or their frames do not ascend from 0, {_AGAIN}"
            )
    return found


def write_epoch_scores(path: Path, epochs: Mapping[int, Mapping[str, Scores]]) -> None:
    """Write the scores of several epochs: as `write_scores`, with `EPOCH/ID` in place of `ID`."""
    write_scores(
        path,
        {
            f"{epoch}/{clip}": found
            for epoch, scores in epochs.items()
            for clip, found in scores.items()
        },
    )


def read_epoch_scores(path: Path) -> dict[int, dict[str, Scores]]:
    """Read what `write_epoch_scores` wrote: epoch, counted from 1 -> clip id -> scores.

    Raises
    ------
    RunError : absent or damaged.
    """
    found: dict[int, dict[str, Scores]] = {}
    for name, scores in read_scores(path).items():
        epoch, slash, clip = name.partition("/")
        if not (slash and epoch.isdecimal()):
            raise RunError(f"{path} has an array {name!r}, which is no EPOCH/CLIP")
        found.setdefault(int(epoch), {})[clip] = scores
    return found
