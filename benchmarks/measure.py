"""Times of several ways to do one thing, taken in turns, and the lines that are printed of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import psutil


def alternate(cases: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Return the median seconds of each case: once each to warm up, then all in turns, every second
    round backwards.
    """
    for case in cases.values():
        case()
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(repeats):
        for name in list(cases)[:: -1 if number % 2 else 1]:
            began = time.perf_counter()
            cases[name]()
            seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(values) for name, values in seconds.items()}


@dataclass
class Report:
    """Prints figures as they come, and the goals again at the end."""

    began: float = field(default_factory=time.perf_counter)
    busy: list[float] = field(default_factory=list)
    goals: list[str] = field(default_factory=list)

    def section(self, title: str) -> None:
        """Begin a part: its title, the seconds so far, and how busy the machine is with other
        work.
        """
        self.busy.append(psutil.cpu_percent(0.5))
        print(
            f"\n{title}   [{time.perf_counter() - self.began:.0f} s; other work on the machine: {self.busy[-1]:.0f} % of it]",
            flush=True,
        )

    def say(self, what: str, value: str) -> None:
        """Print a figure without a goal."""
        print(f"  {what:<62} {value}", flush=True)

    def goal(
        self, what: str, value: float, goal: float, unit: str = "x", least: bool = True
    ) -> None:
        """Print a figure beside its goal: at `least` so much, or at most."""
        reached = value >= goal if least else value <= goal
        text = f"{what:<62} {value:6.2f}{unit}   goal {'>=' if least else '<='} {goal:g}{unit}   {'reached' if reached else 'MISSED'}"
        self.goals.append(text)
        print(f"  {text}", flush=True)

    def conclude(self) -> None:
        """Print all goals together, and what they were measured beside."""
        print(
            f"\nGoals   [{time.perf_counter() - self.began:.0f} s in all; other work: {statistics.median(self.busy or [0]):.0f} % of the machine in the median]"
        )
        for text in self.goals:
            print(f"  {text}")
