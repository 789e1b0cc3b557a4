"""Times of several ways to do one thing, taken in turns, and the lines that are printed of them."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from bench.wording import counted

FORMAT = "bench benchmarks 1"
"""Of the file that `--json` writes."""


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


@dataclass(frozen=True)
class Figure:
    """One measured number, as `--json` writes it."""

    part: str
    what: str
    value: float
    unit: str
    better: str
    """'more' or 'less'."""
    goal: float | None = None
    limit: str = ""
    """What the value is a share of, where it is one."""

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from other figures, of this run and of another."""
        return self.part, self.what

    @property
    def reached(self) -> bool:
        """Whether it is as good as its goal, if it has one."""
        if self.goal is None:
            return True
        return self.value >= self.goal if self.better == "more" else self.value <= self.goal

    def text(self) -> str:
        """Return it as a line."""
        if self.limit:
            return f"{self.what:<62} {self.value:6.0%} of the limit, {self.limit}"
        line = f"{self.what:<62} {self.value:6.2f}{self.unit}"
        if self.goal is None:
            return line
        sign = ">=" if self.better == "more" else "<="
        verdict = "reached" if self.reached else "MISSED"
        return f"{line}   goal {sign} {self.goal:g}{self.unit}   {verdict}"


@dataclass
class Report:
    """Prints figures as they come, and the goals again at the end."""

    began: float = field(default_factory=time.perf_counter)
    busy: list[float] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    part: str = ""
    processor: str = ""
    quick: bool = False

    def section(self, title: str) -> None:
        """Begin a part: its title, the seconds so far, and how busy the machine is with other
        work.
        """
        self.part = title
        self.busy.append(psutil.cpu_percent(0.5))
        print(
            f"\n{title}   [{time.perf_counter() - self.began:.0f} s; other work on the machine: {self.busy[-1]:.0f} % of it]",
            flush=True,
        )

    def say(self, what: str, value: str) -> None:
        """Print what is not compared with other runs."""
        print(f"  {what:<62} {value}", flush=True)

    def figure(self, what: str, value: float, unit: str = "x", better: str = "less") -> None:
        """Print a figure without a goal."""
        self._add(Figure(self.part, what, value, unit, better))

    def goal(
        self, what: str, value: float, goal: float, unit: str = "x", least: bool = True
    ) -> None:
        """Print a figure beside its goal: at `least` so much, or at most."""
        self._add(Figure(self.part, what, value, unit, "more" if least else "less", goal))

    def limit(self, what: str, share: float, of: str) -> None:
        """Print which share something reaches of what the machine can do: the seconds of one
        operation `of` which it mainly consists, over its own.
        """
        self._add(Figure(self.part, what, share, "", "more", None, of))

    def _add(self, figure: Figure) -> None:
        self.figures.append(figure)
        print(f"  {figure.text()}", flush=True)

    def conclude(self, earlier: Mapping[str, Any] | None) -> None:
        """Print all goals together, what they were measured beside, and the ratios to an earlier
        run.
        """
        goals = [figure for figure in self.figures if figure.goal is not None]
        print(
            f"\n{'Goals' if goals else 'No goals'}   [{time.perf_counter() - self.began:.0f} s in all; other work: {self._other_work():.0f} % of the machine in the median]"
        )
        for figure in goals:
            print(f"  {figure.text()}")
        if earlier is not None:
            self._compare(earlier)

    def _other_work(self) -> float:
        return statistics.median(self.busy or [0])

    def _compare(self, earlier: Mapping[str, Any]) -> None:
        before = {one.key: one for one in map(_figure, earlier["figures"])}
        print(
            f"\nAgainst the earlier run ({earlier['version']}, {earlier['processor']}, other work "
            f"{earlier['other_work']:.0f} %); above 1 this one is better"
        )
        if (earlier["processor"], earlier["quick"]) != (self.processor, self.quick):
            print("  another processor, or one of the two is quick: these ratios say little")
        found = [one for one in self.figures if one.key in before]
        for figure in found:
            was = before[figure.key].value
            pair = (figure.value, was) if figure.better == "more" else (was, figure.value)
            ratio = f"{pair[0] / pair[1]:.2f}x" if pair[1] else "-"
            scale = 100 if figure.limit else 1
            unit = " %" if figure.limit else figure.unit
            print(
                f"  {figure.what:<62} {ratio:>7}   {was * scale:.2f}{unit} -> "
                f"{figure.value * scale:.2f}{unit}"
            )
        if len(found) < len(self.figures):
            new = counted(len(self.figures) - len(found), "figure")
            print(f"  {new} {'is' if new == '1 figure' else 'are'} not in the earlier run")

    def facts(self, version: str) -> dict[str, Any]:
        """Return what `--json` writes."""
        return {
            "format": FORMAT,
            "version": version,
            "processor": self.processor,
            "quick": self.quick,
            "other_work": self._other_work(),
            "figures": [asdict(figure) for figure in self.figures],
        }


def read_earlier(path: Path) -> dict[str, Any]:
    """Return what `--json` wrote.

    Raises
    ------
    ValueError : the file cannot be read, or is none that `--json` writes; with the reason.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] != FORMAT:
            raise ValueError(f"its format is {found['format']!r}, not {FORMAT!r}")
        for figure in found["figures"]:
            float(_figure(figure).value)
        float(found["other_work"])
        if not {"version", "processor", "quick"} <= found.keys():
            raise ValueError("it does not say what was measured")
        return dict(found)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"{path} is no file that `python -m benchmarks --json FILE` wrote ({error})"
        ) from error


def _figure(value: Mapping[str, Any]) -> Figure:
    return Figure(**value)
