"""How a network computes: in which precision, and whether torch compiles it."""

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
    if compute.compile and kind == "cpu" and not compiler():
        found.append(
            "--compile: torch needs a C++ compiler for networks on the CPU, and there is no g++, "
            "c++ or clang++ on the PATH; "
            "install one (Debian, Ubuntu: apt-get install g++), name it in the environment's CXX, "
            "or leave --compile out"
        )
    return found


def has_bf16(kind: str) -> bool:
    """Whether a kind of device, 'cpu' or 'cuda', has instructions for bfloat16."""
    if kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # Without AVX-512's oneDNN has no kernels of its own for it, and all else is slower than fp32.
    return bool(
        torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    )


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
    with autocast(device, compute.precision), explained(method, compute.compile):
        yield


@contextlib.contextmanager
def explained(method: NetworkMethod, compiled: bool) -> Any:
    """Say, where torch fails to compile a network, whose it was and what to do."""
    if not compiled:
        yield
        return
    import torch._dynamo.exc

    try:
        yield
    except torch._dynamo.exc.TorchDynamoException as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise MethodError(
            f"{method.name}: torch cannot compile its network ({type(error).__name__}: {reason}); "
            "leave --compile out"
        ) from error
