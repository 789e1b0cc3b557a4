"""Scores from a file: what fits, and what each type_error is answered with."""

import logging
import pickle
import re

import forked
import h5py
import numpy as np
import pytest
import scipy.io
from bench.methods.scores import ReadScores, ScoresParameters
from known_answers import real_clips

import bench
from bench import MethodError, OpenClip, RequestError
from bench.contracts.compute import Compute
from bench.engine.context import make_context
from bench.plugins.registry import load
from bench.plugins.selection import select, select_one
from bench.runs.folder import Run

LENGTHS = {"01": 5, "02": 4}
VALUES = {"01": np.array([0.5, 1, 2, 3, 4]), "02": np.array([9, 8, 7, 6])}


@pytest.fixture
def read(tmp_path):
    """Write arrays to a file, and return the scores of a clip read from it."""

    def reader(arrays, clip="01", dataset="ped2", **parameters):
        if arrays is not None:
            np.savez(tmp_path / "ped2.npz", **arrays)
        method = ReadScores(ScoresParameters(**({"path": tmp_path / "{dataset}.npz"} | parameters)))
        context = make_context(
            0, Compute("cpu"), tmp_path, logging.getLogger("test"), test_lengths=LENGTHS
        )
        return method.score(OpenClip(clip, "test", LENGTHS[clip], dataset), context)

    return reader


def test_all_frames_by_clip_id(read):
    """One score a frame, under the clip's id."""
    for clip in LENGTHS:
        scores = read(VALUES, clip)
        np.testing.assert_array_equal(scores.values, VALUES[clip])
        np.testing.assert_array_equal(scores.frames, np.arange(LENGTHS[clip]))


def test_first_moves_the_frames(read):
    """Shorter arrays begin at `first`."""
    scores = read({"01": VALUES["01"][:3], "02": VALUES["02"][:2]}, first=1)
    np.testing.assert_array_equal(scores.frames, [1, 2, 3])
    np.testing.assert_array_equal(
        read({"01": VALUES["01"][:3], "02": VALUES["02"][:2]}, first=0).frames, [0, 1, 2]
    )


def test_short_arrays_are_refused_without_first(read):
    """Which frames they are of would be a guess; both ends of the clip are named, and where neither
    fits, the arrays that tell."""
    with pytest.raises(MethodError) as error:
        read({"01": VALUES["01"][:3], "02": VALUES["02"][:2]})
    assert str(error.value).endswith(
        "ped2.npz: clip '01' has 3 scores and 5 frames; 2 of 2 clips lack 2 scores. Say which frames the scores are of: first=0 if of the "
        "first frames of a clip, first=2 if of the last ones, or what lies between, as in the middle of windows"
    )
    with pytest.raises(MethodError) as error:
        read({"01": VALUES["01"][:4], "02": VALUES["02"][:1]}, "02")
    assert str(error.value).endswith(
        "ped2.npz: clip '01' has 4 scores and 5 frames; 2 of 2 clips lack 1 to 3 scores. Say which frames the scores are of: first=0 if of "
        "the first frames of a clip, or the arrays <clip>.frames in the file"
    )


def test_short_arrays_with_frames_of_their_own(read):
    """Of one clip; the other has a score for each frame, or none at all."""
    arrays = {"01": VALUES["01"][:2], "01.frames": np.array([0, 4]), "02": VALUES["02"]}
    np.testing.assert_array_equal(read(arrays).frames, [0, 4])
    assert len(read({**arrays, "02": np.zeros(0)}, "02").values) == 0
    with pytest.raises(
        MethodError, match=r"clip '02' has 3 scores and 4 frames; 1 of 1 clips lack 1 scores"
    ):
        read({**arrays, "02": VALUES["02"][:3]})


def test_higher_is_normal_turns_the_sign(read):
    """A regularity becomes an anomaly score, whatever its type."""
    np.testing.assert_array_equal(read(VALUES, higher_is="normal").values, -VALUES["01"])
    np.testing.assert_array_equal(
        read(
            {"01": np.array([1, 0, 3, 0, 0], dtype=np.uint8), "02": VALUES["02"]},
            higher_is="normal",
        ).values,
        [-1, 0, -3, 0, 0],
    )


