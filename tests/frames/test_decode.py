"""Frames come out of files whole and in order, or not at all."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from bench.contracts.clip import Clip, ImageFiles, VideoFile
from bench.errors import DataError
from bench.frames import image_decode, video_survey
from bench.frames.decode import count_frames, estimate_frames, read_frames


def image(seed: int = 0, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    """A smooth RGB image with noise, (H, W, 3)."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: size[0], : size[1]]
    base = np.dstack([rows * 3, columns * 2, 255 - rows * 2 - columns])
    return (base + rng.integers(0, 20, base.shape)).clip(0, 255).astype(np.uint8)


def images(folder: Path, count: int = 3, ending: str = ".png", **options: object) -> Clip:
    paths = []
    for index in range(count):
        paths.append(folder / f"{index:03d}{ending}")
        Image.fromarray(image(index)).save(paths[-1], **options)
    return Clip("07", "test", ImageFiles(tuple(paths)))


def video(
    path: Path, count: int = 40, codec: str = "XVID", size: tuple[int, int] = (96, 128)
) -> Clip:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 10, size[::-1])
    assert writer.isOpened()
    frame = image(1, size)
    for index in range(count):
        writer.write(np.roll(frame, 2 * index, axis=1))
    writer.release()
    return Clip("01", "train", VideoFile(path))


def refusal(clip: Clip) -> str:
    with pytest.raises(DataError) as caught:
        list(read_frames(clip))
    return str(caught.value)


def test_colour_images_come_out_as_rgb_in_order(tmp_path: Path) -> None:
    frames = list(read_frames(images(tmp_path)))
    assert len(frames) == 3
    for index, frame in enumerate(frames):
        np.testing.assert_array_equal(frame, image(index))


def test_gray_is_bt601_luma(tmp_path: Path) -> None:
    """0.299 R + 0.587 G + 0.114 B, within the rounding of fixed point."""
    frame = next(read_frames(images(tmp_path, 1), channels=1))
    assert frame.shape == (48, 64) and frame.dtype == np.uint8
    luma = image(0).astype(float) @ [0.299, 0.587, 0.114]
    assert np.abs(frame - luma).max() <= 0.51


def test_one_channel_and_three_equal_channels_are_the_same_gray(tmp_path: Path) -> None:
    every = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(every).save(tmp_path / "1.png")
    Image.fromarray(np.dstack([every] * 3)).save(tmp_path / "3.png")
    for channels, expected in ((1, every), (3, np.dstack([every] * 3))):
        for name in ("1.png", "3.png"):
            clip = Clip("01", "test", ImageFiles((tmp_path / name,)))
            np.testing.assert_array_equal(next(read_frames(clip, channels)), expected)


def test_transparency_is_left_out(tmp_path: Path) -> None:
    Image.fromarray(np.dstack([image(), np.full((48, 64), 7, np.uint8)])).save(tmp_path / "0.png")
    np.testing.assert_array_equal(
        next(read_frames(Clip("01", "test", ImageFiles((tmp_path / "0.png",))))), image()
    )


def test_palette_and_tif_are_read(tmp_path: Path) -> None:
    gray = image()[:, :, 0]
    Image.fromarray(gray).save(tmp_path / "0.tif")
    clip = Clip("01", "test", ImageFiles((tmp_path / "0.tif",)))
    np.testing.assert_array_equal(next(read_frames(clip, 1)), gray)


@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_sixteen_bits_are_refused(tmp_path: Path, ending: str) -> None:
    cv2.imwrite(str(tmp_path / f"0{ending}"), image()[:, :, 0].astype(np.uint16) * 200)
    assert "16 bits a channel" in refusal(
        Clip("01", "test", ImageFiles((tmp_path / f"0{ending}",)))
    )


