"""One place that sets every random generator, before anything is built."""

from __future__ import annotations

import contextlib
import os
import random
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch


def seed_everything(
    seed: int, threads: int | None = None, precision: str = "fp32", nondeterministic: bool = False
) -> None:
    """Seed python, numpy and torch, and make torch deterministic. Torch is touched only where it is
    imported already.

    Parameters
    ----------
    seed : 0 or more.
    threads : CPU threads of this process; None leaves them as they are. Sums are split over
        threads, so results are bit-identical only for the same number.
    precision : of `Compute`. 'tf32' lets convolutions and matrix products compute in TF32; else
        they compute in IEEE single precision, where torch's own default is TF32 in cuDNN.
    nondeterministic : whether torch may use operations that have no deterministic form.
    """
    random.seed(seed)
    np.random.seed(seed % 2**32)
    if "torch" not in sys.modules:
        return
    import torch

    # Without this cuBLAS is not deterministic, and torch refuses to run it in deterministic mode.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=nondeterministic)
    # Left alone, cuDNN computes convolutions in TF32. Each backend by itself, since what was set
    # for one (torch.compile does that) goes before what is set for all.
    every: Any = torch.backends
    conv, matmul = (every.cudnn.conv, every.mkldnn.conv), (every.cuda.matmul, every.mkldnn.matmul)
    for backend in (every, every.cudnn.rnn, *conv, *matmul):
        backend.fp32_precision = "tf32" if precision == "tf32" else "ieee"
    # Deterministic mode would write NaN into every new tensor first, for code that reads what it
    # never wrote: a sixth of C3DSU's scoring time (measured, 256x256, latent 64).
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    if threads is not None:
        torch.set_num_threads(threads)


@contextlib.contextmanager
def kept_random_state(device: torch.device) -> Iterator[None]:
    """Let the block draw what it likes from python, numpy and torch, on the CPU and a device;
    afterwards all go on from where they were.
    """
    from bench.hardware.accelerators import forked_random

    python, numpy = random.getstate(), np.random.get_state()
    try:
        with forked_random(device):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
