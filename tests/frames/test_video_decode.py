"""Every video is read rightly or refused: interlaced ones, cut ones, trimmed ones, and those of
variable frame rate."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from encoded import FIELDS, INTERLACED, cut_without_encoding, encode, moving

from bench.contracts.clip import Clip, VideoFile
from bench.errors import DataError
from bench.frames import containers, video_decode, video_survey
from bench.frames.decode import count_frames, estimate_frames, read_frames
from bench.frames.decode import video_survey as survey_of


def clip_of(path: Path) -> Clip:
    return Clip("01", "test", VideoFile(path))


def read(path: Path) -> list[np.ndarray]:
    """The frames, BGR."""
    return [cv2.cvtColor(frame, cv2.COLOR_RGB2BGR) for frame in read_frames(clip_of(path))]


def plain(path: Path) -> list[np.ndarray]:
    """What OpenCV alone makes of it."""
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    frames = []
    while (found := video.read())[0]:
        frames.append(found[1])
    video.release()
    return frames


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        next(read_frames(clip_of(path)))
    text = str(caught.value)
    with pytest.raises(DataError):
        count_frames(clip_of(path))
    assert str(path) in text
    return text


def distance(frames: list[np.ndarray], others: list[np.ndarray]) -> float:
    """The largest mean difference of two frames."""
    assert len(frames) == len(others) and frames[0].shape == others[0].shape
    return max(float(cv2.absdiff(one, other).mean()) for one, other in zip(frames, others))


def noisy(count: int, size: tuple[int, int] = (96, 128)) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [
        (frame + rng.integers(0, 30, frame.shape)).astype(np.uint8) for frame in moving(count, size)
    ]


# -- who reads -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", INTERLACED)
def test_interlaced_video_is_read(tmp_path: Path, kind: str) -> None:
    """OpenCV's own reading is a buffer that nobody wrote; ours is the frame, one for each coded
    frame."""
    ending, codec, pix_fmt, options = INTERLACED[kind]
    frames = moving(12, (576, 720) if codec == "dvvideo" else (96, 128))
    path = encode(tmp_path / f"01{ending}", frames, codec, pix_fmt, options)
    assert survey_of(clip_of(path)).interlaced
    if pix_fmt == "gray":
        frames = [
            cv2.cvtColor(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
            for frame in frames
        ]
    assert distance(read(path), frames) < 4
    assert count_frames(clip_of(path)) == 12


def test_interlacing_that_begins_in_the_middle_of_a_file(tmp_path: Path) -> None:
    """Only the frames tell it: the header is that of a progressive stream. OpenCV repeats the last
    frame it wrote."""
    frames = moving(24)
    progressive = encode(
        tmp_path / "a.ts", frames[:12], options={"x264-params": "threads=1:bframes=0"}
    )
    interlaced = encode(
        tmp_path / "b.ts",
        frames[12:],
        options={**FIELDS, "x264-params": "tff=1:threads=1:bframes=0"},
    )
    (tmp_path / "01.ts").write_bytes(progressive.read_bytes() + interlaced.read_bytes())
    assert distance(read(tmp_path / "01.ts"), frames) < 4


PROGRESSIVE = {
    "h264 mp4": (".mp4", "libx264", "yuv420p", {"x264-params": "threads=1"}),
    "h264 4:4:4, odd size": (".mkv", "libx264", "yuv444p", {"x264-params": "threads=1"}),
    "h264 10 bits": (".mp4", "libx264", "yuv420p10le", {"x264-params": "threads=1"}),
    "mpeg4 avi, B-frames": (".avi", "mpeg4", "yuv420p", {"bf": "2"}),
    "mjpeg mov": (".mov", "mjpeg", "yuvj420p", {}),
    "vp8 webm": (".webm", "libvpx", "yuv420p", {"auto-alt-ref": "1", "lag-in-frames": "8"}),
    "wmv2": (".wmv", "wmv2", "yuv420p", {}),
    "flv": (".flv", "flv1", "yuv420p", {}),
    "mpeg2 mpg": (".mpg", "mpeg2video", "yuv420p", {"bf": "2"}),
    "ffv1 gray": (".mkv", "ffv1", "gray", {}),
}


@pytest.mark.parametrize("kind", PROGRESSIVE)
def test_progressive_video_is_opencvs_to_the_bit_and_pyav_agrees(tmp_path: Path, kind: str) -> None:
    ending, codec, pix_fmt, options = PROGRESSIVE[kind]
    frames = noisy(12, (97, 131) if "odd" in kind else (96, 128))
    path = encode(tmp_path / f"01{ending}", frames, codec, pix_fmt, options)
    mine, others = read(path), plain(path)
    assert len(mine) == len(others) == 12 and all(map(np.array_equal, mine, others))
    assert distance(list(video_decode._by_pyav(path, "")), others) < 1
    assert not survey_of(clip_of(path)).interlaced


@pytest.mark.parametrize("degrees", [90, 180, 270])
@pytest.mark.parametrize("interlaced", [False, True])
def test_a_phones_video_is_turned_upright(tmp_path: Path, degrees: int, interlaced: bool) -> None:
    """As OpenCV turns it, whoever reads it."""
    options = (
        {**FIELDS, "x264-params": "tff=1:threads=1"} if interlaced else {"x264-params": "threads=1"}
    )
    frames = moving(4, (64, 128))
    path = encode(tmp_path / "01.mp4", frames, options=options, rotation=degrees)
    assert (
        distance(
            read(path), [np.ascontiguousarray(np.rot90(frame, degrees // 90)) for frame in frames]
        )
        < 4
    )
    if not interlaced:
        assert distance(list(video_decode._by_pyav(path, "")), plain(path)) < 1


def reading(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[list[np.ndarray]], list[np.ndarray]]
) -> None:
    """Have OpenCV return other frames."""
    own = video_decode._by_opencv
    monkeypatch.setattr(
        video_decode, "_by_opencv", lambda path: (frame for frame in change(list(own(path))))
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda frames: [np.zeros_like(frames[0])] * len(frames),
        lambda frames: [moving(1)[0] + np.uint8(1)] * len(frames),
        lambda frames: frames[:7] + [frames[6]] * (len(frames) - 7),
        lambda frames: [*frames[:7], frames[6], *frames[8:]],
        lambda frames: frames[:7],
        lambda frames: [],
        lambda frames: [frame.astype(np.uint16) for frame in frames],
        lambda frames: [frame[:, :50] for frame in frames],
    ],
    ids=[
        "black",
        "of another video",
        "stuck",
        "one unwritten",
        "ends early",
        "cannot be opened",
        "16 bits",
        "another size",
    ],
)
def test_what_opencv_does_not_write_is_pyavs(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[list[np.ndarray]], list[np.ndarray]],
) -> None:
    """Whatever the reason is: no frame that nobody wrote gets through."""
    path = encode(tmp_path / "01.mp4", moving(20))
    reading(monkeypatch, change)
    assert distance(read(path), moving(20)) < 4


def test_frames_that_really_repeat_stay_opencvs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A still camera's frames may be equal; each is looked up, and OpenCV's own are kept."""
    path = encode(tmp_path / "01.mkv", [moving(1)[0]] * 5 + moving(3), "ffv1")
    reading(monkeypatch, lambda frames: [cv2.add(frame, (1, 1, 1, 0)) for frame in frames])
    mine = read(path)
    assert all(map(np.array_equal, mine, [cv2.add(frame, (1, 1, 1, 0)) for frame in plain(path)]))


