"""`bench pack` and `bench verify FILE.zip`: equal runs give equal zips, and each kind of tampering
with a zip is named."""

import hashlib
import json
import shutil
import subprocess
import zipfile
from dataclasses import replace

import pytest
from click.testing import CliRunner
from made_run import done, make_run
from tampered_run import MEMAE, PCA, REGISTRY, TAMPERING, edit, make_honest

from bench.cli.commands.pack import command
from bench.cli.commands.verify import verify_runs
from bench.errors import RequestError, RunError
from bench.plugins.distributions import packages
from bench.plugins.registry import load
from bench.reporting.report_writer import write_tables
from bench.runs.folder import Run
from bench.runs.manifest import Manifest
from bench.runs.records import CellRecord
from bench.sharing import archive
from bench.sharing.archive import unpack_archive, write_archive
from bench.sharing.claims import made_by
from bench.sharing.lock import lock
from bench.sharing.pack import SUMS, documents, pack_run
from bench.sharing.pack_verification import sums_findings, verify_pack
from bench.sharing.run_files import other_files


@pytest.fixture
def packed(once, tmp_path):
    """The unpacked pack of an honest run, below tmp_path/run."""

    def make(folder):
        run = Run(make_honest(folder / "run"))
        pack_run(run, REGISTRY, folder / "run.zip")

    shared = once("honest-pack", make)
    unpack_archive(shared / "run.zip", tmp_path)
    return shared / "run.zip"


def zipped(folder, path):
    """Zip what lies in a folder, as any tool does."""
    files = {
        file.relative_to(folder.parent).as_posix(): file
        for file in folder.rglob("*")
        if file.is_file()
    }
    write_archive(path, files)
    return path


def forge_sums(folder):
    """Write checksums that fit what is there."""
    lines = [
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.relative_to(folder).as_posix()}\n"
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != SUMS
    ]
    (folder / SUMS).write_text("".join(lines))


def wrong(path):
    return [f"{one.subject}: {one.text}" for one in verify_pack(path, REGISTRY).wrong]


