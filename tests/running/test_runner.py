"""The runner, through its command: resuming, killed and misbehaving cells, limits. No torch."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import forked
import numpy as np
import pytest
from forked import TOYS, toy_words

from bench.contracts.compute import Compute
from bench.contracts.executor import Event, Executor, Exit
from bench.errors import BenchError
from bench.executors.local import LocalExecutor
from bench.planning.plan import make_plan
from bench.planning.request import Request
from bench.plugins.registry import load
from bench.running import cell_queue
from bench.running.jobs import Job, Listener, StopReason
from bench.running.runner import Runner
from bench.running.watch import GRACE, SILENCE, Watch
from bench.runs.folder import Run
from bench.runs.manifest import Manifest
from bench.runs.scores import write_scores
from bench.worker import process as worker
from bench.worker.interrupts import Interrupted
from bench.worker.progress import Reporter, read_progress


def bench(place: Path, methods: str, *more: str) -> subprocess.CompletedProcess[str]:
    return forked.bench(*toy_words(methods, *more), cwd=place)


def start(place: Path, methods: str, *more: str) -> forked.Command:
    return forked.Command(*toy_words(methods, *more), cwd=place)


@pytest.fixture
def finished(place, once) -> Path:
    """A finished run `run` of brightness, in `place`."""

    def make(folder):
        assert bench(folder, "brightness", "--out", "run").returncode == 0

    shutil.copytree(once("finished", make) / "run", place / "run")
    return place


def only_run(place: Path) -> Run:
    (path,) = [path.parent for path in (place / "results").glob("*/run.json")]
    return Run.open(path)


def scores_of(run: Run) -> dict[str, np.ndarray]:
    return {
        f"{cell.folder}/{clip}": found.values
        for cell in run.cells()
        for clip, found in run.scores(cell).items()
    }


def wait_for(condition, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return True
    return state == "Z"


def workers_of(pid: int) -> list[int]:
    """All descendants of a process: its server, and the workers."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += [int(child), *workers_of(int(child))]
    return found


def test_finished_cell_outlives_its_dataset(place, finished):
    """Where the dataset is not there any more, a finished cell stays as it is; one that never ran
    has no data."""
    before = {
        path: path.read_bytes() for path in (place / "run").rglob("cells/**/*") if path.is_file()
    }
    numbers = (place / "run" / "tables" / "results.csv").read_bytes()
    (place / "data" / "gone").touch()
    line = [
        word if word != "toy" else "toys"
        for word in toy_words("brightness,bad[how=nan]", "--out", "run")
    ]
    planned = forked.bench(*line, "--dry-run", cwd=place)
    assert "done before; toy: its disk is not here" in " ".join(planned.stdout.split())
    done = forked.bench(*line, cwd=place)
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(path.read_bytes() == content for path, content in before.items())
    assert [cell.status for cell in Run.open(place / "run").cells()] == ["done", "no data"]
    (place / "data" / "gone").unlink()
    assert bench(place, "brightness", "--out", "run").returncode == 0
    assert [
        cell.attempts for cell in Run.open(place / "run").cells() if cell.label == "brightness"
    ] == [1]
    again = (place / "run" / "tables" / "results.csv").read_bytes()
    assert all(line in again for line in numbers.splitlines())


def test_unfinished_cell_without_its_dataset_has_no_data(place):
    """What failed before is not failed any more: there is nothing to try it on."""
    assert bench(place, "bad[how=nan]", "--out", "run").returncode == 1
    (place / "data" / "gone").touch()
    line = [word if word != "toy" else "toys" for word in toy_words("bad[how=nan]", "--out", "run")]
    assert forked.bench(*line, cwd=place).returncode == 3
    (cell,) = Run.open(place / "run").cells()
    assert (cell.status, cell.reason) == ("no data", "toy: its disk is not here")


