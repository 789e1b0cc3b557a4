"""Runs of `bench run` that are added to, asked twice, or changed on the disk between two
commands."""

import json

import numpy as np
import pytest
from forked import bench as bench_command
from forked import toy_words

from bench import Scores
from bench.files.checksums import digest_of, seal_is_broken
from bench.files.whole_files import read_json
from bench.runs.folder import Run
from bench.runs.scores import write_scores


def bench(place, methods, *more):
    return bench_command(*toy_words(methods, "--out", "run", *more), cwd=place)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A finished run of two cells."""
    place = tmp_path_factory.mktemp("whole")
    (place / "data").mkdir()
    done = bench(place, "brightness,steady")
    assert done.returncode == 0, done.stdout + done.stderr
    return Run.open(place / "run")


def test_scores_and_labels_have_checksums(whole):
    """In cell.json, in the dataset's file and in run.json; each JSON file has one of itself."""
    (dataset,) = (whole.path / "datasets").glob("*.json")
    about = json.loads(dataset.read_text())
    assert about["checksums"] == {
        f"{dataset.stem}.npz": digest_of(dataset.with_suffix(".npz"))
    } and not seal_is_broken(about)
    expected = {
        f"datasets/{dataset.stem}{end}": digest_of(dataset.with_suffix(end))
        for end in (".json", ".npz")
    }
    for cell in whole.cells():
        path = whole.cell_path(cell)
        assert cell.checksums["scores.npz"] == digest_of(path / "scores.npz")
        assert set(cell.checksums) == {
            file.name for file in path.iterdir() if file.name in ("scores.npz", "training.csv")
        }
        expected |= {
            f"{cell.folder}/{name}": digest_of(path / name) for name in ("cell.json", "scores.npz")
        }
    assert whole.manifest.checksums == expected and not seal_is_broken(
        read_json(whole.manifest_file, "run")
    )


def test_changed_scores_are_no_number_and_the_cell_is_computed_again(whole):
    """A file that is whole and was not written by the cell."""
    cell = whole.cells()[0]
    honest = whole.scores(cell)
    path = whole.cell_path(cell) / "scores.npz"
    write_scores(
        path,
        {
            clip: Scores(scores.values[::-1].copy(), scores.frames)
            for clip, scores in honest.items()
        },
    )
    place = whole.path.parent
    done = bench(place, "brightness,steady")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [cell.attempts for cell in whole.cells()] == [2, 1]
    for clip, scores in whole.scores(whole.cells()[0]).items():
        np.testing.assert_array_equal(scores.values, honest[clip].values)


def test_another_protocol_of_a_second_command_leaves_the_tables_of_the_first(whole):
    """Its own are in a folder of its name; the run keeps the protocol that it was begun with."""
    before = (whole.report.tables() / "comparison.txt").read_text()
    done = bench(whole.path.parent, "steady", "--protocol", "raw")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Protocol raw" in done.stdout
    assert "tables/raw/: all.tex, comparison.{md,tex,txt}" in done.stdout
    assert (whole.report.tables() / "comparison.txt").read_text() == before
    assert "Protocol raw" in (whole.report.tables() / "raw" / "comparison.txt").read_text()
    assert Run.open(whole.path).manifest.protocol == "median17"
