"""Every reader of files and texts that others wrote: how its inputs are made, how it is called, and
what must hold where it reads one."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import av
import cv2
import h5py
import mutations
import numpy as np
import scipy.io
import score_inputs
from bench.datasets.formats.arrays import as_labels, as_row, read_npy, read_npz
from bench.datasets.formats.masks import read_npy_masks
from bench.datasets.formats.matlab import read_mat_mask_labels, read_mat_masks, read_mat_ranges
from bench.datasets.formats.own_labels import read_own_labels
from bench.datasets.formats.ranges import ranges_to_labels, read_m_ranges
from bench.methods.regions import ReadRegions
from clip_lengths import LENGTHS
from encoded import FIELDS, INTERLACED, cut_without_encoding, encode, moving
from hypothesis import strategies as st

from bench import Clip, ImageFiles, OpenClip, RequestError, RunError, Scores, VideoFile
from bench.contracts.compute import Compute
from bench.contracts.method import as_scores
from bench.engine.context import make_context
from bench.evaluation.anomaly_tracks import read_tracks
from bench.frames.decode import count_frames, read_frames
from bench.objects.boxes import BoxesDetector
from bench.plugins.registry import load
from bench.plugins.selection import select
from bench.plugins.syntax import parse
from bench.runs.folder import Run
from bench.runs.manifest import Manifest
from bench.runs.records import CellRecord, DatasetRecord


@dataclass(frozen=True)
class Reader:
    """One reader.

    Parameters
    ----------
    file : the name of its input, below the folder that the child works in.
    make : returns the content of an input.
    read : reads the file; an error of `bench.errors` is a refusal, an AssertionError a wrong
        reading.
    generated : what hypothesis draws half of the inputs from; None: all come from `make`.
    named : whether a refusal has to name the file.
    """

    name: str
    file: str
    make: Callable[[Random], bytes]
    read: Callable[[Path], Any]
    generated: st.SearchStrategy[bytes] | None = None
    named: bool = True
    count: int = 10_000


def json_bytes(values: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    return values.map(lambda value: json.dumps(value).encode())


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
ANY_JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)

# --------------------------------------------------------------------------------------------------
# labels

M_FILE = """TestVideoFile = {};
TestVideoFile{end+1}.gt_frame = [5:9, 14:20];
% a comment
TestVideoFile{end+1}.gt_frame = [1:26];
TestVideoFile{end+1}.gt_frame = [];
"""
FRAMES_FILE = "".join(
    [
        "clip,frame,label\n",
        *(
            f"{clip},{frame},{frame % 2}\n"
            for clip, length in LENGTHS.items()
            for frame in range(length)
        ),
    ]
)
CSV_FILE = "clip,first,last\n01,0,4\n01,9,19\n\n02,25,25\n"


def text_file(text: str, pieces: Sequence[str]) -> Callable[[Random], bytes]:
    def make(rng: Random) -> bytes:
        if rng.random() < 0.25:
            return mutations.bytes_of(rng, text.encode(), [text.encode("utf-16"), mutations.PICKLE])
        return mutations.text_of(rng, text, pieces).encode(
            rng.choice(("utf-8", "utf-8", "utf-8", "utf-16", "utf-8-sig")), "surrogatepass"
        )

    return make


def check_ranges(clips: Sequence[np.ndarray], where: str) -> None:
    for ranges in clips:
        assert ranges.dtype == np.int64 and ranges.ndim == 2 and ranges.shape[1] == 2, ranges
        assert (ranges[:, 0] >= 1).all() and (ranges[:, 1] >= ranges[:, 0]).all(), ranges
        labels = ranges_to_labels(ranges, 400, where)
        assert labels.sum() == len(
            {frame for first, last in ranges.tolist() for frame in range(first, last + 1)}
        )


def read_own(path: Path) -> None:
    """Whatever the file is: 0/1 for each frame of each test clip."""
    labels = read_own_labels(path, sorted(LENGTHS))
    for clip, length in LENGTHS.items():
        found = labels.of(clip, length, lambda: LENGTHS)
        assert (
            found.dtype == np.uint8 and found.shape == (length,) and set(found.tolist()) <= {0, 1}
        )
        if labels.ranges is not None:
            assert found.sum() == len(
                {
                    frame
                    for first, last, _ in labels.ranges.get(clip, ())
                    for frame in range(first, last + 1)
                }
            )


def cell_array(cells: Sequence[np.ndarray]) -> np.ndarray:
    array = np.empty((1, len(cells)), dtype=object)
    for index, cell in enumerate(cells):
        array[0, index] = cell
    return array


RANGES = [
    np.array([[5, 14], [9, 20]], np.uint8),
    np.zeros((0, 0)),
    np.array([[1], [26]], np.uint16),
]
MASKS = [np.zeros((6, 8), np.uint8), np.eye(6, 8, dtype=np.uint8), np.ones((6, 8), np.uint8)]


def odd_cells(rng: Random, cells: Sequence[np.ndarray]) -> list[Any]:
    """Return cells of which one may be another array, text, or a cell array itself."""
    found: list[Any] = list(cells)
    if rng.random() < 0.5:
        at = rng.randrange(len(found))
        other = mutations.other_array(rng, np.asarray(found[at]))
        if other.dtype.kind in "OM":
            other = cell_array([np.arange(3)])
        found[at] = rng.choice(
            [
                other,
                "text",
                cell_array(cells),
                np.zeros((2, 0)),
                np.array([[1.5], [2.5]]),
                {"a": 1},
                np.zeros((2, 2, 2)),
            ]
        )
    return found


def mat(rng: Random) -> bytes:
    buffer = io.BytesIO()
    name, cells = rng.choice((("gt", RANGES), ("volLabel", MASKS)))
    if rng.random() < 0.1:
        value: Any = mutations.other_array(rng, np.array([[5.0, 9.0], [14, 20], [1, 26]]))
        value = np.arange(6.0) if value.dtype.kind in "OM" else value
    else:
        value = cell_array(odd_cells(rng, cells))
    scipy.io.savemat(buffer, {name: value}, do_compression=rng.random() < 0.5)
    return (
        mutations.bytes_of(rng, buffer.getvalue(), [PLAIN_MAT])
        if rng.random() < 0.8
        else buffer.getvalue()
    )


def _plain_mat() -> bytes:
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, {"gt": cell_array(RANGES), "volLabel": cell_array(MASKS)})
    return buffer.getvalue()


PLAIN_MAT = _plain_mat()


def mat73(rng: Random) -> bytes:
    name, cells = rng.choice((("gt", RANGES), ("volLabel", MASKS)))
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", userblock_size=512) as file:
        references = np.empty((len(cells), 1), dtype=h5py.ref_dtype)
        for index, cell in enumerate(odd_cells(rng, cells)):
            chance = rng.random()
            if chance < 0.02:  # claims far more than it holds
                huge = (rng.choice((2**31, 2**40)), rng.choice((2, 2**20)))
                stored: Any = file.create_dataset(
                    f"#refs#/{index}", huge, "u1", chunks=(1024, 1024) if huge[1] > 2 else (1024, 2)
                )
            elif chance < 0.04:
                stored = file.create_group(f"#refs#/{index}")
            elif isinstance(cell, dict | str) or np.asarray(cell).dtype.kind in "OUS":
                stored = file.create_dataset(
                    f"#refs#/{index}", data=rng.choice(("text", b"bytes", ["a", "b"]))
                )
            elif cell.size == 0:
                stored = file.create_dataset(f"#refs#/{index}", data=np.array([0, 0], np.uint64))
                stored.attrs["MATLAB_empty"] = rng.choice(
                    (np.uint8(1), np.uint8(0), "yes", np.arange(3))
                )
            else:
                stored = file.create_dataset(
                    f"#refs#/{index}",
                    data=np.asarray(cell).T,
                    **({"compression": "gzip"} if chance < 0.3 and np.ndim(cell) else {}),
                )
            references[index, 0] = stored.ref if rng.random() > 0.03 else h5py.Reference()
        if rng.random() < 0.03:
            file.create_dataset(name, data=np.arange(4.0))
        elif rng.random() < 0.03:
            file.create_group(name)
        elif rng.random() < 0.03:
            file[name] = rng.choice(
                (
                    h5py.SoftLink(f"/{name}"),
                    h5py.ExternalLink("/etc/passwd", "/x"),
                    h5py.SoftLink("/nowhere"),
                )
            )
        else:
            file.create_dataset(name, data=references, dtype=h5py.ref_dtype)
    content = bytearray(buffer.getvalue())
    content[:128] = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    return mutations.bytes_of(rng, bytes(content)) if rng.random() < 0.7 else bytes(content)


def read_mat(path: Path) -> None:
    try:
        check_ranges(read_mat_ranges(path), str(path))
    except Exception as error:
        if "has no variable 'gt'" not in str(error):
            raise
        labels = read_mat_mask_labels(path)
        masks = read_mat_masks(path)
        assert (
            masks.dtype == bool
            and masks.ndim == 3
            and labels.tolist() == [int(mask.any()) for mask in masks]
        )


def npy_labels(rng: Random) -> bytes:
    return mutations.npy(
        rng,
        rng.choice(
            (
                np.arange(26, dtype=np.uint8) % 2,
                np.ones((1, 20)),
                (np.arange(96).reshape(2, 6, 8) % 3).astype(np.uint8),
            )
        ),
    )


def read_npy_file(path: Path) -> None:
    array = read_npy(path)
    if array.ndim == 3:
        assert read_npy_masks(path).dtype == bool
    else:
        labels = as_row(array, str(path))
        assert labels.dtype == np.uint8 and labels.ndim == 1 and set(labels.tolist()) <= {0, 1}


def npz_labels(rng: Random) -> bytes:
    return mutations.npz(
        rng, {clip: (np.arange(length) % 2).astype(np.uint8) for clip, length in LENGTHS.items()}
    )


def read_npz_file(path: Path) -> None:
    for key, array in read_npz(path).items():
        labels = as_labels(array, f"{path}, {key}")
        assert labels.dtype == np.uint8 and set(labels.tolist()) <= {0, 1}


# --------------------------------------------------------------------------------------------------
# images, videos


@cache
def images() -> list[bytes]:
    """Return small images of every kind: gray, colour, with transparency, 16 bits."""
    rng = np.random.default_rng(0)
    colour = rng.integers(0, 255, (24, 32, 3), dtype=np.uint8)
    found = []
    for ending in (".png", ".jpg", ".bmp", ".tif", ".webp", ".pgm"):
        for image in (
            colour,
            colour[:, :, 0],
            np.dstack([colour, colour[:, :, 0]]),
            colour.astype(np.uint16) * 200,
        ):
            with contextlib.suppress(cv2.error):
                done, encoded = cv2.imencode(ending, image)
                found += [encoded.tobytes()] if done else []
    return found


def image(rng: Random) -> bytes:
    content = rng.choice(images())
    chance = rng.random()
    if chance < 0.04 and content.startswith(
        b"\x89PNG"
    ):  # another size in the header, with its checksum
        import struct
        import zlib

        size = struct.pack(
            ">II", *(rng.choice((0, 1, 30000, 2**16, 2**20, 2**31 - 1)) for _ in range(2))
        )
        header = b"IHDR" + size + content[24:29]
        return content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]
    if chance < 0.06:
        side = rng.choice((b"40000", b"32000 32000", b"99999999999 1", b"-1 5"))
        return b"P5 " + side + b" " + side + b" 255\n" + bytes(100)
    return mutations.bytes_of(rng, content, images())


def read_image(path: Path) -> None:
    for channels in (1, 3):
        frames = list(read_frames(Clip("01", "test", ImageFiles((path,))), channels))
        assert (
            len(frames) == 1
            and frames[0].dtype == np.uint8
            and frames[0].ndim == (2 if channels == 1 else 3)
        )


@cache
def videos() -> list[bytes]:
    """Return small videos in the usual containers."""
    import tempfile

    found = []
    with tempfile.TemporaryDirectory() as folder:
        for name, codec in (
            ("a.avi", "MJPG"),
            ("b.avi", "XVID"),
            ("c.mp4", "mp4v"),
            ("d.mkv", "mp4v"),
            ("e.avi", "FFV1"),
        ):
            writer = cv2.VideoWriter(
                str(Path(folder) / name),
                cv2.CAP_FFMPEG,
                cv2.VideoWriter_fourcc(*codec),
                25.0,
                (64, 48),
            )
            rng = np.random.default_rng(0)
            for _ in range(12):
                writer.write(rng.integers(0, 255, (48, 64, 3), dtype=np.uint8))
            writer.release()
            found.append((Path(folder) / name).read_bytes())
    return [content for content in found if content]


def video(rng: Random) -> bytes:
    return mutations.bytes_of(rng, rng.choice(videos()), videos())


def read_video(path: Path) -> None:
    clip = Clip("01", "test", VideoFile(path))
    frames = list(read_frames(clip, 1))
    assert frames and all(
        frame.dtype == np.uint8 and frame.shape == frames[0].shape for frame in frames
    )
    assert count_frames(clip) == len(frames)


# A video that is cut, has a hole, other field flags or an edit list: read with all of its frames,
# or refused.

SHOWN: dict[bytes, int] = {}
"""SHA-256 of an input -> the frames that it has when whole."""
SHOT = 40
KINDS = {
    **{f"interlaced {kind}": made for kind, made in INTERLACED.items() if made[1] not in ("dvvideo", "libx265")},
    "mp4": (".mp4", "libx264", "yuv420p", {"g": "10"}, {"movflags": "+faststart"}),
    "mp4, index at its end": (".mp4", "libx264", "yuv420p", {"g": "10"}),
    "fragmented mp4": (".mp4", "libx264", "yuv420p", {"g": "10"}, {"movflags": "frag_keyframe+empty_moov"}),
    "mov": (".mov", "mjpeg", "yuvj420p", {}, {"movflags": "+faststart"}),
    "mkv": (".mkv", "libx264", "yuv420p", {"g": "10"}),
    "live mkv": (".mkv", "mpeg4", "yuv420p", {"g": "10"}, {"live": "1"}),
    "webm": (".webm", "libvpx", "yuv420p", {}),
    "wmv": (".wmv", "wmv2", "yuv420p", {}),
    "flv": (".flv", "flv1", "yuv420p", {}),
    "ogv": (".ogv", "libvpx", "yuv420p", {}),
    "avi": (".avi", "mpeg4", "yuv420p", {"bf": "2"}),
    "ts": (".ts", "libx264", "yuv420p", {"g": "10"}),
}  # fmt: skip
HIDES_A_FRAME = ("wmv", "avi", "interlaced mpeg4 avi", "interlaced h264 avi")
"""A hole inside of a packet of ASF, or of one frame of an AVI, may hide a frame. Program and
transport streams may be cut anywhere."""


@cache
def shots() -> dict[str, bytes]:
    """Return a noisy video of `SHOT` frames of each kind, one of them interlaced from its middle
    on."""
    import tempfile

    rng = np.random.default_rng(0)
    frames = [
        (frame + rng.integers(0, 20, frame.shape)).astype(np.uint8)
        for frame in moving(SHOT, (64, 96))
    ]
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind, (ending, codec, pix_fmt, options, *more) in KINDS.items():
            path = encode(
                Path(folder) / f"a{ending}",
                frames,
                codec,
                pix_fmt,
                options,
                container_options=more[0] if more else None,
            )
            found[kind] = path.read_bytes()
        halves = []
        for options in ({}, FIELDS):
            coding = {**options, "x264-params": f"bframes=0:threads=1{':tff=1' if options else ''}"}
            halves.append(
                encode(Path(folder) / "a.ts", frames[: SHOT // 2], options=coding).read_bytes()
            )
        found["mixed ts"] = b"".join(halves)
    return found


def shot(rng: Random) -> bytes:
    kind = rng.choice(list(shots()))
    content, length = bytearray(shots()[kind]), SHOT
    chance = rng.random()
    if chance < 0.35:
        del content[rng.randrange(len(content)) :]
    elif chance < 0.6:
        size = rng.choice((len(content) // 10, len(content) // 20, rng.randrange(1, 2000)))
        at = rng.randrange(len(content))
        size = min(size, len(content) - at)
        content[at : at + size] = bytes(size) if rng.random() < 0.5 else rng.randbytes(size)
    elif (
        chance < 0.75
    ):  # the container's own word on fields: Matroska's FlagInterlaced and FieldOrder, QuickTime's fiel
        for mark in (b"\x9a\x81", b"\x9d\x81", b"fiel"):
            at = content.find(mark)
            if at >= 0:
                content[at + len(mark)] = rng.choice((0, 1, 2, 6, 9, 14))
    elif chance < 0.9:
        kind = rng.choice(
            (
                "mp4",
                "mov",
                "mp4, index at its end",
                "interlaced h264 mp4, top field first",
                "interlaced mpeg4 mp4",
            )
        )
        length = rng.randrange(1, SHOT)
        content = bytearray(trimmed(shots()[kind], KINDS[kind][0], SHOT - length))
    cannot_tell = chance < 0.6 and (
        kind.endswith(("mpg", "ts")) or (chance >= 0.35 and kind in HIDES_A_FRAME)
    )
    SHOWN[hashlib.sha256(content).digest()] = 0 if cannot_tell else length
    return bytes(content)


def trimmed(content: bytes, ending: str, first: int) -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / f"a{ending}").write_bytes(content)
        return cut_without_encoding(
            Path(folder) / f"a{ending}", Path(folder) / f"b{ending}", first
        ).read_bytes()


def read_shot(path: Path) -> None:
    """Compare with the decoder's own full decoding: in one thread, each frame converted, whatever
    is wrong passed over."""
    clip = Clip("01", "test", VideoFile(path))
    count = count_frames(clip)
    shown = SHOWN[hashlib.sha256(path.read_bytes()).digest()]
    assert shown in (0, count), f"{count} frames, {shown} are in the whole file"
    frames = read_frames(clip)
    number = 0
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            with contextlib.suppress(av.error.FFmpegError):
                for theirs in packet.decode():
                    mine, number = next(frames), number + 1
                    there = theirs.to_ndarray(format="rgb24")
                    assert mine.shape == there.shape and cv2.absdiff(mine, there).mean() < 4, (
                        f"frame {number - 1} is another frame"
                    )
                    assert mine.mean() > 20, f"frame {number - 1} is black"
    assert number == count, f"{count} frames, {number} by the decoder's own account"
    assert next(frames, None) is None


# --------------------------------------------------------------------------------------------------
# boxes and scores

BOXES = {
    "size": [32, 24],
    "part": "train",
    "clips": {"01": [[[1, 2, 9.5, 8, 0.9], [0, 0, 3, 3, 0]]] + [[]] * 19, "02": [[]] * 26},
}


def boxes(rng: Random) -> bytes:
    if rng.random() < 0.02:
        return rng.choice(
            (
                mutations.PICKLE,
                b"[" * mutations.DEPTH,
                b'{"size":' * mutations.DEPTH,
                b"9" * 5000,
                b"\x80\x04.",
            )
        )
    return mutations.json_of(rng, BOXES, ([[1, 2, 3, 4, 1]], [1, 2, 3, 4, 0.5], [32, 24], "test"))


GENERATED_BOXES = json_bytes(
    st.fixed_dictionaries(
        {"size": ANY_JSON | st.just([32, 24]), "clips": ANY_JSON | st.dictionaries(st.sampled_from(["01", "02"]), ANY_JSON | st.lists(st.lists(st.lists(st.floats() | st.integers(), min_size=4, max_size=6), max_size=3), min_size=20, max_size=20))},
        optional={"part": ANY_JSON},
    )
)  # fmt: skip


def read_boxes(path: Path) -> None:
    detector = BoxesDetector(BoxesDetector.Parameters(path=str(path)))
    detector.check("toy")
    for clip, length in LENGTHS.items():
        asked = Clip(clip, "train", None, length)
        detector.begin(asked, "toy")
        (height, width), found = detector.known_boxes(asked, length)
        assert (
            type(height) is int
            and type(width) is int
            and height > 0
            and width > 0
            and len(found) == length
        )
        for frame in found:
            assert (
                frame.dtype == np.float64
                and frame.ndim == 2
                and frame.shape[1] == 5
                and np.isfinite(frame).all()
            )
            assert (frame[:, 2:4] >= frame[:, :2]).all() and (
                (frame[:, 4] >= 0) & (frame[:, 4] <= 1)
            ).all()


REGIONS_FILE = "0,1,2,9.5,8,0.9\n0,0,0,3,3,-1e-3\n19,5,5,4,4,2\n\n7,-3,2,40,9,.5\n"
TRACKS_FILE = "0,3,1,2,9.5,8\n0,4,1,2,9.5,8\n1,4,-9,-9,-1,-1\n\n2,19,0,0,31,23\n"
PARTS = (",", "\n", "nan", "1e999", "-1", "0,3,1,2,9.5,8\n", "1_0", "1e30")


def read_regions_folder(path: Path) -> None:
    method = ReadRegions(ReadRegions.Parameters(path=path.parent))
    context = make_context(
        seed=0,
        compute=Compute("cpu"),
        folder=path.parent,
        test_lengths={"01": 20},
        logger=logging.getLogger("fuzz"),
    )
    found = as_scores(
        method.score(OpenClip("01", "test", 20, "toy"), context), 20, f"{path}, clip 01"
    )
    assert np.isfinite(found.values).all() and len(found.values) == 20


def read_tracks_file(path: Path) -> None:
    found = read_tracks(path, 20, (24, 32))
    assert np.isfinite(found.boxes).all() and ((found.frames >= 0) & (found.frames < 20)).all()
    assert len(set(zip(found.tracks, found.frames))) == len(found.boxes) >= found.outside


# --------------------------------------------------------------------------------------------------
# the run folder


def cell(seed: int, **changes: Any) -> CellRecord:
    record = CellRecord(
        folder=f"cells/pca/toy/{seed}", method="pca", label="pca", selector="pca", dataset="toy", dataset_folder="toy", seed=seed, status="done",
        profile="smoke", family="reference", parameters={"components": 3}, key={"method": "pca", "version": 1}, attempts=1, year=2004,
        seconds={"fit": 1.5, "score": 0.5, "total": 2.0}, cost={"peak_memory": 1e8}, warnings=["a warning"], published={"auc": "69.3", "source": "x"},
        ablation=["c3dsu", "plain"], facts={"patches": 3}, started="2026-01-01T00:00:00+00:00", ended="2026-01-01T00:00:02+00:00",
    )  # fmt: skip
    return replace(record, **changes)


MANIFEST = {
    "format": 1, "command": "bench run --methods pca --datasets toy", "commands": [{"at": "2026-01-01", "line": "bench run"}], "protocol": "median17",
    "request": {"methods": "pca", "datasets": "toy", "seeds": [0, 1], "keep": ["images"]}, "seeds": [0, 1], "versions": {"bench": "0.1.0"}, "git": "abc",
    "datasets": [{"label": "toy", "name": "toy", "folder": "toy", "selector": "toy", "fingerprint": "f" * 64, "missing": "", "root": "data"}],
    "methods": [{"label": "pca", "selector": "pca", "name": "pca", "family": "reference"}], "notes": [], "machine": {"cores": 2}, "profile": "smoke",
    "plugins": [{"name": "methods", "origin": "x", "sha256": None, "broken": None}], "cells": [asdict(cell(0)), asdict(cell(1))],
}  # fmt: skip


def dataset_record() -> DatasetRecord:
    labels = {
        "frame": {
            clip: (np.arange(length) % 5 == 0).astype(np.uint8) for clip, length in LENGTHS.items()
        }
    }
    return DatasetRecord(
        "toy",
        "toy",
        tuple((clip, length, "") for clip, length in LENGTHS.items()),
        "f" * 64,
        ("frame",),
        labels,
    )


def made_run(folder: Path) -> Run:
    """Return the run below a folder with every file as it should be."""
    run = Run(folder / "run")
    if not (run.path / "run.json").exists():
        run.write_dataset(dataset_record())
        for seed in (0, 1):
            run.write_cell(cell(seed))
            run.write_scores(
                cell(seed),
                {
                    clip: Scores(np.linspace(0, 1, length), np.arange(length))
                    for clip, length in LENGTHS.items()
                },
            )
    run.write_manifest(Manifest(**MANIFEST))
    return run


def prepare_run(folder: Path, spoiled: str) -> Path:
    """Make the run anew but for the spoiled file; return that file's path."""
    run = Run(folder / "run")
    path = run.path / spoiled
    content = path.read_bytes()
    if not (folder / "made").exists():
        path.unlink()
        made_run(folder)
        (folder / "made").touch()
    path.write_bytes(content)
    return path


