"""The method of a finished cell, with the weights that the cell kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.contracts.method import Method
from bench.contracts.network_method import NetworkMethod
from bench.engine.machine import choose_device
from bench.engine.seeding import seed_everything
from bench.errors import RequestError, RunError
from bench.plugins.registry import current
from bench.plugins.selection import select_one
from bench.runs.commands import keep_commands
from bench.runs.folder import Run
from bench.runs.records import CellRecord


@dataclass(frozen=True)
class Fitted:
    """A method that can score, and where."""

    method: Method
    device: str
    notes: list[str] = field(default_factory=list)
    """How this differs from what the cell did: another version or device."""


def fitted_method(
    run: Run,
    cell: CellRecord,
    data: Sequence[Path] = (),
    device: str = "",
    threads: int = 0,
    keep: str = "weights",
) -> Fitted:
    """Make a cell's method again and load what it learned. All random generators are seeded with
    the cell's seed.

    Parameters
    ----------
    data : folders with datasets, for the command that an error names.
    device, threads : other ones than the cell's.
    keep : what the command keeps that an error names.

    Raises
    ------
    RunError : the cell kept no weights (with the command that keeps them), or they cannot be read.
    RequestError : a device that is not here.
    """
    weights = run.files_of(cell).weights
    if not weights.is_file():
        (line,) = keep_commands(run, [cell], keep, data)
        raise RunError(
            f"{cell.label} on {cell.dataset}, seed {cell.seed}: its weights were not kept; this trains it again and keeps them: {line}"
        )
    notes = []
    if device:
        device = choose_device(device)
    else:
        try:
            device = choose_device(cell.device)
        except RequestError:
            device = "cpu"
            notes.append(f"scored on the CPU here, on {cell.device} in the run")
    method: Method = select_one("methods", cell.selector, current(), cell.profile).make()
    if isinstance(method, NetworkMethod):
        import torch  # noqa: F401  # seeding touches torch only where it is imported already
    seed_everything(cell.seed, threads or cell.threads)
    if cell.key.get("version", method.version) != method.version:
        notes.append(
            f"{cell.method} is version {method.version} here, {cell.key['version']} in the run"
        )
    try:
        method.load(weights)
    except (OSError, ValueError, KeyError) as error:
        raise RunError(
            f"{weights} cannot be read ({error}); --force of `bench run` writes it anew"
        ) from error
    return Fitted(method, device, notes)
