"""Labels of one's own footage: every form gives the same labels, and what is wrong is told with
what is read."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from bench.datasets.folder import Folder

from bench import DataError
from bench.frames.fingerprint import dataset_fingerprint
from bench.frames.verification import findings_of

LABELS = {"01": (np.arange(20) > 11).astype(np.uint8), "gate 2": np.zeros(18, np.uint8)}


@pytest.fixture
def station(tmp_path: Path) -> Path:
    """A training clip, and test clips of 20 and 18 frames."""
    for split, clip, count in (("train", "a", 3), ("test", "01", 20), ("test", "gate 2", 18)):
        folder = tmp_path / "station" / split / clip
        folder.mkdir(parents=True)
        for index in range(count):
            cv2.imwrite(str(folder / f"{index:03d}.png"), np.full((8, 8), index, np.uint8))
    return tmp_path / "station"


def opened(folder: Path, labels: Path | None = None) -> Folder:
    dataset = Folder(Folder.Parameters(path=folder, labels=labels))
    dataset.locate(())
    return dataset


def labels_of(dataset: Folder, label_set: str | None = None) -> dict[str, list[int]]:
    return {clip.id: dataset.labels(clip, label_set).tolist() for clip in dataset.clips("test")}


def ranges(path: Path, sign: str = ",") -> None:
    path.write_text(f"clip{sign}first{sign}last\n01{sign}12{sign}19\n")


def frame_by_frame(path: Path) -> None:
    lines = [
        f"{clip},{frame},{label}"
        for clip, labels in LABELS.items()
        for frame, label in enumerate(labels)
    ]
    path.write_text("\n".join(["Clip,Frame,Label", *reversed(lines)]))


def row(path: Path) -> None:
    np.save(path, np.concatenate(list(LABELS.values())))


def column(path: Path) -> None:
    path.write_text("\n".join(str(label) for labels in LABELS.values() for label in labels))


def by_clip(path: Path) -> None:
    np.savez(path, **{clip: labels.astype(bool) for clip, labels in LABELS.items()})


def npy_a_clip(path: Path) -> None:
    path.mkdir()
    for clip, labels in LABELS.items():
        np.save(path / f"{clip}.npy", labels)


FORMS: list[tuple[str, Callable[[Path], None]]] = [
    ("labels.csv", ranges),
    ("Labels.CSV", lambda path: ranges(path, ";")),
    ("labels.csv", lambda path: ranges(path, "\t")),
    ("labels.csv", frame_by_frame),
    ("LABELS.csv", column),
    ("labels.npz", by_clip),
    ("Labels.npy", row),
    ("labels", npy_a_clip),
]


@pytest.mark.parametrize(("name", "write"), FORMS)
def test_every_form_gives_the_same_labels(
    station: Path, tmp_path: Path, name: str, write: Callable[[Path], None]
) -> None:
    """In the folder, whatever the case of the name; and named by the parameter, whatever the
    name."""
    write(station / name)
    dataset = opened(station)
    expected = {clip: labels.tolist() for clip, labels in LABELS.items()}
    assert dataset.available_label_sets() == ("frame",) and labels_of(dataset) == expected
    assert all(finding.ok for finding in findings_of(dataset)) and dataset.passed_over() == []
    other = tmp_path / f"mine{Path(name).suffix}"
    (station / name).rename(other)
    assert opened(station).available_label_sets() == ()
    named = opened(station, labels=other)
    assert labels_of(named) == expected and named.passed_over() == []


@pytest.mark.parametrize("ending", [".npz", ".npy", ".csv"])
def test_label_sets_in_the_folder_labels(station: Path, ending: str) -> None:
    """labels/NAME is the label set NAME, as for published datasets; 'frame' is the first."""
    (station / "labels").mkdir()
    for name in ("a", "frame"):
        {".npz": by_clip, ".npy": row, ".csv": frame_by_frame}[ending](
            station / "labels" / f"{name}{ending}"
        )
    np.savez(
        station / "labels" / "later.npz", **{clip: 1 - labels for clip, labels in LABELS.items()}
    )
    dataset = opened(station)
    assert dataset.available_label_sets() == ("frame", "a", "later")
    assert (
        labels_of(dataset)
        == labels_of(dataset, "a")
        == {clip: labels.tolist() for clip, labels in LABELS.items()}
    )
    assert labels_of(dataset, "later")["01"] == (1 - LABELS["01"]).tolist()
    with pytest.raises(DataError, match="no labels 'b'; there are 'frame', 'a', 'later'"):
        labels_of(dataset, "b")


def test_label_sets_stand_beside_labels_by_clip(station: Path) -> None:
    """labels/ holds an .npy for each clip, another label set, and what macOS leaves on a disk of
    another system, which is ignored."""
    (station / "labels").mkdir()
    for clip, labels in LABELS.items():
        np.save(station / "labels" / f"{clip}.npy", labels)
        (station / "labels" / f"._{clip}.npy").write_bytes(b"\0\5\x16\7" + bytes(100))
    row(station / "labels" / "later.npy")
    dataset = opened(station)
    assert dataset.available_label_sets() == ("frame", "later")
    expected = {clip: labels.tolist() for clip, labels in LABELS.items()}
    assert labels_of(dataset) == labels_of(dataset, "later") == expected
    (station / "labels" / "later.npy").unlink()
    named = Folder(Folder.Parameters(path=station, labels=station / "labels"))
    named.locate([])
    assert labels_of(named) == expected


def test_two_files_of_one_label_set_must_agree(station: Path) -> None:
    """Equal ones are read; where they differ neither is."""
    (station / "labels").mkdir()
    by_clip(station / "labels" / "frame.npz")
    ranges(station / "Labels.csv")
    assert labels_of(opened(station))["01"] == LABELS["01"].tolist()
    (station / "Labels.csv").write_text("clip,first,last\n01,12,18\n")
    with pytest.raises(
        DataError,
        match=r"Labels\.csv and .*frame\.npz differ in clip 01; move one away, or name one",
    ):
        labels_of(opened(station))
    assert not all(finding.ok for finding in findings_of(opened(station)))
    assert (
        labels_of(opened(station, labels=Path("labels/frame.npz")))["01"] == LABELS["01"].tolist()
    )


def test_fingerprint_counts_the_labels_whatever_the_form(station: Path) -> None:
    found = set()
    for value in (0, 1):
        np.savez(station / "labels.npz", **{**LABELS, "gate 2": np.full(18, value)})
        found.add(dataset_fingerprint(opened(station)))
    assert len(found) == 2


def arrays(**changed: np.ndarray | None) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        new = {key.replace("_", " "): array for key, array in changed.items()}
        np.savez(
            path, **{clip: array for clip, array in {**LABELS, **new}.items() if array is not None}
        )

    return write


def text(content: str) -> Callable[[Path], None]:
    return lambda path: path.write_text(content) and None


@pytest.mark.parametrize(
    ("name", "write", "said"),
    [
        ("labels.npz", arrays(gate_2=None), r"labels\.npz has no labels of the test clips 'gate 2' \(1\)"),
        ("labels.npz", arrays(b=np.zeros(3)), r"there is no test clip 'b'; the test clips are '01', 'gate 2'"),
        ("labels.npz", arrays(a=np.zeros(3)), r"there is no test clip 'a'"),
        ("labels.npz", arrays(gate_2=np.zeros(17)), r"clip gate 2 has 18 frames, its labels in .* have 17; there must be one for each frame"),
        ("labels.npz", arrays(gate_2=np.full(18, 2)), r"clip gate 2: frame 0 is 2, expected 0 \(normal\) or 1 \(abnormal\)"),
        ("labels.npz", arrays(gate_2=np.full(18, np.nan)), r"frame 0 is nan, expected 0"),
        ("labels.npz", arrays(gate_2=np.zeros((18, 2))), r"expected one 0 or 1 a frame"),
        ("labels.npz", arrays(gate_2=np.array(["a"] * 18)), r"expected one 0 or 1 a frame"),
        ("labels.npz", lambda path: np.savez(path, *LABELS.values()), r"no test clip 'arr_0' \(an array that was saved without a name\)"),
        ("labels.npz", arrays(gate_2=np.array([None] * 18)), r"is a pickle.*never read"),
        ("labels.npy", lambda path: np.save(path, np.zeros(37)), r"has 37 labels in one row, the 2 test clips have 38 frames"),
        ("labels.npy", lambda path: np.save(path, np.zeros((38, 2))), r"expected one row for all clips"),
        ("labels.csv", text("0\n" * 37), r"has 37 labels in one row"),
        ("labels.csv", text("0\n2\n"), r"line 1: expected the header 'clip,first,last' or 'clip,frame,label', found '0'; what is read is a CSV"),
        ("labels.csv", text("video,start,end\n"), r"found 'video,start,end'; what is read is a CSV .* an \.npz with one array of 0/1"),
        ("labels.csv", text("clip,frame,label\n01,0,2\n"), r"line 2: label is 2, expected 0 \(normal\) or 1"),
        ("labels.csv", text("clip,frame,label\n01,0,yes\n"), r"line 2: label is 'yes', expected a whole number"),
        ("labels.csv", text("clip,frame,label\n01,0,0\n01,0,0\n"), r"line 3: frame 0 of clip 01 a second time"),
        ("labels.csv", text("clip,frame,label\n01,0,0\n01,2,0\n"), r"clip 01 has no label for frame 1"),
        ("labels.csv", text("clip,frame,label\n01,0,0\n"), r"has no labels of the test clips 'gate 2'"),
        ("labels.csv", text("clip,frame,label\nb,0,0\n"), r"line 2: there is no test clip 'b'"),
        ("labels.csv", lambda path: path.write_bytes(b"MATLAB 5.0 MAT-file"), r"is a Matlab or HDF5 file; what is read is"),
        ("labels.csv", lambda path: path.write_bytes(b"\xff\xd8\xff\xe0"), r"is no text in UTF-8 .* what is read is"),
        ("labels.csv", lambda path: path.write_bytes(b"\x80\x04]."), r"is a pickle"),
        ("labels.csv", text(""), r"is empty"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(
    station: Path, name: str, write: Callable[[Path], object], said: str
) -> None:
    """With the file, the place in it, and what is read."""
    write(station / name)
    dataset = opened(station)
    with pytest.raises(DataError, match=said):
        labels_of(dataset)
    assert not all(finding.ok for finding in findings_of(dataset))


def test_a_row_is_refused_where_the_order_of_the_clips_is_in_doubt(station: Path) -> None:
    """By letters clip 10 is before clip 2, by numbers behind it."""
    (station / "test" / "01").rename(station / "test" / "clip 10")
    (station / "test" / "gate 2").rename(station / "test" / "clip 2")
    row(station / "labels.npy")
    with pytest.raises(
        DataError,
        match=r"the order of the clips is in doubt: 'clip 2' or 'clip 10' may come first; write an \.npz",
    ):
        labels_of(opened(station))


def test_files_beside_that_are_no_labels_are_named(station: Path) -> None:
    """So that labels under another name do not go unseen."""
    (station / "labels").mkdir()
    (station / "labels" / "gt.mat").write_bytes(b"MATLAB 5.0 MAT-file")
    (station / "ground_truth.npy").write_bytes(b"\x93NUMPY")
    dataset = opened(station)
    assert dataset.available_label_sets() == ()
    found = {one.path.name: one.reason for one in dataset.passed_over()}
    assert found["gt.mat"].startswith("no labels: what is read is a CSV") and found[
        "ground_truth.npy"
    ].startswith("beside train/ and test/")
    assert not any(one.may_hold_frames for one in dataset.passed_over())
