"""What a network owes on an accelerator, tried on the simulated one."""

from __future__ import annotations

import itertools
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch

import bench
from bench.contracts.method import Method
from bench.contracts.network_method import NetworkMethod
from bench.errors import MethodError
from bench.testing.made import CheckFailed, NotAsked
from bench.testing.method_checks import Fitted, compare, first_fit, fit
from bench.testing.simulated_device import NAME, Traffic, simulated_device, traffic


def same_on_a_device(cls: type[Method]) -> None:
    """Trained and scored on the simulated device, a network has the weights and scores that it has
    on the CPU, bit by bit.

    Raises
    ------
    CheckFailed : with what is wrong.
    """
    on_cpu = _network(cls)
    on_device = _on_device(cls, lambda done, total, what: None)
    assert isinstance(on_device.method, NetworkMethod) and on_device.method.network is not None
    found = on_device.method.network.state_dict()
    for name, value in on_cpu.items():
        if not torch.equal(found[name].cpu(), value):
            raise CheckFailed(
                f"{name} of the network is another after the same training on the simulated "
                "device: something of it stayed on the CPU, or was not moved back"
            )
    compare(on_device.scores, first_fit(cls).scores, "on the simulated device")


def its_steps_do_not_wait(cls: type[Method]) -> None:
    """Between two looks of the harness at the loss, no training step waits for the device.

    Raises
    ------
    CheckFailed : with the places in the code that wait.
    """
    _network(cls)
    with traffic() as seen:
        steps: list[tuple[str, int]] = []
        _on_device(cls, lambda done, total, what: steps.append((what, len(seen.waits))))
    if waits := waits_of_steps(steps, seen):
        text = ", ".join(f"{event} ({count} times)" for event, count in waits.most_common(3))
        raise CheckFailed(
            f"the CPU waits for the device in training steps: {text}. Decide on the CPU what "
            "the loss computes (on_cpu), or compute it without a decision, e.g. by torch.where"
        )


def waits_of_steps(steps: list[tuple[str, int]], seen: Traffic) -> Counter[str]:
    """Return what waited in the training steps but the first of each epoch, and how often. The
    harness itself looks at the loss in that step, and works between epochs.

    Parameters
    ----------
    steps : at each report of progress, what it said and the number of waits until then.
    """
    found: Counter[str] = Counter()
    for (before, since), (what, until) in itertools.pairwise(steps):
        if before == what and what.startswith("training"):
            found.update(map(str, seen.waits[since:until]))
    return found


def _network(cls: type[Method]) -> dict[str, torch.Tensor]:
    """Return the weights that a method has on the CPU."""
    if not issubclass(cls, NetworkMethod):
        raise NotAsked("it has no network")
    method = first_fit(cls).method
    if not isinstance(method, NetworkMethod) or method.network is None:
        raise NotAsked("it has no network")
    return method.network.state_dict()


def _on_device(cls: type[Method], step: Callable[[int, int, str], None]) -> Fitted:
    device = simulated_device()
    try:
        with torch.get_device_module(NAME).one_generator():
            return fit(cls, str(device), step)
    except (RuntimeError, TypeError, MethodError) as error:
        raise CheckFailed(f"on the simulated device: {error}{_place(error)}") from error


def _place(error: BaseException) -> str:
    """Return where in the method's own code an error was, for a message; else where in bench."""
    skipped = (str(Path(torch.__file__).parent), str(Path(__file__).parent))
    own = str(Path(bench.__file__).parent)
    places = [
        (Path(frame.filename).name, frame.lineno, frame.filename.startswith(own))
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(skipped)
    ]
    chosen = [place for place in places if not place[2]] or places
    return f" ({chosen[-1][0]}, line {chosen[-1][1]})" if chosen else ""


DEVICE_CHECKS: tuple[Callable[[type[Method]], None], ...] = (
    same_on_a_device,
    its_steps_do_not_wait,
)
"""For `bench check --device simulated`, and the tests of plugin authors."""
