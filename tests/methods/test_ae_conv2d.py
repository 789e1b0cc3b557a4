"""ae-conv2d: golden values (of an independent implementation from the layer table, in float64),
counts, shapes, unpooling, loss, score, training."""

import numpy as np
import pytest
import torch
from bench.methods.ae_conv2d import AEConv2D, AEConv2DParameters
from bench.methods.networks.hasan import ConvAutoEncoder2D, pool, unpool
from made import Known, clip_of, fill, watched, wave
from torch.nn import functional

from bench.contracts.compute import Compute
from bench.engine.context import make_context
from bench.engine.inference import infer
from bench.engine.precision import laid_out


def test_network_gives_the_golden_values(deterministic):
    """Mean, standard deviation, extremes and elements of the output at 67 x 67."""
    window = torch.sin(0.11 * torch.arange(10 * 67 * 67, dtype=torch.float64)).reshape(
        1, 10, 67, 67
    )
    with torch.inference_mode():
        output = fill(ConvAutoEncoder2D(10), 1.5)(window)
    assert output.shape == window.shape
    found = [output.mean(), output.std(unbiased=False), output.min(), output.max()]
    np.testing.assert_allclose(
        found, [-0.0014810113, 0.15816414, -0.65011866, 0.64694277], rtol=1e-6
    )
    for index, value in {
        (0, 0, 0, 0): 0.00081910447,
        (0, 5, 33, 20): -0.16536922,
        (0, 9, 58, 50): -0.039899088,
    }.items():
        assert output[index].item() == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize(
    ("length", "expected"),
    [(1, 7_268_993), (3, 7_516_803), (5, 7_764_613), (10, 8_384_138), (20, 9_623_188)],
)
def test_parameter_counts(length, expected):
    """As worked out by formula from the layer table."""
    with torch.device("meta"):
        network = ConvAutoEncoder2D(length)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


@pytest.mark.parametrize("length", [5, 10, 20])
@pytest.mark.parametrize(
    ("size", "outer", "middle", "inner"), [(227, 55, 27, 13), (131, 31, 15, 7), (67, 15, 7, 3)]
)
def test_layer_shapes(size, outer, middle, inner, length):
    """What each layer is given and gives: poolings leave out the last row of odd maps, and
    unpoolings give it back."""
    with torch.device("meta"):
        network = ConvAutoEncoder2D(length)
        seen = watched((*network.encoder, *network.decoder))
        network(torch.empty(1, length, size, size))
    assert seen == [
        ((1, length, size, size), (1, 512, outer, outer)),
        ((1, 512, middle, middle), (1, 256, middle, middle)),
        ((1, 256, inner, inner), (1, 128, inner, inner)),
        ((1, 128, inner, inner), (1, 256, inner, inner)),
        ((1, 256, middle, middle), (1, 512, middle, middle)),
        ((1, 512, outer, outer), (1, length, size, size)),
    ]


@pytest.mark.parametrize("size", [(6, 8), (7, 9), (55, 55)])
def test_unpooling_equals_torchs(size):
    """Values go back to where they came from, odd sizes included; torch's own form runs outside
    deterministic mode only."""
    torch.use_deterministic_algorithms(False)
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    pooled, indices = pool(x)
    torch.testing.assert_close(
        unpool(pooled, indices, x.shape[2:]),
        functional.max_unpool2d(pooled, indices, 2, output_size=x.shape),
        rtol=0,
        atol=0,
    )


def test_pooling_has_gradients_in_deterministic_mode(deterministic):
    """Each maximum passes its gradient to where it came from, and nothing else does."""
    x = torch.randn(
        1,
        2,
        7,
        7,
        dtype=torch.float64,
        generator=torch.Generator().manual_seed(0),
        requires_grad=True,
    )
    pooled, indices = pool(x)
    unpool(3 * pooled, indices, x.shape[2:]).sum().backward()
    kept = unpool(torch.ones_like(pooled), indices, x.shape[2:])
    torch.testing.assert_close(x.grad, 3 * kept)
    assert torch.autograd.gradcheck(
        lambda values: unpool(pool(values)[0], pool(values)[1], values.shape[2:]), x
    )


@pytest.mark.parametrize("size", [23, 27, 67, 131])
def test_legal_sizes_return(size, deterministic):
    """Height and width 11 + 4k come back as they were, and gradients reach every layer."""
    network = ConvAutoEncoder2D(5, 0.03)
    window = torch.randn(1, 5, size, size)
    output = network(window)
    assert output.shape == window.shape
    output.square().mean().backward()
    assert all(
        parameter.grad is not None and bool(parameter.grad.any())
        for parameter in network.parameters()
    )


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (228, "size 228 is not 11 \\+ 4k; the nearest are 227 and 231"),
        (64, "the nearest are 63 and 67"),
    ],
)
def test_other_sizes_are_refused(size, text):
    """A size that the decoder would not restore is refused with the nearest that it would."""
    with pytest.raises(ValueError, match=text):
        AEConv2DParameters(size=size)


