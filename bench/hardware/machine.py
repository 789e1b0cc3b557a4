"""What this machine is, for `run.json` and for choosing defaults."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.errors import RequestError
from bench.plugins.distributions import name_and_version

PACKAGES = (
    "vad-bench",
    "torch",
    "torchvision",
    "numpy",
    "scipy",
    "scikit-learn",
    "opencv-python",
    "trackers",
    "pandas",
)


def cores() -> int:
    """Return the CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that numbers depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = name_and_version(importlib.metadata.distribution(package))[1]
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


@functools.cache
def git_state() -> str:
    """Return the commit of the source tree when it was first asked for, with '+' where files differ
    from it; empty outside a checkout.
    """
    folder = Path(__file__).resolve().parents[2]
    if not (folder / ".git").exists():
        return ""
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        ).stdout.strip()
        changed = subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
    return commit + ("+" if changed.strip() else "")


def describe() -> dict[str, Any]:
    """Return system, processor, cores, memory (bytes) and GPUs."""
    import psutil

    return {
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": cores(),
        "memory": psutil.virtual_memory().total,
        "gpus": _gpus(),
        "executable": Path(sys.executable).name,
    }


def _processor() -> str:
    """Return the name of the processor; on Linux `platform.processor` has the architecture at
    most.
    """
    names = _values(Path("/proc/cpuinfo"), "model name")
    return names[0] if names else platform.processor()


def _gpus() -> list[str]:
    """Return the names of NVIDIA's GPUs as the driver gives them, without importing torch."""
    files = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    return [name for file in files for name in _values(file, "Model")[:1]]


def _values(path: Path, name: str) -> list[str]:
    """Return the values of the lines `name : value` of a file of /proc; none where it is absent."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    pairs = (line.partition(":") for line in lines)
    return [value.strip() for key, _, value in pairs if key.strip() == name]


def choose_device(asked: str | None) -> str:
    """Return the torch device: what was asked for, else the first GPU, else the CPU.

    Raises
    ------
    RequestError : a device that torch does not have here.
    """
    if asked == "cpu":
        return "cpu"
    if asked is None and not _gpu_files():
        return "cpu"  # no driver, no GPU: importing torch to learn the same would take seconds
    import torch

    if asked is None:
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(asked)
    except RuntimeError as error:
        raise RequestError(f"--device {asked!r} is no device; use cpu, cuda or cuda:0") from error
    there = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if device.type != "cuda" and (there is None or there.type != device.type):
        raise RequestError(
            f"--device {asked!r}: torch finds no such device here; use --device "
            f"{'cpu' if there is None else f'cpu or {there.type}'}"
        )
    count = torch.accelerator.device_count() if there and there.type == device.type else 0
    if (device.index or 0) >= count:
        raise RequestError(
            f"--device {asked!r}: torch finds {count or 'no'} GPU{'s' if count > 1 else ''} here; "
            "use --device cpu, or install a torch with CUDA and a driver"
        )
    return f"{device.type}:{device.index or 0}"


def _gpu_files() -> bool:
    return (
        not sys.platform.startswith("linux")
        or Path("/dev/nvidiactl").exists()
        or Path("/dev/kfd").exists()
        or Path("/dev/dxg").exists()
    )
