"""Training on one dataset and testing on another: `demo-avenue[train_on=demo-ped2]`."""

import forked
import numpy as np
import pytest
from bench.datasets import DemoPed2

from bench import FrameFormat, RequestError
from bench.frames.store import dataset_folder, open_frames
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
    ],
)
def test_what_is_no_dataset_is_refused(text, said):
    with pytest.raises(RequestError, match=said.replace("?", r"\?")):
        select("datasets", text, load())


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
