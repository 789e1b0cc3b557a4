"""`bench download`, as it is typed, with a small dataset and weights on a server of the
loopback."""

import hashlib
import io
import re
import shutil
import tarfile

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from bench.cli.main import bench
from bench.downloads.available import available
from bench.downloads.getting import archive_folder, check_room, sources
from bench.errors import RequestError
from bench.plugins.registry import load

PLUGIN = """
from bench import DatasetInfo, Detector, Download, PretrainedWeights, hookimpl
from bench.datasets.ucsd import Ped2

def archive(folder):
    return Download(
        "tiny.tar.gz", {sha!r}, "http://owner/page", {url!r}, {size}, f"v1/{{folder}}", folder
    )

class Tiny(Ped2):
    name = "tiny"
    info = DatasetInfo(title="Tiny", licence="research only", citation="T. Iny, 2020")
    downloads = (archive("tiny"),)
    expected = {{"train": {{"01": 2}}, "test": {{"01": 3}}}}
    expected_anomalous = {{"frame": {{"01": 1}}}}
    folder_names = ("tiny",)
    script = "tiny.m"
    mat = "tiny.mat"
    masks_are_compared = False

class Other(Tiny):
    name = "other"
    downloads = (archive("other"),)
    folder_names = ("other",)

class ByHand(Tiny):
    name = "by-hand"
    downloads = (Download("hand.zip", "0" * 64, "http://hand/page", member="x", folder="x"),)
    folder_names = ("by-hand",)

class Eyes(Detector):
    name = "eyes"
    pretrained = (
        PretrainedWeights("eyenet", "EyeNet", "MIT", "E. Ye, 2021", Download(
            "eyenet-{weights_sha:.8}.pth", {weights_sha!r}, "http://owner/eyes", {weights_url!r}, 7
        )),
    )

    def detect(self, clip, frames):
        raise NotImplementedError

@hookimpl
def bench_datasets():
    return [Tiny, Other, ByHand]

@hookimpl
def bench_detectors():
    return [Eyes]
"""
WEIGHTS = b"weights"


def tree(name):
    """Files of an official tree: a training clip of two frames, a test clip of three."""
    files = {f"v1/{name}/Test/tiny.m": b"TestVideoFile{end+1}.gt_frame = [2:2];\n"}
    for folder, count in (("Train/Train001", 2), ("Test/Test001", 3)):
        for number in range(1, count + 1):
            image = np.random.default_rng(number).integers(0, 255, (64, 64), np.uint8)
            content = cv2.imencode(".tif", image)[1].tobytes()
            files[f"v1/{name}/{folder}/{number:03d}.tif"] = content
    return files


@pytest.fixture
def owner(server, tmp_path, monkeypatch):
    """The server with the archive and the weights, the plugin that names them, and empty
    folders."""
    files = tree("tiny") | tree("other")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as opened:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            opened.addfile(member, io.BytesIO(content))
    archive = packed.getvalue()
    server.files |= {"tiny.tar.gz": archive, "eyenet.pth": WEIGHTS}
    (tmp_path / "plugin.py").write_text(
        PLUGIN.format(
            sha=hashlib.sha256(archive).hexdigest(),
            size=len(archive),
            url=server.url("tiny.tar.gz"),
            weights_sha=hashlib.sha256(WEIGHTS).hexdigest(),
            weights_url=server.url("eyenet.pth"),
        )
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return server


def typed(*words, agreed=True):
    words = ["download", *words, "--plugin", "plugin.py", *["--accept-terms"] * agreed]
    return CliRunner().invoke(bench, words)


def test_a_dataset(owner, tmp_path):
    """Terms and citation once, the file, where it is, and what `bench verify` says; a second time
    nothing is fetched."""
    done = typed("tiny")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        "tiny",
        "  terms: research only",
        "  see:   http://owner/page",
        "  cite:  T. Iny, 2020",
        "tiny: tiny.tar.gz",
        "tiny: unpacking tiny.tar.gz",
        "tiny: in data/tiny",
        f"tiny  {tmp_path}/data/tiny",
        "  train: 1 of 1 clips, 2 of 2 frames",
        "  test: 1 of 1 clips, 3 of 3 frames",
        "  labels frame (default): 1 of 3 frames anomalous",
        "tiny: as it should be (3 checks)",
    ]
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["tiny"]
    assert list(archive_folder().iterdir()) == []
    owner.asked.clear()
    again = typed("tiny", agreed=False)
    assert again.exit_code == 0 and again.stdout.startswith("tiny: already in data/tiny\ntiny  ")
    assert owner.asked == []


