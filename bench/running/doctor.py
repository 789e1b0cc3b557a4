"""The findings of `bench doctor`: what works on this machine, and how to fix what does not."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bench.contracts.dataset import Dataset
from bench.errors import BenchError, DataError, RequestError
from bench.files.cache import cache_folder
from bench.hardware.machine import cores, git_state
from bench.planning.asked import MEMORY_A_WORKER
from bench.planning.request import data_roots
from bench.plugins.checks import ONE
from bench.plugins.registry import DISTRIBUTION, Registry
from bench.plugins.selection import parameters_of
from bench.runs.layout import RESULTS

State = Literal["ok", "note", "missing", "broken"]
PYTHON = (3, 11)
LITTLE_DISK = 2**30
"""Bytes. Chosen here: the frame store of Ped2 takes 0.3 GB per format, each cell a few MB."""
PATIENCE = 120
"""Seconds that importing a package may take. Chosen here: torch takes 5 on a slow disk."""
LIBGL = "apt-get install libgl1 libglib2.0-0 (Debian, Ubuntu): OpenCV needs these two libraries"
_TORCH = """
import json, torch, torchvision
count = torch.cuda.device_count() if torch.cuda.is_available() else 0
gpus = [torch.cuda.get_device_properties(number) for number in range(count)]
print(json.dumps({
    "torch": torch.__version__, "torchvision": torchvision.__version__, "cuda": torch.version.cuda,
    "gpus": [[gpu.name, gpu.total_memory] for gpu in gpus],
}))
"""
_OPENCV = "import json, cv2; print(json.dumps({'opencv': cv2.__version__}))"


@dataclass(frozen=True)
class Diagnosis:
    """One finding. State `broken`: `bench run` cannot work; `missing`: some methods or commands
    cannot work; `note`: good to know.
    """

    subject: str
    state: State
    text: str
    todo: str = ""


def examine(registry: Registry, data: tuple[Path, ...] = ()) -> list[Diagnosis]:
    """Check Python, packages, devices, memory, disks, datasets, weights, LaTeX and plugins. Writes,
    renders and downloads nothing.

    Parameters
    ----------
    data : folders that contain datasets, as for `bench run`.
    """
    return [
        *_python(),
        *_packages(),
        *_torch(),
        _opencv(),
        _cores(),
        _memory(),
        _folder("cache", cache_folder(), "set BENCH_CACHE to a folder that can be written"),
        _folder("results", RESULTS, "change to a folder that can be written, or give --out"),
        *_datasets(registry, data),
        *_weights(registry),
        _latex(),
        *_extras(),
        *_plugins(registry),
    ]


def _python() -> list[Diagnosis]:
    text = (
        f"{platform.python_version()} ({sys.executable}), {platform.system()} {platform.machine()}"
    )
    if sys.version_info < PYTHON:
        todo = f"install Python {'.'.join(map(str, PYTHON))} or later"
        return [Diagnosis("python", "broken", text, todo)]
    commit = git_state()
    version = importlib.metadata.version(DISTRIBUTION) + f", commit {commit[:12]}" * bool(commit)
    return [Diagnosis("python", "ok", text), Diagnosis("bench", "ok", version)]


def _requirements(extra: str = "") -> list[str]:
    """Return the packages that bench, or one of its extras, requires."""
    found = []
    for line in importlib.metadata.requires(DISTRIBUTION) or ():
        marker = re.search(r"extra\s*==\s*[\"']([^\"']+)", line)
        if (marker[1] if marker else "") == extra:
            found.append(re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0])
    return found


def _absent(packages: Sequence[str]) -> list[str]:
    def there(package: str) -> bool:
        try:
            return bool(importlib.metadata.version(package))
        except importlib.metadata.PackageNotFoundError:
            return False

    return [package for package in packages if not there(package)]


def _packages() -> list[Diagnosis]:
    needed = _requirements()
    if absent := _absent(needed):
        text = f"not installed: {', '.join(absent)}"
        return [Diagnosis("packages", "broken", text, f"pip install {' '.join(absent)}")]
    return [Diagnosis("packages", "ok", f"all {len(needed)} that bench requires are installed")]


def _asked(code: str) -> tuple[dict[str, Any], str]:
    """Run code in another process, so that a broken package does no harm. Returns the JSON that it
    printed, and the last line of its error.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        return {}, f"importing it takes more than {PATIENCE} s"
    lines = done.stderr.strip().splitlines()
    if done.returncode:
        return {}, lines[-1] if lines else f"importing it ends Python with {done.returncode}"
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found, ""


