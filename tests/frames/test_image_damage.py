"""`bench verify --full` finds damage of images that decoders pass over with a warning, and raises
no false alarm."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from bench import Clip, DataError, ImageFiles, read_frames
from bench.cli.main import bench
from bench.frames.image_damage import find_damage, warned, zeros

COMPRESSIONS = {
    "lzw": "tiff_lzw",
    "deflate": "tiff_adobe_deflate",
    "packbits": "packbits",
    "jpeg": "jpeg",
}
JPEGS = {
    "jpg": {},
    "best": {"quality": 95},
    "tables": {"optimize": True},
    "progressive": {"progressive": True},
}


def street(seed: int, colour: bool = True) -> np.ndarray:
    """Smooth ground with texture, as cameras see it."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:192, :256]
    base = (
        90
        + 50 * np.sin(rows / 40)[:, :, None]
        + 30 * np.cos(columns / 25)[:, :, None]
        + rng.normal(0, 12, (192, 256, 3))
    )
    pixels = base.clip(0, 255).astype(np.uint8)
    return pixels if colour else pixels[:, :, 0]


def encoded(pixels: np.ndarray, kind: str) -> bytes:
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    if kind in COMPRESSIONS:
        image.save(file, "TIFF", compression=COMPRESSIONS[kind])
    else:
        image.save(file, "JPEG", **JPEGS[kind])
    return file.getvalue()


def clip_of(folder: Path, contents: list[bytes], kind: str) -> Clip:
    folder.mkdir()
    paths = [
        folder / f"{index:03d}{'.tif' if kind in COMPRESSIONS else '.jpg'}"
        for index in range(len(contents))
    ]
    for path, content in zip(paths, contents):
        path.write_bytes(content)
    return Clip(folder.name, "test", ImageFiles(tuple(paths)))


def test_zeros_inside_are_found_and_whole_images_are_not_called_damaged(tmp_path: Path) -> None:
    """512 zeros in the data of images of every kind, which OpenCV decodes without an error; and
    the same images whole."""
    whole, damaged = [], {}
    for kind in [*JPEGS, *COMPRESSIONS]:
        contents = [encoded(street(seed, seed % 2 == 0), kind) for seed in range(4)]
        whole.append(clip_of(tmp_path / f"whole {kind}", contents, kind))
        for number, content in enumerate(contents):
            place = len(content) // 2 + 100 * number
            holed = content[:place] + bytes(512) + content[place + 512 :]
            if cv2.imdecode(np.frombuffer(holed, np.uint8), cv2.IMREAD_UNCHANGED) is not None:
                damaged[f"{kind} {number}"] = clip_of(
                    tmp_path / f"{kind} {number}", [content, holed], kind
                )
    assert {name.split()[0] for name in damaged} == {*JPEGS, *COMPRESSIONS}
    found = {clip.id: text for clip, text in find_damage([*whole, *damaged.values()])}
    for clip in whole:
        assert found[clip.id] == ""
    # In a progressive JPEG zeros may be data: of these some are known by what the decoder says.
    assert sum(found[name] != "" for name in damaged if name.startswith("progressive")) >= 2
    for name, clip in damaged.items():
        assert isinstance(clip.source, ImageFiles)
        if name.startswith("progressive"):
            continue
        assert found[name].startswith(
            f"clip {name}, frame 1: {clip.source.paths[1]} is damaged: "
        ), name
        assert len(list(read_frames(clip))) == 2  # a run does not see it


@pytest.mark.parametrize("kind", [*JPEGS, *COMPRESSIONS])
@pytest.mark.parametrize("value", [0, 127, 255])
def test_flat_images_are_not_called_damaged(kind: str, value: int) -> None:
    """Black, gray and white give the longest runs of equal bytes that encoders write."""
    for shape in ((192, 256), (192, 256, 3), (8, 8)):
        assert zeros(encoded(np.full(shape, value, np.uint8), kind)) == ""


@pytest.mark.parametrize("kind", JPEGS)
def test_zeros_behind_the_end_of_a_jpeg_are_no_damage(kind: str) -> None:
    """Cameras and memory cards pad files to whole blocks."""
    assert zeros(encoded(street(0, True), kind) + bytes(512)) == ""


