"""A finished cell applied to footage: the scores of the run, the events of the operator's table,
and files that are whole whatever happens."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from encoded import cut_without_encoding, encode, moving
from forked import TOYS, Command, bench, toy_words
from scipy import ndimage

from bench.applying import live_scoring
from bench.applying import live_source as live
from bench.applying.application import find_cell, prepare_application, refuse
from bench.applying.apply import apply_to
from bench.applying.footage import Footage, find_footage
from bench.applying.listener import Outcome
from bench.cli.commands.apply import command
from bench.contracts.method import Scores
from bench.errors import DataError, RequestError, RunError
from bench.figures.video import PANEL
from bench.plugins.registry import current, load
from bench.plugins.selection import select_one
from bench.runs import applied
from bench.runs.applied import Applied, Lines
from bench.runs.folder import Run
from bench.runs.manifest import Manifest
from bench.runs.records import CellRecord
from bench.scoring.alarms import runs

STREAM, WINDOW, WHOLE = "unet-plain", "memae", "pca"


@pytest.fixture(scope="module")
def made(once):
    """A run of a network that streams, one with windows, and a method that looks at the whole
    clip."""
    methods = f"{STREAM}[epochs=1],{WINDOW}[epochs=1],{WHOLE}[size=8,components=4]"
    more = ("--keep", "weights,train-scores", "--out", "run")

    def make(place):
        found = bench(*toy_words(methods, *more), cwd=place)
        assert found.returncode == 0, found.stderr

    return once("apply", make)


@pytest.fixture
def run(made):
    load([TOYS])
    yield Run(made / "run")
    load()


def cell_of(run, method):
    return next(cell for cell in run.cells() if cell.method == method)


class Told:
    """An observer that remembers."""

    def __init__(self):
        self.noted, self.events, self.frames, self.outcome = [], [], [], None

    def checking(self, footage, done, total):
        self.checked = done

    def begin(self, footage, rate, total, stamped):
        self.rate, self.total, self.stamped = rate, total, stamped

    def rows(self, rows):
        self.frames += rows

    def event(self, event):
        self.events.append(event.as_json())

    def progress(self, done, what, behind):
        self.behind = behind

    def say(self, text):
        self.noted.append(text)

    note = say

    def end(self, outcome):
        self.outcome = outcome


def applied_to(run, method, source, out, stops=lambda: 0, **how):
    """The CSV of each source, what was told, and where."""
    footage = find_footage(str(source))
    threshold, rate = how.pop("threshold", None), how.pop("rate", None)
    application, _ = prepare_application(
        run.cell_path(cell_of(run, method)), footage, None, threshold, rate, **how
    )
    output = Applied(out, application.about(run, footage[0].shown))
    told = [Told() for _ in footage]
    try:
        for one, observer in zip(footage, told):
            apply_to(application, one, output, observer, stops)
    finally:
        output.close()
    return (
        {one.name: pd.read_csv(out / "scores" / f"{one.name}.csv") for one in footage},
        told,
        application,
    )


@pytest.mark.parametrize("method", [STREAM, WINDOW, WHOLE])
def test_scores_are_those_of_the_run(made, run, tmp_path, method):
    """Frame by frame, window by window, and of the whole clip: a line for each frame, empty where
    the run has no score."""
    tables, told, _ = applied_to(run, method, made / "data" / "toy" / "test", tmp_path / "out")
    kept = run.scores(cell_of(run, method))
    assert (
        set(tables) == {"01", "02", "03"}
        and sum(len(scores.values) for scores in kept.values()) > 10
    )
    for clip, scores in kept.items():
        table = tables[clip]
        assert list(table["frame"]) == list(range({"01": 20, "02": 26, "03": 12}[clip]))
        known = table.dropna(subset="score")
        np.testing.assert_array_equal(known["frame"], scores.frames)
        np.testing.assert_allclose(known["score"], scores.values, rtol=1e-5)
        assert table["smoothed"].isna().equals(table["score"].isna()) and table[
            "above"
        ].isna().equals(table["score"].isna())
    if method == WINDOW:
        assert any("no frame has a score: 12 frames are fewer" in text for text in told[2].noted)


@pytest.mark.parametrize("method", [STREAM, WHOLE])
def test_scores_do_not_depend_on_what_was_scored_before(made, run, tmp_path, monkeypatch, method):
    """A method that draws random numbers while it scores: a video gives the same scores alone and
    behind others."""

    def whole(self, clip, context):
        return np.random.random(clip.length)

    def as_they_come(network, batches, context, live):
        begin = 0
        for batch in batches:
            yield Scores(np.random.random(len(batch)), np.arange(begin, begin + len(batch)))
            begin += len(batch)

    kind = select_one("methods", WHOLE, current()).target
    monkeypatch.setattr(kind, "score", whole)
    monkeypatch.setattr("bench.engine.inference.infer_as_they_come", as_they_come)
    videos = made / "data" / "toy" / "test"
    together, _, _ = applied_to(run, method, videos, tmp_path / "together", threshold=1.0)
    alone, _, _ = applied_to(run, method, videos / "02", tmp_path / "alone", threshold=1.0)
    pd.testing.assert_frame_equal(together["02"], alone["02"])


def test_threshold_and_events_are_those_of_the_operators_table(made, run, tmp_path):
    """Training and new scores smoothed by SciPy's median; the threshold by sorting; events as runs
    above it; the files say the same."""
    cell = cell_of(run, STREAM)
    training = [scores.values.astype(float) for scores in run.train_scores(cell).values()]
    ordered = np.sort(
        np.concatenate([ndimage.median_filter(scores, 17, mode="reflect") for scores in training])
    )
    _, _, application = applied_to(run, STREAM, made / "data" / "toy" / "test", tmp_path / "usual")
    assert (
        application.threshold == ordered[-1]
        and "cannot resolve a rate below" in application.notes[0]
    )
    _, _, application = applied_to(
        run, STREAM, made / "data" / "toy" / "test", tmp_path / "half", rate=0.5
    )
    assert (
        application.threshold in ordered
        and (ordered > application.threshold).mean() <= 0.5
        and application.notes == ()
    )
    middle = float(
        np.median(ndimage.median_filter(next(iter(run.scores(cell).values())).values, 17))
    )
    tables, told, application = applied_to(
        run, STREAM, made / "data" / "toy" / "test", tmp_path / "out", threshold=middle
    )
    events = pd.read_csv(tmp_path / "out" / "events.csv", dtype={"source": str})
    for (clip, table), observer in zip(tables.items(), told):
        smoothed = ndimage.median_filter(table["score"].to_numpy(), 17, mode="reflect")
        np.testing.assert_allclose(table["smoothed"], smoothed, rtol=1e-8)
        above = smoothed > application.threshold
        np.testing.assert_array_equal(table["above"] == 1, above)
        assert (
            list(table["time"]) == [number / 25 for number in range(len(table))]
            and "25 frames per second assumed" in observer.noted[0]
        )
        mine = events[events["source"] == clip]
        assert list(zip(mine["first_frame"], mine["last_frame"])) == runs(above)
        np.testing.assert_allclose(
            mine["peak"].astype(float),
            [smoothed[first : last + 1].max() for first, last in runs(above)],
            rtol=1e-8,
        )
        assert [event["event"] for event in observer.events] == ["begin", "end"] * len(mine)
    assert len(events)


def written_video(path, count=40, rate=12.5, size=(48, 36)):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), rate, size)
    for number in range(count):
        image = np.random.default_rng(number).integers(
            0, 120, (size[1] // 6, size[0] // 6, 3), dtype=np.uint8
        )
        writer.write(cv2.resize(image + np.uint8(100 * (number > count // 2)), size))
    writer.release()
    return path


def test_a_video_has_its_own_rate_and_the_scores_of_its_frames(made, run, tmp_path):
    """Times by the file's rate, or by the user's; the same frames as images have the same
    scores."""
    path = written_video(tmp_path / "yard.avi")
    video = cv2.VideoCapture(str(path))
    (tmp_path / "images").mkdir()
    number = 0
    while (frame := video.read())[0]:
        cv2.imwrite(str(tmp_path / "images" / f"{number:03d}.png"), frame[1])
        number += 1
    video.release()
    tables, told, _ = applied_to(run, WINDOW, path, tmp_path / "a")
    images, _, _ = applied_to(run, WINDOW, tmp_path / "images", tmp_path / "b", fps=5.0)
    assert (told[0].rate, told[0].total, told[0].noted) == (12.5, 40, []) and list(
        tables["yard"]["time"]
    ) == [n / 12.5 for n in range(40)]
    np.testing.assert_array_equal(tables["yard"]["score"], images["images"]["score"])
    assert images["images"]["time"].iloc[-1] == 39 / 5
    other = replace(told[0].outcome, frame_rate=None)
    assert (other.frames, other.scored, other.ended, other.frame_rate_from) == (
        40,
        25,
        "end",
        "as stated in the file",
    )


@pytest.mark.parametrize("ending", [".mkv", ".mp4"])
@pytest.mark.parametrize("method", [STREAM, WHOLE])
def test_times_of_variable_frame_rate_are_the_files_own(run, tmp_path, method, ending):
    """50 frames in 10 s, then 50 in 2 s: in the CSV, in the events, and where the annotated video
    shows each frame."""
    times = [number / 5 if number < 50 else 10 + (number - 50) / 25 for number in range(100)]
    frames = [
        np.full((36, 48, 3), 200 if 80 <= number < 90 else 60, np.uint8) for number in range(100)
    ]
    path = encode(tmp_path / f"yard{ending}", frames, times=times)
    tables, (told,), _ = applied_to(
        run, method, path, tmp_path / "out", threshold=-1.0, image_height=PANEL
    )
    np.testing.assert_allclose(tables["yard"]["time"], times, atol=0.0006)
    events = pd.read_csv(tmp_path / "out" / "events.csv")
    assert (
        events[["start", "end"]].values.tolist() == [[0, 11.96]] and told.events[-1]["end"] == 11.96
    )
    assert told.stamped and (told.total, told.outcome.frame_rate_from) == (
        100,
        "on average; times are those of the file",
    )
    assert told.rate == pytest.approx(99 / 11.96)
    mine, (told,), _ = applied_to(run, method, path, tmp_path / "b", threshold=-1.0, fps=10.0)
    assert (
        mine["yard"]["time"].iloc[-1] == 9.9
        and not told.stamped
        and told.outcome.frame_rate_from == "as set with --fps"
    )
    place = run.cell_path(cell_of(run, method))
    invoke(place, path, "--threshold", -1, "--video", "--out", tmp_path / "drawn")
    with av.open(str(tmp_path / "drawn" / "videos" / "yard.mp4")) as video:
        np.testing.assert_allclose(
            [float(frame.pts * frame.time_base) for frame in video.decode(video=0)],
            times,
            atol=0.0006,
        )


def test_damage_is_found_before_anything_is_scored(run, tmp_path):
    """A cut file, and one with a hole of zeros in its middle: no line is written of either; a
    trimmed one has its 62 frames."""
    whole = encode(
        tmp_path / "a.mp4", moving(100), options={"g": "30", "x264-params": "scenecut=0:threads=1"}
    )
    content = bytearray(whole.read_bytes())
    content[len(content) // 2 : len(content) * 6 // 10] = bytes(
        len(content) * 6 // 10 - len(content) // 2
    )
    (tmp_path / "hole.mp4").write_bytes(content)
    (tmp_path / "cut.mp4").write_bytes(whole.read_bytes()[: len(content) * 6 // 10])
    for name in ("hole", "cut"):
        with pytest.raises(DataError, match=f"{name}.mp4.* is (damaged|truncated)"):
            applied_to(
                run, STREAM, tmp_path / f"{name}.mp4", tmp_path / f"out-{name}", threshold=0.0
            )
        assert len(pd.read_csv(tmp_path / f"out-{name}" / "scores" / f"{name}.csv")) == 0
    trimmed = cut_without_encoding(whole, tmp_path / "trimmed.mp4", 38)
    tables, (told,), _ = applied_to(run, STREAM, trimmed, tmp_path / "out", threshold=0.0)
    assert (len(tables["trimmed"]), told.total, told.outcome.ended) == (62, 62, "end")


def test_stopped_while_it_is_checked(run, tmp_path):
    """Nothing is scored, and nothing is lost: the same command begins again."""
    path = encode(tmp_path / "yard.mp4", moving(120))
    asked = iter([0, 1])
    tables, (told,), _ = applied_to(
        run, STREAM, path, tmp_path / "out", stops=lambda: next(asked), threshold=0.0
    )
    assert (len(tables["yard"]), told.checked, told.outcome.ended, told.outcome.frames) == (
        0,
        100,
        "stopped",
        0,
    )


def test_a_threshold_that_does_not_hold_is_said(made, run, tmp_path):
    """Far more frames above than it promises: once, in apply.json too; not with a threshold of the
    user's, nor where few are above."""
    path = written_video(tmp_path / "yard.avi")
    _, (told,), application = applied_to(run, STREAM, path, tmp_path / "a", rate=0.001)
    above, scored = told.outcome.above, told.outcome.scored
    assert above > 10 and application.promised == 0.001
    (said,) = [text for text in told.noted if "threshold" in text]
    assert said == told.outcome.warning
    assert said.startswith(
        f"{path}: {above} of {scored} scored frames ({above / scored:.0%}) are above the threshold, which allows at most 0.1 % of normal "
    )
    _, (told,), application = applied_to(
        run, STREAM, path, tmp_path / "b", threshold=application.threshold
    )
    assert (
        told.outcome.above == above and told.outcome.warning == "" and application.promised is None
    )
    short = written_video(tmp_path / "short.avi", count=10)
    _, (told,), _ = applied_to(run, STREAM, short, tmp_path / "c", rate=0.001)
    assert told.outcome.above == 10 and told.outcome.warning == ""


