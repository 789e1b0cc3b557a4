"""Every entry of a folder is read, or passed over with a reason."""

import os
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from bench import Clip, ImageFiles, VideoFile, look_into, read_frames
from bench.applying.footage import find_footage, passed_over
from bench.cli.main import bench
from bench.frames.folders import VIDEO_ENDINGS
from bench.frames.image_files import IMAGE_ENDINGS, numbered_images

FRAMES = 12
CONTAINERS = {
    **dict.fromkeys([".ts", ".m2ts", ".mts", ".m2t", ".tp", ".trp"], ("mpegts", "mpeg2video")),
    **dict.fromkeys(
        [".vob", ".mpg", ".mpeg", ".mpe", ".m2p", ".mod", ".tod", ".dav"], ("mpeg", "mpeg2video")
    ),
    **dict.fromkeys([".m2v", ".mpv"], ("mpeg2video", "mpeg2video")),
    ".m1v": ("mpeg1video", "mpeg1video"),
    **dict.fromkeys([".asf", ".wmv", ".wtv"], ("asf", "wmv2")),
    **dict.fromkeys([".avi", ".divx", ".xvid"], ("avi", "mpeg4")),
    **dict.fromkeys([".mp4", ".mp4v", ".m4v"], ("mp4", "mpeg4")),
    **dict.fromkeys([".mov", ".qt"], ("mov", "mpeg4")),
    **dict.fromkeys([".3gp", ".3g2"], ("3gp", "mpeg4")),
    **dict.fromkeys([".flv", ".f4v"], ("flv", "flv1")),
    **dict.fromkeys([".mjpeg", ".mjpg"], ("mjpeg", "mjpeg")),
    **dict.fromkeys([".mkv"], ("matroska", "mpeg4")),
    **dict.fromkeys([".nut"], ("nut", "mpeg4")),
    ".mxf": ("mxf", "mpeg2video"),
    ".rm": ("rm", "rv20"),
    ".gif": ("gif", "gif"),
    ".y4m": ("yuv4mpegpipe", "rawvideo"),
    ".webm": ("webm", "libvpx"),
    ".ivf": ("ivf", "libvpx"),
    **dict.fromkeys([".ogv", ".ogm"], ("ogg", "libvpx")),
    **dict.fromkeys([".h264", ".264", ".avc"], ("h264", "libx264")),
    **dict.fromkeys([".h265", ".265", ".hevc"], ("hevc", "libx265")),
}
"""Ending -> container and codec that PyAV writes there."""


def moving() -> list[np.ndarray]:
    """A light square that moves, RGB."""
    frames = [np.full((144, 176, 3), 90, np.uint8) for _ in range(FRAMES)]
    for index, frame in enumerate(frames):
        frame[40:60, 8 * index : 8 * index + 20] = 220
    return frames


