"""Fixtures for tests of methods."""

import pytest
import torch

from bench.engine.seeding import seed_everything


@pytest.fixture
def deterministic():
    """Torch as the harness runs it, and as it was afterwards."""
    before = torch.are_deterministic_algorithms_enabled()
    seed_everything(0)
    yield
    torch.use_deterministic_algorithms(before)
