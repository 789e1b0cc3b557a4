"""Where in the frame: pixel-level AUC, and the region-based and track-based detection criteria, from what was kept of error maps.

Pixel level: V. Mahadevan, W. Li, V. Bhalodia, N. Vasconcelos, Anomaly Detection in Crowded Scenes, CVPR 2010.
RBDC, TBDC: B. Ramachandra, M. Jones, Street Scene: A New Dataset and Evaluation Protocol for Video Anomaly Detection, WACV 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .metrics import auc

ALPHA = 0.1
"""Share of a track's regions that must be found for the track to be found (Street Scene)."""
BETA = 0.1
"""Intersection over union from which on two boxes meet (Street Scene)."""

NO_LEVELS = "no regions: there were no training frames to take levels from"


@dataclass(frozen=True)
class LocatedClip:
    """What is known of one clip. Boxes are x1, y1, x2, y2 as shares of width and height, so that maps and masks of any size compare.

    Parameters
    ----------
    frames : (K,) int, the frames that have a map, ascending.
    boxes, box_frames, box_levels : (R, 4), (R,), (R,): the regions of the maps, the frame and the level (an index) of each.
    dropped : (L,) at each level, regions that were counted and not kept: false ones, for all that is known.
    true_boxes, true_frames : (G, 4), (G,): the anomalous regions. `true_tracks` (G,) : the track of each, where they belong to tracks.
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
class Located:
    """A number, or why there is none."""

    value: float | None
    reason: str = ""


def pixel_auc(maximum: np.ndarray, forty: np.ndarray) -> Located:
    """Return the pixel-level AUC of frames.

    At a threshold a normal frame is a false positive when any of its pixels reaches it; an anomalous one is found when at least 40 % of
    its anomalous pixels do, and missed otherwise, whatever else is detected in it. So the curve is that of one value a frame: the largest
    value of the map in normal frames, the largest threshold that 40 % of the anomalous pixels reach in the others.

    Parameters
    ----------
    maximum, forty : (N,) of each frame; `forty` is NaN in normal frames.
    """
    anomalous = np.isfinite(forty)
    if not 0 < anomalous.sum() < len(forty):
        return Located(None, f"every frame with a map is {'anomalous' if len(forty) and anomalous.all() else 'normal'}")
    return Located(auc(anomalous.astype(int), np.where(anomalous, forty, maximum)))


def rbdc(clips: Sequence[LocatedClip]) -> Located:
    """Return the region-based detection criterion: the area below the share of anomalous regions found, over 0 to 1 false regions a frame.

    A region of a map is false when it meets no anomalous region of its frame (intersection over union >= BETA); an anomalous region is
    found when a region of the map meets it. Counted are frames that have a map.
    """
    if clips and not len(clips[0].dropped):
        return Located(None, NO_LEVELS)
    total = sum(int(_has_map(clip).sum()) for clip in clips)
    if not total:
        return Located(None, "no frame with a map has an anomalous region")
    counts = [_match(clip) for clip in clips]
    found = sum(hits.sum(axis=0) for _, hits in counts) / total
    return Located(area(_false_rate(clips, [false for false, _ in counts]), found))


def tbdc(clips: Sequence[LocatedClip]) -> Located:
    """Return the track-based detection criterion: as `rbdc`, of tracks; a track is found when at least ALPHA of its regions are.

    Of a track, the regions in frames that have a map count; a track without one does not.
    """
    if clips and not len(clips[0].dropped):
        return Located(None, NO_LEVELS)
    counts = [_match(clip) for clip in clips]
    found: list[np.ndarray] = []
    for clip, (_, hits) in zip(clips, counts):
        assert clip.true_tracks is not None, "regions without tracks have no TBDC"
        of_maps = clip.true_tracks[_has_map(clip)]
        found += [hits[of_maps == track].mean(axis=0) >= ALPHA for track in np.unique(of_maps)]
    if not found:
        return Located(None, "no frame with a map has an anomalous region")
    return Located(area(_false_rate(clips, [false for false, _ in counts]), np.mean(found, axis=0)))


def area(false_rate: np.ndarray, found: np.ndarray) -> float:
    """Return the area below `found` (L,) over `false_rate` (L,) from 0 to 1.

    Components grow together as the level falls, so neither number need rise: at each rate counts the most that a level of no more false
    regions finds. Points are joined by lines, from (0, 0) on; beyond the last one the curve goes on level. The criterion leaves both open.
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
    return np.asarray(both / (sizes[0][:, None] + sizes[1][None, :] - both))


def _has_map(clip: LocatedClip) -> np.ndarray:
    """Return (G,) bool: which anomalous regions lie in frames that have a map."""
    return np.isin(clip.true_frames, clip.frames)


def _match(clip: LocatedClip) -> tuple[np.ndarray, np.ndarray]:
    """Return false regions at each level (L,), and which anomalous regions in frames with a map are found at each level, (G, L) bool."""
    levels = len(clip.dropped)
    meets = np.zeros(len(clip.boxes), dtype=bool)
    hits = np.zeros((len(clip.true_boxes), levels), dtype=bool)
    order = np.argsort(clip.box_frames, kind="stable")
    for frame in np.unique(clip.true_frames):
        first, last = np.searchsorted(clip.box_frames[order], [frame, frame + 1])
        here = order[first:last]
        true = np.flatnonzero(clip.true_frames == frame)
        meeting, met = np.nonzero(overlaps(clip.boxes[here], clip.true_boxes[true]) >= BETA)
        meets[here[meeting]] = True
        hits[true[met], clip.box_levels[here[meeting]]] = True
    false = np.bincount(clip.box_levels[~meets], minlength=levels) + clip.dropped
    return false, hits[_has_map(clip)]


def _false_rate(clips: Sequence[LocatedClip], false: Sequence[np.ndarray]) -> np.ndarray:
    return np.asarray(sum(false) / sum(len(clip.frames) for clip in clips))
