"""The published datasets in their layouts, on trees that each test writes: images of 16x12
pixels, clips of a few frames."""

import os
import pickle
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import scipy.io
from bench.datasets.avenue import Avenue
from bench.datasets.folder import Folder
from bench.datasets.formats.matlab import read_mat_ranges
from bench.datasets.formats.ranges import parse_ranges
from bench.datasets.shanghaitech import ShanghaiTech
from bench.datasets.ucsd import Ped1, Ped2

from bench import Clip, DataError, Dataset, ImageFiles, VideoFile, read_frames
from bench.contracts.dataset import checked_labels
from bench.frames.verification import findings_of

SIZE = (12, 16)


class TinyPed2(Ped2):
    expected = {"train": {"01": 4, "02": 3}, "test": {"01": 5, "02": 6}}
    expected_anomalous = {"frame": {"01": 3, "02": 2}}


class TinyAvenue(Avenue):
    mat_ranges = ""
    expected = {"train": {"01": 0}, "test": {"01": 5, "02": 4, "10": 3}}
    expected_totals = {"train": 4}
    expected_anomalous = {"mat": {"01": 2, "02": 1, "10": 0}, "pixel": {"01": 1, "02": 4, "10": 1}}


class TinyShanghaiTech(ShanghaiTech):
    expected = {
        "train": {"01_001": 0, "02_001": 0, "13_001": 0},
        "test": {"01_0014": 5, "02_0128": 4},
    }
    expected_anomalous = {"frame": {"01_0014": 2, "02_0128": 3}}


PED2_LABELS = {"01": [0, 0, 1, 1, 1], "02": [1, 0, 0, 0, 0, 1]}


def image(path: Path, value: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full(SIZE, value, np.uint8))


def images(folder: Path, names: Iterable[str]) -> None:
    for index, name in enumerate(names):
        image(folder / name, index * 20)


def video(path: Path, frames: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, SIZE[::-1])
    for index in range(frames):
        writer.write(np.full((*SIZE, 3), index * 20, np.uint8))
    writer.release()


def masks_of(labels: Sequence[int]) -> np.ndarray:
    masks = np.zeros((len(labels), *SIZE), np.uint8)
    masks[np.asarray(labels) == 1, 3:5, 7] = 255
    return masks


def mat(path: Path, name: str, cells: list[np.ndarray]) -> None:
    array = np.empty((1, len(cells)), dtype=object)
    for index, cell in enumerate(cells):
        array[0, index] = cell
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, {name: array})


def official_ped2(folder: Path) -> Path:
    """Write the official tree, with the stray files that it has."""
    for split, name, lengths in (("Train", "Train", (4, 3)), ("Test", "Test", (5, 6))):
        for number, length in enumerate(lengths, start=1):
            clip = folder / split / f"{name}{number:03d}"
            images(clip, [f"{index:03d}.tif" for index in range(1, length + 1)])
            for stray in (".DS_Store", "._001.tif", "Thumbs.db", "._.DS_Store"):
                (clip / stray).write_bytes(b"\0\5\x16\7")
    for number, prefix in ((1, ""), (2, "frame")):
        folder_of_masks = folder / "Test" / f"Test{number:03d}_gt"
        folder_of_masks.mkdir()
        for index, mask in enumerate(masks_of(PED2_LABELS[f"{number:02d}"]), start=1):
            cv2.imwrite(str(folder_of_masks / f"{prefix}{index:03d}.bmp"), mask)
        (folder_of_masks / ".DS_Store").write_bytes(b"\0")
    head = "TestVideoFile = {};\nTestVideoFile{end+1}.gt_frame = [3:5];\nTestVideoFile{end+1}.gt_frame = "
    (folder / "Test" / "UCSDped2.m").write_text(head + "[1:1, 6:6];\n")
    (folder / "Test" / "UCSDped2.m~").write_text(head + "[1:3];\n")
    (folder / "Test" / "._UCSDped2.m").write_bytes(b"\0\5\x16\7")
    (folder / ".DS_Store").write_bytes(b"\0")
    return folder


def repackaged_ped2(folder: Path, names: str = "{:03d}.jpg", start: int = 0) -> Path:
    for split, lengths in (("training", (4, 3)), ("testing", (5, 6))):
        for number, length in enumerate(lengths, start=1):
            images(
                folder / split / "frames" / f"{number:02d}",
                [names.format(index) for index in range(start, start + length)],
            )
    mat(
        folder / "ped2.mat",
        "gt",
        [np.array([[3], [5]], np.uint8), np.array([[1, 6], [1, 6]], np.uint8)],
    )
    return folder


def located(dataset: Dataset, *roots: Path) -> Any:
    dataset.locate(roots)
    return dataset


def assert_is_tiny_ped2(dataset: Ped2) -> None:
    assert [(clip.id, clip.length) for clip in dataset.clips("train")] == [("01", 4), ("02", 3)]
    assert [(clip.id, clip.length) for clip in dataset.clips("test")] == [("01", 5), ("02", 6)]
    for clip in dataset.clips("test"):
        assert dataset.labels(clip).tolist() == PED2_LABELS[clip.id]
        assert [int(frame.mean().round() / 20) for frame in read_frames(clip, channels=1)] == list(
            range(clip.length or 0)
        )
    wrong = [finding for finding in findings_of(dataset) if not finding.ok]
    assert wrong == []
    assert dataset.share() == 1.0
    assert [dataset.lacks(need) for need in ("lengths", "frames", "train")] == [None, None, None]


# --------------------------------------------------------------------------------------------------
# finding


