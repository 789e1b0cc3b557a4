"""STAE: a 3D convolutional autoencoder that reconstructs its frames and predicts those that follow.

Y. Zhao, B. Deng, C. Shen, Y. Liu, H. Lu, X.-S. Hua, Spatio-Temporal AutoEncoder for Video Anomaly
Detection, ACM Multimedia 2017. The authors' code is not public: layers, loss and training follow
public reimplementations.
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
class AEConv3DParameters(PseudoAnomalyParameters):
    """Parameters of ae-conv3d."""

    channels: Literal[1, 3] = parameter(1, source="public reimplementations", doc="1: gray, 3: RGB")
    size: int = parameter(
        128,
        unit="pixels",
        source="public reimplementations",
        doc="height and width of a frame",
        minimum=8,
    )
    length: int = parameter(
        16,
        unit="frames",
        source="public reimplementations",
        doc="window; frame length // 2 is scored",
        minimum=8,
    )
    width: float = parameter(
        1.0,
        source="public reimplementations: channels 32, 48, 64, 64",
        doc="factor of the channels",
        minimum=0.01,
    )
    kernel: Literal[3, 4] = parameter(
        3,
        unit="pixels",
        source="PyAnomaly; 4 in another public reimplementation",
        doc="of the transposed convolutions",
    )
    prediction: bool = parameter(
        True,
        source="paper",
        doc="predict as many frames again in training; clips shorter than both are then left out of it",
    )
    prediction_weights: Literal["T-t", "T-1-t"] = parameter(
        "T-t",
        source="PyAnomaly; T-1-t in another public reimplementation",
        doc="weight of predicted frame t = 0..T-1, over T^2; with T-1-t the last counts nothing",
    )
    steps: int = parameter(20_000, source="PyAnomaly", doc="training steps", minimum=1)
    batch: int = parameter(16, unit="windows", source="PyAnomaly", doc="windows a step", minimum=1)
    learning_rate: float = parameter(1e-3, source="PyAnomaly", doc="of Adam, constant", minimum=0.0)
    weight_decay: float = parameter(
        1e-4, source="PyAnomaly", doc="added to Adam's gradient", minimum=0.0
    )
    every: int = parameter(
        1,
        unit="frames",
        source="no source: every window, chosen here",
        doc="train on each n-th window",
        minimum=1,
    )

    def __post_init__(self) -> None:
        for name in ("size", "length"):
            value = getattr(self, name)
            if value % 8:
                below = value // 8 * 8
                raise ValueError(
                    f"{name} {value} is not a multiple of 8; the nearest are {below} and {below + 8}"
                )
        if not self.prediction and self.prediction_weights != "T-t":
            raise ValueError(
                f"prediction_weights {self.prediction_weights} mean nothing without prediction; set prediction=true as well"
            )


class AEConv3D(PseudoAnomalyTraining):
    """3D convolutional autoencoder that also learns to predict (STAE)."""

    name = "ae-conv3d"
    version = 2
    channels_last = frozenset({"bf16"})  # a step takes 0.71 of the time
    bf16_version = 2  # 2: channels last in the first layer too
    info = MethodInfo(
        display_name="AE-Conv3D",
        title="Spatio-Temporal AutoEncoder for Video Anomaly Detection",
        year=2017,
        venue="ACM Multimedia",
        citation="zhao2017stae",
        bibtex=bibtex("zhao2017stae"),
        family="reconstruction",
        groups=("baseline", "reconstruction"),
        inputs="gray frames",
        published_protocol="not stated where it was read",
        reproduction=(
            "no authors' code is public; a public reimplementation reached 90.1 on Ped2 and 75.2 on Avenue (PyAnomaly). For Avenue other "
            "papers quote 77.1 and 80.9: 71.1 may be a misprint of the first"
        ),
        deviations=(
            "no authors' code is public: the network and its training follow public reimplementations",
            "the score is the error of one frame a window, not of the whole window as in public reimplementations",
        ),
    )
    Parameters: ClassVar[type] = AEConv3DParameters
    profiles = {
        "small": {"width": 0.5, "steps": 400, "batch": 4, "every": 2},
        "smoke": {"size": 32, "width": 0.125, "steps": 40, "batch": 2, "learning_rate": 3e-3},
    }

    @property
    def frames(self) -> FrameFormat:  # type: ignore[override]
        """Frames of the chosen size."""
        return FrameFormat((self.parameters.size, self.parameters.size), self.parameters.channels)

    @property
    def window(self) -> Window:
        """Consecutive frames in 0..1, of which the one after the middle is scored (no source:
        chosen here).
        """
        return Window(self.parameters.length, targets=(self.parameters.length // 2,))

    @property
    def training_window(self) -> Window:
        """With prediction the frames that follow as well."""
        if not self.parameters.prediction:
            return self.window
        return Window(2 * self.parameters.length, targets=self.window.targets)

    def build_network(self) -> torch.nn.Module:
        """Return the autoencoder, with the decoder that predicts where it is trained."""
        from .networks.stae import SpatioTemporalAutoEncoder

        parameters = self.parameters
        return SpatioTemporalAutoEncoder(
            parameters.channels, parameters.width, parameters.prediction, parameters.kernel
        )

    def optimiser(self, network: torch.nn.Module) -> torch.optim.Optimizer:
        """Adam with decay of all the network's weights; the scalar of a learned anomaly weight is
        none of them.
        """
        import torch

        weights = [parameter for parameter in network.parameters() if parameter.ndim]
        scalars = [parameter for parameter in network.parameters() if not parameter.ndim]
        groups = [
            {"params": weights, "weight_decay": self.parameters.weight_decay},
            {"params": scalars},
        ]
        return self.with_anomaly_rate(
            torch.optim.Adam(groups, lr=self.parameters.learning_rate), network
        )

    def reconstruct(self, network: torch.nn.Module, windows: torch.Tensor) -> torch.Tensor:
        """Return all frames of training windows, (B, C, K, H, W); with prediction the second half
        is predicted from the first.
        """
        if not self.parameters.prediction:
            return network(windows)
        output: torch.Tensor = network.continued(windows[:, :, : self.parameters.length])  # type: ignore[operator]
        return output

    def reconstruction_loss(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the mean squared error of the window's frames, and with prediction the weighted
        one of those that follow.
        """
        from .networks.stae import prediction_loss

        length = self.parameters.length
        loss = (output[:, :, :length] - target[:, :, :length]).square().mean()
        if not self.parameters.prediction:
            return loss
        return loss + prediction_loss(
            output[:, :, length:],
            target[:, :, length:],
            self.parameters.prediction_weights == "T-1-t",
        )

    def error(
        self, network: torch.nn.Module, batch: dict[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """Return the mean squared error of the scored frame's reconstruction, its map and the
        reconstruction itself.
        """
        import torch

        windows = batch["window"]
        target = self.window.targets[0]
        output = network(windows)[:, :, target]
        residual = windows[:, :, target] - output
        return {
            "mse": residual.square().flatten(1).mean(dim=1, keepdim=True),
            "map": torch.linalg.vector_norm(residual, dim=1)[:, None] / windows.shape[1] ** 0.5,
            "reconstruction": output[:, None],
        }
