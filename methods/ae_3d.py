"""The plain 3D convolutional autoencoder that MemAE and LNTRA compare themselves with.

D. Gong, L. Liu, V. Le, B. Saha, M. R. Mansour, S. Venkatesh, A. van den Hengel, Memorizing Normality to Detect Anomaly:
Memory-Augmented Deep Autoencoder for Unsupervised Anomaly Detection, ICCV 2019: their network without its memory. The authors
publish no training script for it; what is missing there follows the script of MemAE.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from bench import Context, Frames, MethodInfo, NetworkMethod, OpenClip, PublishedAUC, Window, parameter

from .pseudo_anomalies.training import PseudoAnomalyParameters, PseudoAnomalyTraining
from .references import bibtex

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

LNTRA = "Astrid et al. 2021 (LNTRA), authors' README: their baseline, this network with tanh, PSNR, min-max per clip"


@dataclass(frozen=True)
class Network3DParameters:
    """Size of the network and of what it sees."""

    channels: Literal[1, 3] = parameter(1, source="MemAE, code", doc="1: gray, 3: RGB")
    size: int = parameter(256, unit="pixels", source="MemAE, code", doc="height and width of a frame", minimum=16)
    length: int = parameter(16, unit="frames", source="MemAE, code", doc="window; frame length // 2 is scored", minimum=8)
    width: float = parameter(1.0, source="MemAE, code: channels 96, 128, 256, 256", doc="factor of the channels", minimum=0.01)

    def __post_init__(self) -> None:
        for name, multiple in (("size", 16), ("length", 8)):
            value = getattr(self, name)
            if value % multiple:
                below = value // multiple * multiple
                raise ValueError(f"{name} {value} is not a multiple of {multiple}; the nearest are {below} and {below + multiple}")


@dataclass(frozen=True)
class AE3DParameters(PseudoAnomalyParameters, Network3DParameters):
    """Parameters of ae-3d."""

    epochs: int = parameter(100, source="MemAE, code: a checkpoint each of 100 epochs", doc="passes over the training windows", minimum=1)
    batch: int = parameter(10, unit="windows", source="MemAE, training script; the code's default is 14", doc="windows a step", minimum=1)
    learning_rate: float = parameter(1e-4, source="MemAE, code", doc="of Adam, constant", minimum=0.0)
    every: int = parameter(1, unit="frames", source="MemAE, code: every window", doc="train on each n-th window", minimum=1)


class Reconstruction3D(NetworkMethod):
    """The 3D autoencoder, its windows and its score, trained or not."""

    parameters: Any

    @property
    def frames(self) -> Frames:  # type: ignore[override]
        """Frames of the chosen size."""
        return Frames((self.parameters.size, self.parameters.size), self.parameters.channels)

    @property
    def window(self) -> Window:
        """Consecutive frames in -1..1, of which the one after the middle is scored: frame 8 of 16 (MemAE, code)."""
        return Window(self.parameters.length, targets=(self.parameters.length // 2,), value_range="-1..1")

    def build_network(self) -> torch.nn.Module:
        """Return the autoencoder with fresh weights."""
        from .networks.autoencoder_3d import AutoEncoder3D

        return AutoEncoder3D(self.parameters.channels, self.parameters.width)

    def error(self, network: torch.nn.Module, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return the mean squared error of the whole window on 0..1, and map and reconstruction of the scored frame."""
        import torch

        windows = batch["window"]
        output = network(windows)
        residual = windows - output
        target = self.window.targets[0]
        return {
            "mse": residual.square().flatten(1).mean(dim=1, keepdim=True) / 4,  # of values in -1..1, four times those on 0..1
            "map": torch.linalg.vector_norm(residual[:, :, target], dim=1)[:, None] / windows.shape[1] ** 0.5,
            "reconstruction": output[:, None, :, target],
        }


class AE3D(Reconstruction3D, PseudoAnomalyTraining):
    """3D convolutional autoencoder: MemAE's network without the memory."""

    name = "ae-3d"
    info = MethodInfo(
        title="Memorizing Normality to Detect Anomaly: Memory-Augmented Deep Autoencoder for Unsupervised Anomaly Detection",
        year=2019,
        venue="ICCV",
        citation="gong2019memae",
        bibtex=bibtex("gong2019memae"),
        family="reconstruction",
        groups=("baseline", "reconstruction"),
        inputs="gray frames",
        published=(
            PublishedAUC("ped2", "92.49", LNTRA),
            PublishedAUC("avenue", "81.47", LNTRA),
            PublishedAUC("shanghaitech", "71.28", LNTRA),
        ),
        published_protocol="PSNR of the frame, min-max in each clip, all frames pooled, no smoothing (LNTRA, code)",
        reproduction="MemAE's paper prints 91.7, 81.0 and 69.7 for its own training of this network, under its own score",
    )
    Parameters: ClassVar[type] = AE3DParameters
    profiles = {
        "small": {"size": 128, "width": 0.25, "epochs": 3, "batch": 4, "learning_rate": 1e-3, "every": 5},
        "smoke": {"size": 32, "width": 0.125, "epochs": 4, "batch": 4, "learning_rate": 1e-3, "every": 4},
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


class RandomNetwork(Reconstruction3D):
    """ae-3d with fresh weights from the seed, never trained: what architecture and protocol give without learning."""

    name = "random-network"
    info = MethodInfo(title="ae-3d, untrained", family="trivial", groups=("trivial",), inputs="gray frames")
    Parameters: ClassVar[type] = Network3DParameters
    profiles = {"small": {"size": 128, "width": 0.25}, "smoke": {"size": 32, "width": 0.125}}
    needs = frozenset({"frames"})

    def build(self) -> torch.nn.Module:
        """Return the autoencoder with fresh weights."""
        return self.build_network()

    def fit(self, clips: Sequence[OpenClip], context: Context) -> None:
        """Build the network. No pass in train mode is made: the normalisations would learn from it."""
        import torch

        torch.manual_seed(context.seed)
        self.network = self.build().eval()
