"""Label files: Matlab scripts and files, arrays, CSV. Each test writes the file that it reads."""

import json
import os
import pickle
import tracemalloc
import zipfile
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
from bench.datasets.formats.arrays import as_labels, as_row, read_npy, read_npz
from bench.datasets.formats.label_cache import cached_labels
from bench.datasets.formats.masks import read_npy_masks
from bench.datasets.formats.matlab import read_mat_mask_labels, read_mat_masks, read_mat_ranges
from bench.datasets.formats.own_labels import read_own_labels
from bench.datasets.formats.ranges import (
    csv_labels,
    parse_m_ranges,
    ranges_to_labels,
    read_m_ranges,
)
from bench.datasets.formats.unreadable import is_pickle
from hypothesis import given
from hypothesis import strategies as st

from bench import DataError, load_mat
from bench.files import matlab


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def cell_array(cells: list[np.ndarray]) -> np.ndarray:
    array = np.empty((1, len(cells)), dtype=object)
    for index, cell in enumerate(cells):
        array[0, index] = cell
    return array


def write_v73(path: Path, name: str, cells: list[np.ndarray]) -> Path:
    """Write a cell array as Matlab 7.3 does: HDF5, references, every array transposed."""
    with h5py.File(path, "w", userblock_size=512) as file:
        references = np.empty((len(cells), 1), dtype=h5py.ref_dtype)
        for index, cell in enumerate(cells):
            stored = file.create_dataset(
                f"#refs#/{index}", data=np.array([0, 0], np.uint64) if cell.size == 0 else cell.T
            )
            if cell.size == 0:
                stored.attrs["MATLAB_empty"] = np.uint8(1)
            references[index, 0] = stored.ref
        file.create_dataset(name, data=references, dtype=h5py.ref_dtype)
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    return path


# --------------------------------------------------------------------------------------------------
# Matlab scripts


def test_m_script_with_several_ranges_in_a_clip(tmp_path: Path) -> None:
    """Ranges count from 1, both ends included, and a clip may have several."""
    lines = [
        "TestVideoFile = {};",
        "TestVideoFile{end+1}.gt_frame = [2:3, 5:5];",
        "% a comment",
        "",
        "TestVideoFile{end+1}.gt_frame = [1:6];",
        "",
    ]
    text = "\r\n".join(lines)
    clips = read_m_ranges(written(tmp_path / "UCSDped1.m", text))
    assert [clip.tolist() for clip in clips] == [[[2, 3], [5, 5]], [[1, 6]]]
    assert ranges_to_labels(clips[0], 6, "x").tolist() == [0, 1, 1, 0, 1, 0]


@pytest.mark.realdata
def test_official_ped1_script(real_data: Path) -> None:
    """Clips 5, 6, 29 and 32 of Ped1 have two ranges; 4,045 frames of 7,200 are anomalous."""
    clips = read_m_ranges(real_data / "ped1" / "Test" / "UCSDped1.m")
    assert [number for number, clip in enumerate(clips, start=1) if len(clip) == 2] == [
        5,
        6,
        29,
        32,
    ]
    assert sum(int(ranges_to_labels(clip, 200, "x").sum()) for clip in clips) == 4045


@pytest.mark.parametrize(
    "line",
    [
        "TestVideoFile{end+1}.gt_frame = [1:system('id')];",
        "TestVideoFile{end+1}.gt_frame = 1:20;",
        "TestVideoFile{end+1}.gt_frame = [1:2:20];",
        "TestVideoFile{end+1}.gt_frame = [17];",
        "TestVideoFile{end+1}.gt_frame = [1:20; 30:40];",
        "TestVideoFile{end+1}.gt_frame = [1:20,];",
        "TestVideoFile{end+1}.gt_frame = [1:203:40];",
        "TestVideoFile{7}.gt_frame = [1:20];",
        "delete('*')",
        "TestVideoFile{end+1}.gt_frame = [20:10];",
        "TestVideoFile{end+1}.gt_frame = [0:10];",
    ],
)
def test_m_script_line_that_is_no_range(line: str, tmp_path: Path) -> None:
    """What is not a list of ranges is refused with file and line, and never evaluated."""
    path = written(
        tmp_path / "UCSDped2.m",
        f"TestVideoFile = {{}};\nTestVideoFile{{end+1}}.gt_frame = [1:2];\n{line}\n",
    )
    with pytest.raises(DataError, match=r"UCSDped2\.m, line 3: .* (range|ranges)"):
        read_m_ranges(path)