def test_other_damage_has_the_text_of_decoding(tmp_path: Path) -> None:
    """Frames of two sizes, and a file that is gone, are told as `read_frames` tells them."""
    clip = clip_of(
        tmp_path / "a", [encoded(street(0), "jpg"), encoded(street(1)[:100], "jpg")], "jpg"
    )
    gone = Clip("b", "test", ImageFiles((tmp_path / "gone.jpg",)))
    (_, first), (_, second) = find_damage([clip, gone])
    assert (
        "001.jpg is 256x100, but frame 0 is 256x192" in first
        and "gone.jpg cannot be read: No such file" in second
    )


def test_what_is_printed_of_tags_and_versions_is_no_damage() -> None:
    """Lines of libjpeg's jerror.h and of libtiff, as OpenCV prints them."""
    for line in (
        "Corrupt JPEG data: premature end of data segment",
        "Corrupt JPEG data: 12 extraneous bytes before marker 0xd9",
        "Premature end of JPEG file",
        "[ WARN:0@4.12] global grfmt_tiff.cpp:123 TIFF_Warning PackBitsDecode: Discarding 3 bytes to avoid buffer overrun",
        "[ERROR:0@4.12] global grfmt_tiff.cpp:117 TIFF_Error LZWDecode: Not enough data at scanline 170 (short 15 bytes)",
    ):
        assert warned(f"\n{line}\n"), line
    for line in (
        "Corrupt JPEG data: bad ICC marker",
        "Warning: unknown JFIF revision number 9.01",
        "Unknown Adobe color transform code 3",
        "[ WARN:0@4.12] global grfmt_tiff.cpp:123 TIFF_Warning TIFFReadDirectory: Unknown field with tag 37680 (0x9330) encountered",
        "[ WARN:0@4.12] global grfmt_tiff.cpp:123 TIFF_Warning TIFFFetchNormalTag: Incorrect value",
    ):
        assert warned(line) == "", line


def test_verify_full_shows_it(tmp_path: Path) -> None:
    """In a folder of one's own; without --full it is not looked for."""
    content = encoded(street(0), "jpg")
    holed = content[:4000] + bytes(600) + content[4600:]
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        clip_of(
            tmp_path / split / "yard 1", [content, holed if split == "test" else content], "jpg"
        )
    quick, full = (
        CliRunner().invoke(bench, ["verify", f"folder[path={tmp_path}]", *more])
        for more in ([], ["--full"])
    )
    assert quick.exit_code == 0 and full.exit_code == 1
    assert (
        "  - frames of test clip yard 1: clip yard 1, frame 1: " in full.output
        and "001.jpg is damaged: " in full.output
    )


@pytest.mark.parametrize("ending", [".tif", ".png", ".webp"])
def test_a_file_of_several_images_is_refused(tmp_path: Path, ending: str) -> None:
    """Pages of a tif, an animated png or webp: only the first would be decoded. One image is
    read."""
    several = [Image.fromarray(street(seed)) for seed in range(3)]
    for name, more in (("a", several[1:]), ("b", [])):
        options = {"save_all": True, "append_images": more} if more else {}
        several[0].save(tmp_path / f"{name}{ending}", **options)
    with pytest.raises(
        DataError,
        match=rf"clip a, frame 0: .*a\{ending} holds 3 images \(pages, or an animation\)",
    ):
        list(read_frames(Clip("a", "test", ImageFiles((tmp_path / f"a{ending}",)))))
    assert len(list(read_frames(Clip("b", "test", ImageFiles((tmp_path / f"b{ending}",)))))) == 1


@pytest.mark.realdata
def test_no_false_alarm_on_real_images(real_data: Path) -> None:
    """Every tenth frame of Ped2, and official tifs of Ped1."""
    ped2 = sorted((real_data / "ped2").glob("*/frames/*/*.jpg"))[::10]
    ped1 = sorted((real_data.parent / "partial" / "ped1").glob("Test/Test001/*.tif"))[::10]
    clips = [
        Clip(str(number), "test", ImageFiles(tuple(paths)))
        for number, paths in enumerate((ped2, ped1))
        if paths
    ]
    assert [text for _, text in find_damage(clips)] == [""] * len(clips)
