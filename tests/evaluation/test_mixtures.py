"""Rows that join cells which were not made alike carry a footnote, in every table that has a number
of them."""

from dataclasses import replace

import pandas as pd
import pytest
from made_run import done, make_run

from bench.evaluation.measurements import joined
from bench.evaluation.mixtures import mixtures
from bench.plugins.registry import load
from bench.reporting.report_writer import write_tables
from bench.runs.records import CellRecord
from bench.tables.kinds import KINDS, open_source

REGISTRY = load()
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def source_of(run):
    return open_source(run, REGISTRY, REGISTRY.protocols["median17"], REGISTRY.metrics["auc"])


def notes_of(table, label):
    texts = dict(table.footnotes)
    return [
        texts[letter]
        for row in table.rows
        if row.name == label
        for cell in row.cells
        for letter in cell.notes
    ]


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"source_sha256": "ab" * 32}, "the method's file unknown (seed 0), abababab (seeds 1, 2)"),
        ({"git": COMMIT}, "commit unknown (seed 0), 0123456789 (seeds 1, 2)"),
        ({"git": COMMIT + "+"}, "commit unknown (seed 0), 0123456789+ (seeds 1, 2)"),
        ({"threads": 2}, "threads 1 (seed 0), 2 (seeds 1, 2)"),
        ({"device": "cuda"}, "device cpu (seed 0), cuda (seeds 1, 2)"),
        ({"key": {"precision": "bf16"}}, "precision fp32 (seed 0), bf16 (seeds 1, 2)"),
        ({"key": {"compile": True}}, "compile none (seed 0), True (seeds 1, 2)"),
        ({"key": {"accumulate": 2}}, "accumulate none (seed 0), 2 (seeds 1, 2)"),
        ({"key": {"dataset": "f" * 64}}, "dataset none (seed 0), ffffffff (seeds 1, 2)"),
        ({"profile": "medium"}, "profile small (seed 0), medium (seeds 1, 2)"),
        ({"parameters": {"batch": 4}}, "parameter batch none (seed 0), 4 (seeds 1, 2)"),
        ({"detector": "motion"}, "detector none (seed 0), motion (seeds 1, 2)"),
    ],
)
def test_what_the_seeds_of_a_row_differ_in_is_said(tmp_path, more, text):
    """In the comparison and in summary.csv; rows of one kind have no such note."""
    cells = [
        done("net", 0.5, seed=2, **more),
        done("net"),
        done("net", 0.4, seed=1, **more),
        done("other"),
        done("other", seed=1),
    ]
    run = make_run(tmp_path / "run", cells)
    table = source_of(run).comparison
    said = f"its cells were not made alike: {text}"
    assert said in notes_of(table, "net")
    assert not any("alike" in note for note in notes_of(table, "other"))
    write_tables(run, REGISTRY)
    flags = pd.read_csv(run.report.tables() / "summary.csv").groupby("method")["flags"].first()
    assert said in flags["net"] and "alike" not in str(flags["other"])


@pytest.mark.parametrize("kind", ["intervals", "protocols", "scenes", "speed"])
def test_other_tables_carry_it_too(tmp_path, kind):
    """At the first number of the row, naming the dataset."""
    network = {
        "cost": {"parameters": 1e6, "peak_memory": 2.0**30},
        "seconds": {"fit": 1.0, "score": 1.0},
    }
    run = make_run(
        tmp_path / "run",
        [done("net", **network), done("net", seed=1, threads=4, **network)],
        scenes=("a", "a", "b"),
    )
    for table in KINDS[kind].make(source_of(run)):
        assert notes_of(table, "net") == [
            "made: its cells were not made alike: threads 1 (seed 0), 4 (seed 1)"
        ]


def test_models_of_scenes_are_joined_whole():
    """Clips without a score and deviations of every scene, each deviation once."""
    first, second = (
        replace(
            CellRecord(f"cells/x/{scene}", "x", "x", "x", "made", "made", 0, status="done"),
            scene=scene,
            clips_left_out=[f"{scene}1"],
            deviations=["resized", f"only in {scene}"],
        )
        for scene in ("a", "b")
    )
    whole = joined([first, second])
    assert whole.clips_left_out == ["a1", "b1"]
    assert whole.deviations == ["resized", "only in a", "only in b"]


def test_models_of_scenes_are_cells_of_one_row(tmp_path):
    """One seed, and another number of threads for one scene."""
    run = make_run(
        tmp_path / "run",
        [done("net", scene="a"), done("net", scene="b", threads=2)],
        scenes=("a", "a", "b"),
    )
    assert (
        "its cells were not made alike: threads 1 (seed 0 scene a), 2 (seed 0 scene b)"
        in notes_of(source_of(run).comparison, "net")
    )


def test_columns_of_a_row_that_were_computed_differently_are_marked(tmp_path):
    """Each number of it; parameters differ from dataset to dataset as they may."""
    second = {
        "dataset": "second",
        "folder": "cells/net/second/0",
        "threads": 2,
        "parameters": {"size": 3},
    }
    run = make_run(tmp_path / "run", [done("net"), done("net", **second)])
    (row,) = source_of(run).comparison.rows
    texts = dict(source_of(run).comparison.footnotes)
    for cell in row.cells:
        assert "its columns were not made alike: threads 1 (made), 2 (second)" in [
            texts[letter] for letter in cell.notes
        ]


def test_a_failed_seed_is_no_mixture(tmp_path):
    """What has no number takes no part."""
    run = make_run(
        tmp_path / "run", [done("net"), ("net", 1, "failed", "it fell", 0, {"threads": 7})]
    )
    assert not any("alike" in text for _, text in source_of(run).comparison.footnotes)
    assert mixtures([]) == ""


def test_deviations_of_any_seed_are_said(tmp_path):
    """Those that all have plainly, others with their seed; the smallest share of the data
    counts."""
    run = make_run(
        tmp_path / "run",
        [
            done("net", deviations=["a"], data_share=1.0),
            done("net", seed=1, deviations=["a", "b"], data_share=0.5),
        ],
    )
    notes = notes_of(source_of(run).comparison, "net")
    assert "a" in notes and "seed 1: b" in notes and "seed 0: a" not in notes
    write_tables(run, REGISTRY)
    assert "50 % of the data" in pd.read_csv(run.report.tables() / "summary.csv")["flags"][0]
