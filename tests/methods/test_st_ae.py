"""st-ae: counts, shapes, score, a short training."""

import numpy as np
import pytest
import torch
from bench.methods.networks.chong import SpatioTemporalAutoEncoder
from bench.methods.st_ae import SpatioTemporalAE, SpatioTemporalAEParameters
from torch import nn

from bench import OpenClip
from bench.running.context import make_context


def make(**values):
    return SpatioTemporalAE(SpatioTemporalAEParameters(**(dict(SpatioTemporalAE.profiles["smoke"]) | values)))


def test_parameter_count_and_shapes():
    """As computed from the layer table; maps of 55 and 26 pixels, and exactly 227 again."""
    with torch.device("meta"):
        network = SpatioTemporalAutoEncoder()
        features = network.encoder(torch.zeros(3, 1, 227, 227))
        output = network(torch.zeros(2, 1, 3, 227, 227))
    assert sum(weights.numel() for weights in network.parameters()) == 1_068_225
    assert [sum(weights.numel() for weights in cell.parameters()) for cell in network.memory] == [295_168, 110_720, 221_440]
    assert features.shape == (3, 64, 26, 26)
    assert output.shape == (2, 1, 3, 227, 227)


def test_score_is_the_norm_of_the_last_frames_error():
    """Over its pixels, in plain NumPy; the frames before are memory alone."""
    generator = np.random.default_rng(0)
    windows, output = generator.normal(size=(2, 1, 10, 27, 27)), generator.normal(size=(2, 1, 10, 27, 27))
    network = nn.Module()
    network.forward = lambda inputs: torch.from_numpy(output)
    parts = make().error(network, {"window": torch.from_numpy(windows)})
    residual = windows[:, 0, -1] - output[:, 0, -1]
    np.testing.assert_allclose(parts["norm"][:, 0], np.sqrt((residual**2).sum(axis=(1, 2))), rtol=1e-12)
    np.testing.assert_allclose(parts["map"][:, 0], np.abs(residual))
    assert parts["reconstruction"].shape == (2, 1, 1, 27, 27)


def test_training_lowers_the_error(tmp_path):
    """In profile smoke, with more epochs, the loss falls well below that of the first; frames 9 and on have a score."""
    torch.manual_seed(0)
    frames = np.full((48, 67, 67), 60, dtype=np.uint8)
    for number in range(48):
        frames[number, 10:22, number : number + 12] = 200
    clip = OpenClip("01", "train", 48, "made", opener=lambda: frames)
    method = make(epochs=8)
    history = tmp_path / "training.csv"
    method.fit([clip], make_context(0, "cpu", tmp_path, history=history))
    losses = np.genfromtxt(history, delimiter=",", names=True)["loss"]
    assert losses[-1] < 0.8 * losses[0]
    assert method.score(clip, make_context(0, "cpu", tmp_path)).frames.tolist() == list(range(9, 48))


def test_illegal_size_is_refused_with_the_nearest():
    """Other sizes do not come back from the decoder."""
    with pytest.raises(ValueError, match=r"size 224 is not 8k \+ 19; the nearest are 219 and 227"):
        SpatioTemporalAEParameters(size=224)
