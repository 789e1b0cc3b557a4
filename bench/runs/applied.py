"""The results folder of `bench apply`: scores and events of footage."""

from __future__ import annotations

import csv
import errno
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.errors import RequestError, RunError
from bench.files.whole_files import write_json

FRAME_COLUMNS = ("frame", "time", "score", "smoothed", "above")
EVENT_COLUMNS = (
    "source",
    "event",
    "first_frame",
    "last_frame",
    "start",
    "end",
    "peak",
    "peak_time",
    "closed",
)


class Lines:
    """A CSV file that grows by whole lines: a process that is killed leaves no partial line.

    Raises
    ------
    RunError : it cannot be written. A partial line is removed.
    """

    def __init__(self, path: Path, header: Sequence[str]) -> None:
        self.path, self.size = path, 0
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o666)
        except OSError as error:
            raise _unwritable(path, error) from error
        self.add([header])

    def add(self, rows: Iterable[Sequence[object]]) -> None:
        """Append rows with a single write; None becomes an empty value."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        data = text.getvalue().encode("utf-8")
        try:
            written = os.write(self._file, data) if data else 0
            if written < len(data):
                os.ftruncate(self._file, self.size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise _unwritable(self.path, error) from error
        self.size += len(data)

    def close(self) -> None:
        """Flush the file to disk and close it."""
        os.fsync(self._file)
        os.close(self._file)


def _unwritable(path: Path, error: OSError) -> RunError:
    return RunError(
        f"cannot write {path}: {error.strerror or error}; free space or permission is needed there"
    )


class Applied:
    """The folder: `apply.json` (the cell, the sources and how they ended), `events.csv`, and for
    each source scores/NAME.csv and, if requested, videos/NAME.mp4.

    Raises
    ------
    RequestError : the folder is not empty.
    RunError : it cannot be written.
    """

    def __init__(self, folder: Path, about: Mapping[str, Any]) -> None:
        self.folder, self.about = folder, dict(about)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise RequestError(f"--out {folder} is not empty; name a new folder")
            (folder / "scores").mkdir()
        except OSError as error:
            raise _unwritable(folder, error) from error
        self.write_about([])
        self.events = Lines(folder / "events.csv", EVENT_COLUMNS)

    def write_about(self, sources: list[dict[str, Any]], **more: Any) -> None:
        """Write apply.json with the current outcome of each source."""
        write_json(self.folder / "apply.json", {**self.about, **more, "sources": sources})

    def frames(self, name: str) -> Lines:
        """Create scores/NAME.csv."""
        return Lines(self.scores_path(name), FRAME_COLUMNS)

    def scores_path(self, name: str) -> Path:
        """Return the path of the scores, one row per frame."""
        return self.folder / "scores" / f"{name}.csv"

    def video_path(self, name: str) -> Path:
        """Return the path of the annotated video."""
        return self.folder / "videos" / f"{name}.mp4"

    def add_event(self, values: Sequence[object]) -> None:
        """Append an event that has ended: the values of `EVENT_COLUMNS`."""
        self.events.add([values])

    def close(self) -> None:
        """Close events.csv."""
        self.events.close()
