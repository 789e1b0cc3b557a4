"""my-method does what every method owes, and what it promises."""

from types import SimpleNamespace

import numpy as np
from my_method import MyMethod

from bench.testing import parametrize_with_checks


@parametrize_with_checks([MyMethod])
def test_does_what_every_method_owes(method, check):
    """One finite score a frame, the same under the same seed, after saving, in any order, ..."""
    check(method)


def test_frames_that_differ_from_training_score_higher():
    """Gray training frames; a test clip that turns white in the middle."""
    gray, white = np.full((2, 8, 8), 90, np.uint8), np.full((2, 8, 8), 250, np.uint8)
    method = MyMethod()
    method.fit([SimpleNamespace(frames=np.repeat(gray, 10, axis=0))], None)
    assert method.score(SimpleNamespace(frames=np.concatenate([gray, white])), None) == [
        0,
        0,
        160,
        160,
    ]
