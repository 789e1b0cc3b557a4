"""Nearest neighbours in the features of a pretrained network, place by place.

The features are those of PatchCore (K. Roth et al., Towards Total Recall in Industrial Anomaly
Detection, CVPR 2022). A place is compared with the same place of training frames, as the exemplars
of B. Ramachandra and M. Jones (Street Scene, WACV 2020) are: the camera stands still, and what is
normal depends on where it is. Nothing of this rule was chosen on a test set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from bench import (
    Context,
    Download,
    FrameFormat,
    Method,
    MethodError,
    MethodInfo,
    OpenClip,
    PretrainedWeights,
    parameter,
    read_pretrained,
)

from .references import bibtex
from .sampling import evenly_spaced

if TYPE_CHECKING:
    import torch

    from .networks.place_features import PlaceFeatures


MOBILENET = PretrainedWeights(
    name="mobilenet_v2",
    title="MobileNetV2",
    licence="BSD-3-Clause (torchvision); trained on ImageNet, whose images have terms of their own",
    citation="M. Sandler, A. Howard, M. Zhu, A. Zhmoginov, L.-C. Chen: MobileNetV2: Inverted Residuals and Linear Bottlenecks. CVPR 2018",
    # torchvision/models/mobilenetv2.py, MobileNet_V2_Weights.IMAGENET1K_V1
    download=Download(
        file="mobilenet_v2-b0353104.pth",
        sha256="b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
        size=14_212_972,
        url="https://download.pytorch.org/models/mobilenet_v2-b0353104.pth",
        page="https://docs.pytorch.org/vision/stable/models/mobilenetv2.html",
    ),
)
"""Trained on ImageNet."""
FRAMES_AT_ONCE = 16
"""In the network. Chosen here because of memory."""
RANDOM = "features of a ResNet with random weights"


@dataclass(frozen=True)
class FeaturesKNNParameters:
    """Parameters of features-knn."""

    features: Literal["mobilenet_v2", "random"] = parameter(
        "mobilenet_v2",
        source="no source: small enough for a CPU",
        doc="network of the features; random: a small one with random weights, to try things out",
    )
    weights: str = parameter(
        "",
        source="no source: torchvision's cache",
        doc=f"file with its weights; empty: {MOBILENET.download.file} in torchvision's cache",
    )
    size: int = parameter(
        256,
        unit="pixels",
        source="no source: as the other methods",
        doc="height and width of a frame; a place is 8 x 8 pixels",
        minimum=32,
    )
    neighbours: int = parameter(
        1,
        source="PatchCore; Ramachandra and Jones",
        doc="nearest training features of a place; their distances are averaged",
        minimum=1,
    )
    samples: int = parameter(
        500,
        unit="frames",
        source="no source: 260 MB of features at size 256",
        doc="training frames at most, evenly spaced",
        minimum=1,
    )

    def __post_init__(self) -> None:
        if self.samples < self.neighbours:
            raise ValueError(
                f"neighbours {self.neighbours} must be at most the {self.samples} training frames (samples)"
            )
        if self.weights and self.features == "random":
            raise ValueError("weights means nothing with features=random; leave one of them out")


class FeaturesKNN(Method):
    """Largest distance, over the places of a frame, of a pretrained network's features from the
    nearest ones of the same place in training frames.
    """

    name = "features-knn"
    info = MethodInfo(
        display_name="Feature kNN",
        title="Towards Total Recall in Industrial Anomaly Detection",
        year=2022,
        venue="CVPR",
        citation="roth2022patchcore",
        bibtex=bibtex("roth2022patchcore"),
        family="reference",
        groups=("reference",),
        inputs="RGB frames",
        extra_knowledge="MobileNetV2 (ImageNet)",
        deviations=(
            "features of PatchCore, from a MobileNetV2; a place is compared with the same place of evenly spaced training frames, without coreset and reweighting",
        ),
    )
    Parameters: ClassVar[type] = FeaturesKNNParameters
    pretrained = (MOBILENET,)
    profiles = {"smoke": {"features": "random", "size": 128, "samples": 100}}
    uses_seed = False
    needs = frozenset({"frames", "train"})

    bank: np.ndarray
    """(places, samples, F) float32: the features of the training frames."""
    network: str
    """SHA-256 of the network's weights, without which the features mean nothing."""

    def __init__(self, parameters: Any = None) -> None:
        super().__init__(parameters)
        self._extractor: PlaceFeatures | None = None
        self._learned: tuple[torch.Tensor, torch.Tensor] | None = None

    @property
    def frames(self) -> FrameFormat:  # type: ignore[override]
        """RGB frames."""
        return FrameFormat((self.parameters.size, self.parameters.size), 3)

    @property
    def deviations(self) -> tuple[str, ...]:
        """Those of `info`, and where the features come from if not from the MobileNetV2."""
        return (*super().deviations, *([RANDOM] if self.parameters.features == "random" else []))

    @property
    def extra_knowledge(self) -> str:
        """That of `info`; random weights know nothing."""
        return "" if self.parameters.features == "random" else super().extra_knowledge

    def check(self, dataset: str) -> None:
        """Look whether the weights of the network are there and whole."""
        if self.parameters.features != "random":
            self._check_weights()

    def fit(self, clips: Sequence[OpenClip], context: Context) -> None:
        """Keep the features of evenly spaced frames of all training clips.

        Raises
        ------
        DataError : no weights of the network.
        MethodError : fewer training frames than neighbours.
        """
        total = sum(clip.length for clip in clips)
        if total < self.parameters.neighbours:
            raise MethodError(
                f"{self.name}: neighbours={self.parameters.neighbours} needs as many training frames, there are {total}"
            )
        self.network = self._features(context.device).digest().hex()
        context.fact("network_sha256", self.network)
        frames = evenly_spaced(clips, self.parameters.samples, context)
        self._learned = None
        for begin in range(0, len(frames), FRAMES_AT_ONCE):
            context.step(begin, len(frames), "features of the training frames")
            found = self._places(frames[begin : begin + FRAMES_AT_ONCE], context).cpu().numpy()
            if not begin:
                self.bank = np.empty((len(found), len(frames), found.shape[2]), np.float32)
            self.bank[:, begin : begin + found.shape[1]] = found

    def score(self, clip: OpenClip, context: Context) -> np.ndarray:
        """Return the largest distance of each frame."""
        scores = []
        for begin in range(0, clip.length, FRAMES_AT_ONCE):
            context.step(begin, clip.length, f"scoring clip {clip.id}")
            places = self._places(clip.frames[begin : begin + FRAMES_AT_ONCE], context)
            scores.append(self._distances(places).amax(dim=0).cpu().numpy())
        return np.concatenate(scores)

    def load(self, path: Path) -> None:
        """Read back what `save` wrote. The network is not in the file: it is read from where it was
        when the method was fitted.

        Raises
        ------
        DataError : no weights of the network.
        MethodError : the network is another one.
        """
        super().load(path)
        self._learned = None
        if self._features("cpu").digest().hex() != self.network:
            raise MethodError(
                f"{self.name}: {path} was learned on features of a network with other weights than there are here"
            )

    def _distances(self, places: torch.Tensor) -> torch.Tensor:
        """Return the distance of each place, (P, N), for features (P, N, F)."""
        import torch

        if self._learned is None:
            bank = torch.from_numpy(self.bank).to(places.device)
            self._learned = bank, bank.square().sum(dim=2)[:, None] / 2
        bank, norms = self._learned
        # Half the squared distance, less half the squared norm of the place: its order is that of
        # the distances, but rounding hides small ones, so that those are computed once more.
        nearest = (norms - places @ bank.mT).topk(self.parameters.neighbours, largest=False).indices
        chosen = bank[torch.arange(len(bank), device=bank.device)[:, None, None], nearest]
        return (chosen - places[:, :, None]).norm(dim=3).mean(dim=2)

    # -- the network -------------------------------------------------------------------------------

    def _places(self, frames: np.ndarray, context: Context) -> torch.Tensor:
        """Return the features of frames (N, H, W, 3) uint8, (P, N, F)."""
        import torch

        with torch.inference_mode():
            images = torch.from_numpy(frames.copy()).to(context.device).permute(0, 3, 1, 2) / 255
            found: torch.Tensor = self._features(context.device)(images)
        return found

    def _features(self, device: str) -> PlaceFeatures:
        """Return the network, read once."""
        if self._extractor is None:
            from .networks.place_features import of_mobilenet, of_random_weights

            if self.parameters.features == "random":
                self._extractor = of_random_weights()
            else:
                self._check_weights()
                self._extractor = read_pretrained(MOBILENET, self.parameters.weights, of_mobilenet)
        return self._extractor.to(device)

    def _check_weights(self) -> None:
        """Raise DataError if the weights are missing, or not those that their name promises."""
        MOBILENET.digest(
            self.parameters.weights, self.name, f"'{self.name}[weights=FILE]' names another file"
        )
