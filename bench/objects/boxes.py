"""Detector `boxes`: boxes that somebody else found, read from a JSON file.

    {"size": [360, 240], "clips": {"01": [[[41.1, 179.3, 53.9, 216.7, 0.996], ...], [], ...], ...}}

`size` is [width, height] of the frames that the boxes refer to; `clips[id][frame]` lists [x1, y1,
x2, y2, score] in pixels, origin top left. Boxes of a frame may have no scores: theirs is 1. `part`,
where present, is "train" or "test". Other fields are for readers.
"""

from __future__ import annotations

import hashlib
import json
import sys
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.contracts.clip import SPLITS, Clip, Split
from bench.contracts.detector import Detector
from bench.contracts.parameters import parameter
from bench.errors import DataError
from bench.files.source_file import LFS_POINTER


@dataclass(frozen=True)
class _Boxes:
    path: Path
    split: str | None
    size: tuple[int, int]
    clips: dict[str, Any]


class BoxesDetector(Detector):
    """Reads boxes from a JSON file; looks at no frame."""

    name = "boxes"
    needs_parameters = True
    needs_frames = False
    unkeyed = frozenset({"path"})

    @dataclass(frozen=True)
    class Parameters:
        """Where the boxes are."""

        path: str = parameter(
            doc="JSON file; {dataset} and {part} (train, test) are replaced by their names."
        )

    def __init__(self, parameters: Any = None) -> None:
        super().__init__(parameters)
        self._read: dict[Path, _Boxes] = {}
        self._dataset = ""

    def check(self, dataset: str) -> None:
        """Raise DataError if the file for the training split, which masks are drawn from, is
        missing or of another form.
        """
        self._file(self._path(dataset, "train"))

    def key(self, dataset: str) -> str:
        """Return a hash of the files' content."""
        digest = hashlib.sha256()
        for path in dict.fromkeys(self._path(dataset, split) for split in SPLITS):
            if path.is_file():
                digest.update(hashlib.sha256(self._content(path)).digest())
        return digest.hexdigest()

    def begin(self, clip: Clip, dataset: str) -> None:
        """Read the file of the clip's split, if it was not read yet."""
        self._dataset = dataset
        self._boxes(clip)

    def known_boxes(self, clip: Clip, length: int) -> tuple[tuple[int, int], list[np.ndarray]]:
        """Return the size of the frames and the boxes of a clip, as the file has them.

        Raises
        ------
        DataError : the clip is not in the file, has another number of frames, or a box is no box,
            with its place.
        """
        file = self._boxes(clip)
        if clip.id not in file.clips:
            some = ", ".join(sorted(file.clips)[:5]) or "none"
            raise DataError(
                f"{file.path} has no boxes of clip {clip.id!r} of {self._dataset}; it has {len(file.clips)} clips: {some}"
            )
        frames = file.clips[clip.id]
        where = f"{file.path}: clips[{clip.id!r}]"
        if not isinstance(frames, list):
            raise DataError(
                f"{where} is {_kind(frames)}, expected a list with one list of boxes a frame"
            )
        if len(frames) != length:
            raise DataError(
                f"{where} has boxes of {len(frames)} frames, the clip has {length}: they are of another version of the dataset"
            )
        width, height = file.size
        return (height, width), [
            _frame_boxes(boxes, f"{where}[{index}]") for index, boxes in enumerate(frames)
        ]

    def _path(self, dataset: str, split: Split) -> Path:
        return Path(
            str(self.parameters.path).replace("{dataset}", dataset).replace("{part}", split)
        ).expanduser()

    def _content(self, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise DataError(
                f"detector boxes: {path} cannot be read: {error.strerror or error}; give the file with 'boxes[path=FILE.json]', "
                "{dataset} and {part} in the name stand for the names of the dataset and of its split"
            ) from error

    def _file(self, path: Path) -> _Boxes:
        if path not in self._read:
            self._read[path] = _parse(self._content(path), path)
        return self._read[path]

    def _boxes(self, clip: Clip) -> _Boxes:
        file = self._file(self._path(self._dataset, clip.split))
        if file.split not in (None, clip.split):
            raise DataError(
                f"{file.path} has boxes of the split {file.split!r}, but clip {clip.id} belongs to {clip.split!r}; "
                "write {part} in the path where the files' names differ"
            )
        return file


def _parse(content: bytes, path: Path) -> _Boxes:
    if content.startswith(LFS_POINTER):
        raise DataError(
            f"{path} is a Git LFS pointer, not the file itself; fetch the file with `git lfs pull` in its repository"
        )
    if content[:1] == b"\x80" or content.rstrip().endswith(
        b"."
    ):  # every pickle ends with its STOP code, '.'; no JSON does
        raise DataError(
            f"{path} is a Python pickle under another name, not JSON; it is not loaded, since loading one can run any code. "
            "Write the boxes as JSON: {size, clips[id][frame] = [[x1, y1, x2, y2, score], ...]}"
        )
    try:
        data = json.loads(content)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}, line {error.lineno}, column {error.colno}: not JSON ({error.msg})"
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: not JSON: no text at byte {error.start} ({error.reason})"
        ) from error
    except (
        ValueError,
        RecursionError,
    ) as error:  # a number of thousands of digits, brackets within brackets
        raise DataError(f"{path}: not to be read: {error}") from error
    if not isinstance(data, dict):
        raise DataError(
            f"{path} is {_kind(data)}, expected an object with the fields 'size' and 'clips'"
        )
    for field in ("size", "clips"):
        if field not in data:
            raise DataError(
                f"{path} has no field {field!r}; its fields are: {', '.join(sorted(data)) or 'none'}"
            )
    size, clips = data["size"], data["clips"]
    if not (
        isinstance(size, list)
        and len(size) == 2
        and all(type(value) is int and value > 0 for value in size)
    ):
        raise DataError(f"{path}: 'size' is {size!r}, expected [width, height] in whole pixels")
    if not isinstance(clips, dict):
        raise DataError(
            f"{path}: 'clips' is {_kind(clips)}, expected an object: clip id -> list with one list of boxes a frame"
        )
    return _Boxes(
        path,
        data.get("part"),
        (size[0], size[1]),
        {unicodedata.normalize("NFC", clip): frames for clip, frames in clips.items()},
    )


