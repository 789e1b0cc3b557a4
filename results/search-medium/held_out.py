"""Makes a folder dataset that settings can be chosen on without a test label: `held_out.py PED2
BOXES FOLDER`.

PED2 is the dataset's folder (training/frames/01/000.jpg), BOXES the detections of its training
part. Clips 01 to 12 stay training clips. Each of the training clips 13 to 16 becomes three test
clips with one made anomaly each, for 40 % of its frames:

- rider: a pedestrian of another training clip, laid down and 1.5 to 2 times as large, who crosses
    the frame at several times a pedestrian's speed;
- runner: one pedestrian of the clip, who crosses it as fast;
- skip: a region of the frame that is played at four times its speed.

None of them is blended with noise, which is what distinction learning trains with.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np

TRAIN, HELD_OUT = [f"{clip:02d}" for clip in range(1, 13)], ["13", "14", "15", "16"]


def frames_of(ped2: Path, clip: str) -> np.ndarray:
    """Return the frames of a training clip, (T, H, W) uint8."""
    return np.stack(
        [
            cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
            for path in sorted((ped2 / "training" / "frames" / clip).glob("*.jpg"))
        ]
    )


def silhouette(part: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Return a mask from 0 to 1 with soft edges of what differs from the empty scene, (H, W)."""
    differs = cv2.GaussianBlur(cv2.absdiff(part, background), (5, 5), 0) > 12
    return cv2.GaussianBlur(cv2.dilate(differs.astype(np.float32), np.ones((3, 3))), (3, 3), 0)


def cross(
    frames: np.ndarray,
    patch: np.ndarray,
    mask: np.ndarray,
    first: int,
    last: int,
    y: int,
    speed: float,
    start: float,
) -> None:
    """Let a patch cross the frames from `first` to `last`, from side to side."""
    height, width = patch.shape
    free = frames.shape[2] - width
    for number in range(first, last):
        way = (start + speed * (number - first)) % (2 * free)
        x = int(way if way < free else 2 * free - way)
        part = frames[number, y : y + height, x : x + width]
        frames[number, y : y + height, x : x + width] = (part * (1 - mask) + patch * mask).round()


def pedestrian(
    frames: np.ndarray, boxes: list, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return one box of a frame, its mask and its top."""
    background = np.median(frames[::5], axis=0).astype(np.uint8)
    number = int(generator.integers(len(frames)))
    seen = [
        box
        for box in boxes[number]
        if box[3] - box[1] > 28 and min(box[:2]) > 2 and box[2] < 358 and box[3] < 238
    ]
    if not seen:
        return pedestrian(frames, boxes, generator)
    left, top, right, bottom = (
        round(value) for value in seen[int(generator.integers(len(seen)))][:4]
    )
    part = frames[number, top - 2 : bottom + 2, left - 2 : right + 2]
    return part, silhouette(part, background[top - 2 : bottom + 2, left - 2 : right + 2]), top


def play_fast(frames: np.ndarray, whole: np.ndarray, first: int, last: int) -> None:
    """Play the busiest region of the frame at four times its speed, from `first` to `last`."""
    height, width = 70, 90
    busy = np.abs(np.diff(whole.astype(np.float32), axis=0)).mean(axis=0)
    y, x = np.unravel_index(
        np.argmax(cv2.boxFilter(busy, -1, (width, height))[35:-35, 45:-45]), (170, 270)
    )
    mask = np.zeros((height, width), np.float32)
    cv2.ellipse(
        mask, (width // 2, height // 2), (width // 2 - 4, height // 2 - 4), 0, 0, 360, 1.0, -1
    )
    mask = cv2.GaussianBlur(mask, (7, 7), 0)
    for number in range(first, last):
        ahead = (first + 4 * (number - first)) % len(whole)
        part, fast = (one[y : y + height, x : x + width] for one in (frames[number], whole[ahead]))
        frames[number, y : y + height, x : x + width] = (part * (1 - mask) + fast * mask).round()


def main() -> None:
    """Write the dataset."""
    ped2, boxes_file, folder = map(Path, sys.argv[1:4])
    boxes = json.loads(boxes_file.read_text())
    generator = np.random.default_rng(0)
    for clip in TRAIN:
        target = folder / "train" / clip
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to((ped2 / "training" / "frames" / clip).resolve())
    kept = {clip: boxes["clips"][clip] for clip in TRAIN}
    (folder / "boxes_train.json").write_text(
        json.dumps(boxes | {"dataset": "folder", "clips": kept})
    )
    lines = ["clip,first,last"]
    for clip in HELD_OUT:
        whole = frames_of(ped2, clip)
        for kind in ("rider", "runner", "skip"):
            frames = whole.copy()
            length = round(0.4 * len(frames))
            first = int(generator.integers(10, len(frames) - length - 10))
            last = first + length
            speed, start = float(generator.uniform(3, 6)), float(generator.uniform(0, 600))
            if kind == "rider":
                other = str(generator.choice(TRAIN))
                patch, mask, _ = pedestrian(
                    frames_of(ped2, other), boxes["clips"][other], generator
                )
                scale = float(generator.uniform(1.5, 2))
                patch, mask = (
                    cv2.resize(np.rot90(one), None, fx=scale, fy=scale) for one in (patch, mask)
                )
                cross(
                    frames,
                    patch,
                    mask,
                    first,
                    last,
                    int(generator.integers(100, 170)),
                    speed,
                    start,
                )
            elif kind == "runner":
                patch, mask, top = pedestrian(whole, boxes["clips"][clip], generator)
                cross(frames, patch, mask, first, last, top, speed, start)
            else:
                play_fast(frames, whole, first, last)
            name = f"{clip}-{kind}"
            (folder / "test" / name).mkdir(parents=True)
            for number, frame in enumerate(frames):
                cv2.imwrite(str(folder / "test" / name / f"{number:03d}.png"), frame)
            lines.append(f"{name},{first},{last - 1}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
