"""How a network computes: in which precision, whether torch compiles it, and what of it torch
refuses.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from typing import Any

import torch

from bench.contracts.compute import Compute
from bench.contracts.method import Context
from bench.contracts.network_method import NetworkMethod
from bench.errors import MethodError

NOT_DETERMINISTIC = " does not have a deterministic implementation"
"""What torch says of an operation that it refuses in deterministic mode."""


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager[Any]:
    """Return a context in which networks compute in a precision: 'fp32' as they are, 'bf16' by
    torch's automatic casts.

    Weights, optimiser and losses stay in fp32; fp16 is not offered: its range needs scaled losses.
    """
    return (
        torch.autocast(device.type, torch.bfloat16)
        if precision == "bf16"
        else contextlib.nullcontext()
    )


def laid_out(method: NetworkMethod, network: torch.nn.Module, precision: str) -> torch.nn.Module:
    """Return the network with the weights of its convolutions in the layout that its method wants
    in this precision.
    """
    if precision in method.channels_last:
        formats = {4: torch.channels_last, 5: torch.channels_last_3d}
        for weight in network.parameters():
            if weight.ndim in formats and not weight.is_contiguous(
                memory_format=formats[weight.ndim]
            ):
                weight.data = weight.data.contiguous(memory_format=formats[weight.ndim])
    return network


def missing(compute: Compute) -> list[str]:
    """Return what this machine lacks for a way of computing, a sentence each, before any work."""
    found = []
    kind = torch.device(compute.device).type
    if compute.precision == "bf16" and not has_bf16(kind):
        found.append(
            f"--precision bf16: {compute.device} does not compute in bfloat16 here, it would only be "
            "imitated; use --precision fp32"
        )
    if compute.precision == "tf32" and not has_tf32(kind):
        found.append(
            f"--precision tf32: {compute.device} does not compute in TF32 here, which NVIDIA's GPUs "
            "from Ampere on do; use --precision fp32"
        )
    if compute.compile and kind == "cpu" and not compiler():
        found.append(
            "--compile: torch needs a C++ compiler for networks on the CPU, and there is no g++, "
            "c++ or clang++ on the PATH; "
            "install one (Debian, Ubuntu: apt-get install g++), name it in the environment's CXX, "
            "or leave --compile out"
        )
    return found


def has_bf16(kind: str) -> bool:
    """Whether a kind of device, like 'cpu' or 'cuda', has instructions for bfloat16."""
    if kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if kind != "cpu":
        return torch.amp.is_autocast_available(kind)
    # Without AVX-512's oneDNN has no kernels of its own for it, and all else is slower than fp32.
    return bool(
        torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    )


def has_tf32(kind: str) -> bool:
    """Whether a kind of device computes in TF32."""
    return kind == "cuda" and torch.cuda.is_tf32_supported()


def compiler() -> str | None:
    """Return the path of the C++ compiler that torch would use on the CPU; None where there is
    none.
    """
    names = (
        (os.environ.get("CXX", ""), "cl")
        if sys.platform == "win32"
        else (os.environ.get("CXX", ""), "g++", "c++", "clang++")
    )
    return next(filter(None, (shutil.which(name) for name in names if name)), None)


def compile_network(method: NetworkMethod, network: torch.nn.Module) -> torch.nn.Module:
    """Let torch compile the functions of a network that its method names, at their first call, and
    return the network.

    Shapes are taken as they are: a clip's or an epoch's last, smaller batch is compiled once more.
    What cannot be compiled raises, at the first call and at a shape too many, instead of running as
    it was.
    """
    import torch._dynamo.config
    import torch._inductor.config

    torch._inductor.config.compile_threads = 1  # a cell is told how many threads it has
    torch._inductor.config.fallback_random = True
    torch._dynamo.config.fail_on_recompile_limit_hit = True
    for name in method.compiled:
        place, _, function = name.rpartition(".")
        owner = network.get_submodule(place)
        found = getattr(owner, function)
        if not hasattr(found, "_torchdynamo_orig_callable"):
            setattr(owner, function, torch.compile(found, dynamic=False))
    return network


@contextlib.contextmanager
def computing(method: NetworkMethod, context: Context) -> Iterator[None]:
    """Compute as the context says, and explain what torch cannot compile."""
    compute = context.compute
    device = torch.device(compute.device)
    with autocast(device, compute.precision), explained(method, compute):
        yield


@contextlib.contextmanager
def explained(method: NetworkMethod, compute: Compute) -> Iterator[None]:
    """Say, where torch refuses an operation or fails to compile a network, whose it was and what to
    do.
    """
    try:
        with _compile_explained(method) if compute.compile else contextlib.nullcontext():
            yield
    except RuntimeError as error:
        operation, refused, _ = str(error).partition(NOT_DETERMINISTIC)
        if not refused:
            raise
        raise MethodError(
            f"{method.name}: {operation.split()[-1]} has no deterministic form on {compute.device}, "
            "so that the same seed would not give the same scores; --nondeterministic allows it, "
            "and marks the row"
        ) from error


@contextlib.contextmanager
def _compile_explained(method: NetworkMethod) -> Iterator[None]:
    import torch._dynamo.exc

    try:
        yield
    except torch._dynamo.exc.TorchDynamoException as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise MethodError(
            f"{method.name}: torch cannot compile its network ({type(error).__name__}: {reason}); "
            "leave --compile out"
        ) from error