def test_finished_cell_is_kept_where_its_method_lacks_a_file(place, monkeypatch):
    """Of the same copy of the dataset; what was scored on another one does not stand beside new
    cells."""
    assert bench(place, "needy,brightness", "--out", "run").returncode == 0
    monkeypatch.setenv("TOY_FILE_GONE", "1")
    assert bench(place, "needy,brightness", "--out", "run").returncode == 0
    assert [(cell.status, cell.attempts) for cell in Run.open(place / "run").cells()] == [
        ("done", 1),
        ("done", 1),
    ]
    next((place / "data" / "toy" / "test" / "01").glob("*.png")).write_bytes(
        next((place / "data" / "toy" / "test" / "02").glob("*.png")).read_bytes()
    )
    assert bench(place, "needy,brightness", "--out", "run").returncode == 0
    assert [cell.status for cell in Run.open(place / "run").cells()] == ["no data", "done"]


def test_run_makes_scores_tables_and_says_where(place):
    """The run's path is printed first and last, the tables are there, and the exit code is 0."""
    done = bench(place, "brightness", "--seeds", "0,1")
    assert done.returncode == 0, done.stderr
    run = only_run(place)
    lines = done.stdout.strip().splitlines()
    assert lines[0] == f"run results/{run.path.name}"
    assert lines[-1] == f"run results/{run.path.name}"
    assert {path.name for path in run.report.tables().iterdir()} >= {
        "results.csv",
        "summary.csv",
        "comparison.txt",
        "comparison.md",
        "comparison.tex",
    }
    assert [(cell.seed, cell.status, cell.attempts) for cell in run.cells()] == [
        (0, "done", 1),
        (1, "done", 1),
    ]
    assert {clip: len(found.values) for clip, found in run.scores(run.cells()[0]).items()} == {
        "01": 20,
        "02": 26,
        "03": 12,
    }
    assert not list(run.path.glob("cells/**/scratch"))
    assert not list(run.path.glob("**/progress.json"))


def test_finished_cell_keeps_the_commit_that_made_it(place, finished):
    """Whatever commands come after; each command is kept with its own."""
    run = Run.open(place / "run")
    run.write_cell(replace(run.cells()[0], git="0123456789abcdef"))
    assert bench(place, "brightness,brightness[pause=0.001]", "--out", "run").returncode == 0
    first, second = Run.open(place / "run").cells()
    commands = Run.open(place / "run").manifest.commands
    assert first.git == "0123456789abcdef" and first.attempts == 1
    assert second.git == commands[-1]["git"] and len(commands) == 2


def test_same_seed_gives_the_same_scores(place):
    """Two runs of one seed agree to the bit; another seed differs."""
    assert bench(place, "brightness", "--seeds", "3", "--out", "a").returncode == 0
    assert bench(place, "brightness", "--seeds", "3,4", "--out", "b").returncode == 0
    first, second = scores_of(Run.open(place / "a")), scores_of(Run.open(place / "b"))
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name])
    assert not np.array_equal(
        second["cells/brightness/toy/3/01"], second["cells/brightness/toy/4/01"]
    )


REASONS = {
    "raise": "ZeroDivisionError: nothing to divide by (toys.py, line",
    "kill": "killed by SIGKILL at",
    "exit": "the worker ended with exit code 17 and wrote no outcome",
    "nan": "bad[how=nan] on toy, clip 01: the score of frame 0 is nan (20 of 20 scores are not finite)",
    "length": "bad[how=length] on toy, clip 01: score() returned 19 scores for 20 frames; return one a frame, or Scores(values, frames)",
    "memory": "out of memory at",
}


def test_misbehaving_cell_costs_itself_alone(place):
    """A cell that raises, dies or returns nonsense is a failed row with its reason; the other cells
    are unharmed, before and after it."""
    done = bench(place, f"brightness,bad[how={'|'.join(REASONS)}],steady")
    assert done.returncode == 1, done.stderr
    before, *bad, after = only_run(place).cells()
    assert (before.status, after.status) == ("done", "done")
    for cell, (how, reason) in zip(bad, REASONS.items(), strict=True):
        assert cell.status == "failed" and reason in cell.reason, how
    assert "Traceback" not in done.stderr


def test_stalled_cell_is_stopped(place):
    """A cell without a step, even a frozen one, is ended and says after how long."""
    done = bench(place, "bad[how=stall|frozen],brightness", "--stall-limit", "1s")
    assert done.returncode == 1
    *bad, good = only_run(place).cells()
    assert [cell.status for cell in bad] == ["failed", "failed"]
    assert all("stalled: no step for 1 s" in cell.reason for cell in bad)
    assert good.status == "done"


