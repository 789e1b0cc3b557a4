"""Writes a small made-up my-dataset: `python tests/example.py data`."""

import sys
from pathlib import Path

import cv2
import numpy as np

LENGTHS = {"train": {"01": 40, "02": 40}, "test": {"03": 50, "04": 40}}
ABNORMAL = {"03": (20, 34), "04": (5, 17)}


def write_example(root: Path) -> None:
    """Write noise with a square that moves slowly, and jumps about while it is abnormal."""
    generator = np.random.default_rng(0)
    for split, lengths in LENGTHS.items():
        for clip, length in lengths.items():
            folder = root / "my-dataset" / split / clip
            folder.mkdir(parents=True)
            first, last = ABNORMAL.get(clip, (length, length))
            for frame in range(length):
                image = generator.integers(60, 90, (96, 128), dtype=np.uint8)
                x = int(generator.integers(0, 100)) if first <= frame <= last else frame
                image[40:60, x : x + 20] = 220
                cv2.imwrite(str(folder / f"{frame:04d}.png"), image)
    lines = [
        "clip,first,last",
        *(f"{clip},{first},{last}" for clip, (first, last) in ABNORMAL.items()),
    ]
    (root / "my-dataset" / "labels.csv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    write_example(Path(sys.argv[1]))
