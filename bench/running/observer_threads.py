"""Tells observers how the cells of a run go, each in a thread of its own."""

from __future__ import annotations

import csv
import io
import logging
import math
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.contracts.metric import Metric
from bench.contracts.observer import Observer
from bench.errors import BenchError
from bench.evaluation.measurements import label_sets_of
from bench.planning.plan import Plan
from bench.running.jobs import Job, Listener
from bench.runs.folder import Run
from bench.runs.records import CellRecord
from bench.runs.status import Status
from bench.scoring.evaluate import ClipScores, evaluate

LOOK = 1.0
"""Seconds between two looks at the epochs of a cell."""
PATIENCE = 10.0
"""Seconds an observer has at the end to hear what it was told. Chosen here: a run is not kept open
by a server that hangs."""


class _ObserverThread(threading.Thread):
    """One observer. Failures go to the log; the first is also news for the person at the
    terminal.
    """

    def __init__(self, observer: Observer, logger: logging.Logger, log: Path) -> None:
        super().__init__(name=f"observer {observer.name}", daemon=True)
        self.observer, self.logger, self.log = observer, logger, log
        self.calls: queue.SimpleQueue[tuple[str, tuple[Any, ...]] | None] = queue.SimpleQueue()
        self.news: queue.SimpleQueue[str] = queue.SimpleQueue()

    def tell(self, what: str, *arguments: Any) -> None:
        self.calls.put((what, arguments))

    def run(self) -> None:
        failed = 0
        while (call := self.calls.get()) is not None:
            what, arguments = call
            try:
                getattr(self.observer, what)(*arguments)
            except Exception as error:
                self.logger.exception("observer %s, %s", self.observer.name, what)
                if not failed:
                    self.news.put(
                        f"observer {self.observer.name}: {what} failed ({type(error).__name__}: "
                        f"{error}); the run goes on. Log: {self.log}"
                    )
                failed += 1
                if what == "open":
                    return


class ObserverListener(Listener):
    """Passes on to a listener what it is told, and what observers want to know to these."""

    def __init__(
        self,
        plan: Plan,
        observers: Sequence[Observer],
        metrics: Sequence[Metric],
        listener: Listener,
    ) -> None:
        self.run: Run = plan.run
        self.protocol, self.metrics, self.listener = plan.protocol.parameters, metrics, listener
        log = plan.run.observers_log
        self.logger = logging.getLogger(f"bench.observers.{id(self)}")
        self.logger.propagate = False
        self.logger.addHandler(logging.FileHandler(log, delay=True))
        self.threads = [_ObserverThread(observer, self.logger, log) for observer in observers]
        self.told: dict[str, int] = {}
        self.looked = 0.0

    def __enter__(self) -> ObserverListener:
        for thread in self.threads:
            thread.start()
        self._tell("open", self.run.path)
        return self

    def __exit__(self, *ended: object) -> None:
        self._tell("close")
        until = time.monotonic() + PATIENCE
        for thread in self.threads:
            thread.calls.put(None)
            thread.join(max(0.2, until - time.monotonic()))
            if thread.is_alive():
                self.listener.say(
                    f"observer {thread.observer.name}: still busy {PATIENCE:.0f} s after the run; "
                    "it is left, and may lack the last news"
                )
        self._say_news()
        for handler in self.logger.handlers:
            handler.close()

    # -- what the runner tells ---------------------------------------------------------------------

    def started(self, job: Job) -> None:
        """Tell of a cell; lines that an earlier attempt left in training.csv are no news."""
        self.listener.started(job)
        if job.cell is not None:
            self.told[job.cell.record.folder] = (
                0 if job.cell.fresh else len(_history(self._training(job.cell.record)))
            )
            self._tell("started", asdict(job.cell.record))

    def ended(self, job: Job, record: CellRecord | None, problem: str) -> None:
        """Tell of the last epochs, and of the outcome."""
        self.listener.ended(job, record, problem)
        if record is not None and record.folder in self.told:
            self._tell_epochs(record)
            del self.told[record.folder]
            self._tell(
                "finished",
                asdict(record),
                self._figures(record) if record.status == Status.DONE else {},
            )

    def tick(self, jobs: list[Job], waiting: int) -> None:
        """Tell of epochs that have ended since the last look."""
        self.listener.tick(jobs, waiting)
        self._say_news()
        if time.monotonic() - self.looked < LOOK:
            return
        self.looked = time.monotonic()
        for job in jobs:
            if job.cell is not None and job.cell.record.folder in self.told:
                self._tell_epochs(job.cell.record)

    def say(self, text: str) -> None:
        """Pass a line on."""
        self.listener.say(text)

    # -- telling -----------------------------------------------------------------------------------

    def _tell(self, what: str, *arguments: Any) -> None:
        for thread in self.threads:
            thread.tell(what, *arguments)

    def _say_news(self) -> None:
        for thread in self.threads:
            while not thread.news.empty():
                self.listener.say(thread.news.get())

    def _training(self, record: CellRecord) -> Path:
        return self.run.files_of(record).training

    def _tell_epochs(self, record: CellRecord) -> None:
        lines = _history(self._training(record))
        for number, figures in lines[self.told[record.folder] :]:
            self._tell("epoch", asdict(record), number, figures)
        self.told[record.folder] = len(lines)

    def _figures(self, record: CellRecord) -> Mapping[str, float]:
        """Return the metrics of a finished cell on its own frames, under the run's protocol and its
        label set.
        """
        try:
            dataset, scores = self.run.dataset(record.dataset_folder), self.run.scores(record)
            label_set = label_sets_of(dataset, self.protocol)[0]
            clips = [
                ClipScores(
                    clip,
                    scene,
                    scores[clip].values,
                    scores[clip].frames,
                    dataset.labels[label_set][clip],
                )
                for clip, _, scene in dataset.clips
                if clip in scores
            ]
            found = {
                metric.name: evaluate(clips, self.protocol, metric).value for metric in self.metrics
            }
        except (
            BenchError,
            IndexError,
        ):  # no labels, or nothing that can be read: the table says it
            return {}
        return {name: value for name, value in found.items() if value is not None}


def _history(path: Path) -> list[tuple[int, dict[str, float]]]:
    """Return (epoch or step, the other figures) of each line of a training.csv; empty where there
    is none.
    """
    try:
        lines = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
        found = []
        for number, line in enumerate(lines, start=1):
            count = next((int(line[name]) for name in ("epoch", "step") if line.get(name)), number)
            figures = {
                name: float(text)
                for name, text in line.items()
                if name not in ("epoch", "step") and text
            }
            found.append(
                (count, {name: value for name, value in figures.items() if math.isfinite(value)})
            )
    except (OSError, ValueError, TypeError):
        return []
    return found
