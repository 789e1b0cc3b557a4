"""Faults of a Dask cluster and of the network to it, and the same command after each: it ends with
the undisturbed numbers."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time

import pytest
from place import DONE, below, kept_up, running, send, wanted

pytest.importorskip("distributed")
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked"),
]
NETWORK = "10.213.77"
"""Of two hosts: this one is .1, the other .2."""


@pytest.fixture
def other_host():
    """A host behind a cable that can be cut: its name, whose end of the cable is `cable`."""
    name = f"bench-{os.getpid()}"
    if (
        not shutil.which("ip")
        or subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode
    ):
        pytest.skip("no network namespace can be made here (iproute2, and root)")
    try:
        for line in (
            f"link add bench-cable type veth peer name cable netns {name}",
            f"addr add {NETWORK}.1/24 dev bench-cable",
            "link set bench-cable up",
            f"-n {name} addr add {NETWORK}.2/24 dev cable",
            f"-n {name} link set cable up",
            f"-n {name} link set lo up",
        ):
            subprocess.run(["ip", *line.split()], check=True)
        yield name
    finally:
        subprocess.run(["ip", "link", "del", "bench-cable"], capture_output=True)
        subprocess.run(["ip", "netns", "del", name], check=True)


@pytest.mark.parametrize(
    ("kind", "number"),
    [("Dask worker killed", signal.SIGKILL), ("Dask worker terminated", signal.SIGTERM)],
)
def test_dask_workers_that_die(place, whole, cluster, kind, number):
    """Dask's worker, or the nanny that watches over it, ends at random moments: another one gets
    its cell."""
    while wanted(kind):
        place.begin_anew()
        for _ in range(2):
            command = place.start()
            for _ in range(3):  # at the fourth loss Dask gives a cell up
                time.sleep(place.rng.uniform(0.5, 6))
                for nanny in below(cluster[1].pid):
                    DONE[kind] += running(command) and send(
                        place.rng.choice([nanny, *below(nanny.pid)]), number
                    )
            place.wait(command)
        place.check(whole.numbers(), kind)


def test_dask_scheduler_that_dies(place, whole, cluster):
    """The scheduler ends at random moments, and all that it knew with it: the next command begins
    where the cells are."""
    while wanted("Dask scheduler killed"):
        place.begin_anew()
        for _ in range(3):
            command = place.start()
            time.sleep(place.rng.uniform(0.5, 10))
            for scheduler in below(cluster[0].pid):
                DONE["Dask scheduler killed"] += running(command) and send(
                    scheduler, signal.SIGKILL
                )
            place.wait(command)
        place.check(whole.numbers(), "a dead scheduler")


@pytest.mark.parametrize("kind", ["worker cut off", "scheduler cut off"])
def test_network_that_is_cut(place, whole, patience, other_host, kind):
    """Between two hosts nothing passes for a while, shorter or longer than anybody waits: the
    worker is on the other one, or scheduler and worker."""
    there = ("ip", "netns", "exec", other_host)
    scheduler = (f"{NETWORK}.1", ()) if kind == "worker cut off" else (f"{NETWORK}.2", there)
    with kept_up(place, *scheduler, there):
        while wanted(kind):
            place.begin_anew()
            for _ in range(2):
                command = place.start()
                for _ in range(2):
                    time.sleep(place.rng.uniform(0.5, 8))
                    if not running(command):
                        break
                    subprocess.run(
                        ["ip", "-n", other_host, "link", "set", "cable", "down"], check=True
                    )
                    DONE[kind] += 1
                    time.sleep(place.rng.choice((0.3, 3, 9)) * place.rng.uniform(0.5, 2))
                    subprocess.run(
                        ["ip", "-n", other_host, "link", "set", "cable", "up"], check=True
                    )
                place.wait(command)
            place.check(whole.numbers(), kind)
