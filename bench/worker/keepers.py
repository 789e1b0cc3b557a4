"""What is kept of a cell beside its scores, on request: pictures of some frames, and regions.

Pictures and the regions of error maps come through `context.images`: the inference engine hands
over the pictures of each frame that it scores. A method that detects regions itself hands them over
through `context.regions`.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.contracts.method import Context, OpenClip
from bench.contracts.network_method import NetworkMethod
from bench.errors import DataError, MethodError, RunError
from bench.objects.regions import components
from bench.runs.layout import picture_name
from bench.runs.regions import (
    ClipDetections,
    ClipRegions,
    Detections,
    Regions,
    TrueRegions,
    read_regions,
    write_regions,
)

Taker = Callable[[NetworkMethod, OpenClip, int, dict[str, np.ndarray]], None]
"""Takes method, clip, frame, and the pictures of that frame (`IMAGE_PARTS`)."""

KEPT_IMAGES = 200
"""Frames of a cell whose pictures are kept, spread evenly; up to one more a clip. Chosen here:
three JPEG a frame stay below 25 MB for Ped2."""
STRETCHES, STRETCH = 25, 8
"""Training windows that the levels are taken from: stretches, and windows in a row in each. Chosen
here: 200 maps are 25 batches of the engine, a small part of what scoring the test clips takes, and
steady enough for 20 quantiles."""
QUANTILES, EVENLY = 20, 30
"""Levels at quantiles of the largest values of the training maps, and evenly spaced from below to
above them: 50 in all."""
MOST = 20
"""Regions of a frame that are kept at one level, the largest; the others are counted. Chosen here:
a level with more than one false region a frame lies outside of what RBDC and TBDC look at."""


def all_of(takers: Sequence[Taker]) -> Taker | None:
    """Return what hands pictures to each of these; None for none."""
    if not takers:
        return None

    def give(
        method: NetworkMethod, clip: OpenClip, frame: int, found: dict[str, np.ndarray]
    ) -> None:
        for taker in takers:
            taker(method, clip, frame, found)

    return give


# -- images ----------------------------------------------------------------------------------------


class ImageKeeper:
    """Keeps frame, reconstruction and error map of evenly spaced frames, clip by clip:
    PARTS/CLIP/FRAME-{frame,reconstruction,error}.jpg.

    Kept are the frames whose index is a multiple of `every`; of a clip in which no such frame has
    pictures, the first that has.
    """

    def __init__(self, parts: Path, lengths: Mapping[str, int]) -> None:
        self.parts = parts
        self.every = max(1, -(-sum(lengths.values()) // KEPT_IMAGES))
        self._begin("")

    def _begin(self, clip_id: str) -> None:
        self._clip = clip_id
        self._new = self.parts / ".new"  # becomes PARTS/CLIP when the clip is done
        shutil.rmtree(self._new, ignore_errors=True)
        self._first: Callable[[], None] | None = None

    def __call__(
        self, method: NetworkMethod, clip: OpenClip, frame: int, found: dict[str, np.ndarray]
    ) -> None:
        """Keep the pictures of a frame whose turn it is."""
        if clip.id != self._clip:
            self._begin(clip.id)
        if frame % self.every == 0:
            self._write(method, clip, frame, found)
        elif self._first is None:
            self._first = lambda: self._write(method, clip, frame, found)

    def _write(
        self, method: NetworkMethod, clip: OpenClip, frame: int, found: dict[str, np.ndarray]
    ) -> None:
        pictures = {"frame": np.asarray(clip.frames[frame])}
        if "reconstruction" in found:
            pictures["reconstruction"] = as_picture(method, found["reconstruction"])
        if "map" in found:
            # One scale for all frames, so that pictures compare: the largest error that a value
            # range allows is white.
            scale = 2.0 if method.window.value_range == "-1..1" else 1.0
            pictures["error"] = np.clip(found["map"] / scale * 255, 0, 255).astype(np.uint8)
        import cv2

        self._new.mkdir(parents=True, exist_ok=True)
        for name, picture in pictures.items():
            coloured = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
            path = self._new / picture_name(frame, name)
            if not cv2.imwrite(str(path), coloured):
                raise RunError(f"cannot write {path}; free space or permission is needed there")

    def part(self, clip_id: str) -> Path:
        """Return the folder of a clip's part."""
        return self.parts / clip_id

    def finish(self, clip_id: str, scored: np.ndarray) -> None:
        """Leave the part of a clip that has been scored; empty where it gave no pictures."""
        if clip_id != self._clip:
            self._begin(clip_id)
        if self._first is not None and not self._new.exists():
            self._first()
        self._new.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.part(clip_id), ignore_errors=True)
        self._new.replace(self.part(clip_id))
        self._begin("")

    def collect(self, target: Path, clip_ids: Sequence[str]) -> None:
        """Move the parts of all clips to the folder `target`, which is whole or absent; nothing
        where no clip gave pictures.
        """
        for clip_id in clip_ids:
            with contextlib.suppress(OSError):  # of a clip with pictures it is not empty
                self.part(clip_id).rmdir()
        shutil.rmtree(target, ignore_errors=True)
        if any(self.parts.iterdir()):
            self.parts.replace(target)


