"""The run folder: what is written is read back, and what is damaged is said."""

import json

import numpy as np
import pytest

from bench import RunError, Scores
from bench.runs.files import write_text
from bench.runs.folder import CellRecord, DatasetRecord, Run, find_runs


def cell(**changes) -> CellRecord:
    values = {
        "folder": "cells/pca/ped2/0",
        "method": "pca",
        "label": "pca",
        "selector": "pca",
        "dataset": "ped2",
        "dataset_folder": "ped2",
        "seed": 0,
    }
    return CellRecord(**{**values, **changes})


@pytest.fixture
def run(tmp_path) -> Run:
    run = Run(tmp_path / "run")
    run.write_manifest({"cells": [vars(cell())], "request": {}})
    return run


def test_planned_cell_is_queued_until_it_has_a_file(run):
    """A cell without cell.json is as it was planned; afterwards its file counts."""
    assert [found.status for found in run.cells()] == ["queued"]
    run.write_cell(cell(status="done", attempts=2, seconds={"fit": 1.5}))
    (found,) = run.cells()
    assert (found.status, found.attempts, found.seconds) == ("done", 2, {"fit": 1.5})


@pytest.mark.parametrize("content", ["{", "[]", '{"status": "done"}', "\x00\x01", ""])
def test_damaged_cell_json_is_a_failed_cell_with_the_way_out(run, content):
    """A damaged cell.json costs its cell, says which file, and what repeats it."""
    run.write_cell(cell())
    path = run.path / "cells/pca/ped2/0/cell.json"
    path.write_text(content)
    (found,) = run.cells()
    assert found.status == "failed"
    assert str(path) in found.reason
    assert "the same `bench run` line repeats this cell" in found.reason


def test_cell_that_names_a_folder_outside_is_refused(run):
    """A path in a file never leads out of the run."""
    run.write_cell(cell())
    path = run.path / "cells/pca/ped2/0/cell.json"
    path.write_text(json.dumps({**vars(cell()), "folder": "cells/../../elsewhere"}))
    assert "outside of the run" in run.cells()[0].reason


def test_scores_are_kept_as_they_are(run):
    """Values come back as float32 and frames as int32, by clip."""
    record = cell()
    run.write_scores(record, {"01": Scores(np.array([0.5, 2.0]), np.array([3, 4])), "02": Scores(np.zeros(0), np.zeros(0, dtype=int))})
    found = run.scores(record)
    assert list(found) == ["01", "02"]
    assert found["01"].values.dtype == np.float32
    assert found["01"].frames.dtype == np.int32
    np.testing.assert_array_equal(found["01"].values, [0.5, 2.0])
    np.testing.assert_array_equal(found["01"].frames, [3, 4])
    assert len(found["02"].values) == 0


def test_equal_scores_give_equal_bytes(run):
    """Tables and scores can be compared as files."""
    path = run.path / cell().folder / "scores.npz"
    scores = {"01": Scores(np.arange(4.0), np.arange(4))}
    run.write_scores(cell(), scores)
    first = path.read_bytes()
    run.write_scores(cell(), scores)
    assert path.read_bytes() == first


@pytest.mark.parametrize("cut", [0, 10, -30])
def test_damaged_scores_name_the_file(run, cut):
    """A truncated scores.npz is an error with its path."""
    run.write_scores(cell(), {"01": Scores(np.arange(40.0), np.arange(40))})
    path = run.path / cell().folder / "scores.npz"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(RunError, match=r"scores\.npz cannot be read"):
        run.scores(cell())


def test_dataset_comes_back(run):
    """Clips, labels and facts of a dataset survive, in order."""
    labels = {"mat": {"02": np.array([0, 1], np.uint8), "01": np.array([1, 1, 0], np.uint8)}}
    record = DatasetRecord(
        "avenue", "avenue", (("02", 2, "a"), ("01", 3, "b")), "f" * 64, ("mat",), labels, 0.5, "labels", {"train": "none"}, {}
    )
    run.write_dataset(record)
    found = run.dataset("avenue")
    assert found.clips == record.clips
    assert (found.share, found.lengths_from, found.problems, found.has_scenes) == (0.5, "labels", {"train": "none"}, True)
    np.testing.assert_array_equal(found.labels["mat"]["01"], [1, 1, 0])


def test_run_of_a_newer_format_is_refused(run):
    """A file of another version is refused with both versions, not misread."""
    manifest = run.manifest
    write_text(run.path / "run.json", json.dumps({**manifest, "format": 99}))
    with pytest.raises(RunError, match="has format 99, this version of bench reads 1"):
        Run.open(run.path)


def test_folder_without_a_run_is_refused(tmp_path):
    """A wrong path is told apart from a damaged run."""
    with pytest.raises(RunError, match="is no run: it has no run.json"):
        Run.open(tmp_path)


def test_runs_are_found_newest_first(tmp_path):
    """Names are dates, so the newest is the last by name."""
    for name in ("20260101-120000", "20260301-120000", "20260201-120000"):
        Run(tmp_path / name).write_manifest({"cells": []})
    assert [run.path.name for run in find_runs(tmp_path)] == ["20260301-120000", "20260201-120000", "20260101-120000"]
    assert find_runs(tmp_path / "nothing") == []


def test_failed_write_leaves_the_old_file(tmp_path):
    """Where a file cannot be written, the text names it and the old content stays."""
    folder = tmp_path / "taken"
    folder.write_text("a file where a folder should be")
    with pytest.raises(RunError, match=r"cannot write .*taken.*--out"):
        write_text(folder / "x.txt", "new")
    assert folder.read_text() == "a file where a folder should be"
