"""What a folder holds: videos and folders of images, which are read, and all else, which is
passed over and named.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.contracts.clip import ImageFiles, PassedOver, VideoFile
from bench.errors import DataError
from bench.frames.image_files import IMAGE_ENDINGS, numbered_images

# fmt: off
VIDEO_ENDINGS = frozenset(
    {
        ".264", ".265", ".3g2", ".3gp", ".asf", ".avc", ".avi", ".dav", ".divx", ".dv",
        ".f4v", ".flv", ".gif", ".h264", ".h265", ".hevc", ".ivf", ".m1v", ".m2p", ".m2t",
        ".m2ts", ".m2v", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mod", ".mov", ".mp4", ".mp4v",
        ".mpe", ".mpeg", ".mpg", ".mpv", ".mts", ".mxf", ".nut", ".ogm", ".ogv", ".qt",
        ".rm", ".tod", ".tp", ".trp", ".ts", ".vob", ".webm", ".wmv", ".wtv", ".xvid",
        ".y4m",
    }
)
# fmt: on
"""Endings, in lower case, of videos that FFmpeg reads, whose decoders both OpenCV and PyAV have.
What a file is, its content tells."""

_OF_SYSTEMS = frozenset(
    {"thumbs.db", "desktop.ini", "__macosx", "$recycle.bin", "system volume information"}
)
"""What systems leave in folders, in lower case; names with a dot in front are left out as well."""
_DEEPEST = 3
"""Folders below one that is passed over in which a frame is looked for, to say where it lies."""
_SHOWN = 3


@dataclass(frozen=True)
class Media:
    """The frames of one clip."""

    path: Path
    """The video file, or the folder of the images."""
    source: VideoFile | ImageFiles
    first: int = 0
    """The number in the name of the first image."""

    @property
    def name(self) -> str:
        """The name without the ending of a video."""
        return self.path.stem if isinstance(self.source, VideoFile) else self.path.name


@dataclass(frozen=True)
class FolderContent:
    """The entries of a folder, by name."""

    clips: tuple[Media, ...]
    """Its videos, and the folders of images in it."""
    images: tuple[Path, ...]
    """The images in the folder itself, in no order."""
    passed_over: tuple[PassedOver, ...]
    """Everything else but what systems leave behind."""


def look_into(
    folder: Path,
    wanted: Callable[[str], bool] = lambda name: True,
    starts: tuple[int, ...] | None = None,
) -> FolderContent:
    """Say of each entry of a folder whether it is a clip, an image, or passed over, and why.

    Parameters
    ----------
    wanted : called with the name of a folder, or of a video without its ending; what is refused is
        passed over.
    starts : numbers that the first image of a clip may have; None: any.

    Raises
    ------
    DataError : an unreadable folder, or images of a clip without an order (`numbered_images`).
    """
    clips: list[Media] = []
    images: list[Path] = []
    passed: list[PassedOver] = []
    for entry in _entries(folder):
        path = folder / entry.name
        kind = path.suffix.lower()
        if entry.is_dir():
            if not wanted(path.name):
                passed.append(PassedOver(path, "no clip by its name", False))
                continue
            if numbered := numbered_images(path, images_in(path), starts):
                clips.append(
                    Media(path, ImageFiles(tuple(numbered.values())), next(iter(numbered)))
                )
                passed += beside_images(path)
            else:
                passed.append(_folder_without_images(folder, path))
        elif not entry.is_file():
            passed.append(_no_file(path))
        elif kind in VIDEO_ENDINGS:
            if wanted(path.stem):
                clips.append(Media(path, VideoFile(path)))
            else:
                passed.append(PassedOver(path, "no clip by its name", False))
        elif kind in IMAGE_ENDINGS:
            images.append(path)
        else:
            passed.append(_other_file(path))
    return FolderContent(tuple(clips), tuple(images), tuple(passed))


def images_in(folder: Path) -> list[Path]:
    """Return the images in a folder itself, by name.

    Raises
    ------
    DataError : the folder cannot be read.
    """
    paths = [folder / entry.name for entry in _entries(folder) if entry.is_file()]
    return [path for path in paths if path.suffix.lower() in IMAGE_ENDINGS]


def beside_images(folder: Path) -> list[PassedOver]:
    """Return what else lies in a folder whose images are one clip.

    Raises
    ------
    DataError : the folder, or one in it, cannot be read.
    """
    found = []
    for entry in _entries(folder):
        path = folder / entry.name
        kind = path.suffix.lower()
        if entry.is_dir():
            found.append(
                PassedOver(path, "a folder among the images of a clip", bool(_some_frame(path)))
            )
        elif not entry.is_file():
            found.append(_no_file(path))
        elif kind in VIDEO_ENDINGS:
            found.append(PassedOver(path, "a video among the images of a clip"))
        elif kind not in IMAGE_ENDINGS:
            found.append(_other_file(path))
    return found


def note_of(found: Iterable[PassedOver], root: Path | None) -> str:
    """Return a line about what was passed over and may hold frames; empty where nothing does."""
    paths = [one.path for one in found if one.may_hold_frames]
    names = [
        str(path.relative_to(root) if root is not None and path.is_relative_to(root) else path)
        for path in paths
    ]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (
        f"passed over: {', '.join(names[:_SHOWN])}{more} (bench verify tells why)" if names else ""
    )


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """Return what lies in a folder, sorted by name, without what begins with a dot, and what
    systems leave in folders.
    """
    try:
        with os.scandir(folder) as found:
            named = [
                entry
                for entry in found
                if not entry.name.startswith(".") and entry.name.lower() not in _OF_SYSTEMS
            ]
    except OSError as error:
        raise DataError(f"the folder {folder} cannot be read: {error.strerror or error}") from error
    return sorted(named, key=lambda entry: entry.name)


def _no_file(path: Path) -> PassedOver:
    return PassedOver(path, "a broken link, or not a regular file")


def _folder_without_images(parent: Path, folder: Path) -> PassedOver:
    if frame := _some_frame(folder):
        return PassedOver(
            folder,
            f"one folder too many: {frame.relative_to(folder)} lies in it; videos, and folders of images, belong in {parent} itself",
        )
    inside = _entries(folder)
    if not inside:
        return PassedOver(folder, "an empty folder")
    others = [_other_file(folder / entry.name) for entry in inside if entry.is_file()]
    frames = next((one for one in others if one.may_hold_frames), None)
    if frames is not None:
        return PassedOver(
            folder, f"no supported image in it: {frames.path.name} is {frames.reason}"
        )
    return PassedOver(folder, "no supported image in it", False)


def _some_frame(folder: Path) -> Path | None:
    """Return a video or image below a folder, the first by name in the highest place."""
    level: Sequence[Path] = [folder]
    for _ in range(_DEEPEST):
        below: list[Path] = []
        for one in level:
            for entry in _entries(one):
                path = one / entry.name
                if entry.is_dir(follow_symlinks=False):
                    below.append(path)
                elif path.suffix.lower() in VIDEO_ENDINGS | IMAGE_ENDINGS:
                    return path
        level = below
    return None


def _other_file(path: Path) -> PassedOver:
    try:
        with path.open("rb") as file:
            is_text = b"\0" not in file.read(4096)
    except OSError as error:
        return PassedOver(path, f"it cannot be read: {error.strerror or error}")
    kind = path.suffix or "no ending"
    return PassedOver(
        path,
        f"a text file ({kind})" if is_text else f"not a supported file type ({kind})",
        not is_text,
    )
