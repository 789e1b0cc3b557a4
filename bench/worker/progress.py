"""What a worker says of its progress: one small file that the runner, and `bench status`, read."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path

from bench.errors import RunError
from bench.files.whole_files import read_json, write_json

WRITE_EVERY = 0.5
"""Seconds between two writes."""


@dataclass(frozen=True)
class Progress:
    """Where a worker is: `done` of `total` of what it does now, and a counter that moves with every
    step.
    """

    what: str = ""
    done: int = 0
    total: int = 0
    steps: int = 0
    since: float = 0.0
    """When what it does now began, seconds since 1970."""
    done_before: int = 0
    """How much of `total` was done already when this worker began (a resumed training)."""
    phase: str = ""
    gpu: str = ""
    """The GPU that the worker has, 'cuda:N'; empty without one."""

    def seconds_left(self, now: float) -> float | None:
        """Return the seconds left of what it does now, judged by the pace so far; None where that
        cannot be told.
        """
        made = self.done - self.done_before
        if made <= 0 or self.total <= self.done or now <= self.since:
            return None
        return (now - self.since) / made * (self.total - self.done)


class Reporter:
    """Writes progress to `path`, at most twice a second."""

    def __init__(self, path: Path, gpu: str = "") -> None:
        self.path, self.gpu = path, gpu
        self.steps = 0
        self.phase = ""
        self._what = ""
        self._since = time.time()
        self._done_before = 0
        self._done = self._total = 0
        self._written = 0.0

    def begin(self, phase: str, what: str) -> None:
        """Say that another phase begins: 'prepare', 'fit' or 'score'."""
        self.phase = phase
        self.steps += 1  # or a reader that saw the phase before would take this for no news
        self._since, self._done_before, self._done, self._total, self._what = (
            time.time(),
            -1,
            0,
            0,
            what,
        )
        self._write()

    def step(self, done: int, total: int, what: str) -> None:
        """Say that `done` of `total` is done."""
        if self._done_before < 0 or done < self._done or total != self._total:
            self._since, self._done_before = time.time(), done
        self._done, self._total, self._what = done, total, what
        self.touch()

    def touch(self) -> None:
        """Say that work goes on."""
        self.steps += 1
        if time.monotonic() - self._written >= WRITE_EVERY:
            self._write()

    def _write(self) -> None:
        self._written = time.monotonic()
        value = Progress(
            self._what,
            self._done,
            self._total,
            self.steps,
            self._since,
            max(0, self._done_before),
            self.phase,
            self.gpu,
        )
        # A full disk must not end a training that is still in memory; the results' own writes will
        # say it.
        with contextlib.suppress(RunError):
            write_json(self.path, value.__dict__, durable=False)


def read_progress(path: Path) -> Progress | None:
    """Return what a worker last said, or None if it has said nothing yet."""
    try:
        return Progress(**read_json(path, "progress"))
    except (RunError, TypeError):
        return None