def test_stopped_in_the_middle_what_was_scored_is_there(run, tmp_path):
    """Whole lines of all frames that were taken; the last event is closed and says why."""
    asked = iter([0, 0, 1])
    tables, (told,), application = applied_to(
        run,
        STREAM,
        written_video(tmp_path / "yard.avi"),
        tmp_path / "out",
        stops=lambda: next(asked, 1),
        threshold=0.0,
    )
    table = tables["yard"]
    assert (
        len(table) == 3 * application.fitted.compute.scoring_batch
        and table["score"].notna().all()
        and told.outcome.ended == "stopped"
    )
    assert (
        told.events[-1]["closed"] == "stopped"
        and told.events[-1]["last_frame"] == 3 * application.fitted.compute.scoring_batch - 1
    )


def test_a_damaged_image_costs_what_comes_after_it(made, run, tmp_path):
    """The error names it; what was scored before is written, and the event is closed."""
    folder = tmp_path / "clip"
    shutil.copytree(made / "data" / "toy" / "test" / "02", folder)
    (folder / "021.png").write_bytes(b"nothing")
    with pytest.raises(DataError, match="frame 21: .*021.png cannot be decoded"):
        applied_to(run, STREAM, folder, tmp_path / "out", threshold=0.0)
    table = pd.read_csv(tmp_path / "out" / "scores" / "clip.csv")
    assert list(table["frame"]) == list(range(20)) and pd.read_csv(tmp_path / "out" / "events.csv")[
        "closed"
    ].tolist() == ["failed"]


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "text"),
    [
        ("frame-index", "frame-index reads no frames"),
        ("mnad", "mnad scales the scores of each clip to the minimum and maximum of that clip"),
        ("pca", "pca needs whole clips, and device 0 is a live source"),
        ("ae-convlstm", "ae-convlstm needs whole clips"),
    ],
)
def test_methods_that_cannot_score_a_camera(method, text):
    """No frames, scores that only a whole clip gives, and a method that needs all frames at
    once."""
    cell = CellRecord(f"cells/{method}/a/0", method, method, method, "a", "a", 0)
    with pytest.raises(RequestError, match=text):
        refuse(load().methods[method](), cell, [Footage("device-0", "device 0", address=0)])


