"""Frames that are image files: their order by the numbers in their names, without a gap."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from bench.errors import DataError
from bench.frames.frame_names import NoOrder, order_of

# fmt: off
IMAGE_ENDINGS = frozenset(
    {
        ".bmp", ".dib", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pam", ".pbm", ".pgm",
        ".png", ".pnm", ".ppm", ".ras", ".sr", ".tif", ".tiff", ".webp",
    }
)
# fmt: on
"""Endings, in lower case, of images that OpenCV's wheels read with 8 bits a channel."""


def numbered_images(
    folder: Path, paths: Iterable[Path], starts: tuple[int, ...] | None = None
) -> dict[int, Path]:
    """Return the images among the files of a folder in their order, by frame number, ascending
    and without a gap.

    A lost frame is a jump in what moves, and shifts every label behind it: so a gap is refused.
    Images that are named by the time at which they were taken are in the order of their times,
    numbered from 0; there a lost one cannot be seen.

    Parameters
    ----------
    folder : named in errors.
    paths : what lies in it; other files are left out, and what begins with a dot ('._001.tif').
    starts : numbers that the first image may have; None: any.

    Raises
    ------
    DataError : an image without a number, two of one number, a missing number, a first number not
        in `starts`, names that can be read in two ways which contradict each other.
    """
    images = [
        path
        for path in paths
        if not path.name.startswith(".") and path.suffix.lower() in IMAGE_ENDINGS
    ]
    stems: dict[str, Path] = {}
    for path in images:
        numbers = re.findall("[0-9]+", path.stem)
        if not numbers:
            raise DataError(
                f"{path} has no number in its name, so its place among the frames is unknown; number it, or move it away"
            )
        other = stems.setdefault(path.stem, path)
        if other is not path:
            raise DataError(
                f"{other} and {path} have the same frame number, {int(numbers[-1])}; move one away"
            )
    if not images:
        return {}
    try:
        order = order_of([path.name for path in images])
    except NoOrder as error:
        raise DataError(f"{folder}: {error}") from error
    found = range(len(images)) if order.numbers is None else order.numbers
    numbered = {number: images[place] for number, place in zip(found, order.places)}
    _refuse_gaps(folder, numbered, starts)
    return numbered


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