def encode(path: Path, container: str, codec: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream(codec, rate=25)
        stream.width, stream.height = 176, 144
        stream.pix_fmt = {"mjpeg": "yuvj420p", "gif": "rgb8"}.get(codec, "yuv420p")
        for frame in moving():
            for packet in stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")):
                file.mux(packet)
        for packet in stream.encode():
            file.mux(packet)


def images(folder: Path, ending: str = ".png") -> None:
    folder.mkdir(parents=True)
    for index, frame in enumerate(moving()):
        gray = ending in (".pgm", ".pbm")
        assert cv2.imwrite(str(folder / f"{index:03d}{ending}"), frame[:, :, 0] if gray else frame)


@pytest.mark.parametrize(
    "ending", sorted(VIDEO_ENDINGS - {".dv"})
)  # DV is interlaced, which has tests of its own
def test_a_video_of_every_ending_is_read(tmp_path: Path, ending: str) -> None:
    """All its frames, and the square where it was drawn: by what decodes videos here."""
    path = tmp_path / f"a{ending}"
    encode(path, *CONTAINERS[ending])
    (media,) = look_into(tmp_path).clips
    frames = list(read_frames(Clip("a", "test", media.source), 1))
    assert media.source == VideoFile(path) and len(frames) == FRAMES
    for index, frame in enumerate(frames):
        square, ground = frame[44:56, 8 * index + 4 : 8 * index + 16], frame[80:100, 20:80]
        assert abs(float(square.mean()) - 220) < 25 and abs(float(ground.mean()) - 90) < 15


@pytest.mark.parametrize("ending", sorted(IMAGE_ENDINGS - {".jfif", ".jpe", ".pam"}))
def test_a_folder_of_images_of_every_ending_is_read(tmp_path: Path, ending: str) -> None:
    """As they were written, but for what formats lose."""
    images(tmp_path / "a", ending)
    (media,) = look_into(tmp_path).clips
    frames = list(read_frames(Clip("a", "test", media.source)))
    assert isinstance(media.source, ImageFiles) and len(frames) == FRAMES
    if ending != ".pbm":  # black and white
        error = max(
            float(np.abs(frame.astype(int) - drawn[:, :, ::-1]).max())
            for frame, drawn in zip(frames, moving())
        )
        assert error <= (60 if ending in (".jpg", ".jpeg", ".webp", ".jp2") else 0)


def test_names_of_the_same_format(tmp_path: Path) -> None:
    """Endings that OpenCV does not write itself, of files that it does."""
    for ending, other in ((".jfif", ".jpg"), (".jpe", ".jpg"), (".pam", ".ppm")):
        images(tmp_path / ending[1:], other)
        for path in sorted((tmp_path / ending[1:]).iterdir()):
            path.rename(path.with_suffix(ending))
    assert [
        len(list(read_frames(Clip("a", "test", media.source))))
        for media in look_into(tmp_path).clips
    ] == [FRAMES] * 3


def test_what_is_not_read_is_named_with_its_reason(tmp_path: Path) -> None:
    """What may hold frames, and what is text; systems' own files are not worth a word."""
    images(tmp_path / "clip")
    (tmp_path / "clip" / "012.heic").write_bytes(b"\0\0heic")
    (tmp_path / "clip" / "extra.mp4").write_bytes(b"")
    (tmp_path / "clip" / "small").mkdir()
    (tmp_path / "clip" / "small" / "0.png").write_bytes(b"")
    encode(tmp_path / "yard" / "monday" / "e.mp4", "mp4", "mpeg4")
    (tmp_path / "empty").mkdir()
    (tmp_path / "phone").mkdir()
    (tmp_path / "phone" / "0.heic").write_bytes(b"\0\0heic")
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "a.txt").write_text("mine")
    (tmp_path / "gone.mp4").symlink_to(tmp_path / "nowhere")
    (tmp_path / "clips.rar").write_bytes(b"Rar!\x1a\x07\x01\0")
    (tmp_path / "notes.txt").write_text("mine")
    os.mkfifo(tmp_path / "pipe")
    for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
        (tmp_path / name).write_bytes(b"\0")
    content = look_into(tmp_path)
    assert [media.name for media in content.clips] == ["clip"]
    found = {
        str(one.path.relative_to(tmp_path)): (one.reason, one.may_hold_frames)
        for one in content.passed_over
    }
    assert found == {
        "clip/012.heic": ("not a supported file type (.heic)", True),
        "clip/extra.mp4": ("a video among the images of a clip", True),
        "clip/small": ("a folder among the images of a clip", True),
        "clips.rar": ("not a supported file type (.rar)", True),
        "empty": ("an empty folder", True),
        "gone.mp4": ("a broken link, or not a regular file", True),
        "notes.txt": ("a text file (.txt)", False),
        "papers": ("no supported image in it", False),
        "phone": ("no supported image in it: 0.heic is not a supported file type (.heic)", True),
        "pipe": ("a broken link, or not a regular file", True),
        "yard": (
            f"one folder too many: monday/e.mp4 lies in it; videos, and folders of images, belong in {tmp_path} itself",
            True,
        ),
    }


