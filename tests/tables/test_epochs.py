"""The table of epochs, against scikit-learn; and that its numbers stand in no other table."""

import numpy as np
import pytest
from made_run import LENGTHS, done, labels_of, make_run
from sklearn.metrics import roc_auc_score

from bench import Scores
from bench.evaluation.epoch_audit import audit
from bench.evaluation.run_scores import RunScores
from bench.plugins.registry import load
from bench.plugins.selection import select_one
from bench.reporting.report_writer import write_tables
from bench.runs.scores import read_epoch_scores, write_epoch_scores
from bench.scoring.resampling import resamples
from bench.tables.kinds import KINDS, open_source

QUALITIES = {0: (0.2, 0.9, 0.4), 1: (0.7, 0.3, 0.5)}
"""Of each epoch, by seed."""


def epochs_of(seed):
    generator = np.random.default_rng(seed)
    return {
        epoch: {
            clip: Scores(labels * quality + generator.random(len(labels)), np.arange(len(labels)))
            for clip, labels in labels_of().items()
        }
        for epoch, quality in enumerate(QUALITIES[seed], 1)
    }


@pytest.fixture
def run(tmp_path):
    """Two seeds of three epochs, the last of them the scores of the cell; the lowest training loss
    is that of the second epoch."""
    made = make_run(tmp_path / "run", [done("net", seed=0), done("net", seed=1), done("other")])
    for cell in made.cells()[:2]:
        made.write_scores(cell, epochs_of(cell.seed)[3])
        made.files_of(cell).training.write_text("epoch,loss\n1,0.5\n2,0.1\n3,0.2\n")
    return made


def keep_epochs(run):
    for cell in run.cells()[:2]:
        write_epoch_scores(run.files_of(cell).epoch_scores, epochs_of(cell.seed))


def auc(scores, times=None):
    """Of clips, each repeated so often, under `raw`."""
    labels = labels_of()
    repeated = [clip for clip, n in zip(LENGTHS, times or [1] * 3) for _ in range(int(n))]
    return roc_auc_score(
        np.concatenate([labels[clip] for clip in repeated]),
        np.concatenate([scores[clip].values.astype(np.float32) for clip in repeated]),
    )


def test_audit_is_as_scikit_learn_computes_it(run, monkeypatch):
    """Last, oracle and lowest loss, means over seeds; the interval from the same resamples, in each
    of which the best epoch is chosen anew."""
    monkeypatch.setattr("bench.scoring.resampling.RESAMPLES", 20)
    keep_epochs(run)
    raw = select_one("protocols", "raw", load()).make()
    found = audit(run, RunScores(run), [[cell] for cell in run.cells()[:2]], "frame", raw)
    values = {s: [auc(scores) for scores in epochs_of(s).values()] for s in QUALITIES}
    assert found.last == pytest.approx(np.mean([values[s][2] for s in values]))
    assert found.oracle == pytest.approx(np.mean([max(values[s]) for s in values]))
    assert found.by_loss == pytest.approx(np.mean([values[s][1] for s in values]))
    assert found.oracle_epochs == tuple(int(np.argmax(values[s])) + 1 for s in values) == (2, 1)
    assert found.loss_epochs == (2, 2)
    gains = []
    for times in resamples(3, 20):
        drawn = [[auc(of, times.tolist()) for of in epochs_of(s).values()] for s in values]
        gains.append(np.mean([max(of_seed) - of_seed[-1] for of_seed in drawn]))
    assert (found.low, found.high) == pytest.approx(np.quantile(gains, [0.025, 0.975]))


def test_the_oracle_stands_in_no_other_table(run):
    """All other files of the tables are the same, byte for byte, with the epochs and without."""
    kinds = [name for name in KINDS if name not in ("epochs", "ddl-table1", "published-columns")]
    write_tables(run, load(), ["raw"])
    before = {path: path.read_bytes() for path in run.report.tables().rglob("*.*")}
    source = open_source(run, load(), select_one("protocols", "raw", load()).make(), AUC)
    texts = {name: KINDS[name].make(source) for name in kinds}
    assert KINDS["epochs"].make(source) == []
    keep_epochs(run)
    write_tables(run, load(), ["raw"])
    assert {path: path.read_bytes() for path in run.report.tables().rglob("*.*")} == before
    source = open_source(run, load(), source.protocol, AUC)
    assert {name: KINDS[name].make(source) for name in kinds} == texts
    (table,) = KINDS["epochs"].make(source)
    (row,) = table.rows
    assert row.name == "net"
    assert row.cells[1].value > row.cells[0].value
    assert row.cells[-1].value is not None
    assert table.footnotes == []


