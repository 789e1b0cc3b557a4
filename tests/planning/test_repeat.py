"""`bench run --from`: a published run is repeated exactly, or refused with what differs. No
torch."""

import json
import shutil
import subprocess
from pathlib import Path

import forked
import pytest
from forked import TOYS

from bench.errors import RequestError
from bench.planning.repeat import part_of
from bench.plugins.registry import load
from bench.runs.folder import Run


def bench(place: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return forked.bench("run", "--plugin", str(TOYS), "--data", "data", *more, cwd=place)


def make(place: Path) -> None:
    """A run of two commands: one method with two seeds, another with one."""
    for methods, seeds in (("brightness", "0,3"), ("frame-index", "0")):
        words = ("--methods", methods, "--datasets", "toy", "--seeds", seeds, "--threads", "1")
        done = bench(place, *words, "--out", "made")
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def made(place, once) -> Path:
    """A copy of that run, beside its dataset."""
    return Path(shutil.copytree(once("repeated", make) / "made", place / "made"))


def change(made: Path, **entries) -> None:
    manifest = json.loads((made / "run.json").read_text())
    for key, value in entries.items():
        manifest[key] = value(manifest[key])
    (made / "run.json").write_text(json.dumps(manifest))


def test_a_run_is_repeated_bit_by_bit(place, made):
    """Every cell again, with its seeds, in a folder of its own; the scores are compared at the end.
    The same line goes on."""
    done = bench(place, "--from", "made/run.json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "scores of 3 cells: those of made, bit by bit" in done.stdout
    first, again = Run.open(made), Run.open(place / "results" / "made-again")
    assert {cell.folder for cell in first.cells()} == {cell.folder for cell in again.cells()}
    assert [cell.attempts for cell in again.cells()] == [1, 1, 1]
    assert bench(place, "--from", "made").returncode == 0
    assert [cell.attempts for cell in again.cells()] == [1, 1, 1]


def test_other_scores_are_told(place, made):
    """Somebody's scores that these cells do not give."""
    cell = next(cell for cell in Run.open(made).cells() if cell.seed == 3)
    scores = Run.open(made).scores(cell)
    for result in scores.values():
        result.values[0] += 0.5
    Run.open(made).write_scores(cell, scores)
    done = bench(place, "--from", "made/run.json")
    assert "scores of 2 cells: those of made" in done.stdout
    assert f"  {cell.label} on toy, seed 3: differs by up to 0.5" in done.stdout


def test_other_commits_are_told(place, made):
    """Those of the cells, not of the last command."""

    def begun(cells):
        return [
            cell | {"git": commit}
            for cell, commit in zip(cells, ("a" * 40, "b" * 40 + "+", "b" * 40 + "+"))
        ]

    change(made, cells=begun)
    done = bench(place, "--from", "made/run.json", "--dry-run")
    assert f"note: the run was made at commits {'a' * 12}, {'b' * 12}, here is " in " ".join(
        done.stdout.split()
    )


def test_what_differs_is_refused_before_work(place, made):
    """Versions, the dataset, and parameters: all at once, each by name."""

    def other(cells):
        cells[0]["key"] |= {"dataset": "0" * 64}
        cells[1]["key"]["parameters"] = {"depth": 7}
        cells[2]["key"]["version"] = 99
        return cells

    change(made, versions=lambda versions: {**versions, "numpy": "0.1", "gone": "3"}, cells=other)
    done = bench(place, "--from", "made/run.json")
    assert done.returncode == 2
    for text in (
        "made/run.json cannot be repeated here exactly:",
        "numpy: the run was made with 0.1, here is ",
        "gone: the run was made with 3, here is not installed",
        "toy: the run saw another copy (fingerprint 000000000000, here ",
        "depth was 7, here None",
        "another version (then '99', here '",
    ):
        assert text in done.stderr, text
    assert not (place / "results").exists()


def test_options_that_the_run_has_decided_are_refused(place, made):
    """A run with another seed is not the same run."""
    done = bench(place, "--from", "made/run.json", "--profile", "smoke", "--force", "brightness")
    assert (
        done.returncode == 2
        and "--from repeats a run as it was; leave out --profile, --force" in done.stderr
    )


def test_a_part_is_repeated(place, made):
    """What --methods, --datasets and --seeds name, compared alone; the rest goes to the same
    folder, later."""
    part = ("--methods", "brightness", "--datasets", "toy", "--seeds", "3")
    done = bench(place, "--from", "made", *part)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "scores of 1 cell: those of made, bit by bit" in done.stdout
    again = Run.open(place / "results" / "made-again")
    assert [(cell.label, cell.seed) for cell in again.cells()] == [("brightness", 3)]
    done = bench(place, "--from", "made", "--methods", "trivial")
    assert "scores of 1 cell: those of made, bit by bit" in done.stdout
    assert len(Run.open(place / "results" / "made-again").cells()) == 2


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({}, ["brightness 0", "brightness 3", "frame-index 0"]),
        ({"methods": "frame-index"}, ["frame-index 0"]),
        ({"methods": "frame-index,brightness"}, ["brightness 0", "brightness 3", "frame-index 0"]),
        ({"methods": "all,-brightness"}, ["frame-index 0"]),
        ({"methods": "trivial", "datasets": "toy"}, ["frame-index 0"]),
        ({"seeds": [3]}, ["brightness 3"]),
    ],
)
def test_parts_by_name(made, part, expected):
    """Rows, registered names, groups; what is taken away."""
    cells = part_of(Run.open(made), load([TOYS]), **part)
    assert [f"{cell.label} {cell.seed}" for cell in cells] == expected


def test_parts_that_are_not_there(made):
    """Each mistake, with what there is."""
    with pytest.raises(RequestError) as error:
        part_of(Run.open(made), load([TOYS]), "brightnes,pca", "toi", [5])
    assert error.value.mistakes == (
        "--from: the run has no method 'brightnes' - did you mean 'brightness'? (there are brightness, frame-index)",
        "--from: the run has no method 'pca' (there are brightness, frame-index)",
    )
    with pytest.raises(RequestError, match="no dataset 'toi' - did you mean 'toy'"):
        part_of(Run.open(made), load([TOYS]), datasets="toi")
    with pytest.raises(RequestError, match=r"no seed 5 of these cells \(there are 0, 3\)"):
        part_of(Run.open(made), load([TOYS]), seeds=[5])
    with pytest.raises(RequestError, match="has no cell of all that is named"):
        part_of(Run.open(made), load([TOYS]), "brightness,-brightness")


def test_no_run_json_is_refused(place):
    """Absent, another file, or of a later version."""
    assert "there is no" in bench(place, "--from", "nothing/run.json").stderr
    (place / "run.json").write_text('{"format": 99}')
    assert (
        "has format 99, this version of bench reads 1" in bench(place, "--from", "run.json").stderr
    )
    (place / "run.json").write_text('{"format": 1, "cells": []}')
    done = bench(place, "--from", "run.json")
    assert (
        done.returncode == 2
        and "names no cells; give the run.json of a run, or its folder" in done.stderr
    )
