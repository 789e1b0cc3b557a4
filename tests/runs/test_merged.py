"""Several runs read as one."""

import numpy as np
import pytest

from bench import RunError, Scores
from bench.plugins.registry import load
from bench.runs.folder import Run
from bench.runs.manifest import Manifest
from bench.runs.merged import MergedRun
from bench.runs.records import CellRecord, DatasetRecord
from bench.tables.kinds import open_source

LABELS = (np.arange(40) % 8 >= 4).astype(np.uint8)


def make(path, *cells, fingerprint="f" * 64, dataset=True):
    """`cells`: (label, seed, status, more); done ones get scores that differ by run and label."""
    run = Run(path)
    if dataset:
        run.write_dataset(
            DatasetRecord(
                "made",
                "made",
                (("01", 40, ""),),
                fingerprint,
                ("frame",),
                {"frame": {"01": LABELS}},
            )
        )
    records = []
    for label, seed, status, more in cells:
        record = CellRecord(
            **{"folder": f"cells/{label}/made/{seed}", "method": label, "label": label, "selector": label, "dataset": "made",
               "dataset_folder": "made", "seed": seed, "status": status, "profile": "small", "key": {"method": label, "seed": seed}, **more}
        )  # fmt: skip
        records.append(record)
        run.write_cell(record)
        if status == "done":
            run.write_scores(
                record,
                {"01": Scores(np.random.default_rng(len(label) + seed).random(40), np.arange(40))},
            )
    run.write_manifest(Manifest(cells=[vars(record) for record in records], protocol="raw"))
    return run


def rows(run):
    return [(cell.label, cell.seed, cell.status) for cell in run.cells()]


def test_runs_of_two_machines_join(tmp_path):
    """Seeds made apart become one row, each cell with its own scores; nothing is written into the
    runs."""
    one, two = (
        make(tmp_path / "one", ("pca", 0, "done", {})),
        make(tmp_path / "two", ("pca", 1, "done", {}), ("memae", 0, "done", {})),
    )
    merged = MergedRun(tmp_path / "out", [one, two])
    assert rows(merged) == [("pca", 0, "done"), ("pca", 1, "done"), ("memae", 0, "done")]
    for cell, (run, position) in zip(merged.cells(), ((one, 0), (two, 0), (two, 1))):
        assert np.array_equal(
            merged.scores(cell)["01"].values, run.scores(run.cells()[position])["01"].values
        )
    assert merged.manifest.protocol == "raw" and list(merged.manifests) == [
        "one",
        "two",
    ]
    registry = load()
    table = open_source(
        merged, registry, registry.protocols["raw"], registry.metrics["auc"]
    ).comparison
    assert [(row.name, row.cells[0].seeds) for row in table.rows] == [
        ("pca", 2),
        ("memae", 1),
    ]
    assert not (tmp_path / "out").exists()


def test_the_same_cell_counts_once(tmp_path):
    """The run that finished it wins over the one that did not."""
    one = make(
        tmp_path / "one", ("pca", 0, "failed", {"reason": "stalled"}), ("memae", 0, "done", {})
    )
    two = make(tmp_path / "two", ("pca", 0, "done", {}), ("memae", 0, "done", {}))
    assert rows(MergedRun(tmp_path / "out", [one, two])) == [
        ("pca", 0, "done"),
        ("memae", 0, "done"),
    ]


def test_rows_that_are_not_the_same_are_told_apart(tmp_path):
    """Another profile makes two rows, with all their seeds."""
    one = make(tmp_path / "one", ("pca", 0, "done", {}), ("pca", 1, "done", {}))
    two = make(
        tmp_path / "two", ("pca", 0, "done", {"profile": "medium", "key": {"profile": "medium"}})
    )
    assert rows(MergedRun(tmp_path / "out", [one, two])) == [
        ("pca (one)", 0, "done"),
        ("pca (two)", 0, "done"),
        ("pca (one)", 1, "done"),
    ]


def test_a_row_that_is_split_keeps_all_its_cells(tmp_path):
    """A cell that both runs have belongs to the row of each: without it, the mean of the second
    would be over other seeds.
    """
    one = make(tmp_path / "one", ("pca", 0, "done", {}), ("pca", 1, "done", {}))
    two = make(
        tmp_path / "two",
        ("pca", 0, "done", {}),
        ("pca", 1, "done", {"profile": "medium", "key": {"profile": "medium"}}),
    )
    merged = MergedRun(tmp_path / "out", [one, two])
    assert rows(merged) == [
        ("pca (one)", 0, "done"),
        ("pca (two)", 0, "done"),
        ("pca (one)", 1, "done"),
        ("pca (two)", 1, "done"),
    ]
    registry = load()
    table = open_source(
        merged, registry, registry.protocols["raw"], registry.metrics["auc"]
    ).comparison
    assert [(row.name, row.cells[0].seeds) for row in table.rows] == [
        ("pca (one)", 2),
        ("pca (two)", 2),
    ]


