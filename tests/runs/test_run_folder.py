"""The run folder: what is written is read back, and what is damaged is said."""

import io
import json
import os

import numpy as np
import pytest

from bench import RunError, Scores
from bench.files.whole_files import npz, write_bytes, write_text
from bench.runs.folder import Run, find_runs
from bench.runs.manifest import Manifest
from bench.runs.records import CellRecord, DatasetRecord


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
    run.write_manifest(Manifest(cells=[vars(cell())]))
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
    run.write_scores(
        record,
        {
            "01": Scores(np.array([0.5, 2.0]), np.array([3, 4])),
            "02": Scores(np.zeros(0), np.zeros(0, dtype=int)),
        },
    )
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
        "avenue",
        "avenue",
        (("02", 2, "a"), ("01", 3, "b")),
        "f" * 64,
        ("mat",),
        labels,
        0.5,
        "labels",
        {"train": "none"},
        {},
    )
    run.write_dataset(record)
    found = run.dataset("avenue")
    assert found.clips == record.clips
    assert (found.share, found.lengths_from, found.problems, found.has_scenes) == (
        0.5,
        "labels",
        {"train": "none"},
        True,
    )
    np.testing.assert_array_equal(found.labels["mat"]["01"], [1, 1, 0])


def test_run_of_a_newer_format_is_refused(run):
    """A file of another version is refused with both versions, not misread."""
    manifest = run.manifest
    write_text(run.path / "run.json", json.dumps({**vars(manifest), "format": 99}))
    with pytest.raises(RunError, match="has format 99, this version of bench reads 1"):
        Run.open(run.path)


def test_folder_without_a_run_is_refused(tmp_path):
    """A wrong path is told apart from a damaged run."""
    with pytest.raises(RunError, match="is not a run: it has no run.json"):
        Run.open(tmp_path)


def test_runs_are_found_newest_first(tmp_path):
    """By when `bench run` was last asked for them, whatever their names."""
    for name, when in (("20260101-120000", 300), ("station", 100), ("20260201-120000", 200)):
        Run(tmp_path / name).write_manifest(Manifest(cells=[]))
        os.utime(tmp_path / name / "run.json", (when, when))
    assert [run.path.name for run in find_runs(tmp_path)] == [
        "20260101-120000",
        "20260201-120000",
        "station",
    ]
    assert find_runs(tmp_path / "nothing") == []


def test_failed_write_leaves_the_old_file(tmp_path):
    """Where a file cannot be written, the text names it and the old content stays."""
    folder = tmp_path / "taken"
    folder.write_text("a file where a folder should be")
    with pytest.raises(RunError, match=r"cannot write .*taken.*--out"):
        write_text(folder / "x.txt", "new")
    assert folder.read_text() == "a file where a folder should be"


WRONG = {
    "seconds": {"total": "long"},
    "cost": {"parameters": [1]},
    "ablation": ["c3dsu"],
    "published": {"auc": "69"},
    "warnings": ["good", 5],
    "label": None,
    "seed": True,
    "threads": 2**70,
    "folder": "cells/pca/ped2/0\x00",
    "dataset_folder": "../../elsewhere",
}


@pytest.mark.parametrize("field", WRONG)
def test_cell_json_with_a_field_of_another_type(run, field):
    """Every field is what it is declared to be, or its cell is failed and the file named: tables
    and `bench status` trust them."""
    run.write_cell(cell())
    path = run.path / "cells/pca/ped2/0/cell.json"
    path.write_text(json.dumps({**vars(cell()), field: WRONG[field]}))
    (found,) = run.cells()
    assert found.status == "failed"
    assert str(path) in found.reason


@pytest.mark.parametrize(
    "content", ['{"seconds": NaN}', '{"seed": ' + "9" * 5000 + "}", '{"folder": ' + "[" * 20_000]
)
def test_json_that_is_none_names_its_file(run, content):
    """NaN is no JSON; a number of thousands of digits and brackets within brackets are nothing that
    Python reads."""
    run.write_cell(cell())
    path = run.path / "cells/pca/ped2/0/cell.json"
    path.write_text(content)
    assert str(path) in run.cells()[0].reason


@pytest.mark.parametrize(
    "change",
    [
        {"cells": [[]]},
        {"cells": None},
        {"datasets": ["ped2"]},
        {"command": 5},
        {"protocol": []},
        {"versions": []},
    ],
)
def test_run_json_with_a_field_of_another_type(run, change):
    """It is refused with the file and the field."""
    write_text(run.path / "run.json", json.dumps({**vars(run.manifest), **change}))
    with pytest.raises(RunError, match=rf"run\.json is damaged: .* at `\$\.{next(iter(change))}"):
        Run.open(run.path)


