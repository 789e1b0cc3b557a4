"""Where in the frame: pixel-level AUC, and the region-based and track-based detection criteria,
from what was kept of error maps.

Pixel level: V. Mahadevan, W. Li, V. Bhalodia, N. Vasconcelos, Anomaly Detection in Crowded Scenes,
CVPR 2010. RBDC, TBDC: B. Ramachandra, M. Jones, Street Scene: A New Dataset and Evaluation Protocol
for Video Anomaly Detection, WACV 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.scoring.metrics import auc

ALPHA = 0.1
"""Share of a track's regions that must be found for the track to be found (Street Scene)."""
BETA = 0.1
"""Intersection over union from which on two boxes meet (Street Scene)."""

NO_LEVELS = "no regions: there were no training frames to take levels from"


@dataclass(frozen=True)
class LocatedClip:
    """What is known of one clip. Boxes are x1, y1, x2, y2 as shares of width and height, so that
    maps and masks of any size compare.

    Parameters
    ----------
    frames : (K,) int, the frames that have a map, ascending.
    boxes, box_frames, box_levels : (R, 4), (R,), (R,): the regions of the maps, the frame and the
        level (an index) of each.
    dropped : (L,) at each level, regions that were counted and not kept: false ones, for all that
        is known.
    true_boxes, true_frames : (G, 4), (G,): the anomalous regions. `true_tracks` (G,) : the track of
        each, where they belong to tracks.
    """

    frames: np.ndarray
    boxes: np.ndarray
    box_frames: np.ndarray
    box_levels: np.ndarray
    dropped: np.ndarray
    true_boxes: np.ndarray
    true_frames: np.ndarray
    true_tracks: np.ndarray | None = None


@dataclass(frozen=True)
class DetectedClip:
    """What is known of one clip of a method that gives each region a score, so that every score is
    a level.

    Parameters
    ----------
    frames : (K,) int, the frames in which regions were looked for, ascending: here they are the
        frames that have a map.
    boxes, box_frames, box_scores : (R, 4), (R,), (R,): the regions, the frame and the score of
        each; boxes as in `LocatedClip`.
    true_boxes, true_frames, true_tracks : as in `LocatedClip`.
    """

    frames: np.ndarray
    boxes: np.ndarray
    box_frames: np.ndarray
    box_scores: np.ndarray
    true_boxes: np.ndarray
    true_frames: np.ndarray
    true_tracks: np.ndarray | None = None


@dataclass(frozen=True)
class Located:
    """A number, or why there is none."""

    value: float | None
    reason: str = ""


def pixel_auc(maximum: np.ndarray, threshold_40: np.ndarray) -> Located:
    """Return the pixel-level AUC of frames.

    At a threshold a normal frame is a false positive when any of its pixels reaches it; an
    anomalous one is found when at least 40 % of its anomalous pixels do, and missed otherwise,
    whatever else is detected in it. So the curve is that of one value a frame: the largest value of
    the map in normal frames, the largest threshold that 40 % of the anomalous pixels reach in the
    others.

    Parameters
    ----------
    maximum, threshold_40 : (N,) of each frame; `threshold_40` is NaN in normal frames.
    """
    anomalous = np.isfinite(threshold_40)
    if not 0 < anomalous.sum() < len(threshold_40):
        return Located(
            None,
            "every frame with a map is "
            f"{'anomalous' if len(threshold_40) and anomalous.all() else 'normal'}",
        )
    return Located(auc(anomalous.astype(int), np.where(anomalous, threshold_40, maximum)))


def rbdc(clips: Sequence[LocatedClip] | Sequence[DetectedClip]) -> Located:
    """Return the region-based detection criterion: the area below the share of anomalous regions
    found, over 0 to 1 false regions a frame.

    A region of a map is false when it meets no anomalous region of its frame (intersection over
    union >= BETA); an anomalous region is found when a region of the map meets it. Counted are
    frames that have a map.
    """
    return _criterion(clips, by_track=False)


def tbdc(clips: Sequence[LocatedClip] | Sequence[DetectedClip]) -> Located:
    """Return the track-based detection criterion: as `rbdc`, of tracks; a track is found when at
    least ALPHA of its regions are.

    Of a track, the regions in frames that have a map count; a track without one does not.
    """
    return _criterion(clips, by_track=True)


def _criterion(clips: Sequence[LocatedClip] | Sequence[DetectedClip], by_track: bool) -> Located:
    of_maps = [clip for clip in clips if isinstance(clip, LocatedClip)]
    detected = [clip for clip in clips if isinstance(clip, DetectedClip)]
    if of_maps and not len(of_maps[0].dropped):
        return Located(None, NO_LEVELS)
    if not any(_has_map(clip).any() for clip in clips):
        return Located(None, "no frame with a map has an anomalous region")
    return Located(
        area(
            *(
                _curve_of_detections(detected, by_track)
                if detected
                else _curve_of_levels(of_maps, by_track)
            )
        )
    )


