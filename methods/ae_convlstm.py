"""The convolutional LSTM autoencoder: a memory of the window so far reconstructs the frame that
came, and the one before.

W. Luo, W. Liu, S. Gao, Remembering History with Convolutional LSTM for Anomaly Detection, ICME
2017; code (Caffe) at commit d86b4ea.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from bench import FrameFormat, MethodInfo, Scores, Window, parameter

from .pseudo_anomalies.parameters import PseudoAnomalyParameters
from .pseudo_anomalies.training import PseudoAnomalyTraining
from .references import bibtex

if TYPE_CHECKING:
    import torch

LENGTH = 10
"""Frames of a window (code)."""
SCORED = 5
"""Of these the second half is scored: each frame has 5 to 9 frames of memory (code)."""


@dataclass(frozen=True)
class AEConvLSTMParameters(PseudoAnomalyParameters):
    """Parameters of ae-convlstm."""

    size: int = parameter(
        225, unit="pixels", source="code", doc="height and width of a frame: 16k + 1", minimum=17
    )
    width: float = parameter(
        1.0, source="code: channels 128, 256, 512", doc="factor of the channels", minimum=0.01
    )
    steps: int = parameter(50_000, source="code", doc="training steps", minimum=1)
    batch: int = parameter(
        8, unit="windows", source="code, on each of two GPUs", doc="windows a step", minimum=1
    )
    learning_rate: float = parameter(
        1e-4,
        source="no source for means: chosen here; the code has AdaGrad at 1e-3 on sums of squares",
        doc="of Adam",
        minimum=0.0,
    )
    every: int = parameter(
        1,
        unit="frames",
        source="code: any frame may be the first",
        doc="train on each n-th window",
        minimum=1,
    )

    def __post_init__(self) -> None:
        if self.size % 16 != 1:
            below = (self.size - 1) // 16 * 16 + 1
            raise ValueError(
                f"size {self.size} is not 16k + 1; the nearest are {below} and {below + 16}"
            )


class AEConvLSTM(PseudoAnomalyTraining):
    """Autoencoder with a convolutional LSTM, one decoder for the current frame and one for the
    frame before.
    """

    name = "ae-convlstm"
    info = MethodInfo(
        display_name="AE-ConvLSTM",
        title="Remembering History with Convolutional LSTM for Anomaly Detection",
        year=2017,
        venue="ICME",
        citation="luo2017convlstm",
        bibtex=bibtex("luo2017convlstm"),
        family="reconstruction",
        groups=("baseline", "reconstruction"),
        inputs="gray frames",
        published_protocol="the error, min-max in each clip, all frames pooled (the authors' test.py)",
        paper_protocol="minmax",
        reproduction="the paper's text was not at hand; the authors mask a fixed rectangle in entrance and exit videos, which none of these datasets is",
        deviations=(
            "means of squares with Adam; the code sums them with AdaGrad, twice the rate on biases, and weight decay",
            "the last window ends with its clip; in the code a shorter one reuses old frames",
        ),
    )
    Parameters: ClassVar[type] = AEConvLSTMParameters
    # Faster than 5e-4 the ReLUs die on the small errors of mean-subtracted frames: the output is
    # then 0 for all inputs.
    profiles = {
        "small": {"size": 113, "width": 0.25, "steps": 800, "learning_rate": 5e-4, "every": 2},
        "smoke": {
            "size": 49,
            "width": 0.125,
            "steps": 40,
            "batch": 4,
            "learning_rate": 5e-4,
            "every": 2,
        },
    }

    @property
    def frames(self) -> FrameFormat:  # type: ignore[override]
        """Gray frames of the chosen size."""
        return FrameFormat((self.parameters.size, self.parameters.size), 1)

    @property
    def window(self) -> Window:
        """Ten frames less the mean training frame, of which the last five are scored."""
        return Window(
            LENGTH, targets=tuple(range(LENGTH - SCORED, LENGTH)), value_range="mean-subtracted"
        )

    def build_network(self) -> torch.nn.Module:
        """Return the autoencoder with fresh weights."""
        from .networks.luo import ConvLSTMAutoEncoder

        return ConvLSTMAutoEncoder(self.parameters.width)

    @property
    def reconstructed_frames(self) -> Sequence[int]:
        """All frames by the decoder of the current one, then all but the last by that of the frame
        before.
        """
        return (*range(LENGTH), *range(LENGTH - 1))

    def reconstruct(self, network: torch.nn.Module, windows: torch.Tensor) -> torch.Tensor:
        """Return the `reconstructed_frames`, (B, 1, 19, H, W)."""
        import torch

        return torch.cat(network(windows), dim=2)

    def reconstruction_loss(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the sum of both decoders' mean squared errors."""
        squares = (output - target).square()
        return squares[:, :, :LENGTH].mean() + squares[:, :, LENGTH:].mean()

    def error(
        self, network: torch.nn.Module, batch: dict[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """Return the norm of both decoders' errors at each scored time, sqrt(||x_t - current_t||^2
        + ||x_(t-1) - past_t||^2) (code).

        Map and reconstruction are those of the current frame.
        """
        windows = batch["window"]
        current, past = network(windows)
        begin = LENGTH - SCORED
        now = windows[:, :, begin:] - current[:, :, begin:]
        before = windows[:, :, begin - 1 : -1] - past[:, :, begin - 1 :]
        squares: Any = now.square().sum(dim=(1, 3, 4)) + before.square().sum(dim=(1, 3, 4))
        return {
            "norm": squares.sqrt(),
            "map": now[:, 0].abs(),
            "reconstruction": current[:, :, begin:].transpose(1, 2),
        }

    def clip_scores(
        self, terms: Mapping[str, np.ndarray], frames: np.ndarray, length: int
    ) -> Scores:
        """Give each of the first five frames the score of the frame five later (code)."""
        values = terms["norm"]
        return Scores(
            np.concatenate([values[:SCORED], values]),
            np.concatenate([frames[:SCORED] - SCORED, frames]),
        )
