"""A live source: frames in order, gaps where they are lost or dropped, and when it is given up."""

import threading
import time

import pytest
from captures import Capture, of_gray, opener

from bench.applying import live_source as live
from bench.applying.footage import find_footage
from bench.applying.live_source import Gap, LiveSource
from bench.errors import DataError


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(live, "WAITS", (0.01, 0.02))


def everything(source, most=8):
    """What comes, as the gray values of frames and the reasons of gaps, until the end."""
    found, numbers = [], []
    end = time.monotonic() + 20
    while (taken := source.take(most, 0.05)) is not None:
        assert time.monotonic() < end
        found += (
            [taken.why] if isinstance(taken, Gap) else [int(one.frame[0, 0, 0]) for one in taken]
        )
        numbers += [] if isinstance(taken, Gap) else [one.number for one in taken]
    return found, numbers


def made(monkeypatch, captures, room=50, give_up=0.2):
    monkeypatch.setattr(live, "open_capture", opener(captures))
    said = []
    return LiveSource(
        find_footage("rtsp://me:secret@camera/1")[0], room, give_up, said.append
    ), said


def test_a_lost_connection_is_tried_again_and_said(monkeypatch):
    """Frames before and after it, with a gap between; one that opens without a frame is no
    connection; then it is given up."""
    captures = [
        Capture(of_gray([1, 2, 3])),
        Capture([], opens=False),
        Capture([]),
        Capture(of_gray([4, 5])),
    ]
    source, said = made(monkeypatch, captures)
    found, numbers = everything(source)
    assert found == [1, 2, 3, "connection lost", 4, 5, "connection lost"] and numbers == [
        0,
        1,
        2,
        3,
        4,
    ]
    assert source.reconnected == 1 and source.lost.startswith("no frame for 0.2 s, ")
    assert (
        "rtsp://camera/1: connection lost at " in said[0]
        and "trying again, for up to 0.2 s" in said[0]
    )
    assert (
        "connected again after " in said[1]
        and said[1].endswith("3 tries")
        and not any("secret" in text for text in said)
    )
    assert all(capture.released.is_set() for capture in captures)


def test_frames_are_dropped_until_none_waits(monkeypatch):
    """What is kept is consecutive; the gap tells how many were dropped; numbers count them."""
    go_on = threading.Event()

    def frames():
        yield from of_gray(range(20))
        go_on.wait(20)
        yield from of_gray(range(20, 24))

    source, _ = made(monkeypatch, [Capture(frames())], room=5)
    end = time.monotonic() + 20
    while source.dropped < 15 and time.monotonic() < end:
        time.sleep(0.005)
    assert [one.number for one in source.take(3, 1)] == [0, 1, 2]
    assert [one.number for one in source.take(8, 1)] == [3, 4]
    gap = source.take(8, 1)
    assert (gap.why, gap.dropped, source.dropped) == ("frames dropped", 15, 15)
    go_on.set()
    assert everything(source) == ([20, 21, 22, 23, "connection lost"], [20, 21, 22, 23])


def test_colours_are_turned_to_rgb(monkeypatch):
    """OpenCV gives blue first."""
    frame = of_gray([0])[0]
    frame[..., 0] = 200
    source, _ = made(monkeypatch, [Capture([frame], lasting=True)])
    (one,) = source.take(1, 5)
    assert one.frame[0, 0].tolist() == [0, 0, 200] and one.seconds == 0
    source.close()


def test_what_is_no_live_source_is_refused(monkeypatch):
    """One that cannot be opened; a file behind an address, which would begin anew after each
    end."""
    with pytest.raises(DataError, match="rtsp://camera/1 cannot be opened as a live source"):
        made(monkeypatch, [])
    capture = Capture(of_gray([1]), count=250.0)
    with pytest.raises(
        DataError, match="rtsp://camera/1 is a file of 250 frames, not a live source; download it"
    ):
        made(monkeypatch, [capture])
    assert capture.released.is_set()
