"""Networks that reconstruct whole windows, trained with pseudo-anomalies: every frame of the window
counts."""

import numpy as np
import pytest
import torch
from bench.methods.ae_3d import AE3D, AE3DParameters
from bench.methods.ae_conv2d import AEConv2D, AEConv2DParameters
from made import batch_of_samples

from bench import OpenClip, Tracks
from bench.contracts.compute import Compute
from bench.engine.context import make_context

METHODS = [
    pytest.param(AE3D, AE3DParameters, {"size": 16, "length": 8, "width": 0.05}, id="ae-3d"),
    pytest.param(
        AEConv2D, AEConv2DParameters, {"size": 23, "length": 5, "width": 0.05}, id="ae-conv2d"
    ),
]


def tracked_clip(size: int) -> OpenClip:
    """Twelve frames; one track whose box grows from frame to frame."""
    frames = np.random.default_rng(0).integers(0, 256, (12, size, size), dtype=np.uint8)
    boxes = np.array([(0.25, 0.25, 0.75, 0.5 + number / 32) for number in range(12)])
    tracks = Tracks(np.arange(12), np.full(12, 4), boxes, length=12, size=(size, size), found=12)
    return OpenClip("01", "train", 12, "made", opener=lambda: frames, tracks=tracks)


def made(cls, parameters, values, **more):
    torch.manual_seed(0)
    method = cls(parameters(**values, pseudo="objects", **more))
    clip = tracked_clip(values["size"])
    method.stats = method.statistics([clip])
    samples = [method.sample(clip, start, np.random.default_rng(start)) for start in (0, 3)]
    return (
        method,
        method.build(),
        batch_of_samples(method, samples),
    )


@pytest.mark.parametrize(("cls", "parameters", "values"), METHODS)
def test_distinction_is_a_mean_over_the_masked_pixels_of_all_frames(
    cls, parameters, values, tmp_path
):
    """Plain NumPy beside it; the masks of the frames differ, so that one frame alone gives another
    number."""
    method, network, batch = made(cls, parameters, values)
    assert {"tracks", "frames", "train"} <= method.needs
    network.eval()
    terms = method.loss(network, batch, make_context(0, Compute("cpu"), tmp_path))
    window, content, mask = (
        batch[name].numpy().astype(np.float64) for name in ("window", "content", "mask")
    )
    pseudo = window + mask * 0.5 * (content - window)
    with torch.no_grad():
        output = (
            method.reconstruct(network, torch.from_numpy(pseudo).float()).numpy().astype(np.float64)
        )
    ratios = (np.abs(window - output) + 1e-6) / (np.abs(pseudo - output) + 1e-6)
    assert len({frame.sum() for frame in mask[0, 0]}) > 1
    assert terms["distinction"].item() == pytest.approx(ratios[mask > 0].mean(), rel=1e-3)


@pytest.mark.parametrize(("cls", "parameters", "values"), METHODS)
def test_learned_weight_is_trained_and_static_is_not(cls, parameters, values, tmp_path):
    """The scalar is in the optimiser, whatever groups it makes, and a step moves it; SDL's stays at
    .5."""
    for weight, moves in (("learned", True), ("static", False)):
        method, network, batch = made(cls, parameters, values, anomaly_weight=weight)
        optimiser = method.optimiser(network)
        method.loss(network, batch, make_context(0, Compute("cpu"), tmp_path))["loss"].backward()
        optimiser.step()
        assert (network.anomaly_weight().item() != 0.5) is moves


@pytest.mark.parametrize(("cls", "parameters", "values"), METHODS)
@pytest.mark.parametrize("loss", ["restore", "negative"])
def test_other_losses_train_too(cls, parameters, values, loss, tmp_path):
    """Each gives a finite loss with gradients, and the sign that its name says."""
    method, network, batch = made(cls, parameters, values, pseudo_loss=loss, probability=1.0)
    value = method.loss(network, batch, make_context(0, Compute("cpu"), tmp_path))["loss"]
    value.backward()
    assert bool(torch.isfinite(value))
    assert (value.item() < 0) is (loss == "negative")  # both windows are pseudo-anomalous
    assert any(
        parameter.grad is not None and bool(parameter.grad.any())
        for parameter in network.parameters()
    )
