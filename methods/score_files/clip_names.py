"""Whose scores the arrays of a file are: by clip id, by a pattern, by numbers, by order."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np

from bench import MethodError, natural_order

FRAMES = ".frames"
"""After a clip's id: the array of the frames of its scores."""
LABELS = ".labels"
"""After a clip's id: labels, which are not read."""
SHOWN = 6
"""Clips that an error names before it says how many more there are."""
_POSITIONAL = re.compile(r"arr_[0-9]+")
Named = tuple[dict[str, np.ndarray], str]
"""Arrays by clip id, and what is to be said of how they were named; empty for nothing."""


def some(keys: Sequence[str]) -> str:
    """Return the first of some keys, and how many more there are."""
    shown = ", ".join(repr(key) for key in keys[:SHOWN])
    return shown if len(keys) <= SHOWN else f"{shown} and {len(keys) - SHOWN} more"


def by_clip(
    where: str,
    arrays: Mapping[str, np.ndarray],
    lengths: Mapping[str, int],
    others: frozenset[str],
    pattern: str,
    first: int | None,
) -> Named:
    """Return the arrays of a file under the ids of clips.

    Parameters
    ----------
    where : the file, for errors.
    lengths : frames of each test clip.
    others : test clips of the dataset that are not scored here.
    pattern : the key of a clip, with `{clip}` for its id; empty: the id itself, or what has the
        same numbers in it.
    first : frame of the first score of a clip, where the user said so.

    Raises
    ------
    MethodError : the arrays cannot be told apart.
    """
    whole = sorted({*lengths, *others})
    arrays = {
        unicodedata.normalize("NFC", key): array
        for key, array in arrays.items()
        if not key.endswith(LABELS)
    }
    if not arrays:
        return {}, ""
    if pattern:
        return _by_pattern(where, arrays, whole, pattern), ""
    if {*arrays} & {*whole}:
        return arrays, ""
    if len(arrays) == 1 and len(whole) > 1:
        (flat,) = arrays.values()
        return _split(where, flat, lengths, others, first)
    if all(_POSITIONAL.fullmatch(key) for key in arrays):
        return _in_order(where, arrays, whole if len(arrays) == len(whole) else list(lengths))
    if len(arrays) == 1 and len(whole) == 1:
        return {whole[0]: next(iter(arrays.values()))}, ""
    return _by_numbers(arrays, whole)


def _by_pattern(
    where: str, arrays: Mapping[str, np.ndarray], clips: Sequence[str], pattern: str
) -> dict[str, np.ndarray]:
    keys = {pattern.replace("{clip}", clip): clip for clip in clips}
    found = {
        keys[key.removesuffix(FRAMES)] + key[len(key.removesuffix(FRAMES)) :]: array
        for key, array in arrays.items()
        if key.removesuffix(FRAMES) in keys
    }
    if not found:
        raise MethodError(
            f"{where} has no key like {next(iter(keys), pattern)!r}, as keys={pattern} says; it has {some(list(arrays))}"
        )
    return found


def _by_numbers(arrays: Mapping[str, np.ndarray], clips: Sequence[str]) -> Named:
    """Take 'Test001' for clip '01', where the numbers tell all keys and all clips apart."""
    of_clip = {_numbers(clip): clip for clip in clips}
    of_key = {_numbers(key.removesuffix(FRAMES)) for key in arrays}
    plain = [key for key in arrays if not key.endswith(FRAMES)]
    if len(of_clip) < len(clips) or len(of_key) < len(plain) or not of_key <= {*of_clip}:
        return dict(arrays), ""
    named = {
        of_clip[_numbers(key.removesuffix(FRAMES))] + key[len(key.removesuffix(FRAMES)) :]: array
        for key, array in arrays.items()
    }
    return named, f"keys taken by their numbers: {plain[0]} is clip {next(iter(named))}"


def _numbers(name: str) -> tuple[str, ...]:
    """Return the numbers in a name, without leading zeros; as text, since int() takes no more than
    4300 digits.
    """
    return tuple(digits.lstrip("0") for digits in re.findall(r"[0-9]+", name)) or ("none",)


def _ordered(where: str, clips: Sequence[str]) -> None:
    if natural_order(clips) != list(clips):
        raise MethodError(
            f"{where} holds arrays without names, and the order of the clips is in doubt: by letters {some(clips)}, "
            f"by numbers {some(natural_order(clips))}; name them by clip id"
        )


def _in_order(where: str, arrays: Mapping[str, np.ndarray], clips: Sequence[str]) -> Named:
    """Give arrays that were saved without names to the clips, in order."""
    if len(arrays) != len(clips):
        raise MethodError(
            f"{where} holds {len(arrays)} arrays without names, and there are {len(clips)} test clips; name them by clip id"
        )
    _ordered(where, clips)
    ordered = natural_order(arrays)
    return (
        dict(zip(clips, (arrays[key] for key in ordered))),
        f"arrays without names, taken in clip order: {ordered[0]} is clip {clips[0]}, ..., "
        f"{ordered[-1]} is clip {clips[-1]}",
    )


def _split(
    where: str,
    flat: np.ndarray,
    lengths: Mapping[str, int],
    others: frozenset[str],
    first: int | None,
) -> Named:
    """Cut one array of all clips into those of each, in clip order. Where it is shorter than all
    frames, each clip lacks as many.
    """
    if flat.ndim == 2 and 1 in flat.shape:
        flat = flat.ravel()
    clips, total = list(lengths), sum(lengths.values())
    if flat.ndim != 1 or others:
        raise MethodError(
            f"{where} holds one array of shape {flat.shape} for all clips"
            + (", and not all clips of the dataset are here" * bool(others))
            + "; name an array for each by clip id"
        )
    lacking, rest = divmod(total - len(flat), len(clips))
    if rest or not 0 <= lacking < min(lengths.values()) or (lacking and first is None):
        raise MethodError(
            f"{where} holds one array of {len(flat)} scores, and the {len(clips)} test clips have {total} frames; "
            + (
                f"that is {lacking} less for each clip: set first to the frame of the first score"
                if not rest and 0 < lacking < min(lengths.values())
                else "name an array for each clip by its id"
            )
        )
    _ordered(where, clips)
    ends = np.cumsum([lengths[clip] - lacking for clip in clips])
    return (
        dict(zip(clips, np.split(flat, ends[:-1]))),
        f"one array of {len(flat)} scores, cut into the {len(clips)} test clips in their order",
    )
