"""What methods on the 3D autoencoder of MemAE have in common: its size, its windows, its frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from bench import FrameFormat, NetworkMethod, Window, parameter

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Network3DParameters:
    """Size of the network and of what it sees."""

    channels: Literal[1, 3] = parameter(1, source="MemAE, code", doc="1: gray, 3: RGB")
    size: int = parameter(
        256, unit="pixels", source="MemAE, code", doc="height and width of a frame", minimum=16
    )
    length: int = parameter(
        16,
        unit="frames",
        source="MemAE, code",
        doc="window; frame length // 2 is scored",
        minimum=8,
    )
    width: float = parameter(
        1.0,
        source="MemAE, code: channels 96, 128, 256, 256",
        doc="factor of the channels",
        minimum=0.01,
    )

    def __post_init__(self) -> None:
        for name, multiple in (("size", 16), ("length", 8)):
            value = getattr(self, name)
            if value % multiple:
                below = value // multiple * multiple
                raise ValueError(
                    f"{name} {value} is not a multiple of {multiple}; the nearest are {below} and {below + multiple}"
                )


class Reconstruction3D(NetworkMethod):
    """The 3D autoencoder and its windows, trained or not. A subclass writes `error`."""

    parameters: Any

    @property
    def frames(self) -> FrameFormat:  # type: ignore[override]
        """Frames of the chosen size."""
        return FrameFormat((self.parameters.size, self.parameters.size), self.parameters.channels)

    @property
    def window(self) -> Window:
        """Consecutive frames in -1..1, of which the one after the middle is scored: frame 8 of 16
        (MemAE, code).
        """
        return Window(
            self.parameters.length, targets=(self.parameters.length // 2,), value_range="-1..1"
        )

    def build_network(self) -> torch.nn.Module:
        """Return the autoencoder with fresh weights."""
        from .autoencoder_3d import AutoEncoder3D

        return AutoEncoder3D(self.parameters.channels, self.parameters.width)

    def images(self, windows: torch.Tensor, output: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return error map and reconstruction of the scored frame of windows and their
        reconstruction, both (B, C, T, H, W).
        """
        import torch

        target = self.window.targets[0]
        norms = torch.linalg.vector_norm(windows[:, :, target] - output[:, :, target], dim=1)
        return {
            "map": norms[:, None] / windows.shape[1] ** 0.5,
            "reconstruction": output[:, None, :, target],
        }