def run_reader(
    name: str,
    spoiled: str,
    make: Callable[[Random], bytes],
    generated: st.SearchStrategy[bytes] | None = None,
) -> Reader:
    """Return a reader of one file of a run folder, as `bench status`, `bench report`, `bench run`
    and `bench.load` read it."""
    calls = 0

    def read(path: Path) -> None:
        nonlocal calls
        calls += 1
        folder = path.parents[len(Path(spoiled).parts)]
        prepare_run(folder, spoiled)
        run = Run.open(folder / "run")
        look_at(run, calls)
        if "cells" not in spoiled:
            return
        failed = [
            one for one in run.cells() if one.status == "failed" and "bench run" in one.reason
        ]
        if failed:
            raise RunError(failed[0].reason)

    return Reader(name, f"run/{spoiled}", make, read, generated)


def look_at(run: Run, calls: int) -> None:
    """Read a run as the commands do; each hundredth time make its tables and page too, which takes
    longer."""
    from click.testing import CliRunner

    from bench.cli.commands.status import command as status
    from bench.evaluation.run_scores import RunScores
    from bench.running.session import run_finder

    done = CliRunner().invoke(
        status, [str(run.path), *["--json"] * (calls % 2)], standalone_mode=False
    )
    if done.exception is not None:
        raise done.exception
    run_finder(None, False, run.path.parent)(MANIFEST["request"])
    for one in run.cells():
        where = (run.path / one.folder).resolve()
        assert where.is_relative_to(run.path.resolve() / "cells"), where
        if one.status == "done":
            run.dataset(one.dataset_folder)
            for clip, found in run.scores(one).items():
                assert found.values.ndim == 1 and found.values.shape == found.frames.shape, clip
    registry = registered()
    RunScores(run).measure([registry.protocols["raw"]], [registry.metrics["auc"]])
    if calls % 100 == 0:
        from bench.cli.commands.report import command as report

        done = CliRunner().invoke(report, [str(run.path)], standalone_mode=False)
        if done.exception is not None:
            raise done.exception


