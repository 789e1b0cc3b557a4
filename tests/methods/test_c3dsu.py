"""C3DSU and UNet: golden values, parameter counts, shapes, score, streaming. Golden values: made
once with the authors' code, in float64."""

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from bench.methods.c3dsu import (
    C3DSUParameters,
    DistinctionC3DSU,
    DistinctionUNet,
    PlainC3DSU,
    PlainUNet,
    StaticC3DSU,
    StaticUNet,
    UNetParameters,
)
from bench.methods.networks.c3dsu import Block, Conv3DSkipUNet, UNet, joined, patch_max
from bench.methods.networks.c3dsu_folded import FoldedUNet
from made import counted, fill, watched, wave
from torch import nn
from torch.nn import functional

from bench import OpenClip
from bench.contracts.compute import Compute
from bench.engine.context import make_context
from bench.engine.inference import infer


def ramp(*shape: int) -> torch.Tensor:
    return (
        0.5 + 0.5 * torch.sin(0.11 * torch.arange(math.prod(shape), dtype=torch.float64))
    ).reshape(shape)


GOLDEN = [
    # network, input, mean, std, min, max, elements
    (
        Conv3DSkipUNet(1, 64, 3),
        (1, 1, 3, 64, 64),
        0.54565914,
        0.040298342,
        0.50249998,
        0.80990792,
        {(0, 0, 0, 0): 0.61867307, (0, 0, 31, 17): 0.54493572, (0, 0, 63, 63): 0.62988392},
    ),
    (
        Conv3DSkipUNet(3, 64, 3),
        (1, 3, 3, 64, 64),
        0.60963788,
        0.11596938,
        0.42943740,
        0.99212452,
        {(0, 0, 0, 0): 0.49021381, (0, 0, 31, 17): 0.78535709, (0, 2, 63, 63): 0.90041533},
    ),
    (
        Conv3DSkipUNet(1, 64, 3),
        (2, 1, 3, 64, 64),
        0.54574651,
        0.040382493,
        0.50249998,
        0.84688199,
        {(0, 0, 0, 0): 0.61867307, (1, 0, 63, 63): 0.63562244},
    ),
    (
        Conv3DSkipUNet(1, 64, 5),
        (1, 1, 5, 64, 64),
        0.55599424,
        0.052681917,
        0.50249998,
        0.81369444,
        {(0, 0, 0, 0): 0.55291749, (0, 0, 31, 17): 0.54078762, (0, 0, 63, 63): 0.60494866},
    ),
    (
        Conv3DSkipUNet(1, 64, 3),
        (1, 1, 3, 16, 16),
        0.65214183,
        0.11150176,
        0.50249998,
        0.91286140,
        {(0, 0, 0, 0): 0.69688768, (0, 0, 7, 5): 0.57633822, (0, 0, 15, 15): 0.63469021},
    ),
    (
        UNet(1, 64),
        (1, 1, 1, 64, 64),
        0.54968599,
        0.037867766,
        0.50249998,
        0.72370264,
        {(0, 0, 0, 0): 0.64729479, (0, 0, 31, 17): 0.54306834, (0, 0, 63, 63): 0.50972567},
    ),
    (
        UNet(3, 64),
        (1, 3, 1, 64, 64),
        0.53552782,
        0.034278253,
        0.46964945,
        0.75295684,
        {(0, 0, 0, 0): 0.53817424, (0, 0, 31, 17): 0.52314986, (0, 2, 63, 63): 0.50336020},
    ),
]


@pytest.mark.parametrize(
    ("network", "shape", "mean", "std", "low", "high", "elements"),
    GOLDEN,
    ids=["c3dsu-gray", "c3dsu-rgb", "c3dsu-batch", "c3dsu-5", "c3dsu-16", "unet-gray", "unet-rgb"],
)
def test_network_gives_the_golden_values(network, shape, mean, std, low, high, elements):
    """The network answers as the authors' code does, to eight digits."""
    with torch.inference_mode():
        output = fill(network, 2.0)(ramp(*shape))
    found = [output.mean(), output.std(unbiased=False), output.min(), output.max()]
    np.testing.assert_allclose(found, [mean, std, low, high], rtol=1e-6)
    for index, value in elements.items():
        assert output[index].item() == pytest.approx(value, rel=1e-6)