def test_shards_beside_another_row_of_their_name_stay_together(tmp_path):
    """Each lists the cells of the other as queued; together they have every seed."""
    shards = [
        make(tmp_path / name, *(("pca", seed, status, {}) for seed, status in enumerate(statuses)))
        for name, statuses in (("one", ("done", "queued")), ("two", ("queued", "done")))
    ]
    other = make(tmp_path / "three", ("pca", 0, "done", {"profile": "medium", "key": {"a": 1}}))
    assert rows(MergedRun(tmp_path / "out", [*shards, other])) == [
        ("pca (one+two)", 0, "done"),
        ("pca (three)", 0, "done"),
        ("pca (one+two)", 1, "done"),
    ]


@pytest.mark.parametrize("order", ["one two x", "one x two", "x two one"])
def test_runs_without_a_common_cell_are_in_no_row_together_where_it_is_split(tmp_path, order):
    """Whatever the order of the runs: `x` differs from `two`, which agrees with `one`."""
    other = {"key": {"a": 2}}
    made = {
        "one": make(tmp_path / "one", ("pca", 0, "done", {})),
        "two": make(tmp_path / "two", ("pca", 0, "done", {}), ("pca", 1, "done", {})),
        "x": make(tmp_path / "x", ("pca", 1, "done", other)),
    }
    merged = MergedRun(tmp_path / "out", [made[name] for name in order.split()])
    together = "pca (two+one)" if order.startswith("x") else "pca (one+two)"
    assert {(label, seed) for label, seed, _ in rows(merged)} == {
        (together, 0),
        (together, 1),
        ("pca (x)", 1),
    }


def test_a_dataset_that_is_not_there_splits_no_row(tmp_path):
    """Each machine has one dataset: the key of a cell without data lacks the fingerprint, and it
    gives way to the one that ran.
    """
    absent = {"reason": "no frames", "key": {"method": "pca", "seed": 0, "fingerprint": ""}}
    other = {"dataset": "other", "folder": "cells/pca/other/0"}
    neither = {"dataset": "neither", "folder": "cells/pca/neither/0"}
    one, two = (
        make(
            tmp_path / name,
            ("pca", 0, here, {} if here == "done" else absent),
            ("pca", 0, there, other | ({} if there == "done" else absent)),
            ("pca", 0, "no data", absent | neither),
        )
        for name, here, there in (("one", "done", "no data"), ("two", "no data", "done"))
    )
    for runs in ([one, two], [two, one]):
        found = {
            (cell.label, cell.dataset, cell.status, cell.reason)
            for cell in MergedRun(tmp_path / "out", runs).cells()
        }
        assert found == {
            ("pca", "made", "done", ""),
            ("pca", "other", "done", ""),
            ("pca", "neither", "no data", "no frames"),
        }


@pytest.mark.parametrize("turned", [False, True])
def test_of_the_same_cell_the_version_that_tells_most_counts(tmp_path, turned):
    """A shard lists the cells of the others as queued: that hides no failure."""
    order = ["done", "failed", "interrupted", "running", "queued", "published only", "no data"]
    states = [(first, later) for n, first in enumerate(order) for later in order[n + 1 :]]
    sides = zip(*(pair[::-1] if turned else pair for pair in states))
    runs = [
        make(tmp_path / name, *(("pca", seed, state, {}) for seed, state in enumerate(of_run)))
        for name, of_run in zip(("one", "two"), sides)
    ]
    merged = MergedRun(tmp_path / "out", runs)
    assert [cell.status for cell in merged.cells()] == [first for first, _ in states]


def test_other_copies_of_a_dataset_are_refused(tmp_path):
    """Numbers on different frames do not compare; the advice names the dataset as it is selected."""
    named = {"dataset": "made[path=x]"}
    runs = [
        make(tmp_path / "one", ("pca", 0, "done", named)),
        make(tmp_path / "two", ("pca", 1, "done", named), fingerprint="e" * 64),
    ]
    with pytest.raises(
        RunError,
        match=r"one and two contain different copies of made\[path=x\] \(fingerprints f{12} and e{12}\): their numbers cannot be compared. `bench verify 'made\[path=x\]'`",
    ):
        MergedRun(tmp_path / "out", runs)


def test_runs_of_one_name_are_refused(tmp_path):
    """Rows are named after their run."""
    runs = [make(tmp_path / place / "run", ("pca", 0, "done", {})) for place in "ab"]
    with pytest.raises(
        RunError,
        match="several runs are called run; copy one of them to a folder with another name",
    ):
        MergedRun(tmp_path / "out", runs)


def test_a_run_without_the_dataset_keeps_its_reason(tmp_path):
    """Where nothing was prepared there is no number, and the cell says why."""
    one = make(tmp_path / "one", ("pca", 0, "done", {}))
    two = make(tmp_path / "two", ("memae", 0, "no data", {"reason": "no frames"}), dataset=False)
    merged = MergedRun(tmp_path / "out", [one, two])
    assert rows(merged)[1] == ("memae", 0, "no data")
    with pytest.raises(RunError, match="dataset other: none of one, two has it"):
        merged.dataset("other")
