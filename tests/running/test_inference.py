"""The inference engine: which frame gets which score, in windows and in streams."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from bench import MethodError, NetworkMethod, OpenClip, Window
from bench.running.context import make_context
from bench.running.inference import infer


@dataclass(frozen=True)
class Nothing:
    epochs: int = 1
    batch: int = 1
    learning_rate: float = 1.0


class Mean(NetworkMethod):
    """The score of a frame is its mean brightness: an impulse shows an index that is off by one."""

    name = "mean"
    Parameters = Nothing
    declared = Window(16, targets=(8,))

    @property
    def window(self):
        return self.declared

    def build(self):
        return torch.nn.Identity()

    def error(self, network, batch):
        return {"mean": network(batch["window"])[:, :, list(self.declared.targets)].mean((1, 3, 4))}


class Streaming(Mean):
    """The same, frame by frame, with one frame of delay."""

    declared = Window(3, targets=(1,))

    def start(self, network):
        return torch.empty(0, 1, 4, 4)

    def next(self, network, state, frames):
        joined = torch.cat([state, frames])
        return {"mean": joined[1:-1].mean((1, 2, 3))}, joined[-2:]


def clip_of(length):
    frames = np.tile(np.arange(length, dtype=np.uint8)[:, None, None], (1, 4, 4))
    return OpenClip("01", "test", length, "made", opener=lambda: frames)


def score(method, length, batch=4):
    method.network = method.build()
    return infer(method, clip_of(length), make_context(0, "cpu", None), batch=batch)


@pytest.mark.parametrize("length", [16, 17, 40])
@pytest.mark.parametrize("batch", [1, 3, 8])
def test_window_scores_belong_to_their_frames(length, batch):
    """With 16 frames and target 8 the frames 8 .. n-8 are scored, each with its own value."""
    result = score(Mean(), length, batch)
    np.testing.assert_array_equal(result.frames, np.arange(8, length - 7))
    np.testing.assert_allclose(result.values * 255, result.frames, rtol=1e-5)


def test_steps_between_frames_count():
    """A window of 3 frames 4 apart, target 2, scores the frames 8 .. n-1."""
    method = Mean()
    method.declared = Window(3, step=4, targets=(2,))
    result = score(method, 20)
    np.testing.assert_array_equal(result.frames, np.arange(8, 20))
    np.testing.assert_allclose(result.values * 255, result.frames, rtol=1e-5)


@pytest.mark.parametrize("length", [10, 13, 14, 29])
def test_windows_with_several_targets_score_each_frame_once(length):
    """Windows advance by their targets; the last one is laid at the clip's end."""
    method = Mean()
    method.declared = Window(10, targets=(5, 6, 7, 8, 9))
    result = score(method, length)
    np.testing.assert_array_equal(result.frames, np.arange(5, length))
    np.testing.assert_allclose(result.values * 255, result.frames, rtol=1e-5)


@pytest.mark.parametrize("length", [3, 4, 5, 17])
@pytest.mark.parametrize("batch", [1, 2, 16])
def test_streaming_equals_windows(length, batch):
    """A stream gives the scores that windows give, at the clip's borders too."""
    windowed = Mean()
    windowed.declared = Window(3, targets=(1,))
    expected = score(windowed, length)
    result = score(Streaming(), length, batch)
    np.testing.assert_array_equal(result.frames, expected.frames)
    np.testing.assert_allclose(result.values, expected.values, rtol=1e-5)


@pytest.mark.parametrize("method", [Mean, Streaming])
def test_clip_shorter_than_the_window_has_no_score(method):
    """It is left out, not padded."""
    assert len(score(method(), 2).values) == 0


def test_part_of_a_wrong_shape_is_refused():
    """error() must give windows x targets."""

    class Wrong(Mean):
        def error(self, network, batch):
            return {"mean": batch["window"].mean((1, 2, 3, 4))}

    with pytest.raises(MethodError, match=r"part 'mean' of shape \(4,\), expected \(4, 1, ...\)"):
        score(Wrong(), 30)
