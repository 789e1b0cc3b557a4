"""What is kept of error maps: levels, regions, the value that 40 % of a mask reach; and a network's
whole path through the command."""

import logging
import os
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from bench.datasets import DemoPed2
from click.testing import CliRunner
from forked import Command, bench
from scipy import ndimage

from bench import DataError, OpenClip, RequestError, Scores, Window
from bench.cli.commands.report import command as report_command
from bench.cli.commands.run import command as run_command
from bench.contracts.compute import Compute
from bench.engine.context import make_context
from bench.files.claims import Claim
from bench.files.whole_files import read_json
from bench.planning.plan import make_plan
from bench.planning.request import Request
from bench.plugins.registry import load
from bench.runs.folder import Run
from bench.runs.layout import CellFiles
from bench.runs.scores import read_epoch_scores, read_scores, write_scores
from bench.worker.keepers.epoch_scores import EpochScoreKeeper
from bench.worker.keepers.images import ImageKeeper
from bench.worker.keepers.levels import levels_of
from bench.worker.keepers.regions import MOST, RegionKeeper, threshold_40
from bench.worker.keepers.training_scores import TrainingScoreKeeper
from bench.worker.preparation import checked_masks, true_regions

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("size", [(24, 36), (7, 5), (48, 90), (1, 1)])
def test_forty_is_the_largest_threshold_that_40_percent_of_the_mask_reach(size):
    """In a map of any size, looked up pixel by pixel of the mask."""
    values = RANDOM.random(size).astype(np.float32)
    mask = RANDOM.random((24, 36)) < 0.1
    inside = np.array(
        [
            values[int((row + 0.5) / 24 * size[0]), int((column + 0.5) / 36 * size[1])]
            for row, column in zip(*np.nonzero(mask))
        ]
    )
    found = threshold_40(values, mask)
    assert found in inside
    assert (inside >= found).mean() >= 0.4
    assert (inside > found).mean() < 0.4


@pytest.mark.parametrize(("pixels", "needed"), [(1, 1), (2, 1), (3, 2), (5, 2), (6, 3), (10, 4)])
def test_forty_percent_of_a_few_pixels(pixels, needed):
    """Rounded up: of 5 pixels 2, of 6 pixels 3."""
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    mask = np.zeros(12, dtype=bool)
    mask[:pixels] = True
    assert threshold_40(values, mask.reshape(3, 4)) == pixels - needed


def test_smallest_mask_counts_in_the_smallest_map():
    """A mask of one pixel in a map a tenth as large takes the value that covers it; an empty one
    has none."""
    values = np.array([[1.0, 2.0], [3.0, 4.0]], dtype=np.float32)
    mask = np.zeros((20, 20), dtype=bool)
    assert np.isnan(threshold_40(values, mask))
    mask[19, 0] = True
    assert threshold_40(values, mask) == 3


def test_levels_are_fifty_in_order_and_follow_the_scale_of_the_maps():
    """Quantiles of the largest values, and even ones from below to above; maps twice as large, and
    shifted, have such levels."""
    largest = RANDOM.gamma(5, size=200)
    levels = levels_of(largest, 0.5)
    assert len(levels) == 50
    assert (np.diff(levels) >= 0).all()
    assert 0.5 < levels[0] < largest.min()
    assert levels[-1] > largest.max()
    assert np.isin(np.quantile(largest, np.arange(20) / 19).astype(np.float32), levels).all()
    np.testing.assert_allclose(levels_of(2 * largest + 1, 2), 2 * levels + 1, rtol=1e-5)


def keeper(path, levels, masks):
    return RegionKeeper(path, np.asarray(levels, dtype=np.float32), masks)


def give(taker, clip, maps, first=0):
    opened = OpenClip(clip, "test", first + len(maps), "made")
    for frame, values in enumerate(maps, start=first):
        taker(None, opened, frame, {"map": values})
    taker.finish(clip, np.arange(1))


