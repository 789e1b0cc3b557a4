"""What is computed in a cell: as a key, in another process, and as a command."""

import json
import shlex
from dataclasses import fields, replace

import pytest

from bench.contracts.compute import CHANGES_SCORES, Compute
from bench.planning.cell_spec import CellSpec
from bench.planning.commands import keep_commands
from bench.runs.folder import Run
from bench.runs.manifest import Manifest
from bench.runs.records import CellRecord

OTHER = {
    "nondeterministic": True,
    "device": "cuda:1",
    "threads": 3,
    "accumulate": 2,
    "precision": "bf16",
    "compile": True,
}
SPEC = CellSpec(
    method="net",
    selector="net[width=2]",
    version=4,
    parameters={"width": 2},
    profile="small",
    dataset="ped2",
    fingerprint="f" * 64,
    seed=5,
    files={"weights": "w" * 64},
    keep=("images", "weights"),
    compute=Compute(**OTHER, batch=7),
)


def test_a_worker_gets_the_spec_as_it_is():
    """Through JSON, with every field at another value than its default."""
    assert CellSpec.from_json(json.loads(json.dumps(SPEC.as_json()))) == SPEC


@pytest.mark.parametrize("name", [field.name for field in fields(Compute)])
def test_the_key_has_what_changes_scores_and_nothing_else(name):
    """A way of computing that changes no score is not in the key; one that does is read back."""
    plain = replace(SPEC, compute=Compute())
    other = replace(plain, compute=Compute(**{name: {**OTHER, "batch": 7}[name]}))
    assert (other.key() != plain.key()) == (name in CHANGES_SCORES)
    again = Compute.of_key(other.key(), other.compute.device, other.compute.threads)
    assert replace(again, batch=other.compute.batch) == other.compute


def test_a_command_that_repeats_cells_computes_as_they_did(tmp_path):
    """One line for each way of computing, with all of it."""
    cells = [
        CellRecord(
            folder=f"cells/net/ped2/{seed}", method="net", label="net", selector="net",
            dataset="ped2", dataset_folder="ped2", seed=seed, profile="small",
            device="cpu", threads=threads, key=key,
        )
        for seed, threads, key in ((0, 1, {}), (1, 1, {}), (2, 2, {"precision": "bf16"}))
    ]  # fmt: skip
    run = Run(tmp_path / "run")
    run.write_manifest(Manifest(datasets=[{"label": "ped2", "selector": "ped2"}]))
    lines = keep_commands(run, cells, "weights")
    found = [dict(zip(words[2::2], words[3::2])) for words in map(shlex.split, lines)]
    assert [(one.get("--seeds", "0"), one["--threads"]) for one in found] == [
        ("0,1", "1"),
        ("2", "2"),
    ]
    assert [one.get("--precision") for one in found] == [None, "bf16"]
    assert all(one["--force"] == "net" and one["--keep"] == "weights" for one in found)


def test_cells_with_other_tracks_are_made_by_another_command(tmp_path):
    """A command has one detector: with another one, `--force` would train a cell anew on tracks
    that are not its own. What needs no tracks goes with any.
    """
    cells = [
        CellRecord(
            folder=f"cells/{name}/ped2/0", method=name, label=name, selector=name, dataset="ped2",
            dataset_folder="ped2", seed=0, profile="small", detector=detector,
        )
        for name, detector in (("pca", ""), ("c3dsu", "motion"), ("unet", "boxes"), ("memae", ""))
    ]  # fmt: skip
    run = Run(tmp_path / "run")
    run.write_manifest(Manifest(datasets=[{"label": "ped2", "selector": "ped2"}]))
    lines = keep_commands(run, cells, "weights")
    found = [dict(zip(words[2::2], words[3::2])) for words in map(shlex.split, lines)]
    assert [(one["--methods"], one["--detector"]) for one in found] == [
        ("pca,c3dsu,memae", "motion"),
        ("unet", "boxes"),
    ]
    (plain,) = keep_commands(run, [cells[0], cells[3]], "weights")
    assert "--detector" not in plain
