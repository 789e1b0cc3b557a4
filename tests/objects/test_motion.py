"""What moves is found; what stands still, casts a shadow or is noise is not."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from bench.contracts.clip import Clip, ImageFiles
from bench.errors import DataError
from bench.frames.decode import read_frames
from bench.objects.motion import MotionDetector
from bench.objects.tracking import track

HEIGHT, WIDTH, LENGTH = 96, 160, 48


def scene(folder: Path, walker: bool = True, shadow: bool = False) -> Clip:
    """A textured ground with sensor noise, something that stands, and a walker of 12 x 24
    pixels."""
    rng = np.random.default_rng(5)
    ground = cv2.resize(rng.integers(80, 140, (12, 20, 3)).astype(np.uint8), (WIDTH, HEIGHT))
    ground[60:90, 10:25] = 20
    paths = []
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(LENGTH):
        image = ground.astype(float)
        x = 10 + int(2.5 * index)
        if shadow:
            image[54:58, x : x + 30] *= 0.7
        if walker:
            image[30:54, x : x + 12] = (200, 60, 30)
        image += rng.normal(0, 3, image.shape)
        paths.append(folder / f"{index:03d}.png")
        cv2.imwrite(str(paths[-1]), image.clip(0, 255).astype(np.uint8))
    return Clip("01", "train", ImageFiles(tuple(paths)))


def detect(clip: Clip, detector: MotionDetector | None = None, batch: int = 7) -> list[np.ndarray]:
    detector = detector or MotionDetector()
    frames = list(read_frames(clip))
    detector.begin(clip, "demo")
    return [
        boxes
        for start in range(0, len(frames), batch)
        for boxes in detector.detect(clip, frames[start : start + batch])
    ]


def test_a_walker_is_found_in_every_frame_of_a_short_clip(tmp_path: Path) -> None:
    """From the first one on: the background is known before. Two pixels of tolerance for the
    morphology."""
    found = detect(scene(tmp_path))
    assert len(found) == LENGTH
    for index, boxes in enumerate(found):
        assert boxes.shape == (1, 5) and boxes[0, 4] == 1.0
        x = 10 + int(2.5 * index)
        np.testing.assert_allclose(boxes[0, :4], [x, 30, x + 12, 54], atol=2)


def test_nothing_is_found_where_nothing_moves(tmp_path: Path) -> None:
    found = detect(scene(tmp_path, walker=False))
    assert sum(len(boxes) for boxes in found) == 0 and all(boxes.shape == (0, 5) for boxes in found)


def test_shadows_do_not_widen_the_box(tmp_path: Path) -> None:
    for boxes in detect(scene(tmp_path, shadow=True))[2:-2]:
        assert boxes[:, 2].max() - boxes[:, 0].min() < 20  # the shadow is 30 pixels long


def test_boxes_are_the_same_in_any_batches_and_after_another_clip(tmp_path: Path) -> None:
    clip, other = scene(tmp_path / "a"), scene(tmp_path / "b", shadow=True)
    detector = MotionDetector()
    first = detect(clip, detector, 7)
    detect(other, detector)
    for again in (detect(clip, detector, 48), detect(clip, batch=1)):
        for boxes, expected in zip(again, first, strict=True):
            np.testing.assert_array_equal(boxes, expected)


def test_small_components_are_noise(tmp_path: Path) -> None:
    large = MotionDetector(
        MotionDetector.Parameters(minimum_area=0.05)
    )  # 768 pixels; the walker has 288
    assert sum(len(boxes) for boxes in detect(scene(tmp_path), large)) == 0


def test_the_walker_is_one_track(tmp_path: Path) -> None:
    tracks = track(detect(scene(tmp_path)), (HEIGHT, WIDTH))
    assert len(tracks) == 1 and tracks.usable(3)[1:].all()


def test_detecting_before_beginning_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"before begin\(\)"):
        MotionDetector().detect(Clip("01", "train"), [np.zeros((8, 8, 3), np.uint8)])


@pytest.mark.realdata
def test_most_windows_of_ped2_have_a_moving_object(real_data: Path) -> None:
    """On one training clip; plain background subtraction with OpenCV's defaults reaches 84 % over
    all."""
    paths = tuple(sorted((real_data / "ped2" / "training" / "frames" / "04").glob("*.jpg")))
    found = detect(Clip("04", "train", ImageFiles(paths)))
    assert track(found, (240, 360)).usable(3).mean() > 0.9
