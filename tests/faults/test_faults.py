"""Faults at random moments, and the same command after each: it ends with the undisturbed numbers
(`tox -e faults`).

BENCH_FAULTS_SEED chooses other moments, BENCH_FAULTS_SHARE (0..1) a share of the faults.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from place import CONT, DONE, STOP, Place, descendants, send, wanted, workers

from bench.files.claims import this_host

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked"),
]


@pytest.mark.parametrize(
    ("kind", "number"), [("worker killed", signal.SIGKILL), ("worker terminated", signal.SIGTERM)]
)
def test_workers_that_die(place, whole, kind, number):
    """Workers end at random moments, while preparing, fitting, scoring or writing: their cells are
    failed or interrupted, and made up for."""
    while wanted(kind):
        place.begin_anew()
        hit: list[int] = []
        for _ in range(3):  # the same command, disturbed again
            command = place.start()
            while command.is_running() and command.status() != "zombie":
                for one in workers(command):
                    if one.pid not in hit and place.rng.random() < 0.7:
                        time.sleep(place.rng.uniform(0, 0.5) ** 2)
                        if send(one, number):
                            DONE[kind] += 1
                    hit.append(one.pid)
                time.sleep(0.01)
            place.wait(command)
        place.check(whole.numbers(), kind)


def test_frozen_processes(place, whole):
    """A process stands still: for a moment, or for good, which the stall limit ends."""
    while wanted("frozen"):
        place.begin_anew()
        for _ in range(2):
            command = place.start()
            seen: set[int] = set()
            while command.is_running() and command.status() != "zombie":
                found = [one for one in [command, *descendants(command)] if one.pid not in seen]
                if found and len(seen) < 8:
                    one = place.rng.choice(found)
                    seen.add(one.pid)
                    for_good = one in workers(command) and place.rng.random() < 0.3
                    if send(one, STOP):
                        DONE["frozen"] += 1
                        if not for_good:
                            time.sleep(place.rng.uniform(0, 0.6))
                            send(one, CONT)
                time.sleep(place.rng.uniform(0, 0.4))
            place.wait(command)
        place.check(whole.numbers(), "a frozen process")


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("runner killed", signal.SIGKILL),
        ("runner terminated", signal.SIGTERM),
        ("server killed", signal.SIGKILL),
    ],
)
def test_runner_or_server_that_dies(place, whole, kind, number):
    """What watches over the workers ends at random moments, several times in one run: nothing that
    was done is repeated or lost."""
    while wanted(kind):
        place.begin_anew()
        for _ in range(4):
            command = place.start()
            time.sleep(place.rng.uniform(0.1, 6))
            victims = (
                [command]
                if kind != "server killed"
                else [one for one in descendants(command) if one.ppid() == command.pid]
            )
            DONE[kind] += sum(send(one, number) for one in victims)
            place.wait(command)
        place.check(whole.numbers(), kind)


def test_disk_that_is_full_or_read_only(place, whole):
    """Each kind of write fails, once or from then on: the cell or the run says so, and goes on when
    there is room."""
    while wanted("disk"):
        place.begin_anew()
        for _ in range(3):
            process = place.rng.choice(("runner", "server"))
            place.inject(
                process=process, kind="disk", errno=place.rng.choice((errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO)),
                at=1 + int(place.rng.uniform(0, 8 if process == "runner" else 5) ** 2), once=place.rng.random() < 0.5,
            )  # fmt: skip
            place.go()
            DONE["disk"] += place.lift()
        place.check(whole.numbers(), "a full disk")


def test_clock_that_jumps(place, whole):
    """The wall clock goes back or forth by up to ten years while cells run: no limit is met by it,
    and no number changes."""
    while wanted("clock"):
        place.begin_anew()
        place.inject(
            process=place.rng.choice(("runner", "server")), kind="clock", at=place.rng.randrange(1, 12),
            jump=place.rng.choice((-1, 1)) * 10 ** place.rng.uniform(0, 8.5),
        )  # fmt: skip
        assert place.go() == 0, place.said()
        DONE["clock"] += place.lift()
        assert place.numbers() == whole.numbers(), "other numbers after a jump of the clock"


RUNNER = f".runner-all-{this_host().replace('/', '-')}.1"


def files_of(place: Place) -> list[Path]:
    return [
        path
        for folder in (place.run, place.cache)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.stat().st_size
    ]


def test_byte_that_changes(place, whole):
    """One byte of several files changes, in a finished or an interrupted run: the numbers come out,
    or their files are made anew."""
    place.begin_anew()
    assert place.go() == 0, place.said()
    while wanted("byte"):
        if place.rng.random() < 0.4:  # leave something half done
            shutil.rmtree(place.run / "cells")
            command = place.start()
            time.sleep(place.rng.uniform(2, 6))
            send(command, signal.SIGKILL)
            place.wait(command)
        changed = place.rng.sample(files_of(place), min(8, len(files_of(place))))
        for path in changed:
            content = bytearray(path.read_bytes())
            content[place.rng.randrange(len(content))] ^= 1 << place.rng.randrange(8)
            path.write_bytes(content)
            DONE["byte"] += 1
        if (
            place.run / RUNNER in changed and place.go() == 2
        ):  # it may be a living one's: the command says which file to remove
            assert f"{RUNNER} cannot be read; if no other" in " ".join(place.said().split())
            (place.run / RUNNER).unlink()
        place.check(
            whole.numbers(),
            "a byte changed in "
            + ", ".join(str(path.relative_to(place.folder)) for path in changed),
        )
