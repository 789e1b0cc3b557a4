"""mnad: golden values (made once with the authors' code, in float64), memory, losses, test-time
updates, released weights, training."""

import logging
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from bench.methods.mnad import CARRIED, MNAD, RESET, MNADParameters
from bench.methods.networks.mnad import (
    MemoryGuidedAutoEncoder,
    compactness,
    nearest,
    point_score,
    psnr,
    read,
    separateness,
    updated,
)
from made import counted, wave
from torch import nn

from bench import Context, MethodError, OpenClip
from bench.contracts.compute import Compute
from bench.engine.context import make_context
from bench.engine.inference import infer
from bench.testing import CheckFailed, run_check
from bench.testing.method_checks import same_in_any_order


def unit(tensor: torch.Tensor) -> torch.Tensor:
    return nn.functional.normalize(tensor, dim=1)


def fill(network: MemoryGuidedAutoEncoder, gain: float = 0.55) -> MemoryGuidedAutoEncoder:
    """Weights that do not depend on names or order: w_i = gain sin(0.7 i + 0.3) / sqrt(fan), biases
    0.01 cos(0.5 i)."""
    network = network.double().eval()
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            fan = module.weight.numel() / module.weight.shape[0]
            module.weight.data = (
                gain * wave(*module.weight.shape, frequency=0.7, phase=0.3) / math.sqrt(fan)
            )
            module.bias.data = 0.01 * torch.cos(
                0.5 * torch.arange(module.bias.numel(), dtype=torch.float64)
            )
    network.items.copy_(unit(wave(*network.items.shape, frequency=0.7, phase=0.3)))
    return network


def small(**values: object) -> MNAD:
    return MNAD(MNADParameters(**({"size": 16, "width": 0.125, "batch": 2} | values)))


def moving_square(length: int, channels: int = 3, size: int = 32) -> np.ndarray:
    frames = np.full((length, size, size), 60, dtype=np.uint8)
    for number in range(length):
        start = number % (size - 8)
        frames[number, 10:18, start : start + 8] = 200
    return np.repeat(frames[..., None], 3, axis=3) if channels == 3 else frames


def noise(length: int, size: int = 16, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (length, size, size, 3), dtype=np.uint8)


def clip_of(frames: np.ndarray, split: str = "test", name: str = "01") -> OpenClip:
    return OpenClip(name, split, len(frames), "made", opener=lambda: frames)


def untrained(**values: object) -> MNAD:
    """Fresh weights, with normalisations that know noise: with fresh statistics no input would show
    in the output."""
    torch.manual_seed(0)
    method = small(**values)
    method.network = method.build()
    for module in method.network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        method.network(torch.randn(16, 3, 16, 16))
    method.network.eval()
    return method


# -- the network -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channels", "shape", "numbers", "elements", "compact"),
    [
        (
            3,
            (1, 3, 8, 8),
            [-0.0036111832, 0.061127211, -0.18456448, 0.13217805],
            {(0, 0, 0, 0): -0.092508485, (0, 0, 4, 5): 0.011300270, (0, 2, 7, 7): -0.044841844},
            0.0039060364,
        ),
        (
            3,
            (1, 3, 32, 32),
            [-0.0037859188, 0.15880042, -0.69330221, 0.49087643],
            {(0, 0, 0, 0): -0.29859629, (0, 0, 16, 5): -0.025196101, (0, 2, 31, 31): -0.12330467},
            0.0039020017,
        ),
        (
            1,
            (1, 1, 32, 32),
            [0.0070048438, 0.16102754, -0.57016631, 0.48154245],
            {(0, 0, 0, 0): -0.29839756, (0, 0, 16, 5): -0.025186202, (0, 0, 31, 31): 0.10342521},
            0.0039015814,
        ),
    ],
    ids=["smallest", "rgb", "gray"],
)
def test_network_gives_the_golden_values(channels, shape, numbers, elements, compact):
    """Mean, standard deviation, extremes and elements of the output, and the compactness, are those
    of the authors' network."""
    network = fill(MemoryGuidedAutoEncoder(channels))
    with torch.inference_mode():
        output = network(wave(*shape))
        found = compactness(network.encoder(wave(*shape)), network.items)
    assert output.shape == shape
    np.testing.assert_allclose(
        [output.mean(), output.std(unbiased=False), output.min(), output.max()], numbers, rtol=1e-6
    )
    for index, value in elements.items():
        assert output[index].item() == pytest.approx(value, rel=1e-6)
    assert found.tolist() == pytest.approx([compact], rel=1e-6)


