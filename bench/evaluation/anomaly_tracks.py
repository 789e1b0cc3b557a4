"""Tracks of anomalous objects that a user brings: a text file a test clip, as the annotations of
ShanghaiTech are published.

Lines are `track, frame, x1, y1, x2, y2`, frames counted from 0, boxes in pixels of the dataset's
frames with their last pixels inside: format and end as in the public evaluation code of M.
Georgescu et al., A Background-Agnostic Framework with Adversarial Training for Abnormal Event
Detection in Video, TPAMI 2021 (github.com/lilygeorgescu/AED).
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.errors import RequestError
from bench.evaluation.run_scores import RunScores
from bench.files.arrays import load_rows
from bench.runs.records import DatasetRecord
from bench.wording import listed


@dataclass(frozen=True)
class TrackRegions:
    """The regions of the tracks of one clip: `boxes` (G, 4) in shares of width and height, and
    `frames`, `tracks` (G,) of each.

    A track may go on where its object has left the frame: such a region counts, as in the public
    implementation.
    """

    boxes: np.ndarray
    frames: np.ndarray
    tracks: np.ndarray

    @property
    def outside(self) -> int:
        """Regions that lie outside of the frame as a whole."""
        return int(((self.boxes[:, 2:] <= 0) | (self.boxes[:, :2] >= 1)).any(axis=1).sum())


def find_tracks(given: Sequence[str], run_scores: RunScores) -> dict[str, dict[str, TrackRegions]]:
    """Return label of a dataset -> clip id -> tracks, of folders with a file CLIP.txt for each test
    clip: DIR, or DATASET=DIR.

    Raises
    ------
    RequestError : a folder that does not have the files of one dataset of the run, a second one of
        a dataset, or a line that is no region of its clip.
    """
    records = {
        cell.dataset: record
        for cell in run_scores.cells
        if (record := run_scores.dataset(cell)) is not None
    }
    found: dict[str, dict[str, TrackRegions]] = {}
    for text in given:
        # A label may hold '=', as in 'shanghaitech[models=per-scene]'.
        named = max((one for one in records if text.startswith(f"{one}=")), key=len, default="")
        folder = text.removeprefix(f"{named}=") if named else text
        label = _fits(Path(folder), {named: records[named]} if named else records)
        if label in found:
            raise RequestError(
                f"--tracks: two folders are given for {label}: leave out one, or, if {folder} belongs "
                "to another dataset, say which: --tracks DATASET=DIR"
            )
        record = records[label]
        if record.resolution is None:
            raise RequestError(
                f"--tracks: the run does not say how large the frames of {label} are, so its "
                "boxes cannot be placed"
            )
        found[label] = {
            clip: read_tracks(_file(Path(folder), clip), length, record.resolution)
            for clip, length, _ in record.clips
        }
    return found


def _fits(folder: Path, records: Mapping[str, DatasetRecord]) -> str:
    """Return the one dataset that has a file for each clip."""
    if not folder.is_dir():
        raise RequestError(f"--tracks: there is no folder {str(folder)!r}")
    missing = {
        label: [clip for clip, _, _ in record.clips if not _file(folder, clip).is_file()]
        for label, record in records.items()
    }
    whole = [label for label, clips in missing.items() if not clips]
    if len(whole) == 1:
        return whole[0]
    if whole:
        raise RequestError(
            f"--tracks: {folder} fits {' and '.join(whole)}, whose clips have the same names; "
            f"say which: --tracks {shlex.quote(f'{whole[0]}={folder}')}"
        )
    shown = "; ".join(f"of {label}, {listed(clips, 3)} missing" for label, clips in missing.items())
    raise RequestError(
        f"--tracks: {folder} must hold a file CLIP.txt for each test clip of a dataset of the "
        "run, empty where nothing is anomalous "
        f"({shown or 'the run has no dataset'})"
    )


def _file(folder: Path, clip: str) -> Path:
    return folder / f"{clip}.txt"


def read_tracks(path: Path, length: int, resolution: tuple[int, int]) -> TrackRegions:
    """Read the tracks of a clip of `length` frames of height and width `resolution`.

    Raises
    ------
    RequestError : the file and the line that is no region of the clip.
    """
    try:
        rows = list(load_rows(path, ("track", "frame", "x1", "y1", "x2", "y2")))
    except OSError as error:
        raise RequestError(f"--tracks: {path} cannot be read ({error})") from error
    except ValueError as error:
        raise RequestError(f"--tracks: {error}") from error
    height, width = resolution
    found: dict[tuple[int, int], tuple[float, ...]] = {}
    for place, (track, frame, left, top, right, bottom) in rows:
        where = f"--tracks: {place}"
        if track != int(track) or frame != int(frame) or track < 0:
            raise RequestError(f"{where}: track and frame are whole numbers from 0")
        if not 0 <= frame < length:
            raise RequestError(f"{where}: the clip has the frames 0 to {length - 1}")
        if right < left or bottom < top:
            raise RequestError(
                f"{where}: the box must be x1, y1, x2, y2, with x1 <= x2 and y1 <= y2"
            )
        if (int(track), int(frame)) in found:
            raise RequestError(
                f"{where}: a second region of track {int(track)} in frame {int(frame)}"
            )
        found[int(track), int(frame)] = (
            left / width,
            top / height,
            (right + 1) / width,
            (bottom + 1) / height,
        )
    places = np.asarray(list(found), dtype=np.int64).reshape(-1, 2)
    return TrackRegions(np.asarray(list(found.values())).reshape(-1, 4), places[:, 1], places[:, 0])
