"""Boxes from a file are those of the file, and every mistake in it is named with its place."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.contracts.clip import Clip, Split
from bench.errors import DataError
from bench.objects.boxes import BoxesDetector

TWO_FRAMES = [[[1, 2, 30, 40, 0.5], [350.5, 200, 370, 250, 1]], []]


def detector(path: Path | str) -> BoxesDetector:
    return BoxesDetector(BoxesDetector.Parameters(path=str(path)))


def write(folder: Path, **fields: Any) -> Path:
    path = folder / "boxes.json"
    path.write_text(json.dumps({"size": [360, 240], "clips": {"01": TWO_FRAMES}, **fields}))
    return path


def read(
    path: Path | str, clip: str = "01", length: int = 2, split: Split = "train"
) -> tuple[tuple[int, int], list[np.ndarray]]:
    reader = detector(path)
    reader.begin(Clip(clip, split), "ped2")
    return reader.known_boxes(Clip(clip, split), length)


def test_boxes_are_those_of_the_file(tmp_path: Path) -> None:
    size, boxes = read(write(tmp_path))
    assert size == (240, 360)  # height, width
    np.testing.assert_array_equal(boxes[0], TWO_FRAMES[0])
    assert boxes[1].shape == (0, 5)


def test_boxes_without_scores_have_a_score_of_one(tmp_path: Path) -> None:
    frames = [[[1, 2, 30, 40], [5, 6, 7, 8]], [[1, 2, 3, 4, 0.5]]]
    _, boxes = read(write(tmp_path, clips={"01": frames}))
    np.testing.assert_array_equal(boxes[0], [[1, 2, 30, 40, 1], [5, 6, 7, 8, 1]])
    np.testing.assert_array_equal(boxes[1], frames[1])


def test_dataset_and_split_in_the_path_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "ped2").mkdir()
    for split, x in (("train", 1), ("test", 2)):
        content = {"part": split, "size": [9, 9], "clips": {"01": [[[x, 0, 5, 5, 1]]]}}
        (tmp_path / "ped2" / f"{split}.json").write_text(json.dumps(content))
    path = tmp_path / "{dataset}" / "{part}.json"
    assert read(path, length=1)[1][0][0, 0] == 1
    assert read(path, length=1, split="test")[1][0][0, 0] == 2
    detector(path).check("ped2")


def test_the_key_follows_the_content_not_the_place(tmp_path: Path) -> None:
    first = detector(write(tmp_path)).key("ped2")
    moved = (tmp_path / "boxes.json").rename(tmp_path / "moved.json")
    assert detector(moved).key("ped2") == first
    moved.write_text(moved.read_text() + " ")
    assert detector(moved).key("ped2") != first


def test_a_file_of_the_other_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        DataError,
        match=r"has boxes of the split 'test', but clip 01 belongs to 'train'; write \{part\} in the path",
    ):
        read(write(tmp_path, part="test"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"ped2_train\.json cannot be read: No such file.*boxes\[path=FILE\.json\]"
    ):
        detector(tmp_path / "{dataset}_{part}.json").check("ped2")


def test_a_missing_clip_is_named_with_those_present(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"boxes\.json has no boxes of clip '05' of ped2; it has 1 clips: 01"
    ):
        read(write(tmp_path), clip="05")


def test_another_number_of_frames_is_refused_with_both(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"clips\['01'\] has boxes of 2 frames, the clip has 3"):
        read(write(tmp_path), length=3)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_is_named_and_never_loaded(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "gt_label.json"
    path.write_bytes(pickle.dumps({"01": [Trap(tmp_path / "sprung")]}, protocol=protocol))
    with pytest.raises(
        DataError,
        match=r"gt_label\.json is a Python pickle under another name, not JSON; it is not loaded",
    ):
        detector(path).check("ped2")
    assert not (tmp_path / "sprung").exists()


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer.*git lfs pull"),
        (b"", "line 1, column 1: not JSON"),
        (b'{"size": [1, 2],\n "clips": {"01": [}}', "line 2, column 19: not JSON"),
        (b"\xff\xfe\x00", "not JSON: no text at byte"),
        (b"[[1, 2]]", "is a list, expected an object with the fields 'size' and 'clips'"),
        (b'{"clips": {}}', "has no field 'size'; its fields are: clips"),
        (b'{"size": [3, 4]}', "has no field 'clips'; its fields are: size"),
        (b'{"size": [3], "clips": {}}', r"'size' is \[3\], expected \[width, height\]"),
        (b'{"size": [3, 0], "clips": {}}', r"'size' is \[3, 0\]"),
        (b'{"size": [3, "4"], "clips": {}}', r"'size' is \[3, '4'\]"),
        (b'{"size": [3, 4], "clips": []}', "'clips' is a list, expected an object"),
    ],
)
def test_files_of_another_form_are_refused_before_any_work(
    tmp_path: Path, content: bytes, text: str
) -> None:
    (tmp_path / "boxes.json").write_bytes(content)
    with pytest.raises(DataError, match=rf"boxes\.json.*{text}"):
        detector(tmp_path / "boxes.json").check("ped2")


@pytest.mark.parametrize(
    ("frames", "text"),
    [
        ({"0": []}, r"clips\['01'\] is an object, expected a list"),
        ([[], None], r"clips\['01'\]\[1\] is null, expected a list of boxes"),
        (
            [[], [[1, 2, 3, 4, 0.5], [1, 2, 3, 4]]],
            r"clips\['01'\]\[1\]\[1\] is \[1, 2, 3, 4\], expected \[x1, y1, x2, y2, score\]",
        ),
        (
            [[[1, 2, 3, 4], [1, 2, 3, 4, 0.5]], []],
            r"\[0\]\[1\] is \[1, 2, 3, 4, 0.5\], expected \[x1, y1, x2, y2\] as before it, 4 finite numbers",
        ),
        (
            [[[1, 2, 3, float("nan"), 0.5]], []],
            r"\[0\]\[0\] is \[1, 2, 3, NaN, 0.5\], expected .* 5 finite numbers",
        ),
        ([[[1, 2, True, 4, 0.5]], []], "5 finite numbers"),
        ([[[1, 2, "3", 4, 0.5]], []], "5 finite numbers"),
        (
            [[[100, 100, 20, 40, 0.5]], []],
            r"\[100, 100, 20, 40, 0.5\]: x2 and y2 must not lie before x1 and y1 \(not \[x, y, width, height\]\)",
        ),
        ([[[1, 2, 3, 4, 50]], []], "the score must lie within 0..1"),
    ],
)
def test_boxes_that_are_none_are_refused_with_their_place(
    tmp_path: Path, frames: Any, text: str
) -> None:
    with pytest.raises(DataError, match=rf"boxes\.json: .*{text}"):
        read(write(tmp_path, clips={"01": frames}))


@pytest.mark.realdata
def test_public_boxes_of_ped2_are_read(real_data: Path) -> None:
    path = real_data / "boxes" / "{dataset}_{part}_yolov3.json"
    size, boxes = read(path, "12", 180, "test")
    assert size == (240, 360) and len(boxes) == 180 and all(frame.shape[1] == 5 for frame in boxes)


@pytest.mark.parametrize(
    "content",
    [
        "[" * 20_000,
        '{"size": [360, 240], "clips": {"01": [[[1, 2, 3, ' + "4" * 5000 + ", 1]], []]}}",
    ],
)
def test_json_that_python_gives_up_on(tmp_path: Path, content: str) -> None:
    """Brackets within brackets, or a number of thousands of digits, are refused with the file."""
    path = tmp_path / "boxes.json"
    path.write_text(content)
    with pytest.raises(DataError, match=r"boxes\.json"):
        read(path)


def test_coordinate_beyond_any_float(tmp_path: Path) -> None:
    """A whole number that no float can hold is no coordinate."""
    path = tmp_path / "boxes.json"
    path.write_text(
        '{"size": [360, 240], "clips": {"01": [[[1, 2, 3, ' + "4" * 400 + ", 1]], []]}}"
    )
    with pytest.raises(DataError, match="expected .* 5 finite numbers"):
        read(path)