@pytest.mark.parametrize(
    "below", ["UCSD_Anomaly_Dataset.v1p2/UCSDped2", "UCSDped2", "a/b/ucsdPED2"]
)
def test_official_ped2_is_found_and_read(below: str, tmp_path: Path) -> None:
    """Stray files, an older label file and masks called frame001.bmp do no harm."""
    folder = official_ped2(tmp_path / below)
    dataset = located(TinyPed2(), tmp_path)
    assert dataset.root == folder
    assert_is_tiny_ped2(dataset)
    for clip in dataset.clips("test"):
        masks = dataset.pixel_masks(clip)
        assert masks.dtype == bool
        assert np.array_equal(masks, masks_of(PED2_LABELS[clip.id]) > 0)
    assert_is_tiny_ped2(located(TinyPed2(), folder))


@pytest.mark.parametrize(
    ("names", "start"),
    [("{:03d}.jpg", 0), ("{:03d}.jpg", 1), ("{}.png", 0), ("{}.jpg", 1), ("img_{:05d}.bmp", 0)],
)
def test_repackaged_ped2_is_read_whatever_the_numbering(
    names: str, start: int, tmp_path: Path
) -> None:
    """Numbers from 0 or 1, with or without leading zeros, give the same frames in the same
    order."""
    repackaged_ped2(tmp_path / "ped2", names, start)
    assert_is_tiny_ped2(located(TinyPed2(), tmp_path))


def test_numbers_without_zeros_sort_by_number(tmp_path: Path) -> None:
    """'10.jpg' comes after '9.jpg'."""
    images(
        tmp_path / "ped2" / "training" / "frames" / "1", [f"{index}.png" for index in range(1, 13)]
    )
    (clip,) = located(TinyPed2(), tmp_path).clips("train")
    assert clip.id == "01"
    assert [path.stem for path in clip.source.paths] == [str(index) for index in range(1, 13)]


def test_root_may_be_the_dataset_itself_or_be_named(tmp_path: Path) -> None:
    """A data folder that is the dataset is understood; `path` takes one of any name."""
    repackaged_ped2(tmp_path / "ped2")
    assert located(TinyPed2(), tmp_path / "ped2").root == tmp_path / "ped2"
    repackaged_ped2(tmp_path / "mine")
    named = TinyPed2(TinyPed2.Parameters(path=tmp_path / "mine"))
    assert located(named, tmp_path).root == tmp_path / "mine"
    with pytest.raises(DataError, match="is no folder"):
        located(TinyPed2(TinyPed2.Parameters(path=tmp_path / "nothing")), tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        DataError, match=r"holds neither Train nor Test nor .* so it is not the dataset"
    ):
        located(TinyPed2(TinyPed2.Parameters(path=tmp_path / "empty")), tmp_path)


def test_two_copies_are_refused_with_both_paths(tmp_path: Path) -> None:
    """Official and re-packaged, or one in each of two roots: the user says which."""
    official, other = (
        official_ped2(tmp_path / "a" / "UCSDped2"),
        repackaged_ped2(tmp_path / "b" / "ped2"),
    )
    for roots in ((tmp_path,), (tmp_path / "a", tmp_path / "b")):
        with pytest.raises(DataError, match="2 copies") as error:
            located(TinyPed2(), *roots)
        assert str(official) in str(error.value)
        assert str(other) in str(error.value)
        assert "name one: --data" in str(error.value)
    assert located(TinyPed2(), tmp_path / "b").root == other
    assert located(TinyPed2(TinyPed2.Parameters(path=official)), tmp_path).root == official


def test_a_link_may_have_the_name_of_the_dataset(tmp_path: Path) -> None:
    """A link called ped2 leads to a folder that is called otherwise, or the other way round."""
    store = tmp_path / "store" / "ucsd-v2-2010"
    official_ped2(store)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ped2").symlink_to(store)
    assert located(TinyPed2(), tmp_path / "data").root == tmp_path / "data" / "ped2"
    store.rename(tmp_path / "store" / "ped2")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "v2").symlink_to(tmp_path / "store" / "ped2")
    assert located(TinyPed2(), tmp_path / "other").root == tmp_path / "other" / "v2"


def test_place_behind_a_link_is_not_named(tmp_path: Path) -> None:
    """The root is the path that was given: run.json and messages name it, and runs are passed
    on."""
    official_ped2(tmp_path / "private" / "UCSDped2")
    (tmp_path / "data").symlink_to(tmp_path / "private")
    assert located(TinyPed2(), tmp_path / "data").root == tmp_path / "data" / "UCSDped2"
    (tmp_path / "own").symlink_to(tmp_path / "private" / "UCSDped2")
    own = Folder(Folder.Parameters(path=Path("own")))
    own.locate([tmp_path])
    assert own.root == tmp_path / "own"


def test_both_layouts_in_one_folder_are_two_copies(tmp_path: Path) -> None:
    """Train/ beside training/frames is refused with both paths."""
    repackaged_ped2(official_ped2(tmp_path / "UCSDped2"))
    dataset = located(TinyPed2(), tmp_path)
    with pytest.raises(
        DataError, match=r"train split: 2 copies are here: .*/Train and .*/training/frames"
    ):
        dataset.clips("train")


def test_one_folder_reached_twice_is_one_copy(tmp_path: Path) -> None:
    """The same real folder below two roots, one a link, is no second copy."""
    folder = repackaged_ped2(tmp_path / "real" / "ped2")
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "ped2").symlink_to(folder)
    assert located(TinyPed2(), tmp_path / "real", tmp_path / "link", folder).root == folder


def test_absent_dataset_says_where_it_was_looked_for(tmp_path: Path) -> None:
    """All places, what is looked for, and how to obtain it."""
    (tmp_path / "ped2").mkdir()  # empty, so no copy
    with pytest.raises(DataError, match="ped2: not found") as error:
        located(Ped2(), tmp_path, tmp_path / "gone")
    for part in (
        str(tmp_path),
        f"{tmp_path / 'gone'} (not there)",
        "'UCSDped2' or 'ped2'",
        "--data DIR names another place",
    ):
        assert part in str(error.value)
    assert str(error.value).endswith("; bench download ped2")


