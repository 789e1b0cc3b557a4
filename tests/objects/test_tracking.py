"""Tracks are the same objects over frames, found once and kept."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from bench.contracts.clip import Clip, ImageFiles, Split
from bench.contracts.dataset import Dataset
from bench.contracts.detector import Detector
from bench.contracts.tracks import Tracks
from bench.errors import DataError
from bench.objects import tracking as module
from bench.objects.boxes import BoxesDetector
from bench.objects.tracking import open_tracks, prepare_tracks, summary, track, tracks_key

LENGTH = 20


class Walk(Dataset):
    """Two clips of black images; a white square walks to the right."""

    name = "walk"

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.root = root
        for clip in ("01", "02"):
            (root / clip).mkdir(parents=True, exist_ok=True)
            for index in range(LENGTH):
                image = np.zeros((60, 120, 3), np.uint8)
                image[20:40, 5 + 3 * index : 15 + 3 * index] = 255
                if not (root / clip / f"{index:02d}.png").exists():
                    cv2.imwrite(str(root / clip / f"{index:02d}.png"), image)

    def clips(self, split: Split) -> list[Clip]:
        assert self.root is not None
        return [
            Clip(clip, split, ImageFiles(tuple(sorted((self.root / clip).glob("*.png")))))
            for clip in ("01", "02")
        ]


class White(Detector):
    """Finds the white square, and a spurious weak box that the tracker must drop."""

    name = "white"

    @dataclass(frozen=True)
    class Parameters:
        level: int = 128
        place: str = ""

    unkeyed = frozenset({"place"})
    log: list[str]

    def __init__(self, parameters: object = None) -> None:
        super().__init__(parameters)
        self.log = []

    def begin(self, clip: Clip, dataset: str) -> None:
        self.log.append(f"{dataset} {clip.id}")

    def detect(self, clip: Clip, frames: Sequence[np.ndarray]) -> list[np.ndarray]:
        self.log.append(f"{clip.id}+{len(frames)}")
        found = []
        for frame in frames:
            rows, columns = np.nonzero(frame[:, :, 0] > self.parameters.level)
            found.append(
                np.array(
                    [
                        [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1, 0.9],
                        [60, 45, 70, 55, 0.3],
                    ]
                )
            )
        return found


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def dataset(tmp_path: Path) -> Walk:
    return Walk(tmp_path / "data")


def prepare(dataset: Dataset, detector: Detector) -> list[tuple[int, int, str]]:
    calls: list[tuple[int, int, str]] = []
    prepare_tracks(dataset, dataset.clips("train"), detector, lambda *call: calls.append(call))
    return calls


def some_tracks() -> Tracks:
    """Track 0 in frames 0..4, track 3 in 2..5, track 1 in 0, 2, 4; six frames."""
    rows = (
        [(frame, 0) for frame in range(5)]
        + [(frame, 3) for frame in range(2, 6)]
        + [(frame, 1) for frame in (0, 2, 4)]
    )
    rng = np.random.default_rng(0)
    rows = [rows[index] for index in rng.permutation(len(rows))]
    frames, ids = (np.array(column) for column in zip(*rows))
    boxes = np.column_stack([frames / 10, ids / 10, frames / 10 + 0.1, ids / 10 + 0.1])
    return Tracks(frames, ids, boxes, 6, (60, 120), 15)


def test_common_tracks_are_present_in_every_frame_of_the_window() -> None:
    tracks = some_tracks()
    assert tracks.common(0, 3).tolist() == [0]
    assert tracks.common(2, 3).tolist() == [0, 3]
    assert tracks.common(0, 3, step=2).tolist() == [0, 1]
    assert tracks.common(3, 3).tolist() == [3]
    assert tracks.common(4, 1).tolist() == [0, 1, 3]
    assert tracks.common(0, 6).tolist() == []
    assert (
        len(tracks) == 3 and tracks.kept == 12 and tracks.found == 15 and tracks.size == (60, 120)
    )


def test_boxes_of_a_track_follow_the_frames() -> None:
    boxes = some_tracks().boxes(3, 2, 2, step=2)
    assert boxes.dtype == np.float32
    np.testing.assert_allclose(boxes, [[0.2, 0.3, 0.3, 0.4], [0.4, 0.3, 0.5, 0.4]], atol=1e-6)
    with pytest.raises(KeyError, match="track 1 is not in frame 1"):
        some_tracks().boxes(1, 0, 3)


def test_frames_beyond_the_clip_are_refused() -> None:
    with pytest.raises(IndexError, match="frame 6 of a clip of 6"):
        some_tracks().common(4, 3)
    with pytest.raises(IndexError, match="frame -1"):
        some_tracks().ids(-1)


def test_usable_windows_are_those_with_a_common_track() -> None:
    assert some_tracks().usable(3).tolist() == [True, True, True, True]
    assert some_tracks().usable(4).tolist() == [True, True, True]
    assert some_tracks().usable(6).tolist() == [False]
    assert some_tracks().usable(7).tolist() == []


def test_tracks_survive_saving(tmp_path: Path) -> None:
    tracks = some_tracks()
    tracks.save(tmp_path / "a.npz", "sources")
    again = Tracks.load(tmp_path / "a.npz", "sources")
    assert (again.length, again.size, again.found, len(again)) == (6, (60, 120), 15, 3)
    for start in range(4):
        assert again.common(start, 3).tolist() == tracks.common(start, 3).tolist()
    np.testing.assert_array_equal(again.boxes(0, 0, 5), tracks.boxes(0, 0, 5))
    with pytest.raises(DataError, match="made from other frames"):
        Tracks.load(tmp_path / "a.npz", "others")


def test_an_object_that_moves_steadily_is_one_track() -> None:
    """It has the boxes as they were detected, relative to the frame, from the first frame on."""
    boxes = [np.array([[10 + 2 * index, 20, 30 + 2 * index, 60, 0.9]]) for index in range(15)]
    tracks = track(boxes, (100, 200))
    assert (len(tracks), tracks.found, tracks.kept, tracks.length) == (1, 15, 15, 15)
    expected = np.array(
        [[(10 + 2 * index) / 200, 0.2, (30 + 2 * index) / 200, 0.6] for index in range(15)]
    )
    np.testing.assert_allclose(tracks.boxes(0, 0, 15), expected, atol=1e-6)


def test_weak_and_lonely_boxes_are_dropped_and_outside_ones_cut_off() -> None:
    steady = [[150 + index, 20, 230, 60, 0.9] for index in range(12)]
    boxes = [np.array([row, [5, 5, 15, 15, 0.4]]) for row in steady]
    boxes[8] = np.vstack([boxes[8], [100, 80, 120, 95, 0.9]])  # once only
    boxes[9] = np.vstack([boxes[9], [300, 0, 320, 20, 0.9]])  # nowhere in the frame
    tracks = track(boxes, (100, 200))
    assert tracks.found == 25 and tracks.kept == 12 and len(tracks) == 1
    np.testing.assert_allclose(tracks.boxes(0, 0, 12)[:, 2], 1.0)


def test_new_objects_of_the_first_three_frames_have_their_track_at_once() -> None:
    """As in OC-SORT's original code: frame_count <= min_hits, 3. Later ones wait until they were
    matched three times."""

    def box(index: int, x: int) -> list[float]:
        return [x + index, 20, x + 20 + index, 60, 0.9]

    first_seen = {0: 10, 1: 50, 2: 90, 3: 130}  # frame of first sight: place
    boxes = [
        np.array([box(index, x) for first, x in first_seen.items() if index >= first])
        for index in range(8)
    ]
    boxes[1] = np.vstack([boxes[1], [170, 20, 190, 60, 0.9]])  # in this frame alone
    tracks = track(boxes, (100, 200))
    assert [tracks.ids(frame).tolist() for frame in range(4)] == [
        [0],
        [0, 1, 4],
        [0, 1, 2],
        [0, 1, 2],
    ]
    assert [len(tracks.ids(frame)) for frame in range(4, 8)] == [2, 3, 4, 4]
    np.testing.assert_allclose(tracks.boxes(1, 1, 1), [[51 / 200, 0.2, 71 / 200, 0.6]], atol=1e-6)


def test_frames_without_boxes_are_no_obstacle() -> None:
    empty = np.zeros((0, 5))
    tracks = track([empty, empty, np.array([[1, 1, 9, 9, 0.9]]), empty, empty], (10, 10))
    assert tracks.length == 5 and tracks.found == 1
    assert track([empty] * 4, (10, 10)).kept == 0


def test_ids_begin_anew_in_each_clip() -> None:
    boxes = [np.array([[10 + index, 20, 30 + index, 60, 0.9]]) for index in range(6)]
    first, second = track(boxes, (100, 200)), track(boxes, (100, 200))
    assert first.common(1, 5).tolist() == second.common(1, 5).tolist() == [0]


def test_prepared_tracks_are_those_of_the_detectors_boxes(dataset: Walk) -> None:
    detector = White()
    calls = prepare(dataset, detector)
    assert detector.log == ["walk 01", "01+8", "01+8", "01+4", "walk 02", "02+8", "02+8", "02+4"]
    assert [done for done, _, _ in calls] == [8, 16, 20, 20, 28, 36, 40, 40] and {
        total for _, total, _ in calls
    } == {40}
    for clip in dataset.clips("train"):
        tracks = open_tracks(dataset, clip, detector)
        assert tracks.common(0, LENGTH).tolist() == [0]
        expected = [
            [(5 + 3 * index) / 120, 20 / 60, (15 + 3 * index) / 120, 40 / 60]
            for index in range(LENGTH)
        ]
        np.testing.assert_allclose(tracks.boxes(0, 0, LENGTH), expected, atol=1e-6)
    found = summary(dataset, dataset.clips("train"), detector)
    assert (
        found.boxes,
        found.kept,
        found.dropped,
        found.tracks,
        found.frames,
        found.frames_with_track,
    ) == (80, 40, 40 / 80, 2, 40, 40)


def test_tracks_are_made_once(dataset: Walk) -> None:
    prepare(dataset, White())
    again = White()
    assert prepare(dataset, again) == [] and again.log == []


def test_another_setting_makes_other_tracks_a_mere_place_does_not(dataset: Walk) -> None:
    key = tracks_key(dataset, White())
    assert tracks_key(dataset, White(White.Parameters(place="elsewhere"))) == key
    assert tracks_key(dataset, White(White.Parameters(level=7))) != key
    prepare(dataset, White())
    with pytest.raises(
        DataError, match=r"walk, train clip 01: there are no tracks in .*bench prepare"
    ):
        open_tracks(dataset, dataset.clips("train")[0], White(White.Parameters(level=7)))


def test_the_folder_says_what_made_the_tracks(dataset: Walk) -> None:
    prepare(dataset, White())
    (about,) = (module.dataset_folder(dataset) / "tracks").glob("white-????????/about.json")
    content = json.loads(about.read_text())
    assert (
        content["detector"] == "white"
        and content["parameters"] == {"level": 128}
        and content["frame_rate"] == 10
    )


def damaged(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def as_npy(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


@pytest.mark.parametrize(
    "damage",
    [
        damaged,
        Path.unlink,
        lambda path: path.write_bytes(path.read_bytes()[:-30]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"\x80\x04N."),
        as_npy,
    ],
    ids=["flipped", "gone", "cut", "empty", "pickle", "npy"],
)
def test_damaged_tracks_are_made_again(dataset: Walk, damage: object) -> None:
    prepare(dataset, White())
    (path,) = module.dataset_folder(dataset).rglob("train/02-*.npz")
    damage(path)  # type: ignore[operator]
    with pytest.raises(DataError, match="train clip 02: .*(damaged|there are no tracks)"):
        open_tracks(dataset, dataset.clips("train")[1], White())
    again = White()
    prepare(dataset, again)
    assert again.log[0] == "walk 02" and "walk 01" not in again.log
    assert open_tracks(dataset, dataset.clips("train")[1], White()).kept == LENGTH


def test_tracks_older_than_their_frames_are_made_again(dataset: Walk) -> None:
    prepare(dataset, White())
    os.utime(dataset.root / "01" / "03.png", ns=(1, 1))  # type: ignore[operator]
    with pytest.raises(DataError, match="made from other frames"):
        open_tracks(dataset, dataset.clips("train")[0], White())
    again = White()
    prepare(dataset, again)
    assert [line for line in again.log if line.startswith("walk")] == ["walk 01"]


def test_tracks_of_two_sources_of_one_clip_stand_side_by_side(dataset: Walk) -> None:
    """A parameter of a dataset chooses the images of a clip."""

    class Half(Walk):
        def clips(self, split: Split) -> list[Clip]:
            return [
                Clip(clip.id, split, ImageFiles(clip.source.paths[::2]))  # type: ignore[union-attr]
                for clip in super().clips(split)
            ]

    half = Half(dataset.root)  # type: ignore[arg-type]
    for one in (dataset, half):
        prepare(one, White())
    for one, length in ((dataset, LENGTH), (half, LENGTH // 2)):
        assert open_tracks(one, one.clips("train")[0], White()).length == length


def test_a_detector_that_returns_too_little_is_named(dataset: Walk) -> None:
    class Short(White):
        name = "short"

        def detect(self, clip: Clip, frames: Sequence[np.ndarray]) -> list[np.ndarray]:
            return super().detect(clip, frames)[:-1]

    with pytest.raises(
        DataError, match=r"detector short: detect\(\) returned boxes of 7 frames for 8"
    ):
        prepare(dataset, Short())


def test_known_boxes_need_no_decoding(
    dataset: Walk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes = [[[10.0 * 3 + index, 20, 60 + index, 80, 0.9]] for index in range(LENGTH)]
    (tmp_path / "b.json").write_text(
        json.dumps({"size": [240, 120], "clips": {"01": boxes, "02": boxes}})
    )
    monkeypatch.setattr(module, "read_frames", lambda clip: pytest.fail("decoded"))
    detector = BoxesDetector(BoxesDetector.Parameters(path=str(tmp_path / "b.json")))
    prepare(dataset, detector)
    tracks = open_tracks(dataset, dataset.clips("train")[0], detector)
    np.testing.assert_allclose(
        tracks.boxes(0, 1, 1), [[31 / 240, 20 / 120, 61 / 240, 80 / 120]], atol=1e-6
    )


@pytest.mark.realdata
def test_ped2_tracks_on_public_boxes(real_data: Path) -> None:
    """36,663 boxes; every window of 3 frames has a common track. Tracks and kept boxes vary a
    little with the tracker's version."""

    class Ped2(Dataset):
        name = "ped2"

        def clips(self, split: Split) -> list[Clip]:
            folders = sorted((real_data / "ped2" / "training" / "frames").iterdir())
            return [
                Clip(folder.name, split, ImageFiles(tuple(sorted(folder.glob("*.jpg")))))
                for folder in folders
                if folder.is_dir()
            ]

    ped2 = Ped2()
    detector = BoxesDetector(
        BoxesDetector.Parameters(path=str(real_data / "boxes" / "{dataset}_{part}_yolov3.json"))
    )
    prepare(ped2, detector)
    found = summary(ped2, ped2.clips("train"), detector)
    assert (found.boxes, found.frames, found.clips) == (36663, 2550, 16)
    assert found.kept == pytest.approx(25984, abs=15) and found.tracks == pytest.approx(403, abs=5)
    usable = np.concatenate(
        [open_tracks(ped2, clip, detector).usable(3) for clip in ped2.clips("train")]
    )
    assert len(usable) == 2518 and usable.mean() == pytest.approx(1.0, abs=0.0005)
