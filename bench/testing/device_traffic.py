"""What passes between the CPU and the simulated device: copies, and moments of waiting."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch


@dataclass(frozen=True)
class Event:
    """A copy, or a wait: what torch was asked for, and where."""

    operation: str
    place: str
    """File and line."""

    def __str__(self) -> str:
        return f"{self.operation} at {self.place}"


@dataclass
class Traffic:
    """What passed between the CPU and the device."""

    uploads: list[Event] = field(default_factory=list)
    """Copies to the device."""
    waits: list[Event] = field(default_factory=list)
    """Moments at which the CPU waits until the device has done all it was told: copies to the CPU,
    copies to the device that are not both pinned and non-blocking, `.item()` and `bool()`, and
    operations whose shape depends on values, such as boolean indexing."""


_open: list[Traffic] = []


@contextlib.contextmanager
def traffic() -> Iterator[Traffic]:
    """Keep what passes between the CPU and the device."""
    seen = Traffic()
    _open.append(seen)
    try:
        yield seen
    finally:
        _open.remove(seen)


def keep(kind: str, operation: str) -> None:
    """Note an operation: `kind` is 'uploads' or 'waits'."""
    if not _open:
        return
    event = Event(operation, _place())
    for seen in _open:
        getattr(seen, kind).append(event)


def _place() -> str:
    frame: Any = sys._getframe(2)
    inside = str(Path(torch.__file__).parent)
    here = (__file__, str(Path(__file__).with_name("simulated_device.py")))
    while frame is not None:
        file = frame.f_code.co_filename
        if file not in here and not file.startswith(inside):
            return f"{'/'.join(Path(file).parts[-2:])}:{frame.f_lineno}"
        frame = frame.f_back
    return "unknown"