def _torch() -> list[Diagnosis]:
    found, error = _asked(_TORCH)
    if error:
        todo = (
            "pip install --force-reinstall torch torchvision (for a GPU, see the command on "
            "pytorch.org)"
        )
        return [Diagnosis("torch", "broken", error, todo)]
    cuda = f"CUDA {found['cuda']}" if found["cuda"] else "no CUDA in this build"
    text = f"{found['torch']}, torchvision {found['torchvision']}, {cuda}"
    torch = Diagnosis("torch", "ok", text)
    gpus = [
        f"cuda:{number}: {name}, {_gb(memory)}"
        for number, (name, memory) in enumerate(found["gpus"])
    ]
    if gpus:
        return [torch, Diagnosis("device", "ok", "; ".join(gpus))]
    advice = "if this machine has a GPU, install its driver and a torch that supports it" + (
        "" if found["cuda"] else " and a torch with CUDA (pytorch.org)"
    )
    text = "cpu: the default profile is 'small'; 'paper' takes days for a network"
    return [torch, Diagnosis("device", "note", text, advice)]


def _opencv() -> Diagnosis:
    found, error = _asked(_OPENCV)
    if error:
        library = re.search(r"lib(GL|gthread|glib)[\w.-]*", error)
        todo = LIBGL if library else "pip install --force-reinstall opencv-python"
        return Diagnosis("opencv", "broken", error, todo)
    return Diagnosis("opencv", "ok", found["opencv"])


def _cores() -> Diagnosis:
    usable, there = cores(), os.cpu_count() or 1
    share = f" of {there} are available" if usable < there else ""
    text = f"{usable}{share}; a cell has {usable} threads with --workers 1"
    return Diagnosis("cores", "ok", text)


def _memory() -> Diagnosis:
    import psutil

    memory = psutil.virtual_memory()
    text = f"{_gb(memory.available)} free of {_gb(memory.total)}"
    if memory.available < MEMORY_A_WORKER:
        todo = (
            f"a network in profile small takes up to {_gb(MEMORY_A_WORKER)}: see bench run "
            "--dry-run"
        )
        return Diagnosis("memory", "note", text, todo)
    return Diagnosis("memory", "ok", text)


def _folder(subject: str, folder: Path, advice: str) -> Diagnosis:
    """Check a folder that bench writes to, or its nearest parent that exists."""
    there = next(
        place for place in (folder.absolute(), *folder.absolute().parents) if place.exists()
    )
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return Diagnosis(subject, "broken", f"{folder}: {there} cannot be written", advice)
    free = shutil.disk_usage(there).free
    text = f"{folder}{'' if folder.is_dir() else ' (does not exist yet)'}, {_gb(free)} free"
    if free < LITTLE_DISK:
        return Diagnosis(subject, "note", text, f"free some disk space, or {advice}")
    return Diagnosis(subject, "ok", text)


def _datasets(registry: Registry, data: tuple[Path, ...]) -> list[Diagnosis]:
    try:
        roots = data_roots(data)
    except RequestError as error:
        todo = "create the folder, or name another with --data or BENCH_DATA"
        return [Diagnosis("data", "broken", str(error), todo)]
    demo = registry.groups("datasets").get("demo", [])
    found = [
        _dataset(cls, roots)
        for name, cls in registry.datasets.items()
        if not cls.needs_parameters and name not in demo
    ]
    places = ", ".join(f"{root}{'' if root.is_dir() else ' (not there)'}" for root in roots)
    found.insert(0, Diagnosis("data", "ok", f"datasets are looked for below {places}"))
    if demo:
        found.append(Diagnosis("dataset demo", "ok", f"{', '.join(demo)}: rendered on first use"))
    return found


