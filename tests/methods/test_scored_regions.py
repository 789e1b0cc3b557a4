"""Regions from files: scores of frames, what is handed over, what is refused, and the criteria of
the public implementation."""

import logging
import re
import shutil

import forked
import numpy as np
import pytest
from bench.methods.regions import ReadRegions, RegionsParameters

from bench import MethodError, OpenClip
from bench.contracts.compute import Compute
from bench.engine.context import make_context
from bench.evaluation.anomaly_tracks import read_tracks
from bench.worker.keepers.detections import DetectionKeeper

LENGTHS = {"01": 5, "02": 4}
FILES = {"01": "1,10,20,30,40,0.5\n1,0,0,4.5,4,-2\n\n3,1,1,1,1,7\n", "02": ""}


@pytest.fixture
def read(tmp_path):
    """Write the files of a folder, and return the scores of a clip read from it, with what was
    handed over."""

    def reader(files, clip="01", dataset="ped2"):
        (tmp_path / dataset).mkdir(exist_ok=True)
        for name, text in files.items():
            (tmp_path / dataset / f"{name}.txt").write_text(text)
        method = ReadRegions(RegionsParameters(path=tmp_path / "{dataset}"))
        context = make_context(
            0, Compute("cpu"), tmp_path, logging.getLogger("test"), test_lengths=LENGTHS
        )
        taken = []
        context.regions = lambda *given: taken.append(given)
        return method.score(OpenClip(clip, "test", LENGTHS[clip], dataset), context), taken

    return reader


def test_a_frame_scores_as_its_highest_region(read):
    """A frame without a region scores as the lowest region of all clips."""
    np.testing.assert_array_equal(read(FILES)[0], [-2, 0.5, -2, 7, -2])
    np.testing.assert_array_equal(read(FILES, "02")[0], [-2] * 4)
    np.testing.assert_array_equal(read({"01": "", "02": ""}, "02")[0], [0] * 4)


def test_regions_are_handed_over_with_their_last_pixels(read):
    """One more in each direction, so that a box of one pixel has an area."""
    [(clip, boxes, frames, scores)] = read(FILES)[1]
    assert clip.id == "01"
    np.testing.assert_array_equal(boxes, [[10, 20, 31, 41], [0, 0, 5.5, 5], [1, 1, 2, 2]])
    np.testing.assert_array_equal(frames, [1, 1, 3])
    np.testing.assert_array_equal(scores, [0.5, -2, 7])


def test_a_box_that_ends_before_it_begins_meets_nothing(read, caplog):
    """It keeps its place among the false regions, without an area, and a warning goes into the
    row."""
    with caplog.at_level(logging.WARNING, "test"):
        [(_, boxes, _, scores)] = read(FILES | {"01": "1,4,3,2,5,6\n1,4,5,9,3,7\n1,0,0,1,1,8\n"})[1]
    np.testing.assert_array_equal(boxes, [[4, 3, 4, 3], [4, 5, 4, 5], [0, 0, 2, 2]])
    np.testing.assert_array_equal(scores, [6, 7, 8])
    assert "2 of 3 boxes end before they begin" in caplog.text


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("frame,x1,y1,x2,y2,score", "must be 6 numbers: frame, x1, y1, x2, y2, score"),
        ("1,2,3,4,5", "must be 6 numbers"),
        ("1,2,3,4,5,nan", "must be 6 numbers"),
        ("1.5,2,3,4,5,6", "the clip has the frames 0 to 4"),
        ("5,2,3,4,5,6", "the clip has the frames 0 to 4"),
        ("-1,2,3,4,5,6", "the clip has the frames 0 to 4"),
    ],
)
def test_a_line_that_is_no_region_is_refused_with_its_place(read, line, text):
    """File and line, at the first clip, whichever clip it concerns."""
    with pytest.raises(MethodError, match=re.escape(text)) as caught:
        read(FILES | {"01": f"{FILES['01']}{line}\n"}, "02")
    assert "01.txt, line 5" in str(caught.value)


