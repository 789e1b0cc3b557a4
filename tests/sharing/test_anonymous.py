"""`bench pack --anonymous`: nothing in the zip tells who made the run, or where, and it still
verifies."""

import hashlib
import io
import json
import re
import shutil
import zipfile
from dataclasses import asdict

import pytest
from click.testing import CliRunner
from made_run import done, make_run
from tampered_run import REGISTRY

from bench.cli.commands.pack import command
from bench.errors import RunError
from bench.evaluation.run_scores import RunScores
from bench.reporting.report_writer import ReportWriter, write_tables
from bench.runs.folder import Run
from bench.runs.manifest import Manifest
from bench.sharing import anonymous_run
from bench.sharing.anonymous_run import write_anonymous
from bench.sharing.identity import Identity
from bench.sharing.pack import pack_run
from bench.sharing.pack_verification import verify_pack
from bench.tables.kinds import open_source

NAMES = (
    "jdoe42",
    "gpu-node7",
    "jane.doe@lab.example.org",
    "git@forge.example.org:jdoe42/vad.git",
    "Jane Doe",
)
SECRETS = (*NAMES, "gpu-node7.cluster.lan", "secret-study", "c0ffee", "/home", "/mnt/lab")


@pytest.fixture
def named(once, tmp_path, monkeypatch):
    """A run full of names: in selectors, parameters, commands, logs, reasons, plugins."""
    monkeypatch.setattr(anonymous_run, "names_here", lambda: {*NAMES, "gpu-node7.cluster.lan"})
    return Run(
        shutil.copytree(once("named-run", make_named) / "jdoe42-run", tmp_path / "jdoe42-run")
    )


def make_named(tmp_path):
    paths = ["/home/jdoe42/secret-study/a, b/{dataset}.npz", "/mnt/lab/secret-study/{dataset}.npz"]
    cells = []
    for number, path in enumerate(paths):
        quoted = f'"{path}"' if "," in path else path
        digest = hashlib.sha256(f"scores[path={quoted}]".encode()).hexdigest()[:8]
        cells.append(
            done(
                f"scores[path={path}]", 0.3 + number / 3, folder=f"cells/scores-{digest}/made/0", uses_seed=False,
                selector=f"scores[path={quoted}]",
                parameters={"path": path}, parameters_changed={"path": path},
                key={"parameters": {"path": path}}, git="c0ffee",
                warnings=[f"{path}: short, on gpu-node7.cluster.lan"],
            )
        )  # fmt: skip
    cells.append(
        (
            "mnad",
            0,
            "failed",
            "no file ~jdoe42/weights.pt on gpu-node7 (../secret-study/x.py, line 3)",
            0,
            {},
        )
    )
    run = make_run(tmp_path / "jdoe42-run", cells)
    for cell in run.cells():
        (run.cell_path(cell) / "log.txt").write_text(
            'attempt 1 at gpu-node7\nTraceback:\n  File "/home/jdoe42/secret-study/x.py", line 3\n'
            "mail jane.doe@lab.example.org, see https://example.org/paper and 3/4 of and/or\n"
        )
    (run.path / "README.md").write_text("By Jane Doe, git@forge.example.org:jdoe42/vad.git\n")
    run.write_manifest(
        Manifest(
            cells=[asdict(cell) for cell in run.planned()], protocol="median17", seeds=[0], git="c0ffee",
            command="bench run --data /mnt/lab/secret-study --out ~/secret-study/run",
            commands=[{"at": "2026-01-01", "line": "bench run --data=/mnt/lab/secret-study", "git": "c0ffee"}],
            machine={"system": "Linux", "cores": 2},
            plugins=[{"name": "mine", "origin": "/home/jdoe42/secret-study/mine.py", "sha256": None, "broken": None}],
            datasets=[{"label": "made", "name": "made", "folder": "made", "selector": "made", "fingerprint": "f",
                       "missing": "", "root": "/mnt/lab/secret-study/made"}],
            methods=[{"label": cell.label, "selector": cell.selector, "name": cell.method, "family": cell.family} for cell in run.planned()],
        )
    )  # fmt: skip
    source = open_source(run, REGISTRY, REGISTRY.protocols["median17"], REGISTRY.metrics["auc"])
    writer = ReportWriter(source, run.path)
    writer.tables(["comparison", "intervals"])
    writer.figures(["timelines"])
    writer.page()
    writer.finish()
    write_tables(run, REGISTRY, ["raw"])
    write_tables(run, REGISTRY)
    run.seal()


def contents(path):
    """Everything that a zip holds, npz unpacked."""
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            content = archive.read(name)
            yield name, name.encode() + content
            if name.endswith(".npz"):
                with zipfile.ZipFile(io.BytesIO(content)) as arrays:
                    for member in arrays.namelist():
                        yield f"{name}/{member}", member.encode() + arrays.read(member)


