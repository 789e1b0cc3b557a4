"""ae-3d and random-network: golden values (made once with the authors' code, in float64), counts,
shapes, score, a short training."""

import logging

import numpy as np
import pytest
import torch
from bench.methods.ae_3d import AE3D, AE3DParameters, Network3DParameters, RandomNetwork
from bench.methods.networks.autoencoder_3d import AutoEncoder3D
from made import Known, fill, moving_square, watched, wave
from torch import nn

from bench import OpenClip
from bench.contracts.compute import Compute
from bench.engine.context import make_context
from bench.engine.inference import infer


@pytest.mark.parametrize(
    ("shape", "numbers", "elements"),
    [
        (
            (1, 1, 8, 16, 16),
            [0.011370425, 0.054890506, -0.11981395, 0.15828480],
            {
                (0, 0, 0, 0, 0): -0.015011770,
                (0, 0, 4, 5, 9): 0.055740859,
                (0, 0, 7, 15, 15): 0.050728926,
            },
        ),
        (
            (1, 1, 16, 32, 32),
            [0.011720534, 0.14293083, -1.4156360, 1.0958380],
            {
                (0, 0, 0, 0, 0): -0.0095407651,
                (0, 0, 8, 5, 9): -0.55649200,
                (0, 0, 15, 31, 31): 0.055780617,
            },
        ),
    ],
    ids=["smallest", "16-frames"],
)
def test_network_gives_the_golden_values(shape, numbers, elements):
    """Mean, standard deviation, extremes and elements of the output are those of the authors'
    network."""
    with torch.inference_mode():
        output = fill(AutoEncoder3D(1), 1.5)(wave(*shape))
    assert output.shape == shape
    np.testing.assert_allclose(
        [output.mean(), output.std(unbiased=False), output.min(), output.max()], numbers, rtol=1e-6
    )
    for index, value in elements.items():
        assert output[index].item() == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize(("channels", "expected"), [(1, 5_980_801), (3, 5_991_171)])
def test_parameter_counts(channels, expected):
    """As counted in the authors' code."""
    with torch.device("meta"):
        network = AutoEncoder3D(channels)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


@pytest.mark.parametrize("channels", [1, 3])
def test_layer_shapes(channels):
    """Each layer halves or doubles height and width; the outer ones keep all 16 frames."""
    with torch.device("meta"):
        network = AutoEncoder3D(channels)
        seen = watched((*network.encoder, *network.decoder))
        network(torch.empty(1, channels, 16, 256, 256))
    encoded = [(96, 16, 128), (128, 8, 64), (256, 4, 32), (256, 2, 16)]
    decoded = [(256, 4, 32), (128, 8, 64), (96, 16, 128), (channels, 16, 256)]
    assert [shape for _, shape in seen] == [
        (1, outputs, frames, size, size) for outputs, frames, size in encoded + decoded
    ]


def test_width_scales_the_channels():
    """Half the width has 48, 64, 128 and 128 channels."""
    with torch.device("meta"):
        network = AutoEncoder3D(1, 0.5)
    assert [block[0].out_channels for block in network.encoder] == [48, 64, 128, 128]


def test_weights_are_drawn_as_in_the_authors_code():
    """Convolutions N(0, 0.02), normalisations N(1, 0.02) with bias 0."""
    torch.manual_seed(0)
    network = AutoEncoder3D(1)
    for module in network.modules():
        if isinstance(module, nn.Conv3d | nn.ConvTranspose3d) and module.weight.numel() > 100_000:
            assert module.weight.mean().item() == pytest.approx(0, abs=3e-4)
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.02)
        elif isinstance(module, nn.BatchNorm3d):
            assert module.weight.mean().item() == pytest.approx(1, abs=0.01)
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.3)
            assert not module.bias.any()


def test_score_of_a_known_residual_golden():
    """The mean squared error on 0..1 over the whole window."""
    residual = wave(1, 3, 2, 2, 2, frequency=0.17)

    class TwoFrames(AE3D):
        window = type(AE3D().window)(2, targets=(1,), value_range="-1..1")

    parts = TwoFrames().error(Known(residual), {"window": torch.zeros_like(residual)})
    assert parts["mse"].shape == (1, 1)
    assert parts["mse"].item() == pytest.approx(0.10714534, rel=1e-7)
    expected = np.sqrt((residual[0, :, 1].numpy() ** 2).mean(axis=0))
    np.testing.assert_allclose(parts["map"][0, 0], expected)
    np.testing.assert_allclose(parts["reconstruction"][0, 0], -residual[0, :, 1])


