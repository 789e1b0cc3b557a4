"""memae: golden values (made once with the authors' code, in float64), counts, shapes, loss,
warnings, released weights, score, training."""

import logging

import numpy as np
import pytest
import torch
from bench.methods.memae import MemAE, MemAEParameters
from bench.methods.networks.autoencoder_3d import AutoEncoder3D
from bench.methods.networks.memae import MemoryAutoEncoder3D
from made import Known, clip_of, counted, fill, moving_square, watched, wave
from torch import nn

from bench import MethodError
from bench.contracts.compute import Compute
from bench.engine.context import make_context
from bench.engine.inference import infer
from bench.plugins.registry import load
from bench.plugins.selection import select_one


@pytest.mark.parametrize(
    ("items", "shrinkage", "gain", "shape", "numbers", "elements"),
    [
        (
            50,
            0.03,
            2,
            (1, 1, 16, 32, 32),
            [0.011557329, 0.081734976, -0.23071692, 0.28141755],
            {
                (0, 0, 0, 0, 0): -0.024598750,
                (0, 0, 8, 5, 9): 0.017669281,
                (0, 0, 15, 31, 31): 0.067179557,
            },
        ),
        (
            2000,
            0.0025,
            4,
            (1, 1, 16, 32, 32),
            [0.015067828, 0.25134619, -0.88087765, 0.96655111],
            {
                (0, 0, 0, 0, 0): -0.042743642,
                (0, 0, 8, 5, 9): 0.29346430,
                (0, 0, 15, 31, 31): 0.16859429,
            },
        ),
        (
            50,
            0.03,
            2,
            (1, 1, 8, 16, 16),
            [0.012213424, 0.074165295, -0.16002197, 0.18133051],
            {
                (0, 0, 0, 0, 0): -0.021585625,
                (0, 0, 4, 5, 9): 0.048570196,
                (0, 0, 7, 15, 15): 0.066114750,
            },
        ),
    ],
    ids=["50-items", "2000-items", "all-empty"],
)
def test_network_gives_the_golden_values(items, shrinkage, gain, shape, numbers, elements):
    """Mean, standard deviation, extremes and elements of the output are those of the authors'
    network."""
    network = fill(MemoryAutoEncoder3D(1, 1.0, items, shrinkage), gain)
    with torch.inference_mode():
        output = network(wave(*shape))
    assert output.shape == shape
    np.testing.assert_allclose(
        [output.mean(), output.std(unbiased=False), output.min(), output.max()], numbers, rtol=1e-6
    )
    for index, value in elements.items():
        assert output[index].item() == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize(
    ("items", "shrinkage", "gain", "largest", "survivors", "spread"),
    [
        (50, 0.03, 2, 0.14045054, [14, 11, 13, 12, 12, 11, 13, 15], 2.4858045),
        (2000, 0.0025, 4, 0.019216184, [116, 92, 111, 96, 111, 88, 164, 134], 4.6279450),
    ],
)
def test_attention_is_golden(items, shrinkage, gain, largest, survivors, spread):
    """Which items survive at each position, how much the strongest has, and the entropy."""
    from bench.methods.networks.memory import entropy

    network = fill(MemoryAutoEncoder3D(1, 1.0, items, shrinkage), gain)
    with torch.inference_mode():
        _, attention = network.memory(network.encoder(wave(1, 1, 16, 32, 32)))
    assert attention.shape == (1, items, 2, 2, 2)
    assert (attention > 0).sum(dim=1).flatten().tolist() == survivors
    assert attention.max().item() == pytest.approx(largest, rel=1e-6)
    assert entropy(attention).item() == pytest.approx(spread, rel=1e-6)


@pytest.mark.parametrize(("channels", "expected"), [(1, 6_492_801), (3, 6_503_171)])
def test_parameter_counts(channels, expected):
    """As counted in the authors' code: the autoencoder's and 2000 items of 256, all of them
    trained."""
    with torch.device("meta"):
        network = MemoryAutoEncoder3D(channels)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


