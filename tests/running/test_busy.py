"""Other work on the cores is measured, and said where it matters."""

from collections import namedtuple

import psutil
import pytest

from bench.running import busy

Times = namedtuple("Times", "user nice system idle iowait guest")


@pytest.fixture
def machine(monkeypatch):
    """Two usable cores of three whose times the test writes."""
    state = {"cpu": [Times(0, 0, 0, 0, 0, 0)] * 3, "own": 0.0, "clock": 0.0}
    monkeypatch.setattr(psutil, "cpu_times", lambda percpu: state["cpu"])
    monkeypatch.setattr(busy.os, "sched_getaffinity", lambda pid: {0, 1})
    monkeypatch.setattr(busy.os, "times", lambda: (state["own"], 0.0, 0.0, 0.0, 0.0))
    monkeypatch.setattr(busy.time, "monotonic", lambda: state["clock"])
    monkeypatch.setattr(
        busy.time, "sleep", lambda seconds: state.__setitem__("clock", state["clock"] + seconds)
    )
    return state


def test_own_work_idle_time_and_other_cores_do_not_count(machine):
    measured = busy.OtherWork()
    machine["clock"] = 2.0
    machine["own"] = 0.5
    # 1.9 + 0.6 busy seconds on the two usable cores, of which 0.5 are our own; the third core is
    # not ours to use.
    machine["cpu"] = [
        Times(1.5, 0.3, 0.1, 0.1, 0, 1.5),
        Times(0.6, 0, 0, 0.4, 1.0, 0),
        Times(2, 0, 0, 0, 0, 0),
    ]
    assert measured.held() == pytest.approx((1.9 + 0.6 - 0.5) / 2.0)


def test_it_waits_only_for_the_rest_of_the_interval(machine):
    measured = busy.OtherWork()
    machine["clock"] = 0.1
    measured.held()
    assert machine["clock"] == pytest.approx(busy.INTERVAL)
    measured.held()
    assert machine["clock"] == pytest.approx(busy.INTERVAL)


@pytest.mark.parametrize(
    "failure", [OSError("no /proc/stat"), NotImplementedError(), psutil.AccessDenied()]
)
def test_a_system_that_does_not_tell_is_taken_for_idle(monkeypatch, failure):
    def refuse(percpu):
        raise failure

    monkeypatch.setattr(psutil, "cpu_times", refuse)
    assert busy.OtherWork().held() == 0.0


def test_clocks_that_disagree_give_no_negative_load(machine):
    measured = busy.OtherWork()
    machine["own"] = 5.0
    assert measured.held() == 0.0


@pytest.mark.parametrize(
    ("held", "wanted", "expected"),
    [
        (0.4, 2, ""),
        (1.0, 1, ""),  # the other core is free
        (1.0, 2, "other processes use 1.0 of 2 cores, so this run is slower than on an idle machine; --workers 1 --threads 1 leaves them room"),
        (2.0, 1, "other processes use 2.0 of 2 cores, so this run is slower than on an idle machine"),
    ],
)  # fmt: skip
def test_it_is_said_where_a_run_wants_what_others_hold(monkeypatch, held, wanted, expected):
    monkeypatch.setattr(busy, "cores", lambda: 2)
    assert busy.busy_note(held, wanted) == expected


def test_the_plan_says_it_and_the_run_does_not_keep_it(tmp_path, monkeypatch):
    import json

    from click.testing import CliRunner

    from bench.cli.main import bench

    monkeypatch.setattr(busy.OtherWork, "held", lambda self: 64.0)
    monkeypatch.setattr(busy, "cores", lambda: 64)
    line = [
        "run",
        "--methods",
        "constant",
        "--datasets",
        "demo-ped2",
        "--threads",
        "1",
        "--out",
        str(tmp_path / "run"),
    ]
    dry = CliRunner().invoke(bench, [*line, "--dry-run"])
    assert dry.exit_code == 0 and "note: other processes use 64.0 of 64 cores" in dry.output
    done = CliRunner().invoke(bench, line)
    assert done.exit_code == 0 and "note: other processes" in done.output
    assert not any(
        "other processes" in note
        for note in json.loads((tmp_path / "run" / "run.json").read_text())["notes"]
    )
    again = CliRunner().invoke(bench, line)
    assert again.exit_code == 0 and "other processes" not in again.output  # nothing is left to run
