"""The frame store holds each clip once, whole, as every format asks for it."""

import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from bench.contracts.clip import Clip, ImageFiles, Split, VideoFile
from bench.contracts.dataset import Dataset
from bench.contracts.method import FrameFormat
from bench.errors import DataError
from bench.files.cache import cache_folder, file_stem
from bench.files.claims import Claim
from bench.frames import frame_file, store
from bench.frames.conversion import resize
from bench.frames.decode import count_frames
from bench.frames.store import dataset_folder, disk_needed, open_frames, prepare_frames

GRAY = FrameFormat((16, 24), 1)
COLOUR = FrameFormat((20, 12), 3)


class Images(Dataset):
    name = "images"

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.root = root

    def clips(self, split: Split) -> list[Clip]:
        return [
            Clip(folder.name, split, ImageFiles(tuple(sorted(folder.glob("*.png")))))
            for folder in sorted((self.root / split).iterdir())  # type: ignore[operator]
        ]


def fill(folder: Path, count: int, seed: int = 0) -> None:
    folder.mkdir(parents=True)
    for index in range(count):
        noise = np.random.default_rng([seed, index]).integers(0, 256, (32, 36, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{index:03d}.png"), noise)


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def dataset(tmp_path: Path) -> Images:
    fill(tmp_path / "data" / "train" / "01", 5, 1)
    fill(tmp_path / "data" / "train" / "02", 7, 2)
    return Images(tmp_path / "data")


def prepare(
    dataset: Dataset, *formats: FrameFormat, split: Split = "train"
) -> list[tuple[int, int, str]]:
    calls: list[tuple[int, int, str]] = []
    prepare_frames(dataset, dataset.clips(split), formats, lambda *call: calls.append(call))
    return calls


def file_of(dataset: Dataset, clip_id: str, frames: FrameFormat) -> Path:
    return next(dataset_folder(dataset).rglob(f"train/{clip_id}-*/{frames}.npy"))


def test_frames_of_two_formats_are_those_of_opencv(dataset: Images) -> None:
    prepare(dataset, GRAY, COLOUR)
    for clip in dataset.clips("train"):
        assert isinstance(clip.source, ImageFiles)
        gray, colour = open_frames(dataset, clip, GRAY), open_frames(dataset, clip, COLOUR)
        assert gray.shape == (len(clip.source.paths), 16, 24) and colour.shape == (
            len(clip.source.paths),
            20,
            12,
            3,
        )
        assert gray.dtype == colour.dtype == np.uint8
        for index, path in enumerate(clip.source.paths):
            image = cv2.imread(str(path))
            expected = cv2.resize(
                cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), (24, 16), interpolation=cv2.INTER_AREA
            )
            np.testing.assert_array_equal(gray[index], expected)
            np.testing.assert_array_equal(
                colour[index],
                cv2.resize(image, (12, 20), interpolation=cv2.INTER_AREA)[:, :, ::-1],
            )


def test_opened_frames_are_memory_mapped_and_read_only(dataset: Images) -> None:
    prepare(dataset, GRAY)
    frames = open_frames(dataset, dataset.clips("train")[0], GRAY)
    assert isinstance(frames, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        frames[0, 0, 0] = 1


def test_gray_is_the_same_whether_colour_is_asked_for_or_not(
    dataset: Images, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    prepare(dataset, GRAY, COLOUR)
    together = np.array(open_frames(dataset, dataset.clips("train")[0], GRAY))
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "other"))
    prepare(dataset, GRAY)
    np.testing.assert_array_equal(open_frames(dataset, dataset.clips("train")[0], GRAY), together)


def test_each_clip_is_decoded_once_for_all_formats(
    dataset: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[str] = []
    real = store.decoded_frames

    def counting(clip: Clip) -> Any:
        decoded.append(clip.id)
        return real(clip)

    monkeypatch.setattr(store, "decoded_frames", counting)
    prepare(dataset, GRAY, COLOUR, GRAY, FrameFormat((8, 8), 1))
    assert decoded == ["01", "02"]
    prepare(dataset, GRAY, COLOUR)
    assert decoded == ["01", "02"]


def test_a_new_format_is_added_and_the_old_one_kept(dataset: Images) -> None:
    prepare(dataset, GRAY)
    before = file_of(dataset, "01", GRAY).stat().st_mtime_ns
    prepare(dataset, GRAY, COLOUR)
    assert file_of(dataset, "01", GRAY).stat().st_mtime_ns == before
    assert file_of(dataset, "01", COLOUR).exists()


def test_progress_counts_frames_and_names_clips(
    dataset: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "REPORT_EVERY", 2)
    calls = prepare(dataset, GRAY)
    assert [done for done, _, _ in calls] == [2, 4, 5, 7, 9, 11, 12]
    assert {total for _, total, _ in calls} == {12}
    assert calls[0][2] == "frames of images, train clip 01"
    assert prepare(dataset, GRAY) == []


@pytest.mark.parametrize(
    ("size", "chain"),
    [
        ((16, 18), [((18, 16), cv2.INTER_AREA)]),
        ((64, 72), [((72, 64), cv2.INTER_LINEAR)]),
        ((32, 20), [((20, 32), cv2.INTER_AREA)]),
        ((40, 20), [((20, 32), cv2.INTER_AREA), ((20, 40), cv2.INTER_LINEAR)]),
        ((20, 50), [((36, 20), cv2.INTER_AREA), ((50, 20), cv2.INTER_LINEAR)]),
        ((32, 36), []),
    ],
)
@pytest.mark.parametrize("shape", [(32, 36), (32, 36, 3)])
def test_axes_that_shrink_are_averaged_and_axes_that_grow_interpolated(
    size: tuple[int, int], chain: list[tuple[tuple[int, int], int]], shape: tuple[int, ...]
) -> None:
    frame = np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)
    expected = frame
    for wanted, interpolation in chain:
        expected = cv2.resize(expected, wanted, interpolation=interpolation)
    np.testing.assert_array_equal(resize(frame, size), expected)


def test_halving_is_the_mean_of_two_by_two() -> None:
    frame = np.random.default_rng(4).integers(0, 256, (32, 36), dtype=np.uint8)
    means = frame.reshape(16, 2, 18, 2).mean(axis=(1, 3))
    assert np.abs(resize(frame, (16, 18)) - means).max() <= 0.5


def test_clips_at_a_time_give_what_one_after_the_other_gives(
    dataset: Images, tmp_path: Path
) -> None:
    """The same files; the progress still adds up, one call at a time."""
    clips = dataset.clips("train")
    prepare_frames(dataset, clips, [GRAY], lambda *call: None)
    expected = [open_frames(dataset, clip, GRAY).copy() for clip in clips]
    shutil.rmtree(dataset_folder(dataset))
    calls: list[int] = []
    prepare_frames(dataset, clips, [GRAY], lambda done, total, what: calls.append(done), jobs=2)
    assert all(
        np.array_equal(open_frames(dataset, clip, GRAY), one) for clip, one in zip(clips, expected)
    )
    assert calls == sorted(calls)
    assert calls[-1] == sum(len(one) for one in expected)


def test_clip_that_fails_stops_those_at_its_side(
    dataset: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason is that of the damaged clip; the other leaves no entry and no temporary file."""
    first, second = dataset.clips("train")
    assert isinstance(first.source, ImageFiles)
    cut(first.source.paths[-1])
    monkeypatch.setattr(store, "REPORT_EVERY", 1)
    failed = threading.Event()
    write = store._write

    def slowly(dataset: Dataset, clip: Clip, formats: Any, count: Any) -> int:
        if clip.id == first.id:
            try:
                return write(dataset, clip, formats, count)
            finally:
                failed.set()

        def wait(done: int) -> None:
            assert failed.wait(10)
            time.sleep(0.05)
            count(done)

        return write(dataset, clip, formats, wait)

    monkeypatch.setattr(store, "_write", slowly)
    with pytest.raises(DataError, match="clip 01"):
        prepare_frames(dataset, dataset.clips("train"), [GRAY], lambda *call: None, jobs=2)
    with pytest.raises(DataError, match="not in the frame store"):
        open_frames(dataset, second, GRAY)
    assert not list(dataset_folder(dataset).rglob("*.tmp"))


def test_disk_needed_is_what_will_be_written(dataset: Images) -> None:
    clips = dataset.clips("train")
    needed = disk_needed(dataset, clips, [GRAY, COLOUR])
    prepare(dataset, GRAY, COLOUR)
    assert (
        needed
        == sum(path.stat().st_size for path in dataset_folder(dataset).rglob("*.npy"))
        > 12 * (16 * 24 + 20 * 12 * 3)
    )
    assert disk_needed(dataset, clips, [GRAY, COLOUR]) == 0


def test_a_video_is_decoded_once_and_its_count_known_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = cv2.VideoWriter(
        str(tmp_path / "01.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48)
    )
    for index in range(30):
        writer.write(np.full((48, 64, 3), index * 8, np.uint8))
    writer.release()
    clip = Clip("01", "test", VideoFile(tmp_path / "01.avi"))
    dataset = Images(tmp_path)
    assert disk_needed(dataset, [clip], [GRAY]) == 128 + 30 * 16 * 24
    prepare_frames(dataset, [clip], [GRAY], lambda *call: None)
    frames = open_frames(dataset, clip, GRAY)
    assert frames.shape == (30, 16, 24)
    np.testing.assert_allclose(frames.mean(axis=(1, 2)), np.arange(30) * 8, atol=3)
    monkeypatch.setattr(
        "bench.frames.decode.read_frames", lambda clip: pytest.fail("decoded a second time")
    )
    assert count_frames(clip) == 30


def cut(path: Path) -> None:
    with path.open("rb+") as file:
        file.truncate(path.stat().st_size - 10)


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(content)
    os.utime(path, ns=(1, 1))


@pytest.mark.parametrize(
    "damage",
    [
        cut,
        lambda path: flip(path, 30),  # the header
        lambda path: flip(path, -1),  # a pixel: only the checksum knows
        lambda path: path.write_bytes(b""),
        Path.unlink,
        lambda path: path.with_suffix(".json").unlink(),
        lambda path: path.with_suffix(".json").write_text('{"shape": [5,'),
        lambda path: path.with_suffix(".json").write_text("[]"),
        lambda path: path.with_suffix(".json").write_text(
            path.with_suffix(".json").read_text().replace("INTER_AREA", "INTER_CUBIC")
        ),
        lambda path: path.with_suffix(".json").write_text(
            json.dumps({**json.loads(path.with_suffix(".json").read_text()), "shape": []})
        ),
    ],
    ids=[
        "cut",
        "header",
        "pixel",
        "empty",
        "gone",
        "no-record",
        "half-record",
        "wrong-record",
        "other-conversion",
        "no-shape",
    ],
)
def test_damaged_entries_are_rebuilt(dataset: Images, damage: Any) -> None:
    prepare(dataset, GRAY)
    clip = dataset.clips("train")[0]
    good = file_of(dataset, "01", GRAY).read_bytes()
    damage(file_of(dataset, "01", GRAY))
    assert disk_needed(dataset, dataset.clips("train"), [GRAY]) == len(good)
    assert {what for _, _, what in prepare(dataset, GRAY)} == {"frames of images, train clip 01"}
    assert file_of(dataset, "01", GRAY).read_bytes() == good
    assert open_frames(dataset, clip, GRAY).shape == (5, 16, 24)


def test_a_copied_cache_is_checked_by_content_once_and_kept(
    dataset: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copying changes the times, not the content."""
    prepare(dataset, GRAY)
    path = file_of(dataset, "01", GRAY)
    os.utime(path, ns=(5, 5))
    assert prepare(dataset, GRAY) == []
    monkeypatch.setattr(frame_file, "_checksum", lambda file: pytest.fail("read a second time"))
    assert prepare(dataset, GRAY) == []


def test_changed_sources_are_noticed(dataset: Images) -> None:
    prepare(dataset, GRAY)
    clip = dataset.clips("train")[0]
    before = np.array(open_frames(dataset, clip, GRAY))
    source = dataset.root / "train" / "01" / "002.png"  # type: ignore[operator]
    cv2.imwrite(str(source), np.zeros((32, 36, 3), np.uint8))
    prepare(dataset, GRAY)
    after = open_frames(dataset, clip, GRAY)
    assert not after[2].any()
    np.testing.assert_array_equal(np.delete(after, 2, 0), np.delete(before, 2, 0))
    source.unlink()
    prepare(dataset, GRAY)
    assert len(open_frames(dataset, dataset.clips("train")[0], GRAY)) == 4


def test_frames_are_found_by_whatever_path_the_dataset_is_reached(
    dataset: Images, tmp_path: Path, monkeypatch
) -> None:
    """Made through a link, they are there by the real path and through '..', and nothing is decoded
    again."""
    (tmp_path / "link").symlink_to(dataset.root.parent)  # type: ignore[union-attr]
    prepare(Images(tmp_path / "link" / dataset.root.name), GRAY)  # type: ignore[union-attr]
    monkeypatch.setattr(store, "decoded_frames", None)
    for root in (dataset.root, tmp_path / "data" / ".." / "data"):
        assert root is not None
        assert prepare(Images(root), GRAY) == []
        assert len(open_frames(Images(root), Images(root).clips("train")[0], GRAY)) == 5


def test_opening_what_is_not_there_or_damaged_says_what_to_run(dataset: Images) -> None:
    clip = dataset.clips("train")[0]
    with pytest.raises(
        DataError,
        match=r"train clip 01 \(16x24x1\) are not in the frame store .*bench prepare images",
    ):
        open_frames(dataset, clip, GRAY)
    prepare(dataset, GRAY)
    cut(file_of(dataset, "01", GRAY))
    with pytest.raises(
        DataError,
        match=r"train clip 01 are damaged .*2038 bytes, 2048 were written.*bench prepare images",
    ):
        open_frames(dataset, clip, GRAY)


def test_a_damaged_frame_leaves_no_entry_and_no_temporary_file(dataset: Images) -> None:
    (dataset.root / "train" / "01" / "003.png").write_bytes(b"")  # type: ignore[operator]
    with pytest.raises(DataError, match=r"clip 01, frame 3: .*003\.png is empty"):
        prepare(dataset, GRAY)
    assert [
        path
        for path in dataset_folder(dataset).rglob("*")
        if path.is_file() and path.name != "lock"
    ] == []


def test_too_small_a_disk_is_known_before_anything_is_written(
    dataset: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = disk_needed(dataset, dataset.clips("train"), [GRAY])
    monkeypatch.setattr(
        shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**12, 10**12 - 1000, 1000)
    )  # type: ignore[attr-defined]
    with pytest.raises(DataError) as caught:
        prepare(dataset, GRAY)
    text = str(caught.value)
    assert (
        f"({needed} bytes) needed" in text
        and "(1000 bytes) free" in text
        and str(dataset_folder(dataset)) in text
        and "BENCH_CACHE" in text
    )
    assert not cache_folder().exists()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
def test_a_disk_that_fills_up_while_writing_leaves_nothing_half_written(dataset: Images) -> None:
    script = textwrap.dedent(f"""
        import resource, signal, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_store import *
        dataset = Images(Path({str(dataset.root)!r}))
        resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        try:
            prepare(dataset, GRAY)
        except DataError as error:
            print(error)
    """)
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert (
        "no room on the disk for the frames of images, train clip 01" in result.stdout
        and "BENCH_CACHE" in result.stdout
    )
    assert (
        list(dataset_folder(dataset).rglob("*.tmp"))
        == list(dataset_folder(dataset).rglob("*.npy"))
        == []
    )


def test_a_cache_that_cannot_be_written_is_named(
    dataset: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(
        DataError,
        match=r"cannot write frames of images, train clip 01 in .*file.*set BENCH_CACHE",
    ):
        prepare(dataset, GRAY)


def test_two_roots_and_two_parts_do_not_meet(tmp_path: Path) -> None:
    for root, seed in (("a", 1), ("b", 2)):
        fill(tmp_path / root / "train" / "01", 2, seed)
        fill(tmp_path / root / "test" / "01", 3, seed)
    first, second = Images(tmp_path / "a"), Images(tmp_path / "b")
    for dataset in (first, second):
        prepare(dataset, GRAY)
        prepare(dataset, GRAY, split="test")
    assert dataset_folder(first) != dataset_folder(second)
    assert (
        len(open_frames(first, first.clips("train")[0], GRAY)) == 2
        and len(open_frames(first, first.clips("test")[0], GRAY)) == 3
    )
    assert (
        open_frames(first, first.clips("train")[0], GRAY)
        != open_frames(second, second.clips("train")[0], GRAY)
    ).any()


def test_ids_never_leave_their_folder() -> None:
    assert [file_stem(name) for name in ("01_0014", "a/b", "..", ".hidden")] == [
        "01_0014",
        "a%2Fb",
        "%2E.",
        "%2Ehidden",
    ]
    long = [file_stem("入口" * 60 + last) for last in "ab"]  # nine characters a letter
    assert (
        long[0] != long[1]
        and all(len(stem) <= 120 for stem in long)
        and file_stem("a" * 120) == "a" * 120
    )


def test_the_cache_is_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("BENCH_CACHE")
    assert cache_folder().name == "vad-bench" and cache_folder().is_absolute()


def _prepare_in_child(root: Path, start: Any) -> None:
    start.wait()
    prepare(Images(root), GRAY, COLOUR)


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_processes_at_once_make_whole_files(tmp_path: Path) -> None:
    for number in range(4):
        fill(tmp_path / "data" / "train" / f"{number:02d}", 12, number)
    dataset = Images(tmp_path / "data")
    context = multiprocessing.get_context("fork")
    start = context.Event()
    children = [
        context.Process(target=_prepare_in_child, args=(dataset.root, start)) for _ in range(3)
    ]
    for child in children:
        child.start()
    start.set()
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0, 0, 0]
    assert list(dataset_folder(dataset).rglob("*.tmp")) == []
    assert prepare(dataset, GRAY, COLOUR) == []
    for clip in dataset.clips("train"):
        assert isinstance(clip.source, ImageFiles)
        stored = open_frames(dataset, clip, GRAY)
        for index, path in enumerate(clip.source.paths):
            gray = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2GRAY)
            np.testing.assert_array_equal(
                stored[index], cv2.resize(gray, (24, 16), interpolation=cv2.INTER_AREA)
            )


def test_a_second_process_waits_for_the_first_and_says_so(dataset: Images) -> None:
    folder = (
        dataset_folder(dataset) / "frames" / "train" / store.entry_name(dataset.clips("train")[0])
    )
    lock = Claim(folder / "lock")
    assert lock.take() is None
    calls: list[str] = []

    def progress(done: int, total: int, what: str) -> None:
        calls.append(what)
        lock.release()

    prepare_frames(dataset, dataset.clips("train"), [GRAY], progress)
    assert calls[0] == "waiting for another process that prepares frames of images, train clip 01"
    assert len(open_frames(dataset, dataset.clips("train")[0], GRAY)) == 5


def test_memory_stays_flat_however_long_the_clip(tmp_path: Path) -> None:
    """A clip of 230 MB in the store passes through a process that grows by a small part of that."""
    image = tmp_path / "0.png"
    cv2.imwrite(str(image), np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8))
    script = textwrap.dedent(f"""
        import resource, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_store import *
        dataset = Images(Path({str(tmp_path)!r}))
        big = FrameFormat((256, 256), 3)
        def peak(count):
            clip = Clip(str(count), "train", ImageFiles((Path({str(image)!r}),) * count))
            prepare_frames(dataset, [clip], [big], lambda *call: None)
            assert open_frames(dataset, clip, big).shape == (count, 256, 256, 3)
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform != "darwin" else 1024**2)
        short = peak(60)
        print(peak(1170) - short)
    """)
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert int(result.stdout) < 40


