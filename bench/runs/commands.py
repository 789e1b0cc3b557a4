"""The command that repeats cells of a run as they were made, and keeps more of them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.runs.folder import Run
from bench.runs.manifest import Manifest
from bench.runs.records import CellRecord


def home_of(run: Run, cell: CellRecord) -> Run:
    """Return the run that made a cell: `run` itself, or one of those that were merged."""
    home = Run.above(run.cell_path(cell))
    assert home is not None, "a cell without its run"
    return home


def dataset_selector(manifest: Manifest, cell: CellRecord) -> str:
    """Return the selector of a cell's dataset."""
    return next(
        (str(entry["selector"]) for entry in manifest.datasets if entry["label"] == cell.dataset),
        cell.dataset,
    )


def keep_commands(
    run: Run, cells: Sequence[CellRecord], keep: str, data: Sequence[Path] = ()
) -> list[str]:
    """Return `bench run` lines that make cells anew in their own folders and keep more of them; one
    for all that one line can make.

    `keep` is one of the kinds of `KEPT`, or several with commas between.

    `--force` is part of them: a finished cell is used again as it is, and what it did not keep
    cannot be had without training.
    """
    groups: dict[tuple[Any, ...], list[CellRecord]] = {}
    for cell in cells:
        arithmetic = (
            int(cell.key.get("accumulate", 1)),
            cell.key.get("precision", "fp32"),
            bool(cell.key.get("compile", False)),
        )
        how = (home_of(run, cell).path, cell.dataset, cell.profile, cell.device, *arithmetic)
        groups.setdefault(how, []).append(cell)
    lines = []
    for (path, _, profile, device, accumulate, precision, compiled), members in groups.items():
        manifest = Run(path).manifest
        request = manifest.request
        methods = ",".join(dict.fromkeys(cell.selector for cell in members))
        seeds = ",".join(map(str, dict.fromkeys(cell.seed for cell in members)))
        detector = next((cell.detector for cell in members if cell.detector), "")
        words = [
            "bench",
            "run",
            "--methods",
            methods,
            "--datasets",
            dataset_selector(manifest, members[0]),
            "--seeds",
            seeds,
        ]
        words += [
            "--profile",
            profile,
            *(["--detector", detector] if detector else []),
            "--device",
            device,
        ]
        words += [
            "--protocol",
            manifest.protocol,
            *(["--accumulate", str(accumulate)] if accumulate > 1 else []),
        ]
        words += [
            *(["--precision", precision] if precision != "fp32" else []),
            *(["--compile"] if compiled else []),
        ]
        words += [word for folder in data for word in ("--data", str(folder))]
        words += [word for file in request.get("plugins", []) for word in ("--plugin", file)]
        words += [
            "--keep",
            ",".join(sorted({*request.get("keep", []), *keep.split(",")})),
            "--force",
            methods,
            "--out",
            str(path),
        ]
        lines.append(shlex.join(words))
    return lines