def test_a_file_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = encode(tmp_path / "01.mp4", moving(8))
    reading(monkeypatch, lambda frames: [*frames, moving(9)[8]])
    with pytest.raises(DataError, match=r"9 frames were read, 8 are in it; was it changed"):
        read(path)


def test_a_codec_that_only_pyav_decodes_is_read(tmp_path: Path) -> None:
    """AV1: the OpenCV of the package index has no decoder for it."""
    codec = "libsvtav1" if "libsvtav1" in av.codecs_available else "libaom-av1"
    path = encode(
        tmp_path / "01.mp4",
        moving(10),
        codec,
        options={"preset": "12"} if codec == "libsvtav1" else {"cpu-used": "8"},
    )
    assert distance(read(path), moving(10)) < 4


@pytest.mark.parametrize(("tag", "name"), [(b"evc1", "evc"), (b"zzzz", "zzzz")])
def test_no_decoder_is_no_damage(tmp_path: Path, tag: bytes, name: str) -> None:
    """The codec is named: FFmpeg's name where it has one, else the file's."""
    path = encode(tmp_path / "01.mp4", moving(4))
    path.write_bytes(path.read_bytes().replace(b"avc1", tag))
    text = refusal(path)
    assert (
        f"01.mp4 is not damaged, but this PyAV ({av.__version__}) has no decoder for {name}; convert it"
        in text
    )
    assert "ffmpeg -i FILE NEW.mp4" in text


