"""The spatiotemporal autoencoder: convolutions for each frame, and convolutional LSTMs between
encoder and decoder.

Y. S. Chong, Y. H. Tay, Abnormal Event Detection in Videos using Spatiotemporal Autoencoder, ISNN
2017 (arXiv 1701.01546). No authors' code was at hand: the layers follow public reimplementations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from bench import FrameFormat, MethodInfo, Window, parameter

from .pseudo_anomalies.parameters import PseudoAnomalyParameters
from .pseudo_anomalies.training import PseudoAnomalyTraining
from .references import bibtex

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class SpatioTemporalAEParameters(PseudoAnomalyParameters):
    """Parameters of st-ae."""

    size: int = parameter(
        227,
        unit="pixels",
        source="public reimplementations",
        doc="height and width of a frame: 8k + 19",
        minimum=27,
    )
    length: int = parameter(
        10,
        unit="frames",
        source="public reimplementations",
        doc="window; the last frame is scored",
        minimum=1,
    )
    width: float = parameter(
        1.0,
        source="public reimplementations: channels 128, 64, 32",
        doc="factor of the channels",
        minimum=0.01,
    )
    epochs: int = parameter(
        50,
        source="public reimplementations: at most 50",
        doc="passes over the training windows",
        minimum=1,
    )
    batch: int = parameter(
        10,
        unit="windows",
        source="public reimplementations: 10 or 32",
        doc="windows a step",
        minimum=1,
    )
    learning_rate: float = parameter(
        1e-4, source="public reimplementations", doc="of Adam", minimum=0.0
    )
    every: int = parameter(
        1,
        unit="frames",
        source="no source: every window, chosen here",
        doc="train on each n-th window",
        minimum=1,
    )

    def __post_init__(self) -> None:
        if self.size % 8 != 3:
            below = (self.size - 3) // 8 * 8 + 3
            raise ValueError(
                f"size {self.size} is not 8k + 19; the nearest are {below} and {below + 8}"
            )


class SpatioTemporalAE(PseudoAnomalyTraining):
    """Autoencoder with three convolutional LSTMs between its convolutions."""

    name = "st-ae"
    info = MethodInfo(
        display_name="ST-AE",
        title="Abnormal Event Detection in Videos using Spatiotemporal Autoencoder",
        year=2017,
        venue="ISNN",
        citation="chong2017stae",
        bibtex=bibtex("chong2017stae"),
        family="reconstruction",
        groups=("baseline", "reconstruction"),
        inputs="gray frames",
        published_protocol="not stated where it was read",
        reproduction="neither paper nor authors' code was at hand; public reimplementations differ in activations and in the loss",
        deviations=(
            "layers follow public reimplementations, without dropout and decay of the learning rate; no early stop on held-out windows, and "
            "windows of stride 1 alone",
            "the score is the error of the last frame of a window, not one value a window as in public reimplementations",
        ),
    )
    Parameters: ClassVar[type] = SpatioTemporalAEParameters
    profiles = {
        "small": {
            "size": 131,
            "width": 0.5,
            "epochs": 3,
            "batch": 8,
            "learning_rate": 1e-3,
            "every": 2,
        },
        "smoke": {
            "size": 67,
            "width": 0.125,
            "epochs": 3,
            "batch": 4,
            "learning_rate": 2e-3,
            "every": 4,
        },
    }

    @property
    def frames(self) -> FrameFormat:  # type: ignore[override]
        """Gray frames of the chosen size."""
        return FrameFormat((self.parameters.size, self.parameters.size), 1)

    @property
    def window(self) -> Window:
        """Consecutive frames less the mean training frame; the last one, which has all others as
        memory, is scored.
        """
        return Window(
            self.parameters.length,
            targets=(self.parameters.length - 1,),
            value_range="mean-subtracted",
        )

    def build_network(self) -> torch.nn.Module:
        """Return the autoencoder with fresh weights."""
        from .networks.chong import SpatioTemporalAutoEncoder

        return SpatioTemporalAutoEncoder(self.parameters.width)

    def optimiser(self, network: torch.nn.Module) -> torch.optim.Optimizer:
        """Adam with epsilon 1e-6 (public reimplementations)."""
        import torch

        return self.with_anomaly_rate(
            torch.optim.Adam(network.parameters(), lr=self.parameters.learning_rate, eps=1e-6),
            network,
        )

    def reconstruct(self, network: torch.nn.Module, windows: torch.Tensor) -> torch.Tensor:
        """Return the reconstruction of all frames, (B, 1, T, H, W). The loss is their mean squared
        error (public reimplementations).
        """
        return network(windows)

    def error(
        self, network: torch.nn.Module, batch: dict[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """Return the norm of the last frame's error over its pixels, its map and its reconstruction
        (less the mean frame).
        """
        import torch

        windows = batch["window"]
        output = network(windows)[:, :, -1]
        residual = windows[:, :, -1] - output
        return {
            "norm": torch.linalg.vector_norm(residual.flatten(1), dim=1)[:, None],
            "map": residual[:, 0].abs()[:, None],
            "reconstruction": output[:, None],
        }