def test_frames_of_the_file_override_first(read):
    """Where the file says which frames, they count."""
    arrays = {"01": VALUES["01"][:2], "01.frames": np.array([0, 4]), "02": VALUES["02"][:2]}
    np.testing.assert_array_equal(read(arrays, first=2).frames, [0, 4])
    np.testing.assert_array_equal(read(arrays, "02", first=2).frames, [2, 3])


def test_arrays_without_names_are_taken_in_clip_order(tmp_path, caplog):
    """In the order of their numbers, 10 after 9, with a line in the log."""
    lengths = {f"{number:02d}": 3 for number in range(12)}
    np.savez(tmp_path / "file.npz", *[np.full(3, number) for number in range(12)])
    method = ReadScores(ScoresParameters(tmp_path / "file.npz"))
    with caplog.at_level(logging.INFO, "test"):
        context = make_context(
            0, Compute("cpu"), tmp_path, logging.getLogger("test"), test_lengths=lengths
        )
        found = [
            method.score(OpenClip(clip, "test", 3, "made"), context).values[0] for clip in lengths
        ]
    assert found == list(range(12))
    assert "taken in clip order: arr_0 is clip 00, ..., arr_11 is clip 11" in caplog.text
    assert caplog.text.count("clip order") == 1  # the file is read once


def test_a_file_of_the_whole_dataset_where_some_clips_are_here(tmp_path, caplog):
    """Scores of the dataset's other clips are not used, and it is said of how many; a clip that it
    does not have is refused."""
    lengths = {"02": 3, "10": 4}
    whole = {
        f"{number:02d}": np.full(lengths.get(f"{number:02d}", 3), float(number))
        for number in range(1, 13)
    }
    others = whole.keys() - lengths.keys()

    def scores(arrays, *positional):
        np.savez(tmp_path / "file.npz", *positional, **arrays)
        context = make_context(
            0,
            Compute("cpu"),
            tmp_path,
            logging.getLogger("test"),
            test_lengths=lengths,
            other_test_clips=others,
        )
        method = ReadScores(ScoresParameters(tmp_path / "file.npz"))
        return {
            clip: method.score(OpenClip(clip, "test", length, "made"), context).values.tolist()
            for clip, length in lengths.items()
        }

    with caplog.at_level(logging.WARNING, "test"):
        assert scores(whole | {"03.frames": np.arange(3)}) == {"02": [2] * 3, "10": [10] * 4}
    assert "the scores of 10 of its clips were not used" in caplog.text
    assert scores({}, *whole.values()) == {
        "02": [2] * 3,
        "10": [10] * 4,
    }  # without names, in the order of the whole dataset
    assert scores({clip: whole[clip] for clip in lengths}) == scores(whole)
    with pytest.raises(MethodError, match="it has '13', no test clip"):
        scores(whole | {"13": np.zeros(3)})
    with pytest.raises(MethodError, match="it has no scores of '10'"):
        scores({clip: array for clip, array in whole.items() if clip != "10"})


def test_arrays_without_names_need_one_order_of_the_clips(tmp_path):
    """Of clips '2' and '10' either may be the first."""
    np.savez(tmp_path / "file.npz", np.zeros(3), np.ones(3))
    context = make_context(0, Compute("cpu"), tmp_path, test_lengths={"10": 3, "2": 3})
    with pytest.raises(
        MethodError,
        match=r"the order of the clips is in doubt: by letters '10', '2', by numbers '2', '10'",
    ):
        ReadScores(ScoresParameters(tmp_path / "file.npz")).score(
            OpenClip("2", "test", 3, "made"), context
        )


def test_keys_are_compared_in_one_normal_form(tmp_path):
    """A key with 'a' and two dots is the clip with one 'ä'."""
    np.savez(tmp_path / "file.npz", **{"Ga\u0308rten": np.zeros(3)})
    context = make_context(0, Compute("cpu"), tmp_path, test_lengths={"G\u00e4rten": 3})
    ReadScores(ScoresParameters(tmp_path / "file.npz")).score(
        OpenClip("G\u00e4rten", "test", 3, "made"), context
    )


