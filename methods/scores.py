"""Scores that were made elsewhere, read from a file."""

from __future__ import annotations

import re
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
    PublishedAUC,
    Scores,
    ascend_within,
    parameter,
)

from .score_files.clip_names import FRAMES, by_clip, some
from .score_files.collection import read_collection
from .score_files.formats import read_arrays

SOURCE = "given with the scores"
"""Of a published number that the user typed."""


@dataclass(frozen=True)
class ScoresParameters:
    """Parameters of scores."""

    path: Path = parameter(
        source="the user's file",
        doc="npz, npy, csv or mat file of scores by clip id, or in clip order; {dataset} stands for the dataset's name; or a collection of such files (csv with columns name and path)",
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
    keys: str = parameter(
        "",
        source="none: depends on the file",
        doc="key of a clip in the file, with {clip} for its id, as Test{clip}_pred; none: the id, or a key with the same numbers",
    )
    published: str = parameter(
        "",
        unit="percent",
        source="none: depends on the file",
        doc="frame AUC that its paper prints for each dataset, as ped2:99.7+avenue:92.8",
    )
    paper_protocol: str = parameter(
        "",
        source="none: depends on the file",
        doc="protocol under which its paper measured these, as raw or raw[labels=pixel]; none: not known",
    )

    def __post_init__(self) -> None:
        published_numbers(self.published)


class ReadScores(Method):
    """Scores from a file (npz, npy, csv, mat): of each test clip, under the clip's id."""

    name = "scores"
    info = MethodInfo(
        display_name="Scores",
        title="Scores from a file",
        family="from a file",
        inputs="a file of scores",
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

    @classmethod
    def expand(
        cls, values: Mapping[str, Sequence[str]]
    ) -> Sequence[tuple[Mapping[str, str], str]] | None:
        """Return a row for each line of a collection, where `path` names one."""
        if len(values.get("path", ())) != 1:
            return None
        rows = read_collection(Path(values["path"][0]).expanduser())
        if rows is not None and len(values) > 1:
            more = next(key for key in values if key != "path")
            raise ValueError(f"a collection has {more} as a column; leave it out here")
        return rows

    @property
    def published(self) -> tuple[PublishedAUC, ...]:
        """What the user says that the paper prints."""
        numbers = published_numbers(self.parameters.published)
        return tuple(PublishedAUC(dataset, auc, SOURCE) for dataset, auc in numbers.items())

    @property
    def paper_protocol(self) -> str:
        """What the user says of it."""
        return str(self.parameters.paper_protocol)

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
        lengths, others = context.test_lengths, context.other_test_clips
        arrays, said = by_clip(
            str(path),
            read_arrays(path),
            lengths,
            others,
            self.parameters.keys,
            self.parameters.first,
        )
        if said:
            context.logger.info("%s: %s", path, said)
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
            mistakes = [f"it has no scores of {some(missing)}"] * bool(missing) + [
                f"it has {some(extra)}, no test clip"
            ] * bool(extra)
            raise MethodError(
                f"{path} does not fit the test clips: {'; '.join(mistakes)}. "
                f"Its keys must be the {len(lengths)} clip ids, like {some(list(lengths)[:2])}"
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


def published_numbers(text: str) -> dict[str, str]:
    """Return the frame AUC of each dataset in a text like 'ped2:99.7+avenue:92.8', as it stands
    there.

    Raises
    ------
    ValueError : the text is none of that form, or a number is no percentage.
    """
    numbers = {}
    for part in filter(None, re.split(r"[+;\s]+", text)):
        dataset, _, number = part.rpartition(":")
        if not dataset or not re.fullmatch(r"\d{1,3}(\.\d+)?", number) or float(number) > 100:
            raise ValueError(
                f"published={text}: {part!r} is no dataset with a percentage, like ped2:99.7"
            )
        numbers[dataset] = number
    return numbers


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


def _vector(path: Path, key: str, array: np.ndarray) -> np.ndarray:
    if array.ndim == 2 and 1 in array.shape:
        array = array.ravel()
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
