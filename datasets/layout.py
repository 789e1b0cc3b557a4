"""Where datasets lie and how their files are named: finding copies, clips, and the frames of a clip in order."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench import VIDEO_ENDINGS, Clip, DataError, ImageFiles, Part, VideoFile, numbered_images

from .labels.stand_ins import lfs_pointer

DEPTH = 3
"""How many folders below a data folder a dataset may lie: 'UCSD_Anomaly_Dataset.v1p2/UCSDped2' is two."""

Kind = Literal["images", "videos"]
ClipId = Callable[[str, Part], str | None]
"""Returns the one id of a clip by the name of its folder or file, or None where that is no clip."""


@dataclass(frozen=True)
class Place:
    """A folder, relative to the dataset's, that may hold the clips of one part: folders of images, or video files."""

    part: Part
    folder: str
    kind: Kind


def entries(folder: Path) -> list[os.DirEntry[str]]:
    """Return what lies in a folder, sorted by name, without what begins with a dot ('.DS_Store', '._001.tif').

    Raises
    ------
    DataError : the folder cannot be read.
    """
    try:
        with os.scandir(folder) as found:
            return sorted((entry for entry in found if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"the folder {folder} cannot be read: {error.strerror or error}") from error


def same_name(one: str, other: str) -> bool:
    """Whether two names of folders or files differ in case, blanks, hyphens and underscores only."""
    return _plain(one) == _plain(other)


def _plain(name: str) -> str:
    return re.sub(r"[ _-]", "", name).casefold()


def find_below(folder: Path, relative: str) -> list[Path]:
    """Return what `relative` ('training/frames') means below a folder, whatever the case; several where names differ in that only."""
    found = [folder]
    for name in relative.split("/"):
        found = [folder / entry.name for folder in found if folder.is_dir() for entry in entries(folder) if same_name(entry.name, name)]
    return found


def find_copies(roots: Sequence[Path], names: Iterable[str], is_copy: Callable[[Path], bool]) -> list[Path]:
    """Return the folders with one of these names that `is_copy` accepts, at most `DEPTH` below the roots, or roots themselves.

    The same real folder, reached twice, is one copy.
    """
    plain = {_plain(name) for name in names}
    found: dict[Path, Path] = {}
    for root in roots:
        if root.is_dir():
            for folder in _search(root, plain, is_copy, DEPTH):
                found.setdefault(folder.resolve(), folder)
    return list(found.values())


def _search(folder: Path, names: set[str], is_copy: Callable[[Path], bool], depth: int) -> Iterator[Path]:
    if _plain(folder.resolve().name) in names and is_copy(folder):
        yield folder
    elif depth:
        try:
            below = [folder / entry.name for entry in entries(folder) if entry.is_dir()]
        except DataError:
            return  # a folder of others, which may not be read, is not the dataset
        for one in below:
            yield from _search(one, names, is_copy, depth - 1)


def find_clips(folder: Path, place: Place, clip_id: ClipId, starts: tuple[int, ...] | None = (0, 1)) -> list[Clip]:
    """Return the clips in a folder, sorted by id, without scene; a folder without pictures is none.

    Parameters
    ----------
    starts : numbers that the first frame of a clip may have; None: any.

    Raises
    ------
    DataError : two clips with one id, a gap in the frame numbers, a Git LFS pointer, an unreadable folder.
    """
    sources: dict[str, tuple[Path, ImageFiles | VideoFile]] = {}
    first_numbers: dict[str, int] = {}
    for entry in entries(folder):
        path = folder / entry.name
        if place.kind == "images":
            name = clip_id(entry.name, place.part) if entry.is_dir() else None
            numbered = frame_files(path, starts) if name else {}
            source: ImageFiles | VideoFile | None = ImageFiles(tuple(numbered.values())) if numbered else None
            first = next(iter(numbered), 0)
        else:
            name = clip_id(path.stem, place.part) if path.suffix.lower() in VIDEO_ENDINGS and entry.is_file() else None
            source, first = (VideoFile(path) if name else None), 0
            if name:
                _refuse_no_content(path, entry.stat().st_size)
        if name is None or source is None:
            continue
        if name in sources:
            raise DataError(f"two clips have the id {name!r}: {sources[name][0]} and {path}; move one away")
        sources[name], first_numbers[name] = (path, source), first
    if starts is not None:
        _compare_first_numbers(sources, first_numbers)
    return [
        Clip(name, place.part, source, len(source.paths) if isinstance(source, ImageFiles) else None)
        for name, (_, source) in sorted(sources.items())
    ]


def _compare_first_numbers(sources: dict[str, tuple[Path, ImageFiles | VideoFile]], first_numbers: dict[str, int]) -> None:
    """Refuse a clip that begins at 1 where others begin at 0: its first frame was lost."""
    if set(first_numbers.values()) == {0, 1}:
        late = [name for name, first in first_numbers.items() if first == 1]
        early = [name for name, first in first_numbers.items() if first == 0]
        path = sources[late[0]][0]
        raise DataError(
            f"clip {late[0]} begins with frame number 1, clip {early[0]} with 0: frame 0 is missing in {path}, "
            f"or the clips were numbered in two ways ({len(late)} of {len(sources)} begin with 1); "
            "copy the clip again, or number its files alike"
        )


def frame_files(folder: Path, starts: tuple[int, ...] | None = (0, 1)) -> dict[int, Path]:
    """Return the pictures in a folder by the number in their names, ascending, and without a gap.

    Raises
    ------
    DataError : two pictures of one number, a missing number, a first number not in `starts`, a Git LFS pointer, an empty file.
    """
    numbered = numbered_images(folder, (folder / entry.name for entry in entries(folder) if entry.is_file()), starts)
    for path in numbered.values():
        _refuse_no_content(path, path.stat().st_size)
    return numbered


def _refuse_no_content(path: Path, size: int) -> None:
    if size == 0:
        raise DataError(f"{path} is empty (0 bytes); copy or unpack it again")
    if lfs_pointer(path, size):
        raise DataError(
            f"{path} is a Git LFS pointer ({size} bytes), not the picture or video itself; fetch it with `git lfs pull` in its repository"
        )


def two_copies(name: str, paths: Sequence[Path], hint: str) -> DataError:
    """Return the refusal of several copies of a dataset, or of one of its parts."""
    return DataError(f"{name}: {len(paths)} copies are here: {' and '.join(str(path) for path in paths)}; {hint}")