def test_each_dataset_has_its_file(tmp_path):
    """{dataset} in the path stands for the dataset's name, and one method may meet several."""
    for dataset, value in (("ped2", 1.0), ("avenue", 2.0)):
        np.savez(tmp_path / f"{dataset}.npz", **{"01": np.full(5, value), "02": np.zeros(4)})
    method = ReadScores(ScoresParameters(tmp_path / "{dataset}.npz"))
    context = make_context(0, Compute("cpu"), tmp_path, test_lengths=LENGTHS)
    for dataset, value in (("ped2", 1.0), ("avenue", 2.0), ("ped2", 1.0)):
        assert method.score(OpenClip("01", "test", 5, dataset), context).values[0] == value


def test_a_file_already_read_can_be_saved(tmp_path, read):
    """The default save has nothing to write, and does not stumble over the file's arrays."""
    np.savez(tmp_path / "ped2.npz", **VALUES)
    method = ReadScores(ScoresParameters(tmp_path / "ped2.npz"))
    method.score(
        OpenClip("01", "test", 5, "ped2"),
        make_context(0, Compute("cpu"), tmp_path, test_lengths=LENGTHS),
    )
    method.save(tmp_path / "fitted")


@pytest.mark.parametrize(
    ("arrays", "parameters", "text"),
    [
        ({"01": VALUES["01"]}, {}, r"it has no scores of '02'.*the 2 clip ids, like '01', '02'"),
        (VALUES | {"03": np.zeros(3)}, {}, r"it has '03', no test clip"),
        (VALUES | {"03.frames": np.zeros(3)}, {}, r"it has '03.frames', no test clip"),
        (
            {"1": VALUES["01"], "02": VALUES["02"]},
            {},
            r"no scores of '01'; it has '1', no test clip",
        ),
        ({}, {}, r"no scores of '01', '02'"),
        (
            {"arr_0": VALUES["01"], "arr_1": VALUES["02"], "arr_2": VALUES["02"]},
            {},
            r"holds 3 arrays without names, and there are 2 test clips",
        ),
        (
            {"arr_0": VALUES["01"]},
            {},
            r"one array of 5 scores, and the 2 test clips have 9 frames; that is 2 less for each clip: set first to",
        ),
        ({"all": np.zeros(8)}, {"first": 0}, r"one array of 8 scores.*name an array for each clip"),
        ({"all": np.zeros((3, 3))}, {}, r"one array of shape \(3, 3\) for all clips"),
        (
            VALUES,
            {"keys": "Test{clip}"},
            r"has no key like 'Test01', as keys=Test\{clip\} says; it has '01', '02'",
        ),
        (VALUES, {"first": 2}, r"clip '01' has 5 scores from frame 2 on, but only 5 frames"),
        (
            VALUES | {"02": np.zeros(5)},
            {},
            r"clip '02' has 5 scores from frame 0 on, but only 4 frames",
        ),
        (
            VALUES | {"02": np.zeros((2, 2))},
            {},
            r"'02' is an array of shape \(2, 2\).*one row of numbers",
        ),
        (
            VALUES | {"02": np.array(["a", "b"])},
            {},
            r"'02' is an array of shape \(2,\) and type <U1",
        ),
        (VALUES | {"02": np.zeros(2, dtype=complex)}, {}, r"type complex128"),
        (
            VALUES | {"02.frames": np.arange(3)},
            {},
            r"clip '02' has 4 scores, and '02.frames' 3 values",
        ),
        (
            VALUES | {"02.frames": np.arange(4.0)},
            {},
            r"'02.frames' 4 values of type float64.*one whole number for each score",
        ),
        (
            VALUES | {"02.frames": np.array([0, 1, 2, 4])},
            {},
            r"must ascend within 0..3, since clip '02' has 4 frames; it runs from 0 to 4",
        ),
        (VALUES | {"02.frames": np.array([0, 1, 1, 2])}, {}, r"must ascend"),
        (VALUES | {"02.frames": np.array([3, 2, 1, 0], dtype=np.uint8)}, {}, r"must ascend"),
        (VALUES | {"02.frames": np.array([-1, 0, 1, 2])}, {}, r"must ascend"),
    ],
)
def test_misfits_are_refused(read, arrays, parameters, text):
    """The mistake is found at the first clip, whichever clip it concerns."""
    with pytest.raises(MethodError, match=text):
        read(arrays, **parameters)


