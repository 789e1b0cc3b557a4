"""The peak memory of a network's cell, estimated before anything runs.

The method's own code makes two training steps and scores two batches with torch's fake tensors,
which have a shape, claim a device and hold no data, while every storage that is alive is counted.
What a device adds to that is in `MemoryEstimate.peak`.

Measured on Linux, two x86 cores, torch 2.14: the estimate without `PROCESS` over what a fresh
process grew by (RSS). Training of 6 to 60 steps in profile small: ae-3d 1.10, c3dsu 0.98, ae-conv2d
1.08, unet 1.00, memae 1.17, ae-conv3d 1.10; at other sizes ae-3d 1.02 (256 pixels) and 1.02 (paper,
batch 2), c3dsu 1.03 (paper, batch 2), ae-conv2d 1.10 (paper). Scoring in profile small: ae-3d 0.92,
c3dsu 0.98, ae-conv2d 0.83, unet 1.26, memae 1.22. Nothing was measured on a GPU.

Frames are mapped from files and not counted: a system that needs the memory takes them back, but
the peak in cell.json has those that were touched.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from bench.contracts.compute import Compute
from bench.contracts.method import Context, OpenClip
from bench.contracts.network_method import NetworkMethod
from bench.contracts.tracks import Tracks
from bench.engine.batches import AHEAD, Batch, in_range
from bench.engine.context import make_context
from bench.engine.training import gradients

GIGABYTE = 2**30
PROCESS = GIGABYTE // 2
"""Bytes of a worker before its network. On a CPU measured: cells without a network, in a process
with torch. For a GPU chosen here, not measured: the context of CUDA."""
HEAP = 350 * 2**20
"""On a CPU as much again is taken as is alive, up to this many bytes. Measured (Linux, glibc), on
the networks above but memae and ae-conv3d. It is the heap: freed blocks below 32 MB stay there and
fragment. With MALLOC_MMAP_THRESHOLD_=65536, which leaves no block there, processes grew by 1.02 to
1.24 times what is alive."""


@dataclass(frozen=True)
class MemoryEstimate:
    """What one cell of a network method holds, in bytes: all tensors alive at the worst moment."""

    device: str
    training: int = 0
    """Weights, gradients, the optimiser's state, batches drawn ahead and what a step keeps; 0 where
    nothing is trained."""
    scoring: int = 0
    parameters: int = 0
    """Numbers in the network."""
    sample: int = 0
    """One training sample."""
    step_flops: int = 0
    """Operations of a training step (a multiplication and an addition are two), those of
    convolutions and matrix products; 0 where nothing is trained."""
    frame_flops: float = 0.0
    """Operations of scoring a frame."""
    batch: int = 0
    """Windows that are scored at once."""
    unknown: str = ""
    """Why there is no estimate; the numbers are 0 then."""

    @property
    def peak(self) -> int:
        """The worker's peak, with what the process and the allocator add, bytes."""
        alive = max(self.training, self.scoring)
        return PROCESS + alive + (0 if on_gpu(self.device) else min(alive, HEAP))

    def fits(self, memory: int) -> bool:
        """Whether the cell can run in so many bytes; an unknown one may try."""
        return bool(self.unknown) or self.peak <= memory


def on_gpu(device: str) -> bool:
    """Whether a device has memory of its own."""
    kind = torch.device(device).type
    return kind != "cpu" and hasattr(torch.get_device_module(kind), "get_device_properties")


# -- one method ------------------------------------------------------------------------------------


