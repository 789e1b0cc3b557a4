"""The simulated device itself: as strict as an accelerator, and it notices every wait."""

import io

import pytest
import torch

from bench.testing.simulated_device import NAME, simulated_device, traffic


@pytest.fixture
def device():
    return simulated_device()


def test_devices_do_not_mix(device):
    tensor = torch.ones(3, device=device)
    with pytest.raises(RuntimeError, match=r"'other' of add.Tensor, \(3,\), is on cpu"):
        tensor + torch.ones(3)
    with pytest.raises(RuntimeError, match="is on cpu"):
        torch.cat([tensor, torch.ones(3)])
    with pytest.raises(RuntimeError, match="is on cpu"):
        torch.zeros(3).add_(tensor)
    with pytest.raises(TypeError, match="can't convert simulated:0 device type tensor to numpy"):
        tensor.numpy()
    with pytest.raises(RuntimeError, match="'simulated' device type for generator"):
        torch.rand(3, device=device, generator=torch.Generator())
    assert (tensor + torch.tensor(1.0)).cpu().tolist() == [2, 2, 2]  # as on CUDA


@pytest.mark.parametrize(
    ("use", "waits"),
    [
        (lambda x: x * 2 + x.mean(), 0),
        (lambda x: x[1:3], 0),
        (lambda x: x.item() if x.ndim == 0 else x.sum().item(), 1),
        (lambda x: bool(x.any()), 1),
        (lambda x: x[x > 1], 1),
        (lambda x: x.nonzero(), 1),
        (lambda x: torch.nonzero_static(x > 1, size=2), 0),
        (lambda x: torch.where(x > 1, x, 0.0), 0),
        (lambda x: x.masked_fill(x > 1, 0), 0),
        (lambda x: x.cpu(), 1),
        (lambda x: x + torch.tensor([1.0] * 4).to(x.device), 1),
        (lambda x: x + torch.ones(4).pin_memory().to(x.device, non_blocking=True), 0),
        (lambda x: torch.accelerator.synchronize(x.device), 1),
    ],
)
def test_waits_are_counted(device, use, waits):
    tensor = torch.arange(4.0).to(device)
    with traffic() as seen:
        use(tensor)
    assert len(seen.waits) == waits
    assert all("test_simulated_device.py:" in str(event) for event in seen.waits)


def test_views_share_memory_and_gradients(device):
    tensor = torch.zeros(4, 4, device=device, requires_grad=True)
    doubled = tensor * 2
    doubled[1:3, ::2].add_(1).mul_(3)
    doubled.sum().backward()
    expected = torch.full((4, 4), 2.0)
    expected[1:3, ::2] = 6
    assert torch.equal(tensor.grad.cpu(), expected)


def test_its_random_numbers_are_its_own(device):
    torch.manual_seed(3)
    first = torch.rand(3, device=device).cpu()
    of_cpu = torch.rand(3)
    assert torch.equal(first, of_cpu)  # both start from the seed
    state = torch.get_device_module(NAME).get_rng_state(device)
    after = torch.rand(3, device=device).cpu()
    torch.get_device_module(NAME).set_rng_state(state, device)
    assert torch.equal(torch.rand(3, device=device).cpu(), after)
    with torch.random.fork_rng(devices=[0], device_type=NAME):
        inside = torch.rand(3, device=device).cpu()
    assert torch.equal(torch.rand(3, device=device).cpu(), inside)


def test_it_refuses_what_cuda_refuses_in_deterministic_mode(device):
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        volume = torch.ones(1, 1, 4, 4, 4, device=device, requires_grad=True)
        pooled = torch.nn.functional.avg_pool3d(volume, 2).sum()
        with pytest.raises(RuntimeError, match="avg_pool3d_backward does not have a determ"):
            pooled.backward()
    finally:
        torch.use_deterministic_algorithms(before)


def test_saved_tensors_are_read_on_the_cpu(device):
    file = io.BytesIO()
    torch.save({"x": torch.arange(3.0).to(device)}, file)
    file.seek(0)
    loaded = torch.load(file, map_location="cpu", weights_only=True)["x"]
    assert loaded.device.type == "cpu" and loaded.tolist() == [0, 1, 2]