def test_long_lists_are_cut(tmp_path):
    """A file of another dataset names some of its keys and counts the others."""
    np.savez(tmp_path / "file.npz", **{f"a{number}": np.zeros(1) for number in range(20)})
    method = ReadScores(ScoresParameters(tmp_path / "file.npz"))
    with pytest.raises(MethodError, match=r"'a5' and 14 more, no test clip"):
        method.score(
            OpenClip("01", "test", 5, "ped2"),
            make_context(0, Compute("cpu"), tmp_path, test_lengths=LENGTHS),
        )


def test_a_missing_file(read):
    """The path as it was looked for."""
    with pytest.raises(MethodError, match=r"no file .*avenue\.npz"):
        read(None, dataset="avenue")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (pickle.dumps({"01": [1, 2]}), "cannot be read as npz"),
        (b"frame,score\n0,1\n", "cannot be read as npz"),
        (b"", "cannot be read as npz"),
        (b"PK\x03\x04 no zip", "cannot be read as npz"),
    ],
    ids=["pickle", "csv", "empty", "damaged"],
)
def test_files_that_are_no_npz(tmp_path, read, content, text):
    """Other files are refused, and nothing is unpickled."""
    (tmp_path / "ped2.npz").write_bytes(content)
    with pytest.raises(MethodError, match=text):
        read(None)


def test_a_truncated_file(tmp_path, read):
    """An npz that was cut off."""
    np.savez_compressed(tmp_path / "ped2.npz", **VALUES)
    whole = (tmp_path / "ped2.npz").read_bytes()
    (tmp_path / "ped2.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MethodError, match="cannot be read as npz"):
        read(None)


def test_a_damaged_member(tmp_path, read):
    """An npz whose bytes were changed."""
    np.savez(tmp_path / "ped2.npz", **VALUES)
    content = bytearray((tmp_path / "ped2.npz").read_bytes())
    content[170:180] = bytes(10)
    (tmp_path / "ped2.npz").write_bytes(content)
    with pytest.raises(MethodError, match="cannot be read as npz"):
        read(None)


def test_an_array_of_objects(tmp_path, read):
    """Would have to be unpickled, and is not."""
    np.savez(
        tmp_path / "ped2.npz", **{"01": np.array([{"a": 1}], dtype=object), "02": VALUES["02"]}
    )
    with pytest.raises(MethodError, match="pickled files and arrays of objects are refused"):
        read(None)


def test_one_array_of_all_clips(tmp_path, read):
    """As npy, as the only array of an npz, as rows: cut in clip order; where each clip lacks as
    many scores, `first` has to say which."""
    whole = np.concatenate([*VALUES.values()])
    for array in (whole, whole[:, None], whole[None]):
        with (tmp_path / "ped2.npz").open("wb") as file:
            np.save(file, array)
        assert [read(None, clip).values.tolist() for clip in LENGTHS] == [
            VALUES[clip].tolist() for clip in LENGTHS
        ]
        np.save(tmp_path / "flat.npy", array)
        assert read(None, "02", path=tmp_path / "flat.npy").values.tolist() == [9, 8, 7, 6]
    assert read({"scores": whole}, "02").values.tolist() == [9, 8, 7, 6]
    short = np.concatenate([array[1:] for array in VALUES.values()])
    scores = read({"scores": short}, "02", first=1)
    assert scores.values.tolist() == [8, 7, 6] and scores.frames.tolist() == [1, 2, 3]


def test_columns_are_rows(read):
    """(N, 1) and (1, N), as MATLAB saves vectors."""
    arrays = {"01": VALUES["01"][:, None], "02": VALUES["02"][None]}
    assert read(arrays).values.tolist() == VALUES["01"].tolist()
    assert read(arrays, "02").values.tolist() == VALUES["02"].tolist()


def test_keys_of_other_programs(read):
    """'Test001' is clip '01' by its number, and any key by a pattern; labels beside it are not
    read."""
    arrays = {f"Test00{number}": array for number, array in enumerate(VALUES.values(), 1)}
    assert read(arrays, "02").values.tolist() == VALUES["02"].tolist()
    framed = arrays | {"Test002": np.array([5.0]), "Test002.frames": np.array([2])}
    assert read(framed, "02").frames.tolist() == [2]
    assert read(VALUES | {"01.labels": np.zeros(5)}).values.tolist() == VALUES["01"].tolist()
    patterned = {f"{clip}/pred_1": array for clip, array in VALUES.items()} | {"note": np.zeros(1)}
    assert read(patterned, "02", keys="{clip}/pred_1").values.tolist() == [9, 8, 7, 6]
    with pytest.raises(MethodError, match=r"it has no scores of '01', '02'; it has 'a1', 'b1'"):
        read({"a1": VALUES["01"], "b1": VALUES["02"]})


def test_csv(tmp_path, read):
    """Columns under a header, in any order of lines; or a number a line."""
    path = tmp_path / "ped2.csv"
    lines = [f"02,{f},{v}" for f, v in enumerate(VALUES["02"])][::-1]
    lines += [f"01,{f},{v}" for f, v in enumerate(VALUES["01"])]
    path.write_text("\ufeffClip, Frame, Score\n" + "\n".join(lines) + "\n\n")
    for clip in LENGTHS:
        scores = read(None, clip, path=path)
        assert scores.values.tolist() == VALUES[clip].tolist()
        assert scores.frames.tolist() == list(range(LENGTHS[clip]))
    path.write_text("clip,score\n" + "".join(f"{c},{v}\n" for c in LENGTHS for v in VALUES[c]))
    assert read(None, "02", path=path).values.tolist() == VALUES["02"].tolist()
    path.write_text("".join(f"{v}\n" for c in LENGTHS for v in VALUES[c]))
    assert read(None, "02", path=path).values.tolist() == VALUES["02"].tolist()
    path.write_text("score\n" + "".join(f"{v}\n" for c in LENGTHS for v in VALUES[c]))
    assert read(None, "02", path=path).values.tolist() == VALUES["02"].tolist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "it is empty"),
        ("frame,value2\n0,1\n", "its first line is 'frame,value2', no clip,frame,score"),
        ("1,2\n", "line 1 has 2 columns and no header"),
        ("clip,score\n01,x\n", "line 2: 'x' is no finite number"),
        ("clip,score\n01,nan\n", "line 2: 'nan' is no finite number"),
        ("clip,score\n01\n", "line 2 has 1 columns, and the first 2"),
        ("clip,frame,score\n01,0.5,1\n", "a frame of clip '01' is no whole number"),
        ("clip,score\n01,\xff\n".encode("latin1"), "can't decode byte"),
    ],
)
def test_csv_that_is_none(tmp_path, read, text, expected):
    """The line, and what is wrong with it."""
    path = tmp_path / "ped2.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(MethodError, match=f"cannot be read as csv .*{expected}"):
        read(None, path=path)


