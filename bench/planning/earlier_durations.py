"""How long cells took in earlier runs."""

from __future__ import annotations

import contextlib
from typing import Any

from bench.errors import RunError
from bench.runs.folder import Run, find_runs
from bench.runs.layout import RESULTS
from bench.runs.records import CellRecord
from bench.runs.status import Status


def like(record: CellRecord) -> tuple[Any, ...]:
    """Return what makes two cells take about the same time on one machine."""
    return (
        record.selector,
        record.dataset,
        record.data_share,
        record.scene,
        record.profile,
        record.device,
    )


def earlier_seconds(current: Run) -> dict[tuple[Any, ...], float]:
    """Return the seconds that finished cells took, by `like`: of the current run first, then of the
    newest below results/.
    """
    known: dict[tuple[Any, ...], float] = {}
    for run in (current, *find_runs(RESULTS)):
        with contextlib.suppress(RunError):
            for record in run.cells() if run.exists else ():
                if record.status == Status.DONE and "total" in record.seconds:
                    known.setdefault(like(record), record.seconds["total"])
    return known