# --------------------------------------------------------------------------------------------------
# frames


def test_gap_in_the_numbers_is_refused_by_name(tmp_path: Path) -> None:
    """A missing frame would shift all labels behind it."""
    clip = official_ped2(tmp_path / "UCSDped2") / "Test" / "Test002"
    (clip / "003.tif").unlink()
    with pytest.raises(
        DataError,
        match=r"Test002: the frame with number 3 is missing: 5 files, 001\.tif to 006\.tif",
    ):
        located(TinyPed2(), tmp_path).clips("test")
    (clip / "004.tif").unlink()
    with pytest.raises(DataError, match="the frames with number 3, 4 are missing"):
        located(TinyPed2(), tmp_path).clips("test")
    wrong = [finding for finding in findings_of(located(TinyPed2(), tmp_path)) if not finding.ok]
    assert [(finding.subject, "3, 4 are missing" in finding.text) for finding in wrong] == [
        ("test clips", True)
    ]


def test_first_frame_lost(tmp_path: Path) -> None:
    """Clips begin at 0 or 1, and all of a split at the same number."""
    official = official_ped2(tmp_path / "a" / "UCSDped2")
    (official / "Train" / "Train001" / "001.tif").unlink()
    with pytest.raises(DataError, match="the frame with number 1 is missing"):
        located(TinyPed2(), tmp_path / "a").clips("train")
    other = repackaged_ped2(tmp_path / "b" / "ped2")
    (other / "training" / "frames" / "02" / "000.jpg").unlink()
    with pytest.raises(
        DataError,
        match=r"clip 02 begins with frame number 1, clip 01 with 0: frame 0 is missing in .*frames/02",
    ):
        located(TinyPed2(), tmp_path / "b").clips("train")


@pytest.mark.parametrize("layout", [official_ped2, repackaged_ped2])
def test_last_frame_lost_does_not_fit_its_labels(layout: Any, tmp_path: Path) -> None:
    """Even where the labels are ranges that end before it: both lengths are told."""
    folder = layout(tmp_path / "ped2")
    clip = folder / ("Test/Test002" if layout is official_ped2 else "testing/frames/02")
    last = max(path for path in clip.iterdir() if path.suffix in (".tif", ".jpg"))
    last.unlink()
    dataset = located(TinyPed2(), tmp_path)
    with pytest.raises(
        DataError,
        match=r"clip 02 has 5 frames, its labels 'frame' have 6; looked in .* \(bench verify ped2\)",
    ):
        dataset.labels(dataset.clips("test")[1])
    wrong = {finding.subject: finding.text for finding in findings_of(dataset) if not finding.ok}
    assert wrong["test clip 02"] == "5 frames, 6 expected"
    assert "labels frame, clip 02" in wrong


def test_lfs_pointer_and_empty_image_are_named(tmp_path: Path) -> None:
    """A pointer of Git LFS is no image, and no frame is silently left out."""
    path = official_ped2(tmp_path / "UCSDped2") / "Train" / "Train002" / "002.tif"
    path.write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 86538\n"
    )
    with pytest.raises(
        DataError, match=r"002\.tif is a Git LFS pointer \(\d+ bytes\).*git lfs pull"
    ):
        located(TinyPed2(), tmp_path).clips("train")
    path.write_bytes(b"")
    with pytest.raises(DataError, match=r"002\.tif is empty"):
        located(TinyPed2(), tmp_path).clips("train")


def test_two_files_of_one_number_and_two_folders_of_one_clip(tmp_path: Path) -> None:
    """'1.jpg' beside '001.jpg', and '1/' beside '01/', are refused with both paths."""
    frames = repackaged_ped2(tmp_path / "ped2") / "training" / "frames"
    image(frames / "01" / "1.jpg")
    with pytest.raises(DataError, match=r"001\.jpg and 1\.jpg have the same frame number, 1"):
        located(TinyPed2(), tmp_path).clips("train")
    (frames / "01" / "1.jpg").unlink()
    image(frames / "1" / "000.jpg")
    with pytest.raises(DataError, match=r"two clips have the id '01': .*frames/01 and .*frames/1;"):
        located(TinyPed2(), tmp_path).clips("train")


def test_image_without_a_number(tmp_path: Path) -> None:
    """An image whose place is unknown is refused, not sorted somewhere."""
    image(repackaged_ped2(tmp_path / "ped2") / "training" / "frames" / "01" / "cover.jpg")
    with pytest.raises(DataError, match=r"cover\.jpg has no number in its name"):
        located(TinyPed2(), tmp_path).clips("train")


@pytest.mark.parametrize("name", ["01", "1", "Test001", "Train001", "test01"])
def test_clip_ids_of_ucsd(name: str) -> None:
    """One clip, one id, in all layouts."""
    assert Ped2.clip_id(name, "test") == "01"


def test_names_that_are_no_clips() -> None:
    """Folders of masks and the user's own are no clips; ShanghaiTech's numbers are three digits in
    training, four in test."""
    assert [Ped2.clip_id(name, "test") for name in ("Test001_gt", "notes", "1000", "")] == [
        None
    ] * 4
    assert (Avenue.clip_id("1", "test"), Avenue.clip_id("Test001", "test")) == ("01", None)
    assert (ShanghaiTech.clip_id("1_14", "test"), ShanghaiTech.clip_id("01_014", "train")) == (
        "01_0014",
        "01_014",
    )


# --------------------------------------------------------------------------------------------------
# labels


