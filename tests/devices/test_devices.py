"""Networks on the simulated device: equal numbers, no mixed devices, no step that waits."""

import pytest
from scenarios import bf16, checks, copied, keep, reload, resume, stream, trains_alike

from bench import NetworkMethod
from bench.plugins.registry import load

NETWORKS = sorted(
    name
    for name, cls in load().methods.items()
    if isinstance(cls, type)
    and issubclass(cls, NetworkMethod)
    and not cls.published_only
    and not cls.needs_parameters
)


def test_a_training_goes_on_bit_by_bit():
    resume()


def test_bf16():
    bf16()


def test_a_copy_of_a_network():
    copied()


def test_unet():
    """The distinction loss, streaming, what is kept, and loading, with the smallest network."""
    trains_alike("unet", epochs=1)


@pytest.mark.long
@pytest.mark.parametrize("name", NETWORKS)
def test_every_network(name):
    checks(name)


@pytest.mark.long
@pytest.mark.parametrize("creator", sorted(load().creators))
def test_every_creator(creator):
    trains_alike("c3dsu", pseudo=creator, epochs=1)


@pytest.mark.long
@pytest.mark.parametrize("accumulate", [2, 4])
@pytest.mark.parametrize("name", ["c3dsu", "mnad", "ae-conv3d"])
def test_accumulate(name, accumulate):
    trains_alike(name, accumulate=accumulate)


@pytest.mark.long
@pytest.mark.parametrize("name", ["c3dsu", "mnad", "memae", "ae-3d", "tsc"])
def test_saved_and_loaded(name):
    reload(name)


@pytest.mark.long
@pytest.mark.parametrize("name", ["c3dsu", "mnad", "memae", "ae-3d"])
def test_apply(name):
    stream(name)


@pytest.mark.long
@pytest.mark.parametrize("name", ["c3dsu", "unet"])
def test_keep(name):
    keep(name)


@pytest.mark.long
def test_distinction_of_norms():
    trains_alike("c3dsu", distinction="norm", epochs=1)