def test_no_name_is_left(named, tmp_path):
    """A grep of everything in the zip; the run itself is as it was, and says them."""
    before = {path: path.read_bytes() for path in named.path.rglob("*") if path.is_file()}
    pack_run(named, REGISTRY, tmp_path / "anonymous.zip", anonymous=True)
    found = [
        (name, secret)
        for name, content in contents(tmp_path / "anonymous.zip")
        for secret in SECRETS
        if secret.lower().encode() in content.lower()
    ]
    assert found == []
    assert before == {path: path.read_bytes() for path in named.path.rglob("*") if path.is_file()}
    pack_run(named, REGISTRY, tmp_path / "named.zip")
    said = {
        secret
        for _, content in contents(tmp_path / "named.zip")
        for secret in SECRETS
        if secret.encode() in content
    }
    assert said == {*SECRETS}


def test_it_verifies_and_says_the_same(named, tmp_path):
    """Numbers, scores and rows are those of the run; two files of one name stay two rows."""
    pack_run(named, REGISTRY, tmp_path / "one.zip", anonymous=True)
    assert verify_pack(tmp_path / "one.zip", REGISTRY).wrong == []
    pack_run(named, REGISTRY, tmp_path / "two.zip", anonymous=True)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        archive.extractall(tmp_path / "out")
    for path in (tmp_path / "out").rglob("*.json"):
        json.loads(path.read_text())
    run = Run(tmp_path / "out" / "anonymous" / "run")
    rows = [cell.label for cell in run.cells()]
    assert rows[2] == "mnad" and len({*rows}) == 3
    assert all(re.fullmatch(r"scores\[path=folder\d+/\{dataset\}\.npz\]", row) for row in rows[:2])
    for cell, old in zip(run.cells()[:2], named.cells()[:2]):
        assert all(
            (scores.values == named.scores(old)[clip].values).all()
            for clip, scores in run.scores(cell).items()
        )
    metric = [REGISTRY.metrics["auc"]]
    protocol = [REGISTRY.protocols["median17"]]
    assert [one.result.value for one in RunScores(run).measure(protocol, metric)] == [
        one.result.value for one in RunScores(named).measure(protocol, metric)
    ]
    figures = {path.suffix for path in run.report.figures().iterdir()}
    assert {".pdf", ".png", ".txt"} <= figures and (run.path / "report.html").is_file()
    log = (run.path / run.cells()[0].folder / "log.txt").read_text()
    assert "https://example.org/paper and 3/4 of and/or" in log and "attempt 1 at anonymous" in log


def test_a_name_in_a_file_that_cannot_be_changed(named, tmp_path):
    """Kept weights, as any binary file: refused, with its name."""
    cell = named.cells()[0]
    named.files_of(cell).weights.write_bytes(b"\x00\xff by jdoe42")
    with pytest.raises(RunError, match=r"weights holds 'jdoe42', and cannot be changed without"):
        write_anonymous(named, tmp_path / "made" / "run", REGISTRY)


def test_a_name_in_the_name_of_a_file(named, tmp_path):
    """As of notes: the text is cleaned, and the name would stand in the zip."""
    (named.path / "README-jdoe42.md").write_text("Nothing to see.\n")
    with pytest.raises(RunError, match=r"the path README-jdoe42\.md holds 'jdoe42'; nothing was"):
        write_anonymous(named, tmp_path / "made" / "run", REGISTRY)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see /home/ann/x/y.npz and /home/ann/x/z.npz", "see folder1/y.npz and folder1/z.npz"),
        ("~/a/b.npz ~ann/a/b.npz ../../b.npz", "folder1/b.npz folder2/b.npz folder3/b.npz"),
        ("--out=/data, then", "--out=folder1, then"),
        ("https://a.org/b/c and 1/2, and/or, n/a", "https://a.org/b/c and 1/2, and/or, n/a"),
        ("ssh://ann@host/x/repo.git", "folder1/repo.git"),
        ("boxes[path=/b/{dataset}_{part}.json]", "boxes[path=folder1/{dataset}_{part}.json]"),
        ("Ann and ann, not annex or Joann", "anonymous and anonymous, not annex or Joann"),
        ("data/boxes/x.json", "data/boxes/x.json"),
    ],
)  # fmt: skip
def test_texts_are_cleaned(text, expected):
    """Paths and names; addresses of the web, fractions and relative paths stay."""
    assert Identity([], ["ann"]).cleaned(text) == expected


def test_names_that_tell_nothing_stay():
    """Of accounts that everybody has, and words that mean something else."""
    identity = Identity(["/home/runner/x", "/home/wu/x"], ["root", "pca", "ab"], keep=["pca", "wu"])
    assert identity.names == ["ab"]
    assert identity.cleaned({"root": ["root pca wu ab"]}) == {"root": ["root pca wu anonymous"]}


def test_what_to_look_at_is_there(named, tmp_path):
    """The note names the page only where the run has one."""
    words = [str(named.path), "--anonymous", "--out", str(tmp_path / "one.zip")]
    said = CliRunner().invoke(command, words).output
    assert "look at run/report.html and claims.md before you hand it in" in said
    bare = make_run(tmp_path / "bare", [done("pca")])
    write_tables(bare, REGISTRY)
    words = [str(bare.path), "--anonymous", "--out", str(tmp_path / "two.zip")]
    said = CliRunner().invoke(command, words).output
    assert "; look at claims.md before you hand it in" in said