def test_keeper_keeps_the_components_of_each_level(tmp_path):
    """Against scipy, for each frame and level; a frame without a pixel in its mask has no 40 %
    value."""
    maps = ndimage.gaussian_filter(RANDOM.random((6, 20, 30)), (0, 1.5, 1.5)).astype(np.float32)
    masks = np.zeros((9, 40, 60), dtype=bool)
    masks[4, 5:9, 7:20] = True
    levels = np.quantile(maps, [0.9, 0.95, 0.99])
    taker = keeper(tmp_path, levels, {"01": masks, "02": None}.get)
    give(taker, "01", maps, first=3)
    give(taker, "02", maps[:2])
    found = taker.joined(["01", "02"])
    assert found.size == (20, 30)
    kept = found.clips["01"]
    assert kept.frames.tolist() == [3, 4, 5, 6, 7, 8]
    np.testing.assert_array_equal(kept.maximum, maps.max(axis=(1, 2)))
    assert np.flatnonzero(np.isfinite(kept.threshold_40)).tolist() == [1]
    assert kept.threshold_40[1] == threshold_40(maps[1], masks[4])
    expected = set()
    for frame, values in enumerate(maps, start=3):
        for number, level in enumerate(taker.levels):
            for rows, columns in ndimage.find_objects(
                ndimage.label(values >= level, structure=np.ones((3, 3)))[0]
            ):
                expected.add((frame, number, columns.start, rows.start, columns.stop, rows.stop))
    assert {
        (int(f), int(n), *map(int, b))
        for f, n, b in zip(kept.box_frames, kept.box_levels, kept.boxes)
    } == expected
    assert not kept.dropped.any()
    assert np.isnan(found.clips["02"].threshold_40).all()


def test_keeper_keeps_the_largest_and_counts_the_others(tmp_path):
    """A chessboard of single pixels with one larger piece among them."""
    values = np.zeros((20, 20), dtype=np.float32)
    values[::2, ::2] = 1
    values[10:13, 10:13] = 1
    taker = keeper(tmp_path, [0.5, 2], lambda clip: None)
    give(taker, "01", [values, values])
    kept = taker.joined(["01"]).clips["01"]
    assert np.bincount(kept.box_frames).tolist() == [MOST, MOST]
    assert [10, 10, 13, 13] in kept.boxes.tolist()
    assert kept.dropped.tolist() == [
        2 * (ndimage.label(values, structure=np.ones((3, 3)))[1] - MOST),
        0,
    ]


def test_keeper_without_maps_has_nothing(tmp_path):
    """A method that hands over no map keeps no file; a clip without a map beside others is
    empty."""
    taker = keeper(tmp_path, [0.5], lambda clip: None)
    give(taker, "01", [])
    assert taker.joined(["01"]) is None
    give(taker, "02", [np.ones((2, 2), dtype=np.float32)])
    found = taker.joined(["01", "02"])
    assert [len(found.clips[clip].frames) for clip in ("01", "02")] == [0, 1]


def test_true_regions_of_a_frame_without_a_pixel_are_none():
    """Frames are counted from 0, boxes have their ends excluded."""
    masks = np.zeros((3, 8, 9), dtype=bool)
    masks[2, 1:3, 4:9] = masks[2, 5, 0] = True
    found = true_regions(masks)
    assert found.size == (8, 9)
    assert found.frames.tolist() == [2, 2]
    assert found.boxes.tolist() == [[4, 1, 9, 3], [0, 5, 1, 6]]


def show(taker, clip, length, frames, value_range="0..1", level=0.5):
    """Hand over flat images of some frames of a clip: the frame as bright as its index,
    reconstruction and map of one level."""
    method = SimpleNamespace(
        window=Window(1, value_range=value_range), stats={"mean": np.full((4, 6), 100, np.float32)}
    )
    images = np.arange(length, dtype=np.uint8)[:, None, None].repeat(4, 1).repeat(6, 2)
    opened = OpenClip(clip, "test", length, "made", opener=lambda: images)
    for frame in frames:
        taker(
            method,
            opened,
            frame,
            {"reconstruction": np.full((1, 4, 6), level), "map": np.full((4, 6), level)},
        )
    taker.finish(clip, np.asarray(frames))


def kept_frames(folder):
    return [
        int(path.name.removesuffix("-frame.jpg")) for path in sorted(folder.glob("*-frame.jpg"))
    ]


def test_images_are_kept_of_200_frames_of_a_cell_spread_evenly(tmp_path):
    """Of 600 frames each third; of 200 each; of 201 each second; in each clip from frame 0 on."""
    for lengths, stride in (
        ({"01": 250, "02": 350}, 3),
        ({"01": 200}, 1),
        ({"01": 101, "02": 100}, 2),
    ):
        taker = ImageKeeper(tmp_path / str(stride), lengths)
        for clip, length in lengths.items():
            show(taker, clip, length, range(length))
            assert kept_frames(taker.part(clip)) == list(range(0, length, stride))


