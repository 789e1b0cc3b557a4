"""Pseudo-anomalies out of repeated frames: everything moves slower, or stands still."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from bench import Creator, OpenClip, Window, parameter

from .time import refuse_single_frames

HOLDS = (2, 3, 4, 5)


@dataclass(frozen=True)
class RepeatParameters:
    """Parameters of repeat."""

    holds: tuple[int, ...] = parameter(
        HOLDS,
        unit="frames",
        source="no source: as the strides of skip; LNTRA's and STEAL's loaders carry an unused hold=[2]",
        doc="how often a frame is shown, each as likely",
        minimum=2,
    )
    mode: Literal["slow", "freeze"] = parameter(
        "slow",
        source="no source: chosen here",
        doc="slow: each frame several times; freeze: the first alone",
    )

    def __post_init__(self) -> None:
        if self.mode == "freeze" and self.holds != HOLDS:
            raise ValueError("holds means nothing with mode=freeze; leave one of them out")


class Repeat(Creator):
    """Shows frames several times, so that everything moves slower (PseudoBound names the kind; its
    parameters have no source).
    """

    name = "repeat"
    Parameters = RepeatParameters

    def __init__(self, window: Window, *arguments: object) -> None:
        refuse_single_frames(self.name, window)
        super().__init__(window, *arguments)  # type: ignore[arg-type]

    def draw(
        self, clip: OpenClip, start: int, generator: np.random.Generator
    ) -> dict[str, np.ndarray]:
        """Return the slowed window and a full mask."""
        hold = (
            self.window.length
            if self.parameters.mode == "freeze"
            else int(generator.choice(self.parameters.holds))
        )
        places = start + np.arange(self.window.length) // hold * self.window.step
        content = self.to_range(clip.frames[places])
        return {"content": content, "mask": np.ones_like(content[:1])}