@cache
def registered() -> Any:
    return load()


LIKELY = (
    "cells/pca/toy/0",
    "cells/../../escaped",
    "/tmp/escaped",
    "done",
    "failed",
    "no data",
    "running",
    {"auc": None},
    {"total": "x"},
    [["a"]],
)


def cell_json(rng: Random) -> bytes:
    return mutations.json_of(rng, asdict(cell(0)), LIKELY)


def run_json(rng: Random) -> bytes:
    return mutations.json_of(rng, MANIFEST, LIKELY)


def dataset_json(rng: Random) -> bytes:
    return mutations.json_of(
        rng, DATASET_JSON, (["01", "02"], {"id": "01", "length": 20, "scene": ""})
    )


def dataset_npz(rng: Random) -> bytes:
    return mutations.npz(
        rng,
        {
            f"frame/{clip}": (np.arange(length) % 5 == 0).astype(np.uint8)
            for clip, length in LENGTHS.items()
        },
    )


def run_scores(rng: Random) -> bytes:
    arrays = {}
    for clip, length in LENGTHS.items():
        arrays |= {
            clip: np.linspace(0, 1, length, dtype=np.float32),
            f"{clip}.frames": np.arange(length, dtype=np.int32),
        }
    return mutations.npz(rng, arrays)


