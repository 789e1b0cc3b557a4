"""MNAD: the 2D autoencoder that is guided by a small memory of normal features, in its variant that
reconstructs.

H. Park, J. Noh, B. Ham, Learning Memory-guided Normality for Anomaly Detection, CVPR 2020; code at
commit 4e108a8.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from weakref import WeakKeyDictionary

import numpy as np

from bench import (
    Context,
    FrameFormat,
    MethodError,
    MethodInfo,
    OpenClip,
    ReleasedWeights,
    Scores,
    Window,
    parameter,
)

from .pseudo_anomalies.parameters import PseudoAnomalyParameters
from .pseudo_anomalies.training import PseudoAnomalyTraining
from .references import bibtex

if TYPE_CHECKING:
    import torch

    from .networks.mnad import MemoryGuidedAutoEncoder

RESET = "each test clip begins with the memory as it was trained; in the code it goes on changing from clip to clip (carry_memory)"
CARRIED = "the memory goes on changing from test clip to test clip (code): the scores of a clip depend on those scored before it"
CONVERT = (
    "The authors' network and memory items are two files. Where you trust their source, and with their code importable, one is made of them: "
    'torch.save(torch.load(MODEL, weights_only=False).state_dict() | {"keys": torch.load(ITEMS)}, NEW_FILE)'
)


@dataclass(frozen=True)
class MNADParameters(ReleasedWeights, PseudoAnomalyParameters):
    """Parameters of mnad."""

    channels: Literal[3, 1] = parameter(3, source="code", doc="3: RGB, 1: gray")
    size: int = parameter(
        256, unit="pixels", source="code", doc="height and width of a frame", minimum=16
    )
    width: float = parameter(
        1.0, source="code: channels 64, 128, 256, 512", doc="factor of the channels", minimum=0.01
    )
    items: int = parameter(10, source="code", doc="of the memory", minimum=2)
    compactness_weight: float = parameter(
        0.01,
        source="README, for reconstruction",
        doc="weight of the distance to the nearest item in the loss",
        minimum=0.0,
    )
    separateness_weight: float = parameter(
        0.01,
        source="README, for reconstruction",
        doc="weight of being nearer to it than to the second nearest",
        minimum=0.0,
    )
    alpha: float = parameter(
        0.7,
        source="README, for reconstruction",
        doc="weight of the PSNR in the score, the rest is compactness",
        minimum=0.0,
        maximum=1.0,
    )
    threshold: float = parameter(
        0.015,
        source="README, for reconstruction",
        doc="a test frame whose weighted squared error on 0..1 is below it updates the memory; 0: none does",
        minimum=0.0,
    )
    carry_memory: bool = parameter(
        False,
        source="true: code; false so that scores do not depend on the order of clips: chosen here",
        doc="keep the updated memory from one test clip to the next",
    )
    epochs: int = parameter(60, source="code", doc="passes over the training frames", minimum=1)
    batch: int = parameter(
        4,
        unit="frames",
        source="code",
        doc="frames a step; the last, smaller batch is left out",
        minimum=1,
    )
    learning_rate: float = parameter(
        2e-4,
        source="code",
        doc="of Adam, at first; a cosine leads to 0, in steps of an epoch",
        minimum=0.0,
    )
    every: int = parameter(
        1, unit="frames", source="code: every frame", doc="train on each n-th frame", minimum=1
    )

    def __post_init__(self) -> None:
        if self.carry_memory and not self.threshold:
            raise ValueError(
                "carry_memory means nothing with threshold=0, where no frame updates the memory; leave one of them out"
            )
        if self.size % 8:
            below = self.size // 8 * 8
            raise ValueError(
                f"size {self.size} is not a multiple of 8; the nearest are {below} and {below + 8}"
            )


class MNAD(PseudoAnomalyTraining):
    """2D autoencoder whose decoder sees the features beside what a memory holds nearest to them;
    test frames update the memory.

    With `carry_memory` the conformance check `same_in_any_order` does not hold, as it cannot.
    """

    name = "mnad"
    version = 2
    channels_last = frozenset({"bf16"})  # a step takes 0.86 of the time
    bf16_version = 2  # 2: channels last in the first layer of one channel too
    info = MethodInfo(
        display_name="MNAD (reconstruction)",
        title="Learning Memory-guided Normality for Anomaly Detection",
        year=2020,
        venue="CVPR",
        citation="park2020mnad",
        bibtex=bibtex("park2020mnad"),
        family="reconstruction",
        groups=("baseline", "reconstruction"),
        inputs="RGB frames",
        published_protocol="PSNR and compactness, each min-max in each clip and then mixed, all frames pooled, no smoothing (code)",
        # `score` returns the mixture: nothing is left to be scaled.
        paper_protocol="raw",
        reproduction="a user's run of the authors' code with its README's parameters gave 87.4, 72.1 and 68.1 (an issue of their repository)",
        deviations=(RESET,),
    )
    Parameters: ClassVar[type] = MNADParameters
    training_parameters = PseudoAnomalyTraining.training_parameters | {
        "compactness_weight",
        "separateness_weight",
    }
    compiled = (
        "encoder.forward",
        "decode",
    )  # not as one: what leaves the encoder is watched in training
    drop_last = True
    normalises_clips = True
    profiles = {
        "small": {"size": 128, "width": 0.5, "epochs": 4, "learning_rate": 1e-3, "every": 3},
        "smoke": {"size": 32, "width": 0.125, "epochs": 3, "learning_rate": 1e-3, "every": 4},
    }

    def __init__(self, parameters: Any = None) -> None:
        super().__init__(parameters)
        if self.parameters.carry_memory:
            self.version += 1  # 3: of an earlier scoring of the test clips nothing is carried
        self._carried: WeakKeyDictionary[torch.nn.Module, torch.Tensor] = WeakKeyDictionary()

    @property
    def deviations(self) -> tuple[str, ...]:
        """Those of `info`; of the memory, what this instance does with it."""
        replaced = CARRIED if self.parameters.carry_memory else RESET
        return tuple(replaced if text == RESET else text for text in super().deviations)

    @property
    def frames(self) -> FrameFormat:  # type: ignore[override]
        """Frames of the chosen size."""
        return FrameFormat((self.parameters.size, self.parameters.size), self.parameters.channels)

    @property
    def window(self) -> Window:
        """Single frames in -1..1."""
        return Window(1, value_range="-1..1")

    def build_network(self) -> torch.nn.Module:
        """Return the autoencoder with its memory."""
        from .networks.mnad import MemoryGuidedAutoEncoder

        return MemoryGuidedAutoEncoder(
            self.parameters.channels, self.parameters.width, self.parameters.items
        )

    def load_released(self, path: Path) -> None:
        """Load a file of released weights, which holds the memory items under the name 'keys'.

        Raises
        ------
        MethodError : no such weights, with how the authors' files become one.
        """
        try:
            super().load_released(path)
        except MethodError as error:
            raise MethodError(f"{error}. {CONVERT}") from error

    def convert_weights(self, weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Rename the weights of the authors' network, and turn its order of colours from BGR to
        RGB.
        """
        from .networks.mnad import from_authors

        return from_authors(weights)

    def schedule(self, optimiser: torch.optim.Optimizer, steps: int) -> Any:
        """Lower the learning rate to 0 along half a cosine, once an epoch (code)."""
        import torch

        epochs = self.parameters.epochs
        per_epoch = steps // epochs
        return torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda step: (1 + math.cos(math.pi * (step // per_epoch) / epochs)) / 2
        )

    def reconstruct(self, network: torch.nn.Module, windows: torch.Tensor) -> torch.Tensor:
        """Return the reconstruction of single frames, (B, C, 1, H, W). The loss is their mean
        squared error (code).
        """
        return network(windows[:, :, 0])[:, :, None]

    def loss(
        self, network: torch.nn.Module, batch: dict[str, torch.Tensor], context: Context
    ) -> dict[str, torch.Tensor] | None:
        """Return the loss of the reconstruction and those of the memory, and let normal frames
        update the memory.

        No pseudo-anomalous frame counts for the memory: it is to hold what is normal.
        """
        from .networks.mnad import compactness, separateness, updated

        passes: list[torch.Tensor] = []
        encoder: Any = network.encoder
        watch = encoder.register_forward_hook(lambda module, inputs, output: passes.append(output))
        try:
            terms = super().loss(network, batch, context)
        finally:
            watch.remove()
        if terms is None:
            return None
        queries = passes[0]  # of the two passes of the distinction loss the first has normal frames
        if len(passes) == 1 and "mask" in batch:
            queries = queries[~batch["mask"].flatten(1).any(dim=1)]
        items: Any = network.items
        if not len(queries):
            return terms | {"compactness": items.new_zeros(()), "separateness": items.new_zeros(())}
        compact, separate = compactness(queries, items).mean(), separateness(queries, items)
        items.copy_(updated(queries, items))
        weighted = (
            self.parameters.compactness_weight * compact
            + self.parameters.separateness_weight * separate
        )
        return terms | {
            "loss": terms["loss"] + weighted,
            "compactness": compact,
            "separateness": separate,
        }

    def judge(self, history: Sequence[Mapping[str, float]], context: Context) -> None:
        """Warn where the memory saw no normal frame in the whole training."""
        super().judge(history, context)
        if self.parameters.pseudo_loss != "distinction" and all(
            row.get("masked") == 1 for row in history
        ):
            context.logger.warning(
                "every training frame was pseudo-anomalous: the memory learned nothing. "
                f"Lower probability from {self.parameters.probability:g}, so that some frames stay normal"
            )

    def error(
        self, network: torch.nn.Module, batch: dict[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """Return PSNR (dB) and compactness of frames with the memory as it was trained, their error
        map and reconstruction.
        """
        model: MemoryGuidedAutoEncoder = network  # type: ignore[assignment]
        frames = batch["window"][:, :, 0]
        terms, _ = self._compare(model, frames, model.encoder(frames), model.items)
        return {name: term[:, None] for name, term in terms.items()}

    def score(self, clip: OpenClip, context: Context) -> Scores:
        """Score with the harness's engine; say so where a carried memory does not come from the
        clips before this one.

        The first test clip, and a clip that is none of them, begins with the memory as it was
        trained, whatever was scored with the network before: its clips after an epoch, say.
        """
        before = list(context.test_lengths).index(clip.id) if clip.id in context.test_lengths else 0
        network = self.network
        if network is not None and not before:
            self._carried.pop(network, None)
        elif self.parameters.carry_memory and before and network not in self._carried:
            context.logger.warning(
                f"scoring went on at clip {clip.id} after an interruption: the memory of the clips before it is lost, "
                "and that of the training took its place"
            )
        return super().score(clip, context)

    def start(self, network: torch.nn.Module) -> Any:
        """Return the memory before the first frame of a clip, (M, F): as trained, or as the clip
        before left it.
        """
        return self._carried.get(network, network.items)

    def next(
        self, network: torch.nn.Module, state: Any, frames: torch.Tensor
    ) -> tuple[dict[str, torch.Tensor], Any]:
        """Compare frames with their reconstruction, one after the other: each may update the memory
        for those that follow (code).
        """
        import torch

        from .networks.mnad import updated

        model: MemoryGuidedAutoEncoder = network  # type: ignore[assignment]
        compared = []
        for frame, queries in zip(frames.split(1), model.encoder(frames).split(1)):
            terms, points = self._compare(model, frame, queries, state)
            compared.append(terms)
            state = torch.where(
                points < self.parameters.threshold, updated(queries, state), state
            )  # a question would wait for a GPU
        if self.parameters.carry_memory:
            self._carried[network] = state
        return {name: torch.cat([terms[name] for terms in compared]) for name in compared[0]}, state

    def _compare(
        self,
        network: MemoryGuidedAutoEncoder,
        frames: torch.Tensor,
        queries: torch.Tensor,
        items: torch.Tensor,
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Compare (B, C, H, W) frames with what their queries and the items decode to: the terms of
        `error`, (B, ...), and point scores (B,).
        """
        import torch

        from .networks.mnad import compactness, point_score, psnr

        output = network.decode(queries, items)
        residual = frames - output
        errors = residual.square() / 4  # of values in -1..1, four times those on 0..1
        terms = {
            "psnr": psnr(errors),
            "compactness": compactness(queries, items),
            "map": torch.linalg.vector_norm(residual, dim=1) / frames.shape[1] ** 0.5,
            "reconstruction": output,
        }
        return terms, point_score(errors)

    def clip_scores(
        self, terms: Mapping[str, np.ndarray], frames: np.ndarray, length: int
    ) -> Scores:
        """Mix the falling PSNR with compactness, each scaled to 0..1 over the clip: 1 less the
        regularity of the code.

        A term that is constant over the clip counts as 0; the code divides by 0 there.
        """
        alpha = self.parameters.alpha
        return Scores(
            alpha * _scaled(-terms["psnr"]) + (1 - alpha) * _scaled(terms["compactness"]), frames
        )


def _scaled(values: np.ndarray) -> np.ndarray:
    """Return (K,) values of a clip stretched to 0..1; a constant clip becomes 0."""
    precise = values.astype(np.float64)
    spread = np.ptp(precise)
    return (precise - precise.min()) / spread if spread else np.zeros_like(precise)