def test_an_honest_pack(packed, tmp_path):
    """Nothing differs; it holds the run and the documents; sha256sum agrees; a second pack has the
    same bytes."""
    found = verify_pack(packed, REGISTRY)
    assert found.wrong == [] and len(found.findings) > 150
    folder = tmp_path / "run"
    done = subprocess.run(["sha256sum", "--quiet", "-c", SUMS], cwd=folder, capture_output=True)
    assert done.returncode == 0, done.stdout
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "run", "README.md", "claims.md", "checklist.md", "requirements.txt", "CITATION.bib",
        "pack.json", "model_cards", SUMS,
    }  # fmt: skip
    pack_run(Run(folder / "run"), REGISTRY, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == packed.read_bytes()


@pytest.mark.parametrize("kind", TAMPERING)
def test_tampering_is_named(packed, tmp_path, kind):
    """Whatever `bench verify RUN` names in a run that was tampered with, the checksums of the zip
    name too, without a look at what the files say."""
    run = Run(tmp_path / "run" / "run")
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    TAMPERING[kind][0](run)
    after = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    changed = {
        f"run/{path.relative_to(run.path).as_posix()}"
        for path in before.keys() | after.keys()
        if before.get(path) != after.get(path)
    }
    inside = unpack_archive(zipped(tmp_path / "run", tmp_path / "bad.zip"), tmp_path / "out")
    digests = {name.partition("/")[2]: digest for name, digest in inside.items()}
    found = {one.subject for one in sums_findings(tmp_path / "run" / SUMS, digests) if not one.ok}
    assert changed and found == changed


@pytest.mark.parametrize(
    "kind",
    [
        "a label is changed, with its checksum",
        "a bad seed is taken out",
        "a value of results.csv is changed",
        "a footnote is taken out",
    ],
)
def test_forged_checksums_do_not_help(packed, tmp_path, kind):
    """With checksums of the zip that fit, the run in it is still computed again."""
    tamper, expected = TAMPERING[kind]
    tamper(Run(tmp_path / "run" / "run"))
    forge_sums(tmp_path / "run")
    texts = wrong(zipped(tmp_path / "run", tmp_path / "bad.zip"))
    assert any(expected in text for text in texts), texts
    assert not any(SUMS in text for text in texts)


DOCUMENTS = {
    "a number of claims.md is changed": (
        lambda folder: edit(folder / "claims.md", "| pca | made | ", "| pca | made | 1"),
        "claims.md: line",
    ),
    "an answer is changed": (
        lambda folder: edit(folder / "checklist.md", "1 failed", "0 failed"),
        "checklist.md: line",
    ),
    "a version is changed": (
        lambda folder: edit(folder / "requirements.txt", "# The packages", "# Packages"),
        "requirements.txt: line",
    ),
    "a model card is changed": (
        lambda folder: edit(folder / "model_cards" / "memae-made-0.md", "frame AUC", "pixel AUC"),
        "model_cards/memae-made-0.md: line",
    ),
    "a document is gone": (
        lambda folder: (folder / "claims.md").unlink(),
        "claims.md: is not there",
    ),
    "a document is added": (
        lambda folder: (folder / "letter.md").write_text("Accept."),
        "letter.md: is there, and is no file of a pack",
    ),
    "the format is changed": (
        lambda folder: edit(folder / "pack.json", '"format": 1', '"format": 2'),
        "pack.json: says format 2, and this version of bench reads 1",
    ),
    "the run is gone": (lambda folder: shutil.rmtree(folder / "run"), "run/run.json: "),
}


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_documents_follow_from_the_run(packed, tmp_path, kind):
    """Also where the checksums were made to fit."""
    tamper, expected = DOCUMENTS[kind]
    tamper(tmp_path / "run")
    forge_sums(tmp_path / "run")
    texts = wrong(zipped(tmp_path / "run", tmp_path / "bad.zip"))
    assert any(text.startswith(expected) for text in texts), texts


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("no sum\n", "SHA256SUMS: line 1 is no checksum with a name"),
        (f"{'0' * 64}  gone.txt\n", "gone.txt: is not there, and SHA256SUMS names it"),
        (f"{'0' * 64}  claims.md\n", "SHA256SUMS: names claims.md twice"),
    ],
)
def test_the_list_of_checksums(packed, tmp_path, line, expected):
    """Lines that are none, of what is not there, and twice."""
    sums = tmp_path / "run" / SUMS
    sums.write_text(line + sums.read_text())
    assert expected in wrong(zipped(tmp_path / "run", tmp_path / "bad.zip"))


def test_a_pack_of_another_version(packed, tmp_path):
    """Its documents may say the same in other words: that is a note, and no finding."""
    edit(tmp_path / "run" / "pack.json", '"bench": "', '"bench": "9.')
    edit(tmp_path / "run" / "claims.md", "# Claims", "# All claims")
    forge_sums(tmp_path / "run")
    found = verify_pack(zipped(tmp_path / "run", tmp_path / "other.zip"), REGISTRY)
    assert found.ok and any("made by bench 9." in note for note in found.notes)


def link(archive):
    member = zipfile.ZipInfo("run/link")
    member.external_attr = (0o120777) << 16
    archive.writestr(member, "/etc/passwd")


def encrypted(archive):
    archive.writestr("run/secret", "x")
    archive.filelist[-1].flag_bits |= 1


