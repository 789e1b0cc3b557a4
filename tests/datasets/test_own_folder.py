"""A folder of one's own: `folder[path=...]`."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from bench.datasets import folder
from bench.datasets.folder import Folder

import bench
from bench import DataError, ImageFiles, VideoFile
from bench.frames.fingerprint import dataset_fingerprint
from bench.frames.verification import findings_of


def images(folder: Path, numbers: range) -> None:
    folder.mkdir(parents=True)
    for number in numbers:
        assert cv2.imwrite(str(folder / f"{number}.png"), np.full((12, 16), 50, np.uint8))


def video(path: Path, frames: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, (16, 12))
    for _ in range(frames):
        writer.write(np.zeros((12, 16, 3), np.uint8))
    writer.release()


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A folder with a video to train on, and a video and a folder of images, numbered from 100,
    to test."""
    folder = tmp_path / "mine"
    video(folder / "train" / "Monday.avi", 6)
    video(folder / "test" / "gate-2.avi", 5)
    images(folder / "test" / "yard_1", range(100, 104))
    (folder / "test" / ".DS_Store").write_bytes(b"\0")
    (folder / "test" / "notes.txt").write_text("mine")
    return folder


def opened(folder: Path, *roots: Path, labels: Path | None = None) -> Folder:
    dataset = Folder(Folder.Parameters(path=folder, labels=labels))
    dataset.locate(roots)
    return dataset


def test_videos_and_folders_of_images_are_clips(mine: Path) -> None:
    """Clips are called as their folders, or as their files without ending."""
    dataset = opened(mine)
    assert [(clip.id, type(clip.source)) for clip in dataset.clips("test")] == [
        ("gate-2", VideoFile),
        ("yard_1", ImageFiles),
    ]
    assert [clip.id for clip in dataset.clips("train")] == ["Monday"]
    assert [dataset.lacks(need) for need in ("lengths", "frames", "train")] == [None, None, None]
    assert [(finding.subject, finding.text) for finding in findings_of(dataset)] == [
        ("train clip Monday", "6 frames"),
        ("test clip gate-2", "5 frames"),
        ("test clip yard_1", "4 frames"),
    ]


def test_training_and_testing_are_understood(mine: Path, tmp_path: Path) -> None:
    """The longer names do as well; a relative path is looked for below the data folders too."""
    (mine / "train").rename(mine / "training")
    (mine / "test").rename(mine / "Testing")
    assert len(opened(Path("mine"), tmp_path).clips("test")) == 2
    video(mine / "train" / "again.avi", 1)
    with pytest.raises(DataError, match=r"train split: 2 copies are here"):
        opened(mine).clips("train")


def test_csv_of_abnormal_ranges(mine: Path) -> None:
    """Frames count from 0 whatever the numbers of the files; clips not mentioned are normal."""
    (mine / "labels.csv").write_text("clip,first,last\nyard_1,1,2\n")
    dataset = opened(mine)
    assert dataset.available_label_sets() == ("frame",)
    assert [dataset.labels(clip).tolist() for clip in dataset.clips("test")] == [
        [0] * 5,
        [0, 1, 1, 0],
    ]
    (mine / "other.csv").write_text("clip,first,last\ngate-2,4,4\n")
    for other in (Path("other.csv"), mine / "other.csv"):
        named = opened(mine, labels=other)
        assert [named.labels(clip).tolist() for clip in named.clips("test")] == [
            [0, 0, 0, 0, 1],
            [0] * 4,
        ]


def test_without_a_csv_there_are_no_labels(mine: Path) -> None:
    """Then there is no label set, and the text says what to write."""
    dataset = opened(mine)
    assert dataset.available_label_sets() == ()
    with pytest.raises(
        DataError,
        match=r"write .*labels\.csv with the header clip,first,last .* counted from 0, both ends included",
    ):
        dataset.labels(dataset.clips("test")[0])
    with pytest.raises(DataError, match=r"labels='gone\.csv' is not there"):
        opened(mine, labels=Path("gone.csv")).available_label_sets()
    assert [
        finding.subject
        for finding in findings_of(opened(mine, labels=Path("gone.csv")))
        if not finding.ok
    ] == ["labels"]


