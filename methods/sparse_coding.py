"""Sparse coding of the features of a pretrained ResNet over time: TSC and its stacked recurrent
network, sRNN.

W. Luo, W. Liu, S. Gao, A Revisit of Sparse Coding Based Anomaly Detection in Stacked RNN Framework,
ICCV 2017; extended in W. Luo et al., Video Anomaly Detection With Sparse Coding Inspired Deep
Neural Networks, TPAMI 2019; code at commit 8c942cb. The ResNet of the authors, trained on UCF-101,
is not at hand: torchvision's ResNet-50, trained on ImageNet, takes its place.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Literal

import numpy as np

from bench import (
    Context,
    Download,
    FrameFormat,
    MethodError,
    MethodInfo,
    NetworkMethod,
    OpenClip,
    PretrainedWeights,
    RunError,
    Window,
    parameter,
    read_pretrained,
)

from .references import bibtex

if TYPE_CHECKING:
    import torch

    from .networks.resnet_features import PatchFeatures
    from .networks.sparse_coding import SparseCoding, State


RESNET = PretrainedWeights(
    name="resnet50",
    title="ResNet-50",
    licence="BSD-3-Clause (torchvision); trained on ImageNet, whose images have terms of their own",
    citation="K. He, X. Zhang, S. Ren, J. Sun: Deep Residual Learning for Image Recognition. CVPR 2016",
    # torchvision/models/resnet.py, ResNet50_Weights.IMAGENET1K_V1
    download=Download(
        file="resnet50-0676ba61.pth",
        sha256="0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",
        size=102_530_333,
        url="https://download.pytorch.org/models/resnet50-0676ba61.pth",
        page="https://docs.pytorch.org/vision/stable/models/resnet.html",
    ),
)
"""Trained on ImageNet."""
CODES, PROJECTION = 2048, 512
"""Length of a code, and rows of the matrix of the learned coherence (code)."""
FRAMES_AT_ONCE = 16
"""In the ResNet, for the training frames. Chosen here because of memory."""
STEP_TOO_LONG = 1.5
"""||A'A|| / gamma from which on a training is reported. No source: chosen here, between 1
(converges) and 2 (diverges)."""
WHOLE_FRAME = "the score is the error of the whole frame on every dataset; in the code that of Ped2 adds the largest of each grid (score_form)"
MAXIMA = "the score adds the largest error of each grid on every dataset; in the code that of Ped2 alone does (score_form)"
INCOHERENT = 0.01
"""Mean coherence of consecutive frames below which a training is reported. No source: chosen
here."""


@dataclass(frozen=True)
class TSCParameters:
    """Parameters of tsc."""

    features: Literal["resnet50", "random"] = parameter(
        "resnet50",
        source="code: ResNet-50 or -152",
        doc="ResNet of the features; random: small, with random weights, to try things out",
    )
    resnet: str = parameter(
        "",
        source="no source: torchvision's cache",
        doc=f"file with the weights of ResNet-50; empty: {RESNET.download.file} in torchvision's cache",
    )
    size: Literal[224, 128] = parameter(
        224,
        unit="pixels",
        source="code",
        doc="height and width of a frame; 7 x 7 features, or 4 x 4: both have 21 patches",
    )
    length: int = parameter(10, unit="frames", source="code", doc="training window", minimum=2)
    width: float = parameter(
        1.0, source="code: codes of 2048", doc="factor of the length of a code", minimum=0.01
    )
    layers: int = parameter(
        3, source="code", doc="steps of iterative shrinkage a frame, K", minimum=1
    )
    gamma: float = parameter(1.0, source="code", doc="inverse length of such a step", minimum=0.01)
    lambda1: float = parameter(0.1, source="code", doc="weight of sparsity", minimum=0.0)
    lambda2: float = parameter(
        0.1, source="code for ICCV; 0.01 for TPAMI", doc="weight of coherence", minimum=0.0
    )
    score_form: Literal["frame", "maxima"] = parameter(
        "frame",
        source="code: frame for Avenue and ShanghaiTech, maxima for Ped2",
        doc="error of the whole frame; or the mean of it and of the largest errors of the 4 and of the 16 patches",
    )
    steps: int = parameter(
        20_000, source="code; 40,000 for Ped2 in TPAMI", doc="training steps", minimum=1
    )
    batch: int = parameter(
        4, unit="windows", source="code", doc="windows a step, each with 21 sequences", minimum=1
    )
    learning_rate: float = parameter(
        1e-4, source="code for ICCV; 1e-5 for TPAMI", doc="of RMSProp, constant", minimum=0.0
    )
    every: int = parameter(
        1,
        unit="frames",
        source="code: any frame may be the first",
        doc="train on each n-th window",
        minimum=1,
    )

    def __post_init__(self) -> None:
        if self.resnet and self.features == "random":
            raise ValueError("resnet means nothing with features=random; leave one of them out")


@dataclass(frozen=True)
class StackedRNNParameters(TSCParameters):
    """Parameters of srnn; gamma and both lambdas are where training starts."""

    coherence: Literal["distance", "learned"] = parameter(
        "distance",
        source="ICCV; learned: TPAMI, with lambda2=0.01 and learning_rate=1e-5",
        doc="of two frames: exp(-||x - x'||^2 / 100), or cosine of projections, which are learned in place of lambda2",
    )


class SparseCodingMethod(NetworkMethod):
    """What both methods are: sparse codes of the 21 patches of a frame, each followed over the
    whole clip.

    The features of the training clips are computed once, into the cell's scratch folder: 172 kB a
    frame with ResNet-50, that is 0.4 GB for Ped2, 2.6 GB for Avenue and 47 GB for ShanghaiTech.
    They are removed when training is over.
    """

    Parameters: ClassVar[type] = TSCParameters
    pretrained = (RESNET,)
    compiled = ()
    refuses_bf16 = "its codes are what is left above a threshold of 0.1, frame after frame, and 8 bits carry errors over the whole clip"
    profiles = {
        "small": {"size": 128, "width": 0.25, "steps": 400, "learning_rate": 5e-4},
        "smoke": {
            "features": "random",
            "size": 128,
            "width": 0.0625,
            "steps": 40,
            "batch": 2,
            "learning_rate": 1e-3,
        },
    }

    def __init__(self, parameters: Any = None) -> None:
        super().__init__(parameters)
        self._extractor: PatchFeatures | None = None
        self._vectors: dict[str, np.ndarray] = {}

    # -- what it is --------------------------------------------------------------------------------

    @property
    def frames(self) -> FrameFormat:  # type: ignore[override]
        """RGB frames of the ResNet's size."""
        return FrameFormat((self.parameters.size, self.parameters.size), 3)

    @property
    def window(self) -> Window:
        """One frame: a clip is scored as a stream, and each of its frames has a score."""
        return Window(1)

    @property
    def training_window(self) -> Window:
        """Consecutive frames; codes before the first are 0."""
        return Window(self.parameters.length)

    @property
    def deviations(self) -> tuple[str, ...]:
        """Those of `info`; the form of this instance's score, and where the features come from."""
        form = WHOLE_FRAME if self.parameters.score_form == "frame" else MAXIMA
        declared = tuple(form if text == WHOLE_FRAME else text for text in super().deviations)
        if self.parameters.features == "random":
            return (*declared, "features of a ResNet with random weights")
        features = "features of torchvision's ResNet-50, trained on ImageNet; the authors' ResNets (-50 on Ped2, else -152) are trained on UCF-101"
        return (*declared, features)

    @property
    def extra_knowledge(self) -> str:
        """That of `info`; random weights know nothing."""
        return "" if self.parameters.features == "random" else super().extra_knowledge

    def check(self, dataset: str) -> None:
        """Look whether the weights of the ResNet are there and whole."""
        super().check(dataset)
        if self.parameters.features == "resnet50":
            self._check_weights()

    def build(self) -> torch.nn.Module:
        """Return the network of the codes; the ResNet, which is not trained, is no part of it."""
        return self.build_coding()

    def build_coding(self, decoder: bool = False, projection: int = 0) -> SparseCoding:
        """Return the network with fresh weights."""
        from .networks.resnet_features import FEATURES
        from .networks.sparse_coding import SparseCoding

        parameters = self.parameters
        return SparseCoding(
            FEATURES[parameters.features],
            max(1, round(CODES * parameters.width)),
            parameters.layers,
            parameters.gamma,
            parameters.lambda1,
            parameters.lambda2,
            decoder,
            projection,
        )

    # -- training ----------------------------------------------------------------------------------

    def optimiser(self, network: torch.nn.Module) -> torch.optim.Optimizer:
        """RMSProp as TensorFlow 1 has it (code): mean squares begin at 1, so that the first steps
        are short.
        """
        import torch

        optimiser = torch.optim.RMSprop(
            network.parameters(), lr=self.parameters.learning_rate, alpha=0.9, eps=1e-5
        )
        for weights in network.parameters():
            optimiser.state[weights] = {
                "step": torch.zeros(()),
                "square_avg": torch.ones_like(weights),
            }
        return optimiser

    def statistics(self, clips: Sequence[OpenClip]) -> dict[str, np.ndarray]:
        """Return the SHA-256 of the ResNet's weights, without which what was learned means
        nothing.
        """
        return {"resnet": np.frombuffer(self._features().digest(), dtype=np.uint8).copy()}

    def fit(self, clips: Sequence[OpenClip], context: Context) -> None:
        """Compute the features of the training clips, those that an earlier attempt left excepted,
        and train on them.

        Raises
        ------
        DataError : no weights of the ResNet.
        RunError : no space for the features.
        """
        import torch

        extractor = self._features(torch.device(context.device))
        digest = extractor.digest().hex()
        context.fact("resnet_sha256", digest)
        folder = context.folder / f"features-{digest[:12]}"
        self._vectors = _extracted(
            extractor,
            self,
            [clip for clip in clips if clip.length >= self.training_window.span],
            folder,
            context,
        )
        super().fit(clips, context)
        self._vectors = {}
        shutil.rmtree(folder, ignore_errors=True)

    def sample(
        self, clip: OpenClip, start: int, generator: np.random.Generator
    ) -> dict[str, torch.Tensor]:
        """Return the features of a window, (T, 21, F)."""
        import torch

        return {
            "vectors": torch.from_numpy(
                self._vectors[clip.id][start : start + self.parameters.length].copy()
            )
        }

    def loss(
        self, network: torch.nn.Module, batch: dict[str, torch.Tensor], context: Context
    ) -> dict[str, torch.Tensor]:
        """Return half the squared error of the features, mean over frames and patches; sparsity and
        coherence are no part of it (code).

        'zeros' is the share of zeros in the codes, 'coherence' the mean S of consecutive frames.
        """
        from .networks.sparse_coding import half_squared_error

        vectors = batch["vectors"].transpose(1, 2).flatten(0, 1)
        codes, coherence, _ = network(vectors)
        loss = half_squared_error(vectors, network.reconstruct(codes)).mean()  # type: ignore[operator]
        return {
            "loss": loss,
            "zeros": (codes == 0).float().mean(),
            "coherence": coherence[:, 1:].mean(),
        }

    def judge(self, history: Sequence[Mapping[str, float]], context: Context) -> None:
        """Keep how sparse and coherent the codes are, and warn where the shrinkage does not
        converge or the frames do not cohere.
        """
        assert self.network is not None
        zeros, coherence = history[-1]["zeros"], history[-1]["coherence"]
        expansion: float = self.network.expansion()  # type: ignore[operator]
        context.fact("zero_codes", zeros)
        context.fact("coherence", coherence)
        context.fact("expansion", expansion)
        if not expansion <= STEP_TOO_LONG:
            context.logger.warning(
                f"||A'A|| / gamma is {expansion:.3g} after training: above 1 the {self.parameters.layers} steps of iterative shrinkage "
                "need not converge, so codes are not those that the objective asks for. A larger gamma or a lower learning_rate keeps it down"
            )
        if coherence < INCOHERENT:
            context.logger.warning(
                f"the mean coherence S of consecutive frames is {coherence:.2g}: the codes of a frame hardly depend on the frame before"
            )

    # -- scoring -----------------------------------------------------------------------------------

    def error(
        self, network: torch.nn.Module, batch: dict[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """Return the error of single frames, (B, 1), each as the first of a clip."""
        vectors = self._features(batch["window"].device)(batch["window"][:, :, 0])
        errors, _ = self._errors(network, vectors.flatten(0, 1)[:, None], None)
        return {"error": self._joined(errors.view(vectors.shape[:2]))[:, None]}

    def start(self, network: torch.nn.Module) -> State | None:
        """Return the state before the first frame: no codes, no features."""
        return None

    def next(
        self, network: torch.nn.Module, state: Any, frames: torch.Tensor
    ) -> tuple[dict[str, torch.Tensor], Any]:
        """Code each frame from its features and from features and codes of the frame before, over
        the whole clip.
        """
        vectors = self._features(frames.device)(frames)
        errors, state = self._errors(network, vectors.transpose(0, 1), state)
        return {"error": self._joined(errors.T)}, state

    def load(self, path: Path) -> None:
        """Read back what `save` wrote. The ResNet is not in the file: it is read from where it was
        when the method was fitted.

        Raises
        ------
        DataError : no weights of the ResNet.
        MethodError : weights of another network, or the ResNet is another one.
        """
        super().load(path)
        if self._features().digest() != self.stats["resnet"].tobytes():
            raise MethodError(
                f"{self.name}: {path} was learned on features of a ResNet with other weights than there are here"
            )

    def _errors(
        self, network: torch.nn.Module, vectors: torch.Tensor, state: State | None
    ) -> tuple[torch.Tensor, State]:
        """Return half the squared error of each vector, (S, T) for (S, T, F), and the new state."""
        from .networks.sparse_coding import half_squared_error

        codes, _, state = network(vectors, state)
        return half_squared_error(vectors, network.reconstruct(codes)), state  # type: ignore[operator]

    def _joined(self, errors: torch.Tensor) -> torch.Tensor:
        """Return the score of frames, (N,), from the errors of their patches (N, 21)."""
        if self.parameters.score_form == "frame":
            return errors[:, 0]
        return (errors[:, 0] + errors[:, 1:5].amax(dim=1) + errors[:, 5:].amax(dim=1)) / 3

    # -- the ResNet --------------------------------------------------------------------------------

    def _features(self, device: torch.device | None = None) -> PatchFeatures:
        """Return the ResNet, read once, on a device where one is given."""
        if self._extractor is None:
            import torch

            from .networks.resnet_features import untrained

            # Nothing of it is trained: its numbers are wanted even where networks are made without
            # data.
            with torch.device("cpu"):
                self._extractor = (
                    untrained() if self.parameters.features == "random" else self._trained()
                )
        if device is not None and device != self._extractor.mean.device:
            self._extractor.to(device)
        return self._extractor

    def _trained(self) -> PatchFeatures:
        from .networks.resnet_features import trained

        self._check_weights()
        return read_pretrained(RESNET, self.parameters.resnet, trained)

    def _check_weights(self) -> None:
        """Raise DataError if the weights are missing, or not those that their name promises."""
        RESNET.digest(
            self.parameters.resnet, self.name, f"'{self.name}[resnet=FILE]' names another file"
        )


class TSC(SparseCodingMethod):
    """Temporally coherent sparse coding: codes of consecutive frames are alike as far as the frames
    are; the dictionary is learned.
    """

    name = "tsc"
    info = MethodInfo(
        display_name="TSC",
        title="A Revisit of Sparse Coding Based Anomaly Detection in Stacked RNN Framework",
        year=2017,
        venue="ICCV",
        citation="luo2017srnn",
        bibtex=bibtex("luo2017srnn"),
        family="sparse coding",
        groups=("sparse-coding",),
        inputs="RGB frames",
        extra_knowledge="ResNet-50 (ImageNet)",
        published_protocol="the error, min-max in each clip, all frames pooled (code)",
        paper_protocol="minmax",
        reproduction="the authors' evaluation reports the best test AUC of all checkpoints; their ResNets and features are not public",
        deviations=(
            "all training windows come in shuffled order; in the code clips take turns, and a window of each is drawn",
            "the last weights are scored, not the best on the test split of those kept each 1,000 steps (code)",
            WHOLE_FRAME,
        ),
    )


class StackedRNN(SparseCodingMethod):
    """Stacked recurrent network of temporally coherent sparse coding, with a decoder and learned
    weights of its terms (sRNN).
    """

    name = "srnn"
    info = MethodInfo(
        display_name="StackRNN",
        title=TSC.info.title,
        year=2017,
        venue="ICCV",
        citation="luo2017srnn",
        bibtex=bibtex("luo2017srnn"),
        family="sparse coding",
        groups=("sparse-coding",),
        inputs="RGB frames",
        extra_knowledge=TSC.info.extra_knowledge,
        published_protocol=TSC.info.published_protocol,
        paper_protocol=TSC.info.paper_protocol,
        reproduction=TSC.info.reproduction,
        deviations=TSC.info.deviations,
    )
    Parameters: ClassVar[type] = StackedRNNParameters

    def build(self) -> torch.nn.Module:
        """Return the network with its decoder, and with a matrix of the coherence where that is
        learned.
        """
        projection = (
            max(1, round(PROJECTION * self.parameters.width))
            if self.parameters.coherence == "learned"
            else 0
        )
        return self.build_coding(decoder=True, projection=projection)


def _extracted(
    extractor: PatchFeatures,
    method: NetworkMethod,
    clips: Sequence[OpenClip],
    folder: Path,
    context: Context,
) -> dict[str, np.ndarray]:
    """Return the features of each clip, (N, 21, F) float32, memory-mapped: files 00000.npy, ... of
    the folder, in clip order.

    Raises
    ------
    RunError : no space, or no permission.
    """
    from .networks.resnet_features import FEATURES, PATCHES

    shapes = {
        clip.id: (clip.length, PATCHES, FEATURES[method.parameters.features]) for clip in clips
    }
    paths = {clip.id: folder / f"{number:05d}.npy" for number, clip in enumerate(clips)}
    missing = [clip for clip in clips if not paths[clip.id].exists()]
    done, total = 0, sum(clip.length for clip in missing)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        needed, free = (
            sum(4 * int(np.prod(shapes[clip.id])) for clip in missing),
            shutil.disk_usage(folder).free,
        )
        if needed > free:
            raise RunError(
                f"{method.name}: the features of {total} training frames take {needed / 1e9:.1f} GB, and {folder} has {free / 1e9:.1f} GB free; "
                "free space there, or choose another folder with --out"
            )
        for clip in missing:
            temporary = paths[clip.id].with_suffix(".new")
            with temporary.open("wb") as file:
                header = {"descr": "<f4", "fortran_order": False, "shape": shapes[clip.id]}
                np.lib.format.write_array_header_1_0(file, header)
                for begin in range(0, clip.length, FRAMES_AT_ONCE):
                    _write_features(
                        file,
                        extractor,
                        method,
                        clip.frames[begin : begin + FRAMES_AT_ONCE],
                        context.device,
                    )
                    context.step(
                        done + min(begin + FRAMES_AT_ONCE, clip.length),
                        total,
                        "features of the training frames",
                    )
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(paths[clip.id])
            done += clip.length
        return {name: np.load(path, mmap_mode="r") for name, path in paths.items()}
    except OSError as error:
        raise RunError(
            f"{method.name}: cannot write the features of the training frames in {folder}: {error.strerror or error}; "
            "free space or permission is needed there, or choose another folder with --out"
        ) from error


def _write_features(
    file: BinaryIO, extractor: PatchFeatures, method: NetworkMethod, frames: np.ndarray, device: str
) -> None:
    import torch

    with torch.inference_mode():
        vectors = extractor(method.to_range(frames).transpose(0, 1).to(device))
    file.write(vectors.float().cpu().numpy().astype("<f4", copy=False).tobytes())