def test_a_clip_shorter_than_the_stride_keeps_a_frame(tmp_path):
    """Also where its first scored frame is no multiple of the stride; one without any images has
    no folder."""
    lengths = {"long": 3000, "late": 14, "short": 5, "none": 2}
    taker = ImageKeeper(tmp_path / "parts", lengths)
    assert taker.every == 16
    show(taker, "late", 14, range(7, 14))
    show(taker, "long", 3000, range(7, 60))
    show(taker, "none", 2, [])
    show(taker, "short", 5, range(5))
    taker.collect(SimpleNamespace(files=CellFiles(tmp_path), lengths=lengths))
    assert {path.name: kept_frames(path) for path in (tmp_path / "images").iterdir()} == {
        "late": [7],
        "long": [16, 32, 48],
        "short": [0],
    }


@pytest.mark.parametrize(
    ("value_range", "reconstruction", "error"),
    [("0..1", 0.5 * 255, 0.5 * 255), ("-1..1", 191, 0.25 * 255), ("mean-subtracted", 227.5, 127)],
)
def test_images_are_in_the_range_of_the_method(tmp_path, value_range, reconstruction, error):
    """The frame as it is; the reconstruction back in 0..255; the error over the largest that the
    range allows."""
    taker = ImageKeeper(tmp_path / "parts", {"01": 200})
    show(taker, "01", 200, [40], value_range)
    for name, expected in (("frame", 40), ("reconstruction", reconstruction), ("error", error)):
        image = cv2.imread(str(taker.part("01") / f"00040-{name}.jpg"), cv2.IMREAD_UNCHANGED)
        assert image.shape == (4, 6)
        assert abs(image.astype(float) - expected).max() <= 1.5


def test_a_cut_clip_leaves_no_part(tmp_path):
    """What was kept of a clip that was not finished counts for nothing, and is not mixed with what
    the next attempt keeps."""
    first = ImageKeeper(tmp_path / "parts", {"01": 40, "02": 40})
    show(first, "01", 40, range(40))
    first.finish = lambda clip, scored: None  # it is killed
    show(first, "02", 40, range(30))
    second = ImageKeeper(tmp_path / "parts", {"01": 40, "02": 40})
    assert second.part("01").is_dir() and not second.part("02").exists()
    show(second, "02", 40, range(35, 40))
    second.collect(SimpleNamespace(files=CellFiles(tmp_path), lengths=["01", "02"]))
    assert kept_frames(tmp_path / "images" / "01") == list(range(40))
    assert kept_frames(tmp_path / "images" / "02") == list(range(35, 40))


def test_masks_of_another_length_are_refused():
    """With both numbers."""
    with pytest.raises(DataError, match="clip 01 has 5 frames, but 4 pixel masks"):
        checked_masks(np.zeros((4, 2, 2), dtype=bool), 5, "made: clip 01")


def test_demo_says_the_rate_that_it_is_rendered_at():
    """The dataset's info cannot import the renderer."""
    from bench.datasets.demo.render import RATE

    assert DemoPed2.info.frame_rate == RATE


# -- the whole path --------------------------------------------------------------------------------

SHORT = "[epochs=2,every=12]"
KEEP = ("--keep", "regions,train-scores,epoch-scores")


def command(methods: str, out: str, *more: str) -> list[str]:
    start = ["run", "--methods", methods, "--datasets", "demo-ped2"]
    return [*start, "--device", "cpu", "--threads", "1", "--out", out, *more]


def run_it(place: Path, arguments: list[str]) -> str:
    done = bench(*arguments, cwd=place)
    assert done.returncode == 0, done.stdout + done.stderr
    return " ".join(done.stdout.split())


@pytest.fixture(scope="module")
def kept(once):
    """A run of a network and of a method without maps that kept both; nothing disturbed it."""
    words = command(f"mnad{SHORT},pca", "run", *KEEP)
    return Run.open(once("kept", lambda place: run_it(place, words)) / "run")


def test_a_network_keeps_what_its_maps_show(kept):
    """Each frame has its maximum and, where the labels say anomalous, the value of its mask; a
    method without maps has none to give."""
    mnad, pca = kept.cells()
    regions, record = kept.regions(mnad), kept.dataset("demo-ped2")
    assert len(regions.levels) == 50
    assert len(np.unique(regions.levels)) > 40
    for clip, length, _ in record.clips:
        found = regions.clips[clip]
        anomalous = record.labels["frame"][clip] == 1
        assert found.frames.tolist() == list(range(length))
        np.testing.assert_array_equal(np.isfinite(found.threshold_40), anomalous)
        assert (found.threshold_40[anomalous] <= found.maximum[anomalous]).all()
        assert set(record.regions[clip].frames) == set(np.flatnonzero(anomalous))
    assert kept.regions(pca) is None
    assert not kept.lacking(pca, ["regions"])
    assert [len(scores.values) for scores in kept.train_scores(pca).values()] == [
        64,
        56,
        72,
        60,
        64,
    ]
    assert (record.frame_rate, record.resolution) == (10, (160, 240))