def test_older_label_file_is_never_taken(tmp_path: Path) -> None:
    """With UCSDped2.m~ alone there are no labels, and the text says what was looked for."""
    folder = official_ped2(tmp_path / "UCSDped2")
    (folder / "Test" / "UCSDped2.m").unlink()
    dataset = located(TinyPed2(), tmp_path)
    assert dataset.available_label_sets() == ()
    assert "ped2: no labels in" in (dataset.lacks("lengths") or "")
    assert "Test/UCSDped2.m" in (dataset.lacks("lengths") or "")
    with pytest.raises(DataError, match="no labels in"):
        dataset.labels(dataset.clips("test")[0])
    assert any(finding.subject == "labels" and not finding.ok for finding in findings_of(dataset))


def test_masks_that_contradict_the_labels(tmp_path: Path) -> None:
    """Verify says which clip and how many frames: so the older label file shows when it was
    renamed."""
    folder = official_ped2(tmp_path / "UCSDped2")
    shutil.move(folder / "Test" / "UCSDped2.m~", folder / "Test" / "UCSDped2.m")
    wrong = {
        finding.subject: finding.text
        for finding in findings_of(located(TinyPed2(), tmp_path))
        if not finding.ok
    }
    assert wrong["labels frame, clip 02"] == "3 anomalous frames, 2 expected"
    assert wrong["pixel masks, clip 02"].startswith(
        "3 frames differ from the labels, the first is 1 (from 0)"
    )


def test_own_format_is_read_first_and_compared(tmp_path: Path) -> None:
    """labels/frame.npz wins over other files; where they differ, verify names both."""
    folder = repackaged_ped2(tmp_path / "ped2")
    (folder / "labels").mkdir()
    np.savez(
        folder / "labels" / "frame.npz",
        **{"1": np.array([1, 0, 1, 1, 0]), "02": np.array(PED2_LABELS["02"])},
    )
    dataset = located(TinyPed2(), tmp_path)
    assert dataset.labels(dataset.clips("test")[0]).tolist() == [1, 0, 1, 1, 0]
    wrong = {finding.subject: finding.text for finding in findings_of(dataset) if not finding.ok}
    assert list(wrong) == ["second labels frame, clip 01"]
    assert "ped2.mat differs from" in wrong["second labels frame, clip 01"]


def test_label_set_of_ones_own(tmp_path: Path) -> None:
    """Any labels/NAME.npz is a label set; one that lacks a clip is not used, and verify says
    why."""
    folder = repackaged_ped2(tmp_path / "ped2")
    (folder / "labels").mkdir()
    np.savez(folder / "labels" / "mine.npz", **{"01": np.ones(5, int), "02": np.zeros(6, int)})
    np.savez(folder / "labels" / "half.npz", **{"01": np.ones(5, int)})
    dataset = located(TinyPed2(), tmp_path)
    assert dataset.available_label_sets() == ("frame", "mine")
    assert dataset.labels(dataset.clips("test")[0], "mine").tolist() == [1] * 5
    with pytest.raises(DataError, match=r"no labels 'other' in .*; there are frame, half, mine"):
        dataset.labels(dataset.clips("test")[0], "other")
    assert [finding.subject for finding in findings_of(dataset) if not finding.ok] == [
        "labels half"
    ]


def test_key_that_is_no_clip(tmp_path: Path) -> None:
    """A key that means no clip is refused, with what keys look like."""
    folder = repackaged_ped2(tmp_path / "ped2")
    (folder / "labels").mkdir()
    np.savez(folder / "labels" / "frame.npz", arr_0=np.zeros(5))
    with pytest.raises(
        DataError, match=r"the key 'arr_0' is no clip id; keys are clip ids, like '01'"
    ):
        located(TinyPed2(), tmp_path).clips("test")


def test_clip_without_labels_is_left_out(tmp_path: Path) -> None:
    """Where the labels lack a clip, it counts in no row, the share is below 1, and verify names
    it."""
    folder = repackaged_ped2(tmp_path / "ped2")
    (folder / "ped2.mat").unlink()
    (folder / "labels").mkdir()
    np.savez(folder / "labels" / "frame.npz", **{"01": np.array(PED2_LABELS["01"])})
    dataset = located(TinyPed2(), tmp_path)
    assert [clip.id for clip in dataset.clips("test")] == ["01"]
    assert dataset.share() == pytest.approx(12 / 18)
    wrong = {finding.subject: finding.text for finding in findings_of(dataset) if not finding.ok}
    assert list(wrong) == ["test clip 02"]
    assert "frames, but no labels in" in wrong["test clip 02"]


def test_row_for_all_clips_is_cut_only_where_it_fits(tmp_path: Path) -> None:
    """frame_labels_ped2.npy, (1, N), beside the dataset or in it."""
    folder = repackaged_ped2(tmp_path / "ped2")
    (folder / "ped2.mat").unlink()
    row = np.array([PED2_LABELS["01"] + PED2_LABELS["02"]])
    np.save(tmp_path / "frame_labels_ped2.npy", row)
    assert_is_tiny_ped2(located(TinyPed2(), tmp_path))
    np.save(tmp_path / "frame_labels_ped2.npy", row[:, :-1])
    dataset = located(TinyPed2(), tmp_path)
    with pytest.raises(
        DataError, match="has 10 labels in one row, the 2 test clips have 11 frames"
    ):
        dataset.labels(dataset.clips("test")[0])
    np.save(tmp_path / "frame_labels_ped2.npy", row.T)
    dataset = located(TinyPed2(), tmp_path)
    with pytest.raises(DataError, match=r"\(11, 1\).*transposed"):
        dataset.labels(dataset.clips("test")[0])


