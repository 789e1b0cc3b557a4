"""Scores that were made elsewhere, read from an npz file."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from bench import (
    Context,
    Method,
    MethodError,
    MethodInfo,
    OpenClip,
    Scores,
    ascend_within,
    load_npz,
    natural_order,
    parameter,
)

FRAMES = ".frames"
"""After a clip's id: the array of the frames of its scores."""
SHOWN = 6
"""Clips that an error names before it says how many more there are."""
_POSITIONAL = re.compile(r"arr_[0-9]+")


@dataclass(frozen=True)
class ScoresParameters:
    """Parameters of scores."""

    path: Path = parameter(
        source="the user's file",
        doc="npz file of one array for each test clip, by clip id, or in clip order; {dataset} stands for the dataset's name",
    )
    first: int | None = parameter(
        None,
        unit="frames",
        source="none: depends on the file",
        doc="frame that the first score of a clip belongs to; none: each frame has a score; <clip>.frames in the file overrides it",
        minimum=0,
    )
    higher_is: Literal["anomalous", "normal"] = parameter(
        "anomalous", source="none: depends on the file", doc="what a high score means"
    )


class ReadScores(Method):
    """Scores from an npz file: one array for each test clip, under the clip's id."""

    name = "scores"
    info = MethodInfo(
        display_name="Scores",
        title="Scores from a file",
        family="from a file",
        inputs="an npz file",
    )
    Parameters: ClassVar[type] = ScoresParameters
    needs_parameters = True
    uses_seed = False
    frames = None
    needs = frozenset({"lengths"})

    def __init__(self, parameters: Any = None) -> None:
        super().__init__(parameters)
        self._loaded: dict[str, Scores] = {}
        self._path: Path | None = None

    def score(self, clip: OpenClip, context: Context) -> Scores:
        """Return the file's scores of a clip.

        Raises
        ------
        MethodError : a file that cannot be read, clips that it lacks or that the dataset lacks, an
            array that does not fit its clip.
        """
        path = Path(str(self.parameters.path).replace("{dataset}", clip.dataset))
        if path != self._path:
            self._loaded = self._load(path, context)
            self._path = path
        return self._loaded[clip.id]

    def _load(self, path: Path, context: Context) -> dict[str, Scores]:
        """Read the file and check it against all test clips at once."""
        lengths = context.test_lengths
        arrays = _read(path)
        others = context.other_test_clips
        if (
            arrays
            and all(_POSITIONAL.fullmatch(key) for key in arrays)
            and not arrays.keys() & lengths.keys()
        ):
            whole = sorted({*lengths, *others})
            arrays = _in_clip_order(
                path, arrays, whole if len(arrays) == len(whole) else list(lengths), context
            )
        arrays = {unicodedata.normalize("NFC", key): array for key, array in arrays.items()}
        unused = others & arrays.keys()
        if unused:
            context.logger.warning(
                "%s: the scores of %d of its clips were not used: these clips are not scored here",
                path,
                len(unused),
            )
            arrays = {
                key: array
                for key, array in arrays.items()
                if key.removesuffix(FRAMES) not in unused
            }
        frames = {clip + FRAMES for clip in lengths}
        missing = [clip for clip in lengths if clip not in arrays]
        extra = [key for key in arrays if key not in lengths and key not in frames]
        if missing or extra:
            mistakes = [f"it has no scores of {_some(missing)}"] * bool(missing) + [
                f"it has {_some(extra)}, no test clip"
            ] * bool(extra)
            raise MethodError(
                f"{path} does not fit the test clips: {'; '.join(mistakes)}. "
                f"Its keys must be the {len(lengths)} clip ids, like {_some(list(lengths)[:2])}"
            )
        if self.parameters.first is None:
            without = {
                clip: _vector(path, clip, arrays[clip])
                for clip in lengths
                if clip + FRAMES not in arrays
            }
            _refuse_short(
                path, {clip: (len(array), lengths[clip]) for clip, array in without.items()}
            )
        return {clip: self._scores(path, clip, arrays, length) for clip, length in lengths.items()}

    def _scores(
        self, path: Path, clip: str, arrays: Mapping[str, np.ndarray], length: int
    ) -> Scores:
        values = _vector(path, clip, arrays[clip])
        if clip + FRAMES in arrays:
            frames = _frames(path, clip, arrays[clip + FRAMES], len(values), length)
        else:
            first = self.parameters.first or 0
            if first + len(values) > length:
                raise MethodError(
                    f"{path}: clip {clip!r} has {len(values)} scores from frame {first} on, but only {length} frames; "
                    "set first to the frame of the first score, or see whether it is the file of another dataset"
                )
            frames = np.arange(first, first + len(values))
        values = values.astype(np.float64)
        return Scores(-values if self.parameters.higher_is == "normal" else values, frames)