def test_time_limit_ends_a_cell(place):
    """An attempt that takes too long is ended, and its reason says how to go on."""
    done = bench(place, "brightness[pause=0.2]", "--time-limit", "1s")
    assert done.returncode == 1
    (cell,) = only_run(place).cells()
    assert cell.status == "failed"
    assert "time limit" in cell.reason
    assert "goes on from the last checkpoint" in cell.reason


def test_fail_fast_begins_no_further_cell(place):
    """With --fail-fast the cells after a failed one are left for the next time."""
    bench(place, "bad,brightness", "--fail-fast")
    assert [cell.status for cell in only_run(place).cells()] == ["failed", "interrupted"]


KILLED = "brightness[pause=0.05],brightness"


@pytest.fixture
def undisturbed(once) -> dict[str, np.ndarray]:
    """The scores of KILLED where nothing is killed."""

    def make(folder):
        assert bench(folder, KILLED, "--out", "run").returncode == 0

    return scores_of(Run.open(once("undisturbed", make) / "run"))


@pytest.mark.parametrize("moment", [0.0, 0.15, 0.4, 0.8])
def test_killed_runner_costs_nothing_that_was_done(place, undisturbed, moment):
    """kill -9 of the runner at any moment, then the same command: the scores of an undisturbed run,
    in the same folder."""
    runner = start(place, KILLED)
    wait_for(
        lambda: (
            list((place / "results").glob("*/cells/*/toy/0/cell.json"))
            if (place / "results").is_dir()
            else False
        )
    )
    time.sleep(moment)
    family = workers_of(runner.pid)
    os.kill(runner.pid, signal.SIGKILL)
    runner.wait()
    wait_for(lambda: all(is_gone(pid) for pid in family), 5.0)
    done = bench(place, KILLED)
    assert done.returncode == 0, done.stderr
    assert "(going on with it)" in done.stdout.splitlines()[0]
    found = scores_of(only_run(place))
    assert undisturbed.keys() == found.keys()
    for name, values in undisturbed.items():
        np.testing.assert_array_equal(found[name], values)


def test_killed_worker_goes_on_with_the_same_command(place, undisturbed):
    """kill -9 of a cell's worker is a failed cell; the same command finishes it, and repeats
    nothing else."""
    runner = start(place, KILLED)
    wait_for(lambda: list(place.glob("results/*/cells/*/toy/0/progress.json")))
    time.sleep(0.3)
    _, *workers = workers_of(runner.pid)
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    assert runner.wait(timeout=60) == 1
    assert sorted(cell.status for cell in only_run(place).cells()) == ["done", "failed"]
    assert bench(place, KILLED).returncode == 0
    run = only_run(place)
    assert sorted(cell.attempts for cell in run.cells()) == [1, 2]
    for name, values in undisturbed.items():
        np.testing.assert_array_equal(scores_of(run)[name], values)


def test_interrupt_stops_cleanly_and_says_how_to_go_on(place):
    """Ctrl-C: exit code 130, the cell is interrupted, and the same command ends it."""
    runner = start(place, "brightness[pause=0.1]")
    wait_for(lambda: list(place.glob("results/*/cells/*/toy/0/progress.json")))
    time.sleep(0.3)
    runner.send_signal(signal.SIGINT)
    done = runner.end(timeout=30)
    assert done.returncode == 130, done.stderr
    assert "To go on:" in done.stdout
    assert "--methods 'brightness[pause=0.1]'" in done.stdout
    assert [cell.status for cell in only_run(place).cells()] == ["interrupted"]
    assert bench(place, "brightness[pause=0.1]").returncode == 0
    assert [cell.status for cell in only_run(place).cells()] == ["done"]


def test_complete_run_is_not_gone_on_with(place, finished):
    """The same command after a complete run starts a new one; --out with its folder reuses every
    cell."""
    (place / "results").mkdir()
    (finished / "run").rename(place / "results" / "first")
    again = bench(place, "brightness", "--out", str(place / "results" / "first"))
    assert "1 of 1 cells are done already" in again.stdout
    assert bench(place, "brightness").returncode == 0
    assert len(list((place / "results").glob("*/run.json"))) == 2