def test_encoder_gives_the_golden_features():
    """Their mean before they are scaled to queries, and the weights by which the first query reads
    items 0 and 9."""
    network = fill(MemoryGuidedAutoEncoder(3))
    with torch.inference_mode():
        features = network.encoder[:-1](wave(1, 3, 32, 32))
        weights = torch.softmax(unit(features)[0, :, 0, 0] @ network.items.T, dim=0)
    assert features.mean().item() == pytest.approx(-0.0041312129, rel=1e-6)
    assert weights[[0, 9]].tolist() == pytest.approx([0.10017178, 0.099933455], rel=1e-6)


@pytest.mark.parametrize(
    ("channels", "expected", "decoder"), [(3, 17_196_291, 12_507_075), (1, 17_193_985, 12_505_921)]
)
def test_parameter_counts(channels, expected, decoder):
    """As counted in the authors' code, less the 1,024 of a normalisation that they never use; the
    memory has none."""
    with torch.device("meta"):
        network = MemoryGuidedAutoEncoder(channels)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected - 1024
    assert sum(parameter.numel() for parameter in network.decoder.parameters()) == decoder
    assert network.items.shape == (10, 512)
    assert not network.items.requires_grad


def test_layer_shapes():
    """256 x 256 frames have 32 x 32 queries of 512; upsampling keeps channels."""
    with torch.device("meta"):
        network = MemoryGuidedAutoEncoder(3)
        x = torch.empty(1, 3, 256, 256)
        sizes = []
        for layer in network.encoder:
            x = layer(x)
            sizes.append(tuple(x.shape[1:]))
        assert sizes[::2] == [(64, 256, 256), (128, 128, 128), (256, 64, 64), (512, 32, 32)]
        x, sizes = torch.cat([x, x], dim=1), []
        for layer in network.decoder:
            x = layer(x)
            sizes.append(tuple(x.shape[1:]))
    assert sizes == [
        (512, 32, 32),
        (512, 64, 64),
        (256, 64, 64),
        (256, 128, 128),
        (128, 128, 128),
        (128, 256, 256),
        (3, 256, 256),
    ]


def test_width_scales_channels_and_items():
    """Half the width has 32, 64, 128 and 256 channels, and items of 256."""
    with torch.device("meta"):
        network = MemoryGuidedAutoEncoder(3, 0.5, 7)
    assert [network.encoder[level][0].out_channels for level in (0, 2, 4, 6)] == [32, 64, 128, 256]
    assert network.items.shape == (7, 256)


def test_memory_begins_in_the_positive_corner():
    """Uniform numbers from 0 to 1, each item scaled to length 1."""
    torch.manual_seed(0)
    items = MemoryGuidedAutoEncoder(3, 0.1).items
    assert bool((items >= 0).all())
    torch.testing.assert_close(items.norm(dim=1), torch.ones(10))
    # A uniform number has mean 1/2 and standard deviation sqrt(1/12); the root mean square of
    # those of an item, which the scaling makes 1, is sqrt(1/3) before.
    of_one = items.detach().numpy() * np.sqrt(items.shape[1])
    assert of_one.mean() == pytest.approx(np.sqrt(3) / 2, abs=0.07)
    assert of_one.std() == pytest.approx(1 / 2, abs=0.05)


