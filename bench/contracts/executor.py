"""What an executor is: what moves the cells of a run to where they are computed, and nothing
else.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from bench.contracts.parameters import NoParameters


@enum.unique
class Exit(enum.IntEnum):
    """Exit codes of a worker, and of a job around it: each has one meaning. Negative: the signal
    that ended the process.
    """

    WRITTEN = 0
    """The outcome is in the run folder, whatever it is."""
    LOST = 1
    """The job ended without a word of its worker; the executor gives the reason."""
    ORPHANED = 3
    """What launched the worker is gone."""
    BAD_DATA = 4
    """The dataset cannot be prepared; the last line of the log says why."""
    TAKEN = 5
    """The cell is another worker's, or was taken from this one: the outcome is not this worker's to
    write."""
    REFUSED = 6
    """This machine has another copy of the dataset, or none."""
    STOPPED = 7
    """The worker was asked to end (SIGTERM). What it should make is not there; a cell goes on from
    its last checkpoint."""
    BROKEN = 70
    """The worker itself failed; the log has a traceback."""


ENDED = "ended from outside (SIGTERM: preempted, cancelled, or killed by someone)"
"""Why a worker ended with `Exit.STOPPED` that the command had not told to stop."""


@dataclass(frozen=True)
class Event:
    """What happened to a task. Of these, those that are set are news."""

    task: int
    """Its `id`."""
    memory: int = 0
    """The largest resident size seen, bytes."""
    started: str = ""
    """Where it runs now, e.g. 'process 4711' or 'node3'. A task that was moved starts again."""
    handle: str = ""
    """By what its job is found again when this process is gone; kept in the run folder."""
    code: int | None = None
    """It ended, with this exit code; negative: the signal that ended it."""
    reason: str = ""
    """Why it ended, where the executor knows and the worker could not say it; without `code`, what
    the user should know now."""


@dataclass(frozen=True)
class Place:
    """What an executor is opened for."""

    run: Path
    """The run folder, absolute."""
    plugins: tuple[Path, ...]
    torch_wanted: bool
    slots: int
    """Cells at a time on this machine, as `--workers` says."""


class Executor:
    """Starts tasks somewhere, tells when they start and end, and ends them when asked.

    A task is a mapping that JSON can hold. `id`, `run` (the folder), `output` (its log), `progress`
    and `gpus` (those of this machine of which its process takes one) are always there; a task of a
    cell also has `cell` (its record), `resources`
    (`threads`, `memory` in bytes or None, `gpus`), and `handle`, if one was kept of a job that may
    still be alive. A task is done by `python -m bench.worker` with the task on its stdin;
    its outcome is what stands in the run folder when it has ended.
    """

    name: ClassVar[str]
    Parameters: ClassVar[type] = NoParameters
    needs_parameters: ClassVar[bool] = False
    remote: ClassVar[bool] = False
    """Whether cells are computed on other machines: then each prepares its dataset where it runs,
    and this machine's memory and GPU do not count."""

    def __init__(self, parameters: Any = None) -> None:
        self.parameters = type(self).Parameters() if parameters is None else parameters

    def check(self) -> None:
        """Raise RequestError, with what to do, where the executor cannot work here: a package or a
        command is missing.
        """

    @property
    def detachable(self) -> bool:
        """Whether its jobs go on when this process ends, so that `--detach` is possible."""
        return False

    @property
    def threads(self) -> int | None:
        """CPU threads of a cell that the user asked for; None: as `--threads` says."""
        return None

    @property
    def gpus(self) -> int | None:
        """GPUs of a cell that the user asked for; None: what the request's device needs."""
        return None

    def open(self, place: Place) -> int | None:
        """Get ready, and return how many tasks are handed over at a time; None: all."""
        raise NotImplementedError

    def start(self, task: Mapping[str, Any]) -> None:
        """Take a task."""
        raise NotImplementedError

    def events(self, timeout: float) -> Sequence[Event]:
        """Return what happened, waiting for at most `timeout` seconds.

        Raises
        ------
        BenchError : what ran the tasks is gone.
        """
        raise NotImplementedError

    def stop(self, task: int, kill: bool) -> None:
        """Ask a task to write down where it is and to end; `kill`: end it at once."""
        raise NotImplementedError

    def memory(self, task: int) -> int:
        """Return the resident size of a task in bytes; 0 where that cannot be seen from here."""
        return 0

    def frozen(self, task: int) -> bool:
        """Whether a task stands still, as a process does after SIGSTOP; False where that cannot be
        seen from here.
        """
        return False

    def cancel(self, handles: Sequence[str]) -> None:
        """End the jobs behind kept handles, queued or running; those that are gone are no mistake.
        Works without `open`.
        """

    def detach(self) -> None:
        """Let go of all tasks without ending them; only where `detachable`."""

    def close(self) -> None:
        """End every task that is left."""
