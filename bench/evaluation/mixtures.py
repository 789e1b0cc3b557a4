"""Whether the cells that one row joins were made alike: by the same program, on the same device,
with as many threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.plugins.display_names import plain
from bench.runs.records import CellRecord
from bench.wording import listed

SHOWN = 5
"""Cells of one value that are named."""
UNKNOWN = "unknown"
HOW: Mapping[str, Callable[[CellRecord], str]] = {
    "the method's file": lambda cell: cell.source_sha256[:8] or UNKNOWN,
    "commit": lambda cell: cell.git[:10] + "+" * cell.git[10:].endswith("+") or UNKNOWN,
    "threads": lambda cell: str(cell.threads),
    "device": lambda cell: cell.hardware,
    "precision": lambda cell: str(cell.key.get("precision", "fp32")),
}
"""How a cell was computed."""
WHAT = ("version", "dataset", "tracks", "plugin", "weights", "accumulate", "compile")
"""Fields of a cell's key in which the seeds of a row, or the models of its scenes, should not
differ either; nor in their parameters."""


def mixtures(cells: Sequence[CellRecord]) -> str:
    """Return in what the cells of a number differ and should not: its seeds, and the models of its
    scenes. Empty where they were made alike.
    """
    cells = sorted(cells, key=lambda cell: (cell.seed, cell.scene))
    found = [_values(name, [(of(cell), cell) for cell in cells], _who) for name, of in HOW.items()]
    names = [
        "profile",
        "detector",
        *WHAT,
        *dict.fromkeys(f"parameter {name}" for cell in cells for name in cell.parameters),
    ]
    found += [_values(name, [(_value(cell, name), cell) for cell in cells], _who) for name in names]
    text = "; ".join(filter(None, found))
    return f"its cells were not made alike: {text}" if text else ""


def mixtures_across(cells: Sequence[CellRecord]) -> str:
    """Return in what the datasets of a row were computed differently; empty where they were not."""
    firsts = list({cell.dataset: cell for cell in cells}.values())
    found = []
    for name, of in HOW.items():
        values = [
            (
                ", ".join(sorted({of(cell) for cell in cells if cell.dataset == first.dataset})),
                first,
            )
            for first in firsts
        ]
        found.append(
            _values(
                name,
                values,
                lambda members: listed(plain(cell.dataset_display_name) for cell in members),
            )
        )
    text = "; ".join(filter(None, found))
    return f"its columns were not made alike: {text}" if text else ""


def _value(cell: CellRecord, name: str) -> str:
    if name in ("profile", "detector"):
        return str(getattr(cell, name)) or "none"
    value: Any = (
        cell.facts.get(name, cell.key.get(name, "none"))  # a fact: after it was out of memory
        if name in WHAT
        else cell.parameters.get(name.removeprefix("parameter "), "none")
    )
    return str(value)[:8] if name in ("dataset", "tracks", "plugin", "weights") else str(value)


def _who(cells: Sequence[CellRecord]) -> str:
    """Return which cells these are, in the words of one row."""
    if not any(cell.scene for cell in cells):
        return f"seed{'s' * (len(cells) > 1)} {', '.join(str(cell.seed) for cell in cells)}"
    names = [f"seed {cell.seed} scene {cell.scene}" for cell in cells]
    return listed(names, SHOWN)


def _values(
    name: str, values: Sequence[tuple[str, CellRecord]], who: Callable[[Sequence[CellRecord]], str]
) -> str:
    """Return the values with those that have each; empty where all have the same."""
    found: dict[str, list[CellRecord]] = {}
    for value, cell in values:
        found.setdefault(value, []).append(cell)
    return (
        f"{name} " + ", ".join(f"{value} ({who(cells)})" for value, cells in found.items())
        if len(found) > 1
        else ""
    )