def test_changed_parameter_and_changed_plugin_run_again(place):
    """A cell is reused only under the same key; the source of a plugin file belongs to it."""
    toys = place / "mine.py"
    toys.write_text(TOYS.read_text())

    words = [word if word != str(TOYS) else str(toys) for word in toy_words("brightness")]

    def go():
        return forked.bench(*words, "--out", "run", cwd=place)

    assert go().returncode == 0
    assert "1 of 1 cells are done already" in go().stdout
    toys.write_text(toys.read_text() + "\n# changed\n")
    assert "are done already" not in go().stdout
    assert Run.open(place / "run").cells()[0].attempts == 2


@pytest.mark.parametrize("left_by", ["nobody", "another key"])
def test_scratch_of_another_key_is_not_gone_on_from(place, finished, left_by):
    """A cell was cut off, and the next request, of another key, ended before the cell's turn: what
    lies in its scratch folder is of neither."""
    run = Run.open(place / "run")
    (cell,) = run.cells()
    scores, files = run.scores(cell), run.files_of(cell)
    stale = {clip: replace(found, values=0 * found.values) for clip, found in scores.items()}
    for clip, found in stale.items():
        write_scores(files.scratch / "scores" / f"{clip}.npz", {clip: found})
    if left_by == "another key":
        (files.scratch / "key").write_text("0" * 64)
    run.write_cell(replace(cell, status="interrupted", checksums={}))
    assert bench(place, "brightness", "--out", "run").returncode == 0
    for clip, found in Run.open(place / "run").scores(cell).items():
        np.testing.assert_array_equal(found.values, scores[clip].values)


def test_dry_run_writes_nothing(place):
    """--dry-run shows cells and reasons, and leaves no folder."""
    done = bench(place, "brightness,bad", "--dry-run")
    assert done.returncode == 0
    assert re.search(r"2 of 2 cells would run; .*nothing was written", done.stdout)
    assert not (place / "results").exists()


def test_dry_run_has_a_line_for_each_reason_why_cells_would_not_run(place):
    """Below the table, with their number or the one method, and all datasets that it holds for."""
    named = ("--datasets", "toy,demo-ped2", "--dry-run")
    said = bench(place, "brightness,mamc,c2net", *named).stdout
    both = "toy, demo-ped2"
    assert f"4 cells on {both} would not run (published only): no public spec" in said
    assert "mamc" not in said and "2 of 6 cells would run" in said
    assert f"mamc on {both} would not run (published only)" in bench(place, "mamc", *named).stdout


def test_dry_run_of_a_shard_names_the_cells_of_the_others(place):
    done = bench(place, "brightness,steady", "--shard", "1/2", "--out", "run", "--dry-run")
    assert "steady on toy would not run (another shard)\n" in done.stdout
    assert "1 of 2 cells would run" in done.stdout


def test_force_repeats_just_that(place):
    """--force repeats the finished cells it names."""
    bench(place, "brightness,brightness[pause=0.001]", "--out", "run")
    bench(place, "brightness,brightness[pause=0.001]", "--out", "run", "--force", "brightness")
    assert [cell.attempts for cell in Run.open(place / "run").cells()] == [2, 1]


def test_damaged_cell_json_is_repeated(place, finished):
    """A corrupted cell.json is said and its cell is run again."""
    (path,) = (place / "run").glob("cells/*/*/*/cell.json")
    path.write_text("{")
    status = forked.bench("status", "run", cwd=place)
    assert (
        "cell.json cannot be read" in status.stdout.replace("\n", " ").replace("  ", " ")
        or "cannot be read" in status.stdout
    )
    assert bench(place, "brightness", "--out", "run").returncode == 0
    assert json.loads(path.read_text())["status"] == "done"


def test_unwritable_results_folder_is_refused_before_work(place):
    """A results folder that cannot be written is an exit code 2 and one line."""
    (place / "results").write_text("a file where the folder should be")
    done = bench(place, "brightness")
    assert done.returncode == 2
    assert "cannot write" in done.stderr
    assert "--out" in done.stderr
    assert "Traceback" not in done.stderr


def test_gpu_that_is_not_there_is_refused(place):
    """--device cuda without one says what torch finds, and what to do."""
    done = forked.bench(*toy_words("brightness", "--device", "cuda"), cwd=place)
    assert done.returncode == 2
    assert "--device 'cuda': torch finds no GPU here; use --device cpu" in done.stderr


