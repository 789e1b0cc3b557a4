"""ae-conv3d: golden values (of public reimplementations, in float64), counts, pooling, loss,
windows, score, training."""

import math

import numpy as np
import pytest
import torch
from bench.methods.ae_conv3d import AEConv3D, AEConv3DParameters
from bench.methods.networks.stae import HalvingPool3D, SpatioTemporalAutoEncoder, prediction_loss
from made import clip_of, counted, fill, moving_square, watched, wave
from torch import nn
from torch.nn import functional

from bench import MethodError
from bench.contracts.compute import Compute
from bench.engine.context import make_context
from bench.engine.inference import infer


def test_network_gives_the_golden_values():
    """Mean, standard deviation, extremes and elements of the reconstruction; the prediction is
    equal under the same fill."""
    windows = 0.5 + 0.5 * wave(1, 1, 8, 32, 32)
    network = fill(SpatioTemporalAutoEncoder(1), 2)
    with torch.inference_mode():
        output = network(windows)
        both = network.continued(windows)
    assert output.shape == windows.shape
    found = [output.mean(), output.std(unbiased=False), output.min(), output.max()]
    np.testing.assert_allclose(found, [0.50251642, 0.12520386, 0.054509707, 0.94891256], rtol=1e-6)
    for index, value in {
        (0, 0, 0, 0, 0): 0.53598496,
        (0, 0, 4, 5, 9): 0.17814310,
        (0, 0, 7, 31, 31): 0.49528396,
    }.items():
        assert output[index].item() == pytest.approx(value, rel=1e-6)
    torch.testing.assert_close(both, torch.cat([output, output], dim=2), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("channels", "prediction", "kernel", "expected"),
    [
        (1, True, 3, 543_026),
        (1, False, 3, 389_761),
        (3, True, 3, 548_214),
        (1, True, 4, 959_794),
        (1, False, 4, 598_145),
    ],
)
def test_parameter_counts(channels, prediction, kernel, expected):
    """As counted in a public reimplementation (kernel 3), and by formula (kernel 4)."""
    with torch.device("meta"):
        network = SpatioTemporalAutoEncoder(channels, 1.0, prediction, kernel)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


@pytest.mark.parametrize("kernel", [3, 4])
def test_layer_shapes(kernel):
    """Each pooling halves frames, height and width, and each transposed convolution doubles them
    again, in both decoders."""
    with torch.device("meta"):
        network = SpatioTemporalAutoEncoder(1, 1.0, True, kernel)
        parts = [
            watched(part) for part in (network.encoder, network.reconstruction, network.prediction)
        ]
        network.continued(torch.empty(1, 1, 16, 128, 128))
    encoded = [
        (32, 16, 128),
        (32, 8, 64),
        (48, 8, 64),
        (48, 4, 32),
        (64, 4, 32),
        (64, 2, 16),
        (64, 2, 16),
    ]
    decoded = [(48, 4, 32), (32, 8, 64), (32, 16, 128), (1, 16, 128), (1, 16, 128)]
    for seen, expected in zip(parts, (encoded, decoded, decoded)):
        assert [shape for _, shape in seen] == [
            (1, channels, frames, size, size) for channels, frames, size in expected
        ]


def test_width_scales_the_channels():
    """Half the width has 16, 24, 32 and 32 channels."""
    with torch.device("meta"):
        network = SpatioTemporalAutoEncoder(1, 0.5)
    assert [network.encoder[place][0].out_channels for place in (0, 2, 4, 6)] == [16, 24, 32, 32]


def test_weights_are_drawn_as_in_the_public_reimplementation():
    """Standard deviation sqrt(2 / fan), where the fan is axis 0 times the kernel's volume."""
    torch.manual_seed(0)
    network = SpatioTemporalAutoEncoder(1)
    for module in network.modules():
        if isinstance(module, nn.Conv3d | nn.ConvTranspose3d) and module.weight.numel() > 25_000:
            fan = module.weight.shape[0] * 27
            assert module.weight.std().item() == pytest.approx(math.sqrt(2 / fan), rel=0.03)