def test_two_datasets_of_one_archive(owner):
    """It is fetched once, and goes when both are unpacked."""
    done = typed("tiny,other")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("tiny, other\n  terms: ")
    assert [path for path, _ in owner.asked] == ["tiny.tar.gz"]
    assert list(archive_folder().iterdir()) == []


def test_weights(owner, tmp_path):
    """By their own name or that of who needs them, into torchvision's cache."""
    for name in ("eyes", "eyenet"):
        done = typed(name)
        assert done.exit_code == 0, done.output
    place = tmp_path / "torch" / "hub" / "checkpoints"
    (file,) = place.iterdir()
    assert (
        file.read_bytes() == WEIGHTS and f"already in {file.relative_to(tmp_path)}" in done.stdout
    )
    file.write_bytes(b"half")
    assert typed("eyenet").exit_code == 0 and file.read_bytes() == WEIGHTS
    file.unlink()
    (tmp_path / "mine.pth").write_bytes(WEIGHTS)
    owner.files.clear()
    assert typed("eyenet", "--from", "mine.pth").exit_code == 0 and file.read_bytes() == WEIGHTS
    assert [path.name for path in place.iterdir()] == [file.name]


def test_terms_are_agreed_to(owner):
    """Without a terminal nobody can be asked: nothing is fetched."""
    done = typed("tiny", agreed=False)
    assert done.exit_code == 2 and owner.asked == []
    assert done.stderr == "bench: the owners' terms are above; agree to them with --accept-terms\n"


@pytest.mark.parametrize("form", ["file", "folder", "url", "mirror"])
def test_from_elsewhere(owner, tmp_path, form):
    """A file whatever its name, a folder, an address, or a mirror; the user's own file stays."""
    kept = tmp_path / "kept" / ("any.tgz" if form == "file" else "tiny.tar.gz")
    kept.parent.mkdir()
    kept.write_bytes(owner.files["tiny.tar.gz"])
    owner.files = {"mirror/tiny.tar.gz": owner.files["tiny.tar.gz"]}
    given = {
        "file": str(kept),
        "folder": str(kept.parent),
        "url": owner.url("mirror/tiny.tar.gz"),
        "mirror": owner.url("mirror/"),
    }[form]
    done = typed("tiny", "--from", given)
    assert done.exit_code == 0, done.output
    assert kept.is_file() and len(owner.asked) == (form in ("url", "mirror"))


def test_what_is_given_and_is_not_the_file(owner, tmp_path):
    """Another file, an empty folder, parts, nothing at all: before anything is fetched."""
    (tmp_path / "other.zip").write_bytes(b"other")
    done = typed("tiny", "--from", "other.zip")
    assert done.exit_code == 1 and not (tmp_path / "data").exists()
    assert re.search(
        r"bench: other.zip is not tiny.tar.gz of the owners: its SHA-256 begins with \w{8}, that of "
        r"theirs with \w{8}; get it again from http://owner/page\n",
        done.stderr,
    )
    (tmp_path / "folder").mkdir()
    for given, why in (
        ("folder", "the folder holds no tiny.tar.gz; a dataset that is unpacked already needs no"),
        ("nowhere", "neither a file or folder here nor an address that begins with http:// or"),
    ):
        done = typed("tiny", "--from", given)
        assert done.exit_code == 2 and f"bench: --from {given}: {why}" in done.stderr
    (tmp_path / "folder" / "tiny.tar.gz.aa").write_bytes(b"")
    assert (
        "join them: cd folder && cat tiny.tar.gz.* > tiny.tar.gz"
        in typed("tiny", "--from", "folder").stderr
    )
    assert "call it tiny.tar.gz or hand.zip" in typed("tiny,by-hand", "--from", "other.zip").stderr
    assert owner.asked == []


def test_one_that_fails_costs_itself(owner, tmp_path):
    """What is had by hand says where; the rest is done, and the exit code is 1."""
    alone = typed("by-hand", agreed=False)
    assert alone.exit_code == 1 and alone.stdout == ""  # nothing to agree to
    done = typed("by-hand", "tiny")
    assert done.exit_code == 1 and done.stdout.startswith("tiny\n  terms: ")
    assert done.stderr == (
        "bench: by-hand: its owners offer hand.zip by hand only: http://hand/page; then: bench "
        "download by-hand --from FILE\n"
    )
    assert "tiny: as it should be" in done.stdout
    owner.files.clear()
    done = typed("other")
    assert done.exit_code == 1 and "the server says 404" in done.stderr
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["tiny"]


