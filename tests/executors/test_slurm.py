"""Cells as jobs: through submitit's own processes, and through a real SLURM of one node that the
test starts (as root)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from executed import check, command, on_disk, run, wait_for

from bench.runs.folder import Run

pytest.importorskip("submitit")
HERE = Path(__file__).parent


def bench(place: Path, *more: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "bench", *more],
        cwd=place,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def statuses(place: Path, name: str) -> list[str]:
    return [cell["status"] for cell in json.loads(bench(place, "status", name, "--json"))["cells"]]


def test_submitits_own_processes_give_the_numbers_of_local(tmp_path):
    """slurm[cluster=local]: equal tables, one attempt a cell, nothing left of the jobs; a cell that
    raises is a row with its reason."""
    assert run(tmp_path, "--out", "whole").returncode == 0
    done = run(tmp_path, "--out", "run", "--executor", "slurm[cluster=local]")
    assert done.returncode == 0, done.stdout + done.stderr
    found = check(tmp_path, "run")
    assert [cell.attempts for cell in found.cells()] == [1, 1]
    assert not [
        *found.path.glob("cells/**/job.json"),
        *found.path.glob("cells/**/.claim*"),
        *found.path.glob(".slurm/jobs/*"),
    ]
    bad = run(
        tmp_path, "--out", "bad", "--executor", "slurm[cluster=local]", methods="bad[how=kill]"
    )
    assert bad.returncode == 1
    assert "killed by SIGKILL" in Run.open(tmp_path / "bad").cells()[0].reason


def test_time_that_is_none_and_detaching_local_cells_are_refused(tmp_path):
    """Before anything is written."""
    wrong = run(tmp_path, "--executor", "slurm[cluster=local,time=90]")
    assert (
        wrong.returncode == 2
        and "time=90: expected hours:minutes:seconds, like 04:00:00" in wrong.stderr
    )
    local = run(tmp_path, "--detach")
    assert (
        local.returncode == 2
        and "--detach: cells of --executor local end with this command" in local.stderr
    )
    assert not (tmp_path / "results").exists()


@pytest.fixture
def slurm(tmp_path_factory, monkeypatch):
    """A real SLURM of one node."""
    if os.geteuid():
        pytest.skip("a SLURM can be started by root only")
    folder = tmp_path_factory.mktemp("slurm")
    folder.parent.chmod(0o755)
    started = subprocess.run(
        [HERE / "slurm_node.sh", "start", folder, "17817", "17818"],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert started.returncode == 0, started.stderr
    monkeypatch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
    yield folder
    subprocess.run(["scancel", "--me"])
    subprocess.run([HERE / "slurm_node.sh", "stop", folder], check=True)


@pytest.mark.long
def test_demo_grid_through_slurm(tmp_path, slurm):
    """The demo grid through local and through a real SLURM: byte-identical results.csv."""
    grid = {"methods": "ae-3d,pca,frame-index", "datasets": "demo-ped2"}
    assert run(tmp_path, "--out", "whole", **grid).returncode == 0
    done = run(tmp_path, "--out", "run", "--executor", "slurm[time=00:20:00,memory=2]", **grid)
    assert done.returncode == 0, done.stdout + done.stderr
    check(tmp_path, "run")


SLOW = "steady[pause=0.15],steady[pause=0.151],steady[pause=0.152],steady[pause=0.153]"


@pytest.mark.long
def test_detached_run_is_seen_stopped_and_gone_on_with(tmp_path, slurm):
    """--detach returns; status tells what waits and runs; stop ends it; the same line goes on, and
    a killed runner costs nothing."""
    assert run(tmp_path, "--out", "whole", "--seeds", "0,1", methods=SLOW).returncode == 0
    more = ("--out", "run", "--seeds", "0,1", "--executor", "slurm[time=00:20:00,memory=2]")
    done = run(tmp_path, *more, "--detach", methods=SLOW)
    assert done.returncode == 0 and "8 cells are submitted" in done.stdout, (
        done.stdout + done.stderr
    )
    assert "submitted: slurm" in bench(tmp_path, "status", "run")
    wait_for(lambda: {"done", "running"} <= set(on_disk(tmp_path)))
    stopped = bench(tmp_path, "stop", "run")
    assert "jobs cancelled" in stopped
    wait_for(lambda: "running" not in statuses(tmp_path, "run"))
    wait_for(
        lambda: (
            not subprocess.run(
                ["squeue", "--noheader"], capture_output=True, text=True
            ).stdout.strip()
        )
    )
    finished = [cell.folder for cell in Run.open(tmp_path / "run").cells() if cell.status == "done"]
    assert 1 <= len(finished) < 8
    # The same line goes on; its runner is killed, and the line once more takes up what is alive.
    runner = subprocess.Popen(
        command(*more, methods=SLOW),
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for(lambda: "running" in on_disk(tmp_path))
    runner.kill()
    runner.wait()
    done = run(tmp_path, *more, methods=SLOW)
    assert done.returncode == 0, done.stdout + done.stderr
    found = check(tmp_path, "run")
    attempts = {cell.folder: cell.attempts for cell in found.cells()}
    assert all(attempts[folder] == 1 for folder in finished)
    assert sum(attempts.values()) <= 8 + 2  # the two that ran when all was stopped began once more


@pytest.mark.long
def test_job_that_slurm_ends_is_a_row_with_its_reason(tmp_path, slurm):
    """scancel behind the runner's back."""
    runner = subprocess.Popen(
        command(
            "--out", "run", "--executor", "slurm[time=00:20:00,memory=2]", methods="bad[how=stall]"
        ),
        **{"cwd": tmp_path, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL},
    )
    (tmp_path / "data").mkdir()
    wait_for(lambda: "running" in on_disk(tmp_path))
    subprocess.run(["scancel", "--me", "--signal=KILL", "--full"])
    assert runner.wait(timeout=300) == 1
    (cell,) = Run.open(tmp_path / "run").cells()
    assert cell.status == "failed" and "SLURM ended it" in cell.reason


