"""The plain 3D convolutional autoencoder that MemAE and LNTRA compare themselves with.

D. Gong, L. Liu, V. Le, B. Saha, M. R. Mansour, S. Venkatesh, A. van den Hengel, Memorizing
Normality to Detect Anomaly: Memory-Augmented Deep Autoencoder for Unsupervised Anomaly Detection,
ICCV 2019: their network without its memory. The authors publish no training script for it; what is
missing there follows the script of MemAE.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from bench import Context, MethodInfo, OpenClip, parameter

from .networks.reconstruction_3d import Network3DParameters, Reconstruction3D
from .pseudo_anomalies.parameters import PseudoAnomalyParameters
from .pseudo_anomalies.training import PseudoAnomalyTraining
from .references import bibtex

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch


@dataclass(frozen=True)
class AE3DParameters(PseudoAnomalyParameters, Network3DParameters):
    """Parameters of ae-3d."""

    epochs: int = parameter(
        100,
        source="MemAE, code: a checkpoint each of 100 epochs",
        doc="passes over the training windows",
        minimum=1,
    )
    batch: int = parameter(
        10,
        unit="windows",
        source="MemAE, training script; the code's default is 14",
        doc="windows a step",
        minimum=1,
    )
    learning_rate: float = parameter(
        1e-4, source="MemAE, code", doc="of Adam, constant", minimum=0.0
    )
    every: int = parameter(
        1,
        unit="frames",
        source="MemAE, code: every window",
        doc="train on each n-th window",
        minimum=1,
    )


class SquaredError3D(Reconstruction3D):
    """The 3D autoencoder with the score that MemAE's authors give it, trained or not."""

    def error(
        self, network: torch.nn.Module, batch: dict[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """Return the mean squared error of the whole window on 0..1, and map and reconstruction of
        the scored frame.
        """
        windows = batch["window"]
        output = network(windows)
        squares = (windows - output).square().flatten(1)
        return {
            "mse": squares.mean(dim=1, keepdim=True) / 4,
            **self.images(windows, output),
        }  # in -1..1 they are four times those on 0..1


class AE3D(SquaredError3D, PseudoAnomalyTraining):
    """3D convolutional autoencoder: MemAE's network without the memory."""

    name = "ae-3d"
    channels_last = frozenset({"bf16"})  # a step takes 0.64 of the time
    bf16_version = 2  # 2: channels last
    info = MethodInfo(
        display_name="AE-3D",
        title="Memorizing Normality to Detect Anomaly: Memory-Augmented Deep Autoencoder for Unsupervised Anomaly Detection",
        year=2019,
        venue="ICCV",
        citation="gong2019memae",
        bibtex=bibtex("gong2019memae"),
        family="reconstruction",
        groups=("baseline", "reconstruction"),
        inputs="gray frames",
        published_protocol="the error, min-max in each clip, all frames pooled (MemAE's paper)",
        paper_protocol="minmax",
        reproduction=(
            "91.7, 81.0 and 69.7 are of MemAE's paper; LNTRA's baseline (92.49, 81.47 and 71.28, best test epoch) has a tanh at the end "
            "of this network, and PSNR as its score"
        ),
    )
    Parameters: ClassVar[type] = AE3DParameters
    profiles = {
        "small": {
            "size": 128,
            "width": 0.25,
            "epochs": 3,
            "batch": 4,
            "learning_rate": 1e-3,
            "every": 5,
        },
        "smoke": {
            "size": 32,
            "width": 0.125,
            "epochs": 4,
            "batch": 4,
            "learning_rate": 1e-3,
            "every": 4,
        },
    }

    @property
    def reconstructed_frames(self) -> Sequence[int]:
        """All frames of the window."""
        return tuple(range(self.parameters.length))

    def reconstruct(self, network: torch.nn.Module, windows: torch.Tensor) -> torch.Tensor:
        """Return the reconstruction of all frames, (B, C, T, H, W)."""
        return network(windows)

    def reconstruction_loss(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the mean squared error over all pixels and frames."""
        return (output - target).square().mean()


class RandomNetwork(SquaredError3D):
    """ae-3d with fresh weights from the seed, never trained: what architecture and protocol give
    without learning.
    """

    name = "random-network"
    info = MethodInfo(
        display_name="AE-3D, untrained",
        title="ae-3d, untrained",
        family="trivial",
        groups=("trivial",),
        inputs="gray frames",
    )
    Parameters: ClassVar[type] = Network3DParameters
    profiles = {"small": {"size": 128, "width": 0.25}, "smoke": {"size": 32, "width": 0.125}}
    needs = frozenset({"frames"})

    def build(self) -> torch.nn.Module:
        """Return the autoencoder with fresh weights."""
        return self.build_network()

    def fit(self, clips: Sequence[OpenClip], context: Context) -> None:
        """Build the network. No pass in train mode is made: the normalisations would learn from
        it.
        """
        import torch

        torch.manual_seed(context.seed)
        self.network = self.build().eval()