def test_time_order_matters():
    """Swapping the outer frames changes the output as it does in the authors' code."""
    network, window = fill(Conv3DSkipUNet(1, 64, 3), 2.0), ramp(1, 1, 3, 64, 64)
    with torch.inference_mode():
        assert network(window).sum().item() == pytest.approx(2235.0198, rel=1e-7)
        swapped = network(window.flip(2))
    assert swapped.sum().item() == pytest.approx(2250.0294, rel=1e-7)
    assert swapped[0, 0, 31, 17].item() == pytest.approx(0.55621136, rel=1e-7)


def test_encoder_features():
    """The features of the middle frame sum to the golden values at each level."""
    network, window = fill(Conv3DSkipUNet(1, 64, 3), 2.0), ramp(1, 1, 3, 64, 64)
    with torch.inference_mode():
        sums = [level.sum().item() for level in network.encode(window[:, :, 1])]
    np.testing.assert_allclose(sums, [2219.7203, 284.16869, 250.35375, 13.991502], rtol=1e-6)


def test_train_mode_and_running_statistics():
    """In train mode the batch's own statistics count, and the running ones move as golden."""
    network = fill(Conv3DSkipUNet(1, 64, 3), 2.0).train()
    with torch.no_grad():
        output = network(ramp(2, 1, 3, 64, 64))
    np.testing.assert_allclose(
        [output.mean(), output.std(unbiased=False), output.max()],
        [0.67899224, 0.14604885, 0.99835720],
        rtol=1e-6,
    )
    np.testing.assert_allclose(
        [output[0, 0, 0, 0], output[0, 0, 31, 17], output[1, 0, 63, 63]],
        [0.94318502, 0.71664103, 0.96046767],
        rtol=1e-6,
    )
    first = network.encoder[0].norm
    np.testing.assert_allclose(
        first.running_mean[:3], [0.00099782790, 0.00086691193, 0.00052113615], rtol=1e-6
    )
    assert first.running_var[0].item() == pytest.approx(0.95091499, rel=1e-6)
    np.testing.assert_allclose(
        network.decoder[0].norm.running_mean[:3],
        [0.0018657323, -0.0043609409, -0.0052991869],
        rtol=1e-6,
    )


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("channels", "latent", "length", "kernels", "expected"),
    [
        (1, 64, 3, (3, 5, 7), 1_553_954),
        (3, 64, 3, (3, 5, 7), 1_566_008),
        (1, 64, 5, (3, 5, 7), 1_651_874),
        (1, 64, 7, (3, 5, 7), 1_749_794),
        (3, 64, 5, (3, 5, 7), 1_663_928),
        (3, 64, 7, (3, 5, 7), 1_761_848),
        (1, 512, 3, (3, 5, 7), 98_906_090),
        (3, 512, 3, (3, 5, 7), 99_001_808),
        (1, 512, 5, (3, 5, 7), 105_172_970),
        (1, 512, 7, (3, 5, 7), 111_439_850),
        (3, 512, 5, (3, 5, 7), 105_268_688),
        (3, 512, 7, (3, 5, 7), 111_535_568),
        (1, 64, 3, (3, 3, 3, 3), 822_719),
        (3, 64, 3, (3, 3, 3, 3), 828_037),
        (1, 512, 3, (3, 3, 3, 3), 52_237_943),
        (3, 512, 3, (3, 3, 3, 3), 52_279_549),
        (1, 64, 3, (3,), 316_328),
        (1, 64, 3, (5,), 573_480),
        (1, 64, 3, (7,), 959_208),
        (3, 64, 3, (3,), 317_662),
        (3, 64, 3, (5,), 577_118),
        (3, 64, 3, (7,), 966_302),
        (1, 512, 3, (3,), 20_113_616),
        (1, 512, 3, (5,), 36_506_832),
        (1, 512, 3, (7,), 61_096_656),
        (3, 512, 3, (3,), 20_124_022),
        (3, 512, 3, (5,), 36_535_670),
        (3, 512, 3, (7,), 61_153_142),
    ],
)
def test_c3dsu_parameter_counts(channels, latent, length, kernels, expected):
    """As counted in the authors' code, or worked out by formula."""
    with torch.device("meta"):
        assert count(Conv3DSkipUNet(channels, latent, length, kernels)) == expected


