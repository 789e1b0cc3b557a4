"""What recorders, cutters and broken downloads leave, through the program: the number of the same
video in plain form, or a refusal."""

import cv2
import forked
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from encoded import FIELDS, cut_without_encoding, encode, moving

from bench.cli.main import bench

PLAIN = {"x264-params": "threads=1"}
INTERLACED = {**FIELDS, "x264-params": "tff=1:threads=1"}


def scene(odd=()):
    """A square that drifts over gray, and is anywhere in the frames `odd`."""
    rng = np.random.default_rng(1)
    frames = []
    for number in range(60):
        frame = np.full((96, 128, 3), 90, np.uint8)
        left = int(rng.integers(0, 100)) if number in odd else number
        frame[40:60, left : left + 20] = 220
        frames.append(frame)
    return frames


def station(folder, options, ending=".mp4"):
    for split, name, odd in (("train", "normal", ()), ("test", "gate", range(25, 45))):
        (folder / split).mkdir(parents=True)
        encode(folder / split / f"{name}{ending}", scene(odd), options=options)
    (folder / "labels.csv").write_text("clip,first,last\ngate,25,44\n")
    return folder


def verify(folder, *more):
    found = CliRunner().invoke(bench, ["verify", f"folder[path={folder}]", *map(str, more)])
    return found.exit_code, found.output


def test_interlaced_video_has_the_number_of_progressive(tmp_path):
    """Black frames scored 50.00; the same scene has the same number in both forms."""
    places = [
        station(tmp_path / "progressive", PLAIN),
        station(tmp_path / "interlaced", INTERLACED),
        station(tmp_path / "mkv", INTERLACED, ".mkv"),
    ]
    words = [
        "run",
        "--methods",
        "frame-difference,optical-flow",
        "--datasets",
        ",".join(f"folder[path={place}]" for place in places),
    ]
    found = forked.bench(
        *words, "--profile", "smoke", "--threads", "1", "--out", "run", cwd=tmp_path
    )
    assert found.returncode == 0, found.stderr
    table = pd.read_csv(tmp_path / "run" / "tables" / "results.csv")
    values = table[table["metric"] == "auc"].pivot_table(
        index="method", columns="dataset", values="value"
    )
    assert values.shape == (2, 3) and (values > 0.9).all(axis=None), values
    assert float(np.ptp(values.to_numpy(), axis=1).max()) < 0.01, values
    assert verify(places[1], "--full")[0] == 0


def test_a_cut_video_is_never_green(tmp_path):
    """Neither in passing nor with --full, and the reason names the file."""
    folder = station(tmp_path / "station", {**PLAIN, "g": "10"})
    path = folder / "test" / "gate.mp4"
    content = path.read_bytes()
    hole = (
        content[: len(content) // 3]
        + bytes(len(content) // 10)
        + content[len(content) // 3 + len(content) // 10 :]
    )
    for damaged in (content[: len(content) * 6 // 10], hole):
        path.write_bytes(damaged)
        for more in ((), ("--full",)):
            code, output = verify(folder, *more)
            assert (
                code == 1
                and "gate.mp4" in output
                and ("truncated" in output or "damaged" in output)
            ), output


def test_a_video_cut_without_encoding_is_green(tmp_path):
    """62 of 70 frames are shown, and these are counted."""
    folder = station(tmp_path / "station", PLAIN)
    whole = encode(
        tmp_path / "whole.mp4",
        moving(100),
        options={"g": "30", "x264-params": "scenecut=0:threads=1"},
    )
    cut_without_encoding(whole, folder / "test" / "gate.mp4", 38)
    (folder / "labels.csv").unlink()
    code, output = verify(folder, "--full")
    assert code == 0 and "test: 1 clips, 62 frames" in output


@pytest.mark.parametrize("tag", ["evc1", "zzzz"])
def test_a_codec_without_a_decoder_is_named(tmp_path, tag):
    """It is said to be no damage."""
    folder = station(tmp_path / "station", PLAIN)
    path = folder / "test" / "gate.mp4"
    path.write_bytes(path.read_bytes().replace(b"avc1", tag.encode()))
    code, output = verify(folder)
    assert (
        code == 1
        and "gate.mp4 is not damaged, but this PyAV" in output
        and f"has no decoder for {tag[:3]}" in output
    )


def test_what_is_read_are_the_frames(tmp_path):
    """The frames in the store are those that went into the interlaced file."""
    from bench import Clip, FrameFormat, VideoFile
    from bench.frames.store import temporary_frames

    place = station(tmp_path / "interlaced", INTERLACED)
    clip = Clip("gate", "test", VideoFile(place / "test" / "gate.mp4"))
    with temporary_frames(clip, FrameFormat((96, 128), 1), lambda done: None) as frames:
        gray = [cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in scene(range(25, 45))]
        assert (
            len(frames) == 60
            and max(float(cv2.absdiff(one, other).mean()) for one, other in zip(frames, gray)) < 3
        )
