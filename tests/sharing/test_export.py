"""`bench export`: what other programs read gives the numbers of the tables."""

import csv

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from made_run import done, make_run
from sklearn.metrics import roc_auc_score
from tampered_run import REGISTRY

from bench.cli.commands import export as command_module
from bench.evaluation.run_scores import RunScores
from bench.sharing.export import FORMATS, Asked, export_run


@pytest.fixture
def asked(tmp_path):
    """Two seeds, a failure, a method that only its paper measured; two label sets."""
    only = {"published": {"auc": "96.7", "source": "Smith & Co."}, "year": 2020}
    run = make_run(
        tmp_path / "run",
        [
            done("memae", 0.5, citation="gong2019memae", year=2019, needs=["frames", "train"]),
            done("memae", 0.4, seed=1, citation="gong2019memae", needs=["frames", "train"]),
            done("frame-index", 0.1, uses_seed=False, first=5),
            ("mnad", 0, "failed", "out of memory", 0, {}),
            ("mamc", 0, "published only", "no code", 0, only),
        ],
        label_sets=("frame", "pixel"),
    )
    protocol, metric = REGISTRY.protocols["median17"], REGISTRY.metrics["auc"]
    return Asked(run, RunScores(run, REGISTRY), REGISTRY, protocol, metric)


def values(asked):
    """The AUC of each cell, as results.csv has them."""
    return {
        (one.cell.label, one.cell.seed): one.result.value
        for one in asked.run_scores.measure([asked.protocol], [asked.metric])
        if one.label_set == "frame" and one.result.value is not None
    }


def test_frames_give_the_number_of_the_table(asked, tmp_path):
    """scikit-learn's AUC of what is in the npz is the number; frames without a score are left
    out."""
    written = export_run(asked, "npz", tmp_path / "out")
    assert [path.relative_to(tmp_path / "out").as_posix() for path in written] == [
        "made/memae-0.npz", "made/memae-1.npz", "made/frame-index-0.npz",
    ]  # fmt: skip
    expected = values(asked)
    for path, key in zip(written, expected):
        arrays = np.load(path)
        assert {*arrays} == {"clip", "frame", "score", "processed", "label", "label_pixel"}
        assert roc_auc_score(arrays["label"], arrays["processed"]) == pytest.approx(expected[key])
        cell = next(cell for cell in asked.run.cells() if (cell.label, cell.seed) == key)
        scores, record = asked.run.scores(cell), asked.run.dataset("made")
        for clip, found in scores.items():
            own = arrays["clip"] == clip
            np.testing.assert_array_equal(arrays["score"][own], found.values)
            np.testing.assert_array_equal(arrays["frame"][own], found.frames)
            np.testing.assert_array_equal(
                arrays["label_pixel"][own], record.labels["pixel"][clip][found.frames]
            )


def test_a_leaderboard_is_yaml(asked, tmp_path):
    """A file a dataset: percent, spread and seeds; what is copied from a paper says so; a method
    with a failed seed has no entry."""
    (path,) = export_run(asked, "leaderboard", tmp_path / "out")
    found = yaml.safe_load(path.read_text())
    assert path.name == "made.yaml" and found["dataset"] == "made"
    assert found["protocol"].startswith("median17: median over 17 frames")
    entries = {entry["identifier"]: entry for entry in found["entries"]}
    assert [*entries] == ["memae", "frame-index", "mamc"]
    mean = np.mean([value for (label, _), value in values(asked).items() if label == "memae"])
    assert entries["memae"]["score"] == pytest.approx(100 * mean, abs=0.005)
    assert entries["memae"]["seeds"] == [0, 1] and "score_sd" in entries["memae"]
    assert entries["memae"]["score_source"] == "measured" and entries["memae"]["year"] == 2019
    assert entries["memae"]["track"] == "one-class"
    assert (
        entries["frame-index"]["track"] == "training-free" and "seeds" not in entries["frame-index"]
    )
    assert entries["mamc"]["score"] == 96.7
    assert entries["mamc"]["score_source"] == "printed in Smith & Co."


@pytest.mark.parametrize("first", [True, False])
def test_a_printed_number_has_its_own_protocol(tmp_path, first):
    """In either order: the file's protocol and labels are those of what was measured."""
    only = {"published": {"auc": "96.7", "source": "Smith & Co."}, "family": "a"}
    cells = [("mamc", 0, "published only", "no code", 0, only), done("memae", 0.5, family="a")]
    run = make_run(tmp_path / "run", cells if first else cells[::-1])
    protocol, metric = REGISTRY.protocols["median17"], REGISTRY.metrics["auc"]
    asked = Asked(run, RunScores(run, REGISTRY), REGISTRY, protocol, metric)
    (path,) = export_run(asked, "leaderboard", tmp_path / "out")
    found = yaml.safe_load(path.read_text())
    assert found["protocol"].startswith("median17: ") and found["label_set"] == "frame"
    entries = {entry["identifier"]: entry for entry in found["entries"]}
    assert {entries["mamc"][key] for key in ("protocol", "label_set")} == {"that of its paper"}
    assert not {"protocol", "label_set", "dataset", "metric"} & entries["memae"].keys()
    assert not {"dataset", "metric"} & entries["mamc"].keys()


def test_csv_has_the_same_entries(asked, tmp_path):
    """One line each."""
    (path,) = export_run(asked, "csv", tmp_path / "out")
    (board,) = export_run(asked, "leaderboard", tmp_path / "out")
    lines = list(csv.DictReader(path.read_text().splitlines()))
    entries = yaml.safe_load(board.read_text())["entries"]
    assert [(line["identifier"], float(line["score"])) for line in lines] == [
        (entry["identifier"], entry["score"]) for entry in entries
    ]
    assert lines[0]["seeds"] == "0;1" and lines[0]["dataset"] == "made"


def test_the_command(asked, monkeypatch):
    """Writes below the run; a run without a number is told."""
    monkeypatch.setattr(command_module, "load_registry", lambda plugin: REGISTRY)
    (form,) = (one for one in command_module.command.params if one.name == "form")
    assert {*form.type.choices} == {*FORMATS}
    run = asked.run.path
    done_ = CliRunner().invoke(command_module.command, [str(run), "--format", "csv"])
    assert done_.output == f"wrote {run}/export/csv/leaderboard.csv\n"
    make_run(run.parent / "empty", [("mnad", 0, "failed", "fell", 0, {})])
    done_ = CliRunner().invoke(
        command_module.command, [str(run.parent / "empty"), "--format", "leaderboard"]
    )
    assert "no cell has a number under median17; nothing was written" in str(done_.exception)