@pytest.mark.parametrize("name", ["12:30 größer %03d.mp4", "caf\udce9.mp4"])
def test_any_file_name(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also a relative one that looks like an address, and one that is not UTF-8."""
    encode(tmp_path / "a.mp4", moving(4)).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert len(read(Path(name))) == count_frames(clip_of(Path(name))) == 4


def test_no_other_file_is_opened(tmp_path: Path) -> None:
    """A playlist is no video."""
    encode(tmp_path / "a.mp4", moving(4))
    (tmp_path / "01.mp4").write_text(f"ffconcat version 1.0\nfile {tmp_path / 'a.mp4'}\n")
    assert "01.mp4" in refusal(tmp_path / "01.mp4")
    (tmp_path / "01.m3u8").write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"
    )
    assert "01.m3u8" in refusal(tmp_path / "01.m3u8")


def test_nothing_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Neither OpenCV nor FFmpeg speak: what is wrong is an error of ours."""
    path = encode(
        tmp_path / "01.mp4", noisy(20), options={**FIELDS, "x264-params": "tff=1:threads=1"}
    )
    assert len(read(path)) == 20
    content = bytearray(path.read_bytes())
    content[len(content) // 3 : len(content) // 2] = bytes(len(content) // 2 - len(content) // 3)
    path.write_bytes(content)
    refusal(path)
    assert capfd.readouterr() == ("", "")


# -- whole or not ----------------------------------------------------------------------------------

WHOLE: dict[str, tuple[str, str, dict[str, str], dict[str, str]]] = {
    "mp4": (".mp4", "libx264", {"g": "10"}, {"movflags": "+faststart"}),
    "mp4, index at its end": (".mp4", "libx264", {"g": "10"}, {}),
    "fragmented mp4": (".mp4", "libx264", {"g": "10"}, {"movflags": "frag_keyframe+empty_moov"}),
    "mov": (".mov", "mjpeg", {}, {"movflags": "+faststart"}),
    "3gp": (".3gp", "mpeg4", {}, {"movflags": "+faststart"}),
    "mkv": (".mkv", "libx264", {"g": "10"}, {}),
    "live mkv": (".mkv", "libx264", {"g": "10"}, {"live": "1"}),
    "webm": (".webm", "libvpx", {}, {}),
    "wmv": (".wmv", "wmv2", {}, {}),
    "flv": (".flv", "flv1", {}, {}),
    "ogv": (".ogv", "libvpx", {}, {}),
    "avi": (".avi", "mpeg4", {}, {}),
    "ts": (".ts", "libx264", {"g": "10"}, {}),
    "m2ts": (".m2ts", "libx264", {"g": "10"}, {}),
}


def whole(folder: Path, kind: str) -> Path:
    ending, codec, options, container_options = WHOLE[kind]
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    return encode(
        folder / f"01{ending}",
        noisy(60),
        codec,
        pix_fmt,
        options,
        container_options=container_options,
    )


@pytest.mark.parametrize("kind", WHOLE)
def test_a_file_cut_anywhere_is_refused_and_the_whole_one_read(tmp_path: Path, kind: str) -> None:
    path = whole(tmp_path, kind)
    assert len(read(path)) == count_frames(clip_of(path)) == 60
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for length in [
        len(content) * 6 // 10,
        *rng.integers(len(content) // 10, len(content), 8).tolist(),
    ]:
        path.write_bytes(content[:length])
        text = refusal(path)
        assert "truncated" in text or "damaged" in text, (length, text)


@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize("filled", ["zeros", "noise"])
def test_a_file_with_a_hole_is_refused(tmp_path: Path, kind: str, filled: str) -> None:
    """Of its full size, with a tenth of something else: an interrupted download, a bad disk."""
    path = whole(tmp_path, kind)
    content = path.read_bytes()
    size = len(content) // 10
    rng = np.random.default_rng(0)
    for at in [
        len(content) * 6 // 10,
        *rng.integers(len(content) // 4, len(content) * 8 // 10, 5).tolist(),
    ]:
        hole = bytes(size) if filled == "zeros" else rng.bytes(size)
        path.write_bytes(content[:at] + hole + content[at + size :])
        text = refusal(path)
        assert "truncated" in text or "damaged" in text, (at, text)


def test_damage_is_found_before_the_first_frame_and_names_the_place(tmp_path: Path) -> None:
    path = encode(
        tmp_path / "01.mp4",
        noisy(60),
        options={"g": "10"},
        container_options={"movflags": "+faststart"},
    )
    content = bytearray(path.read_bytes())
    content[len(content) * 6 // 10 : len(content) * 7 // 10] = bytes(
        len(content) * 7 // 10 - len(content) * 6 // 10
    )
    path.write_bytes(content)
    text = refusal(path)
    assert (
        "is damaged after 3" in text
        and "a packet of h264 cannot be decoded" in text
        and "copy or unpack it again" in text
        and "ffmpeg -i FILE NEW.mp4" in text
    )


def test_what_stands_behind_an_mp4_is_no_damage(tmp_path: Path) -> None:
    """Cameras pad their files, and append records of their own."""
    path = encode(tmp_path / "01.mp4", moving(10))
    for more in (bytes(5000), b"\x00\x00\x01\x00gps " + bytes(9), b"\xff" * 100, b"abc"):
        longer = tmp_path / "02.mp4"
        longer.write_bytes(path.read_bytes() + more)
        assert count_frames(clip_of(longer)) == 10


def test_sizes_of_64_bits_in_an_mp4_are_no_damage(tmp_path: Path) -> None:
    """Recorders write the size of the frames behind the name of their box where 32 bits may not do,
    in the place of an empty box `free`."""
    path = encode(tmp_path / "01.mp4", moving(10))
    content = path.read_bytes()
    at = content.index(b"free") - 4
    assert content[at : at + 8] == b"\0\0\0\x08free" and content[at + 12 : at + 16] == b"mdat"
    size = int.from_bytes(content[at + 8 : at + 12], "big") + 8
    box = (1).to_bytes(4, "big") + b"mdat" + size.to_bytes(8, "big")
    path.write_bytes(content[:at] + box + content[at + 16 :])
    assert count_frames(clip_of(path)) == 10
    path.write_bytes(path.read_bytes()[: at + size - 1])
    assert "truncated" in refusal(path)


def test_an_avi_with_one_frame_less_than_its_index_is_refused(tmp_path: Path) -> None:
    path = whole(tmp_path, "avi")
    content = path.read_bytes()
    at = content.index(b"idx1")
    length = int.from_bytes(content[at + 4 : at + 8], "little")
    entries = content[at + 8 : at + 8 + length]
    longer = b"idx1" + (length + 16).to_bytes(4, "little") + entries + entries[-16:]
    changed = bytearray(content[:at] + longer + content[at + 8 + length :])
    changed[4:8] = (len(changed) - 8).to_bytes(4, "little")
    path.write_bytes(changed)
    assert "it holds 61 frames, of which 60 can be found" in refusal(path)


def test_a_live_stream_states_no_sizes(tmp_path: Path) -> None:
    """A Matroska written to a pipe has neither a size nor a duration, and is read; one that ends
    inside of a frame is not."""
    path = whole(tmp_path, "live mkv")
    with av.open(str(path)) as container:
        assert container.duration is None
    assert count_frames(clip_of(path)) == 60


def test_streams_joined_or_begun_anywhere_are_read(tmp_path: Path) -> None:
    """Transport streams are cut and joined as they are: what comes before the first frame that
    can be decoded is no damage."""
    path = encode(
        tmp_path / "a.ts",
        noisy(60),
        options={"g": "20", "x264-params": "threads=1:bframes=0:scenecut=0:repeat-headers=1"},
    )
    content = path.read_bytes()
    (tmp_path / "b.ts").write_bytes(content + content)
    assert len(read(tmp_path / "b.ts")) == 120
    (tmp_path / "c.ts").write_bytes(content[len(content) // 188 // 5 * 188 :])
    frames = read(tmp_path / "c.ts")
    assert len(frames) == 40 and distance(frames, plain(tmp_path / "c.ts")) == 0


def test_audio_that_lasts_longer_and_covers_are_no_damage(tmp_path: Path) -> None:
    for ending in (".mp4", ".mkv"):
        path = tmp_path / f"01{ending}"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.height, stream.width, stream.pix_fmt = 96, 128, "yuv420p"
            sound = container.add_stream("aac", rate=8000)
            for frame in moving(25):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="bgr24")))
            container.mux(stream.encode(None))
            for number in range(40):
                piece = av.AudioFrame.from_ndarray(
                    np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
                )
                piece.sample_rate, piece.pts = 8000, 1024 * number
                container.mux(sound.encode(piece))
            container.mux(sound.encode(None))
        assert count_frames(clip_of(path)) == 25


# -- edit lists and time stamps --------------------------------------------------------------------


@pytest.mark.parametrize("ending", [".mp4", ".mov"])
def test_an_edit_list_hides_frames(tmp_path: Path, ending: str) -> None:
    """Cut at frame 38 without encoding: packets from frame 30 on are in the file, 62 frames are
    shown."""
    before = encode(
        tmp_path / "a.mp4", moving(100), options={"g": "30", "x264-params": "scenecut=0:threads=1"}
    )
    path = cut_without_encoding(before, tmp_path / f"01{ending}", 38)
    assert estimate_frames(clip_of(path)) == 70  # what the header counts
    assert len(read(path)) == count_frames(clip_of(path)) == estimate_frames(clip_of(path)) == 62
    assert distance(read(path), moving(100)[38:]) < 4


def varying() -> list[float]:
    """50 frames in 10 s, then 50 in 2 s."""
    return [number / 5 if number < 50 else 10 + (number - 50) / 25 for number in range(100)]


@pytest.mark.parametrize("ending", [".mkv", ".mp4", ".mov", ".ts"])
def test_times_of_variable_frame_rate(tmp_path: Path, ending: str) -> None:
    found = survey_of(clip_of(encode(tmp_path / f"01{ending}", moving(100), times=varying())))
    assert found.times is not None and found.rate == pytest.approx(99 / varying()[-1], rel=1e-3)
    np.testing.assert_allclose(found.times, varying(), atol=0.002)
    again = survey_of(clip_of(tmp_path / f"01{ending}"))
    assert again == found  # remembered to the last digit


@pytest.mark.parametrize(
    ("ending", "rate"), [(".mkv", 30), (".mp4", 25), (".avi", 12), (".flv", 30), (".ts", 24)]
)
def test_times_of_a_constant_rate_are_number_over_rate(
    tmp_path: Path, ending: str, rate: int
) -> None:
    """Also where the container rounds to milliseconds, and where B-frames leave an avi without
    usable stamps."""
    codec = "flv1" if ending == ".flv" else "libx264"
    found = survey_of(clip_of(encode(tmp_path / f"01{ending}", moving(50), codec, rate=rate)))
    assert (found.rate, found.times) == (rate, None)


def test_a_survey_is_remembered_for_these_decoders_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = encode(tmp_path / "01.mp4", moving(8))
    first = survey_of(clip_of(path))
    monkeypatch.setattr(video_survey, "_decoded", lambda *how: pytest.fail("decoded again"))
    assert survey_of(clip_of(path)) == first
    monkeypatch.setattr(video_survey, "_decoders", lambda: "another OpenCV")
    monkeypatch.setattr(video_survey, "_decoded", lambda *how: video_survey.Survey(7, False, 25.0))
    assert survey_of(clip_of(path)).frames == 7


def test_damage_behind_a_remembered_survey_is_found_anew(tmp_path: Path) -> None:
    """Bits that changed on the disk change neither size nor time; `bench verify --full` reads with
    `anew`."""
    import os

    path = encode(
        tmp_path / "01.mp4",
        noisy(60),
        options={"g": "10"},
        container_options={"movflags": "+faststart"},
    )
    assert len(read(path)) == 60
    status, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) * 6 // 10] = bytes(
        len(content) * 6 // 10 - len(content) // 2
    )
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(DataError, match="damaged"):
        list(read_frames(clip_of(path), anew=True))


def test_decoding_can_be_ended(tmp_path: Path) -> None:
    """`step` hears how far it is, and what it raises gets through; nothing is remembered."""
    path = encode(tmp_path / "01.mp4", moving(120))
    heard = []

    def step(done: int) -> None:
        heard.append(done)
        if done >= 100:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        survey_of(clip_of(path), step)
    assert heard == [50, 100] and survey_of(clip_of(path)).frames == 120


# -- real files ------------------------------------------------------------------------------------


def real_videos() -> Iterator:
    """All; the default suite reads the two smallest of each folder, whose files one encoder made,
    and `tox -e fuzz` the others."""
    shared = Path(__file__).parents[3] / "shared" / "partial"
    for folder in (*sorted(shared.glob("avenue/*_videos")), shared / "shanghaitech_mp4"):
        found = sorted(folder.glob("*.[am][vp][i4]"), key=lambda path: path.stat().st_size)
        for number, path in enumerate(found):
            marks = (pytest.mark.realdata, *[pytest.mark.long] * (number > 1))
            yield pytest.param(path, id=f"{folder.name}/{path.name}", marks=marks)


@pytest.mark.parametrize("path", list(real_videos()))
def test_real_videos_are_opencvs_to_the_bit(path: Path) -> None:
    """Avenue's official files and ShanghaiTech's as mp4: what published numbers were made with."""
    count = 0
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    for frame in read_frames(clip_of(path)):
        assert np.array_equal(frame, cv2.cvtColor(video.read()[1], cv2.COLOR_BGR2RGB))
        count += 1
    assert not video.read()[0] and count == count_frames(clip_of(path)) > 30
    video.release()


# -- containers by hand ----------------------------------------------------------------------------


def test_sizes_in_ebml() -> None:
    """RFC 8794, 4.3 and 4.4: one to eight bytes; all ones mean unknown."""
    cases = {
        b"\xa3\x85": (0xA3, 2, 5),
        b"\xa3\x40\x05": (0xA3, 3, 5),
        b"\x1f\x43\xb6\x75\x01\xff\xff\xff\xff\xff\xff\xff": (0x1F43B675, 12, None),
        b"\xa3\xff": (0xA3, 2, None),
        b"\xa3": None,
        b"\x00\x85": None,
        b"\xa3\x00": None,
        b"": None,
    }
    for header, expected in cases.items():
        assert containers._ebml(header) == expected


def test_a_second_copy_under_another_name_is_counted_by_itself(tmp_path: Path) -> None:
    path = encode(tmp_path / "01.mp4", moving(8))
    shutil.copy2(path, tmp_path / "02.mp4")
    assert count_frames(clip_of(path)) == count_frames(clip_of(tmp_path / "02.mp4")) == 8
