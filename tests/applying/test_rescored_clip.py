"""A clip scored again with kept weights: the same scores, the images behind them, and what is
said where that cannot be."""

import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from forked import TOYS, bench, toy_words

from bench import Scores
from bench.applying.rescored_clip import RescoredImages, rescore
from bench.cli.commands.report import command
from bench.errors import DataError, RequestError, RunError
from bench.plugins.registry import load
from bench.runs.folder import Run


@pytest.fixture(scope="module")
def made(once):
    """A run of a small network, a method whose scores are random, and one whose weights were not
    kept."""
    methods = "unet-plain[epochs=1],brightness,frame-difference"

    def make(place):
        found = bench(*toy_words(methods, "--out", "run", "--keep", "weights"), cwd=place)
        assert found.returncode == 0, found.stderr
        (place / "run" / "cells" / "frame-difference" / "toy" / "0" / "weights").unlink()

    return once("replay", make)


@pytest.fixture
def run(made, tmp_path):
    """A copy of the run, with the plugin loaded."""
    load([TOYS])
    yield Run(Path(shutil.copytree(made / "run", tmp_path / "run")))
    load()


def cell_of(run, method):
    return next(cell for cell in run.cells() if cell.method == method)


def test_scores_are_those_of_the_run(made, run):
    """To 1e-5, without a note; frames as the dataset has them; the error map is that of frame and
    reconstruction."""
    cell = cell_of(run, "unet-plain")
    with rescore(run, cell, "02", [made / "data"], lambda *at: None) as again:
        kept = run.scores(cell)["02"]
        np.testing.assert_allclose(again.scores.values, kept.values, rtol=1e-5)
        frames = list(again.frames)
        assert (
            again.notes == []
            and set(again.parts) == {"reconstruction", "map"}
            and len(frames) == 26
            and again.frame_rate is None
        )
    source = cv2.imread(str(made / "data" / "toy" / "test" / "02" / "007.png"))[..., ::-1]
    np.testing.assert_array_equal(frames[7].image, source)
    height, width = frames[7].error.shape
    seen = cv2.resize(source, (width, height), interpolation=cv2.INTER_LINEAR).astype(float)
    difference = np.linalg.norm((seen - frames[7].reconstruction) / 255, axis=2) / np.sqrt(3)
    np.testing.assert_allclose(frames[7].error, difference, atol=1 / 255)
    assert again.largest == pytest.approx(max(np.quantile(frame.error, 0.999) for frame in frames))


def test_other_scores_are_said(made, run):
    """Weights or code that are not those of the scores; a method that draws random numbers is the
    same twice."""
    cell = cell_of(run, "unet-plain")
    scores = run.scores(cell)
    run.write_scores(
        cell, {**scores, "01": Scores(scores["01"].values * 1.001, scores["01"].frames)}
    )
    cell.checksums = run.checksums_of(cell)
    run.write_cell(cell)
    for chosen, clip, many in (
        (cell, "01", 1),
        (cell, "02", 0),
        (cell_of(run, "brightness"), "02", 0),
    ):
        with rescore(run, chosen, clip, [made / "data"], lambda *at: None) as again:
            assert len(again.notes) == many and all(
                "scores differ from those of the run by up to" in note for note in again.notes
            )
    with rescore(
        run, replace(cell, key={**cell.key, "version": 0}), "02", [made / "data"], lambda *at: None
    ) as again:
        assert again.notes == ["unet-plain is version 1 here, 0 in the run"]


def test_without_weights_the_command_is_named_and_works(made, run):
    """Followed as a dry run, it repeats this cell alone."""
    cell = cell_of(run, "frame-difference")
    refused = pytest.raises(
        RunError, match="its weights were not kept; this trains it again and keeps them: "
    )
    with refused as error, rescore(run, cell, "01", [made / "data"], lambda *at: None):
        pass
    words = shlex.split(re.search("bench run .*", str(error.value))[0])
    assert (
        words[words.index("--keep") + 1] == "weights"
        and words[words.index("--force") + 1] == "frame-difference"
    )
    found = bench(*words[1:], "--dry-run", cwd=made)
    assert (
        found.returncode == 0
        and "forced" in found.stdout
        and "1 of 1 cells would run" in found.stdout
    ), found.stdout + found.stderr