def _dataset(cls: type[Dataset], roots: Sequence[Path]) -> Diagnosis:
    subject, todo = f"dataset {cls.name}", f"bench verify {cls.name}"
    try:
        dataset = cls()
        dataset.locate(roots)
    except DataError as error:
        text, todo = _what_and_todo(error, cls.how_to_obtain())
        text = re.sub(r"not found below .*", "not found", text.removeprefix(f"{cls.name}: "))
        return Diagnosis(subject, "missing", text, todo)
    except Exception as error:  # a bug in a plugin is a finding
        text = f"{type(error).__name__}: {_line(error)}"
        return Diagnosis(subject, "missing", text, "this is a bug in the plugin")
    try:
        share = dataset.share()
        lacking = [
            reason for need in ("lengths", "frames", "train") if (reason := dataset.lacks(need))
        ]
        label_sets = dataset.available_label_sets()
    except BenchError as error:
        return Diagnosis(subject, "note", _line(error), todo)
    text = f"{dataset.root}; labels: {', '.join(label_sets) or 'none'}"
    if lacking:
        text += f"; {lacking[0].removeprefix(f'{cls.name}: ')}"
        return Diagnosis(subject, "note", text, todo)
    if share < 1:
        return Diagnosis(subject, "note", f"{text}; {share:.0%} of its frames", todo)
    return Diagnosis(subject, "ok", f"{text}; complete, frames not checked ({todo})")


def _weights(registry: Registry) -> list[Diagnosis]:
    """Ask detectors and methods whether they lack anything but data, as a plan does."""
    found: dict[tuple[str, str], list[str]] = {}
    for kind in ("detectors", "methods"):
        for name, cls in registry.table(kind).items():
            if _demanding(cls) or getattr(cls, "published_only", False):
                continue
            try:
                cls().check("")
            except BenchError as error:
                text, todo = _what_and_todo(error)
                text = text.removeprefix(f"{ONE[kind]} ").removeprefix(f"{name}: ")
                text = re.sub(r"( no weights of .*) at \S+$", r"\1", f" {text}").strip()
                found.setdefault((text, todo), []).append(name)
    if not found:
        return [Diagnosis("weights", "ok", "nothing is missing for any detector or method")]
    return [
        Diagnosis("weights", "missing", f"{', '.join(names)}: {text}", todo)
        for (text, todo), names in found.items()
    ]


def _what_and_todo(error: BenchError, otherwise: str = "") -> tuple[str, str]:
    """Split an error that ends with the command which mends it; what stands in brackets at the end
    of the first part is for those who read the error alone.
    """
    text, command, rest = _line(error).rpartition("; bench ")
    if not command:
        return rest, otherwise
    return re.sub(r" \([^()]*\)$", "", text), f"bench {rest}"


def _demanding(cls: Any) -> bool:
    """Whether a class cannot be used without parameters."""
    return bool(getattr(cls, "needs_parameters", False)) or any(
        entry.required for entry in parameters_of("detectors", cls)
    )


def _latex() -> Diagnosis:
    absent = [program for program in ("pdflatex", "bibtex") if shutil.which(program) is None]
    if absent:
        todo = (
            "apt-get install --no-install-recommends texlive-latex-base texlive-latex-recommended"
            " lmodern (Debian, Ubuntu), or compile the tables elsewhere"
        )
        text = f"no {' and no '.join(absent)}: tables are written, but not compiled here"
        return Diagnosis("latex", "missing", text, todo)
    return Diagnosis("latex", "ok", "pdflatex and bibtex")


def _extras() -> list[Diagnosis]:
    extras = importlib.metadata.metadata(DISTRIBUTION).get_all("Provides-Extra") or []
    found = []
    for extra in extras:
        absent = _absent(_requirements(extra))
        if absent:
            text, todo = (
                f"not installed: {', '.join(absent)}",
                f"pip install '{DISTRIBUTION}[{extra}]'",
            )
            found.append(Diagnosis(f"extra {extra}", "missing", text, todo))
        else:
            found.append(Diagnosis(f"extra {extra}", "ok", "installed"))
    return found


def _plugins(registry: Registry) -> list[Diagnosis]:
    found = []
    for record in registry.plugins:
        if record.broken:
            own = record.origin.startswith(DISTRIBUTION)
            todo = (
                "pip install --force-reinstall -e . (or the wheel)"
                if own
                else "fix or uninstall it; everything else works without it"
            )
            state: State = "broken" if own else "note"
            text = f"{record.broken} [{record.origin}]"
            found.append(Diagnosis(f"plugin {record.name}", state, text, todo))
        else:
            offers = ", ".join(f"{len(names)} {kind}" for kind, names in record.provides.items())
            found.append(Diagnosis(f"plugin {record.name}", "ok", f"{offers} [{record.origin}]"))
    return found


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _gb(count: int) -> str:
    return f"{count / 2**30:.1f} GB"