def test_cells_are_found_by_their_folders(made, run, tmp_path, monkeypatch):
    """The folder itself, or one above it that holds no other; else what there is."""
    monkeypatch.chdir(made)
    folder = cell_of(run, WINDOW).folder
    for path in (
        Path("run") / folder,
        (made / "run" / folder).parents[1],
        Path("run") / folder / "scores.npz",
    ):
        if path.suffix:
            with pytest.raises(RequestError, match="is not a cell of run; there are cells/"):
                find_cell(path)
        else:
            found, cell = find_cell(path)
            assert cell.method == WINDOW and found.path.resolve() == (made / "run").resolve()
    with pytest.raises(
        RequestError, match="run contains 3 cells with kept weights; name one: run/cells/"
    ):
        find_cell(Path("run"))
    with pytest.raises(
        RequestError, match="is not a cell: neither it nor a folder above it is a run"
    ):
        find_cell(tmp_path)
    unfinished = Run(tmp_path / "other")
    record = CellRecord(
        "cells/a/b/0", "a", "a", "a", "b", "b", 0, status="failed", reason="out of memory"
    )
    unfinished.write_manifest(Manifest(cells=[vars(record)]))
    with pytest.raises(RequestError, match=r"is not finished: failed \(out of memory\)"):
        find_cell(tmp_path / "other" / "cells" / "a")