def test_an_incomplete_copy_is_not_mixed_with(owner, tmp_path):
    """One of the user's own, in the data folder or in the folder that an archive makes."""
    own = tmp_path / "data" / "deep" / "tiny"
    (own / "Test").mkdir(parents=True)
    (own / "Test" / "tiny.m").write_text("TestVideoFile{end+1}.gt_frame = [2:2];\n")
    done = typed("tiny")
    assert done.exit_code == 1 and owner.asked == []
    assert done.stderr == (
        "bench: tiny: an incomplete copy is in data/deep/tiny; move it away, or name another folder "
        "with --data (bench verify tiny says what it lacks)\n"
    )
    own.rename(tmp_path / "data" / "tiny")
    assert (
        typed("tiny").stderr
        == "bench: tiny: data/tiny is there, but not complete; move it away, and 'bench download tiny' "
        "makes it again\n"
    )
    assert typed("tiny", "--data", "elsewhere").exit_code == 0
    assert (tmp_path / "elsewhere" / "tiny" / "Train").is_dir()


def test_too_little_room_is_said_before(owner, monkeypatch):
    """Of archive and content together, where they are on one disk."""
    usage = type(shutil.disk_usage("/"))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(9, 9, 0))
    done = typed("tiny")
    assert done.exit_code == 2 and owner.asked == []
    assert re.match(r"bench: no room: at least 0.0 GB are needed in data, and 0.0 GB", done.stderr)


@pytest.mark.parametrize("kept", ["tiny.tar.gz", ".tiny.tar.gz.part"])
def test_what_is_here_already_needs_no_room(owner, monkeypatch, kept):
    """An archive that came whole, of which the content is still to be unpacked: the room of that is
    enough, and then nothing at all is needed."""
    archive = owner.files["tiny.tar.gz"]
    archive_folder().mkdir(parents=True)
    (archive_folder() / kept).write_bytes(archive)
    usage = type(shutil.disk_usage("/"))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(9, 9, len(archive)))
    done = typed("tiny")
    assert done.exit_code == 0, done.output
    assert owner.asked == []


def test_an_unpacked_dataset_needs_no_room(tmp_path, monkeypatch):
    wanted = available(load())["ped1"]
    (one,) = wanted.downloads
    (tmp_path / one.folder).mkdir(parents=True)
    usage = type(shutil.disk_usage("/"))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(9, 9, 0))
    check_room([wanted], sources([wanted], []), tmp_path)
    with pytest.raises(RequestError, match="no room"):
        check_room([wanted], sources([wanted], []), tmp_path / "elsewhere")


def test_names_that_cannot_be_had(owner):
    """All mistakes at once, each with what to do."""
    done = typed("tniy,motion,ped2[path=x],folder")
    assert done.exit_code == 2
    assert done.stderr.splitlines()[:3] == [
        "bench: nothing called 'tniy' can be downloaded - did you mean 'tiny'? (bench download "
        "--list)",
        "bench: motion has no weights to download",
        "bench: 'ped2[path=x]': a download has no parameters; write ped2",
    ]
    assert done.stderr.splitlines()[3].startswith("bench: folder cannot be downloaded. ")
    assert "name a dataset or weights; bench download --list" in typed().stderr
    assert "'tiny,-tiny' leaves nothing to download" in typed("tiny,-tiny").stderr


def test_the_list(owner):
    """What, how large, whose terms, what is here; within 80 columns, and no connection."""
    typed("tiny")
    owner.asked.clear()
    done = typed("--list", "all", "tiny", "other", "eyenet")
    assert done.exit_code == 0 and owner.asked == []
    assert max(map(len, done.stdout.splitlines())) <= 80
    text = " ".join(done.stdout.split())
    assert "ped2 UCSD Ped2, 740 MB UCSD_Anomaly_Dataset.tar.gz from www.svcl.ucsd.edu" in text
    assert "shanghaitech.tar.gz, by hand from https://svip-lab.github.io/dataset/campus" in text
    assert "tiny Tiny, 0.0 MB tiny.tar.gz from 127.0.0.1" in text
    assert "terms: research only here: data/tiny other Tiny" in text
    assert "(the same file as for tiny)" in text and "eyenet EyeNet, weights" in text