def test_mat(tmp_path, read):
    """Arrays by name, one of all, and a cell array in clip order; compressed or not."""
    path = tmp_path / "ped2.mat"
    cells = np.empty((1, 2), dtype=object)
    cells[0, 0], cells[0, 1] = VALUES["01"][None], VALUES["02"][:, None]
    for content in (
        {f"Test00{number}": array for number, array in enumerate(VALUES.values(), 1)},
        {"scores": np.concatenate([*VALUES.values()])},
        {"scores": cells},
    ):
        for compressed in (False, True):
            scipy.io.savemat(path, content, do_compression=compressed)
            assert read(None, "02", path=path).values.tolist() == VALUES["02"].tolist()


def test_mat_that_is_none(tmp_path, read):
    """Structures, texts, damage, a crash, and what unpacks to more than is read."""
    path = tmp_path / "ped2.mat"

    def refused(text):
        with pytest.raises(MethodError, match=f"cannot be read as mat .*{text}"):
            read(None, path=path)

    scipy.io.savemat(path, {"a": {"b": 1.0}})
    refused("'a' is no array of numbers")
    cells = np.empty((1, 1), dtype=object)
    cells[0, 0] = "text"
    scipy.io.savemat(path, {"a": cells})
    refused("'a' holds something else than one row of numbers for each clip")
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(200))
    refused("Unable to")
    path.write_bytes(pickle.dumps({"a": 1}) + bytes(200))
    refused("Unknown mat file type")
    scipy.io.savemat(path, {"a": np.zeros(100_000)}, do_compression=True)
    content = path.read_bytes()
    path.write_bytes(content[:-20])
    refused("could not read bytes")
    cells[0, 0] = np.zeros(3)
    scipy.io.savemat(path, {"a": cells})
    content = path.read_bytes()
    path.write_bytes(content[:144] + (5).to_bytes(4, "little") + content[148:])
    refused("reading it ended its reader")  # scipy's parser dies of it


