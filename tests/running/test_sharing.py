"""Several runners fill one run folder: shards on one host, whole runs on two. No cell is run
twice."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from forked import TOYS, Command

from bench.files import claims
from bench.files.claims import Holder
from bench.runs.folder import Run

METHODS = "brightness[pause=0.005],brightness[pause=0.006]"


def start(
    place: Path,
    *more: str,
    before: tuple[str, ...] = (),
    impatient: bool = False,
    methods: str = METHODS,
    data: str = "data",
    datasets: str = "toy",
) -> Command | subprocess.Popen[str]:
    """Start a runner: on another host with `before`; `impatient` for one to which a host is dead
    after three seconds of silence."""
    (place / data).mkdir(exist_ok=True)
    words = [
        "run",
        "--methods",
        methods,
        "--datasets",
        datasets,
        "--seeds",
        "0-2",
    ]
    words += ["--plugin", str(TOYS), "--data", data, "--device", "cpu", "--threads", "1", *more]
    if not before:
        first = "import bench.files.claims; bench.files.claims.DEAD = 3" if impatient else ""
        return Command(*words, cwd=place, first=first)
    command = [*before, sys.executable, "-m", "bench", *words]
    return subprocess.Popen(
        command, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def end(runner: Command | subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for a runner; return its exit code and what it said."""
    if isinstance(runner, Command):
        done = runner.end(timeout=120)
        return done.returncode, done.stdout + done.stderr
    output, _ = runner.communicate(timeout=120)
    return runner.returncode, output


def finish(*runners: Command | subprocess.Popen[str]) -> list[str]:
    ended = [end(runner) for runner in runners]
    assert [code for code, _ in ended] == [0] * len(runners), ended
    return [output for _, output in ended]


@pytest.fixture
def place(once, tmp_path):
    """A folder with a finished run `whole` and its data."""
    made = once("sharing", lambda folder: finish(start(folder, "--out", "whole")))
    return Path(shutil.copytree(made, tmp_path, dirs_exist_ok=True))


def same_numbers(place: Path, first: str, second: str) -> None:
    one, other = Run.open(place / first), Run.open(place / second)
    for cell, again in zip(one.cells(), other.cells(), strict=True):
        assert cell.folder == again.folder
        for clip, scores in one.scores(cell).items():
            np.testing.assert_array_equal(scores.values, other.scores(again)[clip].values)
    assert (one.report.tables() / "results.csv").read_bytes() == (
        other.report.tables() / "results.csv"
    ).read_bytes()


def test_shards_fill_one_run(place):
    """Two shards started together run each cell once; the same line for all then repeats nothing
    and has the numbers of one runner."""
    finish(
        start(place, "--out", "shared", "--shard", "1/2"),
        start(place, "--out", "shared", "--shard", "2/2"),
    )
    run = Run.open(place / "shared")
    assert [(cell.status, cell.attempts) for cell in run.cells()] == [("done", 1)] * 6
    assert not list(run.path.glob("**/.claim*")) and not list(run.path.glob(".run*"))
    (again,) = finish(start(place, "--out", "shared"))
    assert "6 of 6 cells are done already" in again
    same_numbers(place, "whole", "shared")


def test_shard_runs_its_cells_alone(tmp_path):
    """Every third cell from the second on, always the same ones."""
    finish(start(tmp_path, "--out", "run", "--shard", "2/3"))
    assert [cell.status for cell in Run.open(tmp_path / "run").cells()] == [
        "queued",
        "done",
        "queued",
    ] * 2


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "1/0", "a/b", "1/2/3"])
def test_shard_that_is_none_is_refused(tmp_path, shard):
    """I/N with I from 1 to N."""
    code, output = end(start(tmp_path, "--shard", shard))
    assert code == 2
    assert f"--shard {shard!r}: expected I/N with I from 1 to N, like 2/8" in output


def another_host() -> tuple[str, ...]:
    """A space of process numbers of its own is another host to `bench.files.claims`."""
    command = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
    if (
        shutil.which("unshare") is None
        or subprocess.run([*command, "true"], capture_output=True).returncode
    ):
        pytest.skip("no new space of process numbers can be made here")
    return command


