"""Preemption: a batch system sends SIGTERM to every process of a job while it prepares, trains or
scores; and the same command after each."""

from __future__ import annotations

import os
import signal
import time

import pytest
from place import DONE, SERVER, below, descendants, running, says, send, wanted, workers_in

pytest.importorskip("distributed")
pytest.importorskip("submitit")
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked"),
]
PHASES = pytest.mark.parametrize("phase", ["prepare", "fit", "score"])


@PHASES
def test_slurm_jobs_that_are_preempted(place, whole, phase):
    """Worker, server and job of submitit's own cluster are told to end: no job is submitted twice,
    and each row says what happened."""
    kind = f"SLURM job preempted, phase {phase}"
    place.executor, place.stall_limit = "slurm[cluster=local]", "60s"
    while wanted(kind):
        place.begin_anew()
        for _ in range(2):
            command, seen = place.start(), set()
            while running(command):
                for worker in workers_in(descendants(command), [place.run], phase):
                    if worker.pid not in seen and place.rng.random() < 0.7:
                        job = [
                            one
                            for one in worker.parents()
                            if says(one, "submitit.core._submit") or says(one, SERVER)
                        ]
                        DONE[kind] += send(worker, signal.SIGTERM)
                        for one in job:
                            send(one, signal.SIGTERM)
                    seen.add(worker.pid)
                time.sleep(0.005)
            place.wait(command)
            reasons = [cell.reason for cell in place.cells() if cell.status == "failed"]
            assert all(
                "SLURM ended it" in reason and "ended from outside" in reason for reason in reasons
            ), reasons
        place.check(whole.numbers(), kind)


@PHASES
def test_dask_jobs_that_are_preempted(place, whole, cluster, phase):
    """A job that holds a Dask worker is told to end, or what computes its cell alone."""
    kind = f"Dask job preempted, phase {phase}"
    while wanted(kind):
        place.begin_anew()
        for _ in range(2):
            command, seen = place.start(), set()
            while running(command):
                for nanny in below(cluster[1].pid):
                    for worker in workers_in(
                        descendants(nanny), [place.run, *place.far.glob("cells/*")], phase
                    ):
                        if (
                            worker.pid not in seen and len(seen) < 4
                        ):  # at the fourth loss of a worker Dask gives a cell up
                            seen.add(worker.pid)
                            alone = place.rng.random() < 0.5
                            DONE[kind] += send(worker, signal.SIGTERM)
                            for one in [] if alone else [nanny, *descendants(nanny)]:
                                send(one, signal.SIGTERM)
                time.sleep(0.005)
            place.wait(command)
        place.check(whole.numbers(), kind)