# -- the memory ------------------------------------------------------------------------------------


@pytest.fixture
def memory() -> tuple[torch.Tensor, torch.Tensor]:
    """Queries (2, 4, 2, 2) and items (3, 4)."""
    features = torch.cos(0.4 * torch.arange(32, dtype=torch.float64)).reshape(2, 4, 2, 2) + 0.1
    return unit(features), unit(wave(3, 4, frequency=0.7, phase=0.3))


def test_reading_gives_the_golden_values(memory):
    """Queries beside what is read for them."""
    queries, items = memory
    joined = torch.cat([queries, read(queries, items)], dim=1)
    assert joined.shape == (2, 8, 2, 2)
    found = [joined[0, 0, 0, 0], joined[0, 5, 1, 0], joined[1, 7, 1, 1], joined.sum()]
    np.testing.assert_allclose(found, [0.76694596, 0.085829959, 0.27601404, 5.0468963], rtol=1e-6)


def test_memory_losses_give_the_golden_values(memory):
    """Nearest items, compactness and separateness."""
    queries, items = memory
    flat = queries.permute(0, 2, 3, 1).reshape(-1, 4)
    assert nearest(flat, items, 2)[:, 0].tolist() == [1, 1, 1, 2, 1, 1, 1, 2]
    assert compactness(queries, items).mean().item() == pytest.approx(0.39060639, rel=1e-6)
    assert separateness(queries, items).item() == pytest.approx(0.77069338, rel=1e-6)


def test_memory_losses_equal_numpy(memory):
    """Compactness of each frame by itself, and the triplet loss with its 1e-6 in each
    difference."""
    queries, items = (tensor.numpy() for tensor in memory)
    flat = queries.transpose(0, 2, 3, 1).reshape(-1, 4)
    order = np.argsort(-flat @ items.T, axis=1)
    first, second = items[order[:, 0]], items[order[:, 1]]
    squares = (flat - first) ** 2
    np.testing.assert_allclose(compactness(*memory), [squares[:4].mean(), squares[4:].mean()])
    margins = (
        np.linalg.norm(flat - first + 1e-6, axis=1)
        - np.linalg.norm(flat - second + 1e-6, axis=1)
        + 1
    )
    assert separateness(*memory).item() == pytest.approx(np.maximum(margins, 0).mean())


