"""The demo datasets: rendered once for this file, read by the ordinary loaders, and as hard as they
are meant to be."""

import hashlib
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from bench.datasets.demo import write
from bench.datasets.demo.datasets import VERSION, DemoAvenue, DemoPed2, DemoShanghaiTech
from bench.datasets.demo.render import ClipPlan, Event, Scene, render_clip
from click.testing import CliRunner
from sklearn.metrics import roc_auc_score

from bench import DataError, Dataset, ImageFiles, VideoFile, read_frames
from bench.cli.main import bench
from bench.frames.verification import findings_of

DEMO = [DemoPed2, DemoAvenue, DemoShanghaiTech]


@pytest.fixture(scope="module", params=DEMO, ids=lambda cls: cls.name)
def dataset(request: pytest.FixtureRequest) -> Dataset:
    found: Dataset = request.param()
    found.locate([])
    return found


def small(dataset: Dataset, split: str) -> list[np.ndarray]:
    """Each clip as gray frames of 32x32 in 0..1, one a row."""
    return [
        np.array(
            [
                cv2.resize(frame, (32, 32), interpolation=cv2.INTER_AREA).ravel() / 255.0
                for frame in read_frames(clip, channels=1)
            ]
        )
        for clip in dataset.clips(split)  # type: ignore[arg-type]
    ]


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_sizes(dataset: Dataset) -> None:
    train = [len(frames) for frames in small(dataset, "train")]
    test = [len(frames) for frames in small(dataset, "test")]
    assert 4 <= len(train) <= 6
    assert all(48 <= frames <= 80 for frames in train)
    assert sum(test) <= 240
    assert sum(frames < 16 for frames in test) == 1
    frame = next(read_frames(dataset.clips("test")[0], channels=3))
    assert frame.shape == (160, 240, 3)
    assert (dataset.name != "demo-ped2") == bool(
        np.ptp(frame.astype(int), axis=2).max() > 30
    )  # colour, but for Ped2


def test_layout_is_the_official_one(dataset: Dataset) -> None:
    sources = {split: dataset.clips(split)[0].source for split in ("train", "test")}  # type: ignore[arg-type]
    if isinstance(dataset, DemoPed2):
        kinds = (ImageFiles, ImageFiles)
    else:
        kinds = (VideoFile, VideoFile if isinstance(dataset, DemoAvenue) else ImageFiles)
    assert tuple(type(source) for source in sources.values()) == kinds
    assert dataset.available_label_sets() == (
        ("pixel",) if isinstance(dataset, DemoAvenue) else ("frame",)
    )
    scenes = {clip.scene for clip in dataset.clips("train")}
    assert scenes == ({"01", "02", "03"} if isinstance(dataset, DemoShanghaiTech) else {""})


def test_labels_are_the_frames_with_a_mask(dataset: Dataset) -> None:
    for clip in dataset.clips("test"):
        masks = dataset.pixel_masks(clip)
        assert masks is not None
        assert masks.shape[1:] == (160, 240)
        labels = dataset.labels(clip)
        assert np.array_equal(masks.any(axis=(1, 2)), labels == 1)
        assert 0 < labels.sum() < len(labels)
        assert masks.sum(axis=(1, 2))[labels == 1].min() >= 20


def test_masks_lie_on_what_changes(dataset: Dataset) -> None:
    """What is masked differs from the median of the clip much more than the rest does; a thrower,
    who stands still, least."""
    for clip in dataset.clips("test"):
        masks = dataset.pixel_masks(clip)
        frames = np.stack(list(read_frames(clip, channels=1))).astype(np.float64)
        if len(frames) < 16:
            continue  # too short for a median without people
        assert masks is not None
        change = np.abs(frames - np.median(frames, axis=0))
        assert change[masks].mean() > 3 * change[~masks].mean()


def test_people_stand_out_from_the_background(dataset: Dataset) -> None:
    """In nearly all training frames at least 1 % of the pixels differ from the clip's median by
    five deviations of the noise."""
    for clip in dataset.clips("train"):
        frames = np.stack(list(read_frames(clip, channels=1))).astype(np.float64)
        people = (np.abs(frames - np.median(frames, axis=0)) > 15).mean(axis=(1, 2))
        assert np.quantile(people, 0.1) > 0.01


def test_time_alone_says_nothing(dataset: Dataset) -> None:
    labels = [dataset.labels(clip) for clip in dataset.clips("test")]
    times = np.concatenate([np.arange(len(clip)) for clip in labels])
    assert 0.45 <= roc_auc_score(np.concatenate(labels), times) <= 0.55