def as_picture(method: NetworkMethod, values: np.ndarray) -> np.ndarray:
    """Return (C, H, W) in the method's value range as (H, W) or (H, W, 3) uint8."""
    match method.window.value_range:
        case "0..1":
            shown = values * 255
        case "-1..1":
            shown = (values + 1) * 127.5
        case "mean-subtracted":
            mean = method.stats["mean"]
            shown = values * 255 + (mean if mean.ndim == 2 else mean.transpose(2, 0, 1))
    picture = np.clip(np.rint(shown), 0, 255).astype(np.uint8)
    return picture[0] if len(picture) == 1 else np.ascontiguousarray(picture.transpose(1, 2, 0))


# -- regions ---------------------------------------------------------------------------------------


def training_levels(
    method: NetworkMethod, clips: Sequence[OpenClip], context: Context
) -> np.ndarray:
    """Return the levels at which regions are kept, (50,) float32, ascending, from maps of training
    windows; (0,) where there are none.

    The same windows for every seed, drawn without repetition among stretches that do not overlap.
    No test frame takes part.
    """
    import copy

    whole = method.window.span + STRETCH - 1
    stretches = [
        (clip, start)
        for clip in clips
        for start in range(0, max(1, clip.length - whole + 1), whole)
    ]
    chosen = np.random.default_rng(0).permutation(len(stretches))[:STRETCHES]
    largest: list[float] = []
    usual: list[float] = []

    def take(
        method: NetworkMethod, clip: OpenClip, frame: int, found: dict[str, np.ndarray]
    ) -> None:
        if "map" in found:
            largest.append(float(found["map"].max()))
            usual.append(float(np.median(found["map"])))

    # A copy, since a method may carry something from clip to clip, and scores must not depend on
    # what is kept.
    method, quiet = (
        copy.deepcopy(method),
        replace(context, images=take, test_lengths={}, step=lambda done, total, what: None),
    )
    for number in sorted(chosen):
        clip, start = stretches[number]
        stop = min(start + whole, clip.length)

        def cut(clip: OpenClip = clip, start: int = start, stop: int = stop) -> np.ndarray:
            return clip.frames[start:stop]

        method.score(replace(clip, length=stop - start, opener=cut, _frames=None), quiet)
    return (
        levels_of(np.asarray(largest), float(np.median(usual)))
        if largest
        else np.zeros(0, dtype=np.float32)
    )


def levels_of(largest: np.ndarray, usual: float) -> np.ndarray:
    """Return 50 levels, (50,) float32, ascending.

    False regions a frame of normal video fall from at least 1 to 0 between the smallest and the
    largest of the maps' largest values: the span of RBDC and TBDC. 20 levels are quantiles of these
    values, from the smallest to the largest; test maps may lie lower, and mostly lie higher, so 30
    more are evenly spaced from 3/4 of the way up to the smallest to half as far again beyond the
    largest. Chosen here: there is no source; on Ped2 (profile smoke) 9 to 18 of the levels fall
    between 0 and 1 false regions a frame.

    Parameters
    ----------
    largest : (M,) the largest value of each training map. `usual` : the median of all their values,
        from which ways are measured.
    """
    low, high = float(largest.min()), float(largest.max())
    even = np.linspace(usual + 0.75 * (low - usual), usual + 1.5 * (high - usual), EVENLY)
    return np.sort(
        np.concatenate([even, np.quantile(largest, np.linspace(0, 1, QUANTILES))])
    ).astype(np.float32)


