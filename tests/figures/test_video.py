"""The annotated video: what stands where in its frames, and that it is written whole or not at
all."""

import errno
from dataclasses import dataclass

import av
import cv2
import numpy as np
import pytest

from bench.errors import RunError
from bench.figures.video import BAND, GAP, HEAD, LEFT, PANEL, Track, film, write_video

LENGTH = 12
SCORES = np.concatenate([[np.nan], np.linspace(0, 1, LENGTH - 1)])
LABELS = (np.arange(LENGTH) >= 6).astype(np.uint8)
TRACK = Track("a title _$ \u4e2d", SCORES, LABELS, "median17")
TOP = HEAD + 4 + HEAD


@dataclass
class Frame:
    """A frame as the replay gives it."""

    image: np.ndarray
    reconstruction: np.ndarray | None = None
    error: np.ndarray | None = None


def frames(length=LENGTH, parts=True):
    for number in range(length):
        red = np.zeros((24, 48, 3), np.uint8)
        red[..., 0] = 255
        if not parts or number == 0:
            yield Frame(red)
        else:
            yield Frame(
                red,
                np.full((16, 16), 128, np.uint8),
                np.full((16, 16), number / LENGTH, np.float32),
            )


def read(path):
    video = cv2.VideoCapture(str(path))
    found = []
    while (frame := video.read())[0]:
        found.append(frame[1].astype(int))
    rate = video.get(cv2.CAP_PROP_FPS)
    video.release()
    return found, rate


def colour(frame, panel, width=2 * PANEL):
    """The colour of the middle of a panel, blue first."""
    left = GAP + panel * (width + GAP)
    return frame[TOP + PANEL // 2 - 30, left + width // 2]


def test_panels_stand_beside_each_other(tmp_path):
    """Frame in its proportions and colours, reconstruction, error map on one scale; a frame without
    them says so in gray."""
    steps = []
    write_video(
        tmp_path / "a.mp4",
        TRACK,
        frames(),
        ("map", "reconstruction"),
        1.0,
        10,
        lambda *at: steps.append(at),
    )
    found, rate = read(tmp_path / "a.mp4")
    assert (len(found), rate, steps[-1]) == (LENGTH, 10, (LENGTH, LENGTH))
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    ramp = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], cv2.COLORMAP_INFERNO)[
        :, 0
    ].astype(int)
    for number in (3, 11):
        np.testing.assert_allclose(colour(found[number], 0), [0, 0, 255], atol=12)
        np.testing.assert_allclose(colour(found[number], 1), [128] * 3, atol=6)
        np.testing.assert_allclose(
            colour(found[number], 2), ramp[int(number / LENGTH * 255)], atol=25
        )
    np.testing.assert_allclose(colour(found[0], 1), [235] * 3, atol=6)


def test_cursor_and_shade_follow_the_frames(tmp_path):
    """The dark line is where the frame is; behind it the truth is shaded, and an anomalous frame
    has a border."""
    write_video(
        tmp_path / "a.mp4", TRACK, frames(), ("map", "reconstruction"), 1.0, 25, lambda *at: None
    )
    found, _ = read(tmp_path / "a.mp4")
    bottom = found[0].shape[0]
    band = slice(2 * HEAD + 2 + PANEL + HEAD + 5, 2 * HEAD + 2 + PANEL + HEAD + BAND - 5)
    right = found[0].shape[1] - GAP - 2
    for number, frame in enumerate(found):
        across = round(LEFT + number / (LENGTH - 1) * (right - LEFT))
        columns = frame[band].mean(axis=(0, 2))
        darkest = (
            int(np.argmin(columns[LEFT + 3 : right - 3])) + LEFT + 3
        )  # without the box's own sides
        assert bottom > band.stop and (abs(darkest - across) <= 3 or number in (0, 11))
        shaded = frame[band.start, LEFT + 8 : right - 8, 0] < 225
        assert abs(shaded.mean() - 0.5) < 0.08
        border = np.abs(frame[TOP + 60, GAP + 1] - [0, 94, 213]).max() < 60
        assert border == bool(LABELS[number])


def test_panels_that_a_method_lacks_are_left_out(tmp_path):
    """A method without a network has its frame and its score."""
    write_video(
        tmp_path / "sub" / "a.mp4", TRACK, frames(parts=False), (), 0.0, 25, lambda *at: None
    )
    found, _ = read(tmp_path / "sub" / "a.mp4")
    assert found[0].shape[1] < GAP + 2 * (2 * PANEL + GAP) and len(found) == LENGTH


def test_notes_are_in_every_frame(tmp_path):
    """What a viewer must know is written below the timeline of every frame."""
    heights = []
    for notes in ((), ("scores differ",)):
        track = Track("t", SCORES, LABELS[:0], "raw", notes)
        write_video(tmp_path / "a.mp4", track, frames(), (), 0.0, 25, lambda *at: None)
        found, _ = read(tmp_path / "a.mp4")
        heights.append(found[0].shape[0])
        orange = (found[5][..., 2] - found[5][..., 0] > 60)[-HEAD - 14 :].any()
        assert orange == bool(notes)
    assert heights[1] == heights[0] + HEAD


@pytest.mark.parametrize("length", [LENGTH - 1, LENGTH + 1, 0])
def test_a_video_is_whole_or_not_there(tmp_path, length):
    """Where frames and scores differ in number nothing is written, and what was there stays."""
    (tmp_path / "a.mp4").write_bytes(b"before")
    with pytest.raises(
        RunError,
        match=rf"a.mp4: {length} frames were decoded, 12 are known of the clip: it is another copy",
    ):
        write_video(tmp_path / "a.mp4", TRACK, frames(length), (), 0.0, 25, lambda *at: None)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.mp4", b"before")]


def test_frames_are_shown_at_their_times(tmp_path):
    """As FFmpeg reads the stamps back: those of footage whose frame rate varies."""
    times = [0.0, 0.2, 0.4, 0.44, 0.48, 10.0, 10.001]
    with film(tmp_path / "a.mp4", 8.277592, stamped=True) as write:
        for seconds in times:
            write(np.full((48, 64, 3), 90, np.uint8), seconds)
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert [
            round(float(frame.pts * frame.time_base), 4) for frame in container.decode(video=0)
        ] == times


@pytest.mark.parametrize("rate", [25.0, 12.5, 30000 / 1001, 8.277592, 240.0, 0.5])
def test_frames_of_one_rate(tmp_path, rate):
    """The file states the rate, and the same frames give the same bytes."""
    for name in ("a.mp4", "b.mp4"):
        with film(tmp_path / name, rate) as write:
            for number in range(7):
                write(np.full((48, 64, 3), 30 * number, np.uint8), number / rate)
    found, stated = read(tmp_path / "a.mp4")
    assert len(found) == 7 and stated == pytest.approx(rate, rel=1e-4)
    assert [round(frame.mean() / 30) for frame in found] == list(range(7))
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_a_full_disk_costs_no_half_video(tmp_path, monkeypatch):
    """What FFmpeg says of it is one line, and no file stays."""

    def full(*arguments, **options):
        raise av.error.OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(av, "open", full)
    with pytest.raises(
        RunError, match="cannot write .*a.mp4: No space left on device; free space or permission"
    ):
        write_video(tmp_path / "a.mp4", TRACK, frames(), (), 0.0, 25, lambda *at: None)
    assert not list(tmp_path.iterdir())
