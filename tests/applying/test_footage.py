"""What a source on the command line means."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from bench.applying.footage import find_footage
from bench.contracts.clip import ImageFiles, VideoFile
from bench.errors import DataError


def images(folder, numbers):
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        cv2.imwrite(str(folder / f"frame{number}.png"), np.zeros((4, 6), np.uint8))
    return folder


@pytest.mark.parametrize(
    ("source", "name", "shown", "address"),
    [
        ("0", "device-0", "device 0", 0),
        ("rtsp://camera.local:554/yard/1?token=s", "camera.local-554-yard-1", "rtsp://camera.local:554/yard/1", "rtsp://camera.local:554/yard/1?token=s"),
        ("http://me:secret@10.0.0.2/../a b", "10.0.0.2-..-a-b", "http://10.0.0.2/../a b", "http://me:secret@10.0.0.2/../a b"),
        ("/dev/null", "null", "/dev/null", "/dev/null"),
    ],
)  # fmt: skip
def test_live_sources(source, name, shown, address):
    """A number, an address, a device's file; names are file names, and no password is shown."""
    (found,) = find_footage(source)
    assert (found.name, found.shown, found.address, found.clip) == (name, shown, address, None)


def test_a_file_and_a_folder_of_images_are_one_video_each(tmp_path):
    """A file of any ending; images in the order of their numbers, not of their names."""
    (tmp_path / "a.dat").write_bytes(b"")
    (video,) = find_footage(str(tmp_path / "a.dat"))
    assert (video.name, video.clip.source) == ("a", VideoFile(tmp_path / "a.dat"))
    folder = images(tmp_path / "yard", [8, 9, 10, 11])
    (folder / "._frame8.png").write_bytes(b"")
    (found,) = find_footage(str(folder))
    assert found.name == "yard" and [path.stem for path in found.clip.source.paths] == [
        "frame8",
        "frame9",
        "frame10",
        "frame11",
    ]


def test_a_folder_of_videos_and_folders_is_several(tmp_path):
    """By name; those of one name keep their endings; other files and hidden ones are left out."""
    for name in ("b.mp4", "a.avi", "a.MP4", "notes.txt", ".hidden.mp4"):
        (tmp_path / name).write_bytes(b"")
    images(tmp_path / "c", [1, 2])
    (tmp_path / "empty").mkdir()
    found = find_footage(str(tmp_path))
    assert [one.name for one in found] == ["a.MP4", "a.avi", "b", "c"]
    assert isinstance(found[-1].clip.source, ImageFiles) and found[-1].clip.length == 2


def test_what_cannot_be_a_source_is_said(tmp_path):
    """Nothing there; a folder of neither; images with a gap, without a number, with one number
    twice."""
    with pytest.raises(
        DataError, match=r"no source 'nowhere.mp4': No such file.*; give a video file"
    ):
        find_footage("nowhere.mp4")
    with pytest.raises(DataError, match=r"no source 'http://\[bad': Invalid IPv6 URL"):
        find_footage("http://[bad")
    with pytest.raises(DataError, match="contains no videos"):
        find_footage(str(tmp_path))
    with pytest.raises(
        DataError, match="the frame with number 3 is missing: 3 files, frame1.png to frame4.png"
    ):
        find_footage(str(images(tmp_path / "gap", [1, 2, 4])))
    images(tmp_path / "twice", [1])
    Path(tmp_path / "twice" / "other1.jpg").write_bytes(b"")
    with pytest.raises(DataError, match="have the same frame number, 1"):
        find_footage(str(tmp_path / "twice"))
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "cover.png").write_bytes(b"")
    with pytest.raises(DataError, match="has no number in its name"):
        find_footage(str(tmp_path / "one"))