def dataset(**changes) -> dict:
    clips = [{"id": "01", "length": 3, "scene": ""}]
    fields = {
        "name": "ped2",
        "label": "ped2",
        "fingerprint": "f",
        "share": 1.0,
        "label_sets": ["x"],
        "lengths_from": "frames",
        "clips": clips,
    }
    return {**fields, "problems": {}, "tracks": {}, **changes}


@pytest.mark.parametrize(
    "change",
    [
        {"clips": [{"id": "01", "length": 10**40, "scene": ""}]},
        {"resolution": [5]},
        {"frame_rate": "x"},
        {"share": 10**400},
        {"problems": []},
    ],
)
def test_dataset_json_with_a_field_that_cannot_be(run, change):
    """It is refused with the file."""
    write_bytes(run.path / "datasets/ped2.npz", npz({"x/01": np.zeros(3, np.uint8)}))
    write_text(run.path / "datasets/ped2.json", json.dumps(dataset(**change)))
    with pytest.raises(RunError, match=r"ped2\.json"):
        run.dataset("ped2")


@pytest.mark.parametrize(
    "labels",
    [
        np.zeros(2, np.uint8),
        np.zeros((3, 1), np.uint8),
        np.array(0, np.uint8),
        np.array([0, 1, 2], np.uint8),
        np.zeros(3),
    ],
)
def test_labels_of_a_dataset_that_do_not_fit_their_clip(run, labels):
    """Labels that are too short, of another shape or no 0/1 are refused with the file, not
    counted."""
    write_bytes(run.path / "datasets/ped2.npz", npz({"x/01": labels}))
    write_text(run.path / "datasets/ped2.json", json.dumps(dataset()))
    with pytest.raises(RunError, match=r"ped2\.npz"):
        run.dataset("ped2")


@pytest.mark.parametrize(
    ("values", "frames"),
    [
        (np.zeros((3, 1), np.float32), np.arange(3, dtype=np.int32)),
        (np.zeros(3, np.float32), np.arange(2, dtype=np.int32)),
        (np.zeros(3, np.float64), np.arange(3, dtype=np.int32)),
        (np.full(3, np.nan, np.float32), np.arange(3, dtype=np.int32)),
        (np.zeros(3, np.float32), np.array([2, 1, 0], np.int32)),
        (np.zeros(3, np.float32), np.array([-1, 1, 2], np.int32)),
    ],
)
def test_scores_that_no_method_can_have_written(run, values, frames):
    """They are refused with the file and the clip, before a number is made of them."""
    write_bytes(run.path / cell().folder / "scores.npz", npz({"01": values, "01.frames": frames}))
    with pytest.raises(RunError, match=r"scores\.npz.*clip 01"):
        run.scores(cell())


def test_run_json_without_its_command(run):
    """`bench status` and the tables go on with what such a run has for certain."""
    assert (run.manifest.command, run.manifest.protocol) == ("bench run", "median17")


def test_digit_that_changed_in_cell_json_is_noticed(run):
    """A number that is as good as another is not what was written: a checksum tells."""
    run.write_cell(cell(status="done", attempts=2, data_share=0.5))
    path = run.path / "cells/pca/ped2/0/cell.json"
    path.write_text(path.read_text().replace("0.5", "0.9"))
    assert (run.cells()[0].status, str(path) in run.cells()[0].reason) == ("failed", True)
    assert "its content is not what was written" in run.cells()[0].reason


def test_cells_are_found_without_run_json(run):
    """Those whose own files can be read, where they say they belong."""
    run.write_cell(cell(status="done"))
    run.write_cell(cell(folder="cells/pca/ped2/1", seed=1))
    (run.path / "run.json").write_text("{")
    (run.path / "cells/pca/ped2/2").mkdir()
    (run.path / "cells/pca/ped2/2/cell.json").write_text("{")
    assert [(found.seed, found.status) for found in run.cells_left()] == [
        (0, "done"),
        (1, "queued"),
    ]


def test_arrays_are_written_as_numpy_writes_them_whatever_their_names():
    """Byte by byte; and under the names of numpy's own parameters, which it refuses or swallows."""
    arrays = {
        "01": np.arange(5, dtype=np.float32),
        "01.frames": np.arange(5),
        "gärten 2": np.asfortranarray(np.ones((3, 2))),
    }
    numpys = io.BytesIO()
    np.savez_compressed(numpys, **arrays)
    assert npz(arrays) == numpys.getvalue()
    found = np.load(io.BytesIO(npz({"file": np.ones(2), "allow_pickle": np.zeros(1)})))
    assert {name: found[name].tolist() for name in found} == {"file": [1, 1], "allow_pickle": [0]}