def test_two_hosts_fill_one_run_by_the_same_line(place):
    """Both run cells, none is run twice, and each waits for the other's before it writes the
    tables."""
    elsewhere = another_host()
    finish(start(place, "--out", "shared"), start(place, "--out", "shared", before=elsewhere))
    run = Run.open(place / "shared")
    assert [(cell.status, cell.attempts) for cell in run.cells()] == [("done", 1)] * 6
    same_numbers(place, "whole", "shared")


@pytest.mark.parametrize(
    "content", [claims._text(Holder("elsewhere/1", 7, 1.0), "token").encode(), b'[{"host": "\xb2']
)
def test_cell_of_a_host_that_died_is_followed(place, content):
    """A claim that nobody touches any more, another host's or one that cannot be read, holds its
    cell up for a while and not for ever. It is touched until the runner has seen it."""
    cell = Run.open(place / "whole").cells()[1]
    shutil.copytree(place / "whole", place / "run")
    shutil.rmtree(place / "run" / cell.folder)
    (place / "run" / cell.folder).mkdir()
    claim = place / "run" / cell.folder / ".claim.1"
    claim.write_bytes(content)
    runner = start(place, "--out", "run", impatient=True)
    while "is at work on it" not in "".join(runner.said()):
        assert runner.poll() is None, runner.said()
        os.utime(claim)
        time.sleep(0.05)
    finish(runner)
    run = Run.open(place / "run")
    assert [(one.status, one.attempts) for one in run.cells()] == [("done", 1)] * 6
    same_numbers(place, "whole", "run")


def test_damaged_claim_of_a_runner_is_named(place):
    """It may belong to one that is at work: the command is refused, and says which file to
    remove."""
    (place / "whole").rename(place / "run")
    left = place / "run" / f".runner-all-{claims.this_host().replace('/', '-')}.1"
    left.write_bytes(b"[{")
    code, output = end(start(place, "--out", "run"))
    assert code == 2
    assert (
        f"may be working on this run, since {left.relative_to(place)} cannot be read; if no other `bench run` is, remove that file"
        in " ".join(output.split())
    )
    left.unlink()
    finish(start(place, "--out", "run"))


def test_runner_with_another_copy_is_refused_while_one_is_at_work(place):
    """Two machines that share the run and not the data: the second would put numbers of other
    images into it."""
    shutil.copytree(place / "data", place / "other")
    next((place / "other" / "toy" / "train" / "01").glob("*.png")).write_bytes(b"another image")
    first = start(place, "--out", "run", "--shard", "1/2", methods="brightness[pause=0.05]")
    while not (place / "run" / "run.json").exists():
        time.sleep(0.02)
    second = start(
        place, "--out", "run", "--shard", "2/2", methods="brightness[pause=0.05]", data="other"
    )
    code, output = end(second)
    output = " ".join(output.split())
    assert code == 2
    assert (
        "was begun with another copy of toy (fingerprint " in output
        and "is at work on it" in output
        and "`bench verify toy` on both machines" in output
    )
    finish(first)
    assert [cell.status for cell in Run.open(place / "run").cells()] == [
        "done",
        "queued",
        "done",
    ]


def test_claim_of_a_host_that_died_does_not_keep_another_copy_out(place):
    """A new container after a killed one, with new data: the run goes on with the new data, as it
    would on one machine."""
    (place / "whole").rename(place / "run")
    left = place / "run" / ".runner-all-elsewhere.1"
    left.write_text(claims._text(Holder("elsewhere", 7, 1.0), "token"))
    os.utime(left, (1, 1))
    next((place / "data" / "toy" / "train" / "01").glob("*.png")).unlink()
    finish(start(place, "--out", "run"))
    assert [cell.attempts for cell in Run.open(place / "run").cells()] == [2] * 6


def test_runner_without_a_dataset_leaves_its_fingerprint(place):
    """The next one still sees which copy the run was begun with."""
    (place / "whole").rename(place / "run")
    before = Run.open(place / "run").manifest.datasets
    (place / "data" / "gone").touch()
    finish(start(place, "--out", "run", datasets="toys"))
    assert (
        Run.open(place / "run").manifest.datasets[0]["fingerprint"]
        == before[0]["fingerprint"]
        != ""
    )
