"""Training on one dataset and testing on another: `demo-avenue[train_on=demo-ped2]`."""

import shutil
from pathlib import Path

import cv2
import forked
import numpy as np
import pytest
from bench.datasets import Avenue, DemoAvenue, DemoPed2, Folder, Ped2

from bench import Clip, DataError, FrameFormat, RequestError, VideoFile
from bench.contracts.dataset import checked_labels
from bench.frames.fingerprint import content_digest
from bench.frames.store import dataset_folder, open_frames
from bench.frames.verification import compare_with_official, verify_dataset
from bench.objects.tracking import open_tracks, prepare_tracks, tracks_key
from bench.plugins.checks import BrokenPlugin, check_offers
from bench.plugins.registry import load
from bench.plugins.selection import select, select_one
from bench.plugins.trained_on import TRAIN_ON
from bench.runs.folder import Run
from bench.worker.opening import make_detector, open_clip


def located(*selectors):
    made = [select_one("datasets", selector, load()).make() for selector in selectors]
    for dataset in made:
        dataset.locate([])
    return made


@pytest.fixture(scope="module")
def run(once):
    """`background` on demo-avenue: with its own training clips, and with those of demo-ped2."""

    def make(folder):
        words = ["run", "--methods", "background", "--datasets"]
        chosen = "demo-avenue[train_on=demo-avenue|demo-ped2]"
        ended = forked.bench(*words, chosen, *["--device", "cpu", "--out", "run"], cwd=folder)
        assert ended.returncode == 0, ended.stderr

    return Run.open(once("trained-on", make) / "run")


def test_scores_are_those_of_the_other_training_clips(run):
    """Recomputed in NumPy: the mean absolute difference of each frame to the median of the training
    frames of the other dataset."""
    own, other = run.cells()
    assert [own.dataset, other.dataset] == ["demo-avenue", "demo-avenue[train_on=demo-ped2]"]
    assert own.folder != other.folder
    assert own.key["dataset"] != other.key["dataset"]
    assert not other.published
    (train,), (test,) = located("demo-ped2"), located("demo-avenue")
    frames = FrameFormat((256, 256), 1)
    median = np.median(
        np.concatenate([open_frames(train, clip, frames) for clip in train.clips("train")]), axis=0
    )
    for clip in test.clips("test"):
        expected = np.abs(open_frames(test, clip, frames) - median).mean(axis=(1, 2))
        assert np.allclose(run.scores(other)[clip.id].values, expected, atol=1e-4)
        assert not np.allclose(run.scores(own)[clip.id].values, expected, atol=1e-2)


def test_the_diagonal_is_the_ordinary_run():
    """Trained on itself, a dataset is the dataset: one row, and the same cells."""
    (row,) = select("datasets", "demo-ped2,demo-ped2[train_on=demo-ped2]", load())
    assert row.text == "demo-ped2"


def test_tracks_and_stored_frames_are_those_of_the_other_dataset():
    """What is prepared for the other dataset serves, and is found under its name."""
    crossed, plain, test = located("demo-avenue[train_on=demo-ped2]", "demo-ped2", "demo-avenue")
    assert crossed.clips("train") == plain.clips("train")
    assert crossed.clips("test") == test.clips("test")
    assert dataset_folder(crossed.owner("train")) == dataset_folder(plain)
    assert dataset_folder(crossed.owner("test")) == dataset_folder(test)
    detector = make_detector("motion")
    clip = plain.clips("train")[0]
    prepare_tracks(plain, [clip], detector, lambda *_: None)
    method = select_one("methods", "c3dsu", load(), "smoke").make()
    opened = open_clip(crossed, clip, clip.length, method, detector, lambda: None)
    expected = open_tracks(plain, clip, detector)
    for frame in range(clip.length):
        assert np.array_equal(opened.tracks.ids(frame), expected.ids(frame))
    assert sum(len(expected.ids(frame)) for frame in range(clip.length))
    assert tracks_key(crossed.owner("train"), detector) == tracks_key(plain, detector)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("demo-avenue[train_on=demo-pet2]", "no dataset 'demo-pet2' - did you mean 'demo-ped2'?"),
        ("demo-avenue[train_on=demo]", "only one dataset can be used"),
        ("demo[train_on=demo-ped2]", "demo is a group"),
        (
            'demo-avenue[train_on="demo-ped2[train_on=demo-shanghaitech]"]',
            r"has the training clips of demo-shanghaitech; write train_on=demo-shanghaitech$",
        ),
    ],
)
def test_what_is_no_dataset_is_refused(text, said):
    with pytest.raises(RequestError, match=said.replace("?", r"\?")):
        select("datasets", text, load())