@pytest.mark.parametrize(
    ("channels", "latent", "kernels", "expected"),
    [
        (1, 64, (3, 5, 7), 1_406_954),
        (3, 64, (3, 5, 7), 1_419_008),
        (1, 512, (3, 5, 7), 89_504_810),
        (3, 512, (3, 5, 7), 89_600_528),
        (1, 64, (3, 3, 3, 3), 675_719),
        (3, 64, (3, 3, 3, 3), 681_037),
        (3, 64, (3,), 170_662),
        (3, 64, (7,), 819_302),
    ],
)
def test_unet_parameter_counts(channels, latent, kernels, expected):
    """As counted in the authors' code, or worked out by formula."""
    with torch.device("meta"):
        assert count(UNet(channels, latent, kernels)) == expected


@pytest.mark.parametrize(
    ("network", "length"),
    [(Conv3DSkipUNet(3, 64, 3), 3), (Conv3DSkipUNet(3, 64, 5), 5), (UNet(3, 64), 1)],
    ids=["c3dsu-3", "c3dsu-5", "unet"],
)
def test_layer_shapes(network, length):
    """Encoder blocks see all frames of both windows; decoder blocks see one frame of each, beside
    as many channels of a skip connection."""
    seen = watched((*network.encoder, *network.decoder))
    with torch.inference_mode():
        network(
            torch.zeros(2, 3, length, 64, 48)
        )  # not on the meta device: it has no autocast, for which the network asks
    frames = 2 * length
    assert seen == [
        ((frames, 3, 64, 48), (frames, 8, 32, 24)),
        ((frames, 8, 32, 24), (frames, 16, 16, 12)),
        ((frames, 16, 16, 12), (frames, 32, 8, 6)),
        ((frames, 32, 8, 6), (frames, 64, 4, 3)),
        ((2, 64, 4, 3), (2, 32, 8, 6)),
        ((2, 64, 8, 6), (2, 16, 16, 12)),
        ((2, 32, 16, 12), (2, 8, 32, 24)),
        ((2, 16, 32, 24), (2, 3, 64, 48)),
    ]


@pytest.mark.parametrize(
    ("up", "each", "joined", "mixed", "output"),
    [
        (False, (7, 32, 48), (21, 32, 48), (84, 16, 24), (7, 16, 24)),
        (True, (28, 32, 48), (84, 32, 48), (21, 64, 96), (7, 64, 96)),
    ],
    ids=["encoder", "decoder"],
)
def test_block_shapes(up, each, joined, mixed, output):
    """Parallel convolutions work at the input's size; the 1x1 convolution comes behind the change
    of resolution."""
    block = Block(10, 7, (3, 5, 7), up)
    seen = watched((*block.parallel, block.norm, block.mix, block.mix_norm))
    with torch.inference_mode():
        block(torch.zeros(1, 10, 32, 48))
    expected = [((10, 32, 48), each)] * 3 + [(joined, joined), (mixed, output), (output, output)]
    assert seen == [((1, *given), (1, *returned)) for given, returned in expected]


@pytest.mark.parametrize("length", [3, 5, 7])
def test_skip_convolutions_keep_the_frames(length):
    """A kernel spans all frames of the window; padded, as many planes come out of it, and one of
    them goes on."""
    with torch.device("meta"):
        network = Conv3DSkipUNet(3, 512, length)
        for level, (width, size) in enumerate([(64, 128), (128, 64), (256, 32), (512, 16)]):
            skip = network.skips[level]
            assert (skip.weight.shape, skip.bias.shape) == ((width, width, length, 3, 3), (width,))
            assert skip(torch.empty(2, width, length, size, size)).shape == (
                2,
                width,
                length,
                size,
                size,
            )
            assert network.skip(level, torch.empty(2, length * width, size, size)).shape == (
                2,
                width,
                size,
                size,
            )
    assert len(network.skips) == 4


