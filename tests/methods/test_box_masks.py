"""Box masks follow the DDL code's rounding."""

import numpy as np
import pytest
from bench.methods.pseudo_anomalies.objects import box_mask
from hypothesis import given
from hypothesis import strategies as st


def test_coordinates_are_truncated_and_half_open() -> None:
    mask = box_mask(np.array([[0.13, 0.26, 0.58, 0.99]]), (10, 20))  # x 2.6..11.6, y 2.6..9.9
    assert mask.shape == (1, 10, 20) and mask.dtype == np.float32
    expected = np.zeros((10, 20))
    expected[2:9, 2:11] = 1
    np.testing.assert_array_equal(mask[0], expected)


def test_each_frame_has_its_own_box() -> None:
    mask = box_mask(np.array([[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1], [0, 0, 1, 1]]), (4, 8))
    assert mask.sum(axis=(1, 2)).tolist() == [8, 8, 32]
    assert mask[0, :2, :4].all() and mask[1, 2:, 4:].all()


@pytest.mark.parametrize(
    "box",
    [[0.2, 0.2, 0.2, 0.8], [0.21, 0.2, 0.29, 0.8], [1.2, 0.2, 1.5, 0.8], [-0.5, 0.1, -0.1, 0.9]],
)
def test_a_box_below_one_pixel_or_outside_is_an_empty_mask(box: list[float]) -> None:
    assert not box_mask(np.array([box]), (10, 10)).any()


def test_what_lies_beyond_the_frame_is_cut_off() -> None:
    mask = box_mask(np.array([[-0.35, 0.5, 0.25, 1.7]]), (8, 8))
    expected = np.zeros((8, 8))
    expected[4:, :2] = 1
    np.testing.assert_array_equal(mask[0], expected)


@given(
    st.lists(st.floats(0, 1), min_size=4, max_size=4),
    st.integers(1, 40),
    st.integers(1, 40),
)
def test_area_is_that_of_the_truncated_box(corners: list[float], height: int, width: int) -> None:
    x1, x2 = sorted(corners[:2])
    y1, y2 = sorted(corners[2:])
    mask = box_mask(np.array([[x1, y1, x2, y2]]), (height, width))
    assert mask.sum() == (int(x2 * width) - int(x1 * width)) * (int(y2 * height) - int(y1 * height))
    assert set(np.unique(mask)) <= {0, 1}