def test_scores_of_each_epoch_are_kept(kept):
    """As many epochs as the training had, of every clip; the last has the scores of the cell, the
    first has others. A method without epochs has none to give."""
    mnad, pca = kept.cells()
    epochs, last = kept.epoch_scores(mnad), kept.scores(mnad)
    lines = kept.files_of(mnad).training.read_text().splitlines()
    assert list(epochs) == list(range(1, len(lines)))
    for clip, scores in last.items():
        np.testing.assert_array_equal(epochs[len(epochs)][clip].values, scores.values)
        np.testing.assert_array_equal(epochs[1][clip].frames, scores.frames)
        assert not np.array_equal(epochs[1][clip].values, scores.values)
    assert kept.epoch_scores(pca) == {}
    assert not kept.lacking(pca, ["epoch-scores"])


def test_scores_of_epochs_are_kept_whole_or_not_at_all(tmp_path):
    """Where those of one are lost, the row says so."""
    folder, kept, said = tmp_path / "epoch_scores", tmp_path / "epoch_scores.npz", []
    logger = SimpleNamespace(warning=lambda text, *values: said.append(text % values))
    cell = SimpleNamespace(
        scratch=tmp_path, logger=logger, files=SimpleNamespace(epoch_scores=kept)
    )
    for epoch in (1, 2, 3):
        write_scores(folder / f"{epoch}.npz", {"01": Scores(np.zeros(2), np.arange(2))})
    (folder / "2.npz").rename(tmp_path / "2.npz")
    EpochScoreKeeper().collect(cell)
    assert not kept.exists() and "those of one are lost" in said[0]
    (tmp_path / "2.npz").rename(folder / "2.npz")
    EpochScoreKeeper().collect(cell)
    assert sorted(read_epoch_scores(kept)) == [1, 2, 3] and len(said) == 1


def test_training_scores_do_not_depend_on_where_a_cell_was_cut_off(tmp_path):
    """Of a method that draws random numbers while it scores."""
    generator = np.random.default_rng()

    def seed():
        nonlocal generator
        generator = np.random.default_rng(0)

    found = []
    cell = SimpleNamespace(
        scratch=tmp_path, seed=seed, record=SimpleNamespace(seconds={}),
        context=make_context(0, Compute("cpu"), tmp_path), logger=logging.Logger("cell"),
        training_clips=lambda: [SimpleNamespace(id="01"), SimpleNamespace(id="02")],
        score=lambda *_: Scores(generator.random(3), np.arange(3)),
        reporter=SimpleNamespace(step=lambda *_: None),
        run=SimpleNamespace(write_train_scores=lambda record, scores: found.append(scores)),
    )  # fmt: skip
    TrainingScoreKeeper().collect(cell)
    (tmp_path / "train_scores" / "02.npz").unlink()
    generator = np.random.default_rng(9)
    TrainingScoreKeeper().collect(cell)
    whole, resumed = found
    np.testing.assert_array_equal(whole["02"].values, resumed["02"].values)


HELD = """
import os, time
from pathlib import Path
from bench.methods.mnad import MNAD
from bench import hookimpl

class Held(MNAD):
    \"\"\"mnad, which waits before it scores clip 02 while there is a file.\"\"\"

    name = "held"

    def score(self, clip, context):
        while clip.id == "02" and Path(os.environ["HOLD"]).exists():
            time.sleep(0.05)
        return super().score(clip, context)

@hookimpl
def bench_methods():
    return [Held]
"""


@pytest.fixture(scope="module")
def cut(once):
    """The folder of a run whose runner was killed between clips 01 and 02, without --keep, when
    nothing of it was left."""

    def make(place: Path) -> None:
        (place / "held.py").write_text(HELD)
        hold = place / "hold"
        hold.touch()
        words = command(f"held{SHORT}", "run", "--plugin", "held.py")
        runner = Command(*words, cwd=place, HOLD=str(hold))
        end = time.monotonic() + 300
        while not (found := [*place.glob("run/cells/*/*/0/scratch/scores/01.npz")]):
            assert runner.poll() is None and time.monotonic() < end, "no clip was scored"
            time.sleep(0.02)
        os.kill(runner.pid, signal.SIGKILL)
        runner.wait(timeout=60)
        claim = Claim(CellFiles(found[0].parents[2]).claim)
        while claim.holder() is not None:  # the worker ends with its runner, a moment later
            assert time.monotonic() < end, "the worker goes on"
            time.sleep(0.02)
        hold.unlink()

    return once("cut", make)