DATASET_JSON = {
    "name": "toy", "label": "toy", "fingerprint": "f" * 64, "share": 1.0, "label_sets": ["frame"], "lengths_from": "frames", "problems": {}, "tracks": {},
    "frame_rate": 25.0, "resolution": [24, 32], "clips": [{"id": clip, "length": length, "scene": ""} for clip, length in LENGTHS.items()],
}  # fmt: skip
FIELD_JSON = json_bytes(
    st.builds(
        lambda value, field, other: {**value, field: other},
        st.just(asdict(cell(0))),
        st.sampled_from([*asdict(cell(0))]),
        ANY_JSON,
    )
    | ANY_JSON
)
MANIFEST_JSON = json_bytes(
    st.builds(
        lambda field, other: {**MANIFEST, field: other}, st.sampled_from([*MANIFEST]), ANY_JSON
    )
    | ANY_JSON
)
DATASET_FIELDS = json_bytes(
    st.builds(
        lambda field, other: {**DATASET_JSON, field: other},
        st.sampled_from([*DATASET_JSON]),
        ANY_JSON,
    )
    | ANY_JSON
)

# ------------------------------------------------------------------------------------------------
# selections and plugins

SELECTIONS = (
    "c3dsu,baseline", "all,-tsc", "pca[components=3|5]", "'folder[path=\"a, b\"]'", "ae-3d[pseudo=\"patch[source=frames]+skip\",probability=0.1]", "mnad",
    "scores[path=x.npz,first=8,higher_is=normal]", "memae[epochs=1|2|3,size=64]", "optical-flow", "lntra-patch,steal",
)  # fmt: skip
PIECES = (
    "[",
    "]",
    "|",
    "=",
    ",",
    "-",
    '"',
    '""',
    "+",
    "all",
    "baseline",
    "pca",
    "components=",
    "epochs=",
    "weights=",
    "[a=b]",
    "-all",
    "width=0",
    "batch=-1",
)