def estimate(
    method: NetworkMethod, compute: Compute, batch: int | None = None, memory: int | None = None
) -> MemoryEstimate:
    """Estimate the memory of a cell of a freshly made method, without its data and without any
    arithmetic.

    Where the code asks something of the data, the case with more work is assumed: yes to a
    question, all positions of a mask. Code that needs more than that has no estimate, with the
    reason.

    Parameters
    ----------
    batch : windows a training step, where not the method's own.
    memory : bytes of the GPU, for which the batch of scoring is halved until it fits; None: not
        known, scoring is estimated as on a CPU.
    """
    scored = (
        compute.scoring_batch if memory is not None else Compute(batch=compute.batch).scoring_batch
    )
    size = int(getattr(method.parameters, "batch", 1)) if batch is None else batch
    with (
        tempfile.TemporaryDirectory() as folder,
        torch.random.fork_rng(devices=[]),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # what the code says of empty tensors is meant for nobody
        phase = "drawing a sample"
        try:
            clip = _made_clip(method)
            drawn = _drawn(method, clip, Path(folder))
            # Real constants may stand in the code: they are taken for fake ones.
            with FakeTensorMode(allow_non_fake_inputs=True):
                phase = "training"
                training, step_flops = (
                    _training(method, drawn, size, compute, Path(folder)) if drawn else (0, 0)
                )
                phase = "scoring"
                scoring, parameters, frame_flops = _scoring(method, clip, scored)
                while memory is not None and scored > 1 and PROCESS + scoring > memory:
                    scored //= 2
                    scoring, parameters, frame_flops = _scoring(method, clip, scored)
        except Exception as error:  # code that meets tensors without data can raise anything
            reason = (str(error).strip().splitlines() or [""])[0]
            return MemoryEstimate(
                compute.device,
                unknown=f"{phase} cannot be tried without data ({type(error).__name__}: {reason})",
            )
    return MemoryEstimate(
        compute.device,
        training,
        scoring,
        parameters,
        _bytes(drawn),
        step_flops,
        frame_flops,
        scored,
    )


def _made_clip(method: NetworkMethod) -> OpenClip:
    """Return a black clip of some windows, through which one object stands; its frames take no
    memory.
    """
    assert method.frames is not None
    length = 8 * max(method.window.span, method.training_window.span)
    size = method.frames.size
    frames = np.broadcast_to(
        np.uint8(0), (length, *size, 3) if method.frames.channels == 3 else (length, *size)
    )
    boxes = np.tile(np.array([0.25, 0.25, 0.75, 0.75]), (length, 1))
    tracks = Tracks(np.arange(length), np.zeros(length), boxes, length, size, length)
    return OpenClip("01", "train", length, "made", opener=lambda: frames, tracks=tracks)


def _context(folder: Path, compute: Compute) -> Context:
    """Return a context of the CPU in fp32, whatever the cell computes in: fake tensors do too."""
    logger = logging.Logger("bench.memory", logging.CRITICAL + 1)
    return make_context(0, Compute("cpu", accumulate=compute.accumulate), folder, logger)


def _drawn(method: NetworkMethod, clip: OpenClip, folder: Path) -> Batch:
    """Return a training sample of the black clip; empty where nothing is trained.

    The method's `fit` runs up to the call of the training loop, so that what it prepares for its
    samples is there. A network that it makes for itself is without data ("meta"): arithmetic on it
    is refused.
    """
    found: Batch = {}

    def draw(method: NetworkMethod, clips: Sequence[OpenClip], context: Context) -> None:
        with torch.device("cpu"):
            method.stats = method.stats or method.statistics(clips)
            found.update(method.sample(clips[0], 0, np.random.default_rng(0)))

    if method.weights_file is not None:
        method.stats = method.statistics([clip])
        return {}
    context = _context(folder, Compute())
    context.train = draw
    with torch.device("meta"):
        method.fit([clip], context)
    if not found and "train" in method.needs:
        raise NotImplementedError("it trains without the harness's loop")
    return found


def _training(
    method: NetworkMethod, sample: Batch, size: int, compute: Compute, folder: Path
) -> tuple[int, int]:
    """Return the bytes alive in a training step, and its operations."""
    drawn = {
        name: torch.empty((size, *tensor.shape), dtype=tensor.dtype)
        for name, tensor in sample.items()
    }
    batch = {name: in_range(method, tensor) for name, tensor in drawn.items()}
    with unset_fake_temporarily():  # their values decide what is computed
        batch |= {name: torch.stack([sample[name]] * size) for name in method.on_cpu & {*sample}}
    network = method.build().train()
    optimiser = method.optimiser(network)
    context = _context(folder, compute)
    with PeakTensorBytes() as alive:
        alive.hold([batch, list(network.parameters()), list(network.buffers())])
        # As after an earlier step, which would double the time of this: with gradients, and with
        # the optimiser's state.
        for parameter in network.parameters():
            parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None
        optimiser.step()
        with FlopCounterMode(display=False) as counter:
            if not gradients(method, network, optimiser, batch, context):
                raise NotImplementedError("it has no loss for the batch")
    # Beside the batch on the device: its samples, and the batches ahead, which are in the memory of
    # the CPU.
    ahead = 0 if on_gpu(compute.device) else (AHEAD + 1) * _bytes(drawn)
    return alive.most + ahead, counter.get_total_flops()


def _scoring(method: NetworkMethod, clip: OpenClip, batch: int) -> tuple[int, int, float]:
    """Return the bytes alive while a clip is scored, the numbers in the network, and the operations
    of a frame.
    """
    network = method.build().eval()
    window = method.read_window(clip, 0, method.window).shape
    frames = method.to_range(clip.frames[:1]).shape
    # Everything but the pass itself is held as long as the engine holds it: the parts of the batch
    # before are still there.
    with torch.inference_mode(), PeakTensorBytes() as alive:
        alive.hold([list(network.parameters()), list(network.buffers())])
        if method.streams:
            state = method.start(network)
            for _ in range(method.window.span // batch + 2):
                chunk = torch.empty(batch, frames[0], *frames[2:])
                parts, state = method.next(network, state, chunk)
            with FlopCounterMode(display=False) as counter:  # which takes longer than the pass
                chunk = torch.empty(batch, frames[0], *frames[2:])
                parts, state = method.next(network, state, chunk)
            scored = batch
        else:
            parts = method.error(network, {"window": torch.empty(batch, *window)})
            with FlopCounterMode(display=False) as counter:
                parts = method.error(network, {"window": torch.empty(batch, *window)})
            scored = batch * len(method.window.targets)
        del parts
    numbers = sum(parameter.numel() for parameter in network.parameters())
    return alive.most, numbers, counter.get_total_flops() / scored


def _bytes(batch: Batch) -> int:
    return sum(tensor.nbytes for tensor in batch.values())


class PeakTensorBytes(TorchDispatchMode):
    """Counts the bytes of the storages that operations give, as long as they are alive. Views share
    a storage.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self._sizes: dict[int, int] = {}

    def hold(self, tensors: Any) -> None:
        """Count the storages of these tensors, those that are not counted already."""
        for tensor in tree_leaves(tensors):
            if not isinstance(tensor, torch.Tensor):
                continue
            storage = tensor.untyped_storage()
            if storage._cdata not in self._sizes:
                self._sizes[storage._cdata] = storage.nbytes()
                self.now += storage.nbytes()
                self.most = max(self.most, self.now)
                weakref.finalize(storage, self._drop, storage._cdata)

    def _drop(self, key: int) -> None:
        self.now -= self._sizes.pop(key)

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        aten = torch.ops.aten
        given = [one for one in tree_leaves((args, kwargs)) if isinstance(one, torch.Tensor)]
        if given and not any(
            one.is_floating_point() or isinstance(one, FakeTensor) for one in given
        ):
            with unset_fake_temporarily():
                return function(*args, **(kwargs or {}))
        if function is aten._local_scalar_dense.default and isinstance(args[0], FakeTensor):
            return _answer(args[0])
        if function is aten.nonzero.default:
            result = torch.stack(_positions(args[0]), dim=1)
        elif function is aten.index.Tensor:
            indices = [
                position
                for index in args[1]
                for position in (_positions(index) if _is_mask(index) else [index])
            ]
            self.hold(indices)
            result = function(args[0], indices)
        else:
            result = function(*args, **(kwargs or {}))
        self.hold(result)
        return result


def _answer(number: torch.Tensor) -> bool | float:
    if number.dtype == torch.bool:
        return True
    if number.dtype.is_floating_point:
        return 1.0  # it decides no shape
    raise NotImplementedError("a whole number that depends on the data")


def _is_mask(index: torch.Tensor | None) -> bool:
    return isinstance(index, FakeTensor) and index.dtype == torch.bool


def _positions(mask: torch.Tensor) -> list[torch.Tensor]:
    return [torch.empty(mask.numel(), dtype=torch.int64) for _ in range(mask.ndim)]