def test_pooling_equals_torchs(deterministic):
    """Values and gradients are those of MaxPool3d."""
    x = torch.randn(2, 3, 4, 6, 8, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(2, 3, 2, 3, 4, dtype=torch.float64)
    (own,) = torch.autograd.grad((HalvingPool3D()(x) * weights).sum(), x)
    (expected,) = torch.autograd.grad((functional.max_pool3d(x, 2) * weights).sum(), x)
    torch.testing.assert_close(HalvingPool3D()(x), functional.max_pool3d(x, 2), rtol=0, atol=0)
    torch.testing.assert_close(own, expected, rtol=0, atol=0)


# -- parameters ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"size": 130}, "size 130 is not a multiple of 8; the nearest are 128 and 136"),
        ({"length": 12}, "length 12 is not a multiple of 8; the nearest are 8 and 16"),
        ({"prediction": False, "prediction_weights": "T-1-t"}, "mean nothing without prediction"),
    ],
)
def test_illegal_parameters_are_refused(values, text):
    """Sizes that the decoder would not restore, with the nearest that it would; weights of a
    prediction that is not made."""
    with pytest.raises(ValueError, match=text):
        AEConv3DParameters(**values)


def test_decay_spares_a_learned_anomaly_weight():
    """All weights of the network decay, and the scalar that is learned beside them does not."""
    method = AEConv3D(AEConv3DParameters(width=0.1, pseudo="objects"))
    network = method.build()
    decayed, spared = method.optimiser(network).param_groups
    assert (decayed["weight_decay"], spared["weight_decay"], decayed["lr"]) == (1e-4, 0, 1e-3)
    assert spared["params"] == [network.anomaly_weight.logit]
    assert len(decayed["params"]) == len(list(network.parameters())) - 1


# -- loss ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("last_is_free", "expected"), [(False, 0.30689019), (True, 0.18417656)])
def test_prediction_loss_golden(last_is_free, expected):
    """Both ways of weighting predicted frames."""
    output = wave(2, 1, 4, 2, 2, frequency=0.3)
    assert prediction_loss(output, torch.zeros_like(output), last_is_free).item() == pytest.approx(
        expected, rel=1e-7
    )


@pytest.mark.parametrize("weights", ["T-t", "T-1-t"])
def test_loss_is_reconstruction_and_prediction(weights, tmp_path):
    """Against NumPy: the first half of a training window is reconstructed, the second predicted
    from the first."""
    torch.manual_seed(0)
    method = AEConv3D(AEConv3DParameters(size=8, length=8, width=0.1, prediction_weights=weights))
    network = method.build().double().eval()
    windows = 0.5 + 0.5 * wave(2, 1, 16, 8, 8)
    terms = method.loss(network, {"window": windows}, make_context(0, Compute("cpu"), tmp_path))
    features = network.encoder(windows[:, :, :8])
    reconstruction, prediction = (
        branch(features).detach().numpy() for branch in (network.reconstruction, network.prediction)
    )
    past, future = windows[:, :, :8].numpy(), windows[:, :, 8:].numpy()
    factors = [(8 - t - (weights == "T-1-t")) / 64 for t in range(8)]
    ahead = sum(
        factor * ((prediction - future)[:, :, t] ** 2).mean() for t, factor in enumerate(factors)
    )
    assert terms["loss"].item() == pytest.approx(((reconstruction - past) ** 2).mean() + ahead)


def test_loss_without_prediction(tmp_path):
    """The reconstruction alone, and no decoder that predicts."""
    torch.manual_seed(0)
    method = AEConv3D(AEConv3DParameters(size=8, length=8, width=0.1, prediction=False))
    network = method.build().double().eval()
    assert network.prediction is None
    windows = 0.5 + 0.5 * wave(2, 1, 8, 8, 8)
    terms = method.loss(network, {"window": windows}, make_context(0, Compute("cpu"), tmp_path))
    expected = ((network(windows) - windows).detach().numpy() ** 2).mean()
    assert terms["loss"].item() == pytest.approx(expected)


@pytest.mark.parametrize("prediction", [True, False])
@pytest.mark.parametrize("pseudo_loss", ["distinction", "restore", "negative"])
def test_pseudo_anomalies_span_what_is_predicted(pseudo_loss, prediction, tmp_path):
    """A pseudo-anomaly goes on in the frames that follow, and every loss with one has gradients in
    the whole network."""
    torch.manual_seed(0)
    method = AEConv3D(
        AEConv3DParameters(
            size=16,
            length=8,
            width=0.1,
            prediction=prediction,
            pseudo="objects",
            pseudo_loss=pseudo_loss,
        )
    )
    length = method.training_window.length
    assert len(method.reconstructed_frames) == length == (16 if prediction else 8)
    network = method.build()
    mask = torch.zeros(2, 1, length, 16, 16)
    mask[0, :, :, 4:9, 4:9] = 1
    shape = (2, 1, length, 16, 16)
    batch = {
        "window": torch.rand(shape),
        "content": torch.ones(shape),
        "mask": mask,
        "creator": torch.tensor([0, -1]),
    }
    batch = counted(method, batch)
    terms = method.loss(network, batch, make_context(0, Compute("cpu"), tmp_path))
    terms["loss"].backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert terms["masked"].item() == 0.5


