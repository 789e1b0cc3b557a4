"""The GPUs of this machine: which there are, which a run uses, and how a worker gets one of its
own.

A worker sees its GPU alone (CUDA_VISIBLE_DEVICES), so that 'cuda' means that GPU in every library,
and no process holds memory on another one. This is also the only way to use several MIG instances.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.errors import RequestError
from bench.files.cache import cache_folder
from bench.files.checksums import digest_of_text
from bench.hardware.machine import choose_device

VISIBLE = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True)
class Gpu:
    """A GPU, or an instance of one that MIG divides."""

    name: str
    """'cuda:N', as torch numbers those that this process sees."""
    visible: str
    """The value of CUDA_VISIBLE_DEVICES for a process that shall see it alone."""
    model: str
    memory: int
    """Bytes."""


def gpus() -> list[Gpu]:
    """Return the GPUs that this process may use: those in CUDA_VISIBLE_DEVICES, where it is set.

    A process sees one MIG instance alone. Of several in CUDA_VISIBLE_DEVICES each is a GPU here;
    model and memory are those of the first.
    """
    import torch

    if not torch.cuda.is_available():
        return []
    listed = [part.strip() for part in os.environ.get(VISIBLE, "").split(",") if part.strip()]
    found = [torch.cuda.get_device_properties(n) for n in range(torch.cuda.device_count())]
    if instances := [part for part in listed if part.startswith("MIG-")]:
        listed, found = instances, found[:1] * len(instances)
    return [
        Gpu(f"cuda:{number}", visible, one.name, int(one.total_memory))
        for number, (visible, one) in enumerate(
            zip(listed or map(str, range(len(found))), found, strict=False)
        )
    ]


def chosen_devices(asked: str) -> tuple[str, list[Gpu]]:
    """Return the device of a run's cells, and the GPUs that they may be computed on.

    Parameters
    ----------
    asked : 'cpu', 'cuda' (all GPUs), 'cuda:0,cuda:2' (these); empty: all GPUs, else the CPU.

    Raises
    ------
    RequestError : a device that is not here.
    """
    parts = list(dict.fromkeys(part.strip() for part in asked.split(","))) if asked else []
    if len(parts) < 2 and not asked.startswith("cuda"):
        device = choose_device(asked or None)
        return ("cuda", gpus()) if device.startswith("cuda") else (device, [])
    if others := [part for part in parts if part.partition(":")[0] != "cuda"]:
        raise RequestError(
            f"--device {asked!r}: {others[0] or 'nothing'!r} is no GPU; several devices are written "
            "like cuda:0,cuda:2"
        )
    there = gpus()
    if not there:
        choose_device(parts[0])  # says that there is none, and what to do
    by_name = {gpu.name: gpu for gpu in there}
    if absent := [part for part in parts if part != "cuda" and part not in by_name]:
        raise RequestError(
            f"--device {asked!r}: there is no {absent[0]}; torch finds {', '.join(by_name)} here"
        )
    return "cuda", there if "cuda" in parts else [by_name[part] for part in parts]


@contextlib.contextmanager
def own_gpu(offered: Sequence[Mapping[str, Any]]) -> Iterator[Gpu | None]:
    """Take one of the GPUs for this process, which then sees it alone: one that nobody holds, else
    the first of those that the fewest hold. None where none is offered.

    Holders are processes of this user on this machine that have the same cache folder, in any run.
    A GPU is free again when the process ends, however it ends. To be called before the process uses
    CUDA.

    Parameters
    ----------
    offered : the fields of each `Gpu`.
    """
    if not offered:
        yield None
        return
    for place, fields in ((place, fields) for place in itertools.count() for fields in offered):
        gpu = Gpu(**fields)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as held:
            try:
                held.bind(_socket_name(gpu, place))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    continue
                raise
            os.environ[VISIBLE] = gpu.visible
            yield gpu
            return


def _socket_name(gpu: Gpu, place: int) -> str:
    """Return the name of the abstract socket that the holder of a GPU has: it ends with its
    process, and unlike the lock of a file it needs no disk, on which locks may be missing (Lustre,
    NFS).
    """
    names = (os.getuid(), cache_folder().absolute(), gpu.visible, place)
    return f"\0vad-bench-gpu-{digest_of_text(' '.join(map(str, names)))[:32]}"