@given(
    st.lists(
        st.lists(
            st.tuples(st.integers(1, 500), st.integers(0, 500)).map(
                lambda pair: (pair[0], pair[0] + pair[1])
            ),
            max_size=4,
        ),
        min_size=1,
    ),
    st.sampled_from([", ", ",", " ", "  "]),
)
def test_m_script_gives_back_what_was_written(
    clips: list[list[tuple[int, int]]], between: str
) -> None:
    """Any ranges, written as Matlab writes them, are read back."""
    lines = [
        f"TestVideoFile{{end+1}}.gt_frame = [{between.join(f'{a}:{b}' for a, b in clip)}];"
        for clip in clips
    ]
    found = parse_m_ranges("TestVideoFile = {};\n" + "\n".join(lines), "x.m")
    assert [[tuple(pair) for pair in clip.tolist()] for clip in found] == clips


@given(st.text(max_size=60))
def test_m_script_of_any_text_is_read_or_refused(text: str) -> None:
    """No text makes the parser fail in another way than by its own error."""
    try:
        parse_m_ranges(f"TestVideoFile{{end+1}}.gt_frame = [{text}];", "x.m")
    except DataError as error:
        assert "x.m" in str(error)


def test_range_beyond_its_clip() -> None:
    """Labels that name a frame that the clip has not are refused with both numbers, never cut."""
    with pytest.raises(DataError, match=r"frames 61 to 180 .* the clip has 179 frames"):
        ranges_to_labels(np.array([[61, 180]]), 179, "the labels")


# --------------------------------------------------------------------------------------------------
# Matlab files

CELLS = [
    np.array([[180], [255]], np.uint8),
    np.array([[3, 300], [5, 301]], np.uint16),
    np.zeros((0, 0)),
]
RANGES = [[[180, 255]], [[3, 5], [300, 301]], []]


def test_mat_of_version_5(tmp_path: Path) -> None:
    """Cells are (2, k): firsts, lasts; uint8 does not overflow."""
    path = tmp_path / "ped2.mat"
    scipy.io.savemat(path, {"gt": cell_array(CELLS)})
    ranges = read_mat_ranges(path)
    assert [clip.tolist() for clip in ranges] == RANGES
    assert ranges[0].dtype == np.int64
    assert ranges_to_labels(ranges[0], 300, "x").sum() == 76


def test_mat_of_version_7_3(tmp_path: Path) -> None:
    """HDF5, transposed and by reference, gives the same."""
    path = write_v73(tmp_path / "ped2.mat", "gt", CELLS)
    with pytest.raises(NotImplementedError):
        scipy.io.loadmat(path)
    assert [clip.tolist() for clip in read_mat_ranges(path)] == RANGES


def test_mat_with_stacked_and_with_squeezed_cells(tmp_path: Path) -> None:
    """One range a clip, stacked to (clips, 2) or squeezed to (2,), is understood."""
    scipy.io.savemat(
        tmp_path / "stacked.mat", {"gt": np.array([[61, 180], [95, 180], [1, 146]], np.uint8)}
    )
    assert [clip.tolist() for clip in read_mat_ranges(tmp_path / "stacked.mat")] == [
        [[61, 180]],
        [[95, 180]],
        [[1, 146]],
    ]
    scipy.io.savemat(
        tmp_path / "squeezed.mat", {"gt": cell_array([np.array([61, 180])])}, oned_as="column"
    )
    assert [clip.tolist() for clip in read_mat_ranges(tmp_path / "squeezed.mat")] == [[[61, 180]]]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]]), r"cell 1 is .*\(3, 3\), expected \(2, k\)"),
        (np.array([[1.5], [4.0]]), "whole frame numbers"),
        (np.array([[9], [4]]), "9:4 is no range"),
    ],
)
def test_mat_with_a_cell_that_is_no_range(cell: np.ndarray, text: str, tmp_path: Path) -> None:
    """A cell of another shape or content is refused by its number."""
    scipy.io.savemat(tmp_path / "gt.mat", {"gt": cell_array([cell])})
    with pytest.raises(DataError, match=text):
        read_mat_ranges(tmp_path / "gt.mat")


def test_mat_without_gt_and_a_damaged_one(tmp_path: Path) -> None:
    """A file without the variable, and one that is cut off, are told apart."""
    scipy.io.savemat(tmp_path / "other.mat", {"volLabel": np.zeros(3)})
    with pytest.raises(DataError, match="no variable 'gt'"):
        read_mat_ranges(tmp_path / "other.mat")
    scipy.io.savemat(tmp_path / "cut.mat", {"gt": cell_array(CELLS)})
    (tmp_path / "cut.mat").write_bytes((tmp_path / "cut.mat").read_bytes()[:160])
    with pytest.raises(DataError, match=r"cut\.mat"):
        read_mat_ranges(tmp_path / "cut.mat")