def selection(rng: Random) -> bytes:
    return mutations.text_of(rng, rng.choice(SELECTIONS), PIECES).encode("utf-8", "surrogatepass")


@cache
def selection_texts() -> st.SearchStrategy[bytes]:
    """Return selections by their grammar, of real names and parameters, with values of any kind."""
    names = [*registered().methods, *registered().groups("methods"), "nobody"]
    fields = sorted(
        {
            entry
            for target in registered().methods.values()
            for entry in getattr(target.Parameters, "__dataclass_fields__", {})
        }
    )
    value = st.sampled_from(
        [
            "1",
            "0",
            "-1",
            "64",
            "nan",
            "1e99",
            "none",
            "true",
            '"a,b"',
            '""',
            "x|y",
            "9" * 30,
            "1+2",
            "skip",
            "noise",
        ]
    ) | st.text(max_size=6)
    pair = st.builds(lambda key, text: f"{key}={text}", st.sampled_from(fields), value)
    item = st.builds(
        lambda minus, name, pairs: f"{minus}{name}" + (f"[{','.join(pairs)}]" if pairs else ""),
        st.sampled_from(["", "", "", "-"]), st.sampled_from(names), st.lists(pair, max_size=3),
    )  # fmt: skip
    return (st.lists(item, min_size=1, max_size=4).map(",".join) | st.text(max_size=40)).map(
        lambda text: text.encode("utf-8", "replace")
    )


