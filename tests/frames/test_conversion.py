"""Frames of the store are those that the conversion says: colours at own size, then resized."""

import cv2
import numpy as np
import pytest

from bench.contracts.method import FrameFormat
from bench.frames.conversion import converted, converted_bgr


@pytest.mark.parametrize("size", [(48, 85), (24, 40), (64, 40), (96, 120)])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("colour", [False, True])
def test_colours_may_be_put_in_order_last(size, channels, colour):
    """Bit by bit, where axes shrink, grow or stay; random frames, as hard as any."""
    generator = np.random.default_rng(sum(size))
    frame = generator.integers(0, 256, (48, 85, 3) if colour else (48, 85), dtype=np.uint8)
    if colour:
        whole = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY if channels == 1 else cv2.COLOR_BGR2RGB)
    else:
        whole = frame if channels == 1 else cv2.cvtColor(frame, cv2.COLOR_GRAY2RGB)
    expected = converted(whole, FrameFormat(size, channels))
    found = converted_bgr(frame, FrameFormat(size, channels))
    np.testing.assert_array_equal(found, expected)
    assert found.shape == ((*size, 3) if channels == 3 else size)


def test_gray_beside_colour_is_what_it_is_alone():
    """A clip that is stored in both formats gives the gray frames of one that is not."""
    frame = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    rgb = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
    gray = FrameFormat((32, 32), 1)
    np.testing.assert_array_equal(converted_bgr(frame, gray), converted(rgb, gray))