class RegionKeeper:
    """Gathers what is kept of the error maps of a clip, and writes it when the clip is done:
    PARTS/CLIP.npz.

    Parameters
    ----------
    masks : clip id -> (N, H, W) bool, or None for a clip without pixel masks. Called once a clip.
    """

    def __init__(
        self, parts: Path, levels: np.ndarray, masks: Callable[[str], np.ndarray | None]
    ) -> None:
        self.parts, self.levels, self.masks = parts, levels, masks
        self._begin("")

    def _begin(self, clip_id: str) -> None:
        self._clip = clip_id
        self._masks = self.masks(clip_id) if clip_id else None
        self._size = (0, 0)
        self._frames: list[tuple[int, float, float]] = []
        self._boxes: list[np.ndarray] = []
        self._places: list[tuple[int, int, int]] = []
        self._dropped = np.zeros(len(self.levels), dtype=np.int32)

    def __call__(
        self, method: NetworkMethod, clip: OpenClip, frame: int, found: dict[str, np.ndarray]
    ) -> None:
        """Take the regions of a frame's error map at each level."""
        if "map" not in found:
            return
        if clip.id != self._clip:
            self._begin(clip.id)
        values = found["map"]
        self._size = values.shape
        largest = float(values.max())
        self._frames.append(
            (frame, largest, np.nan if self._masks is None else forty(values, self._masks[frame]))
        )
        for number, level in enumerate(self.levels):
            if largest < level:
                break
            boxes, areas = components(values >= level)
            if len(boxes) > MOST:
                self._dropped[number] += len(boxes) - MOST
                boxes = boxes[np.sort(np.argsort(-areas, kind="stable")[:MOST])]
            self._boxes.append(boxes)
            self._places.append((frame, number, len(boxes)))

    def part(self, clip_id: str) -> Path:
        """Return the file of a clip's part."""
        return self.parts / f"{clip_id}.npz"

    def finish(self, clip_id: str, scored: np.ndarray) -> None:
        """Write the part of a clip that has been scored; empty where it gave no map."""
        if clip_id != self._clip:
            self._begin(clip_id)
        frames, largest, at_forty = np.asarray(self._frames, dtype=np.float64).reshape(-1, 3).T
        of_frames, of_levels, counts = np.asarray(self._places, dtype=np.int32).reshape(-1, 3).T
        kept = ClipRegions(
            frames.astype(np.int32),
            largest.astype(np.float32),
            at_forty.astype(np.float32),
            np.concatenate([np.zeros((0, 4), np.uint16), *self._boxes]).astype(np.uint16),
            np.repeat(of_frames, counts),
            np.repeat(of_levels, counts).astype(np.uint8),
            self._dropped,
        )
        write_regions(self.part(clip_id), Regions(self.levels, self._size, {clip_id: kept}))
        self._begin("")

    def collect(self, clip_ids: Sequence[str]) -> Regions | None:
        """Return the parts of all clips as one; None where no clip gave a map.

        Raises
        ------
        RunError : a part is absent or damaged.
        """
        parts = [read_regions(self.part(clip_id)) for clip_id in clip_ids]
        maps = [part for part in parts if isinstance(part, Regions)]
        sizes = [part.size for part in maps if any(part.size)]
        if not sizes:
            return None
        return Regions(
            self.levels,
            sizes[0],
            {clip: kept for part in maps for clip, kept in part.clips.items()},
        )