def test_masks_of_both_versions(tmp_path: Path) -> None:
    """`volLabel` of version 5 and of 7.3 give the same (N, H, W) masks, and the same labels."""
    masks = np.zeros((4, 12, 16), np.uint8)
    masks[1, 2, 3], masks[2, 11, 15] = 1, 1
    scipy.io.savemat(tmp_path / "5.mat", {"volLabel": cell_array(list(masks))})
    write_v73(tmp_path / "73.mat", "volLabel", list(masks))
    for name in ("5.mat", "73.mat"):
        assert np.array_equal(read_mat_masks(tmp_path / name), masks.astype(bool))
        assert read_mat_mask_labels(tmp_path / name).tolist() == [0, 1, 1, 0]


def test_labels_of_masks_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time they come from the cache; a changed file and a damaged cache are read
    anew."""
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    path = written(tmp_path / "1_label.mat", "one")
    answers = iter([[0, 1], [1, 1, 0], [1, 1, 0], [0]])

    def read(path: Path) -> np.ndarray:
        return np.array(next(answers), np.uint8)

    assert [cached_labels(path, read).tolist() for _ in range(3)] == [[0, 1]] * 3
    written(path, "another")
    assert [cached_labels(path, read).tolist() for _ in range(2)] == [[1, 1, 0]] * 2
    (entry,) = (tmp_path / "cache").rglob("*.json")
    entry.write_text('{"file": 1')
    assert [cached_labels(path, read).tolist() for _ in range(2)] == [[1, 1, 0]] * 2
    monkeypatch.setenv("BENCH_CACHE", str(path))  # a file, so that nothing can be kept
    assert cached_labels(path, read).tolist() == [0]


# --------------------------------------------------------------------------------------------------
# arrays, and pickles


def test_object_array_is_refused(tmp_path: Path) -> None:
    """An array of Python objects is named as a pickle, with what is read instead."""
    np.save(tmp_path / "frame_labels.npy", np.array([[1, 0], [1]], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "frame.npz", **{"01": np.array([None, 1])})
    for read, name in ((read_npy, "frame_labels.npy"), (read_npz, "frame.npz")):
        with pytest.raises(DataError, match=r"pickle.*never read here; labels/NAME\.npz"):
            read(tmp_path / name)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_under_another_name_is_recognised(protocol: int, tmp_path: Path) -> None:
    """A pickle of any protocol is recognised without being loaded; real JSON is none."""
    path = tmp_path / "gt_label.json"
    path.write_bytes(pickle.dumps({"01": [0, 1]}, protocol=protocol))
    assert is_pickle(path)
    with pytest.raises(DataError, match="is a pickle, which can run any code"):
        read_npy(path)
    path.write_text(json.dumps({"01": [0, 1]}))
    assert not is_pickle(path)


def test_pointer_empty_and_damaged_files(tmp_path: Path) -> None:
    """A Git LFS pointer, an empty file and one that is cut off are named as such."""
    pointer = written(
        tmp_path / "a.npy", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"
    )
    with pytest.raises(DataError, match="Git LFS pointer"):
        read_npy(pointer)
    with pytest.raises(DataError, match="empty"):
        read_npy(written(tmp_path / "b.npy", ""))
    np.save(tmp_path / "c.npy", np.ones(50))
    (tmp_path / "c.npy").write_bytes((tmp_path / "c.npy").read_bytes()[:200])
    with pytest.raises(DataError, match="cannot be read"):
        read_npy(tmp_path / "c.npy")
    np.savez(tmp_path / "d.npz", a=np.ones(500))
    (tmp_path / "d.npz").write_bytes((tmp_path / "d.npz").read_bytes()[:200])
    with pytest.raises(DataError, match="cannot be read"):
        read_npz(tmp_path / "d.npz")


def test_labels_are_zero_and_one_only() -> None:
    """True is 1; anything else is refused with its frame."""
    assert as_labels(np.array([True, False]), "x").tolist() == [1, 0]
    assert as_labels(np.array([1.0, 0.0]), "x").dtype == np.uint8
    with pytest.raises(DataError, match=r"frame 1 is 255"):
        as_labels(np.array([0, 255]), "x")
    with pytest.raises(DataError, match=r"frame 0 is nan"):
        as_labels(np.array([np.nan, 1]), "x")
    with pytest.raises(DataError, match=r"\(1, 2\)"):
        as_labels(np.array([[0, 1]]), "x")


def test_row_for_all_clips() -> None:
    """(1, N) and (N,) are rows; a transposed one is not guessed at."""
    assert as_row(np.array([[0, 1, 1]]), "x").tolist() == [0, 1, 1]
    with pytest.raises(DataError, match=r"\(3, 1\).*transposed"):
        as_row(np.array([[0], [1], [1]]), "x")


def test_masks_in_npy_have_three_axes(tmp_path: Path) -> None:
    """A mask file is (frames, H, W)."""
    np.save(tmp_path / "01.npy", np.zeros((12, 16), np.uint8))
    with pytest.raises(DataError, match=r"\(12, 16\), expected masks \(frames, height, width\)"):
        read_npy_masks(tmp_path / "01.npy")


# --------------------------------------------------------------------------------------------------
# CSV


def csv_ranges(path: Path, clips: set[str]) -> Mapping[str, list[tuple[int, int, int]]]:
    ranges = read_own_labels(path, sorted(clips)).ranges
    assert ranges is not None
    return ranges


def test_csv_counts_from_zero_and_includes_both_ends(tmp_path: Path) -> None:
    """Lines may come in any order, with blanks and a byte order mark; clips not mentioned are
    normal."""
    path = written(tmp_path / "labels.csv", "\ufeffClip, first, last\nb,1,2\n\na,0,0\nb, 4 ,4\n")
    ranges = csv_ranges(path, {"a", "b", "c"})
    assert csv_labels(ranges, "b", 6, path).tolist() == [0, 1, 1, 0, 1, 0]
    assert csv_labels(ranges, "a", 2, path).tolist() == [1, 0]
    assert csv_labels(ranges, "c", 3, path).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("d,0,1", "no test clip 'd'"),
        ("a,0.5,1", "first is '0.5', expected a whole number"),
        ("a,0,-1", "last is '-1', expected a whole number"),
        ("a,0,", "last is '', expected a whole number"),
        ("a,3,1", r"ends \(1\) before it begins \(3\)"),
        ("a,1", "has 2 cells, expected 3: clip,first,last"),
    ],
)
def test_csv_line_that_is_wrong(line: str, text: str, tmp_path: Path) -> None:
    """A wrong line is refused with file and line."""
    path = written(tmp_path / "labels.csv", f"clip,first,last\na,0,1\n{line}\n")
    with pytest.raises(DataError, match=rf"labels\.csv, line 3: .*{text}"):
        csv_ranges(path, {"a"})


def test_csv_without_header_or_in_another_encoding(tmp_path: Path) -> None:
    """A file without the header is refused: its first line would be lost."""
    with pytest.raises(
        DataError,
        match=r"line 1: expected the header 'clip,first,last' or 'clip,frame,label', found 'a,0,1'",
    ):
        csv_ranges(written(tmp_path / "labels.csv", "a,0,1\n"), {"a"})
    (tmp_path / "latin.csv").write_bytes("clip,first,last\nü,0,1".encode("latin-1"))
    with pytest.raises(DataError, match="UTF-8"):
        csv_ranges(tmp_path / "latin.csv", {"a"})


def test_csv_range_beyond_the_clip(tmp_path: Path) -> None:
    """A range that ends behind the last frame is refused with file, line and both numbers."""
    path = written(tmp_path / "labels.csv", "clip,first,last\na,2,5\n")
    with pytest.raises(
        DataError, match=r"line 2: the range ends at frame 5, but clip a has 5 frames"
    ):
        csv_labels(csv_ranges(path, {"a"}), "a", 5, path)


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 19), st.integers(0, 19)), max_size=8)
)
def test_csv_agrees_with_plain_slices(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, int, int]]
) -> None:
    """Labels are those frames that lie in any of a clip's ranges."""
    rows = [(clip, min(a, b), max(a, b)) for clip, a, b in rows]
    path = tmp_path_factory.mktemp("csv") / "labels.csv"
    path.write_text("clip,first,last\n" + "".join(f"{clip},{a},{b}\n" for clip, a, b in rows))
    ranges = csv_ranges(path, set("abc"))
    for clip in "abc":
        wanted = [
            int(any(name == clip and a <= frame <= b for name, a, b in rows)) for frame in range(20)
        ]
        assert csv_labels(ranges, clip, 20, path).tolist() == wanted


