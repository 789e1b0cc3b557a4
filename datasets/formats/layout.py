"""Where datasets lie and how their files are named: finding copies, clips, and the frames of a clip
in order.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench import (
    Clip,
    DataError,
    ImageFiles,
    Media,
    PassedOver,
    Split,
    VideoFile,
    look_into,
    numbered_images,
)

from .unreadable import is_lfs_pointer

DEPTH = 3
"""How many folders below a data folder a dataset may lie: 'UCSD_Anomaly_Dataset.v1p2/UCSDped2' is
two."""

Kind = Literal["images", "videos"]
_SHOWN_KINDS: Mapping[Kind, str] = {"images": "folders of images", "videos": "videos"}
ClipId = Callable[[str, Split], str | None]
"""Returns the one id of a clip by the name of its folder or file, or None where that is no clip."""


@dataclass(frozen=True)
class ClipFolder:
    """A folder, relative to the dataset's, that may hold the clips of one split: folders of images,
    or video files.
    """

    split: Split
    path: str
    kind: Kind


def entries(folder: Path) -> list[os.DirEntry[str]]:
    """Return what lies in a folder, sorted by name, without what begins with a dot ('.DS_Store',
    '._001.tif').

    Raises
    ------
    DataError : the folder cannot be read.
    """
    try:
        with os.scandir(folder) as found:
            return sorted(
                (entry for entry in found if not entry.name.startswith(".")),
                key=lambda entry: entry.name,
            )
    except OSError as error:
        raise DataError(f"the folder {folder} cannot be read: {error.strerror or error}") from error


def same_name(one: str, other: str) -> bool:
    """Whether two names of folders or files differ in case, blanks, hyphens and underscores
    only.
    """
    return _plain(one) == _plain(other)


def _plain(name: str) -> str:
    return re.sub(r"[ _-]", "", name).casefold()


def find_below(folder: Path, relative: str) -> list[Path]:
    """Return what `relative` ('training/frames') means below a folder, whatever the case; several
    where names differ in that only.
    """
    found = [folder]
    for name in relative.split("/"):
        found = [
            folder / entry.name
            for folder in found
            if folder.is_dir()
            for entry in entries(folder)
            if same_name(entry.name, name)
        ]
    return found


def find_copies(
    roots: Sequence[Path],
    names: Iterable[str],
    is_copy: Callable[[Path], bool],
    has_frames: Callable[[Path], bool],
) -> list[Path]:
    """Return the folders with one of these names that `is_copy` accepts, at most `DEPTH` below the
    roots, or roots themselves.

    A link may have such a name, or lead to a folder that has. The same real folder, reached twice,
    is one copy. One without frames gives way to those in it that have some: what was unpacked side
    by side into a folder of the dataset's name.
    """
    plain = {_plain(name) for name in names}
    found: dict[Path, Path] = {}
    for root in roots:
        if root.is_dir():
            for folder in _search(root, plain, is_copy, has_frames, DEPTH):
                found.setdefault(folder.resolve(), folder)
    return list(found.values())


def _search(
    folder: Path,
    names: set[str],
    is_copy: Callable[[Path], bool],
    has_frames: Callable[[Path], bool],
    depth: int,
) -> Iterator[Path]:
    called = {_plain(folder.name), _plain(folder.resolve().name)}
    here = not called.isdisjoint(names) and is_copy(folder)
    if here and has_frames(folder):
        yield folder
        return
    below = list(_search_below(folder, names, is_copy, has_frames, depth)) if depth else []
    with_frames = [one for one in below if has_frames(one)]
    if here:
        yield from with_frames or [folder]
    else:
        yield from below


def _search_below(
    folder: Path,
    names: set[str],
    is_copy: Callable[[Path], bool],
    has_frames: Callable[[Path], bool],
    depth: int,
) -> Iterator[Path]:
    try:
        below = [folder / entry.name for entry in entries(folder) if entry.is_dir()]
    except DataError:
        return  # a folder of others, which may not be read, is not the dataset
    for one in below:
        yield from _search(one, names, is_copy, has_frames, depth - 1)


@dataclass(frozen=True)
class Found:
    """What a folder that may hold the clips of one split holds."""

    clips: tuple[Clip, ...]
    """Sorted by id, without scene."""
    images: tuple[Path, ...]
    """Images that lie in the folder itself."""
    passed_over: tuple[PassedOver, ...]


def find_clips(
    folder: Path,
    split: Split,
    kinds: Collection[Kind],
    clip_id: ClipId,
    starts: tuple[int, ...] | None = (0, 1),
) -> Found:
    """Return the clips in a folder, and what else lies there.

    Parameters
    ----------
    kinds : what is read of it; clips of another kind are passed over.
    starts : numbers that the first frame of a clip may have; None: any.

    Raises
    ------
    DataError : two clips with one id, a gap in the frame numbers, a Git LFS pointer, an unreadable
        folder.
    """
    content = look_into(folder, lambda name: clip_id(name, split) is not None, starts)
    found: dict[str, Media] = {}
    passed = list(content.passed_over)
    for media in content.clips:
        kind: Kind = "videos" if isinstance(media.source, VideoFile) else "images"
        name = clip_id(media.name, split)
        if name is None or kind not in kinds:
            kinds_read = " or ".join(_SHOWN_KINDS[one] for one in kinds)
            passed.append(
                PassedOver(media.path, f"{_SHOWN_KINDS[kind]}, where {kinds_read} are read")
            )
            continue
        for path in (
            (media.source.path,) if isinstance(media.source, VideoFile) else media.source.paths
        ):
            _refuse_no_content(path)
        other = found.setdefault(name, media)
        if other is not media:
            raise DataError(
                f"two clips have the id {name!r}: {other.path} and {media.path}; move one away, or rename one"
            )
    images = {name: media for name, media in found.items() if isinstance(media.source, ImageFiles)}
    if starts is not None:
        _compare_first_numbers(images)
    clips = tuple(
        Clip(
            name,
            split,
            media.source,
            len(media.source.paths) if isinstance(media.source, ImageFiles) else None,
        )
        for name, media in sorted(found.items())
    )
    return Found(clips, content.images, tuple(passed))


def _compare_first_numbers(clips: Mapping[str, Media]) -> None:
    """Refuse a clip that begins at 1 where others begin at 0: its first frame was lost."""
    if {media.first for media in clips.values()} == {0, 1}:
        late = [name for name, media in clips.items() if media.first == 1]
        early = [name for name, media in clips.items() if media.first == 0]
        raise DataError(
            f"clip {late[0]} begins with frame number 1, clip {early[0]} with 0: frame 0 is missing in {clips[late[0]].path}, "
            f"or the clips were numbered in two ways ({len(late)} of {len(clips)} begin with 1); "
            "copy the clip again, or number its files alike"
        )


def frame_files(folder: Path, starts: tuple[int, ...] | None = (0, 1)) -> dict[int, Path]:
    """Return the images in a folder by the number in their names, ascending, and without a gap.

    Raises
    ------
    DataError : two images of one number, a missing number, a first number not in `starts`, a Git
        LFS pointer, an empty file.
    """
    numbered = numbered_images(
        folder, (folder / entry.name for entry in entries(folder) if entry.is_file()), starts
    )
    for path in numbered.values():
        _refuse_no_content(path)
    return numbered


def _refuse_no_content(path: Path) -> None:
    size = path.stat().st_size
    if size == 0:
        raise DataError(f"{path} is empty (0 bytes); copy or unpack it again")
    if is_lfs_pointer(path, size):
        raise DataError(
            f"{path} is a Git LFS pointer ({size} bytes), not the image or video itself; fetch it with `git lfs pull` in its repository"
        )


def two_copies(name: str, paths: Sequence[Path], hint: str) -> DataError:
    """Return the refusal of several copies of a dataset, or of one of its splits."""
    return DataError(
        f"{name}: {len(paths)} copies are here: {' and '.join(str(path) for path in paths)}; {hint}"
    )
