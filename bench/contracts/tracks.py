"""The tracks of one clip: which object is where, frame by frame."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import numpy as np

from bench.errors import DataError
from bench.files.cache import replacing


class Tracks:
    """The tracks of one clip.

    Parameters
    ----------
    frames, ids : (K,) int, frame (from 0) and track (from 0) of each kept box; a track has at most
        one box a frame.
    boxes : (K, 4) float, x1, y1, x2, y2 relative to the frame, 0..1.
    length : frames of the clip.
    size : (height, width) in pixels that the boxes were found at.
    found : boxes before the tracker dropped some.
    """

    def __init__(
        self,
        frames: np.ndarray,
        ids: np.ndarray,
        boxes: np.ndarray,
        length: int,
        size: tuple[int, int],
        found: int,
    ) -> None:
        order = np.lexsort((ids, frames))
        self._frames = np.asarray(frames, dtype=np.int32)[order]
        self._ids = np.asarray(ids, dtype=np.int32)[order]
        self._boxes = np.asarray(boxes, dtype=np.float32).reshape(-1, 4)[order]
        self._first = np.searchsorted(self._frames, np.arange(length + 1))
        self.length = length
        self.size = size
        self.found = found

    def __len__(self) -> int:
        """Return the number of tracks."""
        return len(np.unique(self._ids))

    @property
    def kept(self) -> int:
        """Boxes that belong to a track."""
        return len(self._ids)

    def ids(self, frame: int) -> np.ndarray:
        """Return the tracks present in a frame, sorted."""
        if not 0 <= frame < self.length:
            raise IndexError(f"frame {frame} of a clip of {self.length}")
        return self._ids[self._first[frame] : self._first[frame + 1]]

    def common(self, start: int, length: int, step: int = 1) -> np.ndarray:
        """Return the tracks present in all of the frames start, start + step, ... (`length` of
        them), sorted int32.
        """
        present = np.concatenate([self.ids(start + step * number) for number in range(length)])
        ids, times = np.unique(present, return_counts=True)
        return ids[times == length]

    def boxes(self, track: int, start: int, length: int, step: int = 1) -> np.ndarray:
        """Return the boxes of a track in these frames: (length, 4) float32, x1, y1, x2, y2 in 0..1.

        Raises
        ------
        KeyError : the track is absent from one of the frames.
        """
        rows = []
        for frame in range(start, start + length * step, step):
            present = self.ids(frame)
            place = int(np.searchsorted(present, track))
            if place == len(present) or present[place] != track:
                raise KeyError(f"track {track} is not in frame {frame}")
            rows.append(self._first[frame] + place)
        return self._boxes[rows]

    def usable(self, length: int, step: int = 1) -> np.ndarray:
        """Return, for each start of a window of `length` frames, whether a track is present in all
        of it: (windows,) bool.
        """
        starts = range(self.length - (length - 1) * step)
        return np.array([self.common(start, length, step).size > 0 for start in starts], dtype=bool)

    def save(self, path: Path, sources: str = "") -> None:
        """Write to `path` (npz, no pickles), and beside it a record (json): checksum, `sources`,
        and counts for readers.

        `sources` says what the tracks were made from.
        """
        buffer = io.BytesIO()
        np.savez(
            buffer,
            frames=self._frames,
            ids=self._ids,
            boxes=self._boxes,
            length=self.length,
            size=np.array(self.size),
            found=self.found,
        )
        content = buffer.getvalue()
        record = {"sha256": hashlib.sha256(content).hexdigest(), "sources": sources}
        counts = {
            "frames": self.length,
            "boxes": self.found,
            "kept": self.kept,
            "tracks": len(self),
        }
        with replacing(path, "tracks") as file:
            file.write(content)
        with replacing(path.with_suffix(".json"), "tracks") as file:
            file.write(json.dumps({**record, **counts}, indent=1).encode())

    @classmethod
    def load(cls, path: Path, sources: str | None = None) -> Tracks:
        """Read what `save` wrote.

        Raises
        ------
        DataError : absent, damaged, or made from other `sources` than these.
        """
        try:
            content = path.read_bytes()
            record = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
            whole = record["sha256"] == hashlib.sha256(content).hexdigest()
            made_from = record["sources"]
        except FileNotFoundError as error:
            raise DataError(f"there are no tracks in {path}") from error
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise DataError(f"the tracks in {path} are damaged: {error}") from error
        if not whole:
            raise DataError(
                f"the tracks in {path} are damaged: their content is not what was written ({len(content)} bytes)"
            )
        if sources is not None and made_from != sources:
            raise DataError(f"the tracks in {path} were made from other frames")
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            height, width = (int(value) for value in stored["size"])
            return cls(
                stored["frames"],
                stored["ids"],
                stored["boxes"],
                int(stored["length"]),
                (height, width),
                int(stored["found"]),
            )