def gone_on_with(cut: Path, place: Path, *keep: str) -> Path:
    """Go on with a copy of the run that was cut; return the folder of its cell, which had scored
    clip 01 alone."""
    shutil.copytree(cut, place, dirs_exist_ok=True)
    (cell,) = (path.parent for path in place.glob("run/cells/*/*/0/cell.json"))
    assert [path.name for path in (cell / "scratch/scores").glob("*.npz")] == ["01.npz"]
    words = command(f"held{SHORT}", "run", "--plugin", "held.py", *keep)
    done = bench(*words, cwd=place, HOLD=str(place / "hold"))
    assert done.returncode == 0, done.stdout + done.stderr
    return cell


def test_a_cut_loses_no_region_and_keeping_changes_no_score(kept, cut, tmp_path):
    """Killed while it scored without --keep, and gone on with it: clips scored before are looked at
    again, and all is as undisturbed."""
    whole = kept.cell_path(kept.cells()[0])
    (scored,) = cut.glob("run/cells/*/*/0/scratch/scores/01.npz")
    plain = read_scores(scored)["01"]
    np.testing.assert_array_equal(plain.values, read_scores(whole / "scores.npz")["01"].values)
    cell = gone_on_with(cut, tmp_path, *KEEP)
    for name in ("scores.npz", "regions.npz", "train_scores.npz"):
        assert (cell / name).read_bytes() == (whole / name).read_bytes(), name
    # Fitting was done before the cut.
    seconds = read_json(cell / "cell.json", "cell")["seconds"]
    assert seconds["fit"] == read_json(scored.parents[1] / "said.json", "said")["seconds"] > 0
    assert seconds["score"] > 0 and seconds["train_score"] > 0


def test_a_cut_loses_no_image(cut, tmp_path):
    """Killed while it scored without --keep, and gone on with it: images of every clip, also of
    the one that was scored before."""
    cell = gone_on_with(cut, tmp_path, "--keep", "images")
    clips = {
        clip: length for clip, length, _ in Run.open(tmp_path / "run").dataset("demo-ped2").clips
    }
    stride = -(-sum(clips.values()) // 200)
    found = {path.name: kept_frames(path) for path in (cell / "images").iterdir()}
    assert found == {clip: list(range(0, length, stride)) for clip, length in clips.items()}


def test_a_finished_cell_that_lacks_what_is_asked_for_is_named(kept):
    """In the plan and in a note, for every kind alike; what was kept, or could not be, is not asked
    for again."""
    request = Request(
        f"mnad{SHORT},pca",
        "demo-ped2",
        compute=Compute("cpu"),
        keep=("images", "weights", "regions"),
    )
    plan = make_plan(request, load(), lambda signature: (kept, True))
    assert [cell.reuse for cell in plan.cells] == [True, True]
    assert (
        plan.cells[1].why
        == "done before, same key; it kept no images, no weights: --force makes them"
    )
    assert (
        f"finished cells are used again as they are, without images and weights; --force 'mnad{SHORT},pca' repeats them"
        in plan.notes
    )
    asked_before = make_plan(
        replace(request, keep=("regions", "train-scores")), load(), lambda signature: (kept, True)
    )
    assert not any("without" in note for note in asked_before.notes)
    assert {cell.why for cell in asked_before.cells} == {"done before, same key"}


def test_an_unknown_kind_to_keep_is_refused():
    """With those that there are."""
    with pytest.raises(
        RequestError,
        match="'regons' cannot be kept; there are images, weights, regions, train-scores, epoch-scores",
    ):
        CliRunner().invoke(
            run_command,
            ["--methods", "pca", "--datasets", "demo", "--keep", "regons"],
            catch_exceptions=False,
        )


def test_the_report_of_a_kept_run(kept):
    """Both tables, from the folder alone."""
    found = CliRunner().invoke(
        report_command, [str(kept.path), "--table", "localisation", "--table", "operator"]
    )
    assert found.exit_code == 0, found.output
    text = " ".join(found.output.split())
    assert "pixel masks: 194 connected components (8 neighbours) in 125 frames" in text
    assert "[a] gives no error maps" in text
    assert "no one threshold holds for all clips" in text
    assert "4 of 4" in text
