"""Signals that ask a worker to stop."""

from __future__ import annotations

import signal
from typing import Any

STOPS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGUSR2") if hasattr(signal, name))
"""Signals that ask a worker to write down where it is. SIGUSR2 is what submitit has SLURM send to a
job that is nearly out of time."""


class Interrupted(BaseException):
    """The worker was asked to stop."""


def listen_for_stops() -> None:
    """Have the first of `STOPS` raise `Interrupted`, wherever the worker is."""
    for number in STOPS:
        signal.signal(number, _interrupt)


def _interrupt(number: int, frame: Any) -> None:
    ignore_stops()
    raise Interrupted


def ignore_stops() -> None:
    """Ignore further signals: a second one must not cut the writing of the outcome."""
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)