def _frame_boxes(boxes: Any, where: str) -> np.ndarray:
    """Return the (K, 5) boxes of a frame. Some public detections have no scores: theirs is 1."""
    if not isinstance(boxes, list):
        raise DataError(f"{where} is {_kind(boxes)}, expected a list of boxes")
    numbers = 4 if boxes and isinstance(boxes[0], list) and len(boxes[0]) == 4 else 5
    for index, box in enumerate(boxes):
        if not (
            isinstance(box, list)
            and len(box) == numbers
            and all(_is_finite(value) for value in box)
        ):
            form = "[x1, y1, x2, y2, score]" if numbers == 5 else "[x1, y1, x2, y2] as before it"
            raise DataError(
                f"{where}[{index}] is {json.dumps(box)[:80]}, expected {form}, {numbers} finite numbers"
            )
        x1, y1, x2, y2, *score = box
        if x2 < x1 or y2 < y1:
            raise DataError(
                f"{where}[{index}] = {box}: x2 and y2 must not lie before x1 and y1 (not [x, y, width, height])"
            )
        if score and not 0 <= score[0] <= 1:
            raise DataError(f"{where}[{index}] = {box}: the score must lie within 0..1")
    found = np.array(boxes, dtype=np.float64).reshape(-1, numbers)
    return found if numbers == 5 else np.insert(found, 4, 1.0, axis=1)


def _is_finite(value: Any) -> bool:
    return type(value) in (int, float) and -sys.float_info.max <= value <= sys.float_info.max


def _kind(value: Any) -> str:
    kinds = {
        dict: "an object",
        list: "a list",
        str: "text",
        int: "a number",
        float: "a number",
        bool: "true or false",
    }
    return "null" if value is None else kinds.get(type(value), type(value).__name__)