# -- windows, score, training ----------------------------------------------------------------------


def test_training_windows_hold_both_halves():
    """32 frames with prediction, 16 without; scoring needs 16 either way."""
    assert AEConv3D().training_window.length == 32
    assert AEConv3D(AEConv3DParameters(prediction=False)).training_window.length == 16
    assert (AEConv3D().window.length, AEConv3D().window.targets) == (16, (8,))


def test_clips_too_short_for_a_prediction(tmp_path):
    """A training clip of 31 frames gives no window; without prediction it does."""
    clip = clip_of(moving_square(31))
    values = {"size": 32, "width": 0.05, "steps": 2, "batch": 2}
    with pytest.raises(MethodError, match="no training clip is as long as a window of 32 frames"):
        AEConv3D(AEConv3DParameters(**values)).fit(
            [clip], make_context(0, Compute("cpu"), tmp_path)
        )
    method = AEConv3D(AEConv3DParameters(**values, prediction=False))
    method.fit([clip], make_context(0, Compute("cpu"), tmp_path))
    assert method.network is not None


def test_score_is_the_error_of_frame_8(tmp_path):
    """A clip of n frames gets n - 15 scores, from frame 8 on; an impulse at frame 30 raises the
    score of that frame alone."""
    frames = np.full((40, 32, 32), 60, dtype=np.uint8)
    frames[30] = 250
    method = AEConv3D(AEConv3DParameters(size=32, width=0.05))
    method.network = nn.Module()
    method.network.forward = lambda windows: torch.full_like(windows, 60 / 255)
    context = make_context(0, Compute("cpu"), tmp_path)
    scores = infer(method, clip_of(frames, "test"), context)
    np.testing.assert_array_equal(scores.frames, np.arange(8, 33))
    np.testing.assert_allclose(
        scores.values, np.where(scores.frames == 30, (190 / 255) ** 2, 0), atol=1e-6
    )
    assert len(infer(method, clip_of(frames[:15], "test"), context).values) == 0


def test_images_belong_to_the_scored_frame():
    """Map and reconstruction are those of the target frame, the map a root mean square over
    channels."""
    method = AEConv3D(AEConv3DParameters(size=8, length=8, channels=3))
    windows = torch.rand(2, 3, 8, 8, 8)
    network = nn.Module()
    network.forward = lambda inputs: inputs / 2
    parts = method.error(network, {"window": windows})
    residual = windows[:, :, 4] / 2
    torch.testing.assert_close(parts["mse"][:, 0], residual.square().mean(dim=(1, 2, 3)))
    torch.testing.assert_close(parts["map"][:, 0], residual.square().mean(dim=1).sqrt())
    torch.testing.assert_close(parts["reconstruction"][:, 0], residual)


def test_training_in_rgb_without_prediction_lowers_the_error(deterministic, tmp_path):
    """The loss of training windows falls well below that of the first steps; that it falls with the
    defaults is a check of conformance."""
    values = {"channels": 3, "prediction": False}
    clip = clip_of(np.repeat(moving_square(48)[..., None], 3, axis=3))

    def loss_after(steps: int) -> float:
        torch.manual_seed(0)
        method = AEConv3D(
            AEConv3DParameters(**(AEConv3D.profiles["smoke"] | values | {"steps": steps}))
        )
        history = tmp_path / f"{steps}.csv"
        method.fit([clip], make_context(0, Compute("cpu"), tmp_path, history=history))
        assert np.isfinite(
            method.score(clip, make_context(0, Compute("cpu"), tmp_path)).values
        ).all()
        return float(np.genfromtxt(history, delimiter=",", names=True)["loss"].mean())

    assert loss_after(AEConv3D.profiles["smoke"]["steps"]) < 0.6 * loss_after(4)