def invoke(*arguments):
    found = CliRunner().invoke(command, [*map(str, arguments), "--plugin", str(TOYS)])
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found


def test_without_training_scores_the_command_is_named_and_works(made, run, tmp_path):
    """It keeps the weights as well; followed as a dry run, it repeats this cell alone."""
    bare = Run(Path(shutil.copytree(made / "run", tmp_path / "run")))
    cell = cell_of(bare, WHOLE)
    (bare.cell_path(cell) / "train_scores.npz").unlink()
    bare.write_cell(replace(cell, kept=["weights"]))
    with pytest.raises(
        RequestError,
        match="no training scores were kept to choose a threshold from",
    ) as error:
        invoke(bare.cell_path(cell), made / "data" / "toy" / "test")
    words = shlex.split(re.search("bench run .*", str(error.value))[0])
    assert set(words[words.index("--keep") + 1].split(",")) == {"weights", "train-scores"}
    found = bench(*words[1:], "--dry-run", cwd=made)
    assert found.returncode == 0 and "1 of 1 cells would run" in found.stdout, (
        found.stdout + found.stderr
    )


def test_without_any_weights_one_line_keeps_all_that_is_needed(made, tmp_path):
    """Of one cell, with its training scores: following it, nothing else is refused."""
    bare = Run(Path(shutil.copytree(made / "run", tmp_path / "run")))
    for cell in bare.cells():
        (bare.cell_path(cell) / "weights").unlink(missing_ok=True)
    with pytest.raises(
        RequestError,
        match=r"none of its \d finished cells kept its weights. Train one again",
    ) as error:
        find_cell(bare.path)
    words = shlex.split(re.search("bench run .*", str(error.value))[0])
    assert {"weights", "train-scores"} <= set(words[words.index("--keep") + 1].split(","))
    assert words[words.index("--methods") + 1] == bare.cells()[0].selector


