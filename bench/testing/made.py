"""What the checks are given, and how they fail: clips made in memory, and a context."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.contracts.compute import Compute
from bench.contracts.method import Context, FrameFormat, OpenClip
from bench.contracts.tracks import Tracks
from bench.engine import context

TRAIN_LENGTH, TEST_LENGTH = 48, 40
SIZE = 64
"""Height and width at which the clips are made, pixels."""
SEED = 11


class CheckFailed(AssertionError):
    """A method does not do what every method owes; the text says what, and what to do."""


class NotAsked(Exception):
    """A check has nothing to ask of a method; the text says why."""


def make_clip(number: int, split: str, frames: FrameFormat | None, with_tracks: bool) -> OpenClip:
    """Return a clip of three bright blobs that move over texture; in test clips one of them jumps
    about from the middle on.

    `frames` is what the method asked for. The arrays are read-only, as memory-mapped ones are.
    """
    length = TRAIN_LENGTH if split == "train" else TEST_LENGTH
    generator = np.random.default_rng([number, len(split)])
    ground = generator.integers(40, 90, (SIZE, SIZE))
    images = np.empty((length, SIZE, SIZE), dtype=np.uint8)
    boxes: list[tuple[float, float, float, float]] = []
    places = generator.uniform(8, SIZE - 16, (3, 2))
    speeds = generator.uniform(-0.6, 0.6, (3, 2))
    for frame in range(length):
        image = ground + generator.integers(-4, 5, ground.shape)
        for blob in range(3):
            jumps = split == "test" and blob == 0 and frame >= length // 2
            x, y = np.clip(
                places[blob] + speeds[blob] * frame + (generator.uniform(-9, 9, 2) if jumps else 0),
                0,
                SIZE - 9,
            ).astype(int)
            image[y : y + 8, x : x + 8] = 170 + 25 * blob
            boxes.append((x / SIZE, y / SIZE, (x + 8) / SIZE, (y + 8) / SIZE))
        images[frame] = image.clip(0, 255)
    tracks = None
    if with_tracks:
        every, ids = np.repeat(np.arange(length), 3), np.tile(np.arange(3), length)
        tracks = Tracks(every, ids, np.array(boxes), length, (SIZE, SIZE), len(boxes))
    opened = None if frames is None else _in_format(images, frames)
    return OpenClip(
        f"{number:02d}",
        split,
        length,
        "made",
        opener=None if opened is None else lambda: opened,
        tracks=tracks,
    )


def _in_format(images: np.ndarray, frames: FrameFormat) -> np.ndarray:
    import cv2

    height, width = frames.size
    resized = np.stack(
        [cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR) for image in images]
    )
    array = np.repeat(resized[..., None], 3, axis=3) if frames.channels == 3 else resized
    array.setflags(write=False)
    return array


def make_context(
    folder: Path,
    history: Path | None = None,
    device: str = "cpu",
    step: Callable[[int, int, str], None] | None = None,
) -> Context:
    """Return a context that trains and scores networks, in a scratch `folder`; the loss of each
    epoch is written to `history`, and `step` takes the reports of progress.
    """
    return context.make_context(
        SEED,
        # Everywhere in batches of the CPU's size, since another size changes the last digits.
        Compute(device, batch=Compute("cpu").scoring_batch),
        folder,
        test_lengths={f"{number:02d}": TEST_LENGTH for number in (1, 2)},
        history=history,
        step=step,
    )