@pytest.mark.parametrize("length", [3, 5])
def test_skip_equals_the_middle_plane_of_the_3d_convolution(length):
    """The cheap form is the 3D convolution's target plane."""
    network = Conv3DSkipUNet(1, 16, length).double()
    features = torch.randn(2, length, network.widths[2], 6, 5, dtype=torch.float64)
    whole = network.skips[2](features.transpose(1, 2))[:, :, (length - 1) // 2]
    torch.testing.assert_close(network.skip(2, features.flatten(1, 2)), whole)


def error_map() -> torch.Tensor:
    row, column = torch.meshgrid(
        torch.arange(64.0, dtype=torch.float64),
        torch.arange(64.0, dtype=torch.float64),
        indexing="ij",
    )
    error = (torch.sin(0.13 * row) * torch.cos(0.21 * column)).abs()
    error[28:36, 44:52] += 1
    return error


@pytest.mark.parametrize(("grids", "expected"), [(1, 0.32227318), (2, 0.39145254)])
def test_patch_max_golden(grids, expected):
    """The largest patch of one grid, and of both."""
    assert patch_max(error_map()[None] / 3**0.5, grids).item() == pytest.approx(expected, rel=1e-7)


def test_patch_max_of_colour_errors_golden():
    """The method's score of an RGB error (E, E/2, E/4), root of 3 included."""
    error = error_map()
    frames = torch.stack([error, error / 2, error / 4])[None]
    method = PlainC3DSU(C3DSUParameters(size=64))
    assert method._compare(frames, torch.zeros_like(frames))["patch_max"].item() == pytest.approx(
        0.44846522, rel=1e-7
    )


def test_ddl_score_of_the_golden_network():
    """Score of the middle frame against the golden network's output."""
    window = ramp(1, 1, 3, 64, 64)
    method = PlainC3DSU(C3DSUParameters(size=64, channels=1, latent=64))
    with torch.inference_mode():
        parts = method.error(fill(method.build_network(), 2.0), {"window": window})
    assert parts["patch_max"].item() == pytest.approx(0.19264343, rel=1e-6)


@pytest.mark.parametrize("batch", [1, 2, 8])
@pytest.mark.parametrize("length", [1, 3, 5])
def test_streaming_equals_windows(length, batch, tmp_path):
    """Frame by frame gives what windows give, at the clip's borders too."""
    torch.manual_seed(3)
    frames = np.random.default_rng(0).integers(0, 256, (11, 32, 32, 3), dtype=np.uint8)
    kind, parameters = (PlainUNet, UNetParameters(size=32, latent=16))
    if length > 1:
        kind, parameters = (PlainC3DSU, C3DSUParameters(size=32, latent=16, length=length))
    method = kind(parameters)
    method.network = method.build().eval()
    clip = OpenClip("01", "test", 11, "made", opener=lambda: frames)
    context = make_context(0, Compute("cpu", batch=batch), tmp_path)
    streamed = infer(method, clip, context)

    class Windowed(kind):
        streams = False

    windowed = Windowed(method.parameters)
    windowed.network = method.network
    expected = infer(windowed, clip, context)
    np.testing.assert_array_equal(
        streamed.frames, np.arange((length - 1) // 2, 11 - (length - 1) // 2)
    )
    np.testing.assert_array_equal(streamed.frames, expected.frames)
    np.testing.assert_allclose(streamed.values, expected.values, rtol=1e-5)


@pytest.mark.parametrize(
    "network",
    [Conv3DSkipUNet(3, 16), Conv3DSkipUNet(1, 16, 5, (3,)), UNet(3, 16)],
    ids=["rgb", "one-kernel", "unet"],
)
def test_folded_network_equals_the_trained_one(network):
    """Normalisations inside of the weights, unshuffling as a stride: the same output but for
    rounding, and nothing of the network changes."""
    network = fill(network, 2.0)
    for number, module in enumerate(network.modules()):
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.copy_(
                torch.linspace(-0.3, 0.4, len(module.running_mean)) * (number % 3)
            )
            module.running_var.copy_(torch.linspace(0.5, 2, len(module.running_var)))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    length = network.skips[0].kernel_size[0] if hasattr(network, "skips") else 1
    window = ramp(2, network.encoder[0].parallel[0].in_channels, length, 32, 48)
    with torch.inference_mode():
        expected = network(window)
        found = FoldedUNet(network)(window)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    assert expected.std() > 0.01
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_unet_scores_every_frame(tmp_path):
    """A window of one frame leaves no frame without a score."""
    frames = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    method = DistinctionUNet(UNetParameters(size=32, latent=16))
    method.network = method.build().eval()
    scores = infer(
        method,
        OpenClip("01", "test", 5, "made", opener=lambda: frames),
        make_context(0, Compute("cpu"), tmp_path),
    )
    np.testing.assert_array_equal(scores.frames, np.arange(5))


def test_learning_rate_halves_after_four_fifths_of_the_epochs():
    """10 epochs of 3 steps: 24 steps at the full rate, 6 at half; one epoch does not divide by
    zero."""
    method = PlainC3DSU(C3DSUParameters(latent=16, epochs=10, learning_rate=0.01))
    optimiser = torch.optim.Adam([nn.Parameter(torch.zeros(()))], lr=0.01)
    schedule = method.schedule(optimiser, 30)
    rates = []
    for _ in range(30):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    assert rates == [0.01] * 24 + [0.005] * 6
    PlainC3DSU(C3DSUParameters(latent=16, epochs=1)).schedule(optimiser, 3)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"size": 250}, "size 250 is not a multiple of 16; the nearest are 240 and 256"),
        ({"latent": 60}, "latent 60 is not a multiple of 8; the nearest are 56 and 64"),
        ({"length": 4}, "length 4 is even; the window needs a middle frame: 3 or 5"),
        ({"kernels": (3, 4)}, r"kernels 3\+4: odd sizes from 1 are needed"),
        ({"kernels": ()}, "kernels none: odd sizes from 1 are needed"),
    ],
)
def test_parameters_that_cannot_work_are_refused(values, text):
    """A size that the network cannot take is refused with the nearest that it can."""
    with pytest.raises(ValueError, match=text):
        C3DSUParameters(**values)


