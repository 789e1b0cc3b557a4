"""What a method is that is a network: it declares, and the harness supplies the training loop and
the inference engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np

from bench.contracts.clip import Window
from bench.contracts.compute import Compute
from bench.contracts.method import Context, Method, OpenClip, Scores
from bench.contracts.released_weights import fill_released, read_weights, write_weights
from bench.errors import DataError, MethodError

if TYPE_CHECKING:
    import torch

IMAGE_TERMS = ("map", "reconstruction")
"""Terms of `error` that are images, not scores: (B, targets, H, W), and (B, targets, C, H, W) in
the method's value range."""


class NetworkMethod(Method):
    """A method that is a network. A subclass declares `window` and writes `build`, `loss` and
    `error`.

    What the harness does with it: the training loop draws samples (`sample`, in loader threads),
    makes steps (`loss`), writes a checkpoint each epoch; the engine scores each test clip window by
    window (`error`), or frame by frame where `start` and `next` are written, and joins the terms of
    a clip (`clip_scores`).

    `Parameters` of a network method must have `epochs` (or `steps`), `batch` and `learning_rate`;
    `every` (take each n-th window in training), `precise_bn` (windows that the statistics of batch
    normalisation are computed from after training) and `weights` (`ReleasedWeights`) are understood
    where they are there.
    """

    needs: frozenset[str] = frozenset({"frames", "train"})
    drop_last: ClassVar[bool] = False
    """Leave the last, smaller batch of an epoch out."""
    on_cpu: ClassVar[frozenset[str]] = frozenset()
    """Entries of a sample that stay on the CPU: their values decide what `loss` computes, and to
    ask an accelerator for a value (`.item()`, `bool()`, boolean indexing) makes the CPU wait."""
    training_parameters: ClassVar[frozenset[str]] = frozenset(
        {"epochs", "steps", "batch", "learning_rate", "every", "precise_bn"}
    )
    """Parameters that nothing but training reads: beside `weights` they are refused."""
    training_parts: ClassVar[tuple[str, ...]] = ()
    """Parts of the network that only training uses: left out of given weights of a finished cell."""
    why_no_step: ClassVar[str] = "the loss was None for every batch"
    """What to tell a user when an epoch ends without a single step."""

    compiled: ClassVar[tuple[str, ...]] = ("forward",)
    """Functions of the network that `--compile` compiles: those that `loss`, `error` and `next`
    call, as 'forward' or 'encoder.forward'. Empty: it cannot be compiled."""
    channels_last: ClassVar[frozenset[str]] = frozenset()
    """Precisions ('fp32', 'bf16') in which the weights lie in memory with their channels last,
    where that is quicker and gives the same.

    Not for batch normalisation in fp32 on a CPU: torch 2.14 then sums its statistics one by one,
    and loses digits (up to 7e-4 of the deviation over 2 million values; in bf16, and with channels
    first, nothing is lost). Times in methods/ are measured on one core.
    """
    refuses_bf16: ClassVar[str] = ""
    """Why the method's numbers need fp32 throughout; empty: `--precision bf16` may be asked for."""

    bf16_version: int = 1
    """Raised whenever the scores under `--precision bf16` change and those in fp32 do not."""

    stats: Mapping[str, np.ndarray]
    """What `statistics` returned; kept in the checkpoint."""

    def __init__(self, parameters: Any = None) -> None:
        super().__init__(parameters)
        self.stats, self._mean = {}, cast(Any, (None, None))  # stats["mean"]; the same on a device
        self.network: torch.nn.Module | None = None
        self.uses_seed = self.uses_seed and self.weights_file is None
        if self.weights_file is not None and self.window.value_range != "mean-subtracted":
            self.needs = self.needs - {"train"} | {"weights"}

    @property
    def weights_file(self) -> Path | None:
        """The file of released weights that is loaded instead of training; None where the network
        is trained.
        """
        name = getattr(self.parameters, "weights", "")
        return Path(name).expanduser() if name else None

    @property
    def deviations(self) -> tuple[str, ...]:
        """Those of `info`, where weights come from, and statistics that are computed anew."""
        found = super().deviations
        if self.weights_file is not None:
            found += (f"weights of the file {self.weights_file.name}, not trained here",)
        elif self.precise_bn:
            found += (
                f"statistics of batch normalisation computed after training, from up to {self.precise_bn} training windows, in place of running averages",
            )
        return found

    @property
    def supervision(self) -> str:
        """That of `info`; weights that are loaded were learned from normal videos as well."""
        return super().supervision or ("" if self.weights_file is None else "one-class")

    def check(self, dataset: str) -> None:
        """Look whether the file of released weights is there, and fits the network."""
        if self.weights_file is None:
            return
        if not self.weights_file.is_file():
            raise DataError(
                f"{self.name}: no weights at {self.weights_file}; give the path of the released file, or leave weights= out to train"
            )
        import torch

        try:
            with torch.device("meta"):
                network = self.build()
            # Nothing can be copied into a network without data.
            self._fill(network, self.weights_file, assign=True)
        except MethodError as error:
            raise DataError(str(error)) from error
        except Exception:  # a plugin's code that needs data, or the statistics: its cell will tell
            return

    def refusal(self, compute: Compute) -> str:
        """Return why the network cannot compute like this; empty where it can."""
        if compute.precision == "bf16" and self.refuses_bf16:
            return (
                f"--precision bf16 is not for it: {self.refuses_bf16}; run it with --precision fp32"
            )
        if compute.compile and not self.compiled:
            return "--compile is not for it: its network names no function to compile; leave --compile out"
        return ""

    # -- declared ----------------------------------------------------------------------------------

    @property
    def window(self) -> Window:
        """What the network sees when it scores."""
        raise NotImplementedError

    @property
    def training_window(self) -> Window:
        """What it sees in training, where that differs."""
        return self.window

    def build(self) -> torch.nn.Module:
        """Return the network with fresh weights, on the CPU. The random generators are seeded
        before.
        """
        raise NotImplementedError

    def sample(
        self, clip: OpenClip, start: int, generator: np.random.Generator
    ) -> dict[str, torch.Tensor]:
        """Return one training sample: tensors without a batch axis. Called in loader threads.

        A uint8 tensor is frames, (T, H, W[, 3]): `loss` gets them as `to_range` makes them on the
        device, (B, C, T, H, W). Default: 'window', the frames of the training window.
        `generator` is seeded by seed, epoch and index: draw everything random from it.
        """
        import torch

        return {"window": torch.from_numpy(read_frames(clip, start, self.training_window))}

    def loss(
        self, network: torch.nn.Module, batch: dict[str, torch.Tensor], context: Context
    ) -> dict[str, torch.Tensor] | None:
        """Return {'loss': scalar, other scalars to log}, or None for "no step" (counted and
        logged).
        """
        raise NotImplementedError

    def error(
        self, network: torch.nn.Module, batch: dict[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """Return the terms of the score, each (B, targets), for batch['window'] (B, C, T, H, W).

        'map' and 'reconstruction' (see IMAGE_TERMS) may be among them; they become images and are
        no scores.
        """
        raise NotImplementedError

    def clip_scores(
        self, terms: Mapping[str, np.ndarray], frames: np.ndarray, length: int
    ) -> Scores:
        """Join the terms, each (K,) for the K scored `frames` of a clip of `length` frames.
        Default: the single term.
        """
        if len(terms) != 1:
            raise MethodError(
                f"{self.name}: error() gives {len(terms)} terms ({', '.join(terms)}); write clip_scores() to join them"
            )
        (values,) = terms.values()
        return Scores(values, frames)

    # -- may be overridden -------------------------------------------------------------------------

    @property
    def epochs(self) -> int | None:
        """Epochs of training; None where `steps` counts."""
        return getattr(self.parameters, "epochs", None)

    @property
    def steps(self) -> int | None:
        """Steps of training, where the method counts steps and not epochs."""
        return getattr(self.parameters, "steps", None)

    @property
    def precise_bn(self) -> int:
        """Training windows that the statistics of batch normalisation are computed from after
        training; 0: they stay the running averages of training.
        """
        return int(getattr(self.parameters, "precise_bn", None) or 0)

    def optimiser(self, network: torch.nn.Module) -> torch.optim.Optimizer:
        """Adam at the method's learning rate."""
        import torch

        return torch.optim.Adam(network.parameters(), lr=self.parameters.learning_rate)

    def schedule(
        self, optimiser: torch.optim.Optimizer, steps: int
    ) -> torch.optim.lr_scheduler.LRScheduler | None:
        """Return a scheduler that is stepped once after each of the `steps` training steps, or
        None.
        """
        return None

    def statistics(self, clips: Sequence[OpenClip]) -> dict[str, np.ndarray]:
        """Return what the network must know of the training frames. Default: 'mean', the mean
        frame, where the value range needs it.
        """
        if self.window.value_range != "mean-subtracted":
            return {}
        total, count = 0.0, 0
        for clip in clips:
            for frame in clip.frames:
                total = total + frame.astype(np.float64)
                count += 1
        return {"mean": np.asarray(total / count, dtype=np.float32)}

    def convert_weights(self, weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Map the key names of released weights to those of `build()`. Default: unchanged."""
        return weights

    def scoring_network(self, network: torch.nn.Module) -> torch.nn.Module:
        """Return what `error`, `start` and `next` are given for scoring: the trained network in
        eval mode, or a faster form of it.

        A faster form must give the same scores to 1e-5, e.g. with normalisations folded into
        weights. It has copies of what it changes: training may go on. Default: the network itself.
        """
        return network

    def pseudo_anomaly(
        self, clip: OpenClip, start: int, generator: np.random.Generator, sigmas: Sequence[float]
    ) -> dict[str, np.ndarray] | None:
        """Return what the trained network makes of a training window and of its pseudo-anomalous
        form, to be shown.

        Only methods that learn a distinction write it. Of one reconstructed frame, in the method's
        value range: 'normal' and 'pseudo_anomaly', and the outputs for both, 'of_normal' and
        'of_pseudo_anomaly', each (C, H, W); 'blends', (len(sigmas), C, H, W), the pseudo-anomaly
        at other weights; 'sigma', the training's own; 'frame', its place in the window. None where
        the window has no pseudo-anomaly.
        """
        return None

    def judge(self, history: Sequence[Mapping[str, float]], context: Context) -> None:
        """Look at the finished training: one row an epoch with the mean of each term of `loss`.
        Default: nothing to say.

        What a reader of the table must know is logged as a warning, and goes into the row.

        Raises
        ------
        DidNotLearn : with the cause.
        """

    # -- streaming, where it is exact --------------------------------------------------------------

    def start(self, network: torch.nn.Module) -> Any:
        """Return the state before the first frame of a clip. Only methods that can stream write
        `start` and `next`.
        """
        raise NotImplementedError

    def next(
        self, network: torch.nn.Module, state: Any, frames: torch.Tensor
    ) -> tuple[dict[str, torch.Tensor], Any]:
        """Take the next consecutive frames of a clip, (K, C, H, W), K >= 1.

        Returns the terms (J,) of the next J target frames in order, J from 0 to K, and the new
        state. Over a clip the target frames are targets[0], targets[0] + 1, ... as with windows.
        """
        raise NotImplementedError

    @property
    def streams(self) -> bool:
        """Whether `start` and `next` are written."""
        return type(self).next is not NetworkMethod.next

    # -- what the harness supplies -----------------------------------------------------------------

    def read_window(self, clip: OpenClip, start: int, window: Window) -> torch.Tensor:
        """Return frames start, start + step, ... of a clip as (C, T, H, W) float32 in the method's
        value range.
        """
        return self.to_range(read_frames(clip, start, window))

    def to_range(self, frames: np.ndarray | torch.Tensor) -> torch.Tensor:
        """Return (..., T, H, W[, 3]) uint8 frames as (..., C, T, H, W) float32 in the method's
        value range, on the device where the frames are.
        """
        import torch

        # NumPy's arithmetic takes one thread: several draw samples at a time.
        on_device = isinstance(frames, torch.Tensor)
        values: Any = frames.float() if on_device else frames.astype(np.float32)  # type: ignore[union-attr]
        match self.window.value_range:
            case "0..1":
                values /= 255
            case "-1..1":
                values = values / 127.5 - 1
            case "mean-subtracted":
                mean: Any = self.stats["mean"]
                if on_device:  # kept there: a copy for each batch would make the CPU wait
                    if self._mean[0] is not mean or self._mean[1].device != values.device:
                        self._mean = mean, torch.from_numpy(mean).to(values.device)
                    mean = self._mean[1]
                values = (values - mean) / 255
        tensor = values if on_device else torch.from_numpy(values)
        if self.frames is None or self.frames.channels == 1:
            return tensor.unsqueeze(-4)
        return tensor.movedim(-1, -4).contiguous()

    def save(self, path: Path) -> None:
        """Write weights and statistics to `path` (safetensors)."""
        if self.network is None:
            raise MethodError(f"{self.name}: save() before fit() or load()")
        write_weights(path, self.network, self.stats)

    def load(self, path: Path) -> None:
        """Read back what `save` wrote.

        Raises
        ------
        MethodError : not a safetensors file, or weights of another network.
        """
        weights, self.stats = read_weights(path, self.name)
        network = self.build()
        try:
            network.load_state_dict(weights)
        except RuntimeError as error:
            raise MethodError(
                f"{self.name}: the weights in {path} belong to another network: {error}"
            ) from error
        self.network = network

    def fit(self, clips: Sequence[OpenClip], context: Context) -> None:
        """Train with the harness's loop; a half-trained cell goes on from its last checkpoint.
        Released weights are loaded instead.
        """
        if self.weights_file is not None:
            self.stats = self.statistics(clips)
            self.load_released(self.weights_file)
            return
        context.train(self, clips, context)

    def load_released(self, path: Path) -> None:
        """Load a file of released weights: safetensors, or a state dict that torch saved, alone or
        below 'state_dict' or 'model'.

        Raises
        ------
        MethodError : a file that is neither (a pickled module among them), or weights of another
            network.
        """
        network = self.build()
        self._fill(network, path)
        self.network = network.eval()

    def _fill(self, network: torch.nn.Module, path: Path, assign: bool = False) -> None:
        fill_released(network, path, self.name, self.convert_weights, assign, self.training_parts)

    def score(self, clip: OpenClip, context: Context) -> Scores:
        """Score with the harness's engine."""
        return context.infer(self, clip, context)


def read_frames(clip: OpenClip, start: int, window: Window) -> np.ndarray:
    """Return a copy of the frames of a window, (T, H, W[, 3]) uint8, so that they are read now."""
    return np.array(clip.frames[start : start + window.span : window.step])
