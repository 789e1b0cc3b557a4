"""MemAE: the 3D autoencoder that decodes what a memory of normal features holds.

D. Gong, L. Liu, V. Le, B. Saha, M. R. Mansour, S. Venkatesh, A. van den Hengel, Memorizing
Normality to Detect Anomaly: Memory-Augmented Deep Autoencoder for Unsupervised Anomaly Detection,
ICCV 2019; code at commit ceece77.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from bench import Context, MethodInfo, ReleasedWeights, parameter

from .networks.reconstruction_3d import Network3DParameters, Reconstruction3D
from .pseudo_anomalies.parameters import PseudoAnomalyParameters
from .pseudo_anomalies.training import PseudoAnomalyTraining
from .references import bibtex

if TYPE_CHECKING:
    import torch

MOSTLY_EMPTY = 0.9
"""Share of empty addresses above which a training is reported. No source: chosen here; a network
that learns is far below."""


@dataclass(frozen=True)
class MemAEParameters(ReleasedWeights, PseudoAnomalyParameters, Network3DParameters):
    """Parameters of memae."""

    items: int = parameter(2000, source="code", doc="of the memory", minimum=1)
    shrinkage: float = parameter(
        0.0025,
        source="code; the paper recommends 1/items to 3/items",
        doc="attention to an item up to it becomes 0",
        minimum=0.0,
        maximum=1.0,
    )
    entropy_weight: float = parameter(
        2e-4, source="code", doc="weight of the attention's entropy in the loss", minimum=0.0
    )
    epochs: int = parameter(
        100,
        source="code: a checkpoint each of 100 epochs",
        doc="passes over the training windows",
        minimum=1,
    )
    batch: int = parameter(
        10,
        unit="windows",
        source="training script; the code's default is 14",
        doc="windows a step",
        minimum=1,
    )
    learning_rate: float = parameter(1e-4, source="code", doc="of Adam, constant", minimum=0.0)
    every: int = parameter(
        1, unit="frames", source="code: every window", doc="train on each n-th window", minimum=1
    )


class MemAE(Reconstruction3D, PseudoAnomalyTraining):
    """3D autoencoder with a memory of normal features between encoder and decoder."""

    name = "memae"
    info = MethodInfo(
        display_name="MemAE",
        title="Memorizing Normality to Detect Anomaly: Memory-Augmented Deep Autoencoder for Unsupervised Anomaly Detection",
        year=2019,
        venue="ICCV",
        citation="gong2019memae",
        bibtex=bibtex("gong2019memae"),
        family="reconstruction",
        groups=("baseline", "reconstruction"),
        inputs="gray frames",
        published_protocol="the error, min-max in each clip, all frames pooled (paper)",
        paper_protocol="minmax",
        reproduction=(
            "on Ped2 users got 86.63 from the authors' code (issue 13 of their repository) and 85 from a reimplementation (lyn1874/memAE, "
            "issue 4), whose author got 90 to 94 by trying checkpoints; reimplementations print 94.0 and 92.3 on Ped2, 81.0 and 82.9 on "
            "Avenue, 70.0 on ShanghaiTech (lyn1874, PyAnomaly); the code resizes with MATLAB's imresize, to JPEG files"
        ),
    )
    Parameters: ClassVar[type] = MemAEParameters
    training_parameters = PseudoAnomalyTraining.training_parameters | {"entropy_weight"}
    # At first attention is nearly even, 1/items each. With the code's 5/items most addresses have
    # no item left, pass no gradient to the encoder, and come to life only slowly. These profiles
    # are too short for that and stay in the paper's range: 2/items in `small`, 1/items in `smoke`.
    # The rest is as in ae-3d, which is thus the same network without its memory.
    profiles = {
        "small": {
            "size": 128,
            "width": 0.25,
            "shrinkage": 0.001,
            "epochs": 3,
            "batch": 4,
            "learning_rate": 1e-3,
            "every": 5,
        },
        "smoke": {
            "size": 32,
            "width": 0.125,
            "items": 200,
            "shrinkage": 0.005,
            "epochs": 4,
            "batch": 4,
            "learning_rate": 1e-3,
            "every": 4,
        },
    }

    def build_network(self) -> torch.nn.Module:
        """Return the autoencoder with its memory."""
        from .networks.memae import MemoryAutoEncoder3D

        return MemoryAutoEncoder3D(
            self.parameters.channels,
            self.parameters.width,
            self.parameters.items,
            self.parameters.shrinkage,
        )

    def convert_weights(self, weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Rename the weights of the authors' network."""
        from .networks.memae import from_authors

        return from_authors(weights)

    def reconstruct(self, network: torch.nn.Module, windows: torch.Tensor) -> torch.Tensor:
        """Return the reconstruction of all frames, (B, C, T, H, W)."""
        return network(windows)

    def loss(
        self, network: torch.nn.Module, batch: dict[str, torch.Tensor], context: Context
    ) -> dict[str, torch.Tensor] | None:
        """Return the loss of the reconstruction and the weighted entropy of the memory's attention
        in all passes that it took.

        'empty' is the share of the addresses without an item, which pass no gradient to the
        encoder.
        """
        import torch

        from .networks.memory import entropy, share_empty

        attentions: list[torch.Tensor] = []
        memory: Any = network.memory
        watch = memory.register_forward_hook(
            lambda module, inputs, output: attentions.append(output[1])
        )
        try:
            terms = super().loss(network, batch, context)
        finally:
            watch.remove()
        if terms is None:
            return None
        attention = torch.cat(attentions)
        spread = entropy(attention)
        return terms | {
            "loss": terms["loss"] + self.parameters.entropy_weight * spread,
            "entropy": spread,
            "empty": share_empty(attention),
        }

    def judge(self, history: Sequence[Mapping[str, float]], context: Context) -> None:
        """Keep the share of empty addresses in the last epoch, and warn where it is nearly all."""
        super().judge(history, context)
        empty, items = history[-1]["empty"], self.parameters.items
        context.fact("empty_addresses", empty)
        if empty > MOSTLY_EMPTY:
            context.logger.warning(
                f"in the last epoch {empty:.1%} of the memory's addresses were empty: the decoder hardly saw its input. "
                f"Train longer, or lower shrinkage from {self.parameters.shrinkage:g} to {1 / items:.2g}..{3 / items:.2g}, "
                f"the paper's range for {items} items"
            )

    def error(
        self, network: torch.nn.Module, batch: dict[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """Return the mean over the whole window of the norm of the error over channels, and map and
        reconstruction of the scored frame.

        The norm is of values in -1..1 (code), where ae-3d of the same paper has a mean square on
        0..1.
        """
        import torch

        windows = batch["window"]
        output = network(windows)
        norms = torch.linalg.vector_norm(windows - output, dim=1)
        return {
            "norm": norms.flatten(1).mean(dim=1, keepdim=True),
            **self.images(windows, output),
        }
