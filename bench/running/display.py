"""What the person at the terminal sees while a run goes on: a live grid, or plain lines where there
is no terminal.
"""

from __future__ import annotations

import sys
import time
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from bench.planning.plan import Plan
from bench.running.duration import duration
from bench.running.jobs import Job, Listener
from bench.runs.records import CellRecord
from bench.runs.status import Status

LINE_EVERY = 30.0
"""Seconds between two plain lines about one cell."""
MARKS = {
    Status.DONE: "[green]done[/]",
    Status.FAILED: "[red]failed[/]",
    Status.INTERRUPTED: "[yellow]interrupted[/]",
    Status.NO_DATA: "[dim]no data[/]",
    Status.PUBLISHED_ONLY: "[dim]published only[/]",
}


WIDE, BAR = 100, 20
"""Columns of a terminal from which a cell's progress has a bar, and those of the bar."""


def make_console(stream: TextIO, color: str = "auto") -> Console:
    """Return a console that colours as asked: 'always', 'never', or 'auto' (NO_COLOR, FORCE_COLOR,
    then the terminal).
    """
    match color:
        case "always":
            return Console(file=stream, force_terminal=True, highlight=False, soft_wrap=True)
        case "never":
            return Console(
                file=stream, no_color=True, color_system=None, highlight=False, soft_wrap=True
            )
    if (
        "ipykernel" in sys.modules
    ):  # rich would write HTML beside the stream, and want widgets for the grid: a notebook gets plain lines
        return Console(
            file=stream, force_terminal=False, force_jupyter=False, highlight=False, soft_wrap=True
        )
    return Console(file=stream, highlight=False, soft_wrap=True)


class Display(Listener):
    """Shows the run on a console."""

    def __init__(self, plan: Plan, console: Console) -> None:
        self.console = console
        self.total = len(plan.to_run)
        self.workers = plan.workers
        self.finished = 0
        self.failed = 0
        self.began = time.monotonic()
        self.cell_seconds: list[float] = []
        self._said: dict[int, float] = {}
        self._jobs: list[Job] = []
        self._waiting = self.total
        self._live = (  # which draws itself once when it is made
            Live(console=console, refresh_per_second=4, transient=True, get_renderable=self._render)
            if console.is_terminal
            else None
        )

    def __enter__(self) -> Display:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *ended: object) -> None:
        if self._live is not None:
            self._live.stop()

    # -- what the runner tells ---------------------------------------------------------------------

    def started(self, job: Job) -> None:
        """Say in a plain line that a worker starts; the grid shows it by itself."""
        self._said[job.number] = time.monotonic()
        if self._live is None:
            self._line(f"start  {job.title}")

    def ended(self, job: Job, record: CellRecord | None, problem: str) -> None:
        """Say how a worker ended."""
        if record is None:
            self._line(
                f"[red]failed[/] {escape(job.title)}: {escape(problem)}"
                if problem
                else f"{MARKS[Status.DONE]}   {escape(job.title)}",
                markup=True,
            )
            return
        self.finished += 1
        self.failed += record.status == Status.FAILED
        seconds = time.monotonic() - job.began
        if record.status == Status.DONE:
            self.cell_seconds.append(seconds)
        mark = MARKS.get(record.status, record.status)
        text = (
            f"{mark}   {escape(job.title)}"
            if record.status == Status.DONE
            else f"{mark} {escape(job.title)}: {escape(record.reason)}"
        )
        where = f"{record.gpu}, " if record.gpu else ""
        self._line(
            f"{text} ({duration(seconds)}, {where}{self.finished} of {self.total})", markup=True
        )

    def tick(self, jobs: list[Job], waiting: int) -> None:
        """Take over fresh progress."""
        self._jobs, self._waiting = jobs, waiting
        if self._live is not None:
            return
        now = time.monotonic()
        for job in jobs:
            if now - self._said.get(job.number, now) >= LINE_EVERY and job.progress is not None:
                self._said[job.number] = now
                self._line(f"       {job.title}: {self._doing(job)}")

    def say(self, text: str) -> None:
        """Print a line."""
        self._line(text)

    # -- how it looks ------------------------------------------------------------------------------

    def _line(self, text: str, markup: bool = False) -> None:
        if not markup:
            text = escape(text)
        clock = time.strftime("%H:%M:%S")
        self.console.print(f"[dim]{clock}[/] {text}")

    def _doing(self, job: Job) -> str:
        progress = job.progress
        if progress is None or not progress.what:
            return "starting"
        text = progress.what
        if progress.total:
            text += f", {progress.done} of {progress.total}"
        left = progress.seconds_left(time.time())
        return text + (f", {duration(left)} left" if left is not None else "")

    def seconds_left(self) -> float | None:
        """Return the seconds until the run ends, judged by the cells that are finished; None before
        the first.
        """
        if not self.cell_seconds:
            return None
        mean = sum(self.cell_seconds) / len(self.cell_seconds)
        now = time.monotonic()
        running = sum(
            max(0.0, mean - (now - job.began)) for job in self._jobs if job.cell is not None
        )
        return (running + mean * self._waiting) / self.workers

    def _render(self) -> Table:
        left = self.seconds_left()
        head = f"{self.finished} of {self.total} cells, {duration(time.monotonic() - self.began)} so far"
        head += f", about {duration(left)} left" if left is not None and left >= 1 else ""
        head += f", {self.failed} failed" if self.failed else ""
        table = Table(
            title=head,
            title_justify="left",
            title_style="bold",
            box=None,
            pad_edge=False,
            expand=False,
        )
        on_gpus = any(job.progress and job.progress.gpu for job in self._jobs)
        # On a narrow terminal the time left is worth more than a bar.
        bar = BAR if self.console.width >= WIDE else 0
        for name in ("cell", *["gpu"] * on_gpus, "now", *[""] * (bar > 0)):
            table.add_column(name, no_wrap=True)
        for name, width in (("left", len("59:59 min")), ("memory", len("99.9 GB"))):
            table.add_column(name, justify="right", no_wrap=True, min_width=width)
        for job in self._jobs:
            progress = job.progress
            share = progress.done / progress.total if progress and progress.total else 0.0
            remaining = progress.seconds_left(time.time()) if progress else None
            table.add_row(
                escape(job.title),
                *([progress.gpu if progress else ""] if on_gpus else []),
                escape(progress.what if progress and progress.what else "starting"),
                *[f"[green]{'━' * (done := round(share * bar))}[/][dim]{'━' * (bar - done)}[/]"]
                * (bar > 0),
                duration(remaining) if remaining is not None else "",
                f"{job.memory / 2**30:.1f} GB" if job.memory else "",
            )
        return table