@pytest.mark.parametrize("ending", [".jpg", ".tif", ".png", ".bmp"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_truncated_image_is_refused_with_file_and_frame(
    tmp_path: Path, ending: str, share: float
) -> None:
    clip = images(tmp_path, 3, ending)
    broken = tmp_path / f"001{ending}"
    broken.write_bytes(broken.read_bytes()[: int(broken.stat().st_size * share)])
    text = refusal(clip)
    assert "clip 07, frame 1:" in text and str(broken) in text and "truncated" in text


def test_frames_before_a_damaged_one_come_out(tmp_path: Path) -> None:
    clip = images(tmp_path, 3, ".jpg")
    (tmp_path / "002.jpg").write_bytes((tmp_path / "002.jpg").read_bytes()[:-2])
    frames = read_frames(clip)
    assert next(frames).shape == next(frames).shape == (48, 64, 3)
    with pytest.raises(
        DataError,
        match=r"frame 2: .*002\.jpg is truncated: a JPEG that ends .* before its end marker",
    ):
        next(frames)


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"quality": 100, "subsampling": 0}, {"optimize": True}]
)
def test_whole_jpegs_of_all_kinds_are_read(tmp_path: Path, options: dict[str, object]) -> None:
    assert len(list(read_frames(images(tmp_path, 2, ".jpg", **options)))) == 2


def test_a_thumbnails_end_marker_does_not_hide_a_truncation() -> None:
    """The thumbnail in an Exif block ends with the same marker as the image."""
    _, thumbnail = cv2.imencode(".jpg", image(0, (8, 8)))
    _, whole = cv2.imencode(".jpg", image())
    small, content = thumbnail.tobytes(), whole.tobytes()
    block = b"\xff\xe1" + (len(small) + 2).to_bytes(2, "big") + small
    with_thumbnail = content[:2] + block + content[2:]
    assert image_decode._has_end_of_jpeg(with_thumbnail)
    assert image_decode._has_end_of_jpeg(with_thumbnail + b"\0\0trailing")
    assert not image_decode._has_end_of_jpeg(with_thumbnail[:-2])
    assert not image_decode._has_end_of_jpeg(with_thumbnail[: len(block) + 30])


def test_a_jpeg_filled_up_with_zeros_is_refused(tmp_path: Path) -> None:
    """As an interrupted download into a file of full size leaves it."""
    clip = images(tmp_path, 1, ".jpg")
    path = tmp_path / "000.jpg"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + bytes(len(content) - len(content) // 2))
    assert "before its end marker" in refusal(clip)


def test_empty_file_and_lfs_pointer_are_named(tmp_path: Path) -> None:
    path = tmp_path / "000.tif"
    path.write_bytes(b"")
    clip = Clip("02", "test", ImageFiles((path,)))
    assert "is empty (0 bytes)" in refusal(clip)
    path.write_bytes(
        b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 86590\n"
    )
    text = refusal(clip)
    assert "Git LFS pointer" in text and "git lfs pull" in text and str(path) in text


def test_missing_file_and_text_under_the_name_of_an_image(tmp_path: Path) -> None:
    path = tmp_path / "000.jpg"
    clip = Clip("02", "test", ImageFiles((path,)))
    assert "No such file" in refusal(clip)
    path.write_text("not an image")
    assert "no image" in refusal(clip)


def test_frames_of_two_sizes_are_refused_with_both(tmp_path: Path) -> None:
    clip = images(tmp_path, 3)
    Image.fromarray(image(2, (40, 64))).save(tmp_path / "002.png")
    text = refusal(clip)
    assert "frame 2" in text and "002.png is 64x40, but frame 0 is 64x48" in text


def test_clips_without_frames_are_refused() -> None:
    with pytest.raises(DataError, match="only labels"):
        count_frames(Clip("03", "test"))
    assert "clip 03 has no frames" in refusal(Clip("03", "test", ImageFiles(())))


@pytest.mark.parametrize(
    ("codec", "ending"), [("MJPG", ".avi"), ("XVID", ".avi"), ("mp4v", ".mp4")]
)
def test_video_is_counted_by_decoding(tmp_path: Path, codec: str, ending: str) -> None:
    clip = video(tmp_path / f"01{ending}", 40, codec)
    frames = list(read_frames(clip))
    assert len(frames) == count_frames(clip) == estimate_frames(clip) == 40
    assert frames[0].shape == (96, 128, 3)
    assert next(read_frames(clip, 1)).shape == (96, 128)


def test_video_comes_out_as_rgb(tmp_path: Path) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "a.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    writer.write(np.full((48, 64, 3), (0, 0, 250), np.uint8))  # red, in OpenCV's order
    writer.release()
    red, green, blue = next(read_frames(Clip("a", "test", VideoFile(tmp_path / "a.avi")))).mean(
        axis=(0, 1)
    )
    assert red > 230 and green < 20 and blue < 20


def test_a_count_is_remembered_until_the_video_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = video(tmp_path / "01.avi", 12)
    assert count_frames(clip) == 12
    with monkeypatch.context() as patch:
        patch.setattr(video_survey, "_decoded", lambda *how: pytest.fail("decoded a second time"))
        assert count_frames(clip) == 12
    video(tmp_path / "01.avi", 15)
    assert count_frames(clip) == 15


def test_a_cache_that_cannot_be_written_does_not_prevent_counting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "file"))
    assert count_frames(video(tmp_path / "01.avi", 12)) == 12


