"""`bench verify RUN`: every kind of tampering is named, and what is honest is not."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from made_run import make_run
from tampered_run import (
    EVERYTHING,
    REGISTRY,
    TAMPERING,
    edit,
    edit_number,
    edit_scores,
    make_honest,
    one_score,
    record,
)

from bench.cli.commands.verify import command
from bench.cli.run_folders import runs_of
from bench.errors import RequestError
from bench.files.whole_files import write_json
from bench.plugins.registry import load
from bench.reporting.report_writer import write_tables
from bench.reporting.run_verification import verify_run
from bench.runs.folder import Run

RESULTS = Path(__file__).parents[2] / "results"


@pytest.fixture
def run(once, tmp_path):
    return Run(shutil.copytree(once("honest-run", make_it) / "run", tmp_path / "run"))


def make_it(folder):
    make_honest(folder / "run")


def wrong(run):
    return [
        f"{finding.subject}: {finding.text}" for finding in verify_run(run.path, REGISTRY).wrong
    ]


def test_an_honest_run_has_no_finding(run):
    """And neither has one that was added to, or asked again."""
    found = verify_run(run.path, REGISTRY)
    assert found.wrong == [] and found.notes == () and len(found.findings) > 50
    write_tables(run, REGISTRY, ["raw", "median17"], "ap")
    assert wrong(run) == []


@pytest.mark.parametrize("kind", TAMPERING)
def test_tampering_is_named(run, kind):
    """File and place, in the words that a user reads."""
    tamper, expected = TAMPERING[kind]
    tamper(run)
    texts = wrong(run)
    assert any(expected in text for text in texts), texts


def test_thirty_kinds_are_tried():
    """What the documentation promises."""
    assert len(TAMPERING) >= 30


@pytest.mark.parametrize("name", ["ped2-small", "ped2-medium", "ped2-large", "partial-small"])
def test_committed_runs_have_no_false_finding(name):
    """The older ones are of a version without checksums, which is said."""
    found = verify_run(RESULTS / name, EVERYTHING)
    assert found.wrong == []
    assert any("have no checksums" in note for note in found.notes) == (
        name in ("ped2-small", "ped2-medium")
    )


OLD = {
    "a score": (
        lambda run: edit_scores(run, "cells/c3dsu/ped2/0", one_score),
        "tables/results.csv: c3dsu, ped2, 0, frame",
    ),
    "scores swapped": (
        lambda run: [
            (run.path / f"cells/c3dsu/ped2/{seed}/scores.npz").write_bytes(content)
            for seed, content in zip(
                (1, 0),
                [
                    (run.path / f"cells/c3dsu/ped2/{seed}/scores.npz").read_bytes()
                    for seed in (0, 1)
                ],
            )
        ],
        "tables/results.csv: c3dsu, ped2, 0, frame",
    ),
    "a mean": (
        lambda run: edit_number(run.report.tables() / "comparison.txt"),
        "tables/comparison.txt: line",
    ),
    "a seed": (
        lambda run: edit(run.path / "cells/c3dsu/ped2/0/cell.json", '"seed": 0', '"seed": 3'),
        "cells/c3dsu/ped2/0/cell.json",
    ),
    "a fingerprint": (
        lambda run: edit(
            run.path / "datasets" / "ped2.json", '"fingerprint": "7a', '"fingerprint": "7b'
        ),
        "datasets/ped2.json: its fingerprint is not that in run.json",
    ),
}


@pytest.mark.parametrize("kind", OLD)
def test_a_run_without_checksums_is_computed_again(tmp_path, kind):
    """Files that say the same thing are compared, and tables with scores."""
    run = Run(shutil.copytree(RESULTS / "ped2-medium", tmp_path / "run"))
    (run.path / "report.json").unlink()
    tamper, expected = OLD[kind]
    tamper(run)
    assert any(expected in text for text in wrong(run)), wrong(run)


def test_labels_are_compared_with_known_counts(tmp_path):
    """Where labels, checksum and tables were all forged."""
    run = Run(shutil.copytree(RESULTS / "ped2-medium", tmp_path / "run"))
    dataset = run.dataset("ped2")
    labels = {clip: array.copy() for clip, array in dataset.labels["frame"].items()}
    labels["01"][:10] = 1
    run.write_dataset(replace(dataset, labels={"frame": labels}))
    write_tables(run, REGISTRY)
    assert wrong(run) == [
        "datasets/ped2.npz: labels frame of clip 01: 130 anomalous frames, 120 are known"
    ]


def test_plugins_are_asked_for(run, tmp_path):
    """Lines under a protocol that is not known here cannot be computed again: that is a finding,
    until the plugin is given."""
    (tmp_path / "mine.py").write_text(
        "from bench import Protocol, hookimpl\n\n@hookimpl\ndef bench_protocols():\n    return [Protocol('mine', smooth='median', window=5)]\n"
    )
    write_tables(run, load([tmp_path / "mine.py"]), ["mine"])
    (run.path / "report.json").unlink()
    for folder in run.report.tables().glob("*/"):
        shutil.rmtree(folder)
    texts = [finding.text for finding in verify_run(run.path, load()).wrong]
    assert any(
        "mine, ap: such a line is given by no cell under a protocol and metric that are known here (--plugin)"
        in text
        for text in texts
    )
    with_plugin = verify_run(run.path, load([tmp_path / "mine.py"])).wrong
    load()
    assert with_plugin == []


def test_what_the_command_says(run):
    """Exit code 0 or 1, each finding on a line, everything as JSON."""
    found = CliRunner().invoke(command, [str(run.path)])
    assert found.exit_code == 0 and "nothing differs" in found.output
    edit_number(run.report.tables() / "comparison.txt")
    found = CliRunner().invoke(command, [str(run.path)])
    said = " ".join(found.output.split())
    assert (
        found.exit_code == 1
        and "- tables/comparison.txt: line" in said
        and "checks found a difference" in said
    )
    found = CliRunner().invoke(command, [str(run.path), "--json"])
    (value,) = json.loads(found.stdout)
    assert found.exit_code == 1 and not value["ok"] and value["run"] == str(run.path)
    assert {finding["subject"] for finding in value["findings"] if not finding["ok"]} == {
        "tables/comparison.txt"
    }


def test_paths_that_are_no_runs_are_refused(run, tmp_path):
    """By their names; selections of datasets are none."""
    for words in (f"{tmp_path}/nothing", f"{run.path},ped2"):
        with pytest.raises(RequestError, match="is not a run: it has no run.json"):
            runs_of(words)
    assert (
        runs_of(f"{run.path}") == [run.path]
        and runs_of("ped2,avenue") == runs_of("folder[path=a/b]") == []
    )


def test_names_in_run_json_stay_inside(run):
    """A forged checksum of a file elsewhere is refused, not read."""
    manifest = run.manifest
    run.write_manifest(replace(manifest, checksums={"../../etc/passwd": "0", "/etc/passwd": "0"}))
    texts = wrong(run)
    assert (
        "run.json: names '../../etc/passwd', outside of its folder" in texts
        and "run.json: names '/etc/passwd', outside of its folder" in texts
    )


def test_a_run_that_has_not_ended_is_no_tampering(tmp_path):
    """No tables, no checksums in run.json: said, and no finding."""
    made = make_run(
        tmp_path / "run", [record("pca"), ("memae", 0, "interrupted", "stopped by the user", 0, {})]
    )
    found = verify_run(made.path, REGISTRY)
    assert found.wrong == [] and "there are no tables" in found.notes
    write_json(made.path / "cells" / "memae" / "made" / "0" / "progress.json", {})
    assert verify_run(made.path, REGISTRY).wrong == []