def test_missing_files_are_named(read, tmp_path):
    """A clip without a file, a file that is no text, and a folder that is not there."""
    with pytest.raises(
        MethodError, match=r"a file CLIP.txt for each test clip, empty where .*; it lacks 02$"
    ):
        read({"01": ""})
    (tmp_path / "ped2" / "02.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(MethodError, match=r"02.txt cannot be read"):
        read({"01": ""})
    (tmp_path / "ped2" / "02.txt").unlink()
    (tmp_path / "ped2" / "02.txt").mkdir()
    with pytest.raises(MethodError, match="it lacks 02"):
        read({})
    shutil.rmtree(tmp_path / "ped2")
    method = ReadRegions(RegionsParameters(path=tmp_path / "ped2"))
    with pytest.raises(MethodError, match="there is no folder"):
        method.score(
            OpenClip("01", "test", 5, "ped2"),
            make_context(0, Compute("cpu"), tmp_path, test_lengths=LENGTHS),
        )


# -- what a cell keeps -----------------------------------------------------------------------------

BOX = [[0.0, 0.0, 2.0, 3.0]]


def test_keeper_keeps_what_was_handed_over(tmp_path):
    """A clip in which nothing was found has its frames; a method that hands nothing over leaves
    nothing."""
    keeper = DetectionKeeper(tmp_path)
    clip = OpenClip("01", "test", 5, "made")
    keeper(clip, BOX, np.array([2]), [0.25])
    keeper.finish("01", np.arange(1, 5))
    keeper(OpenClip("02", "test", 5, "made"), np.zeros((0, 4)), np.zeros(0, int), np.zeros(0))
    keeper.finish("02", np.arange(5))
    found = keeper.joined(["01", "02"]).clips
    assert found["01"].boxes.tolist() == BOX
    assert (
        found["01"].frames.tolist(),
        found["01"].box_frames.tolist(),
        found["01"].box_scores.tolist(),
    ) == ([1, 2, 3, 4], [2], [0.25])
    assert (len(found["02"].frames), len(found["02"].boxes)) == (5, 0)
    keeper.finish("03", np.arange(5))
    assert keeper.joined(["03"]) is None


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ((BOX, np.array([2.0]), [1.0]), "expected"),
        ((BOX, np.array([2, 3]), [1.0]), "expected"),
        ((BOX, np.array([2]), [1.0, 2.0]), "expected"),
        ((BOX, np.array([2]), [np.nan]), "all values finite"),
        (([[0, 0, -1, 3]], np.array([2]), [1.0]), "x1 <= x2"),
        ((BOX, np.array([0]), [1.0]), "frame 0 has a region and no score"),
    ],
)
def test_keeper_refuses_what_is_no_region(tmp_path, given, text):
    """A plugin's mistake costs its cell, with the reason."""
    keeper = DetectionKeeper(tmp_path)
    with pytest.raises(MethodError, match=text):
        keeper(OpenClip("01", "test", 5, "made"), *given)
        keeper.finish("01", np.arange(1, 5))


# -- the public implementation ---------------------------------------------------------------------

DATASET = '''
import numpy as np
from bench import Clip, Dataset, DatasetInfo, hookimpl


class Oracle(Dataset):
    """Three clips without frames, as long as the made-up tracks."""

    name = "oracle"
    info = DatasetInfo(resolution=(480, 640))

    def locate(self, roots):
        self.root = roots[0]

    def clips(self, split):
        return [Clip(id, split, None, length) for id, length in (("01", 120), ("02", 90), ("03", 150)) if split == "test"]

    def labels(self, clip, label_set=None):
        return (np.arange(clip.length) % 2).astype(np.uint8)


@hookimpl
def bench_datasets():
    return [Oracle]
'''


def bench(place, *words):
    done = forked.bench(*map(str, words), cwd=place)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.realdata
def test_a_run_gives_the_numbers_of_the_public_implementation(real_data, tmp_path):
    """Made-up tracks and regions, for which the public implementation of RBDC and TBDC prints
    0.44357 and 0.98519."""
    shutil.copytree(real_data / "tracks" / "oracle", tmp_path / "oracle")
    (tmp_path / "dataset.py").write_text(DATASET)
    common = ["--plugin", "dataset.py"]
    methods = [
        "--methods",
        "regions[path=oracle/regions]",
        "--datasets",
        "oracle",
        "--keep",
        "regions",
    ]
    bench(tmp_path, "run", *methods, "--data", ".", "--out", "run", *common)
    printed = (tmp_path / "run" / "tables" / "comparison.txt").read_text()
    assert "2 of 750 boxes end before they begin" in " ".join(printed.split())
    told = bench(
        tmp_path, "report", "run", "--table", "localisation", "--tracks", "oracle/tracks", *common
    )
    assert "gives regions and no error maps" in told
    table = tmp_path / "run" / "tables" / "localisation-tracks.md"
    lines = table.read_text().splitlines()
    columns, row = (
        [
            cell.strip()
            for cell in next(line for line in lines if re.match(start, line)).strip("|").split("|")
        ]
        for start in (r"\| method", r"\| \w*\s?[Rr]egions")
    )
    values = {column: re.sub("[*]", "", value) for column, value in zip(columns, row, strict=True)}
    assert (values["RBDC, tracks"], values["TBDC, tracks"]) == ("44.36", "98.52")


@pytest.mark.realdata
def test_real_tracks_of_shanghaitech(real_data):
    """All files of the public tracks are read; they agree with the frame labels in 95 clips, and
    differ in 191 frames."""
    tracks, labels = (
        real_data / "tracks" / "shanghaitech",
        real_data / "shanghaitech" / "testing" / "test_frame_mask",
    )
    agree = differ = number = regions = 0
    for path in sorted(labels.glob("*.npy")):
        truth = np.load(path) > 0
        found = read_tracks(tracks / f"{path.stem}.txt", len(truth), (480, 856))
        wrong = int((truth != np.isin(np.arange(len(truth)), found.frames)).sum())
        agree, differ = agree + (wrong == 0), differ + wrong
        number, regions = number + len(np.unique(found.tracks)), regions + len(found.boxes)
    assert (agree, differ, number, regions) == (95, 191, 158, 18937)