def test_fingerprint_counts_the_ranges_and_decodes_nothing(
    mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other ranges are another dataset; no video is decoded to know that."""
    monkeypatch.setattr(folder, "count_frames", lambda clip: pytest.fail("decoded"))
    found = set()
    for line in ("gate-2,0,1", "gate-2,0,2", "yard_1,0,2"):
        (mine / "labels.csv").write_text(f"clip,first,last\n{line}\n")
        found.add(dataset_fingerprint(opened(mine)))
    assert len(found) == 3


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("gate-2,0,5", r"line 2: the range ends at frame 5, but clip gate-2 has 5 frames"),
        ("gate,0,1", r"line 2: there is no test clip 'gate'"),
        ("Monday,0,1", r"line 2: there is no test clip 'Monday'"),
    ],
)
def test_csv_that_does_not_fit(line: str, text: str, mine: Path) -> None:
    """A range beyond the clip, and a clip that is not there, are refused with file and line."""
    (mine / "labels.csv").write_text(f"clip,first,last\n{line}\n")
    dataset = opened(mine)
    with pytest.raises(DataError, match=text):
        dataset.labels(dataset.clips("test")[0])
    assert not all(finding.ok for finding in findings_of(dataset))


@pytest.mark.parametrize(
    "name", ["my clip", "gärten", "入口 2", "a & b (copy)", "50%_#1~^{x}'", "file", "a" * 196]
)
def test_names_may_have_blanks_and_any_letters(name: str, mine: Path) -> None:
    """What people call their videos; only what has a meaning elsewhere is refused."""
    video(mine / "train" / f"{name}.avi", 1)
    assert [clip.id for clip in opened(mine).clips("train")] == sorted(["Monday", name])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a[1]", r"'\[' may not be in it; rename it"),
        ("a:b", "':' may not be in it"),
        ("a$b", r"'\$' may not be in it"),
        ("<b>", "'<' may not be in it"),
        ("a\nb", "U[+]000A, which cannot be seen, may not be in it"),
        ("a\u202eb", "U[+]202E, which cannot be seen"),
        ("a\udcff", "U[+]DCFF, which cannot be seen"),
        (" a", "it begins or ends with a blank"),
        ("a.frames", "it ends with .frames, which marks arrays of a run"),
        ("ä" * 101, "it has more than 200 bytes"),
    ],
)
def test_name_that_cannot_be_a_key(name: str, text: str, mine: Path) -> None:
    """Clip names become keys of npz files, parts of paths, and texts of pages and figures."""
    video(mine / "train" / "new.avi", 1)
    (mine / "train" / "new.avi").rename(mine / "train" / f"{name}.avi")
    with pytest.raises(DataError, match=text):
        opened(mine).clips("train")


def test_names_are_compared_in_one_normal_form(mine: Path) -> None:
    """A folder unpacked from a Mac has 'a' and two dots where labels have one 'ä'; two such names
    are one clip."""
    composed, decomposed = "G\u00e4rten", "Ga\u0308rten"
    video(mine / "test" / f"{decomposed}.avi", 2)
    (mine / "labels.csv").write_text(f"clip,first,last\n{composed},1,1\n", encoding="utf-8")
    dataset = opened(mine)
    assert [clip.id for clip in dataset.clips("test")] == [composed, "gate-2", "yard_1"]
    assert dataset.labels(dataset.clips("test")[0]).tolist() == [0, 1]
    video(mine / "test" / f"{composed}.avi", 2)
    with pytest.raises(DataError, match="two clips have the id"):
        opened(mine).clips("test")


def test_two_clips_of_one_name(mine: Path) -> None:
    """A video and a folder of one name are refused."""
    images(mine / "train" / "Monday", range(2))
    with pytest.raises(DataError, match="two clips have the id 'Monday'"):
        opened(mine).clips("train")


def test_folder_that_is_none(tmp_path: Path, mine: Path) -> None:
    """A path that is not there, a folder without splits, images without clip folders: each says
    what to do."""
    with pytest.raises(DataError, match="no folder 'gone'; looked for"):
        opened(Path("gone"), tmp_path)
    with pytest.raises(DataError, match=r"has neither train/ nor test/ in it\. DIR/train"):
        opened(mine / "test")
    cv2.imwrite(str(mine / "test" / "1.png"), np.zeros((12, 16), np.uint8))
    with pytest.raises(DataError, match="holds images itself"):
        opened(mine).clips("test")


def test_gap_is_refused_here_too(mine: Path) -> None:
    """Numbers may begin anywhere, but none may be missing."""
    (mine / "test" / "yard_1" / "102.png").unlink()
    with pytest.raises(DataError, match="the frame with number 102 is missing"):
        opened(mine).clips("test")


def test_the_number_does_not_depend_on_how_images_are_named(tmp_path: Path) -> None:
    """One image a second across a full minute, abnormal at first: by the last number alone the
    order would be another, and the AUC 39."""
    for naming in ("time", "number"):
        for split in ("train", "test"):
            rng = np.random.default_rng(0)
            folder = tmp_path / naming / split / "a"
            folder.mkdir(parents=True)
            for index in range(60):
                image = np.full((48, 64), 40, np.uint8)
                image[10:30, index : index + 4] = 220
                if split == "test" and index < 10:
                    image = rng.integers(0, 255, image.shape).astype(np.uint8)
                minute, second = divmod(30 + index, 60)
                name = (
                    f"2024-01-01_12-{minute:02d}-{second:02d}"
                    if naming == "time"
                    else f"{index:04d}"
                )
                cv2.imwrite(str(folder / f"{name}.png"), image)
        (tmp_path / naming / "labels.csv").write_text("clip,first,last\na,0,9\n")
    datasets = [f'folder[path="{tmp_path / naming}"]' for naming in ("time", "number")]
    run = bench.run(
        "frame-difference",
        ",".join(datasets),
        protocol="raw",
        profile="smoke",
        threads=1,
        out=tmp_path / "run",
    )
    raw = run.results[(run.results["protocol"] == "raw") & (run.results["metric"] == "auc")]
    assert [round(100 * float(value), 2) for value in raw["value"]] == [98.0, 98.0]
