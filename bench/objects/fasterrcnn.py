"""Detector `fasterrcnn`: torchvision's Faster R-CNN (ResNet-50 FPN, version 2), trained on COCO.
Never downloads its weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.contracts.clip import Clip
from bench.contracts.detector import Detector
from bench.contracts.parameters import parameter
from bench.contracts.released_weights import read_pretrained
from bench.errors import DataError
from bench.files.download import Download, PretrainedWeights

WEIGHTS = PretrainedWeights(
    name="fasterrcnn",
    title="Faster R-CNN",
    licence="BSD-3-Clause (torchvision); trained on COCO, whose images have terms of their own",
    citation="Y. Li, S. Xie, X. Chen, P. Dollár, K. He, R. Girshick: Benchmarking Detection Transfer Learning with Vision Transformers. arXiv:2111.11429, 2021",
    # torchvision/models/detection/faster_rcnn.py, FasterRCNN_ResNet50_FPN_V2_Weights.COCO_V1
    download=Download(
        file="fasterrcnn_resnet50_fpn_v2_coco-dd69338a.pth",
        sha256="dd69338a24b8d7381807e247652bdc356325bcbaf1cd3e092e00e0a1a58706bf",
        size=175_221_657,
        url="https://download.pytorch.org/models/fasterrcnn_resnet50_fpn_v2_coco-dd69338a.pth",
        page="https://docs.pytorch.org/vision/stable/models/faster_rcnn.html",
    ),
)
"""Trained on COCO."""
CLASSES = 91


class FasterRCNNDetector(Detector):
    """Boxes of all 91 COCO classes with a score above a threshold; their class is not used.

    The DDL paper names a detector and says neither threshold nor classes: both are chosen here.
    """

    name = "fasterrcnn"
    unkeyed = frozenset({"weights", "batch", "device"})
    pretrained = (WEIGHTS,)

    @dataclass(frozen=True)
    class Parameters:
        """Weights, and what counts as found."""

        weights: str = parameter(
            "",
            doc=f"File with the weights; without it, {WEIGHTS.download.file} in torchvision's cache.",
        )
        threshold: float = parameter(
            0.5,
            minimum=0.0,
            maximum=1.0,
            source="no source: chosen here because the tracker starts tracks at a score of 0.6, and 0.5 shows how many it drops",
            doc="Boxes with a lower score are no objects.",
        )
        batch: int = parameter(
            2,
            unit="frames",
            minimum=1,
            source="no source: chosen here because of memory",
            doc="Frames in the network at once.",
        )
        device: str = parameter(
            "auto",
            source="no source: chosen here",
            doc="Where the network runs: cpu, cuda, cuda:1; auto: the first GPU, else the CPU.",
        )

    def __init__(self, parameters: Any = None) -> None:
        super().__init__(parameters)
        self._network: Any = None
        self._device: Any = None

    def check(self, dataset: str) -> None:
        """Raise DataError if the weights are missing, or not those that their file name
        promises.
        """
        self._digest()

    def key(self, dataset: str) -> str:
        """Return the SHA-256 of the weights."""
        return self._digest()

    def begin(self, clip: Clip, dataset: str) -> None:
        """Load the network, once."""
        if self._network is None:
            self._digest()
            self._load()

    def detect(self, clip: Clip, frames: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the boxes in each frame, best score first."""
        import torch

        if self._network is None:
            raise DataError(
                f"clip {clip.id}: detector {self.name} was asked for boxes before begin()"
            )
        found: list[np.ndarray] = []
        for start in range(0, len(frames), self.parameters.batch):
            batch = frames[start : start + self.parameters.batch]
            # A copy: torch refuses to share memory with arrays that may not be written.
            images = [
                torch.from_numpy(frame.copy()).permute(2, 0, 1).to(self._device) / 255
                for frame in batch
            ]
            with torch.inference_mode():
                results = self._network(images)
            for result in results:
                kept = result["scores"] >= self.parameters.threshold
                rows = torch.cat([result["boxes"][kept], result["scores"][kept, None]], dim=1)
                found.append(rows.cpu().numpy().astype(np.float64))
        return found

    def _digest(self) -> str:
        """Return the SHA-256 of the weights.

        Raises
        ------
        DataError : missing, a Git LFS pointer, or another hash than its name says.
        """
        return WEIGHTS.digest(
            self.parameters.weights,
            f"detector {self.name}",
            "'fasterrcnn[weights=FILE]' names another file, --detector motion needs none",
        )

    def _load(self) -> None:
        import torch

        network = read_pretrained(WEIGHTS, self.parameters.weights, _made)
        name = self.parameters.device
        if name == "auto":
            name = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            self._device = torch.device(name)
            self._network = network.eval().to(self._device)
        except (RuntimeError, AssertionError) as error:
            raise DataError(
                f"detector fasterrcnn: device {name!r} cannot be used: {str(error).splitlines()[0]}"
            ) from error


def _made(weights: dict[str, Any]) -> Any:
    network = _build()
    network.load_state_dict(weights)
    return network


def _build() -> Any:
    """Return the network without weights; nothing is looked up or downloaded."""
    from torchvision.models.detection import fasterrcnn_resnet50_fpn_v2

    return fasterrcnn_resnet50_fpn_v2(weights=None, weights_backbone=None, num_classes=CLASSES)
