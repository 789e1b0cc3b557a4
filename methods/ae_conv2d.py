"""The 2D convolutional autoencoder on stacked gray frames.

M. Hasan, J. Choi, J. Neumann, A. K. Roy-Chowdhury, L. S. Davis, Learning Temporal Regularity in
Video Sequences, CVPR 2016. The authors' network file is not public: the layers follow public
reimplementations, in their symmetric form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from bench import FrameFormat, MethodInfo, Window, parameter

from .pseudo_anomalies.parameters import PseudoAnomalyParameters
from .pseudo_anomalies.training import PseudoAnomalyTraining
from .references import bibtex

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class AEConv2DParameters(PseudoAnomalyParameters):
    """Parameters of ae-conv2d."""

    size: int = parameter(
        227,
        unit="pixels",
        source="public reimplementations",
        doc="height and width of a frame: 11 + 4k",
        minimum=23,
    )
    length: Literal[10, 5, 20] = parameter(
        10,
        unit="frames",
        source="public reimplementations; 5 and 20: no source",
        doc="window; frame length // 2 is scored",
    )
    width: float = parameter(
        1.0,
        source="public reimplementations: channels 512, 256, 128",
        doc="factor of the channels",
        minimum=0.01,
    )
    epochs: int = parameter(
        30, source="no source: chosen here", doc="passes over the training windows", minimum=1
    )
    batch: int = parameter(
        16, unit="windows", source="no source: chosen here", doc="windows a step", minimum=1
    )
    learning_rate: float = parameter(
        1e-4, source="no source: chosen here", doc="of Adam", minimum=0.0
    )
    # Added to the gradient (Adam) it outweighs the small errors of mean-subtracted frames: on Ped2
    # the output then stays 0.
    weight_decay: float = parameter(
        5e-4,
        source="no source: chosen here",
        doc="of weights and not biases, decoupled: AdamW",
        minimum=0.0,
    )
    every: int = parameter(
        1,
        unit="frames",
        source="no source: every window, chosen here",
        doc="train on each n-th window",
        minimum=1,
    )

    def __post_init__(self) -> None:
        if (self.size - 11) % 4:
            below = 11 + (self.size - 11) // 4 * 4
            raise ValueError(
                f"size {self.size} is not 11 + 4k; the nearest are {below} and {below + 4}"
            )


class AEConv2D(PseudoAnomalyTraining):
    """2D convolutional autoencoder: the frames of a window are its channels."""

    name = "ae-conv2d"
    version = 2
    info = MethodInfo(
        display_name="AE-Conv2D",
        title="Learning Temporal Regularity in Video Sequences",
        year=2016,
        venue="CVPR",
        citation="hasan2016regularity",
        bibtex=bibtex("hasan2016regularity"),
        family="reconstruction",
        groups=("baseline", "reconstruction"),
        inputs="gray frames",
        published_protocol="regularity: the error scaled in each clip; pooling not stated where it was read",
        reproduction="the authors' network file is not public; Avenue was re-evaluated by others as 80.0 (Liu et al. 2018) and 72.0",
        deviations=(
            "the authors' network file is not public: the layers follow public reimplementations; loss and training have no source",
            "the score is the error of one frame a window, the one after its middle: which one the paper takes is not known",
        ),
    )
    Parameters: ClassVar[type] = AEConv2DParameters
    channels_last = frozenset(
        {"fp32", "bf16"}
    )  # a step takes 0.85 and 0.88 of the time; loss and gradients the same to 1e-7 and 3e-6
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
            "epochs": 4,
            "batch": 4,
            "learning_rate": 1e-3,
            "every": 2,
        },
    }

    @property
    def frames(self) -> FrameFormat:  # type: ignore[override]
        """Gray frames of the chosen size."""
        return FrameFormat((self.parameters.size, self.parameters.size), 1)

    @property
    def window(self) -> Window:
        """Consecutive frames less the mean training frame, of which the one after the middle is
        scored.
        """
        return Window(
            self.parameters.length,
            targets=(self.parameters.length // 2,),
            value_range="mean-subtracted",
        )

    def build_network(self) -> torch.nn.Module:
        """Return the autoencoder with fresh weights."""
        from .networks.hasan import ConvAutoEncoder2D

        return ConvAutoEncoder2D(self.parameters.length, self.parameters.width)

    def optimiser(self, network: torch.nn.Module) -> torch.optim.Optimizer:
        """Adam, with decoupled decay of weights alone: neither on biases nor on the scalar of a
        learned anomaly weight.
        """
        import torch

        weights = [parameter for parameter in network.parameters() if parameter.ndim > 1]
        biases = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
        groups = [
            {"params": weights, "weight_decay": self.parameters.weight_decay},
            {"params": biases, "weight_decay": 0.0},
        ]
        return self.with_anomaly_rate(
            torch.optim.AdamW(groups, lr=self.parameters.learning_rate), network
        )

    def reconstruct(self, network: torch.nn.Module, windows: torch.Tensor) -> torch.Tensor:
        """Return the reconstruction of all frames, (B, 1, T, H, W). The loss is their mean squared
        error (no source: chosen here).
        """
        return network(windows[:, 0])[:, None]

    def error(
        self, network: torch.nn.Module, batch: dict[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """Return the norm of the scored frame's error over its pixels, its map and its
        reconstruction (less the mean frame).

        A frame lies in up to T windows; the one in which it is next to the middle gives its score
        (no source: chosen here).
        """
        import torch

        windows = batch["window"][:, 0]
        target = self.window.targets[0]
        output = network(windows)[:, target]
        residual = windows[:, target] - output
        return {
            "norm": torch.linalg.vector_norm(residual.flatten(1), dim=1)[:, None],
            "map": residual.abs()[:, None],
            "reconstruction": output[:, None, None],
        }