def read_selection(path: Path) -> None:
    """Read a selection; what it means has to be said again by its own selectors."""
    text = os.fsdecode(path.read_bytes())
    parse(text)
    try:
        rows = select("methods", text, registered(), "smoke")
    except RequestError as error:
        assert str(error).strip() and "this is a mistake in" not in str(error), str(error)
        raise
    for row in rows:
        again = select("methods", row.text, registered(), "smoke")
        assert len(again) == 1 and again[0].parameters == row.parameters, (row.text, again)


PLUGIN = '''"""Distance to the median training frame."""
from dataclasses import dataclass

import numpy as np

from bench import Dataset, FrameFormat, Method, MethodInfo, hookimpl, parameter


@dataclass(frozen=True)
class FuzzedParameters:
    every: int = parameter(10, unit="frames", minimum=1, source="none", doc="one in so many")
    kind: str = parameter("a", choices=("a", "b"))


class Fuzzed(Method):
    name = "fuzzed"
    version = 1
    info = MethodInfo(title="fuzzed", family="own", groups=("mine",))
    Parameters = FuzzedParameters
    frames = FrameFormat((12, 16), channels=1)
    needs = frozenset({"frames", "train"})
    profiles = {"smoke": {"every": 20}}

    def score(self, clip, context):
        return [float(frame.mean()) for frame in clip.frames]


class FuzzedData(Dataset):
    name = "fuzzed-data"

    def locate(self, roots):
        self.root = roots[0]

    def clips(self, split):
        return []

    def labels(self, clip, label_set=None):
        return []


@hookimpl
def bench_methods():
    return [Fuzzed]


@hookimpl
def bench_datasets():
    return [FuzzedData]
'''
PLUGIN_WORDS = (
    "None", "[]", "5", "'all'", "Method", "raise SystemExit(3)", "raise KeyError", "import nothing", "@hookimpl", "return", "yield", "lambda: 0", "(" * 300,
    "1/0", "'pca'", "'../x'", "'a b'", "FrameFormat((0, 0), 5)", "frozenset({'x'})", "object()", "assert False", "print(1)", "{}", "name", "float('nan')",
)  # fmt: skip


