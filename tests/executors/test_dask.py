"""Cells on a Dask cluster: the numbers of `local`, with and without a shared disk, and after
faults."""

import json
import subprocess
import sys
import time

import pytest
from dask_cluster import Cluster, free_port
from executed import check, command, on_disk, run, wait_for

from bench.runs.folder import Run

pytest.importorskip("distributed")


@pytest.fixture
def cluster(tmp_path):
    made = Cluster(tmp_path)
    made.scheduler()
    yield made
    made.end()


def test_cluster_made_for_the_run_gives_the_numbers_of_local(tmp_path):
    """dask[workers=1] on the disk of the run: equal tables, one attempt a cell, nothing left
    behind."""
    assert run(tmp_path, "--out", "whole").returncode == 0
    done = run(tmp_path, "--out", "run", "--executor", "dask[workers=1]")
    assert done.returncode == 0, done.stdout + done.stderr
    found = check(tmp_path, "run")
    assert [cell.attempts for cell in found.cells()] == [1, 1]
    assert not [
        *found.path.glob("cells/**/progress.json"),
        *found.path.glob("cells/**/job.json"),
        *found.path.glob("cells/**/.claim*"),
    ]


def test_mistaken_clusters_are_refused_before_work(tmp_path):
    """No address and no workers; no scheduler at an address."""
    none = run(tmp_path, "--executor", "dask[threads=2]")
    assert (
        none.returncode == 2
        and "give one of address (a scheduler that is there) and workers" in none.stderr
    )
    silent = run(tmp_path, "--executor", f"dask[address=tcp://127.0.0.1:{free_port()}]")
    assert (
        silent.returncode != 0
        and "no Dask scheduler answers at" in silent.stderr
        and "Traceback" not in silent.stderr
    )


@pytest.mark.long
def test_cluster_without_workers_is_said(tmp_path, cluster):
    """A command that waits for workers says so, and how one is started; the first that comes gets
    the cells."""
    (tmp_path / "data").mkdir()
    client = subprocess.Popen(
        command("--out", "run", "--executor", f"dask[address={cluster.address}]"),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    said = ""
    while "waits: no worker" not in said:
        line = client.stdout.readline()
        assert line, f"it ended: {said}"
        said += line
    assert f"start one with `dask worker {cluster.address}`" in " ".join(said.split())
    cluster.worker()
    client.communicate(timeout=300)
    assert client.returncode == 0


@pytest.mark.long
def test_cells_come_home_without_a_shared_disk(tmp_path, cluster):
    """Workers make cells on their own disks; what comes is in place, and equal."""
    assert run(tmp_path, "--out", "whole").returncode == 0
    cluster.worker(BENCH_CACHE=str(tmp_path / "far"))
    done = run(
        tmp_path, "--out", "run", "--executor", f"dask[address={cluster.address},shared=false]"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = check(tmp_path, "run")
    assert [cell.attempts for cell in found.cells()] == [1, 1]
    assert (found.path / found.cells()[0].folder / "log.txt").exists()


@pytest.mark.long
def test_worker_with_another_copy_is_refused_and_said(tmp_path, cluster):
    """The cell goes to the worker whose dataset has the run's fingerprint."""
    assert run(tmp_path, "--out", "whole").returncode == 0
    hidden = ["unshare", "--mount", "sh", "-c"]
    if subprocess.run([*hidden, "true"], capture_output=True).returncode:
        pytest.skip("no space of mounts of its own can be made here")
    other = tmp_path / "other"
    other.mkdir()
    subprocess.run(["cp", "-r", str(tmp_path / "data" / "toy"), str(other)], check=True)
    next((other / "toy" / "test" / "01").glob("*.png")).write_bytes(b"another image")
    words = f"mount --bind {other} {tmp_path}/data && exec {sys.executable} -m distributed.cli.dask_worker {cluster.address} --nthreads 1 --no-dashboard --memory-limit 0"
    cluster.start([*hidden, words])
    address = f"dask[address={cluster.address},shared=false]"
    alone = run(tmp_path, "--out", "alone", "--executor", address)
    assert alone.returncode == 1
    assert all(
        "every worker was refused" in cell.reason and "differs (fingerprint" in cell.reason
        for cell in Run.open(tmp_path / "alone").cells()
    )
    cluster.worker()
    time.sleep(3)
    done = run(tmp_path, "--out", "run", "--executor", address)
    assert done.returncode == 0, done.stdout + done.stderr
    check(tmp_path, "run")


GRID = "ae-3d,pca,frame-index"


@pytest.mark.long
@pytest.mark.parametrize("workers", [1, 3])
def test_demo_grid_by_a_scheduler_started_by_hand(tmp_path, cluster, workers):
    """The demo grid through local and through Dask: byte-identical results.csv."""
    grid = {"methods": GRID, "datasets": "demo-ped2"}
    assert run(tmp_path, "--out", "whole", **grid).returncode == 0
    for _ in range(workers):
        cluster.worker()
    done = run(tmp_path, "--out", "run", "--executor", f"dask[address={cluster.address}]", **grid)
    assert done.returncode == 0, done.stdout + done.stderr
    check(tmp_path, "run")


SLOW = "steady[pause=0.05],steady[pause=0.051],steady[pause=0.052]"


@pytest.mark.long
@pytest.mark.parametrize("fault", ["worker", "scheduler", "client"])
def test_after_a_fault_the_same_command_finishes_and_repeats_nothing(tmp_path, cluster, fault):
    """kill -9 in the middle of a grid: what was finished has one attempt, and the tables are the
    undisturbed ones."""
    assert run(tmp_path, "--out", "whole", methods=SLOW).returncode == 0
    scheduler, workers = cluster.processes[0], [cluster.worker()]
    more = ("--out", "run", "--executor", f"dask[address={cluster.address}]")
    client = subprocess.Popen(
        command(*more, methods=SLOW),
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    cells = tmp_path / "run" / "cells"

    wait_for(lambda: {"done", "running"} <= set(on_disk(tmp_path)))
    finished = [
        path
        for path in cells.glob("*/*/*/cell.json")
        if json.loads(path.read_text())["status"] == "done"
    ]
    if fault == "client":
        client.kill()
    else:
        cluster.end(scheduler if fault == "scheduler" else workers[0])
        if fault == "scheduler":
            cluster.end(*workers)
            cluster.scheduler()
        cluster.worker()
    client.wait(timeout=300)
    done = run(tmp_path, *more, methods=SLOW)
    assert done.returncode == 0, done.stdout + done.stderr
    check(tmp_path, "run")
    assert [json.loads(path.read_text())["attempts"] for path in finished] == [1] * len(finished)