def test_pickle_called_json_is_named(tmp_path: Path) -> None:
    """gt_label.json is a pickle in several public repositories: never loaded, and said what is read
    instead."""
    folder = repackaged_ped2(tmp_path / "ped2")
    (tmp_path / "gt_label.json").write_bytes(pickle.dumps({"ped2": {"01": [0, 1]}}))
    assert [
        finding.text
        for finding in findings_of(located(TinyPed2(), tmp_path))
        if "gt_label" in finding.subject
    ] == [f"{tmp_path / 'gt_label.json'} is a pickle and is not read"]
    (folder / "ped2.mat").unlink()
    text = located(TinyPed2(), tmp_path).lacks("lengths")
    assert "gt_label.json is a pickle, which can run any code" in text
    assert "labels/NAME.npz (0/1 a frame, key = clip id)" in text


def test_labels_without_frames(tmp_path: Path) -> None:
    """Lengths come from the labels; what is missing, and where it was looked for, is said."""
    mat(
        tmp_path / "ped2" / "ped2.mat",
        "gt",
        [np.array([[3], [5]], np.uint8), np.array([[1, 6], [1, 6]], np.uint8)],
    )
    dataset = located(TinyPed2(), tmp_path)
    assert [(clip.id, clip.source, clip.length) for clip in dataset.clips("test")] == [
        ("01", None, 5),
        ("02", None, 6),
    ]
    assert dataset.clips("train") == []
    assert (dataset.lacks("lengths"), dataset.share()) == (None, 0.0)
    text = dataset.lacks("frames")
    assert text.startswith(
        f"ped2: no test frames in {tmp_path / 'ped2'}, only labels (frame) of 2 test clips; looked in Test (images), testing"
    )
    assert "no training frames" in dataset.lacks("train")


def test_missing_test_clip_lowers_the_share(tmp_path: Path) -> None:
    """What is there can be run; the missing clip is in no row."""
    folder = official_ped2(tmp_path / "UCSDped2")
    shutil.rmtree(folder / "Test" / "Test002")
    dataset = located(TinyPed2(), tmp_path)
    assert [clip.id for clip in dataset.clips("test")] == ["01"]
    assert dataset.lacks("frames") is None
    assert dataset.share() == pytest.approx(12 / 18)
    assert [
        (finding.subject, finding.text) for finding in findings_of(dataset) if not finding.ok
    ] == [("test clip 02", "no frames")]


def test_clip_that_the_dataset_has_not(tmp_path: Path) -> None:
    """A clip too many is told: it may belong to another dataset."""
    images(repackaged_ped2(tmp_path / "ped2") / "training" / "frames" / "17", ["000.jpg"])
    wrong = [
        (finding.subject, finding.text)
        for finding in findings_of(located(TinyPed2(), tmp_path))
        if not finding.ok
    ]
    assert wrong == [("train clip 17", "1 frames, but the dataset has no such clip")]


def test_labels_against_a_counted_length(tmp_path: Path) -> None:
    """Where frames are counted by decoding, labels are compared then; they are never cut."""
    dataset = located(TinyPed2(), repackaged_ped2(tmp_path / "ped2"))
    clip = dataset.clips("test")[0]
    assert checked_labels(dataset, clip, 5).tolist() == PED2_LABELS["01"]
    with pytest.raises(
        DataError,
        match=r"ped2: clip 01 has 4 frames, its labels 'frame' have 5; looked in .*/ped2\. .* \(bench verify ped2\)",
    ):
        checked_labels(dataset, clip, 4)


def test_masks_of_repackaged_ped2(tmp_path: Path) -> None:
    """NN.npy and NN/NNN.png are masks; another number of them than frames is refused."""
    folder = repackaged_ped2(tmp_path / "ped2")
    target = folder / "testing" / "pixel_masks"
    for index, mask in enumerate(masks_of(PED2_LABELS["01"])):
        image(target / "01" / f"{index:03d}.png")
        cv2.imwrite(str(target / "01" / f"{index:03d}.png"), mask)
    np.save(target / "02.npy", masks_of(PED2_LABELS["02"])[:-1])
    dataset = located(TinyPed2(), tmp_path)
    first, second = dataset.clips("test")
    assert dataset.pixel_masks(first).any(axis=(1, 2)).tolist() == [False, False, True, True, True]
    with pytest.raises(DataError, match=r"clip 02 has 6 frames, but 5 pixel masks in .*02\.npy"):
        dataset.pixel_masks(second)
    assert [finding.subject for finding in findings_of(dataset) if not finding.ok] == [
        "pixel masks, clip 02"
    ]
    assert dataset.pixel_masks(Clip("03", "test")) is None


# --------------------------------------------------------------------------------------------------
# Avenue


def avenue_labels(folder: Path) -> None:
    mat(
        folder / "avenue.mat",
        "gt",
        [np.array([[2, 5], [2, 5]], np.uint16), np.array([[4], [4]], np.uint8), np.zeros((0, 0))],
    )


class ThreeClips(TinyAvenue):
    """Clips 01, 02 and 03, as the ranges of avenue.mat are in clip order."""

    expected = {"train": {"01": 0}, "test": {"01": 5, "02": 4, "03": 3}}
    expected_anomalous = {"mat": {"01": 2, "02": 1, "03": 0}}