def test_layer_shapes():
    """2000 items are addressed at each position of the encoder's last map; what is read goes on
    with the shape of that map."""
    network, attention = MemoryAutoEncoder3D(), []
    seen = watched((*network.encoder, *network.decoder))
    network.memory.register_forward_hook(
        lambda module, inputs, output: attention.append(tuple(output[1].shape))
    )
    with torch.inference_mode():
        network(
            torch.zeros(1, 1, 16, 64, 32)
        )  # not on the meta device: it has no autocast, which the memory switches off
    assert seen == [
        ((1, 1, 16, 64, 32), (1, 96, 16, 32, 16)),
        ((1, 96, 16, 32, 16), (1, 128, 8, 16, 8)),
        ((1, 128, 8, 16, 8), (1, 256, 4, 8, 4)),
        ((1, 256, 4, 8, 4), (1, 256, 2, 4, 2)),
        ((1, 256, 2, 4, 2), (1, 256, 4, 8, 4)),
        ((1, 256, 4, 8, 4), (1, 128, 8, 16, 8)),
        ((1, 128, 8, 16, 8), (1, 96, 16, 32, 16)),
        ((1, 96, 16, 32, 16), (1, 1, 16, 64, 32)),
    ]
    assert attention == [(1, 2000, 2, 4, 2)]


def test_memory_narrows_with_the_network():
    """Items are as long as the innermost features."""
    with torch.device("meta"):
        network = MemoryAutoEncoder3D(1, 0.25, 100)
    assert network.memory.items.shape == (100, 64)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"size": 250}, "size 250 is not a multiple of 16; the nearest are 240 and 256"),
        ({"length": 12}, "length 12 is not a multiple of 8; the nearest are 8 and 16"),
    ],
)
def test_sizes_that_do_not_return_are_refused(values, text):
    """A size that the decoder would not restore is refused with the nearest that it would."""
    with pytest.raises(ValueError, match=text):
        MemAEParameters(**values)


def test_defaults_are_the_authors():
    """What the authors' training script sets."""
    parameters = MemAEParameters()
    assert (parameters.items, parameters.shrinkage, parameters.entropy_weight) == (
        2000,
        0.0025,
        2e-4,
    )
    assert (parameters.batch, parameters.learning_rate, parameters.epochs) == (10, 1e-4, 100)


# -- loss ------------------------------------------------------------------------------------------


def small(**values: object) -> MemAE:
    return MemAE(
        MemAEParameters(
            **({"size": 16, "length": 8, "width": 0.05, "items": 20, "shrinkage": 0.05} | values)
        )
    )


def numpy_terms(network: MemoryAutoEncoder3D, windows: torch.Tensor) -> tuple[float, np.ndarray]:
    """The mean squared error, and the attention (positions, items) worked out in plain NumPy."""
    features = network.encoder(windows)
    queries = features.movedim(1, -1).flatten(0, -2).detach().numpy()
    logits = queries @ network.memory.items.detach().numpy().T
    attention = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    attention = np.where(attention > network.memory.shrinkage, attention, 0)
    attention /= np.maximum(attention.sum(axis=1, keepdims=True), 1e-12)
    return ((network(windows) - windows) ** 2).mean().item(), attention


def test_loss_is_error_and_entropy(tmp_path):
    """Against NumPy; the share of empty addresses is a term of its own."""
    torch.manual_seed(0)
    method = small(shrinkage=0.0525)
    network = (
        method.build().double().eval()
    )  # eval: batch statistics would differ from pass to pass
    nn.init.normal_(network.memory.items)
    windows = wave(3, 1, 8, 16, 16)
    terms = method.loss(network, {"window": windows}, make_context(0, Compute("cpu"), tmp_path))
    error, attention = numpy_terms(network, windows)
    spread = np.mean(-np.sum(attention * np.log(attention + 1e-12), axis=1))
    assert set(terms) == {"loss", "reconstruction", "entropy", "empty"}
    assert terms["reconstruction"].item() == pytest.approx(error)
    assert terms["entropy"].item() == pytest.approx(spread)
    assert terms["loss"].item() == pytest.approx(error + 2e-4 * spread)
    assert terms["empty"].item() == pytest.approx(np.mean(~attention.any(axis=1)))
    assert not terms["empty"].requires_grad


def test_both_terms_train_the_memory(tmp_path):
    """Gradients of the loss reach encoder, decoder and items; the network keeps no watch on itself
    afterwards."""
    torch.manual_seed(0)
    method = small()
    network = method.build()
    terms = method.loss(
        network, {"window": torch.randn(2, 1, 8, 16, 16)}, make_context(0, Compute("cpu"), tmp_path)
    )
    assert not network.memory._forward_hooks
    terms["loss"].backward()
    assert bool(network.memory.items.grad.any())
    assert bool(network.encoder[0][0].weight.grad.any())
    assert bool(network.decoder[3].weight.grad.any())


