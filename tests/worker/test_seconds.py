"""The seconds of a cell: those of the attempts that its scores come from."""

import logging
from types import SimpleNamespace

import numpy as np

from bench import Scores
from bench.contracts.compute import Compute
from bench.engine.context import make_context
from bench.engine.measured_cost import FitClock
from bench.files.whole_files import read_json, write_json
from bench.runs.records import CellRecord
from bench.worker.computing import _test_scores
from bench.worker.keepers.epoch_scores import EpochScoreKeeper

CLIPS = [SimpleNamespace(id=name) for name in ("01", "02")]


def cell_of(folder):
    """What of a cell scoring needs; `scored` are the clips that were scored, in order."""
    scored = []

    def score(clip, context, what):
        scored.append(clip.id)
        return Scores(np.zeros(3), np.arange(3))

    (folder / "scores").mkdir(exist_ok=True)
    cell = SimpleNamespace(
        scratch=folder, test_clips=lambda: iter(CLIPS), lengths={"01": 3, "02": 3},
        seed=lambda: None, score=score, scored=scored, fit_clock=FitClock(),
        context=make_context(0, Compute("cpu"), folder), logger=logging.Logger("cell"),
        record=CellRecord("cells/x", "toy", "toy", "toy", "toy", "toy", 0),
        reporter=SimpleNamespace(step=lambda *_: None),
    )  # fmt: skip
    return cell


def seconds_of_scoring(cell):
    _test_scores(cell, [])
    return cell.record.seconds.get("score")


def test_each_clip_counts_the_seconds_of_the_attempt_that_scored_it(tmp_path):
    """Scored in an earlier attempt or in this one; where those of a clip are lost, nothing stands in
    place of a sum that lacks them."""
    assert 0 <= seconds_of_scoring(cell_of(tmp_path)) < 100
    first = tmp_path / "scores" / "01.json"
    write_json(first, read_json(first, "seconds") | {"seconds": 1000.0})
    (tmp_path / "scores" / "02.npz").unlink()
    resumed = cell_of(tmp_path)
    assert 1000 <= seconds_of_scoring(resumed) < 1100
    assert resumed.scored == ["02"]
    first.unlink()
    unknown = cell_of(tmp_path)
    unknown.record.seconds["score"] = 1.0
    assert seconds_of_scoring(unknown) is None


def test_scores_of_epochs_are_not_counted_as_fitting(tmp_path, monkeypatch):
    """The training waits for them."""
    cell = cell_of(tmp_path)
    now = [0.0]
    monkeypatch.setattr("bench.engine.measured_cost.time.monotonic", lambda: now[0])
    cell.fit_clock.start()
    scored = cell.score

    def slow(*what):
        now[0] += 50.0
        return scored(*what)

    cell.score = slow
    cell.context = make_context(0, Compute("cpu"), tmp_path)
    EpochScoreKeeper.before_fitting(cell)
    now[0] += 7.0
    cell.context.after_epoch(1)
    assert cell.scored == ["01", "02"]
    assert cell.fit_clock.seconds == 7.0
