"""Pseudo-anomalies out of noise on all pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench import Creator, OpenClip, parameter


@dataclass(frozen=True)
class NoiseParameters:
    """Parameters of noise."""

    deviation: float = parameter(
        0.1,
        source="no source: chosen here",
        doc="standard deviation as a share of the range from black to white: .2 on -1..1, .1 on 0..1",
        minimum=0.0,
        maximum=1.0,
    )


class Noise(Creator):
    """Adds independent Gaussian noise to each value of the window (PseudoBound names the kind; its
    form has no source).
    """

    name = "noise"
    Parameters = NoiseParameters

    def draw(
        self, clip: OpenClip, start: int, generator: np.random.Generator
    ) -> dict[str, np.ndarray]:
        """Return the noisy window, kept between black and white, and a full mask."""
        frames = clip.frames[start : start + self.window.span : self.window.step]
        normal = self.to_range(frames)
        black, white = (
            self.to_range(np.zeros_like(frames[:1])),
            self.to_range(np.full_like(frames[:1], 255)),
        )
        noise = generator.standard_normal(normal.shape, dtype=np.float32) * (
            self.parameters.deviation * (white - black)
        )
        content = np.clip(normal + noise, black, white).astype(np.float32)
        return {"content": content, "mask": np.ones_like(content[:1])}