@pytest.mark.parametrize(
    ("pseudo_loss", "passes"), [("distinction", 2), ("restore", 1), ("negative", 1)]
)
def test_pseudo_anomalies_pass_the_memory_too(pseudo_loss, passes, tmp_path, monkeypatch):
    """With pseudo-anomalies the entropy is that of all passes of the step, and a step that is
    refused stays refused."""
    torch.manual_seed(0)
    method = small(pseudo="objects", pseudo_loss=pseudo_loss)
    network = method.build()
    seen = []
    network.memory.register_forward_hook(
        lambda module, inputs, output: seen.append(output[1].detach())
    )
    mask = torch.zeros(2, 1, 8, 16, 16)
    mask[0, :, :, 4:9, 4:9] = 1
    batch = {
        "window": torch.zeros(2, 1, 8, 16, 16),
        "content": torch.ones(2, 1, 8, 16, 16),
        "mask": mask,
        "creator": torch.tensor([0, -1]),
    }
    context = make_context(0, Compute("cpu"), tmp_path)
    batch = counted(method, batch)
    terms = method.loss(network, batch, context)
    assert len(seen) == passes
    attention = torch.cat(seen)
    expected = -(attention * torch.log(attention + 1e-12)).sum(dim=1).mean()
    torch.testing.assert_close(terms["entropy"], expected)
    assert {"loss", "reconstruction", "masked", "entropy", "empty"} <= set(terms)
    if pseudo_loss == "distinction":
        batch = counted(method, batch | {"mask": torch.zeros_like(mask)})
        assert method.loss(network, batch, context) is None


# -- what a training is told -----------------------------------------------------------------------


@pytest.mark.parametrize(("empty", "warned"), [(0.973, True), (0.4, False)])
def test_empty_addresses_are_reported(empty, warned, tmp_path, caplog):
    """The share of the last epoch is kept as a fact; where it is nearly all a warning says so and
    names the paper's range."""
    context = make_context(0, Compute("cpu"), tmp_path, logging.getLogger("test"))
    with caplog.at_level(logging.WARNING):
        MemAE().judge([{"epoch": 1.0, "empty": 0.99}, {"epoch": 2.0, "empty": empty}], context)
    assert context.facts["empty_addresses"] == empty
    assert bool(caplog.records) == warned
    if warned:
        assert "97.3% of the memory's addresses were empty" in caplog.text
        assert "0.0025 to 0.0005..0.0015" in caplog.text


# -- released weights ------------------------------------------------------------------------------


def authors_names(network: MemoryAutoEncoder3D) -> dict[str, torch.Tensor]:
    """The network's weights under the names that the authors' modules give them: flat sequences
    with their activations counted."""
    state = network.state_dict()
    renamed = {"mem_rep.memory.weight": state["memory.items"]}
    for part in ("encoder", "decoder"):
        for block in range(4):
            for layer, kinds in enumerate(
                (
                    ("weight", "bias"),
                    ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"),
                )
            ):
                alone = (part, block) == ("decoder", 3)
                if alone and layer == 1:
                    continue
                for kind in kinds:
                    own = f"{part}.{block}.{kind}" if alone else f"{part}.{block}.{layer}.{kind}"
                    renamed[f"{part}.{3 * block + layer}.{kind}"] = state[own]
    return renamed


@pytest.mark.parametrize("prefix", ["", "module."])
def test_released_weights_are_loaded(prefix, tmp_path):
    """A state dict under the authors' names, as they train it on one GPU or on several, gives the
    same network without training."""
    torch.manual_seed(0)
    source = MemoryAutoEncoder3D(1, 0.05, 20, 0.05).eval()
    for module in source.modules():
        if isinstance(module, nn.BatchNorm3d):
            nn.init.normal_(module.running_mean)
    released = {f"{prefix}{name}": tensor for name, tensor in authors_names(source).items()}
    assert {f"{prefix}encoder.10.running_var", f"{prefix}decoder.9.bias"} < set(released)
    path = tmp_path / "memae.pt"
    torch.save(released, path)
    method = small(weights=str(path))
    assert "train" not in method.needs
    method.fit([], make_context(0, Compute("cpu"), tmp_path))
    windows = torch.randn(2, 1, 8, 16, 16)
    torch.testing.assert_close(method.network(windows), source(windows), rtol=0, atol=0)


