"""The fingerprint of a dataset changes with what a run can see, and with nothing else."""

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from bench import Clip, DataError, Dataset, ImageFiles, Split, VideoFile
from bench.contracts.clip import SPLITS
from bench.frames import fingerprint
from bench.frames.fingerprint import content_digest, dataset_fingerprint
from bench.frames.verification import compare_with_official


class Small(Dataset):
    """A training video, and a test clip of five images."""

    name = "small"
    abnormal = 2

    def locate(self, roots: Sequence[Path]) -> None:
        self.root = roots[0]

    def clips(self, split: Split) -> list[Clip]:
        assert self.root is not None
        if split == "train":
            return [Clip("01", split, VideoFile(self.root / "01.avi"))]
        return [Clip("02", split, ImageFiles(tuple(sorted((self.root / "02").glob("*.png")))))]

    def labels(self, clip: Clip, label_set: str | None = None) -> np.ndarray:
        return (np.arange(5) == self.abnormal).astype(np.uint8)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Small:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "small"
    (folder / "02").mkdir(parents=True)
    for index in range(5):
        cv2.imwrite(str(folder / "02" / f"{index}.png"), np.full((12, 16), index, np.uint8))
    (folder / "01.avi").write_bytes(bytes(5 << 20))
    return at(folder)


def at(folder: Path) -> Small:
    dataset = Small()
    dataset.locate([folder])
    return dataset


def rewrite(path: Path, position: int) -> None:
    """Change one byte, and nothing else, of a file."""
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def test_same_data_elsewhere_have_the_same_fingerprint(small: Small, tmp_path: Path) -> None:
    """Neither the place nor the time of the files counts."""
    assert small.root is not None
    shutil.copytree(small.root, tmp_path / "elsewhere")
    assert dataset_fingerprint(at(tmp_path / "elsewhere")) == dataset_fingerprint(small)
    assert dataset_fingerprint(at(tmp_path / "elsewhere"), full=True) == dataset_fingerprint(
        small, full=True
    )
    assert len(dataset_fingerprint(small)) == 64


@pytest.mark.parametrize(
    ("name", "position"),
    [
        ("02/0.png", 60),
        ("02/2.png", 60),
        ("02/4.png", 60),
        ("01.avi", 0),
        ("01.avi", 5 << 19),
        ("01.avi", -1),
    ],
)
def test_changed_file_changes_it(name: str, position: int, small: Small) -> None:
    """First, middle and last image, and first, middle and last MiB of a video."""
    before = dataset_fingerprint(small)
    assert small.root is not None
    rewrite(small.root / name, position)
    assert dataset_fingerprint(small) != before


@pytest.mark.parametrize(("name", "position"), [("02/1.png", 60), ("01.avi", 1 << 20)])
def test_every_byte_counts_in_full(name: str, position: int, small: Small) -> None:
    """Between the samples, only `full` sees a change of the same size."""
    before, full = dataset_fingerprint(small), dataset_fingerprint(small, full=True)
    assert small.root is not None
    rewrite(small.root / name, position)
    assert dataset_fingerprint(small) == before
    assert dataset_fingerprint(small, full=True) != full


def test_size_labels_and_lost_frames_change_it(small: Small, tmp_path: Path) -> None:
    """A file of another size between the samples, other labels, one frame less."""
    found = {dataset_fingerprint(small)}
    small.abnormal = 3
    found.add(dataset_fingerprint(small))
    assert small.root is not None
    (small.root / "02" / "1.png").write_bytes(b"another size")
    found.add(dataset_fingerprint(small))
    (small.root / "02" / "1.png").unlink()
    found.add(dataset_fingerprint(small))
    assert len(found) == 4


def test_contents_are_read_once(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time nothing is hashed again, unless everything is asked for."""
    before = dataset_fingerprint(small)
    hashed: list[str] = []
    real = fingerprint._hash
    monkeypatch.setattr(
        fingerprint,
        "_hash",
        lambda path, size, whole: hashed.append(path.name) or real(path, size, whole),
    )
    assert dataset_fingerprint(small) == before
    assert hashed == []
    dataset_fingerprint(small, full=True)
    assert len(hashed) == 6


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"format": 99, "files": {}}',
        '{"format": 1, "files": {"a": 1}}',
        '{"format": 1, "files": []}',
    ],
)
def test_damaged_cache_is_made_anew(content: str, small: Small, tmp_path: Path) -> None:
    """A cache that cannot be understood costs a reading, no error."""
    before = dataset_fingerprint(small)
    (cache,) = (tmp_path / "cache").rglob("hashes.json")
    cache.write_text(content)
    assert dataset_fingerprint(small) == before
    assert str(small.root) in cache.read_text()


def test_cache_that_cannot_be_written(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cache folder that is a file is no error here."""
    before = dataset_fingerprint(small)
    (tmp_path / "blocked").write_text("")
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "blocked"))
    assert dataset_fingerprint(small) == before


def test_file_that_went_away(small: Small) -> None:
    """A file that is listed and not there is named."""
    assert small.root is not None
    (small.root / "01.avi").unlink()
    with pytest.raises(DataError, match=r"train clip 01: .*01\.avi cannot be read"):
        dataset_fingerprint(small)


def test_digests_are_those_of_common_tools(small: Small) -> None:
    """Of images, sha256sum's lines hashed again; of a video, git's blob id."""
    (images,), (video,) = small.clips("test"), small.clips("train")
    assert isinstance(images.source, ImageFiles) and isinstance(video.source, VideoFile)
    lines = [hashlib.sha256(path.read_bytes()).hexdigest() for path in images.source.paths]
    joined = "".join(f"{line}\n" for line in lines).encode()
    assert content_digest(images) == hashlib.sha256(joined).hexdigest()
    content = video.source.path.read_bytes()
    assert content_digest(video) == hashlib.sha1(b"blob 5242880\0" + content).hexdigest()
    video.source.path.unlink()
    with pytest.raises(DataError, match=r"train clip 01: .*01\.avi cannot be read: No such file"):
        content_digest(video)


def test_files_are_compared_with_the_owners_own(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All, none, or some are official; only where some are is another one wrong."""
    right = {
        split: {clip.id: content_digest(clip) for clip in small.clips(split)} for split in SPLITS
    }
    for official, expected in (
        ({}, []),
        (right, [("files", True, "the official files")]),
        (
            {"train": {"01": "other"}, "test": {"02": "other"}},
            [("files", True, "re-encoded: no clip of 2 has the official files")],
        ),
        (
            right | {"train": {"01": "other"}},
            [
                ("files", True, "the official files in 1 of 2 clips"),
                (
                    "files of train clip 01",
                    False,
                    "not the official files, as the other clips are",
                ),
            ],
        ),
    ):
        monkeypatch.setattr(Small, "official", official)
        found = [(one.subject, one.ok, one.text) for one in compare_with_official(small)]
        assert found == expected
