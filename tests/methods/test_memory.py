"""Memory addressing of MemAE: golden values (made once with the authors' code, in float64), plain
NumPy, precision, gradients."""

import math

import numpy as np
import pytest
import torch
from bench.methods.networks.memory import Memory, entropy, share_empty, shrink
from torch.nn import functional


def wave(
    *shape: int, gain: float = 1.0, frequency: float = 0.7, phase: float = 0.3
) -> torch.Tensor:
    return gain * torch.sin(
        frequency * torch.arange(math.prod(shape), dtype=torch.float64) + phase
    ).reshape(shape)


def cosine(*shape: int, gain: float = 1.0) -> torch.Tensor:
    return wave(*shape, gain=gain, frequency=0.4, phase=math.pi / 2)


@pytest.fixture
def memory() -> Memory:
    """Four items of length 8."""
    made = Memory(4, 8, 0.2)
    made.items.data = wave(4, 8)
    return made


def test_addressing_gives_the_golden_values(memory):
    """Attention before and after shrinkage, what is read, and both entropies."""
    queries = cosine(3, 8, gain=0.3)
    even = functional.softmax(queries @ memory.items.T, dim=-1)
    expected = [
        [0.48948693, 0.30349799, 0.13956085, 0.067454225],
        [0.072809415, 0.12022447, 0.26421829, 0.54274782],
        [0.50212521, 0.29752911, 0.13432224, 0.066023446],
    ]
    np.testing.assert_allclose(even.detach(), expected, rtol=1e-6)
    read, attention = memory(queries)
    np.testing.assert_allclose(
        attention.detach(),
        [
            [0.61727143, 0.38272857, 0, 0],
            [0, 0, 0.32742179, 0.67257821],
            [0.62792784, 0.37207216, 0, 0],
        ],
        rtol=1e-6,
    )
    found = [read[0, 0].item(), read[1, 3].item(), read[2, 7].item(), read.sum().item()]
    np.testing.assert_allclose(found, [0.039322897, 0.51221444, -0.91972484, 1.8506022], rtol=1e-6)
    assert entropy(attention).item() == pytest.approx(0.65259039, rel=1e-6)
    assert entropy(even).item() == pytest.approx(1.1509165, rel=1e-6)


def test_a_map_is_read_position_by_position(memory):
    """(B, C, T, H, W) stays in its order, and the attention has the items on the channels' axis."""
    features = cosine(1, 8, 2, 1, 3)
    read, attention = memory(features)
    assert read.shape == features.shape
    assert attention.shape == (1, 4, 2, 1, 3)
    found = [
        read[0, 2, 1, 0, 2].item(),
        attention[0, 1, 0, 0, 0].item(),
        read.sum().item(),
        entropy(attention).item(),
    ]
    np.testing.assert_allclose(found, [0.18759899, 0.33007393, 4.2508484, 1.2792007], rtol=1e-6)
    alone, _ = memory(features[:, :, 1, 0, 2])
    torch.testing.assert_close(read[:, :, 1, 0, 2], alone)


def test_shrinkage_keeps_what_is_above_it():
    """Attention above the threshold stays as it is, and does not lose the threshold."""
    attention = torch.tensor([0.0, 0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
    np.testing.assert_allclose(shrink(attention, 0.2), [0, 0, 0, 0.3, 0.4], rtol=1e-9)


def test_empty_addresses_read_zero_and_are_counted():
    """Where no item is left 0 is read, not NaN; the share counts positions; entropy of an empty
    position is 0."""
    memory = Memory(5, 3, 0.3)
    memory.items.data = torch.tensor([[8.0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]])
    features = torch.tensor(
        [[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]]
    )  # only the first resembles an item
    read, attention = memory(features)
    np.testing.assert_allclose(read.detach()[1:], 0)
    np.testing.assert_allclose(read.detach()[0], [8, 0, 0], rtol=1e-6)
    assert share_empty(attention).item() == 0.75
    assert entropy(attention).item() == pytest.approx(0, abs=1e-6)
    read.sum().backward()
    assert memory.items.grad.isfinite().all()


def test_entropy_is_the_mean_over_positions():
    """Against NumPy, over batch and places alike."""
    attention = functional.softmax(wave(2, 5, 3, 2, 2), dim=1)
    w = attention.numpy()
    assert entropy(attention).item() == pytest.approx(
        np.mean(-np.sum(w * np.log(w + 1e-12), axis=1))
    )


def test_items_are_drawn_evenly():
    """Uniform within one over the root of their length, as in the authors' code; and they are
    trained."""
    torch.manual_seed(0)
    memory = Memory(2000, 256, 0.0025)
    assert memory.items.requires_grad
    assert memory.items.abs().max().item() == pytest.approx(1 / 16, rel=1e-3)
    assert memory.items.std().item() == pytest.approx(1 / 16 / 3**0.5, rel=0.01)


def test_half_precision_does_not_reach_the_attention():
    """Under autocast, and for half features, the attention is that of float32 arithmetic on the
    same features."""
    torch.manual_seed(0)
    memory = Memory(500, 16, 0.002)
    features = torch.randn(2, 16, 2, 3, 3).to(torch.bfloat16)
    _, expected = memory(features.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        read, attention = memory(features)
    assert (read.dtype, attention.dtype) == (torch.bfloat16, torch.float32)
    assert bool(attention.any())
    torch.testing.assert_close(attention, expected, rtol=0, atol=0)
