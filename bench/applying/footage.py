"""Footage outside of datasets: video files, folders of images, and live sources."""

from __future__ import annotations

import re
import stat
import unicodedata
import urllib.parse
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from bench.contracts.clip import Clip, ImageFiles, PassedOver, VideoFile
from bench.errors import DataError
from bench.files.cache import file_stem
from bench.frames.folders import beside_images, images_in, look_into
from bench.frames.image_files import numbered_images

MOST = 5
"""Number of ignored entries of a folder that an error lists."""


@dataclass(frozen=True)
class Footage:
    """One video: of files (`clip`), or live (`address`).

    Parameters
    ----------
    name : used in file names.
    shown : used in messages; an address without its password.
    address : the number of a camera, or an address that OpenCV opens.
    """

    name: str
    shown: str
    clip: Clip | None = None
    address: int | str | None = None


def find_footage(source: str) -> list[Footage]:
    """Return the footage that a text names: the number of a camera or an address (a live source), a
    video file, or a folder.

    A folder of numbered images is one video; a folder of video files or of folders of images is
    several, sorted by name.

    Raises
    ------
    DataError : the source does not exist, the address is none, the folder has neither, or images
        are not numbered.
    """
    if re.fullmatch(r"[0-9]+", source):
        return [Footage(f"device-{source}", f"device {source}", address=int(source))]
    if "://" in source:
        try:
            parts = urllib.parse.urlsplit(source)
        except ValueError as error:
            raise DataError(f"no source {source!r}: {error}; check the address") from error
        place = parts.netloc.rpartition("@")[2]
        path = re.sub(r"[^A-Za-z0-9._-]+", "-", place + parts.path).strip("-.") or "stream"
        return [
            Footage(
                path,
                urllib.parse.urlunsplit((parts.scheme, place, parts.path, "", "")),
                address=source,
            )
        ]
    path_given = Path(source).expanduser()
    try:
        mode = path_given.stat().st_mode
    except OSError as error:
        raise DataError(
            f"no source {source!r}: {error.strerror or error}; give a video file, a folder of "
            "videos or of images, the number of a camera (0), or an address (rtsp://...)"
        ) from error
    if stat.S_ISCHR(mode):
        return [Footage(path_given.name, str(path_given), address=str(path_given))]
    if not path_given.is_dir():
        return [_of_file(path_given, path_given.stem, VideoFile(path_given))]
    if images := numbered_images(path_given, images_in(path_given)):
        return [
            _of_file(
                path_given,
                path_given.resolve().name or "frames",
                ImageFiles(tuple(images.values())),
            )
        ]
    content = look_into(path_given)
    if not content.clips:
        found = [f"{one.path.name}: {one.reason}" for one in content.passed_over[:MOST]]
        raise DataError(
            f"{path_given} contains no videos, no images and no folders of images that can be "
            "read; " + (f"it contains {'; '.join(found)}" if found else "it is empty")
        )
    names = [unicodedata.normalize("NFC", media.name) for media in content.clips]
    times = Counter(names)
    return [
        _of_file(media.path, name if times[name] == 1 else media.path.name, media.source)
        for name, media in zip(names, content.clips)
    ]


def passed_over(source: str) -> list[PassedOver]:
    """Return the entries of a source folder that are ignored, with reasons; empty for other
    sources.

    Raises
    ------
    DataError : as `find_footage`.
    """
    folder = Path(source).expanduser()
    if not folder.is_dir():
        return []
    return beside_images(folder) if images_in(folder) else list(look_into(folder).passed_over)


def _of_file(path: Path, name: str, media: VideoFile | ImageFiles) -> Footage:
    length = len(media.paths) if isinstance(media, ImageFiles) else None
    return Footage(file_stem(name), str(path), Clip(name, "test", media, length))
