"""Files that parameters name: which are found, and that their hash follows their content."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from bench import DataError, parameter
from bench.plugins import named_files as module
from bench.plugins.named_files import content_hash, named_files


@dataclass(frozen=True)
class Parameters:
    """Names of files among others."""

    weights: Path = parameter(Path("weights.npy"))
    more: Path | None = parameter(None)
    text: str = parameter("")
    kind: Literal["mean", "median"] = parameter("mean")
    way: str = parameter("forward", choices=("forward", "back"))
    count: int = parameter(3)


@pytest.fixture(autouse=True)
def at(tmp_path, monkeypatch):
    """An empty folder to work in, and nothing remembered."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "_hashes", {})
    return tmp_path


def old(path: Path) -> Path:
    """Let a file be an hour old, so that its hash is remembered."""
    os.utime(path, (path.stat().st_mtime - 3600,) * 2)
    return path


def test_a_word_out_of_a_list_names_no_file(at):
    """A file that happens to be called like a choice has nothing to do with the cell."""
    for name in ("mean", "forward"):
        (at / name).write_text("anything")
    assert named_files(Parameters()) == ({}, [])


def test_a_default_that_is_not_there_is_no_mistake():
    """The plugin may do without it; a path that was given must be there."""
    assert named_files(Parameters()) == ({}, [])
    assert named_files(Parameters(weights=Path("mine.npy"), more=Path("other"))) == (
        {},
        [
            "there is no file or folder mine.npy, which weights names",
            "there is no file or folder other, which more names",
        ],
    )


def test_paths_and_texts_that_name_files(at):
    """A text may name a file, not a folder; '{dataset}' stands for a name; a folder beside the
    plugin is looked at too."""
    for name in ("weights.npy", "scores-toy.npz", "plugins/mine.json", "static"):
        (at / name).parent.mkdir(exist_ok=True)
        (at / name).write_text(name)
    found, missing = named_files(
        Parameters(more=Path("scores-{dataset}.npz"), text="static"), [{"dataset": "toy"}]
    )
    assert (found, missing) == (
        {
            "weights": [Path("weights.npy")],
            "more": [Path("scores-toy.npz")],
            "text": [Path("static")],
        },
        [],
    )
    found, missing = named_files(Parameters(more=Path("plugins"), text="plugins"))
    assert found == {"weights": [Path("weights.npy")], "more": [Path("plugins")]}
    found, _ = named_files(
        Parameters(more=Path("mine.json"), text="skip+patch[cifar=/x]"), beside=at / "plugins"
    )
    assert found["more"] == [at / "plugins" / "mine.json"] and "text" not in found


def test_a_path_for_several_files(at):
    """Each way to fill it in counts, once."""
    for part in ("train", "test"):
        (at / f"{part}.json").write_text(part)
    found, _ = named_files(Parameters(text="{part}.json"), [{"part": "train"}, {"part": "test"}])
    assert found["text"] == [Path("train.json"), Path("test.json")]
    first = content_hash(found["text"])
    (at / "test.json").write_text("tes!")
    assert content_hash(found["text"]) != first


@pytest.mark.parametrize("text", ["~nobody-of-that-name/x", "a" * 5000, "a\0b", "http://host/x"])
def test_texts_that_are_no_paths(text):
    """Nothing is found, and nothing fails."""
    assert named_files(Parameters(text=text)) == ({}, [])


@pytest.mark.parametrize("kept_from", [0, 1 << 30])
def test_a_changed_file_is_never_taken_for_the_old_one(at, monkeypatch, kept_from):
    """Of the same size, within a moment, and with its old time put back; whether hashes are kept
    between processes or not."""
    monkeypatch.setattr(module, "KEPT_FROM", kept_from)
    path = old(at / "weights.npy") if (at / "weights.npy").write_bytes(b"1") else None
    assert path is not None
    hashes = [content_hash([path])]
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    for content in (b"2", b"3"):
        path.write_bytes(content)
        os.utime(path, ns=times)
        hashes.append(content_hash([path]))
    (at / "other").write_bytes(b"4")
    os.utime(at / "other", ns=times)
    (at / "other").replace(path)
    hashes.append(content_hash([path]))
    assert len(set(hashes)) == 4


def test_a_large_file_is_read_once(at, monkeypatch):
    """By later processes neither, until it changes; a damaged cache is as good as none."""
    monkeypatch.setattr(module, "KEPT_FROM", 4)
    monkeypatch.setattr(module, "RACY", -1.0)
    (at / "large").write_bytes(b"12345")
    first = content_hash([at / "large"])
    read = []
    monkeypatch.setattr(module.hashlib, "file_digest", lambda file, kind: read.append(file.name))
    for memory in (module._hashes, {}):
        monkeypatch.setattr(module, "_hashes", memory)
        assert content_hash([at / "large"]) == first and read == []
    monkeypatch.undo()
    monkeypatch.chdir(at)
    monkeypatch.setenv("BENCH_CACHE", str(at / "cache"))
    kept = at / "cache" / "named-files.json"
    for content in (
        "{",
        json.dumps({"format": 0}),
        json.dumps({"format": 1, "files": {str(at / "large"): 3}}),
    ):
        kept.write_text(content)
        monkeypatch.setattr(module, "_hashes", {})
        assert content_hash([at / "large"]) == first


def test_a_folder_is_its_files(at, monkeypatch):
    """Names and contents below it count, its own name does not; of a very large one sizes and times
    do."""
    (at / "a" / "deep").mkdir(parents=True)
    (at / "a" / "deep" / "x").write_text("1")
    hashes = [content_hash([at / "a"])]
    (at / "a").rename(at / "b")
    assert content_hash([at / "b"]) == hashes[0]
    (at / "b" / "deep" / "x").write_text("2")
    hashes.append(content_hash([at / "b"]))
    (at / "b" / "deep" / "x").rename(at / "b" / "deep" / "y")
    hashes.append(content_hash([at / "b"]))
    monkeypatch.setattr(module, "LARGEST_FOLDER", 0)
    hashes.append(content_hash([at / "b"]))
    old(at / "b" / "deep" / "y")
    hashes.append(content_hash([at / "b"]))
    assert len(set(hashes)) == 5


def test_a_file_that_cannot_be_read(at, monkeypatch):
    """Is said by its name."""

    def refuse(path, *_, **__):
        raise PermissionError(13, "Permission denied", str(path))

    (at / "weights.npy").write_bytes(b"1")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match=r"weights.npy cannot be read: Permission denied"):
        content_hash([at / "weights.npy"])
