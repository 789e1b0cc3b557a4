"""my-method does what every method owes, and what it promises."""

import numpy as np
from my_method import MyMethod

from bench import OpenClip
from bench.testing import make_context, parametrize_with_checks


@parametrize_with_checks([MyMethod])
def test_does_what_every_method_owes(method, check):
    """One finite score a frame, the same under the same seed, after saving, in any order, ..."""
    check(method)


def test_frames_that_differ_from_training_score_higher(tmp_path):
    """Training frames of one dim pattern; a test clip that turns to bright noise in the middle."""
    method = MyMethod(MyMethod.Parameters(**MyMethod.profiles.get("smoke", {})))
    size = (20, *method.frames.size)
    generator = np.random.default_rng(0)
    dim = np.repeat(generator.integers(80, 100, (1, *size[1:]), dtype=np.uint8), 20, axis=0)
    noise = generator.integers(150, 256, size, dtype=np.uint8)
    context = make_context(tmp_path)
    method.fit([_clip("train", dim)], context)
    scores = method.score(_clip("test", np.concatenate([dim, noise])), context)
    values = np.asarray(getattr(scores, "values", scores))
    frames = np.asarray(getattr(scores, "frames", np.arange(len(values))))
    assert values[frames >= 20].min() > values[frames < 20].max()


def _clip(split, frames):
    return OpenClip("01", split, len(frames), "made", opener=lambda: frames)