def test_requests_that_cannot_be_met(made, run, tmp_path):
    """Two thresholds; a folder that is not empty; a source that is not there; each before anything
    is written."""
    place, source = run.cell_path(cell_of(run, WHOLE)), made / "data" / "toy" / "test"
    with pytest.raises(RequestError, match="both set the threshold"):
        invoke(place, source, "--threshold", 1, "--false-alarm-rate", 0.1)
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "file").write_text("")
    with pytest.raises(RequestError, match=r"--out .*old is not empty; name a new folder"):
        invoke(place, source, "--threshold", 1, "--out", tmp_path / "old")
    with pytest.raises(RequestError, match="no source"):
        invoke(place, tmp_path / "nothing.mp4", "--threshold", 1, "--out", tmp_path / "new")
    for option in ("--threshold", "--fps", "--false-alarm-rate"):
        found = invoke(place, source, option, "nan", "--out", tmp_path / "new")
        assert found.exit_code == 2 and "nan is not a finite number" in found.output
    assert invoke(place, source, "--threshold", "inf").exit_code == 2
    assert not (tmp_path / "new").exists()


def test_what_is_passed_over_in_a_folder_is_named(made, run, tmp_path):
    """On stderr, with the reason; all else is scored."""
    source = Path(shutil.copytree(made / "data" / "toy" / "test", tmp_path / "videos"))
    scored = len(list(source.iterdir()))
    (source / "clips.rar").write_bytes(b"Rar!\0")
    shutil.copytree(
        source / sorted(path.name for path in source.iterdir() if path.is_dir())[0],
        source / "deep" / "er",
    )
    found = invoke(
        run.cell_path(cell_of(run, WHOLE)), source, "--threshold", 1, "--out", tmp_path / "out"
    )
    assert found.exit_code == 0 and len(list((tmp_path / "out" / "scores").iterdir())) == scored
    assert (
        f"note: passed over: {source / 'clips.rar'}: not a supported file type (.rar)\n"
        in found.stderr
    )
    assert f"note: passed over: {source / 'deep'}: one folder too many: er" in found.stderr


