"""The trivial references: known answers."""

import numpy as np
import pytest
from bench.methods.trivial import ClipPosition, Constant, FrameDifference, FrameIndex

from bench import OpenClip
from bench.contracts.compute import Compute
from bench.engine.context import make_context


def score(cls, length, tmp_path, frames=None):
    clip = OpenClip("01", "test", length, "made", opener=None if frames is None else lambda: frames)
    return cls().score(clip, make_context(0, Compute("cpu"), tmp_path))


@pytest.mark.parametrize(
    ("cls", "length", "expected"),
    [
        (Constant, 3, [0, 0, 0]),
        (FrameIndex, 4, [0, 1, 2, 3]),
        (ClipPosition, 5, [0, 0.25, 0.5, 0.75, 1]),
        (ClipPosition, 1, [0]),
        (FrameIndex, 1, [0]),
    ],
)
def test_scores_that_need_no_frame(cls, length, expected, tmp_path):
    """They need lengths alone, and no frame is opened."""
    assert cls().needs == {"lengths"}
    assert cls().frames is None
    np.testing.assert_array_equal(score(cls, length, tmp_path), expected)


def test_frame_difference_is_the_mean_change(tmp_path):
    """Against plain numpy, over more frames than one progress report; frame 0 copies frame 1."""
    frames = np.random.default_rng(0).integers(0, 256, (300, 6, 5), dtype=np.uint8)
    expected = np.abs(np.diff(frames.astype(float) / 255, axis=0)).mean(axis=(1, 2))
    found = score(FrameDifference, 300, tmp_path, frames)
    np.testing.assert_allclose(found[1:], expected)
    assert found[0] == found[1]


def test_frame_difference_of_black_and_white_is_one(tmp_path):
    """The change does not wrap around in eight bits, in either direction."""
    frames = np.zeros((3, 4, 4), dtype=np.uint8)
    frames[1] = 255
    np.testing.assert_array_equal(score(FrameDifference, 3, tmp_path, frames), [1, 1, 1])


def test_frame_difference_of_a_single_frame_is_zero(tmp_path):
    """There is nothing to compare with."""
    np.testing.assert_array_equal(
        score(FrameDifference, 1, tmp_path, np.zeros((1, 4, 4), dtype=np.uint8)), [0]
    )
