"""A protocol alone, on plain arrays: `bench.score`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench.contracts.method import Scores, ascend_within
from bench.contracts.metric import Metric
from bench.contracts.protocol import DEFAULT_PROTOCOL, Protocol
from bench.errors import RequestError
from bench.plugins.registry import current
from bench.plugins.selection import select_one
from bench.scoring.evaluate import ClipScores, Result, evaluate, turned_round
from bench.scoring.metrics import choose_metric

OfClips = Mapping[str, Any] | Sequence[Any]
"""One thing a clip: by the clip's id; or a list in the order of the clips, whose ids are then '0',
'1', ..."""


class Number(float):
    """What a protocol and a metric make of scores: a float, as a fraction.

    Where there is none it is NaN, `value` is None, and `reason` says why. `frames`,
    `anomalous_frames` and `clips` count what went in, `clips_left_out` what did not: clips without
    a score and, where each clip or scene has a number of its own, those of one class. `chance` is
    what scores that know nothing get. `note` says what is remarkable: scores that seem to be upside
    down.
    """

    value: float | None
    reason: str
    frames: int
    anomalous_frames: int
    clips: int
    clips_left_out: int
    chance: float | None
    protocol: str
    metric: str
    note: str

    def __new__(cls, result: Result, protocol: str, metric: str, note: str = "") -> Number:
        """Return the number of a result."""
        self = super().__new__(cls, "nan" if result.value is None else result.value)
        vars(self).update(vars(result), protocol=protocol, metric=metric, note=note)
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        kept = {
            name: value
            for name, value in vars(self).items()
            if name not in ("protocol", "metric", "note")
        }
        return _restored, (kept, self.protocol, self.metric, self.note)

    def __repr__(self) -> str:
        number = (
            f"no {self.metric}: {self.reason}"
            if self.value is None
            else f"{self.metric} {self.value:.4f}"
        )
        counts = (
            f"{self.frames} frames, {self.anomalous_frames} anomalous, of {self.clips} "
            f"clip{'s' * (self.clips != 1)}"
        )
        left_out = f", {self.clips_left_out} left out" if self.clips_left_out else ""
        return (
            f"<{number} ({self.protocol}; {counts}{left_out}){'; ' * bool(self.note)}{self.note}>"
        )


def _restored(kept: Mapping[str, Any], protocol: str, metric: str, note: str = "") -> Number:
    return Number(Result(**kept), protocol, metric, note)


def score(
    scores: OfClips,
    labels: OfClips,
    protocol: str | Protocol = DEFAULT_PROTOCOL,
    metric: str = "auc",
    *,
    frames: int | OfClips | None = None,
    scenes: Mapping[str, str] | Sequence[str] | None = None,
) -> Number:
    """Return the number of scores under a protocol, without torch and without a run.

    Parameters
    ----------
    scores : (K,) floats a clip, higher = more anomalous; or `Scores`, which know their frames. A
        dict by clip id, or a list of arrays.
    labels : 0/1 of all (N,) frames of each clip, for the same clips.
    protocol : a selector like 'median17[edge=zero]' (`bench list protocols`), or a `Protocol`.
    metric : 'auc', 'ap', 'eer', or one of a plugin.
    frames : which frames the scores are of, counted from 0: the first scored frame of every clip;
        or for each clip its first, or the (K,) indices. Without it, all frames of a clip must have
        a score.
    scenes : the scene of each clip, for protocols that pool by scene; without it, all clips are of
        one.

    Raises
    ------
    RequestError : arrays that do not fit, with the clip's name and both lengths, or that are no
        plain numbers: masked, text, complex, objects, tensors with a gradient; two clips of one
        name; an unknown protocol or metric. All mistakes at once.

    Example
    -------
    >>> import numpy, bench
    >>> round(bench.score({"01": numpy.arange(40)}, {"01": numpy.arange(40) >= 25}, "raw"), 4)
    1.0
    """
    registry = current()
    mistakes: list[str] = []
    chosen: Protocol | None = protocol if isinstance(protocol, Protocol) else None
    measure: Metric | None = None
    try:
        chosen = chosen or select_one("protocols", str(protocol), registry).parameters
        if chosen.frames == "common":
            mistakes.append(
                "frames=common means the frames that every row of a table scored, and here is "
                "one row; leave it out"
            )
    except RequestError as error:
        mistakes += error.mistakes
    try:
        measure = choose_metric(metric, registry)
    except RequestError as error:
        mistakes += error.mistakes
    clips = _read_clips(scores, labels, frames, scenes, mistakes)
    if mistakes or chosen is None or measure is None:
        raise RequestError(*mistakes)
    result = evaluate(clips, chosen, measure)
    other = turned_round(result.value, clips, chosen, measure)
    note = (
        ""
        if other is None
        else f"probably upside down: normal frames score higher, and -scores have {other:.4f}"
    )
    return Number(result, chosen.name, measure.name, note)


def _read_clips(
    scores: OfClips, labels: OfClips, frames: Any, scenes: Any, mistakes: list[str]
) -> list[ClipScores]:
    """Return the scores of each clip beside its labels; what does not fit is added to the
    mistakes.
    """
    try:
        of_scores, of_labels = _by_clip("scores", scores), _by_clip("labels", labels)
        one = frames is None or (
            isinstance(frames, int | np.integer) and not isinstance(frames, bool)
        )
        first_frame = None if one else _by_clip("frames", frames, numbers=True)
        of_scene = {} if scenes is None else _by_clip("scenes", scenes, numbers=True)
    except RequestError as error:
        mistakes += error.mistakes
        return []
    named = [
        ("labels", of_labels),
        ("frames", first_frame),
        *([] if scenes is None else [("scenes", of_scene)]),
    ]
    for name, found in named:
        if found is not None and found.keys() != of_scores.keys():
            for verb, other, keys in (
                ("lack", "have", [key for key in of_scores if key not in found]),
                ("have", "lack", [key for key in found if key not in of_scores]),
            ):
                clips_named = f"clip{'s' * (len(keys) > 1)} {', '.join(keys)}"
                if keys:
                    mistakes.append(f"{name} {verb} {clips_named}, which the scores {other}")
    clips = []
    for clip in [clip for clip in of_scores if clip in of_labels]:
        given = frames if first_frame is None else first_frame.get(clip)
        try:
            clips.append(
                _read_clip(
                    clip, of_scores[clip], of_labels[clip], given, str(of_scene.get(clip, ""))
                )
            )
        except RequestError as error:
            mistakes += error.mistakes
    return clips


def _by_clip(name: str, given: Any, numbers: bool = False) -> dict[str, Any]:
    """Return one thing a clip, by its id; `numbers` says whether it may be a single number or
    name.
    """
    named = isinstance(given, Mapping) or (
        hasattr(given, "keys") and hasattr(given, "items")
    )  # a pandas Series, a group of HDF5
    try:
        found = list(given.items() if named else enumerate(given))
    except TypeError:  # neither; or without a dimension
        found = [(0, given)]
        named = numbers = False
    unordered = isinstance(given, str | bytes | set | frozenset) or not hasattr(given, "__len__")
    if unordered or (not numbers and any(np.isscalar(value) for _, value in found)):
        raise RequestError(
            f"{name}: expected one array a clip, as a dict by clip id or as a list; a protocol "
            "works clip by clip, so cut one long array at "
            "the ends of the clips: numpy.split(array, numpy.cumsum(lengths)[:-1])"
            if name in ("scores", "labels")
            else f"{name}: {given!r} says nothing of each clip; expected a dict by clip id, a list"
            + ", or a whole number" * (name == "frames")
        )
    clips: dict[str, Any] = {}
    for key, value in found:
        if not isinstance(key, str | int | np.integer) or isinstance(key, bool):
            raise RequestError(
                f"{name}: {key!r} is no id of a clip, which is a text or a whole number"
            )
        if str(key) in clips:
            raise RequestError(
                f"{name}: two keys stand for clip {str(key)!r}; ids are compared as texts, so "
                "keep one of them"
            )
        clips[str(key)] = value
    return clips


KINDS = {
    "U": "text",
    "S": "text",
    "T": "text",
    "O": "objects",
    "c": "complex numbers",
    "M": "dates",
    "m": "durations",
}
"""What arrays of a kind hold that is no plain number (`numpy.dtype.kind`)."""
EXPECTED = {
    "scores": "numbers",
    "labels": "0 for normal and 1 for anomalous frames, as (labels == 'abnormal').astype(int) "
    "makes of names",
    "frames": "whole numbers",
}
MASKED = {
    "scores": "leave these frames out: x.compressed(), with "
    "frames=numpy.flatnonzero(~numpy.ma.getmaskarray(x))",
    "labels": "each frame of a clip must have a label",
    "frames": "leave these out, in the scores too",
}


def _numbers(clip: str, name: str, given: Any) -> np.ndarray:
    """Return an array of plain numbers.

    Raises
    ------
    RequestError : what cannot be read as one, and what would lose something on the way: a mask, an
        imaginary part.
    """
    if np.ma.isMaskedArray(given):
        if masked := int(np.ma.getmaskarray(given).sum()):
            raise RequestError(
                f"clip {clip}: {name} are masked in {masked} of {given.size} places; {MASKED[name]}"
            )
        given = given.data
    try:
        array = np.asarray(given)
    except (
        Exception
    ) as error:  # whatever the class of what is given raises, e.g. torch a RuntimeError
        advice = "; give tensor.detach().cpu().float().numpy()" if hasattr(given, "detach") else ""
        raise RequestError(
            f"clip {clip}: {name} cannot be read as numbers: {' '.join(str(error).split())}{advice}"
        ) from error
    if not array.size:
        return np.zeros(array.shape, dtype=np.int64)
    if array.dtype.kind not in "fiub":
        some = ", ".join(dict.fromkeys(repr(value) for value in array.reshape(-1).tolist()[:4]))
        kind = KINDS.get(array.dtype.kind, f"of type {array.dtype}")
        raise RequestError(f"clip {clip}: {name} are {kind} ({some}), expected {EXPECTED[name]}")
    return array


def _read_clip(clip: str, scores: Any, labels: Any, frames: Any, scene: str) -> ClipScores:
    if isinstance(scores, Scores):
        scores, frames = scores.values, scores.frames if frames is None else frames
    values, truth = _numbers(clip, "scores", scores), _numbers(clip, "labels", labels)
    for name, array in (("scores", values), ("labels", truth)):
        if array.ndim != 1:
            raise RequestError(
                f"clip {clip}: {name} have the shape {array.shape}, expected one number a frame: "
                "(N,)"
            )
    if not np.isin(truth, (0, 1)).all():
        raise RequestError(
            f"clip {clip}: labels must be 0 or 1, here are "
            f"{', '.join(map(str, np.unique(truth)[:4]))}"
        )
    if not np.isfinite(values).all():
        raise RequestError(
            f"clip {clip}: {int((~np.isfinite(values)).sum())} of {len(values)} scores are NaN "
            "or infinite"
        )
    places = _indices(clip, frames, len(values), len(truth))
    return ClipScores(clip, scene, values.astype(np.float64), places, truth.astype(np.uint8))


def _indices(clip: str, frames: Any, count: int, length: int) -> np.ndarray:
    """Return the (count,) frames that have a score, of a clip of `length` frames."""
    if frames is None:
        if count > length:
            raise RequestError(
                f"clip {clip}: {count} scores and only {length} labels: they are not of the same "
                "frames"
            )
        if count not in (0, length):
            raise RequestError(
                f"clip {clip}: {count} scores, {length} labels; say with frames= which frames "
                f"the scores are of: frames={length - count} if "
                "of the last frames of a clip, frames=0 if of the first ones, or what lies "
                "between, as in the middle of windows; or for each "
                "clip the indices"
            )
        return np.arange(count)
    indices = _numbers(clip, "frames", frames)
    if indices.ndim == 0 and np.issubdtype(indices.dtype, np.integer):
        first = int(indices)
        if first < 0 or first + count > length:
            raise RequestError(
                f"clip {clip}: {count} scores from frame {first} on do not fit into {length} labels"
            )
        return first + np.arange(count)
    if indices.ndim != 1 or len(indices) != count:
        raise RequestError(
            f"clip {clip}: {count} scores, and frames of the shape {indices.shape}; expected one "
            "index a score"
        )
    if not (np.issubdtype(indices.dtype, np.integer) and ascend_within(indices, length)):
        raise RequestError(
            f"clip {clip}: frames must be whole numbers from 0, ascending and below {length}, "
            "the number of labels"
        )
    return indices.astype(np.int64)