def test_the_command_tells_events_and_draws(made, run, tmp_path):
    """JSON alone on stdout; a video of all frames with image, error and timeline; apply.json
    leads back to the weights."""
    place = run.cell_path(cell_of(run, STREAM))
    found = invoke(
        place,
        written_video(tmp_path / "yard.avi"),
        "--threshold",
        "-1",
        "--json",
        "--video",
        "--out",
        tmp_path / "out",
    )
    begin, end = (json.loads(line) for line in found.stdout.splitlines())
    assert begin == {"source": "yard", "event": "begin", "number": 1, "frame": 0, "start": 0.0}
    assert (end["last_frame"], end["end"], end["closed"]) == (39, 3.12, "end")
    video = cv2.VideoCapture(str(tmp_path / "out" / "videos" / "yard.mp4"))
    assert (video.get(cv2.CAP_PROP_FRAME_COUNT), video.get(cv2.CAP_PROP_FPS)) == (40, 12.5)
    _, first = video.read()
    video.release()
    assert first.shape[1] > 2 * 341  # two panels of 4:3, 256 high
    about = json.loads((tmp_path / "out" / "apply.json").read_text())
    assert about["cell"] == cell_of(run, STREAM).folder and len(about["weights_sha256"]) == 64
    assert (about["threshold"], about["threshold_from"], about["sources"][0]["scored"]) == (
        -1.0,
        "as set with --threshold",
        40,
    )
    assert f"-> {tmp_path / 'out' / 'scores' / 'yard.csv'}" in found.stderr


# -- killed, stopped, full -------------------------------------------------------------------------


def test_the_line_for_a_video_has_the_options_that_were_given(made, run, tmp_path):
    """Followed, it scores and judges as the first did."""
    place, source = run.cell_path(cell_of(run, WHOLE)), made / "data" / "toy" / "test" / "03"
    options = ("--threshold", "1", "--protocol", "raw", "--fps", "5", "--threads", "1")
    found = invoke(place, source, "--out", tmp_path / "out", *options)
    (line,) = re.findall(r"next: (.*?)   \(the same with an annotated video\)", found.output)
    words = shlex.split(line)
    assert words[:4] == ["bench", "apply", str(place), str(source)] and words[-1] == "--video"
    again = command.make_context("apply", words[2:]).params
    assert (again["threshold"], again["protocol"], again["fps"]) == (1, "raw", 5)
    assert (again["threads"], again["plugin"], again["out"]) == (1, (TOYS,), None)


