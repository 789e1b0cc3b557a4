"""Which jobs SLURM knows, and how they are ended; of submitit's own processes on this machine the
same.
"""

from __future__ import annotations

import contextlib
import math
import subprocess
import time
from collections.abc import Sequence

ASK = 15.0
"""Seconds between two questions to SLURM: one `squeue` for all jobs. Chosen here: a scheduler of
many users is not to be asked each second."""
AT_ONCE = 500
"""Jobs that one command names. Chosen here: SLURM's own limit for an array (MaxArraySize) is 1001
where nobody changed it."""


class SlurmJobs:
    """Jobs by their numbers.

    Parameters
    ----------
    local : whether they are submitit's own processes.
    """

    def __init__(self, local: bool) -> None:
        self.local = local
        self._answer: set[str] | None = None
        self._asked = -math.inf

    def alive(self, identities: Sequence[str], age: float = 0.0) -> set[str]:
        """Return those that wait or run; all of them where SLURM does not answer.

        Parameters
        ----------
        age : seconds for which an earlier answer is good enough.
        """
        if self.local:
            return {identity for identity in identities if _processes(identity)}
        if time.monotonic() - self._asked > age:
            answer = subprocess.run(
                ["squeue", "--me", "--noheader", "--array", "--format", "%i"],
                capture_output=True,
                text=True,
            )
            self._answer = set(answer.stdout.split()) if answer.returncode == 0 else None
            self._asked = time.monotonic()
        return set(identities) if self._answer is None else self._answer & set(identities)

    def cancel(self, identities: Sequence[str]) -> None:
        """Cancel jobs; a running one has SLURM's KillWait (30 s) to write down where it is."""
        if not self.local:
            for first in range(0, len(identities), AT_ONCE):
                part = identities[first : first + AT_ONCE]
                subprocess.run(["scancel", *part], capture_output=True)
            return
        import psutil

        for identity in identities:
            for process in reversed(_processes(identity)):
                with contextlib.suppress(psutil.Error):
                    process.terminate()

    def why(self, identity: str) -> str:
        """Return what the accounting says of a job that ended, where there is one."""
        with contextlib.suppress(OSError):
            answer = subprocess.run(
                ["sacct", "-X", "-n", "-P", "-o", "State", "-j", identity],
                capture_output=True,
                text=True,
            )
            if answer.returncode == 0 and answer.stdout.strip():
                return answer.stdout.split("\n")[0].strip()
        return "out of time or memory, cancelled, or its node was lost"


def _processes(identity: str) -> list:
    """Return the process of a local job, and all below it; none where it is gone, and its number
    another process's.
    """
    import psutil

    try:
        process = psutil.Process(int(identity))
        if not any("submitit" in word for word in process.cmdline()):
            return []
        return [process, *process.children(recursive=True)]
    except (psutil.Error, OverflowError):
        return []
