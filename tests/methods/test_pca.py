"""pca against plain numpy (eigenvectors of the covariance, not the SVD), and what it says at its
edges."""

import logging

import numpy as np
import pytest
from bench.methods.pca import CHUNK, PCA, PCAParameters

from bench import MethodError, OpenClip
from bench.contracts.compute import Compute
from bench.engine.context import make_context


def clip_of(frames: np.ndarray, name: str = "01", split: str = "train") -> OpenClip:
    return OpenClip(name, split, len(frames), "made", opener=lambda: frames)


def frames_of(seed: int, count: int, size: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, size, size), dtype=np.uint8)


def expected_scores(train: np.ndarray, test: np.ndarray, components: int) -> np.ndarray:
    """Norms of the residuals, by the eigenvectors of the covariance."""
    train, test = (frames.reshape(len(frames), -1) / 255.0 for frames in (train, test))
    mean = train.mean(axis=0)
    _, vectors = np.linalg.eigh(np.cov(train, rowvar=False))
    dropped = vectors[
        :, : train.shape[1] - components
    ]  # eigh sorts from the smallest: the residual lies in these
    return np.linalg.norm((test - mean) @ dropped, axis=1)


@pytest.mark.parametrize("components", [1, 5, 63])
def test_scores_equal_those_of_the_covariance(components, tmp_path):
    """Two training clips, all frames used; a test clip longer than a chunk."""
    first, second, test = frames_of(1, 70), frames_of(2, 50), frames_of(3, CHUNK + 9)
    method = PCA(PCAParameters(size=8, components=components))
    context = make_context(0, Compute("cpu"), tmp_path)
    method.fit([clip_of(first), clip_of(second, "02")], context)
    scores = method.score(clip_of(test, split="test"), context)
    np.testing.assert_allclose(
        scores, expected_scores(np.concatenate([first, second]), test, components), rtol=1e-9
    )


def test_training_frames_are_evenly_spaced_over_all_clips(tmp_path):
    """Of 120 frames 5 are taken: the first, the last, and three between, whichever clip they lie
    in."""
    frames = frames_of(4, 120)
    method = PCA(PCAParameters(size=8, components=3, samples=5))
    context = make_context(0, Compute("cpu"), tmp_path)
    method.fit(
        [clip_of(frames[:70]), clip_of(frames[70:71], "02"), clip_of(frames[71:], "03")], context
    )
    chosen = frames[[0, 30, 60, 89, 119]]
    np.testing.assert_allclose(method.mean, chosen.reshape(5, -1).mean(axis=0) / 255)
    np.testing.assert_allclose(
        method.score(clip_of(frames, split="test"), context),
        expected_scores(chosen, frames, 3),
        rtol=1e-9,
    )


def test_few_training_frames_have_few_components(tmp_path, caplog):
    """Four frames have no 64 components; the log says so, and the scores are finite."""
    frames = frames_of(5, 4, 32)
    method = PCA()
    with caplog.at_level(logging.INFO, "test"):
        method.fit(
            [clip_of(frames)], make_context(0, Compute("cpu"), tmp_path, logging.getLogger("test"))
        )
    assert "4 training frames have 4 components" in caplog.text
    assert np.isfinite(
        method.score(
            clip_of(frames_of(6, 3, 32), split="test"), make_context(0, Compute("cpu"), tmp_path)
        )
    ).all()


def test_what_was_learned_is_kept(tmp_path):
    """Saved and loaded, the scores are the same."""
    frames = frames_of(7, 30)
    method, again = (PCA(PCAParameters(size=8, components=4)) for _ in range(2))
    context = make_context(0, Compute("cpu"), tmp_path)
    method.fit([clip_of(frames)], context)
    method.save(tmp_path / "fitted")
    again.load(tmp_path / "fitted")
    np.testing.assert_array_equal(
        again.score(clip_of(frames), context), method.score(clip_of(frames), context)
    )


def test_one_training_frame_is_refused(tmp_path):
    """A single frame has no principal component."""
    with pytest.raises(MethodError, match="at least 2 training frames, there are 1"):
        PCA().fit([clip_of(frames_of(0, 1, 32))], make_context(0, Compute("cpu"), tmp_path))


def test_as_many_components_as_pixels_are_refused():
    """They would explain everything."""
    with pytest.raises(ValueError, match="components 64 must be less than the 64 pixels"):
        PCAParameters(size=8)