def _curve_of_levels(clips: Sequence[LocatedClip], by_track: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return false regions a frame, and the share of regions or tracks found, at each level
    (L,).
    """
    counts = [_match(clip) for clip in clips]
    found: list[np.ndarray] = []
    for clip, (_, hits) in zip(clips, counts):
        found += (
            [hits[of_track].mean(axis=0) >= ALPHA for of_track in _tracks(clip)]
            if by_track
            else [*hits]
        )
    false = np.asarray(sum(false for false, _ in counts))
    return false / sum(len(clip.frames) for clip in clips), np.mean(found, axis=0)


def _curve_of_detections(
    clips: Sequence[DetectedClip], by_track: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return false regions a frame, and the share of regions or tracks found, at each score that
    changes either, from the highest on.
    """
    false: list[np.ndarray] = []
    found: list[np.ndarray] = []
    for clip in clips:
        box, true = _meetings(clip)
        false.append(np.delete(clip.box_scores, box))
        best = np.full(len(clip.true_boxes), -np.inf)
        np.maximum.at(best, true, clip.box_scores[box])
        best = best[_has_map(clip)]
        found.append(
            np.array([_found_at(best[of_track]) for of_track in _tracks(clip)])
            if by_track
            else best
        )
    wrong, reached = (np.sort(np.concatenate(scores)) for scores in (false, found))
    levels = np.unique(np.concatenate([wrong, reached[np.isfinite(reached)]]))[::-1]
    at_level = [len(scores) - np.searchsorted(scores, levels) for scores in (wrong, reached)]
    return at_level[0] / sum(len(clip.frames) for clip in clips), at_level[1] / len(reached)


def _found_at(best: np.ndarray) -> float:
    """Return the score at which a track is found, of the score at which each of its regions is
    (-inf: never).
    """
    share = np.arange(1, len(best) + 1) / len(best)
    return float(np.sort(best)[::-1][np.argmax(share >= ALPHA)])


def _tracks(clip: LocatedClip | DetectedClip) -> list[np.ndarray]:
    """Return a mask for each track, of the anomalous regions in frames with a map."""
    assert clip.true_tracks is not None, "regions without tracks have no TBDC"
    tracks = clip.true_tracks[_has_map(clip)]
    return [tracks == track for track in np.unique(tracks)]


def area(false_rate: np.ndarray, found: np.ndarray) -> float:
    """Return the area below `found` (L,) over `false_rate` (L,) from 0 to 1.

    Components grow together as the level falls, so neither number need rise: at each rate counts
    the most that a level of no more false regions finds. Points are joined by lines, from (0, 0)
    on; beyond the last one the curve goes on level. The criterion leaves both open.
    """
    from scipy.integrate import trapezoid

    order = np.lexsort((found, false_rate))
    rates = np.concatenate([[0.0], false_rate[order]])
    shares = np.maximum.accumulate(np.concatenate([[0.0], found[order]]))
    within = rates <= 1
    end = float(np.interp(1.0, rates, shares))
    return float(trapezoid(np.append(shares[within], end), np.append(rates[within], 1.0)))


def overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the intersection over union (R, G) of boxes (R, 4) with others (G, 4)."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    both = (high - low).clip(min=0).prod(axis=2)
    sizes = [(one[:, 2:] - one[:, :2]).prod(axis=1) for one in (boxes, others)]
    union = sizes[0][:, None] + sizes[1][None, :] - both
    return np.divide(both, union, out=np.zeros_like(both), where=union > 0)


def _has_map(clip: LocatedClip | DetectedClip) -> np.ndarray:
    """Return (G,) bool: which anomalous regions lie in frames that have a map."""
    return np.isin(clip.true_frames, clip.frames)


def _match(clip: LocatedClip) -> tuple[np.ndarray, np.ndarray]:
    """Return false regions at each level (L,), and which anomalous regions in frames with a map are
    found at each level, (G, L) bool.
    """
    levels = len(clip.dropped)
    box, true = _meetings(clip)
    hits = np.zeros((len(clip.true_boxes), levels), dtype=bool)
    hits[true, clip.box_levels[box]] = True
    false = np.bincount(np.delete(clip.box_levels, box), minlength=levels) + clip.dropped
    return false, hits[_has_map(clip)]


def _meetings(clip: LocatedClip | DetectedClip) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs (index of a region, index of an anomalous region) that meet in their
    frame.
    """
    pairs = [np.zeros((2, 0), dtype=np.intp)]
    order = np.argsort(clip.box_frames, kind="stable")
    ordered = clip.box_frames[order]
    for frame in np.unique(clip.true_frames):
        first, last = np.searchsorted(ordered, [frame, frame + 1])
        here = order[first:last]
        true = np.flatnonzero(clip.true_frames == frame)
        meeting, met = np.nonzero(overlaps(clip.boxes[here], clip.true_boxes[true]) >= BETA)
        pairs.append(np.stack([here[meeting], true[met]]))
    found = np.concatenate(pairs, axis=1)
    return found[0], found[1]
