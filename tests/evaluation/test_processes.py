"""Numbers that several processes compute are those of one."""

import os

import numpy as np
import pandas as pd
import pytest
from made_run import done, make_run

from bench.evaluation import kept_scores, processes, run_scores
from bench.evaluation.data_frames import results_frame, summary_frame
from bench.evaluation.processes import in_processes
from bench.evaluation.run_scores import RunScores
from bench.evaluation.summaries import summaries_of
from bench.plugins.registry import load

REGISTRY = load()


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setattr(processes, "cores", lambda: 2)


def test_what_is_found_comes_in_order(two_cores):
    here = os.getpid()
    found = list(in_processes(lambda item: (item**2, os.getpid() == here), range(20)))
    assert found == [(item**2, False) for item in range(20)]


def test_one_item_needs_no_process(two_cores):
    assert list(in_processes(lambda item: os.getpid(), [0])) == [os.getpid()]
    assert list(in_processes(str, [])) == []


def test_what_a_killed_process_leaves_is_computed_here(two_cores):
    here = os.getpid()

    def square(item):
        if item == 3 and os.getpid() != here:
            os._exit(9)
        return item**2

    assert list(in_processes(square, range(6))) == [0, 1, 4, 9, 16, 25]


def test_an_error_is_that_of_the_function(two_cores):
    with pytest.raises(ZeroDivisionError):
        list(in_processes(lambda item: 1 // item, [1, 0]))


def test_numbers_of_several_processes_are_those_of_one(two_cores, tmp_path, monkeypatch):
    """Results, summaries and intervals of every protocol, on frames that differ between rows; with
    a seed that failed and scores that are damaged."""
    cells = [done("good", 0.3, seed=seed) for seed in (0, 1)]
    cells += [done("fair", 0.8, first=5), done("broken", 0.5), done("half", 0.5)]
    cells.append(("half", 1, "failed", "made: it failed", 0, {}))
    run = make_run(tmp_path, cells, scenes=("A", "B", "B"))
    for cell in run.cells():
        if cell.label == "broken":
            run.files_of(cell).scores.write_bytes(b"nothing")

    def numbers():
        scores = RunScores(run, REGISTRY)
        protocols = list(REGISTRY.protocols.values())
        metrics = list(REGISTRY.metrics.values())
        measured = scores.measure(protocols, metrics, intervals=True)
        clips = [[clip.id for clip in one.clips] for one in measured]
        summaries = [
            one
            for protocol in protocols
            for metric in metrics
            for one in summaries_of(scores, protocol, metric)
        ]
        return results_frame(measured), summary_frame(summaries), clips, len(scores.intervals)

    alone = numbers()
    monkeypatch.setattr(run_scores, "LARGE", 0)
    monkeypatch.setattr(kept_scores, "LARGE", 0)
    together = numbers()
    for one, other in zip(alone[:2], together[:2], strict=True):
        pd.testing.assert_frame_equal(one, other)
    assert alone[2] == together[2]
    assert (alone[3], together[3]) == (0, 2 * len(REGISTRY.protocols))
    assert np.isfinite(together[1]["ci_low"].dropna()).all()