def test_two_sources_of_one_clip_stand_side_by_side(tmp_path: Path) -> None:
    """A parameter of a dataset chooses the images of a clip: one root, one id, two entries."""
    for camera, seed in (("left", 1), ("right", 2)):
        fill(tmp_path / camera / "01", 3, seed)

    class Camera(Images):
        def __init__(self, camera: str, every: int = 1) -> None:
            super().__init__(tmp_path)
            self.camera, self.every = camera, every

        def clips(self, split: Split) -> list[Clip]:
            paths = sorted((tmp_path / self.camera / "01").iterdir())[:: self.every]
            return [Clip("01", split, ImageFiles(tuple(paths)))]

    chosen = [Camera("left"), Camera("right"), Camera("left", every=2)]
    for dataset in chosen:
        prepare(dataset, GRAY)
    for dataset in chosen:
        (clip,) = dataset.clips("train")
        assert isinstance(clip.source, ImageFiles)
        gray = [
            cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2GRAY) for path in clip.source.paths
        ]
        expected = [resize(image, (16, 24)) for image in gray]
        np.testing.assert_array_equal(open_frames(dataset, clip, GRAY), expected)


def test_frames_of_files_that_changed_are_not_opened(dataset: Images) -> None:
    prepare(dataset, GRAY)
    clip = dataset.clips("train")[0]
    assert isinstance(clip.source, ImageFiles)
    os.utime(clip.source.paths[0], ns=(1, 1))
    with pytest.raises(
        DataError, match="train clip 01 have changed since its frames were stored .*bench prepare"
    ):
        open_frames(dataset, clip, GRAY)
    prepare(dataset, GRAY)
    assert len(open_frames(dataset, clip, GRAY)) == 5
