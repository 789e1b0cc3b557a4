"""Writes the three demo datasets as the published ones are laid out, labels and pixel masks
included.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import scipy.io

from bench import DataError

from .render import RATE, ClipPlan, Event, Scene, render_clip

_WALKWAY = Scene("tiles", seed=11)
_CAMPUS = Scene(
    "asphalt",
    seed=12,
    height=4.6,
    horizon=-22,
    posts=(),
    kiosks=((2.6, 8.2),),
    shadow=(-0.5, 0.2),
    warmth=1.05,
)
_SCENES = {
    "01": Scene("bricks", seed=13, warmth=1.18),
    "02": Scene(
        "tiles",
        seed=14,
        height=6.0,
        focal=560,
        horizon=-60,
        posts=((2.4, 9.0),),
        shadow=(-0.6, 0.18),
        warmth=0.94,
    ),
    "03": Scene(
        "asphalt",
        seed=15,
        height=4.0,
        horizon=0,
        posts=(),
        kiosks=((-2.8, 8.4),),
        shadow=(0.35, 0.28),
    ),
}

PED2 = {
    "Train": {
        f"{number:03d}": ClipPlan(_WALKWAY, frames, 100 + number)
        for number, frames in enumerate((64, 56, 72, 60, 64), start=1)
    },
    "Test": {
        "001": ClipPlan(_WALKWAY, 72, 151, 4, (Event("bicycle", 34, 11.5),)),
        "002": ClipPlan(_WALKWAY, 80, 152, 4, (Event("cart", 40, 13.5, -1),)),
        "003": ClipPlan(_WALKWAY, 12, 153, 4, (Event("bicycle", 15, 10.0, -1),)),
        "004": ClipPlan(_WALKWAY, 72, 154, 4, (Event("runner", 36, 10.5),)),
    },
}
AVENUE = {
    "training_videos": {
        f"{number:02d}": ClipPlan(_CAMPUS, frames, 200 + number)
        for number, frames in enumerate((72, 60, 64, 56, 48), start=1)
    },
    "testing_videos": {
        "01": ClipPlan(_CAMPUS, 76, 251, 4, (Event("runner", 36, 10.5),)),
        "02": ClipPlan(_CAMPUS, 72, 252, 4, (Event("throw", 36, 10.2, 1, -1.5),)),
        "03": ClipPlan(_CAMPUS, 14, 253, 4, (Event("throw", 14, 11.0, -1, 1.0),)),
        "04": ClipPlan(_CAMPUS, 72, 254, 4, (Event("bicycle", 38, 11.5, -1),)),
    },
}
SHANGHAITECH = {
    "training": {
        f"{scene}_{number:03d}": ClipPlan(_SCENES[scene], frames, 300 + 10 * int(scene) + number)
        for scene in _SCENES
        for number, frames in ((1, 64), (2, 52))
    },
    "testing": {
        "01_0014": ClipPlan(_SCENES["01"], 72, 351, 4, (Event("cart", 34, 13.0),)),
        "01_0015": ClipPlan(_SCENES["01"], 15, 352, 4, (Event("runner", 17, 10.5),)),
        "02_0128": ClipPlan(_SCENES["02"], 72, 353, 4, (Event("bicycle", 36, 12.5, -1),)),
        "03_0031": ClipPlan(_SCENES["03"], 72, 354, 4, (Event("throw", 38, 10.5, 1, -1.0),)),
    },
}


def write_ped2(folder: Path) -> None:
    """Write gray `.tif` a frame, `.bmp` a mask, and the ranges of anomalous frames as a Matlab
    script.
    """
    labels = []
    for split, plans in PED2.items():
        for number, plan in plans.items():
            frames, masks = render_clip(plan)
            clip = folder / split / f"{split}{number}"
            _write_images(
                clip, [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames], 1, ".tif"
            )
            if split == "Test":
                _write_images(
                    clip.with_name(f"{clip.name}_gt"),
                    [mask.astype(np.uint8) * 255 for mask in masks],
                    1,
                    ".bmp",
                )
                labels.append(f"TestVideoFile{{end+1}}.gt_frame = [{', '.join(_ranges(masks))}];")
    (folder / "Test" / "UCSDped2.m").write_text(
        "\n".join(["TestVideoFile = {};", *labels, ""]), encoding="ascii"
    )


def write_avenue(folder: Path) -> None:
    """Write a `.avi` a clip, and a Matlab file with the masks of each test clip."""
    for split, plans in AVENUE.items():
        for number, plan in plans.items():
            frames, masks = render_clip(plan)
            _write_video(folder / split / f"{number}.avi", frames)
            if split == "testing_videos":
                _write_mat(
                    folder
                    / "ground_truth_demo"
                    / "testing_label_mask"
                    / f"{int(number)}_label.mat",
                    masks,
                )


def write_shanghaitech(folder: Path) -> None:
    """Write a `.avi` a training clip, a `.jpg` a test frame, and labels and masks of each test clip
    as `.npy`.
    """
    for number, plan in SHANGHAITECH["training"].items():
        _write_video(folder / "training" / "videos" / f"{number}.avi", render_clip(plan)[0])
    for number, plan in SHANGHAITECH["testing"].items():
        frames, masks = render_clip(plan)
        bgr = [cv2.cvtColor(frame, cv2.COLOR_RGB2BGR) for frame in frames]
        _write_images(folder / "testing" / "frames" / number, bgr, 0, ".jpg")
        for name, array in (
            ("test_frame_mask", masks.any(axis=(1, 2))),
            ("test_pixel_mask", masks),
        ):
            path = folder / "testing" / name / f"{number}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, array.astype(np.uint8))


WRITERS: dict[str, Callable[[Path], None]] = {
    "UCSDped2": write_ped2,
    "Avenue Dataset": write_avenue,
    "shanghaitech": write_shanghaitech,
}
"""Name of a dataset's folder -> what writes it."""


def _ranges(masks: np.ndarray) -> list[str]:
    """Return 'first:last' of each run of frames with a mask, counted from 1, both included."""
    changes = np.flatnonzero(np.diff(masks.any(axis=(1, 2)).astype(np.int8), prepend=0, append=0))
    return [f"{first + 1}:{last}" for first, last in changes.reshape(-1, 2)]


def _write_images(folder: Path, images: list[np.ndarray], first: int, ending: str) -> None:
    folder.mkdir(parents=True)
    for number, image in enumerate(images, start=first):
        path = folder / f"{number:03d}{ending}"
        coded, content = cv2.imencode(ending, image)
        if not coded:
            raise DataError(
                f"{path}: this OpenCV cannot write {ending} images; install opencv-python-headless anew"
            )
        path.write_bytes(content.tobytes())


def _write_video(path: Path, frames: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), RATE, frames.shape[2:0:-1])
    if not writer.isOpened():
        raise DataError(
            f"{path} cannot be written: the folder is not writable, or this OpenCV has no MJPG encoder"
        )
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()


def _write_mat(path: Path, masks: np.ndarray) -> None:
    cells = np.empty((1, len(masks)), dtype=object)
    for index, mask in enumerate(masks):
        cells[0, index] = mask.astype(np.uint8)
    content = io.BytesIO()
    scipy.io.savemat(content, {"volLabel": cells}, do_compression=True)
    # The first 116 bytes are a text with the time of writing; a fixed one keeps files of the same
    # content the same.
    content.getbuffer()[:116] = b"MATLAB 5.0 MAT-file".ljust(116)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.getvalue())