def test_the_share_counts_clips_of_unknown_length_as_their_own_dataset_does(monkeypatch):
    """`ped2[train_on=avenue]` with 8 of Avenue's 16 training clips, whose lengths nobody states:
    each counts as the 958 frames of Avenue's mean, beside the 2,010 test frames of Ped2."""
    for cls in (Avenue, Ped2):
        monkeypatch.setattr(cls, "locate", lambda self, roots: None)
    source = VideoFile(Path("clip.avi"))
    clips = {
        "avenue": [Clip(f"{number:02d}", "train", source) for number in range(1, 9)],
        "ped2": [Clip(clip, "test", source) for clip in Ped2.expected["test"]],
    }
    for cls in (Avenue, Ped2):
        monkeypatch.setattr(
            cls, "clips", lambda self, split: [c for c in clips[self.name] if c.split == split]
        )
    (crossed,) = located("ped2[train_on=avenue]")
    assert crossed.share() == pytest.approx((8 * 958 + 2010) / (16 * 958 + 2010))
    assert crossed.expected_totals["train"] == Avenue.expected_totals["train"]


@pytest.fixture
def training_only(tmp_path):
    """A folder with one training clip, something beside it that may hold frames, and no test
    clips."""
    (tmp_path / "train" / "a").mkdir(parents=True)
    for index in range(3):
        cv2.imwrite(str(tmp_path / "train" / "a" / f"{index}.png"), np.zeros((8, 8), np.uint8))
    (tmp_path / "train" / "b.heic").write_bytes(bytes(9))
    return tmp_path


def test_a_dataset_without_test_clips_may_be_trained_on(training_only):
    (crossed,) = located(f'demo-ped2[train_on="folder[path={training_only}]"]')
    assert [crossed.lacks(need) for need in ("lengths", "frames", "train")] == [None] * 3
    (training_only / "train" / "a").rename(training_only / "a")
    (crossed,) = located(f'demo-ped2[train_on="folder[path={training_only}]"]')
    lacking = f"folder: no training frames below {training_only}"
    assert crossed.lacks("train") == lacking
    advice = verify_dataset(crossed, "", []).advice
    assert advice[0] == lacking and Folder.how_to_obtain() in advice


def test_what_is_passed_over_among_the_training_clips_is_named(training_only):
    (crossed,) = located(f'demo-ped2[train_on="folder[path={training_only}]"]')
    assert training_only / "train" / "b.heic" in [one.path for one in crossed.passed_over()]


def test_what_is_passed_over_among_clips_that_are_not_used_is_not_named(training_only):
    """Neither beside the training clips of the dataset that is tested on, nor beside the test clips
    of the other."""
    (training_only / "test" / "a").mkdir(parents=True)
    shutil.copy(training_only / "train" / "a" / "0.png", training_only / "test" / "a")
    (training_only / "test" / "c.heic").write_bytes(bytes(9))
    own = f"folder[path={training_only}]"
    assert [one.path.name for one in located(own)[0].passed_over()] == ["b.heic", "c.heic"]
    (trained_on,) = located(f'demo-ped2[train_on="{own}"]')
    assert [one.path.name for one in trained_on.passed_over()] == ["b.heic"]
    (tested_on,) = located(f"folder[path={training_only},train_on=demo-ped2]")
    assert [one.path.name for one in tested_on.passed_over()] == ["c.heic"]


def test_each_dataset_of_the_two_has_its_own_official_files(monkeypatch):
    """The training clips are official, the test clips encoded again; neither is wrong. A digest of
    a training clip of the dataset that is tested on does not count."""
    (crossed,) = located("demo-avenue[train_on=demo-ped2]")
    clips = crossed.clips("train")
    monkeypatch.setattr(
        DemoPed2, "official", {"train": {clip.id: content_digest(clip) for clip in clips}}
    )
    other = {clip.id: "0" * 64 for clip in [*clips, *crossed.clips("test")]}
    monkeypatch.setattr(DemoAvenue, "official", {"train": other, "test": other})
    (crossed,) = located("demo-avenue[train_on=demo-ped2]")
    number = len(crossed.clips("test"))
    assert [(one.ok, one.text) for one in compare_with_official(crossed)] == [
        (True, "demo-ped2: the official files"),
        (True, f"demo-avenue: re-encoded: no clip of {number} has the official files"),
    ]


def test_advice_names_the_dataset_with_its_parameters(training_only):
    """Without them, `bench prepare folder` would be refused, and `ped2` be another copy."""
    chosen = f"folder[path={training_only}]"
    (folder,) = located(chosen)
    clip = folder.clips("train")[0]
    with pytest.raises(DataError) as error:
        open_frames(folder, clip, FrameFormat((4, 4), 1))
    assert f"run `bench prepare '{chosen}'`" in str(error.value)
    folder.labels = lambda clip, label_set: np.zeros(2)
    with pytest.raises(DataError) as error:
        checked_labels(folder, clip, 3, "frame")
    assert f"(bench verify '{chosen}')" in str(error.value)
    (ped2,) = located("demo-ped2")
    assert ped2.command("verify") == "bench verify demo-ped2"


def test_the_name_is_taken():
    """A dataset of a plugin cannot have a parameter of that name, which would never be read."""
    from dataclasses import dataclass

    from bench import parameter

    @dataclass(frozen=True)
    class Parameters:
        train_on: str = parameter("", source="test")

    class Mine(DemoPed2):
        name = "mine"

    Mine.Parameters = Parameters
    with pytest.raises(BrokenPlugin, match=f"a parameter {TRAIN_ON.name!r} of bench"):
        check_offers("bench_datasets", [Mine])
