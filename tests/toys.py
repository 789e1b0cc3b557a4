"""A plugin of toys for the tests of the runner: a dataset of small images, and methods that
behave badly. No torch."""

import contextlib
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from bench import (
    Clip,
    DataError,
    Dataset,
    DatasetInfo,
    FrameFormat,
    ImageFiles,
    Method,
    hookimpl,
    parameter,
)

LENGTHS = {"train": {"01": 24, "02": 30}, "test": {"01": 20, "02": 26, "03": 12}}


class Toy(Dataset):
    """Noise, and brighter noise where it is anomalous; images are written at first use."""

    name = "toy"
    info = DatasetInfo(groups=("toys",))
    default_profile = "smoke"
    default_detector = "motion"

    def locate(self, roots):
        self.root = Path(roots[0]) / "toy"
        if (Path(roots[0]) / "gone").exists():
            raise DataError("toy: its disk is not here")
        if (Path(roots[0]) / "preempted").exists() and "bench.worker.server" in sys.orig_argv:
            os.kill(os.getpid(), signal.SIGTERM)
        for split, lengths in LENGTHS.items():
            for clip, length in lengths.items():
                folder = self.root / split / clip
                if folder.is_dir():
                    continue
                made = folder.with_name(
                    f".{clip}-{os.getpid()}"
                )  # whole or absent, for runners that start together
                made.mkdir(parents=True)
                generator = np.random.default_rng([len(split), int(clip)])
                for frame in range(length):
                    bright = 60 * (split == "test" and self.anomalous(clip)[frame])
                    image = generator.integers(0, 120, (24, 32)) + bright
                    cv2.imwrite(str(made / f"{frame:03d}.png"), image.astype(np.uint8))
                with contextlib.suppress(OSError):  # another was first
                    made.rename(folder)

    @staticmethod
    def anomalous(clip):
        length = LENGTHS["test"][clip]
        return np.arange(length) % 10 >= 6

    def clips(self, split):
        return [
            Clip(
                clip,
                split,
                ImageFiles(tuple(sorted((self.root / split / clip).glob("*.png")))),
                len(list((self.root / split / clip).glob("*.png"))),
            )
            for clip in LENGTHS[split]
        ]

    def labels(self, clip, label_set=None):
        return self.anomalous(clip.id).astype(np.uint8)


class Brightness(Method):
    """A method that works, slowly enough to be killed in the middle."""

    name = "brightness"
    frames = FrameFormat((16, 16), 1)
    needs = frozenset({"frames", "train"})

    @dataclass(frozen=True)
    class Parameters:
        """How long it takes."""

        pause: float = parameter(
            0.0, unit="seconds a frame", source="no source: for tests", doc="sleep"
        )

    def fit(self, clips, context):
        self.mean = (
            float(np.mean([clip.frames.mean() for clip in clips]))
            + float(np.random.random()) * 1e-3
        )
        time.sleep(self.parameters.pause * 10)

    def score(self, clip, context):
        scores = []
        for number, frame in enumerate(clip.frames):
            time.sleep(self.parameters.pause)
            context.step(number + 1, clip.length, "looking")
            scores.append(float(abs(frame.mean() - self.mean) + np.random.random() * 1e-3))
        return scores


class Steady(Brightness):
    """Draws anew for each clip, so that it may be cut between two."""

    name = "steady"

    def score(self, clip, context):
        np.random.seed(int(clip.id))
        return super().score(clip, context)


class Needy(Brightness):
    """Needs a file that may be gone."""

    name = "needy"

    def check(self, dataset):
        if os.environ.get("TOY_FILE_GONE"):
            raise DataError("needy: its file is gone")


class Bad(Method):
    """Misbehaves as its parameter says."""

    name = "bad"
    frames = FrameFormat((16, 16), 1)

    @dataclass(frozen=True)
    class Parameters:
        """How."""

        how: str = parameter(
            "raise",
            source="no source: for tests",
            doc="what goes wrong",
            choices=("raise", "kill", "exit", "nan", "length", "stall", "memory", "frozen", "stop"),
        )

    def score(self, clip, context):
        how = self.parameters.how
        if how == "raise":
            raise ZeroDivisionError("nothing to divide by")
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "stop":
            os.kill(os.getpid(), signal.SIGTERM)
        if how == "exit":
            os._exit(17)
        if how == "nan":
            return [float("nan")] * clip.length
        if how == "length":
            return [0.0] * (clip.length - 1)
        if how == "memory":
            raise MemoryError
        if how == "frozen":
            os.kill(os.getpid(), signal.SIGSTOP)
        while True:
            time.sleep(0.1)


@hookimpl
def bench_datasets():
    return [Toy]


@hookimpl
def bench_methods():
    return [Brightness, Steady, Needy, Bad]