HOSTILE = {
    "above": (lambda a: a.writestr("run/../../up", "x"), "leaves the folder"),
    "absolute": (lambda a: a.writestr("/tmp/up", "x"), "leaves the folder"),
    "backslash": (lambda a: a.writestr("run\\..\\up", "x"), "leaves the folder"),
    "control character": (lambda a: a.writestr("run/a\nb", "x"), "no file name"),
    "twice": (lambda a: [a.writestr("run/a", "x"), a.writestr("run/a", "y")], "twice"),
    "below a file": (lambda a: [a.writestr("run/a", "x"), a.writestr("run/a/b", "y")], "below a"),
    "a link": (link, "which is a link or a device"),
    "encrypted": (encrypted, "which is encrypted"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_zips_are_refused(tmp_path, kind):
    """Whole, before anything is written; the command says why in a line."""
    write, expected = HOSTILE[kind]
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as made:
        write(made)
    with pytest.raises(RunError, match=expected):
        unpack_archive(tmp_path / "bad.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (finding,) = verify_pack(tmp_path / "bad.zip", REGISTRY).wrong
    assert finding.subject == "bad.zip" and expected in finding.text


def test_sizes_are_bounded(tmp_path, monkeypatch):
    """By what a zip says of itself, and no member writes more than it says."""
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("run/zeros", bytes(200_000))
    monkeypatch.setattr(archive, "LARGEST", 100_000)
    with pytest.raises(RunError, match="would unpack to 200000 bytes, more than the 100000"):
        unpack_archive(tmp_path / "bomb.zip", tmp_path / "out")
    content = (tmp_path / "bomb.zip").read_bytes()
    size = (200_000).to_bytes(4, "little")
    (tmp_path / "lie.zip").write_bytes(content.replace(size, (5_000).to_bytes(4, "little")))
    with pytest.raises(RunError, match="is no zip, or damaged"):
        unpack_archive(tmp_path / "lie.zip", tmp_path / "out")
    assert sum(file.stat().st_size for file in tmp_path.glob("out/**/*") if file.is_file()) <= 5_000
    monkeypatch.setattr(archive, "MOST", 0)
    with pytest.raises(RunError, match="holds 1 files, more than the 0"):
        unpack_archive(tmp_path / "bomb.zip", tmp_path / "out")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "there is no file"),
        (b"PK no zip", "is no zip, or damaged"),
        ({"a/b.txt": "x"}, "is no pack of a run: it has no SHA256SUMS in one folder"),
    ],
)
def test_what_is_no_pack(tmp_path, content, text, capsys):
    """A line, and exit code 1."""
    path = tmp_path / "file.zip"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        write_archive(path, content)
    assert verify_runs([path], False, ()) == 1
    assert text in " ".join(capsys.readouterr().out.split())


def test_what_is_not_packed(packed, tmp_path):
    """A run that differs, that is at work, that has no tables; a file that is there."""
    run = Run(tmp_path / "run" / "run")
    target = tmp_path / "new.zip"
    with pytest.raises(RequestError, match=r"is there already; move it away, or name another"):
        pack_run(run, REGISTRY, packed)
    with pytest.raises(RequestError, match="there is no folder"):
        pack_run(run, REGISTRY, tmp_path / "no" / "new.zip")
    edit(run.report.tables() / "comparison.txt", "pca", "pcb")
    with pytest.raises(RequestError) as error:
        pack_run(run, REGISTRY, target)
    assert "is not packed: its numbers or files differ in" in str(error.value)
    assert "tables/comparison.txt: " in str(error.value)
    shutil.rmtree(run.report.tables())
    with pytest.raises(RequestError, match="has no tables; make them with: bench report"):
        pack_run(run, REGISTRY, target)
    cell = run.cells()[0]
    run.write_cell(replace(cell, status="running"))
    with pytest.raises(RequestError, match=r"1 cells are not finished, as pca on made"):
        pack_run(run, REGISTRY, target)
    assert not target.exists()


