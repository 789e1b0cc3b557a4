"""Frames that are files: which endings are pictures and videos, and the order of pictures by the numbers in their names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from ..errors import DataError

IMAGE_ENDINGS = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff"})
VIDEO_ENDINGS = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv"})
_LAST_NUMBER = re.compile(r"([0-9]+)[^0-9]*$")


def numbered_images(folder: Path, paths: Iterable[Path], starts: tuple[int, ...] | None = None) -> dict[int, Path]:
    """Return the pictures among the files of a folder by the last number in their names, ascending and without a gap.

    A lost frame is a jump in what moves, and shifts every label behind it: so a gap is refused.

    Parameters
    ----------
    folder : named where a number is missing.
    paths : what lies in it; other files are left out, and what begins with a dot ('._001.tif').
    starts : numbers that the first picture may have; None: any.

    Raises
    ------
    DataError : a picture without a number, two of one number, a missing number, a first number not in `starts`.
    """
    numbered: dict[int, Path] = {}
    for path in paths:
        if path.name.startswith(".") or path.suffix.lower() not in IMAGE_ENDINGS:
            continue
        number = _LAST_NUMBER.search(path.stem)
        if number is None:
            raise DataError(f"{path} has no number in its name, so its place among the frames is unknown; number it, or move it away")
        other = numbered.setdefault(int(number[1]), path)
        if other is not path:
            raise DataError(f"{other} and {path} have the same frame number, {int(number[1])}; move one away")
    if numbered:
        _refuse_gaps(folder, numbered, starts)
    return dict(sorted(numbered.items()))


def _refuse_gaps(folder: Path, numbered: dict[int, Path], starts: tuple[int, ...] | None) -> None:
    first, last = min(numbered), max(numbered)
    begin = first if starts is None else min(first, max(starts))
    count = last - begin + 1 - len(numbered)
    if not count:
        return
    missing = []
    for number in range(begin, last):
        if number not in numbered:
            missing.append(str(number))
        if len(missing) == 5:
            break
    some = ", ".join(missing) + (" ..." if count > len(missing) else "")
    raise DataError(
        f"{folder}: the frame{'s' if count > 1 else ''} with number {some} {'are' if count > 1 else 'is'} missing: {len(numbered)} files, "
        f"{numbered[first].name} to {numbered[last].name}; copy or unpack the clip again, or number it without gaps"
    )