def test_mat_of_version_73(tmp_path, read):
    """HDF5, as MATLAB saves what is large: arrays are transposed there, cells are references, and
    text is numbers."""
    path = tmp_path / "ped2.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        for clip, array in VALUES.items():
            file[f"Test{clip}"] = array[:, None]
    assert read(None, "02", path=path).values.tolist() == VALUES["02"].tolist()
    with h5py.File(path, "w", userblock_size=512) as file:
        cells = [
            file.create_dataset(f"#refs#/{clip}", data=array) for clip, array in VALUES.items()
        ]
        file["scores"] = np.array([[cell.ref] for cell in cells], dtype=h5py.ref_dtype)
    assert read(None, "01", path=path).values.tolist() == VALUES["01"].tolist()
    with h5py.File(path, "a") as file:
        file["note"] = np.arange(4, dtype=np.uint16)
        file["note"].attrs["MATLAB_class"] = np.bytes_("char")
        del file["scores"]
    with pytest.raises(MethodError, match="'note' is no array of numbers"):
        read(None, path=path)


COLLECTION = """name,path,first,higher_is,keys,published
DMAD,dmad/{dataset}.npz,4,,,ped2:99.7+avenue:92.8
SVD-GAN,svd-gan/{dataset}.npz,0,+,,

"MNAD, theirs",/data/mnad.mat,,-1,pred_{clip},
"""


def test_a_collection_names_many_files(tmp_path):
    """A row each, under its name; paths start beside the collection; a sign or a word says what is
    high; each row's selector stands for itself."""
    (tmp_path / "others.csv").write_text(COLLECTION)
    rows = select("methods", f"pca,scores[path={tmp_path}/others.csv]", load())
    assert [row.given_name for row in rows] == ["", "DMAD", "SVD-GAN", "MNAD, theirs"]
    assert [row.text for row in rows[1:3]] == [
        f"scores[path={tmp_path}/dmad/{{dataset}}.npz,first=4,published=ped2:99.7+avenue:92.8]",
        f"scores[path={tmp_path}/svd-gan/{{dataset}}.npz,first=0,higher_is=anomalous]",
    ]
    last = rows[3].parameters
    assert (str(last.path), last.higher_is, last.keys) == (
        "/data/mnad.mat",
        "normal",
        "pred_{clip}",
    )
    assert select("methods", rows[1].text, load())[0].parameters == rows[1].parameters


@pytest.mark.parametrize(
    ("text", "more", "expected"),
    [
        (
            "name,path,frist\na,b,1\n",
            "",
            "there is no column 'frist'; a collection has name, path,",
        ),
        ("name,path,first\na,b\n", "", "line 2: 2 cells, and the head has 3"),
        ("name,path\na,\n", "", "line 2: path is empty"),
        ("name,path\n", "", "the collection has no row"),
        ("name,path,first\na,b,x\n", "", "first must be a whole number"),
        ("name,path,higher_is\na,b,up\n", "", "higher_is must be one of anomalous, normal"),
        ("name,path\na,b\na,c\n", "", "would both be called 'a'"),
        ("name,path\na,b\n", ",first=3", "a collection has first as a column; leave it out here"),
        ("name,path\na,b\n", "] as x", "its rows have names already; leave out 'as x'"),
    ],
)
def test_collections_that_are_none(tmp_path, text, more, expected):
    """Line and column, before anything is run."""
    (tmp_path / "others.csv").write_text(text)
    end = more if more.startswith("]") else f"{more}]"
    with pytest.raises(RequestError) as error:
        select("methods", f"scores[path={tmp_path}/others.csv{end}", load())
    assert expected in str(error.value)


def test_keys_with_numbers_that_no_int_holds(tmp_path, read):
    """A clip whose name has 5000 digits is no clip of the dataset."""
    path = tmp_path / "ped2.csv"
    path.write_text(f"clip,score\n{'9' * 5000},1\nTest02,2\n")
    with pytest.raises(MethodError, match="it has no scores of '01'"):
        read(None, path=path)