def plugin(rng: Random) -> bytes:
    if rng.random() < 0.02:
        return rng.choice(
            (
                b"(" * 5000,
                b"-" * 50000 + b"1",
                b"\x00",
                b"\xff\xfe",
                b"# coding: nothing\n",
                b"x = " + b"[" * 90 + b"]" * 90,
                b"'" * 3,
                b"x" * 10**6,
            )
        )
    if rng.random() < 0.3:
        return mutations.bytes_of(rng, PLUGIN.encode())
    lines = PLUGIN.split("\n")
    if rng.random() < 0.4:  # another value behind an '=' or a 'return'
        at = rng.choice(
            [place for place, line in enumerate(lines) if "=" in line or "return" in line]
        )
        mark = "return" if "return" in lines[at] else "="
        lines[at] = lines[at].partition(mark)[0] + f"{mark} {rng.choice(PLUGIN_WORDS)}"
        return "\n".join(lines).encode()
    return mutations.text_of(rng, PLUGIN, PLUGIN_WORDS).encode("utf-8", "surrogatepass")


def read_plugin(path: Path) -> None:
    """Load a plugin file: it is used, or named with a reason, and what is built in goes on in any
    case."""
    registry = load([path])
    mine = next(record for record in registry.plugins if record.file == path.resolve())
    sys.modules.pop("", None)
    assert "pca" in registry.methods
    for name in mine.provides.get("methods", ()):
        for text in (name, f"{name}[every=2]"):
            select("methods", text, registry, "smoke")
    if mine.broken:
        assert "\n" not in mine.broken
        raise RunError("; ".join(registry.complaints()))