def jobs() -> list[str]:
    """Return the jobs that run, by their numbers."""
    asked = subprocess.run(
        ["squeue", "--noheader", "--array", "--states=R", "--format=%i"],
        capture_output=True,
        text=True,
    )
    return asked.stdout.split()


@pytest.mark.long
@pytest.mark.parametrize("phase", ["prepare", "fit", "score"])
def test_job_that_slurm_requeues_goes_on(tmp_path, slurm, phase):
    """As preemption does it: the command waits for the job that it has, submits no other, and the
    row is done."""
    methods = "steady[pause=0.2]"
    assert run(tmp_path, "--out", "whole", methods=methods).returncode == 0
    if phase == "prepare":
        (tmp_path / "data" / "preempted").touch()
    runner = subprocess.Popen(
        command("--out", "run", "--executor", "slurm[time=00:20:00,memory=2]", methods=methods),
        cwd=tmp_path,
    )
    if (
        phase == "prepare"
    ):  # the job's worker is told to end, which leaves it to SLURM to requeue the job or not
        wait_for(
            lambda: (
                any("ended" in path.read_text() for path in tmp_path.glob("run/.slurm/jobs/*.json"))
                or jobs()
            )
        )
    else:
        wait_for(
            lambda: any(
                f'"phase": "{phase}"' in path.read_text()
                for path in tmp_path.glob("run/cells/*/*/*/progress.json")
            )
        )
    (identity,) = jobs()
    subprocess.run(["scontrol", "requeue", identity], check=True)
    (tmp_path / "data" / "preempted").unlink(missing_ok=True)
    assert runner.wait(timeout=400) == 0
    check(tmp_path, "run")
    assert (
        len(list(tmp_path.glob("run/.slurm/logs/*_submitted.pkl"))) == 0
    )  # those of a job that ended well are removed


@pytest.mark.long
@pytest.mark.parametrize("how", ["TERM", "USR2"])
def test_job_that_is_cancelled_is_submitted_once(tmp_path, slurm, how):
    """scancel, and what submitit has SLURM send before the time is over: a failed row that says so,
    and the same line goes on."""
    methods = "steady[pause=0.2]"
    assert run(tmp_path, "--out", "whole", methods=methods).returncode == 0
    more = ("--out", "run", "--executor", "slurm[time=00:20:00,memory=2]")
    runner = subprocess.Popen(command(*more, methods=methods), cwd=tmp_path)
    wait_for(
        lambda: any(
            '"phase": "score"' in path.read_text()
            for path in tmp_path.glob("run/cells/*/*/*/progress.json")
        )
    )
    (identity,) = jobs()
    subprocess.run(["scancel", *(["--signal=USR2"] if how == "USR2" else []), identity], check=True)
    code = runner.wait(timeout=400)
    (cell,) = Run.open(tmp_path / "run").cells()
    if (
        how == "USR2" and code == 0
    ):  # long before its end submitit takes it for preemption, and has SLURM requeue the job
        assert cell.attempts == 2
    else:
        assert code == 1 and cell.status == "failed" and "SLURM ended it" in cell.reason
        assert len(list(tmp_path.glob("run/.slurm/logs/*_submitted.pkl"))) == 1
        assert run(tmp_path, *more, methods=methods).returncode == 0
    check(tmp_path, "run")
