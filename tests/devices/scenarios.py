"""What is done on the simulated device, and compared with the CPU: for the tests, and for the bugs
that are planted to see whether these notice them. Each raises where something is wrong."""

import contextlib
import copy
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from bench.contracts.clip import Window
from bench.contracts.compute import Compute
from bench.contracts.method import FrameFormat
from bench.contracts.network_method import NetworkMethod
from bench.engine.context import make_context
from bench.engine.inference import infer, infer_as_they_come
from bench.engine.seeding import seed_everything
from bench.plugins.registry import load
from bench.plugins.selection import profile_values
from bench.testing.device_checks import DEVICE_CHECKS, waits_of_steps
from bench.testing.device_traffic import traffic
from bench.testing.made import NotAsked, make_clip
from bench.testing.simulated_device import NAME, simulated_device

DEVICE = f"{NAME}:0"


@dataclass(frozen=True)
class TinyParameters:
    epochs: int = 3
    batch: int = 4
    learning_rate: float = 0.01


class Tiny(NetworkMethod):
    """A network with everything that has a state: weights, running statistics, dropout."""

    name = "tiny"
    frames = FrameFormat((8, 8), 1)
    Parameters = TinyParameters
    window = Window(1)

    def build(self):
        return torch.nn.Sequential(
            torch.nn.Conv2d(1, 2, 3, padding=1),
            torch.nn.BatchNorm2d(2),
            torch.nn.Dropout(0.2),
            torch.nn.Conv2d(2, 1, 3, padding=1),
        )

    def _compare(self, network, batch):
        frames = batch["window"][:, :, 0]
        output = network(frames)
        return output, (output - frames).square()

    def loss(self, network, batch, context):
        return {"loss": self._compare(network, batch)[1].mean()}

    def error(self, network, batch):
        output, errors = self._compare(network, batch)
        return {"error": errors.mean(dim=(1, 2, 3))[:, None], "reconstruction": output[:, None]}


def _clips(method, split="train"):
    return [make_clip(number, split, method.frames, split == "train") for number in (1, 2)]


def _context(device, folder, step=None, checkpoint=None, **compute):
    # In batches of the CPU's size everywhere, since another size changes the last digits.
    compute = Compute(device, **compute, batch=Compute("cpu").scoring_batch)
    return make_context(5, compute, folder, step=step, checkpoint=checkpoint)


def _weights(method):
    return {name: value.cpu() for name, value in method.network.state_dict().items()}


def _assert_same(found, expected, tolerance=0.0):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=tolerance, msg=name)


def method_of(name, **parameters):
    """A built-in method in profile smoke; no pseudo-anomalies where none are asked for."""
    cls = load().methods[name]
    return cls(cls.Parameters(**(profile_values(cls, "smoke") | parameters)))


def _trained(method, device, **compute):
    seed_everything(5)
    with tempfile.TemporaryDirectory() as folder:
        method.fit(_clips(method), _context(device, Path(folder), **compute))
    return method


def checks(name):
    """The checks that `bench check --device simulated` makes."""
    for check in DEVICE_CHECKS:
        try:
            check(load().methods[name])
        except NotAsked:
            return


def trains_alike(name, accumulate=1, **parameters):
    """Training on the device ends with the weights that it has on the CPU, and no step waits."""
    simulated_device()
    on_cpu = _trained(method_of(name, **parameters), "cpu", accumulate=accumulate)
    steps = []
    method = method_of(name, **parameters)
    with traffic() as seen, tempfile.TemporaryDirectory() as folder:
        seed_everything(5)
        context = _context(
            DEVICE,
            Path(folder),
            lambda done, total, what: steps.append((what, len(seen.waits))),
            accumulate=accumulate,
        )
        method.fit(_clips(method), context)
    _assert_same(_weights(method), _weights(on_cpu))
    assert not (waits := waits_of_steps(steps, seen)), waits


class Stopped(Exception):
    pass


def resume():
    """A training that was stopped after an epoch, in a process that forgot everything, ends as an
    undisturbed one."""
    simulated_device()
    whole = _trained(Tiny(), DEVICE)

    def stop(done, total, what):
        if done > 30 and what.startswith("training"):
            raise Stopped

    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "checkpoint"
        seed_everything(5)
        method = Tiny()
        with contextlib.suppress(Stopped):
            method.fit(_clips(method), _context(DEVICE, Path(folder), stop, checkpoint))
        seed_everything(77)  # what a new process has drawn until then is something else
        method = Tiny()
        method.fit(_clips(method), _context(DEVICE, Path(folder), checkpoint=checkpoint))
    _assert_same(_weights(method), _weights(whole))


def reload(name):
    """What was trained on the device, saved and loaded scores the same, on the device and on the
    CPU."""
    simulated_device()
    method = _trained(method_of(name), DEVICE)
    clip = _clips(method, "test")[0]
    with tempfile.TemporaryDirectory() as folder:
        scores = infer(method, clip, _context(DEVICE, Path(folder))).values
        method.save(Path(folder) / "fitted")
        for device in (DEVICE, "cpu"):
            again = method_of(name)
            again.load(Path(folder) / "fitted")
            found = infer(again, clip, _context(device, Path(folder)))
            np.testing.assert_array_equal(found.values, scores)


def stream(name):
    """`bench apply` scores frames as they come on the device as it does on the CPU."""
    simulated_device()
    method = _trained(method_of(name), "cpu")
    clip = _clips(method, "test")[0]

    def scores(device):
        batches = (clip.frames[begin : begin + 4] for begin in range(0, clip.length, 4))
        context = _context(device, Path())
        return np.concatenate([one.values for one in infer_as_they_come(method, batches, context)])

    expected = scores("cpu")
    np.testing.assert_array_equal(scores(DEVICE), expected)


def keep(name):
    """What `--keep` keeps is taken from the device: images, levels of regions (on a copy of the
    method), and the example of a pseudo-anomaly."""
    from bench.worker.keepers.levels import training_levels

    simulated_device()
    found = {}
    for device in ("cpu", DEVICE):
        method = _trained(method_of(name), device)
        images = []
        with tempfile.TemporaryDirectory() as folder:
            context = replace(
                _context(device, Path(folder)),
                images=lambda method, clip, frame, found, to=images: to.append(found["map"]),
            )
            method.score(_clips(method, "test")[0], context)
            levels = training_levels(method, _clips(method), context)
        example = method.pseudo_anomaly(_clips(method)[0], 3, np.random.default_rng(1), [0.5])
        found[device] = [np.stack(images), levels, *example.values()]
    for on_device, on_cpu in zip(found[DEVICE], found["cpu"], strict=True):
        np.testing.assert_array_equal(on_device, on_cpu)


def bf16():
    """Under `--precision bf16` the layers of a network compute in bfloat16 on the device."""
    simulated_device()
    types: set[torch.dtype] = set()

    class Watched(Tiny):
        def _compare(self, network, batch):
            output, errors = super()._compare(network, batch)
            types.add(output.dtype)
            return output, errors

    method = _trained(Watched(), DEVICE, precision="bf16")
    assert torch.bfloat16 in types, types
    types.clear()
    infer(method, _clips(method, "test")[0], _context(DEVICE, Path(), precision="bf16"))
    assert types == {torch.bfloat16}, types


def copied():
    """A deep copy of a network on the device has memory of its own."""
    network = Tiny().build().to(simulated_device())
    other = copy.deepcopy(network)
    with torch.no_grad():
        other[0].weight.zero_()
    assert bool(network[0].weight.any())