def test_published_numbers(tmp_path):
    """Of each dataset, as typed; they stand in the row and change no score."""
    row = select_one("methods", "scores[path=a.npz,published=ped2:99.70+avenue:78]", load())
    published = {one.dataset: one.auc for one in row.make().published}
    assert published == {"ped2": "99.70", "avenue": "78"} and not ReadScores.info.published
    for text in ("99.7", "ped2:101", "ped2:0.99x"):
        with pytest.raises(RequestError, match="no dataset with a percentage, like ped2:99.7"):
            select_one("methods", f"scores[path=a.npz,published={text}]", load())


def test_a_folder(tmp_path, read):
    """A folder is no file."""
    (tmp_path / "ped2.npz").mkdir()
    with pytest.raises(MethodError, match="cannot be read"):
        read(None)


def test_a_zip_of_other_things(tmp_path, read):
    """A zip whose members are no arrays."""
    import zipfile

    with zipfile.ZipFile(tmp_path / "ped2.npz", "w") as file:
        file.writestr("01", "text")
    with pytest.raises(MethodError, match="'01' is no array"):
        read(None)


@pytest.mark.parametrize(
    "header",
    [b"{'descr': (", b"{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904,)}"],
)
def test_array_that_promises_what_is_not_there(tmp_path, read, header):
    """A header that no parser ends, or that claims more than any memory, is refused with the
    file."""
    import zipfile

    with zipfile.ZipFile(tmp_path / "ped2.npz", "w") as file:
        file.writestr(
            "01.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(40)
        )
    with pytest.raises(MethodError, match=r"ped2\.npz cannot be read as npz \('01'"):
        read(None)


@pytest.mark.realdata
def test_real_scores_of_windows(real_data):
    """MemAE on Ped2, whose 16-frame windows are scored in the middle: refused as they are; first=8
    gives the number that SciPy gives."""
    clips = real_clips(real_data, "memae", "ped2", "frame")
    lengths = {clip.id: len(clip.labels) for clip in clips}
    context = make_context(0, Compute("cpu"), real_data, test_lengths=lengths)

    def number(**parameters):
        method = ReadScores(
            ScoresParameters(real_data / "scores" / "memae" / "{dataset}.npz", **parameters)
        )
        scores = {
            clip: method.score(OpenClip(clip, "test", length, "ped2"), context)
            for clip, length in lengths.items()
        }
        return round(100 * bench.score(scores, {clip.id: clip.labels for clip in clips}), 2)

    with pytest.raises(MethodError, match=r"12 of 12 clips lack 15 scores.*first=0 .*first=15 "):
        number()
    assert (number(first=8), number(first=0)) == (91.69, 89.54)


@pytest.mark.realdata
def test_other_peoples_scores_in_one_command(real_data, tmp_path):
    """One file, one line: each row under its name, and a dash with its reason where a file is
    missing."""
    lines = ["name,path,first,published,paper_protocol"]
    lines += [
        f"DMAD,{real_data}/scores/dmad/{{dataset}}.npz,4,ped2:99.7,ddl",
        f"MemAE,{real_data}/scores/memae/{{dataset}}.npz,8,,",
    ]
    (tmp_path / "others.csv").write_text("\n".join(lines))
    done = forked.bench(
        "run", "--methods", "scores[path=others.csv]", "--datasets", "ped2,shanghaitech",
        "--data", str(real_data), "--threads", "1", "--out", "run", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    cells = {(cell.given_name, cell.dataset): cell for cell in Run.open(tmp_path / "run").cells()}
    assert cells["MemAE", "shanghaitech"].status == "no data"
    assert "no file or folder" in cells["MemAE", "shanghaitech"].reason
    assert cells["DMAD", "ped2"].published["auc"] == "99.7"
    results = (tmp_path / "run" / "tables" / "comparison.txt").read_text()
    assert re.search(r"DMAD +96\.52", results) and re.search(r"MemAE +91\.69.* -", results)
    done = forked.bench("report", "run", "--table", "published-columns", cwd=tmp_path)
    assert re.search(r"DMAD +99\.7 .*99\.63 .*-0\.1\b", done.stdout), done.stdout
    assert re.search(r"DMAD .* ddl$", done.stdout, re.MULTILINE), done.stdout