def test_what_cannot_be_replayed_is_said(made, run, tmp_path):
    """Damaged weights, a dataset that is not here, a clip that is another."""
    cell = cell_of(run, "unet-plain")
    (tmp_path / "empty").mkdir()
    with (
        pytest.raises(DataError, match="no frames of test clip 09"),
        rescore(run, cell, "09", [made / "data"], lambda *at: None),
    ):
        pass
    record = run.dataset("toy")
    labels = {
        name: {**clips, "01": np.zeros(21, np.uint8)} for name, clips in record.labels.items()
    }
    run.write_dataset(replace(record, clips=(("01", 21, ""), *record.clips[1:]), labels=labels))
    with (
        pytest.raises(DataError, match="20 frames here, 21 in the run"),
        rescore(run, cell, "01", [made / "data"], lambda *at: None),
    ):
        pass
    (run.cell_path(cell_of(run, "brightness")) / "weights").write_bytes(b"nothing")
    refused = pytest.raises(RunError, match="weights cannot be read")
    with refused, rescore(run, cell_of(run, "brightness"), "01", [made / "data"], lambda *at: None):
        pass


def report(*arguments):
    found = CliRunner().invoke(command, [*map(str, arguments), "--plugin", str(TOYS)])
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found


def test_one_line_makes_the_videos(made, run):
    """Of every row with kept weights; that one is not that of the table is said loudly; nothing
    else is made."""
    cell = cell_of(run, "brightness")
    run.write_scores(
        cell,
        {
            clip: Scores(scores.values * 1.01, scores.frames)
            for clip, scores in run.scores(cell).items()
        },
    )
    cell.checksums = run.checksums_of(cell)
    run.write_cell(cell)
    found = report(run.path, "--video", "toy/02", "--data", made / "data", "--fps", 5)
    names = sorted(path.name for path in (run.path / "videos").iterdir())
    assert names == ["brightness-toy-02.mp4", "unet-plain-epochs=1-toy-02.mp4"]
    said = " ".join(found.output.split())
    assert f"wrote {run.path / 'videos'}/: {', '.join(names)}" in said
    assert (
        "WARNING: brightness on toy, clip 02: scores differ" in found.output
        and "WARNING: unet" not in found.output
    )
    video = cv2.VideoCapture(str(run.path / "videos" / names[1]))
    assert (video.get(cv2.CAP_PROP_FRAME_COUNT), video.get(cv2.CAP_PROP_FPS)) == (26, 5)
    video.release()
    assert not (run.path / "figures").exists()


def test_mistakes_of_a_video_come_at_once(run):
    """Unknown clips and methods with the nearest names; weights that were not kept; options of a
    video without one."""
    with pytest.raises(RequestError) as error:
        report(
            run.path,
            "--video",
            "toy/011",
            "--video",
            "02",
            "--video-method",
            "brightnes",
            "--video-method",
            "frame-difference",
        )
    method, clip, weights = error.value.mistakes
    assert method.startswith(
        "no finished method 'brightnes' - did you mean 'brightness'? (there are "
    )
    assert clip == "no test clip 'toy/011' (CLIP or DATASET/CLIP, e.g. toy/01)"
    assert weights.startswith(
        "toy: the weights of frame-difference were not kept; this trains again and keeps them: bench run --methods"
    )
    with pytest.raises(RequestError, match="name a clip with --video CLIP"):
        report(run.path, "--fps", 5)


def test_a_frame_without_a_score_has_no_image(tmp_path):
    """None, and not the black of a frame that nobody wrote."""
    images = RescoredImages(tmp_path, 3)
    images(None, None, 1, {"map": np.ones((2, 2))})
    assert [images.get("map", frame) is None for frame in range(3)] == [True, False, True]
    np.testing.assert_array_equal(images.get("map", 1), np.ones((2, 2)))
    assert images.get("reconstruction", 1) is None
