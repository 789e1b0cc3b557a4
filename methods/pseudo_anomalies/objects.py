"""Pseudo-anomalies out of tracked objects: their boxes are blended with noise."""

from __future__ import annotations

import numpy as np

from bench import Creator, MethodError, OpenClip, box_mask


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