class DetectionKeeper:
    """Gathers the regions that a method detects itself: PARTS/CLIP.npz for each clip."""

    def __init__(self, parts: Path) -> None:
        self.parts = parts
        self._taken: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}

    def __call__(
        self, clip: OpenClip, boxes: np.ndarray, frames: np.ndarray, scores: np.ndarray
    ) -> None:
        """Take the regions of a clip.

        Raises
        ------
        MethodError : arrays that do not pair up, boxes that end before they begin, values that are
            not finite.
        """
        boxes, frames, scores = (
            np.asarray(boxes, dtype=np.float64),
            np.asarray(frames),
            np.asarray(scores, dtype=np.float64),
        )
        who = f"regions of clip {clip.id}"
        if (
            boxes.shape != (len(frames), 4)
            or scores.shape != frames.shape
            or (frames.size and frames.dtype.kind not in "iu")
        ):
            raise MethodError(
                f"{who}: boxes have the shape {boxes.shape}, frames {frames.shape} ({frames.dtype}), scores {scores.shape}; "
                "expected (R, 4), (R,) whole numbers and (R,)"
            )
        if not (
            np.isfinite(boxes).all()
            and np.isfinite(scores).all()
            and (boxes[:, :2] <= boxes[:, 2:]).all()
        ):
            raise MethodError(f"{who}: boxes must be x1 <= x2, y1 <= y2, and all values finite")
        self._taken[clip.id] = boxes, frames.astype(np.int32), scores

    def part(self, clip_id: str) -> Path:
        """Return the file of a clip's part."""
        return self.parts / f"{clip_id}.npz"

    def finish(self, clip_id: str, scored: np.ndarray) -> None:
        """Write the part of a clip whose frames `scored` have a score; without frames where the
        method gave no regions.

        Raises
        ------
        MethodError : a region in a frame that has no score.
        """
        nothing = np.zeros((0, 4)), np.zeros(0, np.int32), np.zeros(0)
        boxes, frames, scores = self._taken.get(clip_id, nothing)
        beyond = frames[~np.isin(frames, scored)]
        if len(beyond):
            raise MethodError(
                f"regions of clip {clip_id}: frame {int(beyond[0])} has a region and no score"
            )
        looked = (
            np.asarray(scored, dtype=np.int32) if clip_id in self._taken else np.zeros(0, np.int32)
        )
        write_regions(
            self.part(clip_id), Detections({clip_id: ClipDetections(looked, boxes, frames, scores)})
        )
        self._taken.pop(clip_id, None)

    def collect(self, clip_ids: Sequence[str]) -> Detections | None:
        """Return the parts of all clips as one; None where the method gave no regions.

        Raises
        ------
        RunError : a part is absent or damaged.
        """
        parts = [read_regions(self.part(clip_id)) for clip_id in clip_ids]
        clips = {
            clip: kept
            for part in parts
            if isinstance(part, Detections)
            for clip, kept in part.clips.items()
        }
        return Detections(clips) if any(len(kept.frames) for kept in clips.values()) else None


def forty(values: np.ndarray, mask: np.ndarray) -> float:
    """Return the largest threshold at which at least 40 % of the mask's pixels are detected (value
    >= threshold); NaN for an empty mask.

    The map (h, w) is brought to the size of the mask (H, W), each of its values standing for the
    area that it covers: so no mask is lost in a small map, no value is made up between two, and the
    largest value stays what it is. 40 %: Mahadevan et al. 2010.
    """
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return np.nan
    height, width = values.shape
    inside = values[
        (2 * rows + 1) * height // (2 * mask.shape[0]),
        (2 * columns + 1) * width // (2 * mask.shape[1]),
    ]
    needed = -(-2 * len(inside) // 5)
    return float(np.partition(inside, len(inside) - needed)[len(inside) - needed])


def true_regions(masks: np.ndarray) -> TrueRegions:
    """Return the components of the pixel masks (N, H, W) of a clip."""
    boxes = [components(mask)[0] for mask in masks]
    frames = np.repeat(np.arange(len(masks), dtype=np.int32), [len(found) for found in boxes])
    return TrueRegions(
        np.concatenate([np.zeros((0, 4), np.int32), *boxes]), frames, masks.shape[1:]
    )


def checked_masks(masks: np.ndarray | None, length: int, what: str) -> np.ndarray | None:
    """Return the masks of a clip of `length` frames as they are.

    Raises
    ------
    DataError : another number of masks.
    """
    if masks is not None and len(masks) != length:
        raise DataError(f"{what} has {length} frames, but {len(masks)} pixel masks")
    return masks