# ------------------------------------------------------------------------------------------- found
# by the suite of bad input


def test_length_that_a_pickle_claims_is_not_allocated(tmp_path: Path) -> None:
    """A file that ends as a pickle does is looked at in the memory that it takes."""
    path = tmp_path / "x.m"
    path.write_bytes(b"T" + (2**31 - 1).to_bytes(4, "little") + b"text.")
    tracemalloc.start()
    try:
        assert not is_pickle(path)
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


def test_csv_number_of_thousands_of_digits(tmp_path: Path) -> None:
    """It is refused with its line: Python turns no such text into a number."""
    path = written(tmp_path / "labels.csv", f"clip,first,last\n01,0,{'9' * 5000}\n")
    with pytest.raises(DataError, match=r"labels\.csv, line 2: last is"):
        csv_ranges(path, {"01"})


@pytest.mark.parametrize(
    "content", [b"\x93NUMPY\x01\x00\x0b\x00{'descr': (", b"\x93NUMPY\x01\x00\x05\x00((((\n"]
)
def test_npy_header_that_no_parser_ends(tmp_path: Path, content: bytes) -> None:
    """numpy raises an error of Python's tokenizer then; the file is named all the same."""
    path = tmp_path / "labels.npy"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"labels\.npy cannot be read"):
        read_npy(path)


