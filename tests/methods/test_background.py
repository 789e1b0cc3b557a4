"""background and foreground-area against plain numpy, and the number on real Ped2."""

import numpy as np
import pytest
from bench.methods.background import CHUNK, Background, BackgroundParameters, ForegroundArea
from known_answers import real_clips
from made import clip_of

import bench
from bench import MethodError
from bench.contracts.compute import Compute
from bench.engine.context import make_context
from bench.frames.store import open_frames, prepare_frames
from bench.plugins.registry import current

SIZE = CHUNK + 9


def frames_of(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, SIZE, SIZE), dtype=np.uint8)


def fitted(cls, clips, path, **parameters):
    method = cls(BackgroundParameters(size=SIZE, **parameters))
    method.fit(
        [clip_of(frames, name=str(number)) for number, frames in enumerate(clips)],
        make_context(0, Compute("cpu"), path),
    )
    return method


def test_background_is_the_mean_distance_to_the_median(tmp_path):
    """An even number of frames, so that medians are half numbers; a test clip longer than a
    chunk."""
    train, test = frames_of(0, 12), frames_of(1, CHUNK + 5)
    method = fitted(Background, [train[:5], train[5:]], tmp_path)
    median = np.sort(train, axis=0)[5:7].mean(axis=0)
    np.testing.assert_array_equal(method.median, median)
    expected = np.abs(test.astype(np.float64) - median).mean(axis=(1, 2))
    np.testing.assert_allclose(
        method.score(clip_of(test, split="test"), make_context(0, Compute("cpu"), tmp_path)),
        expected,
        rtol=1e-12,
    )


def test_training_frames_are_evenly_spaced(tmp_path):
    """Of twelve frames five, whichever clip they lie in."""
    train = frames_of(2, 12)
    method = fitted(Background, [train[:7], train[7:]], tmp_path, samples=5)
    np.testing.assert_array_equal(method.median, np.median(train[[0, 3, 6, 8, 11]], axis=0))


def test_foreground_is_what_is_further_than_four_deviations(tmp_path):
    """The deviation is that of normal noise with this median distance."""
    noise = np.random.default_rng(3).normal(100, 5, (200, SIZE, SIZE)).round().astype(np.uint8)
    method = fitted(ForegroundArea, [noise], tmp_path)
    distances = np.abs(noise.astype(float) - np.median(noise, axis=0))
    assert method.threshold == pytest.approx(4 * 1.4826 * np.median(distances))
    assert method.threshold == pytest.approx(20, rel=0.15)
    test = noise[:3].copy()
    test[1, :10] = 200
    expected = (np.abs(test.astype(float) - method.median) > method.threshold).mean(axis=(1, 2))
    found = method.score(clip_of(test, split="test"), make_context(0, Compute("cpu"), tmp_path))
    np.testing.assert_allclose(found, expected)
    assert found[1] == pytest.approx(10 / SIZE, abs=0.01)


def test_no_training_frame_is_refused(tmp_path):
    """With the reason."""
    with pytest.raises(MethodError, match="background: a median needs a training frame"):
        fitted(Background, [], tmp_path)


@pytest.mark.realdata
def test_real_ped2(real_data, tmp_path):
    """Numpy and OpenCV alone give 91.35 and 85.81 under median17; they resize both axes in one
    step, and the frame store does not."""
    dataset = current().datasets["ped2"]()
    dataset.locate([real_data])
    labels = {clip.id: clip.labels for clip in real_clips(real_data, "memae", "ped2", "frame")}
    frames = Background().frames
    clips = {split: dataset.clips(split) for split in ("train", "test")}
    for split in clips.values():
        prepare_frames(dataset, split, [frames], lambda done, total, what: None)
    opened = {
        split: [
            clip_of(open_frames(dataset, clip, frames), split, clip.id) for clip in clips[split]
        ]
        for split in clips
    }
    context = make_context(0, Compute("cpu"), tmp_path)
    for cls, expected in ((Background, 91.35), (ForegroundArea, 85.86)):
        method = cls()
        method.fit(opened["train"], context)
        scores = {clip.id: method.score(clip, context) for clip in opened["test"]}
        assert round(100 * bench.score(scores, labels), 2) == pytest.approx(expected, abs=0.02)