def test_second_runner_of_one_run_is_refused(place):
    """Two runners never fill one run."""
    runner = start(place, "brightness[pause=0.1]", "--out", "run")
    wait_for(lambda: list(place.glob("run/cells/*/toy/0/progress.json")))
    second = bench(place, "brightness[pause=0.1]", "--out", "run")
    runner.send_signal(signal.SIGTERM)
    assert runner.wait(timeout=30) == 130
    assert second.returncode == 2
    assert "another `bench run` is working on this run" in second.stderr


def cut_off(run: Run, clips: list[str]) -> None:
    """Make a run look as if its cells were interrupted while scoring, with the scores of these
    clips kept."""
    for cell in run.cells():
        scores = run.scores(cell)
        folder = run.cell_path(cell)
        for clip in clips:
            write_scores(folder / "scratch" / "scores" / f"{clip}.npz", {clip: scores[clip]})
        (folder / "scores.npz").unlink()
        cell.status = "interrupted"
        run.write_cell(cell)


def test_damaged_run_goes_on_as_if_nothing_had_happened(place):
    """A cell that goes on behind its first clip, though its method draws random numbers; scores
    that cannot be read; a cell's folder that was damaged in run.json; a run.json that cannot be
    read: the same scores and table come out, and nothing that is whole is repeated.
    """
    arguments = ("brightness", "--seeds", "0,1", "--out", "run")
    assert bench(place, *arguments).returncode == 0
    run = Run.open(place / "run")
    expected, table = scores_of(run), (run.report.tables() / "results.csv").read_bytes()
    cut_off(run, ["01"])
    path = run.path / "run.json"
    path.write_text(path.read_text().replace("cells/brightness/toy/1", "cells/brighuness/toy/1"))
    assert bench(place, *arguments).returncode == 0
    for name, values in scores_of(run).items():
        np.testing.assert_array_equal(values, expected[name], err_msg=name)
    assert (run.report.tables() / "results.csv").read_bytes() == table
    path = run.cell_path(run.cells()[0]) / "scores.npz"
    content = bytearray(path.read_bytes())
    content[60] ^= 1
    path.write_bytes(content)
    (run.path / "run.json").write_text("{")
    done = bench(place, *arguments)
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "run.json cannot be read" in said
    assert "2 cells are taken from their own files" in said
    assert [cell.attempts for cell in run.cells()] == [3, 2]
    assert (run.report.tables() / "results.csv").read_bytes() == table