def test_footage_names_what_it_passes_over(tmp_path: Path) -> None:
    """In a folder of videos, and beside images, which are one video; a folder with nothing to
    read is refused with what is there."""
    images(tmp_path / "a" / "one")
    (tmp_path / "a" / "b.xyz").write_bytes(b"\0")
    assert [one.name for one in find_footage(str(tmp_path / "a"))] == ["one"]
    assert [one.path.name for one in passed_over(str(tmp_path / "a"))] == ["b.xyz"]
    images(tmp_path / "b")
    images(tmp_path / "b" / "thumbs")
    (tmp_path / "b" / "thumbs" / "cover.png").write_bytes(
        b""
    )  # a name without a number is no matter there
    encode(tmp_path / "b" / "c.mp4", "mp4", "mpeg4")
    assert [one.name for one in find_footage(str(tmp_path / "b"))] == ["b"]
    assert [(one.path.name, one.reason) for one in passed_over(str(tmp_path / "b"))] == [
        ("c.mp4", "a video among the images of a clip"),
        ("thumbs", "a folder among the images of a clip"),
    ]
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "b.xyz").write_bytes(b"\0")
    with pytest.raises(
        Exception,
        match=r"contains no videos, .* it contains b\.xyz: not a supported file type \(\.xyz\)",
    ):
        find_footage(str(tmp_path / "c"))
    assert passed_over("0") == passed_over(str(tmp_path / "b" / "c.mp4")) == []


def test_verify_run_and_prepare_say_what_they_pass_over(tmp_path: Path) -> None:
    """What may hold frames is wrong in verify and a line elsewhere; text is named, and nothing is
    wrong."""
    station = tmp_path / "station"
    images(station / "train" / "a")
    encode(station / "test" / "b.ts", "mpegts", "mpeg2video")
    images(station / "test" / "c", ".webp")
    images(station / "test" / "d", ".pgm")
    (station / "test" / "notes.txt").write_text("mine")
    selector = f"folder[path={station}]"

    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(bench, arguments)
        return result.exit_code, result.output

    code, text = run("verify", selector)
    assert (
        code == 0
        and "  test: 3 clips, 36 frames\n" in text
        and "  passed over: test/notes.txt (--json tells why)\n" in text
    )
    encode(station / "test" / "yard" / "monday" / "e.mp4", "mp4", "mpeg4")
    code, text = run("verify", selector)
    assert (
        code == 1
        and "  - passed over test/yard: one folder too many: monday/e.mp4 lies in it" in text
        and "as it should be" not in text
    )
    for command in (
        ("prepare", selector, "--methods", "pca", "--dry-run"),
        (
            "run",
            "--methods",
            "pca",
            "--datasets",
            selector,
            "--dry-run",
            "--out",
            str(tmp_path / "out"),
        ),
    ):
        said = " ".join(run(*command)[1].split())
        assert f"{selector}: passed over: test/yard (bench verify tells why)" in said


@pytest.mark.parametrize("split", ["train", "test"])
def test_an_empty_split_is_never_as_it_should_be(tmp_path: Path, split: str) -> None:
    """Whether its folder is empty or not there."""
    images(tmp_path / {"train": "test", "test": "train"}[split] / "a")
    for _ in range(2):
        result = CliRunner().invoke(bench, ["verify", f"folder[path={tmp_path}]"])
        assert (
            result.exit_code == 1 and f"  - {split} clips: none below {tmp_path}\n" in result.output
        )
        (tmp_path / split).mkdir(exist_ok=True)


def test_images_named_by_time_give_what_running_numbers_give(tmp_path: Path) -> None:
    """One image a second over a full minute: by the last number alone the second minute would
    come first."""
    names = [
        f"2024-01-01_12-{(30 + second) // 60:02d}-{(30 + second) % 60:02d}.png"
        for second in range(60)
    ]
    for index, name in enumerate(names):
        cv2.imwrite(str(tmp_path / name), np.full((4, 6), index, np.uint8))
    found = numbered_images(tmp_path, tmp_path.iterdir())
    frames = read_frames(Clip("a", "test", ImageFiles(tuple(found.values()))), 1)
    assert [int(frame[0, 0]) for frame in frames] == list(range(60))
