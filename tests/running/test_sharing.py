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

from bench.files import claims
from bench.files.claims import Holder
from bench.runs.folder import Run

TOYS = Path(__file__).parents[1] / "toys.py"
METHODS = "brightness[pause=0.005],brightness[pause=0.006]"


def start(
    place: Path,
    *more: str,
    before: tuple[str, ...] = (),
    bench: tuple[str, ...] = ("-m", "bench"),
    methods: str = METHODS,
    data: str = "data",
    datasets: str = "toy",
) -> subprocess.Popen[str]:
    (place / data).mkdir(exist_ok=True)
    command = [
        *before,
        sys.executable,
        *bench,
        "run",
        "--methods",
        methods,
        "--datasets",
        datasets,
        "--seeds",
        "0-2",
    ]
    command += ["--plugin", str(TOYS), "--data", data, "--device", "cpu", "--threads", "1", *more]
    return subprocess.Popen(
        command, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def finish(*runners: subprocess.Popen[str]) -> list[str]:
    outputs = [runner.communicate(timeout=120)[0] for runner in runners]
    assert [runner.returncode for runner in runners] == [0] * len(runners), outputs
    return outputs


def same_numbers(place: Path, first: str, second: str) -> None:
    one, other = Run.open(place / first), Run.open(place / second)
    for cell, again in zip(one.cells(), other.cells(), strict=True):
        assert cell.folder == again.folder
        for clip, scores in one.scores(cell).items():
            np.testing.assert_array_equal(scores.values, other.scores(again)[clip].values)
    assert (one.report.tables() / "results.csv").read_bytes() == (
        other.report.tables() / "results.csv"
    ).read_bytes()


def test_shards_fill_one_run(tmp_path):
    """Two shards started together run each cell once; the same line for all then repeats nothing
    and has the numbers of one runner."""
    finish(
        start(tmp_path, "--out", "shared", "--shard", "1/2"),
        start(tmp_path, "--out", "shared", "--shard", "2/2"),
    )
    run = Run.open(tmp_path / "shared")
    assert [(cell.status, cell.attempts) for cell in run.cells()] == [("done", 1)] * 6
    assert not list(run.path.glob("**/.claim*")) and not list(run.path.glob(".run*"))
    _, again = finish(start(tmp_path, "--out", "whole"), start(tmp_path, "--out", "shared"))
    assert "6 of 6 cells are done already" in again
    same_numbers(tmp_path, "whole", "shared")


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
    runner = start(tmp_path, "--shard", shard)
    output, _ = runner.communicate(timeout=60)
    assert runner.returncode == 2
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


def test_two_hosts_fill_one_run_by_the_same_line(tmp_path):
    """Both run cells, none is run twice, and each waits for the other's before it writes the
    tables."""
    elsewhere = another_host()
    finish(start(tmp_path, "--out", "whole"))
    finish(start(tmp_path, "--out", "shared"), start(tmp_path, "--out", "shared", before=elsewhere))
    run = Run.open(tmp_path / "shared")
    assert [(cell.status, cell.attempts) for cell in run.cells()] == [("done", 1)] * 6
    same_numbers(tmp_path, "whole", "shared")


IMPATIENT = (
    "-c",
    "import bench.files.claims, bench.cli.main; bench.files.claims.DEAD = 3; bench.cli.main.bench()",
)
"""A command for which a host is dead after three seconds of silence."""


@pytest.mark.parametrize(
    "content", [claims._text(Holder("elsewhere/1", 7, 1.0)).encode(), b'[{"host": "\xb2']
)
def test_cell_of_a_host_that_died_is_followed(tmp_path, content):
    """A claim that nobody touches any more, another host's or one that cannot be read, holds its
    cell up for a while and not for ever."""
    finish(start(tmp_path, "--out", "whole"))
    cell = Run.open(tmp_path / "whole").cells()[1]
    shutil.copytree(tmp_path / "whole", tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / cell.folder)
    (tmp_path / "run" / cell.folder).mkdir()
    (tmp_path / "run" / cell.folder / ".claim.1").write_bytes(content)
    (output,) = finish(start(tmp_path, "--out", "run", bench=IMPATIENT))
    assert "is at work on it" in output
    run = Run.open(tmp_path / "run")
    assert [(one.status, one.attempts) for one in run.cells()] == [("done", 1)] * 6
    same_numbers(tmp_path, "whole", "run")


def test_damaged_claim_of_a_runner_is_named(tmp_path):
    """It may belong to one that is at work: the command is refused, and says which file to
    remove."""
    finish(start(tmp_path, "--out", "run"))
    left = tmp_path / "run" / f".runner-all-{claims.this_host().replace('/', '-')}.1"
    left.write_bytes(b"[{")
    refused = start(tmp_path, "--out", "run")
    output = " ".join(refused.communicate(timeout=60)[0].split())
    assert refused.returncode == 2
    assert (
        f"may be working on this run, since {left.relative_to(tmp_path)} cannot be read; if no other `bench run` is, remove that file"
        in output
    )
    left.unlink()
    finish(start(tmp_path, "--out", "run"))


def test_runner_with_another_copy_is_refused_while_one_is_at_work(tmp_path):
    """Two machines that share the run and not the data: the second would put numbers of other
    pictures into it."""
    finish(start(tmp_path, "--out", "whole"))
    shutil.copytree(tmp_path / "data", tmp_path / "other")
    next((tmp_path / "other" / "toy" / "train" / "01").glob("*.png")).write_bytes(
        b"another picture"
    )
    first = start(tmp_path, "--out", "run", "--shard", "1/2", methods="brightness[pause=0.05]")
    while not (tmp_path / "run" / "run.json").exists():
        time.sleep(0.02)
    second = start(
        tmp_path, "--out", "run", "--shard", "2/2", methods="brightness[pause=0.05]", data="other"
    )
    output = " ".join(second.communicate(timeout=120)[0].split())
    assert second.returncode == 2
    assert (
        "was begun with another copy of toy (fingerprint " in output
        and "is at work on it" in output
        and "`bench verify toy` on both machines" in output
    )
    finish(first)
    assert [cell.status for cell in Run.open(tmp_path / "run").cells()] == [
        "done",
        "queued",
        "done",
    ]


def test_claim_of_a_host_that_died_does_not_keep_another_copy_out(tmp_path):
    """A new container after a killed one, with new data: the run goes on with the new data, as it
    would on one machine."""
    finish(start(tmp_path, "--out", "run"))
    left = tmp_path / "run" / ".runner-all-elsewhere.1"
    left.write_text(claims._text(Holder("elsewhere", 7, 1.0)))
    os.utime(left, (1, 1))
    next((tmp_path / "data" / "toy" / "train" / "01").glob("*.png")).unlink()
    finish(start(tmp_path, "--out", "run"))
    assert [cell.attempts for cell in Run.open(tmp_path / "run").cells()] == [2] * 6


def test_runner_without_a_dataset_leaves_its_fingerprint(tmp_path):
    """The next one still sees which copy the run was begun with."""
    finish(start(tmp_path, "--out", "run"))
    before = Run.open(tmp_path / "run").manifest.datasets
    (tmp_path / "data" / "gone").touch()
    finish(start(tmp_path, "--out", "run", datasets="toys"))
    assert (
        Run.open(tmp_path / "run").manifest.datasets[0]["fingerprint"]
        == before[0]["fingerprint"]
        != ""
    )
