"""Files of scores in each form that `scores` reads: how damaged ones are made, and that what is
read of one are its own numbers.
"""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Callable
from pathlib import Path
from random import Random

import mutations
import numpy as np
import scipy.io
from bench.methods.scores import ReadScores
from clip_lengths import LENGTHS

from bench import OpenClip
from bench.contracts.compute import Compute
from bench.contracts.method import as_scores
from bench.engine.context import make_context
from bench.plugins.registry import current
from bench.plugins.selection import select

CLIPS = {
    "01": np.linspace(0, 1, LENGTHS["01"]),
    "02": np.linspace(-1, 1, LENGTHS["02"]).astype(np.float32),
}
FLAT = np.concatenate([*CLIPS.values()])
FRAMES = "clip,frame,score\n" + "".join(
    f"{clip},{frame},{score:.4f}\n"
    for clip, scores in CLIPS.items()
    for frame, score in enumerate(scores)
)
PLAIN = "video,score\n" + "".join(
    f"Test0{clip},{score:.3e}\n" for clip, scores in CLIPS.items() for score in scores
)
LINES = "".join(f"{score:.5f}\n" for score in FLAT)
COLLECTION = (
    "name,path,first,higher_is,keys,published,paper_protocol\n"
    "DMAD,dmad/{dataset}.npz,4,,,ped2:99.7+avenue:92.8,\n"
    'MemAE,memae.csv,8,-,pred_{clip},ped2:94.1,"median17[edge=zero,window=5]"\n'
)
PIECES = (",", ";", '"', "\n", "clip,frame,score", "01", "Test02", "nan", "1e999", "-1", "0.5", "7")


def npz(rng: Random) -> bytes:
    """Arrays by clip id, with their frames, or without names."""
    arrays = {
        "01": np.linspace(0, 1, 20),
        "02": np.linspace(-1, 1, 20, dtype=np.float32),
        "02.frames": np.arange(6, 26),
    }
    if rng.random() < 0.15:
        arrays = {"arr_0": arrays["01"], "arr_1": arrays["02"]}
    return mutations.npz(rng, arrays)


def npy(rng: Random) -> bytes:
    """All clips in a row, as a column, or of 32 bits."""
    return mutations.npy(rng, rng.choice((FLAT, FLAT[:, None], FLAT.astype(np.float32)[None])))


def text(rng: Random) -> bytes:
    """A table of clips and frames, one of clips, or a number a line."""
    content = rng.choice((FRAMES, PLAIN, LINES))
    if rng.random() < 0.1:
        return content.encode()
    if rng.random() < 0.25:
        return mutations.bytes_of(rng, content.encode(), [FRAMES.encode(), mutations.PICKLE])
    return mutations.text_of(rng, content, PIECES).encode(
        rng.choice(("utf-8", "utf-8", "utf-8", "utf-16", "utf-8-sig")), "surrogatepass"
    )


def mat(rng: Random) -> bytes:
    """Arrays by name, a cell array in the order of the clips, or one array; now and then something
    else in one of their places."""
    arrays: dict[str, object] = {f"Test{clip}": scores[None] for clip, scores in CLIPS.items()}
    if rng.random() < 0.3:
        name = rng.choice(list(arrays))
        other = mutations.other_array(rng, CLIPS[name[-2:]])
        arrays[name] = rng.choice([other.astype(float) if other.dtype.kind in "OM" else other, "text", {"a": 1}])  # fmt: skip
    kind = rng.randrange(3)
    if kind == 1:
        cells = np.empty((1, len(arrays)), dtype=object)
        cells[0] = [*arrays.values()]
        arrays = {"scores": cells}
    elif kind == 2:
        arrays = {"scores": FLAT[:, None]}
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, arrays, do_compression=rng.random() < 0.5)
    content = buffer.getvalue()
    return mutations.bytes_of(rng, content, [content[:300]]) if rng.random() < 0.7 else content


def collection(rng: Random) -> bytes:
    """A collection of files of scores."""
    return mutations.text_of(
        rng, COLLECTION, (*PIECES, *COLLECTION.split(","), "{dataset}")
    ).encode(rng.choice(("utf-8", "utf-8", "utf-8-sig")), "surrogatepass")


def read(path: Path) -> None:
    """Whatever the file is: a finite score for frames of each clip, and all numbers of the file."""
    method = ReadScores(ReadScores.Parameters(path=path))
    context = make_context(
        seed=0,
        compute=Compute("cpu"),
        folder=path.parent,
        test_lengths=LENGTHS,
        logger=logging.getLogger("fuzz"),
    )
    found = []
    for clip, length in LENGTHS.items():
        scores = as_scores(
            method.score(OpenClip(clip, "test", length, "toy"), context),
            length,
            f"{path}, clip {clip}",
        )
        assert np.isfinite(scores.values).all() and len(scores.values) == len(scores.frames)
        found.append(scores.values)
    if (numbers := NUMBERS.get(path.suffix)) is not None:
        expected = numbers(path).astype(np.float32)
        assert np.array_equal(np.sort(np.concatenate(found)), np.sort(expected)), (found, expected)


def _numbers_of_text(path: Path) -> np.ndarray:
    """Return the column 'score', or the only one."""
    rows = [row for row in csv.reader(path.read_text(encoding="utf-8-sig").splitlines()) if any(map(str.strip, row))]  # fmt: skip
    head = [cell.strip().lower() for cell in rows[0]]
    column = next((head.index(name) for name in ("score", "anomaly_score", "value") if name in head), None)  # fmt: skip
    kept = rows if column is None else rows[1:]
    return np.array([float(row[column or 0]) for row in kept])


def _numbers_of_mat(path: Path) -> np.ndarray:
    """Return all numbers of all variables, cells opened."""
    values = [value for name, value in scipy.io.loadmat(path).items() if name[:2] != "__"]
    arrays = [one for value in values for one in (value.ravel() if value.dtype.hasobject else [value])]  # fmt: skip
    return np.concatenate([one.astype(float).ravel() for one in arrays])


NUMBERS: dict[str, Callable[[Path], np.ndarray]] = {
    ".csv": _numbers_of_text,
    ".mat": _numbers_of_mat,
    ".npy": lambda path: np.load(path, allow_pickle=False).ravel(),
}
"""Ending of a file -> all scores in it, read in another way."""


def read_collection(path: Path) -> None:
    """Rows of a collection: each with a name of its own and a path beside it."""
    rows = select("methods", f"scores[path={path}]", current())
    assert len({row.given_name for row in rows}) == len(rows)
    for row in rows:
        assert row.parameters.path == path or str(row.parameters.path).startswith(str(path.parent))
