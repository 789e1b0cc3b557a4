"""Scores that look at no frame, or at no more than two: what a protocol gives away by itself."""

from __future__ import annotations

import numpy as np

from bench import Context, FrameFormat, Method, MethodInfo, OpenClip


def _info(title: str, inputs: str = "") -> MethodInfo:
    return MethodInfo(title=title, family="trivial", groups=("trivial",), inputs=inputs)


class Constant(Method):
    """0 for every frame: an AUC of exactly .5, if ties count half."""

    name = "constant"
    info = _info("A constant")
    uses_seed = False
    frames = None
    needs = frozenset({"lengths"})

    def score(self, clip: OpenClip, context: Context) -> np.ndarray:
        """Return 0 for each frame."""
        return np.zeros(clip.length)


class FrameIndex(Method):
    """The number of the frame in its clip: do anomalies lie late?"""

    name = "frame-index"
    info = _info("Frame index")
    uses_seed = False
    frames = None
    needs = frozenset({"lengths"})

    def score(self, clip: OpenClip, context: Context) -> np.ndarray:
        """Return 0, 1, 2, ..."""
        return np.arange(clip.length, dtype=np.float64)


class ClipPosition(Method):
    """The place of the frame in its clip, from 0 to 1."""

    name = "clip-position"
    info = _info("Place in the clip")
    uses_seed = False
    frames = None
    needs = frozenset({"lengths"})

    def score(self, clip: OpenClip, context: Context) -> np.ndarray:
        """Return 0 for the first frame to 1 for the last; 0 for the frame of a clip of one."""
        return np.arange(clip.length) / max(1, clip.length - 1)


class FrameDifference(Method):
    """Mean absolute change of the gray values since the frame before: motion energy."""

    name = "frame-difference"
    info = _info("Frame difference", "gray frames")
    uses_seed = False
    frames = FrameFormat((256, 256), 1)
    needs = frozenset({"frames"})

    def score(self, clip: OpenClip, context: Context) -> np.ndarray:
        """Return the mean change in 0..1; the first frame takes the second's score, and 0 where it
        is alone.
        """
        changes = np.zeros(clip.length)
        frames = clip.frames
        before = frames[0].astype(np.int16)
        for index in range(1, clip.length):
            if index % 256 == 0:
                context.step(index, clip.length, f"scoring clip {clip.id}")
            now = frames[index].astype(np.int16)
            changes[index] = np.abs(now - before).mean() / 255
            before = now
        changes[0] = changes[min(1, clip.length - 1)]
        return changes
