"""Pseudo-anomalies out of skipped frames: everything moves faster."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench import Creator, OpenClip, Window, parameter

from .time import refuse_single_frames


@dataclass(frozen=True)
class SkipParameters:
    """Parameters of skip."""

    strides: tuple[int, ...] = parameter(
        (2, 3, 4, 5),
        unit="frames",
        source="LNTRA and STEAL, READMEs; the code's default is 3",
        doc="each as likely",
        minimum=2,
    )


class Skip(Creator):
    """Takes frames a stride apart, so that everything moves faster.

    LNTRA, code: frames start, start + s, start + 2s, ... of the clip. Where the clip ends before
    them, another start is drawn, up to ten times; after that the last frame is repeated. The normal
    window is the consecutive one of the same start.
    """

    name = "skip"
    Parameters = SkipParameters
    redraws = 10
    """LNTRA, code."""

    def __init__(self, window: Window, *arguments: object) -> None:
        refuse_single_frames(self.name, window)
        super().__init__(window, *arguments)  # type: ignore[arg-type]

    def draw(
        self, clip: OpenClip, start: int, generator: np.random.Generator
    ) -> dict[str, np.ndarray]:
        """Return the skipped window, a full mask, and the consecutive window of its start."""
        stride = int(generator.choice(self.parameters.strides)) * self.window.step
        reach = (self.window.length - 1) * stride
        for _ in range(self.redraws):
            # The code lets start + reach be one frame beyond the end, and repeats the last frame
            # then.
            if start + reach <= clip.length:
                break
            start = int(generator.integers(clip.length))
        places = np.arange(self.window.length)
        frames = clip.frames
        last = clip.length - 1
        content = self.to_range(frames[np.minimum(start + places * stride, last)])
        normal = self.to_range(frames[np.minimum(start + places * self.window.step, last)])
        return {"content": content, "mask": np.ones_like(content[:1]), "window": normal}
