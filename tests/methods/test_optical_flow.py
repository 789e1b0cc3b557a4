"""optical-flow: histograms of fields that are known, the distance against plain NumPy, and what it
says at its edges."""

import logging
from itertools import pairwise

import numpy as np
import pytest
from bench.methods.optical_flow import OpticalFlow, OpticalFlowParameters, flow, histograms

from bench import MethodError, OpenClip
from bench.contracts.compute import Compute
from bench.engine.context import make_context

HEIGHT, WIDTH = 120, 160


def clip_of(frames: np.ndarray, name: str = "01", split: str = "train") -> OpenClip:
    return OpenClip(name, split, len(frames), "made", opener=lambda: frames)


def texture(seed: int = 0) -> np.ndarray:
    """A smooth pattern, wider than a frame: Farneback fits polynomials to it."""
    import cv2

    coarse = np.random.default_rng(seed).integers(0, 256, (30, 60), dtype=np.uint8)
    return cv2.resize(coarse, (480, 240), interpolation=cv2.INTER_CUBIC)


def sliding(length: int, right: int, down: int = 0, seed: int = 0) -> np.ndarray:
    """Frames of a pattern that moves by so many pixels a frame."""
    pattern = texture(seed)
    places = [(60 - down * number, 160 - right * number) for number in range(length)]
    return np.stack([pattern[y : y + HEIGHT, x : x + WIDTH] for y, x in places])


@pytest.mark.parametrize(("right", "down"), [(3, 0), (0, 2), (-2, -2), (0, 0)])
def test_flow_finds_a_known_movement(right, down):
    """Positive values are to the right and downwards; away from the border the error is below half
    a pixel."""
    frames = sliding(2, right, down)
    found = flow(frames[0], frames[1])
    assert found.shape == (HEIGHT, WIDTH, 2)
    inside = found[20:-20, 20:-20]
    np.testing.assert_allclose(np.median(inside.reshape(-1, 2), axis=0), [right, down], atol=0.1)
    assert np.mean(np.abs(inside - [right, down]).max(axis=2) < 0.5) > 0.95


@pytest.mark.parametrize(
    ("movement", "bin_number", "value"),
    [
        ((2, 0), 0, 2),
        ((2, 2), 1, 2**1.5),
        ((0, 2), 2, 2),
        ((-3, 0), 4, 3),
        ((-3, -0.001), 4, 3),
        ((0, -1), 6, 1),
        ((1, -1), 7, 2**0.5),
        ((0.3, 0.3), 8, 1),
        ((0, 0), 8, 1),
        ((0.5, 0), 0, 0.5),
    ],
)
def test_bins_of_known_movements(movement, bin_number, value):
    """Eight directions from the right over downwards hold the mean speed, the ninth bin the share
    of slow pixels."""
    found = histograms(np.broadcast_to(np.float32(movement), (HEIGHT, WIDTH, 2)), (6, 8), 8, 0.5)
    assert found.shape == (48, 9)
    np.testing.assert_allclose(found[:, bin_number], value, rtol=1e-6)
    assert not np.delete(found, bin_number, axis=1).any()


def test_cells_are_row_by_row_and_even():
    """Cell 8 r + c holds 20 x 20 pixels; a half that moves fills half the bin."""
    field = np.zeros((HEIGHT, WIDTH, 2), dtype=np.float32)
    field[40:60, 60:70, 1] = 4  # the left half of row 2, column 3
    found = histograms(field, (6, 8), 8, 0.5)
    cell = 2 * 8 + 3
    np.testing.assert_allclose(found[cell], [0, 0, 2, 0, 0, 0, 0, 0, 0.5])
    others = np.delete(found, cell, axis=0)
    np.testing.assert_allclose(others[:, 8], 1)
    assert not others[:, :8].any()


def test_cells_that_do_not_divide_the_frame_lose_no_pixel():
    """Each pixel belongs to one cell, and each cell is divided by its own size."""
    found = histograms(np.zeros((HEIGHT, WIDTH, 2), dtype=np.float32), (7, 9), 4, 0.5)
    np.testing.assert_array_equal(found, np.tile([0, 0, 0, 0, 1], (63, 1)))


def expected_scores(train: list[np.ndarray], test: np.ndarray, floor: float = 1e-4) -> np.ndarray:
    """The distances, from all histograms at once."""

    def of(frames: np.ndarray) -> np.ndarray:
        return np.stack(
            [histograms(flow(before, now), (6, 8), 8, 0.5) for before, now in pairwise(frames)]
        )

    learned = np.concatenate([of(frames) for frames in train])
    variance = np.maximum(learned.var(axis=0), floor)
    scores = ((of(test) - learned.mean(axis=0)) ** 2 / variance).sum(axis=2).max(axis=1)
    return np.concatenate([scores[:1], scores])


@pytest.mark.parametrize("floor", [1e-4, 1e-2])
def test_scores_equal_numpy(floor, tmp_path):
    """Two training clips whose border is no movement; frame 0 takes the score of frame 1."""
    first, second, test = sliding(6, 1), sliding(5, 2, 1, seed=1), sliding(7, -3)
    method = OpticalFlow(OpticalFlowParameters(floor=floor))
    context = make_context(0, Compute("cpu"), tmp_path)
    method.fit([clip_of(first), clip_of(second, "02")], context)
    scores = method.score(clip_of(test, split="test"), context)
    assert scores.shape == (7,)
    np.testing.assert_allclose(scores, expected_scores([first, second], test, floor), rtol=1e-6)


def test_other_movement_scores_higher(tmp_path):
    """What moves as in training scores lower than what moves the other way, or much faster."""
    context = make_context(0, Compute("cpu"), tmp_path)
    method = OpticalFlow()
    method.fit([clip_of(sliding(20, 1, seed=seed), str(seed)) for seed in (0, 1)], context)

    def median(right: int) -> float:
        return float(
            np.median(method.score(clip_of(sliding(10, right, seed=2), split="test"), context))
        )

    assert median(1) < 0.5 * min(median(-1), median(5))


def test_each_nth_flow_is_learned_from(tmp_path):
    """With every=3 the flows to frames 1, 4 and 7 of nine."""
    frames = sliding(9, 2)
    method = OpticalFlow(OpticalFlowParameters(every=3))
    method.fit([clip_of(frames)], make_context(0, Compute("cpu"), tmp_path))
    learned = [
        histograms(flow(frames[number - 1], frames[number]), (6, 8), 8, 0.5) for number in (1, 4, 7)
    ]
    np.testing.assert_allclose(method.mean, np.mean(learned, axis=0), atol=1e-12)


def test_a_clip_of_one_frame_scores_0(tmp_path):
    """There is no flow in it; in training such a clip is passed over."""
    context = make_context(0, Compute("cpu"), tmp_path, logging.getLogger("test"))
    method = OpticalFlow()
    method.fit([clip_of(sliding(1, 0)), clip_of(sliding(4, 1), "02")], context)
    assert method.score(clip_of(sliding(1, 0), split="test"), context).tolist() == [0]


def test_no_flow_to_learn_from_is_refused(tmp_path):
    """With what is missing."""
    with pytest.raises(
        MethodError, match="needs a training clip of at least 2 frames, there is none"
    ):
        OpticalFlow().fit([clip_of(sliding(1, 0))], make_context(0, Compute("cpu"), tmp_path))