@pytest.mark.parametrize("name", ["Avenue Dataset", "Avenue_Dataset", "avenue"])
def test_official_avenue(name: str, tmp_path: Path) -> None:
    """Videos, and the masks of the second archive, whose numbers have no leading zeros, beside or
    inside."""
    folder = tmp_path / name
    video(folder / "training_videos" / "01.avi", 4)
    for clip, length in (("01", 5), ("02", 4), ("10", 3)):
        video(folder / "testing_videos" / f"{clip}.avi", length)
    (folder / "testing_videos" / "._01.avi").write_bytes(b"\0\5\x16\7")
    (folder / "testing_vol").mkdir()
    labels = {"1": [0, 1, 0, 0, 0], "2": [1, 1, 1, 1], "10": [0, 0, 1]}
    for clip, one in labels.items():
        mat(
            tmp_path / "ground_truth_demo" / "testing_label_mask" / f"{clip}_label.mat",
            "volLabel",
            list(masks_of(one)),
        )
    dataset = located(TinyAvenue(), tmp_path)
    assert [(clip.id, clip.source, clip.length) for clip in dataset.clips("train")] == [
        ("01", VideoFile(folder / "training_videos" / "01.avi"), None)
    ]
    assert [clip.id for clip in dataset.clips("test")] == ["01", "02", "10"]
    assert dataset.available_label_sets() == ("pixel",)
    assert [dataset.labels(clip).tolist() for clip in dataset.clips("test")] == list(
        labels.values()
    )
    assert np.array_equal(dataset.pixel_masks(dataset.clips("test")[2]), masks_of([0, 0, 1]) > 0)
    assert [finding for finding in findings_of(dataset) if not finding.ok] == []
    shutil.move(tmp_path / "ground_truth_demo", folder)
    assert located(TinyAvenue(), tmp_path).available_label_sets() == ("pixel",)


def test_repackaged_avenue_has_the_label_set_mat_by_default(tmp_path: Path) -> None:
    """avenue.mat holds ranges; a frame more than labelled is told with both lengths, never cut."""
    folder = tmp_path / "avenue"
    images(folder / "training" / "frames" / "01", [f"{index:04d}.jpg" for index in range(4)])
    for clip, length in (("01", 5), ("02", 4), ("03", 4)):
        images(
            folder / "testing" / "frames" / clip, [f"{index:03d}.jpg" for index in range(length)]
        )
    avenue_labels(folder)
    dataset = located(ThreeClips(), tmp_path)
    assert dataset.available_label_sets() == ("mat",)
    first, second, third = dataset.clips("test")
    assert dataset.labels(first).tolist() == [0, 1, 0, 0, 1]
    assert dataset.labels(second, "mat").tolist() == [0, 0, 0, 1]
    with pytest.raises(DataError, match="clip 03 has 4 frames, its labels 'mat' have 3"):
        dataset.labels(third)


def test_lost_video_shows_in_the_total(tmp_path: Path) -> None:
    """Where single lengths are not published, their sum is compared."""
    video(tmp_path / "avenue" / "training_videos" / "01.avi", 3)
    wrong = {
        finding.subject: finding.text
        for finding in findings_of(located(TinyAvenue(), tmp_path))
        if not finding.ok
    }
    assert wrong["train clips together"] == "3 frames, 4 expected"
    assert located(TinyAvenue(), tmp_path).share() == pytest.approx(
        958 / (958 + 12)
    )  # a clip of unknown length counts as a typical one


def test_videos_beside_extracted_frames_are_two_copies(tmp_path: Path) -> None:
    """Which is read can be said: extracted frames may be one or two off."""
    folder = tmp_path / "avenue"
    video(folder / "training_videos" / "01.avi", 4)
    images(folder / "training" / "frames" / "01", ["0.jpg", "1.jpg"])
    with pytest.raises(
        DataError,
        match=r"2 copies .*'avenue\[frames_from=images\]' or 'avenue\[frames_from=videos\]'",
    ):
        located(TinyAvenue(), tmp_path).clips("train")
    for kind, source in (("images", ImageFiles), ("videos", VideoFile)):
        (clip,) = located(TinyAvenue(TinyAvenue.Parameters(frames_from=kind)), tmp_path).clips(
            "train"
        )
        assert isinstance(clip.source, source)


def test_a_split_that_is_here_once_is_read_in_its_form(tmp_path: Path) -> None:
    """ShanghaiTech is published as training videos and test images; most extract the videos."""
    folder = tmp_path / "avenue"
    video(folder / "training_videos" / "01.avi", 4)
    images(folder / "training" / "frames" / "01", ["0.jpg", "1.jpg"])
    images(folder / "testing" / "frames" / "01", ["0.jpg", "1.jpg"])
    for kind, source in (("images", ImageFiles), ("videos", VideoFile)):
        dataset = located(TinyAvenue(TinyAvenue.Parameters(frames_from=kind)), tmp_path)
        (train,), (test,) = dataset.clips("train"), dataset.clips("test")
        assert isinstance(train.source, source)
        assert isinstance(test.source, ImageFiles)


def test_a_form_that_is_not_here_is_not_another(tmp_path: Path) -> None:
    """A column of images would else be one of videos."""
    video(tmp_path / "avenue" / "training_videos" / "01.avi", 4)
    dataset = located(TinyAvenue(TinyAvenue.Parameters(frames_from="images")), tmp_path)
    assert dataset.clips("train") == []
    assert "no training frames" in str(dataset.lacks("train"))


