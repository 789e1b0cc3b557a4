"""How many cores other processes keep busy."""

from __future__ import annotations

import os
import time

import psutil

from bench.hardware.machine import cores

INTERVAL = 0.3
"""Seconds to measure over, at least: the system counts in hundredths. Chosen here."""
WORTH_A_NOTE = 0.5
"""Cores of other work from which on it is said. Chosen here: half a core makes a run on all cores
visibly longer."""


class OtherWork:
    """Measures, from its making on, what others do on the cores that this process may use."""

    def __init__(self) -> None:
        self._busy, self._own, self._began = busy_seconds(), own_seconds(), time.monotonic()

    def held(self) -> float:
        """Return the cores that other processes kept busy, on average since then; 0 where the
        system does not tell.

        Waits until `INTERVAL` has passed.
        """
        time.sleep(max(0.0, INTERVAL - (time.monotonic() - self._began)))
        seconds = time.monotonic() - self._began
        busy = busy_seconds()
        if self._busy is None or busy is None:
            return 0.0
        others = (busy - self._busy) - (own_seconds() - self._own)
        return min(max(0.0, others / seconds), float(cores()))


def busy_seconds() -> float | None:
    """Return the seconds that the cores of this process were busy since the system started; None
    where it does not tell.
    """
    try:
        times = psutil.cpu_times(percpu=True)
    except (psutil.Error, OSError, NotImplementedError, ValueError):
        return None
    usable = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(len(times)))
    # Time of guests is counted as the host's as well.
    idle = ("idle", "iowait", "guest", "guest_nice")
    found = [
        value
        for number, core in enumerate(times)
        if number in usable
        for name, value in core._asdict().items()
        if name not in idle
    ]
    return sum(found) if found else None


def own_seconds() -> float:
    """Return the processor time of this process and of its children that have ended."""
    return sum(os.times()[:4])


def busy_note(held: float, wanted: int) -> str:
    """Return what to tell a user whose run wants so many cores; empty where others leave it
    enough.
    """
    if held < WORTH_A_NOTE or wanted <= cores() - held:
        return ""
    left = max(1, int(cores() - held + 0.5))
    advice = f"; --workers 1 --threads {left} leaves them room" if wanted > left else ""
    return f"other processes use {held:.1f} of {cores()} cores, so this run is slower than on an idle machine{advice}"
