"""Pixel AUC, RBDC and TBDC: against plain loops over thresholds and boxes, and cases worked out by
hand."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from bench.scoring.localisation import (
    DetectedClip,
    LocatedClip,
    area,
    overlaps,
    pixel_auc,
    rbdc,
    tbdc,
)

LEVELS = 7


def located(frames=(), regions=(), true=(), dropped=None, levels=LEVELS):
    """`regions`: (frame, level, box); `true`: (frame, box[, track])."""
    return LocatedClip(
        np.asarray(frames, dtype=int),
        np.asarray([box for _, _, box in regions], dtype=float).reshape(-1, 4),
        np.asarray([frame for frame, _, _ in regions], dtype=int),
        np.asarray([level for _, level, _ in regions], dtype=int),
        np.zeros(levels, dtype=int) if dropped is None else np.asarray(dropped),
        np.asarray([one[1] for one in true], dtype=float).reshape(-1, 4),
        np.asarray([one[0] for one in true], dtype=int),
        np.asarray([one[2] for one in true], dtype=int) if true and len(true[0]) > 2 else None,
    )


def iou(one, other):
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / (
        (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1]) - both
    )


def plain_curve(clips, level):
    """False regions a frame and share of regions found, by loops over everything."""
    false = found = total = frames = 0
    for clip in clips:
        frames += len(clip.frames)
        here = [
            (f, tuple(b))
            for f, b, n in zip(clip.box_frames, clip.boxes, clip.box_levels)
            if n == level
        ]
        true = [
            (f, tuple(b)) for f, b in zip(clip.true_frames, clip.true_boxes) if f in clip.frames
        ]
        total += len(true)
        found += sum(any(f == g and iou(b, t) >= 0.1 for f, b in here) for g, t in true)
        false += (
            sum(not any(f == g and iou(b, t) >= 0.1 for g, t in true) for f, b in here)
            + clip.dropped[level]
        )
    return false / frames, found / total


def plain_area(points):
    """On a fine grid: the best share of the levels with no more false regions, with lines between
    the corners of that curve."""
    points = sorted([(0.0, 0.0), *points])
    best = 0.0
    corners = []
    for rate, share in points:
        best = max(best, share)
        corners.append((rate, best))
    grid = np.linspace(0, 1, 200_001)
    rates, shares = np.array(corners).T
    return float(np.interp(grid, rates, shares).mean())


def random_clip(random, tracks=False):
    frames = np.arange(2, 40)

    def box():
        low = random.random(2) * 0.7
        return (*low, *(low + 0.05 + 0.25 * random.random(2)))

    true = [
        (int(frame), box(), *([int(random.integers(3))] if tracks else []))
        for frame in random.integers(0, 40, 30)
    ]
    regions = []
    for frame, known, *_ in true:
        for level in range(LEVELS - int(random.integers(LEVELS))):
            if frame in frames:
                regions.append(
                    (
                        frame,
                        level,
                        tuple(
                            np.clip(np.array(known) + random.normal(0, 0.05, 4), 0, 1)[[0, 1, 2, 3]]
                        ),
                    )
                )
    for frame in random.integers(2, 40, 40):
        regions.append((int(frame), int(random.integers(LEVELS)), box()))
    regions = [(f, n, b) for f, n, b in regions if b[2] > b[0] and b[3] > b[1]]
    return located(frames, regions, true, random.integers(0, 3, LEVELS))


@pytest.mark.parametrize("seed", range(5))
def test_rbdc_is_what_plain_loops_give(seed):
    """Counting each box against each box, level by level, and the curve on a fine grid."""
    random = np.random.default_rng(seed)
    clips = [random_clip(random) for _ in range(3)]
    assert rbdc(clips).value == pytest.approx(
        plain_area([plain_curve(clips, level) for level in range(LEVELS)]), abs=1e-4
    )


@pytest.mark.parametrize("seed", range(5))
def test_tbdc_is_what_plain_loops_give(seed):
    """A track counts from a tenth of its regions in frames with a map on."""
    random = np.random.default_rng(seed)
    clips = [random_clip(random, tracks=True) for _ in range(3)]
    points = []
    for level in range(LEVELS):
        shares = []
        for clip in clips:
            for track in set(clip.true_tracks[np.isin(clip.true_frames, clip.frames)]):
                mine = [
                    (f, b)
                    for f, b, t in zip(clip.true_frames, clip.true_boxes, clip.true_tracks)
                    if t == track and f in clip.frames
                ]
                hit = sum(
                    any(
                        n == level and g == f and iou(c, b) >= 0.1
                        for g, n, c in zip(clip.box_frames, clip.box_levels, clip.boxes)
                    )
                    for f, b in mine
                )
                shares.append(hit / len(mine) >= 0.1)
        points.append((plain_curve(clips, level)[0], np.mean(shares)))
    assert tbdc(clips).value == pytest.approx(plain_area(points), abs=1e-4)


def test_regions_with_scores_count_as_in_the_published_evaluation():
    """Boxes that stay the same at all levels below their score: one after the other, from the
    highest score down, each once."""
    random = np.random.default_rng(3)
    true = [(frame, (0.1, 0.1, 0.4, 0.5)) for frame in range(20)]
    scored = [
        (
            int(random.integers(20)),
            (0.1, 0.1, 0.45, 0.5) if random.random() < 0.6 else (0.6, 0.6, 0.9, 0.9),
        )
        for _ in range(18)
    ]
    frames = range(25)
    found, false, curve = set(), 0, [(0.0, 0.0)]
    for frame, box in scored:
        if box[0] < 0.5 and frame < 20:
            found.add(frame)
        else:
            false += 1
        curve.append((false / 25, len(found) / 20))
    curve.append((1.0, curve[-1][1]))
    rates, shares = np.array(curve).T
    expected = float(((rates[1:] - rates[:-1]) * (shares[1:] + shares[:-1]) / 2).sum())
    levels = len(scored)
    regions = [
        (frame, level, box)
        for rank, (frame, box) in enumerate(scored)
        for level in range(levels - rank)
    ]
    assert rbdc([located(frames, regions, true, levels=levels)]).value == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(4))
def test_regions_with_scores_are_regions_at_every_level_up_to_theirs(seed):
    """Each score as a level, and each region at all levels up to its own: the same criteria as of
    maps. Some scores are equal."""
    random = np.random.default_rng(seed)
    detected, same = [], []
    for _ in range(3):
        clip = random_clip(random, tracks=True)
        scores = np.round(random.normal(0, 1, len(clip.boxes)) * 3) / 3
        detected.append(
            DetectedClip(
                clip.frames,
                clip.boxes,
                clip.box_frames,
                scores,
                clip.true_boxes,
                clip.true_frames,
                clip.true_tracks,
            )
        )
    every = np.unique(np.concatenate([clip.box_scores for clip in detected]))
    for clip in detected:
        ranks = np.searchsorted(every, clip.box_scores)
        up_to = [
            (frame, level, box)
            for frame, box, rank in zip(clip.box_frames, clip.boxes, ranks)
            for level in range(rank + 1)
        ]
        true = list(zip(clip.true_frames, clip.true_boxes, clip.true_tracks))
        same.append(located(clip.frames, up_to, true, levels=len(every)))
    assert 0 < rbdc(detected).value < 1
    assert rbdc(detected).value == pytest.approx(rbdc(same).value, abs=1e-12)
    assert tbdc(detected).value == pytest.approx(tbdc(same).value, abs=1e-12)


def test_no_detection_finds_nothing():
    """Frames that were looked at, and no region in them."""
    nothing = np.zeros((0, 4)), np.zeros(0, int), np.zeros(0)
    true = np.array([[0.1, 0.1, 0.2, 0.2]]), np.array([3]), np.array([0])
    assert rbdc([DetectedClip(np.arange(5), *nothing, *true)]).value == 0
    assert tbdc([DetectedClip(np.arange(5), *nothing, *true)]).value == 0
    assert "no frame with a map" in rbdc([DetectedClip(np.arange(2), *nothing, *true)]).reason


def test_perfect_map_is_1_and_no_region_is_0():
    """Regions equal to the true ones at one level; none at all."""
    true = [
        (3, (0.1, 0.1, 0.2, 0.3), 0),
        (4, (0.1, 0.1, 0.2, 0.3), 0),
        (4, (0.5, 0.5, 0.7, 0.7), 1),
    ]
    clip = located(range(10), [(frame, 6, box) for frame, box, _ in true], true)
    assert rbdc([clip]).value == 1
    assert tbdc([clip]).value == 1
    nothing = located(range(10), [], true)
    assert rbdc([nothing]).value == 0
    assert tbdc([nothing]).value == 0


def test_whole_frame_at_every_level_finds_large_regions_only():
    """A constant map: one box a frame; half of the frames are false, and of two regions the one
    that fills a quarter is met."""
    true = [(0, (0.0, 0.0, 0.5, 0.5)), (1, (0.0, 0.0, 0.1, 0.1))]
    clip = located(
        range(4),
        [(frame, level, (0, 0, 1, 1)) for frame in range(4) for level in range(LEVELS)],
        true,
    )
    # The one point is (3 false / 4 frames, 1 / 2).
    assert rbdc([clip]).value == pytest.approx(0.75 * 0.5 / 2 + 0.25 * 0.5)


def test_region_in_a_frame_without_a_map_does_not_count():
    """What no map could find is no miss; with nothing left there is no number."""
    true = [(0, (0.0, 0.0, 0.5, 0.5), 0), (1, (0.0, 0.0, 0.5, 0.5), 0)]
    clip = located([1, 2], [(1, 0, (0.0, 0.0, 0.5, 0.5))], true)
    assert rbdc([clip]).value == 1
    empty = located([2, 3], [], true)
    assert rbdc([empty]).value is None
    assert tbdc([empty]).value is None
    assert "no frame with a map" in rbdc([empty]).reason


def test_maps_without_levels_have_no_number():
    """Without training maps there are no levels, and no regions: that is not the same as none
    found."""
    clip = located([1, 2], [], [(1, (0.0, 0.0, 0.5, 0.5), 0)], levels=0)
    assert "no training frames" in rbdc([clip]).reason
    assert "no training frames" in tbdc([clip]).reason


@pytest.mark.parametrize(("length", "expected"), [(10, 1.0), (11, 0.0)])
def test_a_track_needs_a_tenth_of_its_regions(length, expected):
    """One region of ten is enough, one of eleven is not."""
    box = (0.1, 0.1, 0.2, 0.2)
    clip = located(range(length), [(0, 0, box)], [(frame, box, 5) for frame in range(length)])
    assert tbdc([clip]).value == expected


def test_boxes_meet_from_a_tenth_on():
    """Intersection over union of 0.1 counts."""
    np.testing.assert_allclose(
        overlaps(
            np.array([[0, 0, 10, 1.0]]), np.array([[0, 0, 1, 1.0], [20, 0, 21, 1], [9, 0, 19, 1]])
        ),
        [[0.1, 0, 1 / 19]],
    )
    clip = located([0], [(0, 0, (0.0, 0.0, 1.0, 1.0))], [(0, (0.0, 0.0, 0.5, 0.2))])
    assert rbdc([clip]).value == 1


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([], 0.0),
        ([(0.0, 0.6)], 0.6),
        ([(0.5, 1.0)], 0.25 + 0.5),
        ([(2.0, 1.0)], 0.25),
        ([(0.5, 0.4), (0.5, 0.8)], 0.5 * 0.4 / 2 + 0.5 * 0.8),
        (
            [(0.2, 0.6), (0.5, 0.2)],
            0.2 * 0.6 / 2 + 0.8 * 0.6,
        ),  # a lower level that finds less does not take away
    ],
)
def test_area_of_curves_by_hand(points, expected):
    """Lines from the origin, level behind the last point, cut at one false region a frame."""
    rates, shares = np.array(points, dtype=float).reshape(-1, 2).T
    assert area(rates, shares) == pytest.approx(expected)


def plain_pixel_auc(maps, masks):
    """Detect at every threshold, pixel by pixel, and take the area by trapezoids."""
    anomalous = [mask.any() for mask in masks]
    points = [(0.0, 0.0)]
    for threshold in sorted({value for one in maps for value in one.ravel()}, reverse=True):
        true = false = 0
        for one, mask, is_anomalous in zip(maps, masks, anomalous):
            detected = one >= threshold
            if is_anomalous:
                true += (detected & mask).sum() >= 0.4 * mask.sum()
            else:
                false += detected.any()
        points.append((false / (len(maps) - sum(anomalous)), true / sum(anomalous)))
    rates, shares = np.array(points).T
    return float(((rates[1:] - rates[:-1]) * (shares[1:] + shares[:-1]) / 2).sum())


def at_forty(values, mask):
    inside = np.sort(values[mask])[::-1]
    return inside[int(np.ceil(round(0.4 * len(inside), 9))) - 1] if len(inside) else np.nan


@pytest.mark.parametrize("seed", range(4))
def test_pixel_auc_is_what_plain_detection_gives(seed):
    """Every threshold tried on every pixel; values are coarse, so that there are ties."""
    random = np.random.default_rng(seed)
    maps = np.round(random.random((30, 6, 5)) * 8)
    masks = np.zeros((30, 6, 5), dtype=bool)
    for frame in range(0, 30, 2):
        masks[frame, : random.integers(1, 5), : random.integers(1, 5)] = True
    maps[masks] += np.round(random.random(masks.sum()) * 6)
    threshold_40 = np.array([at_forty(one, mask) for one, mask in zip(maps, masks)])
    found = pixel_auc(maps.max(axis=(1, 2)), threshold_40).value
    assert found == pytest.approx(plain_pixel_auc(maps, masks))
    assert 0.01 < found < 0.99


def test_detection_beside_the_mask_finds_nothing():
    """In an anomalous frame the largest value outside of its mask neither finds the frame nor makes
    it false."""
    maximum, threshold_40 = np.array([9.0, 9.0, 2.0, 1.0]), np.array([0.5, 3.0, np.nan, np.nan])
    assert pixel_auc(maximum, threshold_40).value == roc_auc_score(
        [1, 1, 0, 0], [0.5, 3.0, 2.0, 1.0]
    )


def test_pixel_auc_of_perfect_and_constant_maps():
    """1 and one half."""
    nan = np.nan
    assert pixel_auc(np.array([1.0, 1, 0, 0]), np.array([1.0, 1, nan, nan])).value == 1
    assert pixel_auc(np.ones(4), np.array([1.0, 1, nan, nan])).value == 0.5


def test_one_class_has_no_pixel_auc():
    """With the reason."""
    assert pixel_auc(np.ones(2), np.ones(2)).reason == "every frame with a map is anomalous"
    assert pixel_auc(np.ones(2), np.full(2, np.nan)).reason == "every frame with a map is normal"
    assert pixel_auc(np.ones(0), np.ones(0)).value is None