READERS = {
    reader.name: reader
    for reader in [
        Reader("m", "UCSDped9.m", text_file(M_FILE, ("[", "]", ":", ",", "gt_frame", "end+1", "TestVideoFile{end+1}.gt_frame = [1:2];")), lambda path: check_ranges(read_m_ranges(path), str(path))),
        Reader("csv", "labels.csv", text_file(CSV_FILE, (",", '"', "clip,first,last", "01", "\n", '"01', "1e3")), read_own, st.text(max_size=60).map(lambda text: ("clip,first,last\n" + text).encode("utf-8", "replace"))),
        Reader("own-csv", "labels.csv", text_file(FRAMES_FILE, (",", ";", "clip,frame,label", "01", "\n", "0", "1", "2")), read_own),
        Reader("own-npz", "labels.npz", npz_labels, read_own),
        Reader("mat", "gt.mat", mat, read_mat),
        Reader("mat73", "gt73.mat", mat73, read_mat),
        Reader("npy", "frame_labels.npy", npy_labels, read_npy_file),
        Reader("npz", "labels.npz", npz_labels, read_npz_file),
        Reader("image", "000.png", image, read_image),
        Reader("video", "clip.avi", video, read_video, count=1000),
        Reader("containers", "clip.mp4", shot, read_shot, count=1000),
        Reader("boxes", "boxes.json", boxes, read_boxes, GENERATED_BOXES),
        Reader("scores", "scores.npz", score_inputs.npz, score_inputs.read),
        Reader("scores-npy", "scores.npy", score_inputs.npy, score_inputs.read),
        Reader("scores-csv", "scores.csv", score_inputs.text, score_inputs.read),
        Reader("scores-mat", "scores.mat", score_inputs.mat, score_inputs.read),
        Reader("collection", "others.csv", score_inputs.collection, score_inputs.read_collection, named=False),
        Reader("regions", "01.txt", text_file(REGIONS_FILE, PARTS), read_regions_folder),
        Reader("tracks", "01.txt", text_file(TRACKS_FILE, PARTS), read_tracks_file),
        run_reader("cell.json", "cells/pca/toy/0/cell.json", cell_json, FIELD_JSON),
        run_reader("run.json", "run.json", run_json, MANIFEST_JSON),
        run_reader("dataset.json", "datasets/toy.json", dataset_json, DATASET_FIELDS),
        run_reader("dataset.npz", "datasets/toy.npz", dataset_npz),
        run_reader("run-scores", "cells/pca/toy/0/scores.npz", run_scores),
        Reader("selection", "selection.txt", selection, read_selection, st.deferred(lambda: selection_texts()), named=False),
        Reader("plugin", "mine.py", plugin, read_plugin),
    ]
}  # fmt: skip
