"""lntra-skip, lntra-patch, steal, pseudobound: golden network and losses, shapes, score, released
weights, short trainings."""

import math

import numpy as np
import pytest
import torch
from bench.methods.lntra import STEAL, LNTRAPatch, LNTRASkip, PseudoBound
from bench.methods.networks.autoencoder_3d import AutoEncoder3D
from made import clip_of, fill, moving_square, watched
from torch import nn

from bench.contracts.compute import Compute
from bench.engine.context import make_context
from bench.plugins.registry import load
from bench.plugins.selection import select_one

ROWS = (LNTRASkip, LNTRAPatch, STEAL, PseudoBound)
ROW_IDS = [cls.name for cls in ROWS]


def make(cls, **values):
    return cls(cls.Parameters(**(dict(cls.profiles["smoke"]) | values)))


@pytest.mark.parametrize(
    ("shape", "numbers", "elements"),
    [
        (
            (1, 1, 8, 16, 16),
            [0.011327215, 0.054764449, -0.11924390, 0.15697602],
            {
                (0, 0, 0, 0, 0): -0.015010643,
                (0, 0, 4, 5, 9): 0.055683201,
                (0, 0, 7, 15, 15): 0.050685455,
            },
        ),
        (
            (1, 1, 16, 32, 32),
            [0.012024926, 0.13135497, -0.88868499, 0.79899904],
            {
                (0, 0, 0, 0, 0): -0.0095404757,
                (0, 0, 8, 5, 9): -0.50537001,
                (0, 0, 15, 31, 31): 0.055722836,
            },
        ),
    ],
    ids=["smallest", "16-frames"],
)
def test_network_gives_the_golden_values(shape, numbers, elements):
    """Mean, standard deviation, extremes and elements of the output are those of the authors'
    network."""
    network = fill(
        LNTRASkip(LNTRASkip.Parameters(pseudo="objects", pseudo_loss="restore")).build_network(),
        1.5,
    )
    with torch.inference_mode():
        output = network(
            torch.sin(0.11 * torch.arange(math.prod(shape), dtype=torch.float64)).reshape(shape)
        )
    np.testing.assert_allclose(
        [output.mean(), output.std(unbiased=False), output.min(), output.max()], numbers, rtol=1e-6
    )
    for index, value in elements.items():
        assert output[index].item() == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("cls", ROWS, ids=ROW_IDS)
def test_parameter_count(cls):
    """The authors' network has 5,980,801 weights."""
    with torch.device("meta"):
        network = cls().build_network()
    assert sum(parameter.numel() for parameter in network.parameters()) == 5_980_801


@pytest.mark.parametrize("cls", ROWS, ids=ROW_IDS)
def test_layer_shapes(cls):
    """Those of ae-3d, and the tanh behind them."""
    with torch.device("meta"):
        network = cls().build_network()
        seen = watched((*network.encoder, *network.decoder))
        network(torch.empty(1, 1, 16, 256, 256))
    encoded = [(96, 16, 128), (128, 8, 64), (256, 4, 32), (256, 2, 16)]
    decoded = [(256, 4, 32), (128, 8, 64), (96, 16, 128), (1, 16, 256), (1, 16, 256)]
    assert [shape for _, shape in seen] == [
        (1, outputs, frames, size, size) for outputs, frames, size in encoded + decoded
    ]


def test_initial_weights_are_those_of_torch():
    """Not those of MemAE: uniform within 1/sqrt(fan in), and normalisations at 1."""
    network = make(LNTRASkip).build_network()
    first = network.encoder[0][0].weight.detach()
    assert float(first.abs().max()) <= 1 / math.sqrt(27)
    assert float(first.std()) == pytest.approx(1 / math.sqrt(27) / math.sqrt(3), rel=0.1)
    assert bool((network.encoder[0][1].weight == 1).all())


@pytest.mark.parametrize(
    ("cls", "expected"),
    [(STEAL, 0.062011639), (LNTRASkip, 0.44043786)],
    ids=["negative", "restore"],
)
def test_loss_golden(cls, expected, monkeypatch, tmp_path):
    """A normal and a pseudo-anomalous sample: their sum for LNTRA, their difference for STEAL, half
    of it."""
    index = torch.arange(16, dtype=torch.float64)
    output, pseudo, normal = (
        function.reshape(2, 1, 2, 2, 2)
        for function in (
            0.9 * torch.sin(0.3 * index),
            torch.cos(0.2 * index),
            torch.cos(0.25 * index + 0.1),
        )
    )
    method = make(cls)
    monkeypatch.setattr(method, "reconstruct", lambda network, windows: output)
    monkeypatch.setattr(cls, "reconstructed_frames", property(lambda self: (0, 1)))
    # The golden loss compares the normal sample with its own input.
    window = torch.stack([pseudo[0], normal[1]])
    mask = torch.stack(
        [torch.zeros(1, 2, 2, 2, dtype=torch.float64), torch.ones(1, 2, 2, 2, dtype=torch.float64)]
    )
    batch = {"window": window, "content": pseudo, "mask": mask, "creator": torch.tensor([-1, 0])}
    terms = method.loss(nn.Identity(), batch, make_context(0, Compute("cpu"), tmp_path))
    assert terms["loss"].item() == pytest.approx(expected, rel=1e-6)


