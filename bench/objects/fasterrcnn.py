"""Detector `fasterrcnn`: torchvision's Faster R-CNN (ResNet-50 FPN, version 2), trained on COCO.
Never downloads its weights.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.contracts.clip import Clip
from bench.contracts.detector import Detector
from bench.contracts.parameters import parameter
from bench.errors import DataError
from bench.files.source_file import LFS_POINTER

# torchvision/models/detection/faster_rcnn.py, FasterRCNN_ResNet50_FPN_V2_Weights.COCO_V1
WEIGHTS_FILE = "fasterrcnn_resnet50_fpn_v2_coco-dd69338a.pth"
WEIGHTS_URL = f"https://download.pytorch.org/models/{WEIGHTS_FILE}"
CLASSES = 91


def weights_folder() -> Path:
    """Return where torchvision keeps weights: `torch.hub.get_dir()/checkpoints`, found without
    importing torch.
    """
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", str(Path(cache) / "torch"))
    return Path(home).expanduser() / "hub" / "checkpoints"


class FasterRCNNDetector(Detector):
    """Boxes of all 91 COCO classes with a score above a threshold; their class is not used.

    The DDL paper names a detector and says neither threshold nor classes: both are chosen here.
    """

    name = "fasterrcnn"
    unkeyed = frozenset({"weights", "batch", "device"})

    @dataclass(frozen=True)
    class Parameters:
        """Weights, and what counts as found."""

        weights: str = parameter(
            "", doc=f"File with the weights; without it, {WEIGHTS_FILE} in torchvision's cache."
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
        self._hash: tuple[tuple[str, int, int], str] | None = None

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
            pictures = [
                torch.from_numpy(frame.copy()).permute(2, 0, 1).to(self._device) / 255
                for frame in batch
            ]
            with torch.inference_mode():
                results = self._network(pictures)
            for result in results:
                kept = result["scores"] >= self.parameters.threshold
                rows = torch.cat([result["boxes"][kept], result["scores"][kept, None]], dim=1)
                found.append(rows.cpu().numpy().astype(np.float64))
        return found

    def _path(self) -> Path:
        return (
            Path(self.parameters.weights).expanduser()
            if self.parameters.weights
            else weights_folder() / WEIGHTS_FILE
        )

    def _digest(self) -> str:
        """Return the SHA-256 of the weights, once a file, checked against the hash in its name as
        torch.hub does.

        Raises
        ------
        DataError : missing, a Git LFS pointer, or another hash than its name says.
        """
        path = self._path()
        try:
            status = path.stat()
            identity = (str(path), status.st_size, status.st_mtime_ns)
            if self._hash is None or self._hash[0] != identity:
                with path.open("rb") as file:
                    if file.read(len(LFS_POINTER)) == LFS_POINTER:
                        raise DataError(
                            f"{path} is a Git LFS pointer, not the weights; fetch them with `git lfs pull` in its repository"
                        )
                    file.seek(0)
                    self._hash = (identity, hashlib.file_digest(file, "sha256").hexdigest())
        except OSError as error:
            where = (
                ""
                if self.parameters.weights
                else f" (torchvision's cache, by TORCH_HOME: {weights_folder()})"
            )
            raise DataError(
                f"detector fasterrcnn: no weights: {path}{where}: {error.strerror or error}. Nothing is downloaded here: "
                f"fetch {WEIGHTS_URL} and put it there, give another place with 'fasterrcnn[weights=FILE]', "
                "or use --detector motion, which needs none"
            ) from error
        # torch/hub.py, HASH_REGEX: the first hex digits of the hash stand between the last '-' and
        # the '.'.
        promised = re.search(r"-([a-f0-9]{8,})\.", path.name)
        if promised and not self._hash[1].startswith(promised[1]):
            raise DataError(
                f"{path} is damaged or another file: its SHA-256 begins with {self._hash[1][:8]}, "
                f"its name says {promised[1]}; fetch {WEIGHTS_URL} again"
            )
        return self._hash[1]

    def _load(self) -> None:
        import torch

        path = self._path()
        try:
            with warnings.catch_warnings():
                # Of files that were not written by torch; those it cannot read become an error
                # below.
                warnings.filterwarnings(
                    "ignore", message="Detected pickle protocol", category=UserWarning
                )
                state = torch.load(path, map_location="cpu", weights_only=True)
        except (
            pickle.UnpicklingError,
            RuntimeError,
            EOFError,
            ValueError,
            KeyError,
            OSError,
        ) as error:
            raise DataError(
                f"{path} cannot be read as weights (a state dict of tensors): {_first_line(error)}"
            ) from error
        network = _build()
        try:
            network.load_state_dict(state)
        except (RuntimeError, TypeError, AttributeError) as error:
            raise DataError(
                f"{path} has no weights of torchvision's fasterrcnn_resnet50_fpn_v2: {_first_line(error)}"
            ) from error
        name = self.parameters.device
        if name == "auto":
            name = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            self._device = torch.device(name)
            self._network = network.eval().to(self._device)
        except (RuntimeError, AssertionError) as error:
            raise DataError(
                f"detector fasterrcnn: device {name!r} cannot be used: {_first_line(error)}"
            ) from error


def _build() -> Any:
    """Return the network without weights; nothing is looked up or downloaded."""
    from torchvision.models.detection import fasterrcnn_resnet50_fpn_v2

    return fasterrcnn_resnet50_fpn_v2(weights=None, weights_backbone=None, num_classes=CLASSES)


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