def test_npz_with_a_text_for_labels(tmp_path: Path) -> None:
    """Something in the archive that is no array is named, with the file."""
    path = tmp_path / "labels.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("01", "0 0 1")
    with pytest.raises(DataError, match=r"labels\.npz cannot be read: '01' is no array"):
        read_npz(path)


def test_mat_file_that_crashes_its_parser(tmp_path: Path) -> None:
    """scipy's parser dies of a wrong type of the first field; that costs the file, and the next one
    is read."""
    path = tmp_path / "gt.mat"
    scipy.io.savemat(path, {"gt": cell_array([np.array([[5], [9]], np.uint8)])})
    good = path.read_bytes()
    path.write_bytes(good[:144] + (5).to_bytes(4, "little") + good[148:])
    with pytest.raises(
        DataError, match=r"gt\.mat cannot be read as .*: reading it ended its reader"
    ):
        read_mat_ranges(path)
    path.write_bytes(good)
    np.testing.assert_array_equal(read_mat_ranges(path)[0], [[5, 9]])


def test_mat_file_that_takes_too_much_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is read is bounded; here in the process that reads."""
    path = tmp_path / "gt.mat"
    scipy.io.savemat(path, {"gt": cell_array([np.zeros(9), np.zeros(9)])}, do_compression=True)
    monkeypatch.setattr(matlab, "LARGEST", 100)
    with pytest.raises(ValueError, match="it takes 144 bytes, more than the 100 that are read"):
        matlab._answer(path, "gt")


def test_mat_file_that_takes_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that does not come back is ended after the time limit, and the next file is read."""
    os.mkfifo(tmp_path / "endless.mat")
    monkeypatch.setattr("bench.files.matlab.TIME_LIMIT", 0.2)
    with pytest.raises(
        ValueError,
        match=r"reading it ended its reader, or took more than 0\.2 s",
    ):
        load_mat(tmp_path / "endless.mat", "gt")
    monkeypatch.undo()
    path = write_v73(tmp_path / "gt.mat", "gt", [np.array([[5], [9]])])
    np.testing.assert_array_equal(read_mat_ranges(path)[0], [[5, 9]])


@pytest.mark.parametrize("spoil", ["group", "group in a cell", "empty"])
def test_v73_file_with_groups_for_arrays(tmp_path: Path, spoil: str) -> None:
    """What stands where an array should be is no traceback."""
    path = write_v73(tmp_path / "gt.mat", "gt", [np.array([[5], [9]])])
    with h5py.File(path, "r+") as file:
        if spoil == "group":
            del file["gt"]
            file.create_group("gt")
        elif spoil == "group in a cell":
            del file["#refs#/0"]
            file.create_group("#refs#/0")
            file["gt"][0, 0] = file["#refs#/0"].ref
        else:
            file["#refs#/0"].attrs["MATLAB_empty"] = np.zeros(3)
    if spoil == "empty":
        np.testing.assert_array_equal(read_mat_ranges(path)[0], [[5, 9]])
        return
    with pytest.raises(DataError, match=r"gt\.mat"):
        read_mat_ranges(path)


def test_mat_cells_of_text_and_of_no_axis(tmp_path: Path) -> None:
    """Masks that are text, and ranges that are one number, are refused with the cell."""
    path = tmp_path / "x.mat"
    scipy.io.savemat(path, {"volLabel": cell_array([np.array([["a", "b"]])])})
    with pytest.raises(DataError, match=r"x\.mat: the masks of volLabel .* expected numbers"):
        read_mat_mask_labels(path)
    write_v73(path, "gt", [np.array(3.0)])
    with pytest.raises(DataError, match=r"x\.mat, gt, cell 1 is float64 \(\)"):
        read_mat_ranges(path)