def test_score_stands_at_frame_8_of_each_window(tmp_path):
    """A clip of n frames gets n - 15 scores, from frame 8 on; an impulse at frame 30 raises the
    scores of windows that hold it."""
    frames = np.full((40, 32, 32), 60, dtype=np.uint8)
    frames[30] = 250
    method = AE3D(AE3DParameters(size=32, width=0.05))
    method.network = Known(torch.zeros(()))
    method.network.forward = lambda windows: torch.full_like(windows, 60 / 127.5 - 1)
    scores = infer(
        method,
        OpenClip("01", "test", 40, "made", opener=lambda: frames),
        make_context(0, Compute("cpu"), tmp_path),
    )
    np.testing.assert_array_equal(scores.frames, np.arange(8, 33))
    # Window s holds frames s..s + 15 and scores frame s + 8, so frame 30 is in the windows of
    # frames 23..38.
    expected = np.where(scores.frames >= 23, (190 / 255) ** 2 / 16, 0)
    np.testing.assert_allclose(scores.values, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"size": 250}, "size 250 is not a multiple of 16; the nearest are 240 and 256"),
        ({"length": 12}, "length 12 is not a multiple of 8; the nearest are 8 and 16"),
    ],
)
@pytest.mark.parametrize("parameters", [AE3DParameters, Network3DParameters])
def test_sizes_that_do_not_return_are_refused(parameters, values, text):
    """A size that the decoder would not restore is refused with the nearest that it would."""
    with pytest.raises(ValueError, match=text):
        parameters(**values)


@pytest.mark.parametrize("channels", [1, 3])
def test_training_lowers_the_error(channels, tmp_path):
    """A short training in profile smoke, and the error of the first epoch is not the last's."""
    frames = moving_square(48)
    if channels == 3:
        frames = np.repeat(frames[..., None], 3, axis=3)
    clip = OpenClip("01", "train", 48, "made", opener=lambda: frames)
    torch.manual_seed(0)
    method = AE3D(AE3DParameters(**(AE3D.profiles["smoke"] | {"channels": channels})))
    context = make_context(0, Compute("cpu"), tmp_path, history=tmp_path / "training.csv")
    method.fit([clip], context)
    history = np.genfromtxt(tmp_path / "training.csv", delimiter=",", names=True)
    assert len(history) == AE3D.profiles["smoke"]["epochs"]
    assert history["loss"][-1] < 0.8 * history["loss"][0]
    assert np.isfinite(method.score(clip, context).values).all()


def test_loss_is_the_mean_squared_error(tmp_path):
    """Without pseudo-anomalies the loss is plain reconstruction of all frames."""
    method = AE3D(AE3DParameters(size=16, length=8, width=0.05))
    residual = wave(2, 1, 8, 16, 16)
    terms = method.loss(
        Known(residual),
        {"window": torch.zeros_like(residual)},
        make_context(0, Compute("cpu"), tmp_path),
    )
    assert terms["loss"].item() == pytest.approx((residual.numpy() ** 2).mean())


def test_random_network_is_fresh_and_untrained(tmp_path):
    """Weights come from the seed alone; the normalisations have seen nothing; the score is
    ae-3d's."""
    frames = moving_square(24)
    clip = OpenClip("01", "test", 24, "made", opener=lambda: frames)

    def fitted(seed: int) -> RandomNetwork:
        method = RandomNetwork(Network3DParameters(**RandomNetwork.profiles["smoke"]))
        method.fit([], make_context(seed, Compute("cpu"), tmp_path, logging.getLogger("test")))
        return method

    first, again, other = fitted(1), fitted(1), fitted(2)
    norms = [module for module in first.network.modules() if isinstance(module, nn.BatchNorm3d)]
    assert norms
    assert all(
        not norm.running_mean.any()
        and bool((norm.running_var == 1).all())
        and norm.num_batches_tracked == 0
        for norm in norms
    )
    assert "train" not in first.needs
    context = make_context(1, Compute("cpu"), tmp_path)
    values = [method.score(clip, context).values for method in (first, again, other)]
    np.testing.assert_array_equal(values[0], values[1])
    assert not np.array_equal(values[0], values[2])
    trained = AE3D(AE3DParameters(size=32, width=0.125))
    trained.network = first.network
    np.testing.assert_array_equal(trained.score(clip, context).values, values[0])