def test_a_video_whose_name_is_no_utf8_costs_nothing(run, tmp_path):
    """It is scored, and so is the rest of the folder."""
    videos = tmp_path / "videos"
    videos.mkdir()
    written_video(videos / "a.mp4", count=8)
    shutil.copy(videos / "a.mp4", os.fsdecode(os.fsencode(videos) + b"/caf\xe9.mp4"))
    place, out = run.cell_path(cell_of(run, WHOLE)), tmp_path / "out"
    assert invoke(place, videos, "--threshold", 1, "--out", out).exit_code == 0
    about = json.loads((out / "apply.json").read_text(encoding="utf-8"))
    assert [Path(one["source"]).name for one in about["sources"]] == ["a.mp4", "caf?.mp4"]
    assert (out / "scores" / "caf%E9.csv").is_file()


def test_a_killed_process_leaves_whole_lines(tmp_path):
    """kill -9 while it writes: each line is whole."""
    code = "import sys, itertools; from pathlib import Path; from bench.runs.applied import Lines\n"
    code += "lines = Lines(Path('a.csv'), ('frame', 'text'))\n"
    code += "for number in itertools.count(): lines.add([(number, 'x' * 300)] * 9)"
    started = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path)
    end = time.monotonic() + 240
    while (
        not ((tmp_path / "a.csv").exists() and (tmp_path / "a.csv").stat().st_size > 100_000)
        and time.monotonic() < end
    ):
        time.sleep(0.005)
    started.kill()
    started.wait()
    text = (tmp_path / "a.csv").read_text()
    assert text.endswith("\n") and {len(line.split(",")[1]) for line in text.splitlines()[1:]} == {
        300
    }


def test_ctrl_c_ends_in_good_order(run, tmp_path):
    """Exit code 130: a line for each frame that was taken, the event and the video are closed, and
    apply.json tells how far it came."""
    source = written_video(tmp_path / "long.avi", count=1500)
    place = run.cell_path(cell_of(run, STREAM))
    words = ("apply", str(place), str(source), "--threshold", "-1", "--out", "out")
    started = Command(*words, "--plugin", str(TOYS), "--video", cwd=tmp_path)
    path = tmp_path / "out" / "scores" / "long.csv"
    end = time.monotonic() + 240
    while (
        not (path.exists() and path.stat().st_size > 500)
        and started.poll() is None
        and time.monotonic() < end
    ):
        time.sleep(0.01)
    started.send_signal(signal.SIGINT)
    done = started.end()
    assert done.returncode == 130, done.stdout + done.stderr
    table = pd.read_csv(path)
    assert list(table["frame"]) == list(range(len(table))) and 8 <= len(table) < 1500
    assert pd.read_csv(tmp_path / "out" / "events.csv")["closed"].tolist() == ["stopped"]
    (about,) = json.loads((tmp_path / "out" / "apply.json").read_text())["sources"]
    assert (about["ended"], about["frames"]) == ("stopped", len(table))
    video = cv2.VideoCapture(str(tmp_path / "out" / "videos" / "long.mp4"))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == len(table)
    video.release()


