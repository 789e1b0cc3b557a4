"""How long idle threads of OpenMP spin before they sleep.

A thread that waits for the others of its team spins by default: for milliseconds in GNU's runtime,
for 200 ms in LLVM's and Intel's. Where another process holds a core, it spins for a neighbour that
is not running: the demo took 27 times as long (measured, two cores, one other busy process), 2.1
times with the settings below, and no longer than before on an idle machine.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

SPIN = {
    "GOMP_SPINCOUNT": ("1000", ("OMP_WAIT_POLICY",)),  # GNU: rounds; its default is 300,000
    "KMP_BLOCKTIME": (
        "1",
        ("OMP_WAIT_POLICY", "KMP_LIBRARY"),
    ),  # LLVM and Intel: milliseconds; the default is 200
}
"""For each runtime its variable, our value, and the other variables by which a user decides the
same. 1000 was measured here against 0, 10,000 and `OMP_WAIT_POLICY=PASSIVE`: the first that costs
nothing on an idle machine."""


def short_spin(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that make idle threads sleep soon, without those that the environment
    decides already.
    """
    return {
        name: value
        for name, (value, others) in SPIN.items()
        if not any(key in environment for key in (name, *others))
    }


def use_short_spin() -> None:
    """Let idle threads of this process, and of the processes it starts, sleep soon. Call it before
    torch is imported.
    """
    os.environ.update(short_spin(os.environ))