@pytest.mark.parametrize("pseudo", ["none", "noise"])
def test_weights_of_a_finished_cell_are_loaded(tmp_path, pseudo):
    """What `save` wrote gives the same network, in the profile that was asked for; the learned
    weight of pseudo-anomalies, which training alone uses, is left out."""
    source = small(pseudo=pseudo)
    torch.manual_seed(0)
    source.network = source.build().eval()
    path = tmp_path / "weights"
    source.save(path)
    method = small(weights=str(path))
    assert "train" not in method.needs
    method.check("any")
    method.fit([], make_context(0, Compute("cpu"), tmp_path))
    windows = torch.randn(2, 1, 8, 16, 16)
    torch.testing.assert_close(method.network(windows), source.network(windows), rtol=0, atol=0)
    chosen = select_one("methods", f"memae[weights={path}]", load(), "small")
    assert chosen.profile == "small"
    with pytest.raises(MethodError, match="must be those of its cell"):
        small(weights=str(path), items=30).fit([], make_context(0, Compute("cpu"), tmp_path))


def test_weights_of_another_memory_are_refused(tmp_path):
    """Other numbers of items belong to another network."""
    path = tmp_path / "memae.pt"
    torch.save(authors_names(MemoryAutoEncoder3D(1, 0.05, 30)), path)
    with pytest.raises(MethodError, match="belong to another network"):
        small(weights=str(path)).fit([], make_context(0, Compute("cpu"), tmp_path))


# -- score and training ----------------------------------------------------------------------------


def test_score_of_a_known_residual_golden():
    """The mean over the window of the norm over channels, in -1..1; images are those of the
    scored frame."""
    residual = wave(1, 3, 2, 2, 2, frequency=0.17)

    class TwoFrames(MemAE):
        window = type(MemAE().window)(2, targets=(1,), value_range="-1..1")

    parts = TwoFrames().error(Known(residual), {"window": torch.zeros_like(residual)})
    assert parts["norm"].shape == (1, 1)
    assert parts["norm"].item() == pytest.approx(1.1306508, rel=1e-7)
    np.testing.assert_allclose(
        parts["map"][0, 0], np.sqrt((residual[0, :, 1].numpy() ** 2).mean(axis=0))
    )
    np.testing.assert_allclose(parts["reconstruction"][0, 0], -residual[0, :, 1])


def test_score_stands_at_frame_8_of_each_window(tmp_path):
    """A clip of n frames gets n - 15 scores, from frame 8 on; an impulse at frame 30 raises the
    scores of windows that hold it."""
    frames = np.full((40, 32, 32), 60, dtype=np.uint8)
    frames[30] = 250
    method = MemAE(MemAEParameters(size=32, width=0.05))
    method.network = Known(torch.zeros(()))
    method.network.forward = lambda windows: torch.full_like(windows, 60 / 127.5 - 1)
    scores = infer(method, clip_of(frames, "test"), make_context(0, Compute("cpu"), tmp_path))
    np.testing.assert_array_equal(scores.frames, np.arange(8, 33))
    # Window s holds frames s..s + 15 and scores frame s + 8, so frame 30 is in the windows of
    # frames 23..38.
    np.testing.assert_allclose(
        scores.values, np.where(scores.frames >= 23, 190 / 127.5 / 16, 0), atol=1e-6
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_training_lowers_the_error(channels, deterministic, tmp_path, caplog):
    """A short training of profile smoke, as the harness runs it: the error falls, and the memory is
    in use."""
    frames = moving_square(48)
    if channels == 3:
        frames = np.repeat(frames[..., None], 3, axis=3)
    method = MemAE(MemAEParameters(**(MemAE.profiles["smoke"] | {"channels": channels})))
    context = make_context(
        0, Compute("cpu"), tmp_path, logging.getLogger("test"), history=tmp_path / "training.csv"
    )
    with caplog.at_level(logging.WARNING):
        method.fit([clip_of(frames)], context)
    history = np.genfromtxt(tmp_path / "training.csv", delimiter=",", names=True)
    assert history["reconstruction"][-1] < 0.8 * history["reconstruction"][0]
    assert history["empty"][-1] < 0.5
    assert not caplog.records
    assert np.isfinite(method.score(clip_of(frames, "test"), context).values).all()


def test_encoder_and_decoder_start_as_those_of_the_plain_autoencoder():
    """The memory is drawn after them, so that both networks begin from the same weights."""
    torch.manual_seed(0)
    plain = AutoEncoder3D(1, 0.1).state_dict()
    torch.manual_seed(0)
    with_memory = MemoryAutoEncoder3D(1, 0.1, 10).state_dict()
    for name, tensor in plain.items():
        torch.testing.assert_close(with_memory[name], tensor, rtol=0, atol=0)
