"""Cells of a run that several runners fill: who works on each, and what has become of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace

from bench.errors import RunError
from bench.files.claims import DEAD, Claim, Holder
from bench.planning.cells import PlannedCell
from bench.running.jobs import title_of
from bench.runs.folder import Run
from bench.runs.records import CellRecord
from bench.runs.status import Status


class SharedCells:
    """The cells of a run, as this runner sees them beside other runners.

    Parameters
    ----------
    keep : what is asked to be kept of a cell.
    say : told, once, who else is at work on a cell.
    """

    def __init__(self, run: Run, keep: Sequence[str], say: Callable[[str], None]) -> None:
        self.run, self.keep, self.say = run, keep, say
        self.claims: dict[str, Claim] = {}
        self.said: set[str] = set()

    def _claim(self, cell: PlannedCell) -> Claim:
        return self.claims.setdefault(
            cell.record.folder, Claim(self.run.files_of(cell.record).claim)
        )

    def holder(self, cell: PlannedCell) -> Holder | None:
        """Return who works on a cell: another runner's worker, or one that is about to end with its
        runner.
        """
        holder = self._claim(cell).holder()
        if holder is not None and not holder.here and cell.record.folder not in self.said:
            self.said.add(cell.record.folder)
            unknown = (
                ""
                if holder.pid
                else f"; its claim cannot be read, and counts for nothing after {DEAD:g} s "
                "without a sign of life"
            )
            self.say(f"{title_of(cell)}: {holder} is at work on it{unknown}")
        return holder

    def clear(self, cell: PlannedCell) -> bool:
        """Remove the claims of who was seen to die. A worker sees them for the first time, and
        would wait for them anew.
        """
        with (
            self._claim(cell) as claim,
            contextlib.suppress(OSError),
        ):  # the disk may be full: there is time to look again
            return claim.take() is None
        return False

    def write(self, cell: PlannedCell, to_gather: bool = False) -> None:
        """Write a cell as it stands, so that a look at the folder is true at any time; not where
        another runner has it, or had it since.

        Parameters
        ----------
        to_gather : whether an earlier runner left a job for it. If that has ended, its outcome
            stays: nobody has read it yet.
        """
        with self._claim(cell) as claim:
            try:
                if claim.take() is not None or self.changed(cell):
                    return
                if not (to_gather and self.ended(cell)):
                    self.run.write_cell(cell.record)
            except OSError as error:
                raise RunError(
                    f"cannot write to {self.run.path}: {error.strerror or error}; choose another "
                    "folder with --out"
                ) from error

    def ended(self, cell: PlannedCell) -> bool:
        """Whether a cell is done or failed on disk, under its key."""
        now = self.run.cell(replace(cell.record))
        return now.key == cell.record.key and now.status in (Status.DONE, Status.FAILED)

    def changed(self, cell: PlannedCell) -> CellRecord | None:
        """Return a cell as it is on disk, where somebody has worked on it since it was planned:
        another runner, or a worker whose runner died.
        """
        now = self.run.cell(replace(cell.record))
        same = (
            now.key == cell.record.key or cell.record.status == Status.NO_DATA
        )  # whose key lacks what is not there
        if same and now.attempts > cell.record.attempts:
            return now
        # One that had been done when it was planned would be reused.
        ended = now.key == cell.record.key and now.status == Status.DONE and not cell.fresh
        return now if ended and not self.run.lacking(now, self.keep) else None