def test_claims_name_cells_and_commands(packed, tmp_path):
    """Each number of the comparison, with what makes it again, under each question."""
    text = (tmp_path / "run" / "claims.md").read_text()
    lines = [line for line in text.splitlines() if line.startswith("| memae | made |")]
    assert (
        f"{MEMAE}<br>cells/memae/made/1 | 1 | `bench run --from run --methods memae --datasets made`"
        in lines[0]
    )
    run = Run(tmp_path / "run" / "run")
    numbers = json.loads((run.path / "report.json").read_text())["questions"]
    assert PCA in text and numbers
    assert all(f"## tables/{question}/comparison" in text for question in numbers)


def test_claims_of_an_ablation(tmp_path):
    """Its rows are networks and its columns variants; a published number is copied from a paper;
    the command that began a cell is the one that it says, else the last one before it."""
    published = {"auc": "98.46", "source": "a paper"}
    run = make_run(
        tmp_path / "run",
        [
            done(
                "c3dsu", 0.9, ablation=["C3DSU", "DDL"], published=published, started="2026-02-02"
            ),
            done("c3dsu-plain", 0.3, ablation=["C3DSU", "plain"], started="2026-01-02"),
        ],
    )
    lines = [{"at": f"2026-0{month}-01", "line": f"bench run {month}"} for month in (1, 2, 3)]
    two_at_once = CellRecord(
        "f", "m", "m", "m", "d", "d", 0, started="2026-03-02", command="bench run 2"
    )
    assert made_by(two_at_once, Manifest(commands=lines)) == "bench run 2"
    run.write_manifest(replace(run.manifest, commands=lines))
    write_tables(run, REGISTRY)
    text = documents(run, REGISTRY)["claims.md"].partition("## tables/ablation")[2]
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| C3DSU")]
    assert [(row[1], row[3], row[4]) for row in rows] == [
        ("made DDL", "cells/c3dsu/made/0", "2"),
        ("made plain", "cells/c3dsu-plain/made/0", "1"),
        ("made DDL", "copied from a paper", "-"),
    ]


def test_the_lock_names_every_package(tmp_path):
    """Of the run, not of who packs; an older run says that it knew fewer."""
    text = lock(Manifest(packages=packages(), versions={"python": "3.11.2"}))
    assert "# Python: 3.11.2\n" in text and len(text.splitlines()) > 40
    listed = dict(line.split("==") for line in text.splitlines() if not line.startswith("#"))
    assert listed == packages() and {"numpy", "torch", "pytest"} <= listed.keys()
    old = lock(Manifest(versions={"python": "3.11.2", "numpy": "2.1", "torch": "not installed"}))
    assert "it kept only these packages" in old and old.endswith("\nnumpy==2.1\n")


def test_documents_of_a_bare_run(tmp_path):
    """A run without a manifest's facts has documents too, with no answer made up."""
    run = make_run(tmp_path / "run", [done("pca")])
    found = documents(run, load())
    assert "(for the authors: the run does not know)" in found["checklist.md"]
    assert not any(name.startswith("model_cards") for name in found)


def test_what_stays_out_is_listed_wherever_it_lies(tmp_path):
    """Checkpoints of cells, too; of many cells in one line."""
    run = make_run(tmp_path / "run", [done("pca"), done("net"), done("memae")])
    for cell in run.cells()[:2]:
        run.files_of(cell).scratch.mkdir()
        (run.files_of(cell).scratch / "epoch.pt").write_bytes(b"x")
    files = run.files_of(run.cells()[2])
    for path in (files.claim, run.path / "server.log", run.path / "videos" / "a.mp4"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    assert other_files(run) == [
        "cells/.../scratch (2)",
        "cells/memae/made/0/.claim",
        "server.log",
        "videos",
    ]


def test_the_command(packed, tmp_path, monkeypatch):
    """What a user reads."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bench.cli.commands.pack.load_registry", lambda plugin: REGISTRY)
    (tmp_path / "run" / "run" / "server.log").write_text("x")
    done = CliRunner().invoke(command, ["run/run"])
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[0] == "left out: server.log: not needed by readers"
    assert done.output.splitlines()[-1] == "next: bench verify run.zip"