def test_weight_decay_spares_biases():
    """Two groups of parameters: weights with decay, biases without."""
    method = AEConv2D(AEConv2DParameters(size=67, width=0.03))
    optimiser = method.optimiser(method.build())
    assert isinstance(
        optimiser, torch.optim.AdamW
    )  # added to the gradient, the decay would drown the small errors
    decayed, spared = optimiser.param_groups
    assert (decayed["weight_decay"], spared["weight_decay"], decayed["lr"]) == (5e-4, 0, 1e-4)
    assert len(decayed["params"]) == len(spared["params"]) == 6
    assert all(parameter.ndim == 4 for parameter in decayed["params"])


@pytest.mark.parametrize("length", [5, 10, 20])
def test_loss_is_the_mean_squared_error(length, tmp_path):
    """Of a known residual, over all pixels and all frames, in plain NumPy."""
    method = AEConv2D(AEConv2DParameters(size=23, length=length))
    windows, residual = wave(2, 1, length, 23, 23, frequency=0.37), wave(2, length, 23, 23)
    terms = method.loss(
        Known(residual), {"window": windows}, make_context(0, Compute("cpu"), tmp_path)
    )
    expected = np.mean(residual.numpy() ** 2)
    assert (terms["loss"].item(), terms["reconstruction"].item()) == pytest.approx(
        (expected, expected), rel=1e-12
    )
    assert set(terms) == {"loss", "reconstruction"}


@pytest.mark.parametrize("length", [5, 10, 20])
def test_score_is_the_norm_of_the_middle_frame(length, tmp_path):
    """A network that says 0 leaves the norm of frame less mean frame, over 255; frame T // 2 of
    each window is scored."""
    frames = np.random.default_rng(0).integers(0, 256, (24, 23, 23), dtype=np.uint8)
    method = AEConv2D(AEConv2DParameters(size=23, length=length))
    method.stats = method.statistics([clip_of(frames)])
    method.network = torch.nn.Module()
    method.network.forward = torch.zeros_like
    scores = infer(method, clip_of(frames, "test"), make_context(0, Compute("cpu"), tmp_path))
    np.testing.assert_array_equal(
        scores.frames, np.arange(length // 2, 24 - length + length // 2 + 1)
    )
    residual = (frames - frames.mean(axis=0)) / 255
    np.testing.assert_allclose(
        scores.values, np.sqrt((residual**2).sum(axis=(1, 2)))[scores.frames], rtol=1e-5
    )


def test_images_belong_to_the_scored_frame():
    """Map and reconstruction are those of the target frame."""
    method = AEConv2D(AEConv2DParameters(size=23))
    windows = torch.randn(2, 1, 10, 23, 23)
    network = torch.nn.Module()
    network.forward = lambda inputs: inputs / 2
    parts = method.error(network, {"window": windows})
    torch.testing.assert_close(parts["map"], windows[:, :, 5].abs() / 2)
    torch.testing.assert_close(parts["reconstruction"], windows[:, :, 5][:, None] / 2)
    torch.testing.assert_close(parts["norm"][:, 0] ** 2, parts["map"].square().sum(dim=(1, 2, 3)))


def test_training_lowers_the_error(deterministic, tmp_path):
    """A short training of profile smoke, as the harness runs it."""
    frames = np.full((48, 67, 67), 60, dtype=np.uint8)
    for number in range(48):
        frames[number, 20:40, number : number + 16] = 200
    method = AEConv2D(AEConv2DParameters(**AEConv2D.profiles["smoke"]))
    context = make_context(0, Compute("cpu"), tmp_path, history=tmp_path / "training.csv")
    method.fit([clip_of(frames)], context)
    history = np.genfromtxt(tmp_path / "training.csv", delimiter=",", names=True)
    assert history["loss"][-1] < 0.8 * history["loss"][0]
    assert np.isfinite(method.score(clip_of(frames, "test"), context).values).all()


def test_channels_last_is_the_same_network_to_rounding():
    """Of both layouts with the same weights: loss and gradients, through poolings and
    unpoolings."""
    torch.manual_seed(0)
    method = AEConv2D(AEConv2DParameters(size=67, width=0.125))
    network = laid_out(method, method.build(), "fp32")
    plain = ConvAutoEncoder2D(10, 0.125)
    plain.load_state_dict(network.state_dict())
    assert network.encoder[1].weight.is_contiguous(memory_format=torch.channels_last)
    assert plain.encoder[1].weight.is_contiguous()
    windows = torch.rand(3, 1, 10, 67, 67, generator=torch.Generator().manual_seed(1)) - 0.5
    for one in (network, plain):
        (method.reconstruct(one, windows) - windows).square().mean().backward()
    for ours, theirs in zip(network.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad.contiguous(), rtol=1e-4, atol=1e-7)