def test_anomaly_weight_is_one_more_parameter():
    """DDL adds a single learned scalar; SDL's is fixed."""
    from bench.methods.c3dsu import StaticC3DSU, _DistinctionC3DSU, _StaticC3DSU

    learned = DistinctionC3DSU(_DistinctionC3DSU(latent=64)).build()
    static = StaticC3DSU(_StaticC3DSU(latent=64)).build()
    assert (
        sum(parameter.numel() for parameter in learned.parameters() if parameter.requires_grad)
        == 1_566_008 + 1
    )
    assert (
        sum(parameter.numel() for parameter in static.parameters() if parameter.requires_grad)
        == 1_566_008
    )
    assert learned.anomaly_weight().item() == static.anomaly_weight().item() == 0.5


def test_profile_large_is_the_papers_training_with_a_narrow_network():
    """Nothing but the width differs: rate 1e-2, batch 10, every window, 10 epochs, halved after
    8."""
    for method in (
        DistinctionC3DSU,
        StaticC3DSU,
        PlainC3DSU,
        DistinctionUNet,
        StaticUNet,
        PlainUNet,
    ):
        paper, large = method.Parameters(), method.Parameters(**method.profiles["large"])
        assert large == replace(paper, latent=64)
    assert (large.learning_rate, large.batch, large.every, large.epochs) == (0.01, 10, 1, 10)


@pytest.mark.parametrize(
    ("profile", "rate"), [("paper", 0.01), ("large", 0.01), ("medium", 0.01), ("small", 0.01)]
)
def test_the_anomaly_weight_learns_at_the_papers_rate_in_every_profile(profile, rate):
    """Adam moves a parameter by its rate in the first step, whatever its gradient is."""
    method = DistinctionC3DSU(
        DistinctionC3DSU.Parameters(**{**DistinctionC3DSU.profiles.get(profile, {}), "latent": 16})
    )
    network = method.build()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimiser = method.optimiser(network)
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimiser.step()
    moved = {
        name: (before[name] - value).abs().max().item()
        for name, value in network.named_parameters()
    }
    assert moved.pop("anomaly_weight.logit") == pytest.approx(rate, rel=1e-4)
    assert max(moved.values()) == pytest.approx(method.parameters.learning_rate, rel=1e-3)


