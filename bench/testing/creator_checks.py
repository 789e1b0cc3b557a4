"""What any creator of pseudo-anomalies owes."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from bench.contracts.clip import Window
from bench.contracts.creator import Creator
from bench.contracts.method import FrameFormat
from bench.testing.made import SIZE, CheckFailed, make_clip, make_context


def draws_what_it_promises(cls: type[Creator]) -> None:
    """Content and mask of a creator have the shapes, types and ranges they need, come from the
    generator alone, and leave frames alone.

    Raises
    ------
    CheckFailed : with what is wrong.
    """
    window = Window(4, targets=(1,))
    frames = FrameFormat((SIZE, SIZE), 1)
    clips = [make_clip(number, "train", frames, True) for number in (1, 2)]
    creator = cls(window, cls.Parameters(), lambda array: array[None].astype(np.float32) / 255)
    creator.prepare(clips, make_context(Path(tempfile.gettempdir())))
    before = clips[0].frames.copy()
    drawn, again = (creator.draw(clips[0], 5, np.random.default_rng(3)) for _ in range(2))
    shapes = {
        "content": (1, 4, SIZE, SIZE),
        "mask": (1, 4, SIZE, SIZE),
        "window": (1, 4, SIZE, SIZE),
    }
    if {"content", "mask"} - set(drawn) or set(drawn) - set(shapes):
        raise CheckFailed(
            f"draw() returned {', '.join(drawn) or 'nothing'}; it returns content and mask, and may return window"
        )
    for name, array in drawn.items():
        if (
            not isinstance(array, np.ndarray)
            or array.dtype != np.float32
            or array.shape != shapes[name]
        ):
            kind = (
                f"{array.dtype} of shape {array.shape}"
                if isinstance(array, np.ndarray)
                else type(array).__name__
            )
            raise CheckFailed(
                f"draw(): {name} is {kind}, expected float32 of shape {shapes[name]}: (C, T, H, W), the mask (1, T, H, W)"
            )
        if not np.isfinite(array).all():
            raise CheckFailed(f"draw(): {name} is not finite")
        if not np.array_equal(array, again[name]):
            raise CheckFailed(
                f"draw(): {name} differs under the same generator; draw everything random from it"
            )
    if drawn["mask"].min() < 0 or drawn["mask"].max() > 1:
        raise CheckFailed(
            f"draw(): the mask lies in {drawn['mask'].min():g}..{drawn['mask'].max():g}, expected 0..1"
        )
    if not np.array_equal(before, clips[0].frames):
        raise CheckFailed("draw() changed the frames of the clip: work on a copy")