def test_archives_unpacked_side_by_side_into_a_folder_of_the_datasets_name(tmp_path: Path) -> None:
    """avenue/ holds 'Avenue Dataset' and ground_truth_demo: the frames are in the one, masks and
    labels beside it."""
    outer = tmp_path / "avenue"
    inner = outer / "Avenue Dataset"
    video(inner / "training_videos" / "01.avi", 4)
    for clip, labels in {"01": [0, 1, 0, 0, 0], "02": [1, 1, 1, 1], "10": [0, 0, 1]}.items():
        video(inner / "testing_videos" / f"{clip}.avi", len(labels))
        mat(
            outer / "ground_truth_demo" / "testing_label_mask" / f"{int(clip)}_label.mat",
            "volLabel",
            list(masks_of(labels)),
        )
    (outer / "labels").mkdir()
    np.savez(
        outer / "labels" / "mine.npz", **{"01": np.zeros(5), "02": np.ones(4), "10": np.zeros(3)}
    )
    for dataset in (
        located(TinyAvenue(), tmp_path),
        located(TinyAvenue(TinyAvenue.Parameters(path=outer)), tmp_path),
    ):
        assert dataset.root == inner
        assert [clip.id for clip in dataset.clips("test")] == ["01", "02", "10"] and len(
            dataset.clips("train")
        ) == 1
        assert dataset.available_label_sets() == ("pixel", "mine")
        assert [finding for finding in findings_of(dataset) if not finding.ok] == []
    shutil.rmtree(inner / "training_videos")
    shutil.rmtree(inner / "testing_videos")
    assert located(TinyAvenue(), tmp_path).root == outer  # labels alone are a copy as well
    video(outer / "One" / "Avenue Dataset" / "training_videos" / "01.avi", 4)
    video(outer / "Two" / "Avenue Dataset" / "training_videos" / "01.avi", 4)
    with pytest.raises(DataError, match=r"2 copies are here: .*One.* and .*Two"):
        located(TinyAvenue(), tmp_path)


def test_what_is_no_clip_by_its_name_or_kind_is_named(tmp_path: Path) -> None:
    """A video where another name is expected, or in a folder of frames; nothing is wrong by that,
    and masks are not meant."""
    folder = official_ped2(tmp_path / "UCSDped2")
    video(folder / "Test" / "Test001.avi", 2)
    images(folder / "Train" / "extra", ["0.png"])
    (folder / "Train" / "readme.txt").write_text("mine")
    dataset = located(TinyPed2(), tmp_path)
    assert [
        (one.path.relative_to(folder).as_posix(), one.reason, one.may_hold_frames)
        for one in dataset.passed_over()
    ] == [
        ("Train/extra", "no clip by its name", False),
        ("Test/Test001.avi", "videos, where folders of images are read", False),
    ]
    assert [finding for finding in findings_of(dataset) if not finding.ok] == []


def test_video_that_is_a_pointer_or_twice_there(tmp_path: Path) -> None:
    """Videos are checked as images are."""
    path = tmp_path / "avenue" / "training_videos" / "01.avi"
    video(path, 2)
    shutil.copy(path, path.with_name("1.mp4"))
    with pytest.raises(DataError, match=r"two clips have the id '01'"):
        located(TinyAvenue(), tmp_path).clips("train")
    path.with_name("1.mp4").unlink()
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(DataError, match=r"01\.avi is a Git LFS pointer"):
        located(TinyAvenue(), tmp_path).clips("train")


# --------------------------------------------------------------------------------------------------
# ShanghaiTech


def shanghaitech(folder: Path, official: bool = True) -> Path:
    for clip in ("01_001", "02_001", "13_001"):
        if official:
            video(folder / "training" / "videos" / f"{clip}.avi", 3)
        else:
            images(
                folder / "training" / "frames" / clip, [f"{index:03d}.jpg" for index in range(3)]
            )
    for clip, labels in {"01_0014": [0, 0, 1, 1, 0], "02_0128": [1, 0, 1, 1]}.items():
        images(
            folder / "testing" / "frames" / clip,
            [f"{index:03d}.jpg" for index in range(len(labels))],
        )
        for name, array in (
            ("test_frame_mask", np.array(labels)),
            ("test_pixel_mask", masks_of(labels)),
        ):
            (folder / "testing" / name).mkdir(exist_ok=True)
            np.save(folder / "testing" / name / f"{clip}.npy", array)
    (folder / "testing" / "test_frame_mask" / ".DS_Store").write_bytes(b"\0")
    return folder


@pytest.mark.parametrize("official", [True, False])
def test_shanghaitech_in_both_layouts(official: bool, tmp_path: Path) -> None:
    """Scenes come from the clip ids; labels and masks are one file a clip."""
    shanghaitech(tmp_path / "shanghaitech", official)
    dataset = located(TinyShanghaiTech(), tmp_path)
    assert [(clip.id, clip.scene) for clip in dataset.clips("train")] == [
        ("01_001", "01"),
        ("02_001", "02"),
        ("13_001", "13"),
    ]
    assert all(
        isinstance(clip.source, VideoFile if official else ImageFiles)
        for clip in dataset.clips("train")
    )
    first, second = dataset.clips("test")
    assert (first.id, first.scene, dataset.labels(second).tolist()) == (
        "01_0014",
        "01",
        [1, 0, 1, 1],
    )
    assert np.array_equal(dataset.pixel_masks(second), masks_of([1, 0, 1, 1]) > 0)
    assert [finding for finding in findings_of(dataset) if not finding.ok] == []


def test_one_model_or_one_a_scene(tmp_path: Path) -> None:
    """Scene 13 has no test clip, and a scene without training clips gets no model."""
    folder = shanghaitech(tmp_path / "shanghaitech")
    assert located(TinyShanghaiTech(), tmp_path).model_scenes() == ()
    per_scene = TinyShanghaiTech.Parameters(models="per-scene")
    assert located(TinyShanghaiTech(per_scene), tmp_path).model_scenes() == ("01", "02")
    (folder / "training" / "videos" / "01_001.avi").unlink()
    assert located(TinyShanghaiTech(per_scene), tmp_path).model_scenes() == ("02",)


def test_missing_scene_is_told_clip_by_clip(tmp_path: Path) -> None:
    """Frames and labels of a scene may be missing; its sums then differ."""
    folder = shanghaitech(tmp_path / "shanghaitech")
    shutil.rmtree(folder / "testing" / "frames" / "02_0128")
    (folder / "testing" / "test_frame_mask" / "02_0128.npy").unlink()
    wrong = {
        finding.subject: finding.text
        for finding in findings_of(located(TinyShanghaiTech(), tmp_path))
        if not finding.ok
    }
    assert wrong == {
        "test clip 02_0128": "no frames",
        "scene 02": "0 test clips, 0 labelled frames, 0 anomalous; 1, 4 and 3 expected",
    }