def test_update_gives_the_golden_values(memory):
    """An item that is nobody's nearest stays; the others move."""
    queries, items = memory
    found = updated(queries, items)
    expected = [
        [0.19767104, 0.56285304, 0.66331646, 0.45181178],
        [0.66507555, -0.29155436, -0.63283008, 0.26869433],
        [0.11376209, -0.38685669, 0.17296902, 0.89859991],
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    torch.testing.assert_close(found[0], items[0])


def test_update_equals_numpy(memory):
    """Against the softmax over queries written out, item by item."""
    queries, items = (tensor.numpy() for tensor in memory)
    flat = queries.transpose(0, 2, 3, 1).reshape(-1, 4)
    weights = np.exp(flat @ items.T)
    weights /= weights.sum(axis=0)
    expected = items.copy()
    for query, owner in enumerate((flat @ items.T).argmax(axis=1)):
        expected[owner] += weights[query, owner] / weights[:, owner].max() * flat[query]
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(updated(*memory), expected)


def test_reading_passes_no_gradient(memory):
    """The encoder learns by the queries in the concatenation and by the losses, never through the
    weights of reading."""
    queries, items = memory
    queries = queries.clone().requires_grad_()
    assert not read(queries, items).requires_grad
    assert not updated(queries, items).requires_grad
    assert compactness(queries, items).requires_grad
    assert separateness(queries, items).requires_grad


# -- the score -------------------------------------------------------------------------------------


def test_psnr_and_point_score_give_the_golden_values():
    """Of an output and an image in -1..1."""
    output, image = (
        0.9 * wave(1, 3, 4, 4, frequency=0.3),
        0.9 * wave(1, 3, 4, 4, frequency=0.31, phase=0.1),
    )
    errors = ((output - image) / 2) ** 2
    assert errors.mean().item() == pytest.approx(0.012230520, rel=1e-6)
    assert psnr(errors).tolist() == pytest.approx([19.125551], rel=1e-6)
    assert point_score(errors).tolist() == pytest.approx([0.027583786], rel=1e-6)


def test_a_perfect_frame_has_finite_scores():
    """No error at all is 120 dB and a point score of 0."""
    errors = torch.zeros(2, 3, 4, 4)
    assert psnr(errors).tolist() == [120, 120]
    assert point_score(errors).tolist() == [0, 0]


def test_mixing_gives_the_golden_values():
    """1 less the regularity, for alpha .7."""
    parts = {
        "psnr": np.array([30, 31, 28, 25, 29.0]),
        "compactness": np.array([0.1, 0.12, 0.2, 0.3, 0.15]),
    }
    scores = MNAD().clip_scores(parts, np.arange(5), 5)
    np.testing.assert_allclose(1 - scores.values, [0.88333333, 0.97, 0.5, 0, 0.69166667], atol=1e-8)
    np.testing.assert_array_equal(scores.frames, np.arange(5))


def test_constant_parts_count_as_0():
    """A clip that does not change has score 0; a constant term leaves the other one alone."""
    frames = np.arange(3)
    same, rising = np.full(3, 0.2, dtype=np.float32), np.array([0.1, 0.2, 0.3], dtype=np.float32)
    assert MNAD().clip_scores({"psnr": same, "compactness": same}, frames, 3).values.tolist() == [
        0,
        0,
        0,
    ]
    np.testing.assert_allclose(
        MNAD().clip_scores({"psnr": same, "compactness": rising}, frames, 3).values,
        [0, 0.15, 0.3],
        atol=1e-6,
    )
    np.testing.assert_allclose(
        MNAD().clip_scores({"psnr": rising, "compactness": same}, frames, 3).values,
        [0.7, 0.35, 0],
        atol=1e-6,
    )


def streamed(method: MNAD, frames: torch.Tensor, sizes: list[int]) -> dict[str, torch.Tensor]:
    """The terms of a clip whose frames come in pieces of these sizes."""
    with torch.inference_mode():
        state, found = method.start(method.network), []
        for piece in frames.split(sizes):
            parts, state = method.next(method.network, state, piece)
            found.append(parts)
    return {name: torch.cat([parts[name] for parts in found]) for name in found[0]}


def test_without_updates_streaming_equals_windows():
    """With threshold 0 each frame is compared with the memory as trained: all terms are those of
    `error`."""
    method = untrained(threshold=0.0)
    frames = torch.randn(11, 3, 16, 16)
    with torch.inference_mode():
        expected = method.error(method.network, {"window": frames[:, :, None]})
    found = streamed(method, frames, [1, 8, 2])
    assert set(found) == set(expected) == {"psnr", "compactness", "map", "reconstruction"}
    for name, part in expected.items():
        assert part.shape[:2] == (11, 1)
        torch.testing.assert_close(
            found[name], part[:, 0], rtol=1e-5, atol=1e-6 if part.ndim == 2 else 1e-4
        )


def test_frames_update_the_memory_for_those_that_follow():
    """Frame by frame, written out: the score of a frame comes before its update, and the threshold
    decides."""
    method = untrained(threshold=0.4)
    network = method.network
    frames = (
        torch.randn(12, 3, 16, 16)
        * torch.linspace(0.2, 1.2, 12)[torch.randperm(12)][:, None, None, None]
    )
    items, psnrs, distances, updates = network.items, [], [], 0
    with torch.inference_mode():
        for frame in frames.split(1):
            queries = network.encoder(frame)
            errors = ((frame - network.decode(queries, items)) / 2) ** 2
            psnrs.append(-10 * math.log10(errors.mean()))
            distances.append(compactness(queries, items).item())
            weights = 1 - torch.exp(-errors)
            if (weights * errors).sum() / weights.sum() < 0.4:
                items, updates = updated(queries, items), updates + 1
    assert 0 < updates < 12
    before = network.items.clone()
    for sizes in ([12], [1] * 12, [5, 7]):
        found = streamed(method, frames, sizes)
        np.testing.assert_allclose(found["psnr"], psnrs, rtol=1e-5)
        np.testing.assert_allclose(found["compactness"], distances, rtol=1e-5)
    torch.testing.assert_close(network.items, before, rtol=0, atol=0)


def test_every_frame_of_a_clip_has_a_score(tmp_path):
    """A clip of one frame too; the engine gives the same for any size of its pieces."""
    method = untrained()
    context = make_context(0, Compute("cpu"), tmp_path)
    frames = noise(13)
    scores = infer(method, clip_of(frames), context)
    np.testing.assert_array_equal(scores.frames, np.arange(13))
    np.testing.assert_allclose(
        infer(method, clip_of(frames), make_context(0, Compute("cpu", batch=1), tmp_path)).values,
        scores.values,
        atol=1e-4,
    )
    assert infer(method, clip_of(frames[:1]), context).values.tolist() == [0]


# -- what happens between clips --------------------------------------------------------------------


def test_memory_is_reset_at_each_clip(tmp_path):
    """By default a clip scores the same first and after another, and the row says that the code
    does otherwise."""
    method = untrained(threshold=1.0)
    context = make_context(0, Compute("cpu"), tmp_path)
    alone = method.score(clip_of(noise(8)), context).values
    method.score(clip_of(noise(8, seed=1)), context)
    np.testing.assert_array_equal(method.score(clip_of(noise(8)), context).values, alone)
    assert RESET in method.deviations
    assert RESET in MNAD.info.deviations
    assert CARRIED not in method.deviations


def test_memory_may_be_carried_from_clip_to_clip(tmp_path):
    """As in the code: two clips score as one long clip would, and the row says that their order
    counts."""
    method = untrained(threshold=1.0, carry_memory=True)
    frames = torch.randn(10, 3, 16, 16)
    whole = streamed(untrained(threshold=1.0), frames, [10])
    first, second = streamed(method, frames[:6], [6]), streamed(method, frames[6:], [4])
    torch.testing.assert_close(torch.cat([first["psnr"], second["psnr"]]), whole["psnr"])
    assert not torch.allclose(
        streamed(method, frames[:6], [6])["compactness"], first["compactness"]
    )
    assert CARRIED in method.deviations
    assert RESET not in method.deviations


def test_a_carried_memory_belongs_to_its_network(tmp_path):
    """A network that is loaded begins with the memory of its training."""
    method = untrained(threshold=1.0, carry_memory=True)
    method.save(tmp_path / "weights")
    frames = torch.randn(6, 3, 16, 16)
    expected = streamed(method, frames, [6])
    method.load(tmp_path / "weights")
    method.network.eval()
    torch.testing.assert_close(streamed(method, frames, [6])["psnr"], expected["psnr"])


def test_a_lost_memory_is_reported(tmp_path, caplog):
    """Where scoring does not begin at the first clip, as after an interruption, the row is told;
    else nothing is said."""
    context = make_context(
        0, Compute("cpu"), tmp_path, logging.getLogger("test"), test_lengths={"01": 4, "02": 4}
    )

    def scored(names: str, **values: object) -> str:
        caplog.clear()
        method = untrained(**values)
        with caplog.at_level(logging.WARNING):
            for name in names.split():
                method.score(clip_of(noise(4), name=name), context)
        return caplog.text

    assert "scoring went on at clip 02 after an interruption" in scored("02", carry_memory=True)
    assert not scored("01 02", carry_memory=True)
    assert not scored("02")


def test_a_carried_memory_ends_with_the_test_clips(tmp_path):
    """Scores of the test clips do not depend on an earlier scoring of all of them, as after an
    epoch, and those of a training clip depend on no test clip."""
    context = make_context(0, Compute("cpu"), tmp_path, test_lengths={"01": 4, "02": 4})
    clips = [clip_of(noise(4, seed=seed), name=name) for seed, name in enumerate(("01", "02"))]
    training = clip_of(noise(4, seed=2), "train")
    method = untrained(threshold=1.0, carry_memory=True)
    of_training = replace(context, test_lengths={})
    expected = method.score(training, of_training).values
    first, second = ([method.score(clip, context).values for clip in clips] for _ in range(2))
    np.testing.assert_array_equal(second, first)
    np.testing.assert_array_equal(method.score(training, of_training).values, expected)


class Carrying(MNAD):
    """The authors' way."""

    name = "mnad-carrying"

    def __init__(self, parameters: MNADParameters | None = None) -> None:
        super().__init__(
            MNADParameters(**(MNAD.profiles["smoke"] | {"carry_memory": True, "threshold": 1.0}))
        )


def test_a_carried_memory_makes_the_order_count():
    """The conformance check of the order of clips fails then, as it must."""
    with pytest.raises(CheckFailed, match="clips in another order"):
        run_check(Carrying, same_in_any_order)


# -- training --------------------------------------------------------------------------------------


@pytest.fixture
def context(tmp_path) -> Context:
    return make_context(0, Compute("cpu"), tmp_path, logging.getLogger("test"))


def test_loss_is_error_and_memory_losses(context):
    """Against the terms; the memory of the step is that before its update, which comes without
    gradient."""
    torch.manual_seed(0)
    method = small(compactness_weight=0.3, separateness_weight=0.02)
    network = method.build().double().eval()
    windows = wave(3, 3, 1, 16, 16)
    queries, items = network.encoder(windows[:, :, 0]).detach(), network.items.clone()
    error = (network(windows[:, :, 0]) - windows[:, :, 0]).square().mean().item()
    compact, separate = (
        compactness(queries, items).mean().item(),
        separateness(queries, items).item(),
    )
    terms = method.loss(network, {"window": windows}, context)
    assert set(terms) == {"loss", "reconstruction", "compactness", "separateness"}
    assert terms["reconstruction"].item() == pytest.approx(error)
    assert terms["compactness"].item() == pytest.approx(compact)
    assert terms["separateness"].item() == pytest.approx(separate)
    assert terms["loss"].item() == pytest.approx(error + 0.3 * compact + 0.02 * separate)
    torch.testing.assert_close(network.items, updated(queries, items))
    assert not network.encoder._forward_hooks
    terms["loss"].backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize(
    ("pseudo_loss", "normal"), [("distinction", [0, 1]), ("restore", [1]), ("negative", [1])]
)
def test_pseudo_anomalies_do_not_reach_the_memory(pseudo_loss, normal, context):
    """The normal pass of the distinction loss, or the normal samples of a mixed batch, update the
    memory and have its losses."""
    torch.manual_seed(0)
    method = small(pseudo="objects", pseudo_loss=pseudo_loss)
    network = method.build().eval()
    windows = torch.randn(2, 3, 1, 16, 16)
    mask = torch.zeros(2, 1, 1, 16, 16)
    mask[0, :, :, 4:9, 4:9] = 1
    batch = {
        "window": windows,
        "content": torch.ones_like(windows),
        "mask": mask,
        "creator": torch.tensor([0, -1]),
    }
    batch = counted(method, batch)
    with torch.no_grad():
        queries = network.encoder(windows[normal, :, 0])
    items = network.items.clone()
    terms = method.loss(network, batch, context)
    torch.testing.assert_close(terms["compactness"], compactness(queries, items).mean())
    torch.testing.assert_close(network.items, updated(queries, items))
    assert {"loss", "reconstruction", "masked", "compactness", "separateness"} <= set(terms)


def test_a_batch_without_normal_frames_leaves_the_memory_alone(context):
    """Its loss is that of the reconstruction."""
    torch.manual_seed(0)
    method = small(pseudo="objects", pseudo_loss="restore")
    network = method.build()
    windows = torch.randn(2, 3, 1, 16, 16)
    batch = {
        "window": windows,
        "content": windows,
        "mask": torch.ones(2, 1, 1, 16, 16),
        "creator": torch.zeros(2, dtype=torch.int64),
    }
    items = network.items.clone()
    terms = method.loss(network, batch, context)
    torch.testing.assert_close(terms["loss"], terms["reconstruction"])
    assert (terms["compactness"].item(), terms["separateness"].item()) == (0, 0)
    torch.testing.assert_close(network.items, items, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("pseudo_loss", "masked", "warned"),
    [("restore", 1.0, True), ("restore", 0.9, False), ("distinction", 1.0, False)],
)
def test_a_memory_that_learned_nothing_is_reported(pseudo_loss, masked, warned, context, caplog):
    """Where no training frame was normal."""
    with caplog.at_level(logging.WARNING):
        small(pseudo="objects", pseudo_loss=pseudo_loss).judge(
            [{"masked": masked}, {"masked": 1.0}], context
        )
    assert ("the memory learned nothing" in caplog.text) == warned


def test_learning_rate_follows_a_cosine_by_epochs():
    """Constant within an epoch, half of the first one at half of the epochs, near 0 in the last."""
    method = small(epochs=4)
    optimiser = method.optimiser(method.build())
    schedule = method.schedule(optimiser, 12)
    rates = []
    for _ in range(12):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    expected = np.repeat(2e-4 * (1 + np.cos(np.pi * np.arange(4) / 4)) / 2, 3)
    np.testing.assert_allclose(rates, expected)


@pytest.mark.parametrize("channels", [1, 3])
def test_training_lowers_the_error(channels, deterministic, tmp_path):
    """A short training of profile smoke, as the harness runs it: the error falls, the memory
    changes, and both are saved."""
    frames = moving_square(64, channels)
    method = MNAD(MNADParameters(**(MNAD.profiles["smoke"] | {"channels": channels})))
    context = make_context(0, Compute("cpu"), tmp_path, history=tmp_path / "training.csv")
    method.fit([clip_of(frames, "train")], context)
    history = np.genfromtxt(tmp_path / "training.csv", delimiter=",", names=True)
    assert history["reconstruction"][-1] < 0.8 * history["reconstruction"][0]
    assert bool((method.network.items < 0).any())  # all began positive
    torch.testing.assert_close(method.network.items.norm(dim=1), torch.ones(10))
    expected = method.score(clip_of(frames), context).values
    method.save(tmp_path / "weights")
    again = MNAD(method.parameters)
    again.load(tmp_path / "weights")
    torch.testing.assert_close(again.network.items, method.network.items, rtol=0, atol=0)
    np.testing.assert_array_equal(again.score(clip_of(frames), context).values, expected)


def test_the_last_smaller_batch_is_left_out(tmp_path):
    """Nine frames in batches of four are two steps an epoch."""
    method = small(batch=4, epochs=10, learning_rate=1e-3)
    context = make_context(0, Compute("cpu"), tmp_path, history=tmp_path / "training.csv")
    method.fit([clip_of(moving_square(9, size=16), "train")], context)
    assert (np.genfromtxt(tmp_path / "training.csv", delimiter=",", names=True)["steps"] == 2).all()


# -- parameters ------------------------------------------------------------------------------------


def test_sizes_that_do_not_return_are_refused():
    """A size that the decoder would not restore is refused with the nearest that it would."""
    with pytest.raises(
        ValueError, match="size 250 is not a multiple of 8; the nearest are 248 and 256"
    ):
        MNADParameters(size=250)


def test_defaults_are_those_of_reconstruction():
    """The README's values for reconstruction; those of the code's own defaults are for
    prediction."""
    parameters = MNADParameters()
    assert (parameters.alpha, parameters.threshold) == (0.7, 0.015)
    assert (parameters.compactness_weight, parameters.separateness_weight) == (0.01, 0.01)
    assert (parameters.epochs, parameters.batch, parameters.learning_rate) == (60, 4, 2e-4)
    assert not parameters.carry_memory
    assert str(MNAD().frames) == "256x256x3"


# -- released weights ------------------------------------------------------------------------------


def authors_names(network: MemoryGuidedAutoEncoder) -> dict[str, torch.Tensor]:
    """The network's weights under the names that the authors' modules give them, with the
    normalisation that they never use."""
    modules = {
        **{f"encoder.{2 * level}.": f"encoder.moduleConv{level + 1}." for level in range(4)},
        "decoder.0.": "decoder.moduleConv.",
        "decoder.1.": "decoder.moduleUpsample4.",
        "decoder.2.": "decoder.moduleDeconv3.",
        "decoder.3.": "decoder.moduleUpsample3.",
        "decoder.4.": "decoder.moduleDeconv2.",
        "decoder.5.": "decoder.moduleUpsample2.",
        "decoder.6.": "decoder.moduleDeconv1.",
    }
    renamed = {"keys": network.items, "encoder.moduleBatchNorm.weight": torch.ones(5)}
    for name, tensor in network.state_dict().items():
        for own, theirs in modules.items():
            if name.startswith(own):
                renamed[theirs + name.removeprefix(own)] = tensor
    return renamed


@pytest.fixture
def source() -> MemoryGuidedAutoEncoder:
    torch.manual_seed(1)
    network = MemoryGuidedAutoEncoder(3, 0.125).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean)
    return network