def test_cell_whose_file_and_plan_are_both_damaged_is_run_again(place):
    """Neither says any more what it was; the request does."""
    arguments = ("brightness", "--seeds", "0,1", "--out", "run")
    assert bench(place, *arguments).returncode == 0
    run = Run.open(place / "run")
    table = (run.report.tables() / "results.csv").read_bytes()
    (run.cell_path(run.cells()[1]) / "cell.json").write_text("{")
    manifest = run.path / "run.json"
    manifest.write_text(
        manifest.read_text().replace('"selector": "brightness"', '"sflector": "brightness"')
    )
    done = bench(place, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 cells are taken from their own files" in " ".join(done.stdout.split())
    assert [cell.status for cell in run.cells()] == ["done", "done"] and run.cells()[
        0
    ].attempts == 1
    assert (run.report.tables() / "results.csv").read_bytes() == table


def test_preparation_that_is_asked_to_stop_is_not_done(monkeypatch):
    """Its exit code says so: what it should make is not there. Nor is it there where a cell was
    stopped before it began."""

    def stopped(*_):
        raise Interrupted

    monkeypatch.setattr(worker, "prepare", stopped)
    monkeypatch.setattr(worker, "attempt", stopped)
    monkeypatch.setattr(worker.signal, "signal", lambda number, handler: None)
    assert worker.run_task({"kind": "prepare", "threads": 1}) == Exit.STOPPED
    assert worker.run_task({"kind": "cell", "threads": 1}) == Exit.STOPPED
    monkeypatch.setattr(worker, "_limit_threads", stopped)  # before it has begun
    assert worker.run_task({"kind": "prepare", "threads": 1}) == Exit.STOPPED
    assert Exit.STOPPED != Exit.TAKEN


@pytest.mark.parametrize("executor", ["local", "slurm[cluster=local]", "dask[workers=1]"])
def test_dataset_that_is_stopped_while_it_is_prepared_costs_each_cell_one_attempt(place, executor):
    """SIGTERM while preparing, as preemption, scancel and a time limit send it: a failed row with
    the reason, submitted once."""
    (place / "data" / "preempted").touch()
    done = bench(place, "brightness", "--out", "run", "--executor", executor)
    assert done.returncode == 1, done.stdout + done.stderr
    (cell,) = Run.open(place / "run").cells()
    assert cell.status == "failed" and re.search(
        r"preparing toy: ended from outside \(SIGTERM", cell.reason
    ), cell.reason
    assert len(list(place.glob("run/.slurm/logs/*_submitted.pkl"))) == (
        executor.startswith("slurm")
    )
    (place / "data" / "preempted").unlink()
    assert bench(place, "brightness", "--out", "run").returncode == 0


@pytest.mark.parametrize("executor", ["local", "slurm[cluster=local]", "dask[workers=1]"])
def test_cell_that_is_stopped_from_outside_says_so(place, executor):
    """SIGTERM to its worker alone: no user stopped it, and the same command goes on."""
    more = ("--out", "run", "--executor", executor)
    runner = start(place, "brightness[pause=0.1]", *more)
    wait_for(
        lambda: any(
            json.loads(path.read_text())["phase"] == "score"
            for path in place.glob("run/cells/*/toy/0/progress.json")
        )
    )
    (claim,) = place.glob("run/cells/*/toy/0/.claim.*")
    os.kill(json.loads(claim.read_text())[0]["pid"], signal.SIGTERM)
    assert runner.wait(timeout=90) == 1
    (cell,) = Run.open(place / "run").cells()
    assert (
        cell.status == "failed"
        and "ended from outside (SIGTERM" in cell.reason
        and "the same command goes on" in cell.reason
    )
    assert ("SLURM ended it" in cell.reason) == executor.startswith("slurm")
    assert bench(place, "brightness[pause=0.1]", "--out", "run").returncode == 0


class Taken(Executor):
    """Says of every task that its cell is another worker's."""

    remote = True
    code = Exit.TAKEN

    def __init__(self):
        self.started, self.ended = [], []

    def open(self, place):
        return None

    def close(self):
        self.ended.append("close")

    def detach(self):
        self.ended.append("detach")

    def start(self, task):
        self.started.append(task["id"])
        self.news = [Event(task["id"], code=self.code)]

    def events(self, timeout):
        news, self.news = self.news, []
        return news

    news = ()


class Refusing(Taken):
    """Says of every task that this machine cannot have it."""

    code = Exit.REFUSED


def test_cell_that_ended_after_it_was_planned_is_not_repeated(place, finished):
    """Its worker outlived a killed runner by a moment: what it finished stays, unless more is to be
    kept of it than it kept."""
    (done,) = Run.open(place / "run").cells()
    for keep, started in (((), []), (("weights",), [1])):
        Run(place / "run").write_cell(replace(done, status="running"))
        request = Request(
            "brightness",
            "toy",
            compute=Compute("cpu"),
            data=(place / "data",),
            plugins=(TOYS,),
            keep=keep,
        )
        plan = make_plan(request, load([TOYS]), lambda signature: (Run.open(place / "run"), True))
        assert [cell.why for cell in plan.cells] == ["goes on: running before"]
        Run(place / "run").write_cell(done)
        plan.executor = Refusing()
        Runner(plan, Listener()).execute()
        assert plan.executor.started == started
        assert plan.cells[0].record.status == ("failed" if started else "done")


class Killed(Taken):
    """Finishes each cell, and is killed before its process ends."""

    code = -9

    def start(self, task):
        super().start(task)
        run = Run(Path(task["run"]))
        (cell,) = run.cells()
        run.write_cell(replace(cell, status="done", attempts=1, checksums={"scores.npz": "0"}))


class Unprepared(Killed):
    """Cannot prepare the dataset; meanwhile another runner has finished the cell."""

    remote, code = False, 1


@pytest.mark.parametrize("executor", [Killed, Unprepared])
def test_what_is_done_stays_done(place, executor):
    """Whatever becomes of the process that did it, or of the same cell in this runner."""
    request = Request(
        "brightness", "toy", compute=Compute("cpu"), data=(place / "data",), plugins=(TOYS,)
    )
    plan = make_plan(request, load([TOYS]), lambda signature: (Run(place / "run"), False))
    Run(place / "run").write_manifest(Manifest(cells=[asdict(plan.cells[0].record)]))
    plan.executor = executor()
    Runner(plan, Listener()).execute()
    for found in (plan.cells[0].record, Run(place / "run").cell(plan.cells[0].record)):
        assert (found.status, found.checksums) == ("done", {"scores.npz": "0"})


def test_cell_that_is_always_taken_fails_with_the_reason(place, monkeypatch):
    """Nobody is at work on it, and each attempt finds it taken: so many attempts and no more."""
    request = Request(
        "brightness", "toy", compute=Compute("cpu"), data=(place / "data",), plugins=(TOYS,)
    )
    monkeypatch.setattr(cell_queue, "LOOK", 0.001)
    plan = make_plan(request, load([TOYS]), lambda signature: (Run(place / "run"), False))
    plan.executor = Taken()
    assert not Runner(plan, Listener()).execute()
    assert plan.executor.ended == ["close"], "its tasks may go on"
    assert len(plan.executor.started) == cell_queue.TAKEN_AT_MOST
    (cell,) = plan.cells
    assert cell.record.status == "failed"
    assert "8 attempts in a row found the cell taken by another process" in cell.record.reason
    assert Run(place / "run").cell(cell.record).reason == cell.record.reason


def test_new_phase_is_news(tmp_path):
    """A worker that scores without a step is told from one that still fits: only then does the
    stall limit hold for it."""
    reporter = Reporter(tmp_path / "progress.json")
    reporter.begin("fit", "fitting")
    before = read_progress(reporter.path)
    reporter.begin("score", "scoring")
    after = read_progress(reporter.path)
    assert before is not None and after is not None
    assert (before.phase, after.phase) == ("fit", "score")
    assert after.steps > before.steps


def watched(pid, folder, request, **more):
    """A watch under the limits of a request, and a job whose worker has a process id."""
    executor = LocalExecutor()
    executor.pids = {1: pid}
    where = f"process {pid}"
    job = Job(1, "a on b, seed 0", None, None, folder / "progress.json", where=where, **more)
    return Watch(executor, request, Run(folder)), job


def test_server_that_does_not_report_a_killed_worker(tmp_path):
    """A frozen server reports nothing for ever; the run ends with what is known, not never."""
    request = SimpleNamespace(stall_limit=900.0, time_limit=None)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    watch, job = watched(gone.pid, tmp_path, request, stopping=StopReason.STALLED)
    job.stop_by = time.monotonic() - 1
    watch.look(job)
    job.stop_by = time.monotonic() - SILENCE - 1
    with pytest.raises(
        BenchError,
        match="the server of the workers does not answer: a on b, seed 0 was ended 1:00 min ago",
    ):
        watch.look(job)


def test_worker_that_was_killed_is_killed_again_after_a_while_only(tmp_path):
    """A runner looks ten times a second; SLURM and Dask answer more slowly."""
    request = SimpleNamespace(stall_limit=900.0, time_limit=None)
    watch, job = watched(0, tmp_path, request, stopping=StopReason.STALLED)
    told = []
    watch.executor = SimpleNamespace(
        memory=lambda task: 0, frozen=lambda task: False, stop=lambda task, kill: told.append(kill)
    )
    job.stop_by = time.monotonic() - 1
    for _ in range(5):
        watch.look(job)
    assert told == [True]
    job.killed -= GRACE
    watch.look(job)
    assert told == [True, True]


def test_process_that_stands_still_is_stalled_whatever_it_is_at(tmp_path):
    """A worker that somebody stopped (SIGSTOP) makes no step, also in a fit of one piece or a
    preparation."""
    request = SimpleNamespace(stall_limit=5.0, time_limit=None)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        os.kill(process.pid, signal.SIGSTOP)
        wait_for(
            lambda: (
                Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"
            )
        )
        watch, job = watched(process.pid, tmp_path, request)
        watch.look(job)
        assert job.stopping is None
        job.frozen_since = time.monotonic() - 6
        watch.look(job)
        assert job.stopping is StopReason.STALLED
        assert process.wait(timeout=30) == -signal.SIGTERM