def test_score_golden():
    """-PSNR with the mean square on -1..1: 6.0206 dB below that on 0..1."""
    index = torch.arange(48, dtype=torch.float64)
    output, image = (
        (0.9 * torch.sin(factor * index + shift)).reshape(1, 3, 1, 4, 4)
        for factor, shift in ((0.3, 0), (0.31, 0.1))
    )
    method = make(LNTRASkip, channels=3)
    windows = torch.zeros(1, 3, 16, 4, 4, dtype=torch.float64)
    answers = windows.clone()
    windows[:, :, 8:9], answers[:, :, 8:9] = image, output
    network = nn.Module()
    network.forward = lambda inputs: answers
    assert method.error(network, {"window": windows})["psnr"].item() == pytest.approx(
        -13.104951, rel=1e-6
    )


def test_perfect_reconstruction_has_a_finite_score():
    """PSNR ends at 120 dB."""
    network = nn.Module()
    network.forward = lambda inputs: inputs
    assert make(LNTRASkip).error(network, {"window": torch.zeros(1, 1, 16, 4, 4)})[
        "psnr"
    ].item() == pytest.approx(-120)


@pytest.mark.parametrize("cls", ROWS, ids=ROW_IDS)
def test_training_reconstructs_normal_windows(cls, tmp_path, monkeypatch):
    """A short training with pseudo-anomalies lowers the error of normal frames, and draws some of
    them."""
    monkeypatch.chdir(tmp_path)
    clip = clip_of(moving_square(60))

    def trained(epochs):
        torch.manual_seed(0)
        method = make(cls, epochs=epochs, every=2, probability=0.02 if cls is PseudoBound else 0.1)
        history = tmp_path / f"{epochs}.csv"
        method.fit([clip], make_context(0, Compute("cpu"), tmp_path, history=history))
        rows = np.atleast_1d(np.genfromtxt(history, delimiter=",", names=True))
        return float(
            method.score(clip, make_context(0, Compute("cpu"), tmp_path)).values.mean()
        ), rows

    before, _ = trained(1)
    after, rows = trained(5)
    assert after < before - 1
    assert 0 < rows["masked"].mean() < 0.8


@pytest.mark.parametrize("prefix", ["", "module."])
def test_released_weights_are_read_under_the_authors_names(prefix, tmp_path):
    """Their encoder and decoder lie one level deeper, flat; the loaded network gives the same
    output."""
    torch.manual_seed(3)
    source = make(LNTRASkip).build_network()
    flat = {}
    for part in ("encoder", "decoder"):
        position = 0
        for block in getattr(source, part):
            for layer in block if isinstance(block, nn.Sequential) else [block]:
                for name, tensor in layer.state_dict().items():
                    flat[f"{prefix}{part}.{part}.{position}.{name}"] = tensor
                position += 1
    path = tmp_path / "released.pth"
    torch.save({"model": flat}, path)
    method = make(LNTRASkip, weights=str(path))
    method.fit([], make_context(0, Compute("cpu"), tmp_path))
    windows = torch.rand(1, 1, 16, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(method.network(windows), source.eval()(windows))
    assert method.needs == {"frames", "weights"}


def test_a_pickled_module_as_the_authors_publish_it_is_refused(tmp_path):
    """With how to take the weights out of it."""
    path = tmp_path / "model_59.pth"
    torch.save({"model": AutoEncoder3D(1, 0.125), "optimizer": {}}, path)
    from bench import MethodError

    with pytest.raises(MethodError, match=r"a pickled module is not loaded.*state_dict\(\)"):
        make(LNTRASkip, weights=str(path)).fit([], make_context(0, Compute("cpu"), tmp_path))


@pytest.mark.parametrize(
    "selector",
    [
        "c3dsu[pseudo=skip]",
        "ae-3d[pseudo=objects]",
        "memae[pseudo=noise,pseudo_loss=restore,probability=0.3]",
        'ae-3d[pseudo="patch[source=frames]+fusion",probability=0.5]',
    ],
)
def test_any_creator_meets_any_network(selector):
    """One selector away."""
    assert select_one("methods", selector, load(), "smoke").make()._creators


def test_pseudobound_has_five_kinds_of_equal_probability():
    """Skip, repeat, patch, noise and fusion, one in a hundred samples each."""
    method = PseudoBound()
    assert [creator.name for creator in method._creators] == [
        "skip",
        "repeat",
        "patch",
        "noise",
        "fusion",
    ]
    assert method.parameters.probability == 0.01
