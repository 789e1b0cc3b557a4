"""What is scored beside datasets: video files, folders of pictures, and live sources that OpenCV opens."""

from __future__ import annotations

import re
import stat
import urllib.parse
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..dataset import Clip, ImageFiles, VideoFile
from ..errors import DataError
from .cache import file_stem
from .image_files import IMAGE_ENDINGS, VIDEO_ENDINGS, numbered_images


@dataclass(frozen=True)
class Footage:
    """One video: of files (`clip`), or live (`address`).

    Parameters
    ----------
    name : a part of file names.
    shown : how it is called where people read; without the password of an address.
    address : a device's number, or what OpenCV opens.
    """

    name: str
    shown: str
    clip: Clip | None = None
    address: int | str | None = None


def find_footage(source: str) -> list[Footage]:
    """Return what a text means: a device's number or an address (one live source), a video file, or a folder.

    A folder that holds numbered pictures is one video; one that holds video files, or folders of pictures, is several, by name.

    Raises
    ------
    DataError : nothing there, a folder with neither, or pictures without an order.
    """
    if re.fullmatch(r"[0-9]+", source):
        return [Footage(f"device-{source}", f"device {source}", address=int(source))]
    if "://" in source:
        parts = urllib.parse.urlsplit(source)
        place = parts.netloc.rpartition("@")[2]
        path = re.sub(r"[^A-Za-z0-9._-]+", "-", place + parts.path).strip("-.") or "stream"
        return [Footage(path, urllib.parse.urlunsplit((parts.scheme, place, parts.path, "", "")), address=source)]
    path_given = Path(source).expanduser()
    try:
        mode = path_given.stat().st_mode
    except OSError as error:
        raise DataError(
            f"no source {source!r}: {error.strerror or error}; give a video file, a folder of videos or of pictures, the number of a device "
            "(0), or an address (rtsp://...)"
        ) from error
    if stat.S_ISCHR(mode):
        return [Footage(path_given.name, str(path_given), address=str(path_given))]
    if not path_given.is_dir():
        return [_of_file(path_given, path_given.stem, VideoFile(path_given))]
    name = path_given.resolve().name or "frames"
    if pictures := _pictures(path_given):
        return [_of_file(path_given, name, ImageFiles(pictures))]
    found = list(_inside(path_given))
    if not found:
        raise DataError(
            f"{path_given} holds no videos ({', '.join(sorted(VIDEO_ENDINGS))}), no pictures ({', '.join(sorted(IMAGE_ENDINGS))}), "
            "and no folders of pictures"
        )
    times = Counter(path.stem if isinstance(media, VideoFile) else path.name for path, media in found)
    return [
        _of_file(path, path.stem if isinstance(media, VideoFile) and times[path.stem] == 1 else path.name, media) for path, media in found
    ]


def _of_file(path: Path, name: str, media: VideoFile | ImageFiles) -> Footage:
    length = len(media.paths) if isinstance(media, ImageFiles) else None
    return Footage(file_stem(name), str(path), Clip(name, "test", media, length))


def _inside(folder: Path) -> Iterator[tuple[Path, VideoFile | ImageFiles]]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            if pictures := _pictures(path):
                yield path, ImageFiles(pictures)
        elif path.suffix.lower() in VIDEO_ENDINGS:
            yield path, VideoFile(path)


def _pictures(folder: Path) -> tuple[Path, ...]:
    return tuple(numbered_images(folder, sorted(folder.iterdir())).values())