def test_released_weights_are_loaded_for_rgb(source, tmp_path):
    """The authors' network sees and gives BGR; with its weights, ours does the same to RGB, without
    training."""
    released = authors_names(source)
    assert len(released) == len(source.state_dict()) + 1
    assert {
        "encoder.moduleConv4.3.bias",
        "decoder.moduleDeconv1.6.weight",
        "decoder.moduleUpsample2.1.running_var",
    } < set(released)
    torch.save(released, tmp_path / "mnad.pt")
    method = small(weights=str(tmp_path / "mnad.pt"))
    assert "train" not in method.needs
    method.fit([], make_context(0, Compute("cpu"), tmp_path))
    frames = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(method.network(frames), source(frames.flip(1)).flip(1))
    torch.testing.assert_close(method.network.items, source.items, rtol=0, atol=0)
    assert any("mnad.pt" in text for text in method.deviations)


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (lambda network: network, "a pickled module is not loaded"),
        (
            lambda network: {
                name: value for name, value in authors_names(network).items() if name != "keys"
            },
            "they lack 'keys'",
        ),
        (
            lambda network: authors_names(MemoryGuidedAutoEncoder(3, 0.1)),
            "belong to another network",
        ),
    ],
    ids=["pickled", "no-items", "another-width"],
)
def test_other_files_are_refused_with_the_way_out(
    spoil: Callable[..., object], text, source, tmp_path
):
    """The error says what is wrong, and how the authors' two files become one."""
    torch.save(spoil(source), tmp_path / "mnad.pt")
    with pytest.raises(MethodError) as caught:
        small(weights=str(tmp_path / "mnad.pt")).fit([], make_context(0, Compute("cpu"), tmp_path))
    assert text in str(caught.value)
    assert 'state_dict() | {"keys": torch.load(ITEMS)}' in str(caught.value)