@pytest.mark.parametrize("codec", ["MJPG", "XVID"])
@pytest.mark.parametrize("cut", [1, 5000])
def test_truncated_avi_is_refused_with_both_sizes(tmp_path: Path, codec: str, cut: int) -> None:
    clip = video(tmp_path / "01.avi", 40, codec)
    content = (tmp_path / "01.avi").read_bytes()
    (tmp_path / "01.avi").write_bytes(content[:-cut])
    text = refusal(clip)
    assert (
        "01.avi is truncated" in text
        and f"has {len(content) - cut} bytes, its header says {len(content)}" in text
    )
    with pytest.raises(DataError, match="truncated"):
        count_frames(clip)


@pytest.mark.parametrize("promised", [0, 0xFFFFFFFF])
def test_avi_whose_size_was_never_filled_in_is_read(tmp_path: Path, promised: int) -> None:
    """Writers to a pipe leave 0 or -1 there."""
    clip = video(tmp_path / "01.avi", 20)
    content = bytearray((tmp_path / "01.avi").read_bytes())
    content[4:8] = promised.to_bytes(4, "little")
    (tmp_path / "01.avi").write_bytes(content)
    assert count_frames(clip) == 20


@pytest.mark.parametrize(
    ("codec", "ending"), [("MJPG", ".avi"), ("XVID", ".avi"), ("mp4v", ".mp4")]
)
def test_video_damaged_in_its_middle_is_refused(tmp_path: Path, codec: str, ending: str) -> None:
    clip = video(tmp_path / f"01{ending}", 60, codec)
    content = bytearray((tmp_path / f"01{ending}").read_bytes())
    third, quarter = len(content) // 3, len(content) // 4
    content[third : third + quarter] = (
        np.random.default_rng(0).integers(0, 256, quarter, dtype=np.uint8).tobytes()
    )
    (tmp_path / f"01{ending}").write_bytes(content)
    assert "is damaged" in refusal(clip)


def test_a_header_that_promises_too_much_is_no_damage(tmp_path: Path) -> None:
    """The count in a header is an estimate: without the frames' data in the file it is not
    believed."""
    clip = video(tmp_path / "01.avi", 20)
    content = bytearray((tmp_path / "01.avi").read_bytes())
    for name, offset in ((b"avih", 8 + 16), (b"strh", 8 + 32)):  # dwTotalFrames, dwLength
        place = content.index(name) + offset
        assert int.from_bytes(content[place : place + 4], "little") == 20
        content[place : place + 4] = (900).to_bytes(4, "little")
    (tmp_path / "01.avi").write_bytes(content)
    assert count_frames(clip) == 20


@pytest.mark.parametrize("content", [b"no video" * 200, b"RIFF\x10\0\0\0AVI "])
def test_what_is_no_video_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "01.avi").write_bytes(content)
    assert "01.avi" in refusal(Clip("01", "train", VideoFile(tmp_path / "01.avi")))


def test_video_of_zero_bytes_missing_or_a_pointer(tmp_path: Path) -> None:
    path = tmp_path / "01.avi"
    clip = Clip("01", "train", VideoFile(path))
    assert "No such file" in refusal(clip)
    path.write_bytes(b"")
    assert "is empty (0 bytes)" in refusal(clip)
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    assert "git lfs pull" in refusal(clip)


@pytest.mark.realdata
def test_ped2_frames_are_gray_and_of_the_known_size(real_data: Path) -> None:
    paths = tuple(sorted((real_data / "ped2" / "testing" / "frames" / "09").glob("*.jpg")))
    clip = Clip("09", "test", ImageFiles(paths))
    frames = list(read_frames(clip, 1))
    assert len(frames) == count_frames(clip) == 120
    assert frames[0].shape == (240, 360)
    np.testing.assert_array_equal(next(read_frames(clip, 3))[:, :, 1], frames[0])