def test_label_file_one_frame_short(tmp_path: Path) -> None:
    """An array shorter than its clip is refused with both lengths."""
    folder = shanghaitech(tmp_path / "shanghaitech")
    np.save(folder / "testing" / "test_frame_mask" / "01_0014.npy", np.array([0, 0, 1, 1]))
    dataset = located(TinyShanghaiTech(), tmp_path)
    with pytest.raises(DataError, match="clip 01_0014 has 5 frames, its labels 'frame' have 4"):
        dataset.labels(dataset.clips("test")[0])


# --------------------------------------------------------------------------------------------------
# the real facts


def test_constants_add_up() -> None:
    """The integrity constants, clip by clip, add up to the published sums."""
    assert (sum(Ped1.expected["train"].values()), sum(Ped1.expected["test"].values())) == (
        6800,
        7200,
    )
    assert sum(Ped1.expected_anomalous["frame"].values()) == 4045
    assert (sum(Ped2.expected["train"].values()), sum(Ped2.expected["test"].values())) == (
        2550,
        2010,
    )
    assert sum(Ped2.expected_anomalous["frame"].values()) == 1648
    assert (len(Avenue.expected["train"]), sum(Avenue.expected["test"].values())) == (16, 15324)
    assert [sum(Avenue.expected_anomalous[name].values()) for name in ("mat", "pixel")] == [
        3867,
        3712,
    ]
    train, test, anomalous = (
        *ShanghaiTech.expected.values(),
        ShanghaiTech.expected_anomalous["frame"],
    )
    assert (len(train), len(test), sum(test.values()), sum(anomalous.values())) == (
        330,
        107,
        40791,
        17326,
    )
    scenes = {}
    for clip, frames in test.items():
        clips, before, abnormal = scenes.get(clip[:2], (0, 0, 0))
        scenes[clip[:2]] = (clips + 1, before + frames, abnormal + anomalous[clip])
    assert scenes == {
        "01": (34, 11894, 4884),
        "02": (3, 1155, 662),
        "03": (10, 4090, 1212),
        "04": (9, 4761, 1874),
        "05": (8, 4160, 1016),
        "06": (6, 1470, 702),
        "07": (8, 3368, 886),
        "08": (12, 3708, 1992),
        "09": (1, 361, 84),
        "10": (5, 2213, 1539),
        "11": (1, 337, 141),
        "12": (10, 3274, 2334),
    }


@pytest.mark.realdata
def test_real_ped2_is_as_published(real_data: Path) -> None:
    """Every clip, label and mask of the real Ped2."""
    dataset = located(Ped2(), real_data)
    assert [finding for finding in findings_of(dataset) if not finding.ok] == []
    assert dataset.share() == 1.0


def test_avenue_has_the_label_set_mat_without_a_file(tmp_path: Path) -> None:
    """The official archives alone have the default label set, with the published counts."""
    (tmp_path / "avenue" / "training_videos").mkdir(parents=True)
    dataset = located(Avenue(), tmp_path)
    assert dataset.available_label_sets() == ("mat",)
    counts = {clip.id: int(dataset.labels(clip).sum()) for clip in dataset.clips("test")}
    assert counts == Avenue.expected_anomalous["mat"] and sum(counts.values()) == 3867


@pytest.mark.realdata
def test_ranges_of_avenue_are_those_of_the_file(real_data: Path) -> None:
    """Equal to avenue.mat, range by range."""
    own = parse_ranges(Avenue.mat_ranges, "here")
    file = read_mat_ranges(real_data / "avenue" / "avenue.mat")
    assert [one.tolist() for one in own] == [one.tolist() for one in file]


@pytest.mark.realdata
def test_real_label_sets_of_avenue(real_data: Path) -> None:
    """`mat` and `pixel` differ in 441 frames; avenue.mat and mat.npz say the same."""
    dataset = located(Avenue(), real_data)
    assert dataset.available_label_sets() == ("mat", "pixel")
    differing = [
        int((dataset.labels(clip, "mat") != dataset.labels(clip, "pixel")).sum())
        for clip in dataset.clips("test")
    ]
    assert (sum(differing), sum(count > 0 for count in differing)) == (441, 15)
    wrong = {
        finding.subject.split(" clip")[0] for finding in findings_of(dataset) if not finding.ok
    }
    assert wrong == {"train", "test"}


@pytest.mark.realdata
def test_real_training_clips_of_shanghaitech(real_data: Path) -> None:
    """The ids of the training clips are those of the public list."""
    listed = (real_data / "shanghaitech" / "training" / "clips.txt").read_text().split()
    assert list(ShanghaiTech.expected["train"]) == listed
    dataset = located(ShanghaiTech(), real_data)
    assert len(dataset.clips("test")) == 107
    assert {
        finding.subject.split(" clip")[0] for finding in findings_of(dataset) if not finding.ok
    } == {"train", "test"}


@pytest.mark.skipif(
    os.name == "nt" or os.geteuid() == 0, reason="root and Windows read every folder"
)
def test_folder_that_may_not_be_read(tmp_path: Path) -> None:
    """A clip folder without permission is named."""
    folder = repackaged_ped2(tmp_path / "ped2") / "training" / "frames" / "01"
    folder.chmod(0)
    try:
        with pytest.raises(DataError, match="cannot be read"):
            located(TinyPed2(), tmp_path).clips("train")
    finally:
        folder.chmod(0o700)
