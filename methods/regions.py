"""Anomalous regions that were detected elsewhere, read from text files: frame scores, RBDC and TBDC
of an object-centric method.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from bench import Context, Method, MethodError, MethodInfo, OpenClip, load_rows, parameter

COLUMNS = ("frame", "x1", "y1", "x2", "y2", "score")
"""Of a line: the form that the public implementation of RBDC and TBDC reads
(github.com/lilygeorgescu/AED)."""


@dataclass(frozen=True)
class RegionsParameters:
    """Parameters of regions."""

    path: Path = parameter(
        source="the user's files",
        doc="folder with a text file CLIP.txt for each test clip, lines frame,x1,y1,x2,y2,score; {dataset} stands for the dataset's name",
    )


class ReadRegions(Method):
    """The highest score of a frame's regions, read from text files; a frame without a region gets
    the lowest score of all regions.
    """

    name = "regions"
    info = MethodInfo(
        display_name="Regions",
        title="Regions from files",
        family="from a file",
        inputs="text files",
    )
    Parameters: ClassVar[type] = RegionsParameters
    needs_parameters = True
    uses_seed = False
    frames = None
    needs = frozenset({"lengths"})

    def __init__(self, parameters: Any = None) -> None:
        super().__init__(parameters)
        self._folder: Path | None = None
        self._clips: dict[str, np.ndarray] = {}

    def score(self, clip: OpenClip, context: Context) -> np.ndarray:
        """Return one score a frame, and hand over the regions.

        Raises
        ------
        MethodError : no such folder, a clip without a file, a line that is no region of a frame of
            its clip.
        """
        folder = Path(str(self.parameters.path).replace("{dataset}", clip.dataset))
        if folder != self._folder:
            self._clips = _read(folder, context)
            self._folder = folder
        frames, boxes, scores = np.split(self._clips[clip.id].copy(), [1, 5], axis=1)
        of_frame, scores = frames[:, 0].astype(int), scores[:, 0]
        if context.regions is not None:
            boxes[:, 2:] += 1  # their last pixels are inside
            boxes[_turned(boxes), 2:] = boxes[_turned(boxes), :2]
            context.regions(clip, boxes, of_frame, scores)
        lowest = min((rows[:, 5].min() for rows in self._clips.values() if len(rows)), default=0.0)
        values = np.full(clip.length, lowest)
        np.maximum.at(values, of_frame, scores)
        return values


def _read(folder: Path, context: Context) -> dict[str, np.ndarray]:
    """Return the regions (R, 6) of each test clip; all files are checked before the first clip is
    scored.
    """
    if not folder.is_dir():
        raise MethodError(
            f"there is no folder {folder}; look at the path, and at {{dataset}} in it"
        )
    missing = [clip for clip in context.test_lengths if not (folder / f"{clip}.txt").is_file()]
    if missing:
        some = ", ".join(missing[:3]) + " ..." * (len(missing) > 3)
        raise MethodError(
            f"{folder} must hold a file CLIP.txt for each test clip, empty where no region was found; it lacks {some}"
        )
    found = {
        clip: _regions(folder / f"{clip}.txt", length)
        for clip, length in context.test_lengths.items()
    }
    turned = sum(int(_turned(rows[:, 1:5]).sum()) for rows in found.values())
    if turned:
        context.logger.warning(
            "regions: %d of %d boxes end before they begin; they have no area, meet nothing, and count as false regions",
            turned,
            sum(map(len, found.values())),
        )
    return found


def _turned(boxes: np.ndarray) -> np.ndarray:
    """Return (R,) bool: which boxes end before they begin. The public implementation counts them as
    false regions.
    """
    return np.asarray((boxes[:, 2:] < boxes[:, :2]).any(axis=1))


def _regions(path: Path, length: int) -> np.ndarray:
    rows = []
    try:
        for where, values in load_rows(path, COLUMNS):
            frame = values[0]
            if frame != int(frame) or not 0 <= frame < length:
                raise MethodError(f"{where}: the clip has the frames 0 to {length - 1}")
            rows.append(values)
    except OSError as error:
        raise MethodError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise MethodError(str(error)) from error
    return np.asarray(rows, dtype=np.float64).reshape(-1, len(COLUMNS))
