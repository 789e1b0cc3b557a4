"""Pseudo-anomalies out of tracked objects: their boxes are blended with noise."""

from __future__ import annotations

import numpy as np

from bench import Creator, MethodError, OpenClip


class Objects(Creator):
    """Blends the box of one tracked object with uniform noise.

    DDL, section 3 and code: of the tracks present in all frames of the window one is drawn, each as
    likely; its box is the mask in each frame. Noise is drawn anew for each value, uniform in 0..1
    (-1..1 for networks on that range).
    """

    name = "objects"
    needs = frozenset({"tracks"})
    sigma = 0.5

    def draw(
        self, clip: OpenClip, start: int, generator: np.random.Generator
    ) -> dict[str, np.ndarray]:
        """Return noise and mask; the mask is all zero where no track is present in all frames."""
        if clip.tracks is None:
            raise MethodError(
                f"pseudo-anomalies 'objects' need tracks, and clip {clip.id} has none"
            )
        window = self.window
        frames = clip.frames
        height, width = frames.shape[1:3]
        channels = 1 if frames.ndim == 3 else frames.shape[3]
        content = generator.random((channels, window.length, height, width), dtype=np.float32)
        if window.value_range == "-1..1":
            content = content * 2 - 1
        elif window.value_range == "mean-subtracted":
            content -= 0.5  # noise of the frames' own range, around a mid-gray mean
        present = clip.tracks.common(start, window.length, window.step)
        if len(present):
            boxes = clip.tracks.boxes(
                int(generator.choice(present)), start, window.length, window.step
            )
            mask = box_mask(boxes, (height, width))[None]
        else:
            mask = np.zeros((1, window.length, height, width), dtype=np.float32)
        return {"content": content, "mask": mask}


def box_mask(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return 1 inside the box of each frame, 0 elsewhere.

    As the DDL code does it: coordinates times the resized width and height, truncated to integers,
    half-open (rows y1..y2-1, columns x1..x2-1). What lies beyond the frame is cut off; a box
    below one pixel leaves an empty mask.

    Parameters
    ----------
    boxes : (T, 4) float, x1, y1, x2, y2 relative to the frame (0..1).
    size : (height, width) in pixels, of the resized frame.

    Returns
    -------
    (T, H, W) float32.
    """
    height, width = size
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    mask = np.zeros((len(boxes), height, width), dtype=np.float32)
    corners = np.clip(
        np.trunc(boxes * (width, height, width, height)), 0, (width, height, width, height)
    ).astype(int)
    for plane, (x1, y1, x2, y2) in zip(mask, corners):
        plane[y1:y2, x1:x2] = 1
    return mask
