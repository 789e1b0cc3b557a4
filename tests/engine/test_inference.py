"""The inference engine: which frame gets which score, in windows and in streams."""

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from bench import MethodError, NetworkMethod, OpenClip, Window
from bench.contracts.compute import Compute
from bench.contracts.method import FrameFormat
from bench.engine.context import make_context
from bench.engine.inference import infer, infer_as_they_come


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
    return infer(method, clip_of(length), make_context(0, Compute("cpu", batch=batch), None))


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


def test_term_of_a_wrong_shape_is_refused():
    """error() must give windows x targets."""

    class Wrong(Mean):
        def error(self, network, batch):
            return {"mean": batch["window"].mean((1, 2, 3, 4))}

    with pytest.raises(MethodError, match=r"term 'mean' of shape \(4,\), expected \(4, 1, ...\)"):
        score(Wrong(), 30)


def as_they_come(method, length, sizes, batch=4, at_once=False):
    """Scores of frames that come in pieces of these sizes, again and again; and after how many
    frames each was there."""
    method.network = method.build()
    given = 0

    def batches():
        nonlocal given
        frames = clip_of(length).frames
        for size in itertools.cycle(sizes):
            if given >= length:
                return
            begin, given = given, min(given + size, length)
            yield frames[begin:given]

    found = [
        (scores, given)
        for scores in infer_as_they_come(
            method, batches(), make_context(0, Compute("cpu", batch=batch), None), at_once
        )
    ]
    return [scores for scores, _ in found], [after for _, after in found]


WINDOWS = [
    Window(16, targets=(8,)),
    Window(3, targets=(1,)),
    Window(10, targets=(5, 6, 7, 8, 9)),
    Window(3, step=4, targets=(2,)),
    Window(1),
]


@pytest.mark.parametrize(
    "window", WINDOWS, ids=lambda window: f"{window.length}-{window.step}-{len(window.targets)}"
)
@pytest.mark.parametrize("length", [2, 9, 10, 13, 16, 17, 24, 29, 40])
@pytest.mark.parametrize(
    "how", [{"batch": 4}, {"batch": 1}, {"batch": 4, "at_once": True}], ids=str
)
def test_frames_as_they_come_have_the_scores_of_the_clip(window, length, how):
    """Each frame once, in order, whatever the pieces; windows laid at the end as there."""
    method = Mean()
    method.declared = window
    expected = score(method, length)
    for sizes in ([4], [1], [5, 2, 9]):
        found, _ = as_they_come(method, length, sizes, **how)
        frames = np.concatenate([np.zeros(0, int), *(scores.frames for scores in found)])
        np.testing.assert_array_equal(frames, expected.frames)
        np.testing.assert_allclose(
            np.concatenate([np.zeros(0), *(scores.values for scores in found)]),
            expected.values,
            rtol=1e-6,
        )


@pytest.mark.parametrize("length", [2, 3, 17])
def test_streamed_frames_as_they_come_have_the_scores_of_the_clip(length):
    """The state goes on from piece to piece."""
    expected = score(Streaming(), length)
    found, _ = as_they_come(Streaming(), length, [1, 3])
    np.testing.assert_allclose(
        np.concatenate([np.zeros(0), *(scores.values for scores in found)]),
        expected.values,
        rtol=1e-6,
    )


def test_a_frame_that_comes_is_scored_at_once():
    """Where that is asked for, a window is scored with its last frame, and not with its batch."""
    found, after = as_they_come(Mean(), 40, [1], at_once=True)
    assert [int(scores.frames[0]) + 8 for scores in found] == after == list(range(16, 41))


def test_whoever_takes_scores_is_not_in_inference_mode():
    """Between two scores torch is as it was."""
    method = Mean()
    method.network = method.build()
    scores = infer_as_they_come(
        method, iter([clip_of(20).frames] * 2), make_context(0, Compute("cpu"), None)
    )
    next(scores)
    assert not torch.is_inference_mode_enabled()


class Narrow(Mean):
    """Has memory for three windows."""

    asked: tuple[int, ...] = ()

    def error(self, network, batch):
        self.asked = (*self.asked, len(batch["window"]))
        if len(batch["window"]) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return super().error(network, batch)


class NarrowStream(Streaming):
    """Has memory for three frames."""

    def next(self, network, state, frames):
        if len(frames) > 3:
            raise RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED")
        return super().next(network, state, frames)


@pytest.mark.parametrize(("narrow", "wide"), [(Narrow, Mean), (NarrowStream, Streaming)])
def test_a_batch_that_is_out_of_memory_is_halved(narrow, wide):
    """The scores are those of any other batch, and the next clip begins with the size that fits."""
    method = narrow()
    method.network = method.build()
    context = make_context(0, Compute("cpu", batch=64), None)
    found = infer(method, clip_of(40), context)
    expected = score(wide(), 40)
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_array_equal(found.frames, expected.frames)
    assert context.compute.batch in (2, 3)
    method.asked = ()
    infer(method, clip_of(40), context)
    assert all(size <= 3 for size in method.asked)


def test_one_window_that_is_out_of_memory_is_an_error():
    """Nothing smaller can be tried; other errors are not tried again."""
    method = Narrow()
    method.error = lambda network, batch: (_ for _ in ()).throw(MemoryError)
    method.network = method.build()
    with pytest.raises(MemoryError):
        infer(method, clip_of(40), make_context(0, Compute("cpu", batch=8), None))
    method.error = lambda network, batch: 1 / 0
    context = make_context(0, Compute("cpu", batch=8), None)
    with pytest.raises(ZeroDivisionError):
        infer(method, clip_of(40), context)
    assert context.compute.batch == 8


class Ranged(NetworkMethod):
    """Sees what a value range makes of frames."""

    name = "ranged"
    Parameters = Nothing

    def __init__(self, value_range, channels):
        self.value_range = value_range
        super().__init__()
        self.frames = FrameFormat((5, 4), channels)

    @property
    def window(self):
        return Window(3, value_range=self.value_range)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("value_range", ["0..1", "-1..1", "mean-subtracted"])
def test_frames_that_crossed_to_the_device_have_the_values_of_numpy(value_range, channels):
    """All bytes, bit by bit, in a batch of windows and in each of them."""
    method = Ranged(value_range, channels)
    shape = (2, 3, 5, 4) + (3,) * (channels == 3)
    frames = np.resize(np.random.default_rng(0).permutation(256), shape).astype(np.uint8)
    mean = np.random.default_rng(1).random(shape[2:], dtype=np.float32) * 255
    method.stats = {"mean": mean}
    values = frames.astype(np.float32)
    plain = {
        "0..1": values / np.float32(255),
        "-1..1": values / np.float32(127.5) - np.float32(1),
        "mean-subtracted": (values - mean) / np.float32(255),
    }[value_range]
    plain = plain[:, None] if channels == 1 else plain.transpose(0, 4, 1, 2, 3)
    found = method.to_range(torch.from_numpy(frames))
    assert found.dtype == torch.float32 and found.is_contiguous()
    np.testing.assert_array_equal(found.numpy(), plain)
    for window, expected in zip(frames, plain, strict=True):
        np.testing.assert_array_equal(method.to_range(window).numpy(), expected)