def test_principal_components_find_some_of_it(dataset: Dataset) -> None:
    train = np.concatenate(small(dataset, "train"))
    assert len(train) <= 5000
    mean = train.mean(axis=0)
    components = np.linalg.svd(train - mean, full_matrices=False)[2][:64]
    test = np.concatenate(small(dataset, "test")) - mean
    scores = np.linalg.norm(test - test @ components.T @ components, axis=1)
    labels = np.concatenate([dataset.labels(clip) for clip in dataset.clips("test")])
    assert 0.60 <= roc_auc_score(labels, scores) <= 0.95


def test_verify_is_green(dataset: Dataset) -> None:
    assert [finding for finding in findings_of(dataset) if not finding.ok] == []
    assert dataset.share() == 1.0


def test_bench_verify_is_green(dataset: Dataset) -> None:
    result = CliRunner().invoke(bench, ["verify", dataset.name])
    assert result.exit_code == 0, result.output
    assert f"{dataset.name}: as it should be" in result.output


def test_it_is_rendered_once(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "WRITERS", {})
    again = type(dataset)()
    again.locate([])
    assert again.root == dataset.root


# The writers are tried on one tiny clip a split: the whole datasets take seconds each.
TINY = ClipPlan(Scene("tiles", seed=1), 3, seed=2, walkers=2, events=(Event("bicycle", 1, 11.0),))


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(write, "PED2", {"Train": {"001": TINY}, "Test": {"001": TINY}})
    monkeypatch.setattr(
        write, "AVENUE", {"training_videos": {"01": TINY}, "testing_videos": {"01": TINY}}
    )
    monkeypatch.setattr(
        write, "SHANGHAITECH", {"training": {"01_001": TINY}, "testing": {"01_0014": TINY}}
    )
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.mark.parametrize("name", ["UCSDped2", "Avenue Dataset", "shanghaitech"])
def test_the_same_files_every_time(tiny: Path, name: str) -> None:
    for folder in ("one", "two"):
        write.WRITERS[name](tiny / folder)
    assert digests(tiny / "one") == digests(tiny / "two") != {}


@pytest.mark.parametrize("kind", ["bicycle", "cart", "runner", "throw"])
def test_every_anomaly_is_seen_and_masked(kind: str) -> None:
    def clip(*events: Event) -> tuple[np.ndarray, np.ndarray]:
        return render_clip(
            ClipPlan(Scene("bricks", seed=1, posts=()), 2, seed=3, walkers=0, events=events)
        )

    frames, masks = clip(Event(kind, 0, 10.0))  # type: ignore[arg-type]
    empty, nothing = clip()
    assert not nothing.any()
    assert 100 < masks[0].sum() < 6000
    differs = np.abs(frames[0].astype(int) - empty[0].astype(int)).max(axis=2)
    assert (differs[masks[0]] > 25).mean() > 0.8


def test_what_stands_in_front_hides_the_mask() -> None:
    event = (Event("bicycle", 0, 11.0),)
    behind = render_clip(ClipPlan(Scene("tiles", seed=1, posts=((0.0, 9.0),)), 1, 1, 0, event))[1]
    free = render_clip(ClipPlan(Scene("tiles", seed=1, posts=()), 1, 1, 0, event))[1]
    assert behind.sum() < free.sum()
    assert not (behind & ~free).any()


def test_two_at_once_render_one(tiny: Path) -> None:
    datasets = [DemoPed2(), DemoPed2()]
    threads = [threading.Thread(target=dataset.locate, args=([],)) for dataset in datasets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert datasets[0].root == datasets[1].root == tiny / "cache" / VERSION / "UCSDped2"


def test_what_a_killed_process_left_is_rendered_anew(tiny: Path) -> None:
    left = tiny / "cache" / VERSION / ".UCSDped2.tmp" / "Train" / "Train001"
    left.mkdir(parents=True)
    (left / "999.tif").write_bytes(b"half")
    dataset = DemoPed2()
    dataset.locate([])
    assert len(small(dataset, "train")[0]) == 3
    assert not left.exists()


def test_a_cache_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(
        DataError, match=r"demo dataset cannot be rendered in .*file.*set BENCH_CACHE"
    ):
        DemoAvenue().locate([])


def test_a_path_is_taken_instead(tiny: Path) -> None:
    write.write_ped2(tiny / "mine")
    dataset = DemoPed2(DemoPed2.Parameters(path=tiny / "mine"))
    dataset.locate([])
    assert dataset.root == tiny / "mine"
    assert not (tiny / "cache").exists()