def _refuse_short(path: Path, counts: Mapping[str, tuple[int, int]]) -> None:
    """Refuse clips with fewer scores than frames, but for none: which frames these are of would be
    a guess.

    Parameters
    ----------
    counts : scores and frames of each clip.
    """
    short = {
        clip: (count, length) for clip, (count, length) in counts.items() if 0 < count < length
    }
    if not short:
        return
    clip, (count, length) = next(iter(short.items()))
    lacking = sorted({length - count for count, length in short.values()})
    if len(lacking) == 1:
        number = f"{lacking[0]}"
        fits = (
            f"first={number} if of the last ones, or what lies between, as in the middle of windows"
        )
    else:
        number = f"{lacking[0]} to {lacking[-1]}"
        fits = f"or the arrays <clip>{FRAMES} in the file"
    raise MethodError(
        f"{path}: clip {clip!r} has {count} scores and {length} frames; {len(short)} of {len(counts)} clips lack {number} scores. "
        f"Say which frames the scores are of: first=0 if of the first frames of a clip, {fits}"
    )


def _read(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of an npz file; nothing in it is ever unpickled."""
    wanted = "save it as numpy.savez(path, **{clip: scores})"
    try:
        with path.open("rb") as file:
            if file.read(6) == b"\x93NUMPY":
                raise MethodError(
                    f"{path} holds one array, not an npz of one for each clip; {wanted}"
                )
        return load_npz(path)
    except FileNotFoundError as error:
        raise MethodError(
            f"there is no file {path}; look at the path, and at {{dataset}} in it"
        ) from error
    except OSError as error:
        raise MethodError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise MethodError(
            f"{path} cannot be read as npz ({error}); pickled files and arrays of objects are refused, {wanted}"
        ) from error


def _in_clip_order(
    path: Path, arrays: Mapping[str, np.ndarray], clips: Sequence[str], context: Context
) -> dict[str, np.ndarray]:
    """Give arrays that were saved without names to the clips, in order."""
    if len(arrays) != len(clips):
        raise MethodError(
            f"{path} holds {len(arrays)} arrays without names, and there are {len(clips)} test clips; name them by clip id"
        )
    if natural_order(clips) != list(clips):
        raise MethodError(
            f"{path} holds arrays without names, and the order of the clips is in doubt: by letters {_some(clips)}, "
            f"by numbers {_some(natural_order(clips))}; name them by clip id"
        )
    ordered = sorted(arrays, key=lambda key: int(key.removeprefix("arr_")))
    context.logger.info(
        "%s: arrays without names, taken in clip order: %s is clip %s, ..., %s is clip %s",
        path,
        ordered[0],
        clips[0],
        ordered[-1],
        clips[-1],
    )
    return dict(zip(clips, (arrays[key] for key in ordered)))


def _vector(path: Path, key: str, array: np.ndarray) -> np.ndarray:
    if array.ndim != 1 or array.dtype.kind not in "fiub":
        raise MethodError(
            f"{path}: {key!r} is an array of shape {array.shape} and type {array.dtype}; it must be one row of numbers"
        )
    return array


def _frames(path: Path, clip: str, array: np.ndarray, count: int, length: int) -> np.ndarray:
    """Check the frames that the `count` scores of a clip of `length` frames belong to."""
    frames = _vector(path, clip + FRAMES, array)
    if len(frames) != count or frames.dtype.kind not in "iu":
        raise MethodError(
            f"{path}: clip {clip!r} has {count} scores, and {clip + FRAMES!r} {len(frames)} values of type {frames.dtype}; "
            "it must hold one whole number for each score"
        )
    if not ascend_within(frames, length):
        raise MethodError(
            f"{path}: {clip + FRAMES!r} must ascend within 0..{length - 1}, since clip {clip!r} has {length} frames; "
            f"it runs from {frames.min()} to {frames.max()}"
        )
    return frames.astype(np.int64)


def _some(keys: Sequence[str]) -> str:
    shown = ", ".join(repr(key) for key in keys[:SHOWN])
    return shown if len(keys) <= SHOWN else f"{shown} and {len(keys) - SHOWN} more"