def test_a_full_disk_leaves_no_half_line(tmp_path, monkeypatch):
    """What was half written is taken away, and said."""
    lines = Lines(tmp_path / "a.csv", ("frame", "time"))
    lines.add([(0, "0.000")])
    write = os.write
    monkeypatch.setattr(applied.os, "write", lambda file, data: write(file, data[: len(data) // 2]))
    with pytest.raises(
        RunError, match=r"cannot write .*a.csv: No space left on device; free space"
    ):
        lines.add([(1, "0.040"), (2, "0.080")])
    monkeypatch.undo()
    lines.close()
    assert (tmp_path / "a.csv").read_text() == "frame,time\n0,0.000\n"


# -- live ------------------------------------------------------------------------------------------


class Camera:
    """MJPEG over HTTP at a port of its own: `off` cuts the connections and refuses new ones, `on`
    serves again."""

    def __init__(self, port=0):
        self.stopped = threading.Event()
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *arguments):
                pass

            def do_GET(self):  # the library's name
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                number = 0
                while not camera.stopped.wait(0.005):
                    image = np.random.default_rng(number).integers(
                        0, 255, (36, 48, 3), dtype=np.uint8
                    )
                    data = cv2.imencode(".jpg", image)[1].tobytes()
                    head = (
                        b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
                        % len(data)
                    )
                    try:
                        self.wfile.write(head + data + b"\r\n")
                    except OSError:
                        return
                    number += 1

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def off(self):
        self.stopped.set()
        self.server.shutdown()
        self.server.server_close()


def test_a_camera_that_goes_away_and_comes_back(run, tmp_path, monkeypatch):
    """Over HTTP: two stretches, each scored afresh; the event is closed at the gap; said both
    times; then it is stopped."""
    monkeypatch.setattr(live, "WAITS", (0.05,))
    cameras = [Camera()]
    port = cameras[0].port
    path = tmp_path / "out" / "scores" / f"127.0.0.1-{port}-yard.csv"
    end = time.monotonic() + 240

    def stops():
        """Cuts the connection after some lines, and stops after some more."""
        text = path.read_text() if path.exists() else ""
        lost = (tmp_path / "out" / "events.csv").read_text().count("connection lost")
        if len(cameras) == 1 and text.count("\n") > 10:
            cameras[0].off()
            cameras.append(None)
        elif cameras[-1] is None and lost:
            cameras[-1] = Camera(port)
            stops.before = text.count("\n")
        return int(time.monotonic() > end or (lost and text.count("\n") > stops.before + 10))

    tables, (told,), _ = applied_to(
        run,
        WINDOW,
        f"http://me:secret@127.0.0.1:{port}/yard",
        tmp_path / "out",
        stops,
        threshold=-1.0,
    )
    cameras[-1].off()
    (table,) = tables.values()
    assert (
        time.monotonic() < end and told.outcome.reconnected == 1 and told.outcome.ended == "stopped"
    )
    assert [event.get("closed") for event in told.events] == [
        None,
        "connection lost",
        None,
        "stopped",
    ]
    assert [
        f"127.0.0.1:{port}/yard: {words}" in text
        for words, text in zip(("connection lost", "connected again"), told.noted)
    ] == [True] * 2
    (gap,) = [
        number
        for number in range(1, len(table))
        if table["frame"][number] == told.events[1]["last_frame"]
    ]
    unscored = table["score"].isna().to_numpy()
    assert (
        unscored[:8].all()
        and runs(unscored)[1][1] - runs(unscored)[1][0] + 1 == 7 + 8
        and runs(unscored)[1][0] == gap + 1
    )
    assert (table["time"].diff().dropna() >= 0).all()
    written = "".join(file.read_text() for file in (tmp_path / "out").rglob("*.*"))
    assert "secret" not in written + "".join(told.noted)


def test_being_behind_is_said_now_and_then(monkeypatch):
    """By how much, how fast, and what happens to frames; then that it is over; and not at every
    frame."""
    now = [100.0]
    monkeypatch.setattr(live_scoring.time, "monotonic", lambda: now[0])
    said, outcome = [], Outcome("a", "a")
    lag = live_scoring.Lag("camera", 50, said.append, outcome)
    for frames, behind in ((10, 0.2), (20, 1.5), (30, 1.8), (40, 0.1), (50, 1.4)):
        now[0] += 2
        lag.look(behind, frames)
        lag.drop(7)
    assert said == [
        "camera: 7 frames dropped so far to catch up with real time; scoring starts anew after each gap",
        "camera: 1.5 s behind real time, at 5.0 frames per second; up to 50 frames wait, then new frames are dropped until none waits",
        "camera: caught up with real time after 4 s",
    ]
    now[0] += 60
    lag.look(2.5, 60)
    assert said[3].startswith("camera: 2.5 s behind real time") and outcome.largest_lag == 2.5