def test_its_rate_is_halved_with_the_networks():
    method = DistinctionC3DSU(
        DistinctionC3DSU.Parameters(latent=16, learning_rate=1e-3, anomaly_learning_rate=1e-2)
    )
    optimiser = method.optimiser(method.build())
    schedule = method.schedule(optimiser, 10)
    for _ in range(8):
        optimiser.step()
        schedule.step()
    assert sorted(group["lr"] for group in optimiser.param_groups) == [5e-4, 5e-3]


def test_joined_kernels_are_the_parallel_convolutions():
    torch.manual_seed(0)
    x = torch.rand(2, 3, 9, 11, dtype=torch.float64)
    weights = [torch.rand(2, 3, size, size, dtype=torch.float64) for size in (7, 3, 5, 1)]
    expected = torch.cat([functional.conv2d(x, weight, padding="same") for weight in weights], 1)
    given = functional.conv2d(x, joined(weights), padding="same")
    torch.testing.assert_close(given, expected, rtol=1e-12, atol=1e-12)


def test_a_block_of_few_channels_trains_in_bf16_as_in_fp32_but_for_rounding():
    torch.manual_seed(0)
    block, x, wanted = (
        Block(3, 8, (3, 5, 7), up=False),
        torch.randn(2, 3, 64, 64),
        wave(2, 8, 32, 32),
    )
    found = []
    for automatic_casts in (False, True):
        again = copy.deepcopy(block)
        with torch.autocast("cpu", torch.bfloat16, enabled=automatic_casts):
            output = again(x)
        (output * wanted).sum().backward()
        weights = {name: value.grad for name, value in again.named_parameters() if value.ndim == 4}
        found.append(
            {**weights, "output": output.detach().float(), "variance": again.norm.running_var}
        )
    assert len(found[0]) == 3 + 1 + 2
    for name in found[0]:
        exact, rounded = (each[name].flatten() for each in found)
        assert (rounded - exact).norm() < 0.1 * exact.norm(), name


@pytest.mark.parametrize("folded", [False, True])
def test_last_layer_and_sigmoid_compute_in_fp32_under_automatic_casts(folded):
    """So that the output is not rounded to bfloat16, whose steps are .004 wide below 1."""
    torch.manual_seed(0)
    network = Conv3DSkipUNet(3, 16).eval()
    network = FoldedUNet(network) if folded else network
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        output = network(torch.rand(1, 3, 3, 32, 32))
    assert output.dtype == torch.float32
    assert (output != output.bfloat16().float()).float().mean() > 0.9


def test_losses_in_bf16_are_those_of_fp32_outputs(tmp_path):
    """The terms are those of plain NumPy in double precision, from the outputs that the network
    gave."""
    torch.manual_seed(0)
    method = DistinctionC3DSU(DistinctionC3DSU.Parameters(latent=16, size=32))
    network, outputs = method.build().train(), []
    forward = network.forward
    network.forward = lambda windows: outputs.append(forward(windows)) or outputs[-1]
    windows, content = torch.rand(2, 3, 3, 32, 32), torch.rand(2, 3, 3, 32, 32)
    mask = torch.zeros(2, 1, 3, 32, 32)
    mask[..., 8:20, 4:16] = 1
    batch = {
        "window": windows,
        "content": content,
        "mask": mask,
        "creator": torch.zeros(2, dtype=torch.long),
    }
    batch = counted(method, batch)
    with torch.autocast("cpu", torch.bfloat16):
        terms = method.loss(network, batch, make_context(0, Compute("cpu"), tmp_path))
    normal, pseudo = (output.detach().numpy().astype(np.float64) for output in outputs)
    target = windows[:, :, 1].numpy().astype(np.float64)
    blended = target + 0.5 * mask[:, :, 1].numpy() * (content[:, :, 1].numpy() - target)

    def norm(difference):
        return np.sqrt((difference**2).sum(axis=1) / 3)

    inside = mask[:, 0, 1].numpy() > 0
    ratios = (norm(target - pseudo)[inside] + 1e-6) / (norm(blended - pseudo)[inside] + 1e-6)
    assert all(value.dtype == torch.float32 for value in terms.values())
    assert terms["reconstruction"].item() == pytest.approx(norm(target - normal).mean(), rel=1e-5)
    assert terms["distinction"].item() == pytest.approx(ratios.mean(), rel=1e-5)
