"""st-ae: counts, shapes, loss and score against plain NumPy, a short training."""

import numpy as np
import pytest
import torch
from bench.methods.networks.chong import SpatioTemporalAutoEncoder
from bench.methods.st_ae import SpatioTemporalAE, SpatioTemporalAEParameters
from made import Known, watched, wave
from torch import nn

from bench import OpenClip
from bench.contracts.compute import Compute
from bench.engine.context import make_context


def make(**values):
    return SpatioTemporalAE(
        SpatioTemporalAEParameters(**(dict(SpatioTemporalAE.profiles["smoke"]) | values))
    )


def test_parameter_counts():
    """As computed from the layer table: of all, of encoder and decoder, and of each ConvLSTM."""
    with torch.device("meta"):
        network = SpatioTemporalAutoEncoder()
    parts = (network, network.encoder, network.decoder, *network.memory)
    counts = [sum(weights.numel() for weights in part.parameters()) for part in parts]
    assert counts == [1_068_225, 220_480, 220_417, 295_168, 110_720, 221_440]


@pytest.mark.parametrize(("size", "outer", "inner"), [(227, 55, 26), (83, 19, 8)])
def test_layer_shapes(size, outer, inner):
    """Frames of two windows one by one, the ConvLSTMs over their three frames, and exactly the size
    of the frames again."""
    with torch.device("meta"):
        network = SpatioTemporalAutoEncoder()
        seen = watched((*network.encoder[::2], *network.memory, *network.decoder[::2]))
        output = network(torch.empty(2, 1, 3, size, size))
    assert [shape for _, shape in seen] == [
        (6, 128, outer, outer),
        (6, 64, inner, inner),
        (2, 3, 64, inner, inner),
        (2, 3, 32, inner, inner),
        (2, 3, 64, inner, inner),
        (6, 128, outer, outer),
        (6, 1, size, size),
    ]
    assert output.shape == (2, 1, 3, size, size)


def test_loss_is_the_mean_squared_error(tmp_path):
    """Of a known residual, over all pixels and all frames of the windows, in plain NumPy."""
    windows, residual = wave(2, 1, 10, 27, 27, frequency=0.37), wave(2, 1, 10, 27, 27)
    terms = make().loss(
        Known(residual), {"window": windows}, make_context(0, Compute("cpu"), tmp_path)
    )
    expected = np.mean(residual.numpy() ** 2)
    assert (terms["loss"].item(), terms["reconstruction"].item()) == pytest.approx(
        (expected, expected), rel=1e-12
    )
    assert set(terms) == {"loss", "reconstruction"}


def test_score_is_the_norm_of_the_last_frames_error():
    """Over its pixels, in plain NumPy; the frames before are memory alone."""
    generator = np.random.default_rng(0)
    windows, output = (
        generator.normal(size=(2, 1, 10, 27, 27)),
        generator.normal(size=(2, 1, 10, 27, 27)),
    )
    network = nn.Module()
    network.forward = lambda inputs: torch.from_numpy(output)
    parts = make().error(network, {"window": torch.from_numpy(windows)})
    residual = windows[:, 0, -1] - output[:, 0, -1]
    np.testing.assert_allclose(
        parts["norm"][:, 0], np.sqrt((residual**2).sum(axis=(1, 2))), rtol=1e-12
    )
    np.testing.assert_allclose(parts["map"][:, 0], np.abs(residual))
    assert parts["reconstruction"].shape == (2, 1, 1, 27, 27)


def test_training_lowers_the_error(tmp_path):
    """In profile smoke, with more epochs, the loss falls well below that of the first; frames 9 and
    on have a score."""
    torch.manual_seed(0)
    frames = np.full((48, 67, 67), 60, dtype=np.uint8)
    for number in range(48):
        frames[number, 10:22, number : number + 12] = 200
    clip = OpenClip("01", "train", 48, "made", opener=lambda: frames)
    method = make(epochs=8)
    history = tmp_path / "training.csv"
    method.fit([clip], make_context(0, Compute("cpu"), tmp_path, history=history))
    losses = np.genfromtxt(history, delimiter=",", names=True)["loss"]
    assert losses[-1] < 0.8 * losses[0]
    assert method.score(clip, make_context(0, Compute("cpu"), tmp_path)).frames.tolist() == list(
        range(9, 48)
    )


def test_illegal_size_is_refused_with_the_nearest():
    """Other sizes do not come back from the decoder."""
    with pytest.raises(ValueError, match=r"size 224 is not 8k \+ 19; the nearest are 219 and 227"):
        SpatioTemporalAEParameters(size=224)