def epochs_table(run):
    raw = select_one("protocols", "raw", load()).make()
    (table,) = KINDS["epochs"].make(open_source(run, load(), raw, AUC))
    return table


def test_a_seed_without_epoch_scores_leaves_no_mean(run):
    """A mean over the seeds that kept them would stand beside means over all seeds."""
    cell = run.cells()[0]
    write_epoch_scores(run.files_of(cell).epoch_scores, epochs_of(0))
    table = epochs_table(run)
    assert [one.shown + one.mark for one in table.rows[0].cells] == ["-"] * 7
    assert table.footnotes == [
        (
            "a",
            "seed 1 kept no scores of its epochs: `bench run` as before, into the same --out, "
            "with --keep epoch-scores --force 'net' makes them",
        )
    ]


def test_a_damaged_file_costs_one_row(run):
    """Of the scores of epochs, and of the scores of the cell, which is then failed."""
    keep_epochs(run)
    other = run.cells()[2]
    run.write_scores(other, epochs_of(0)[3])
    write_epoch_scores(run.files_of(other).epoch_scores, epochs_of(0))
    files = run.files_of(run.cells()[0])
    for path, mark in ((files.epoch_scores, "-"), (files.scores, "failed")):
        whole = path.read_bytes()
        path.write_bytes(b"x")
        table = epochs_table(run)
        path.write_bytes(whole)
        marks = {row.name: row.cells[0].mark for row in table.rows}
        assert marks == {"net": mark, "other": ""}
        ((_, reason),) = [note for note in table.footnotes if path.name in note[1]]
        assert str(path) in reason


def test_epochs_of_the_models_of_scenes_are_joined(tmp_path):
    """The AUC of all clips, an epoch at a time; the loss of an epoch is the mean of the models'."""
    run = make_run(
        tmp_path / "run", [done("net", scene="a"), done("net", scene="b")], scenes=("a", "b", "b")
    )
    of_scene = {"a": ["01"], "b": ["02", "03"]}
    losses = {"a": (0.5, 0.1, 0.2), "b": (0.1, 0.6, 0.2)}
    for cell in run.cells():
        epochs = {
            epoch: {clip: scores[clip] for clip in of_scene[cell.scene]}
            for epoch, scores in epochs_of(0).items()
        }
        run.write_scores(cell, epochs[3])
        write_epoch_scores(run.files_of(cell).epoch_scores, epochs)
        lines = [f"{epoch},{loss}" for epoch, loss in enumerate(losses[cell.scene], 1)]
        run.files_of(cell).training.write_text("\n".join(["epoch,loss", *lines, ""]))
    table = epochs_table(run)
    (row,) = table.rows
    values = [100 * auc(scores) for scores in epochs_of(0).values()]
    assert row.cells[0].value == pytest.approx(values[2])
    assert row.cells[1].value == pytest.approx(values[1])
    assert row.cells[3].value == pytest.approx(values[2])
    assert (row.cells[2].mark, row.cells[4].mark) == ("2 of 3", "3 of 3")
    assert "an epoch is that of all scenes' models" in table.caption
    cell = run.cells()[1]
    write_epoch_scores(run.files_of(cell).epoch_scores, {1: epochs[1]})
    assert epochs_table(run).footnotes == [
        ("a", "the models of its scenes were trained for different numbers of epochs")
    ]


def test_epochs_are_read_as_written(tmp_path):
    path = tmp_path / "epoch_scores.npz"
    write_epoch_scores(path, epochs_of(0))
    found = read_epoch_scores(path)
    assert found.keys() == {1, 2, 3}
    for epoch, scores in epochs_of(0).items():
        for clip, expected in scores.items():
            assert np.array_equal(found[epoch][clip].values, expected.values.astype(np.float32))


AUC = next(metric for metric in load().metrics.values() if metric.name == "auc")
