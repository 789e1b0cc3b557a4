"""The method and the dataset of a finished cell, made again from what the run kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.contracts.compute import Compute
from bench.contracts.dataset import Dataset
from bench.contracts.method import Method
from bench.contracts.network_method import NetworkMethod
from bench.engine.seeding import seed_everything
from bench.errors import RequestError, RunError
from bench.hardware.machine import choose_device
from bench.planning.commands import dataset_selector, home_of, keep_commands
from bench.planning.request import data_roots
from bench.plugins.registry import current
from bench.plugins.selection import select_one
from bench.runs.folder import Run
from bench.runs.records import CellRecord
from bench.worker.opening import located_dataset


@dataclass(frozen=True)
class FinishedMethod:
    """A method with its trained weights, and the device that it scores on."""

    method: Method
    compute: Compute
    seed: int
    """Of the cell."""
    notes: list[str] = field(default_factory=list)
    """How scoring differs from that of the run: another version or device."""

    def seed_everything(self) -> None:
        """Set every random generator, as a run does before each clip: scores must not depend on
        what was loaded or scored before.
        """
        compute = self.compute
        seed_everything(self.seed, compute.threads, compute.precision, compute.nondeterministic)


def finished_method(
    run: Run,
    cell: CellRecord,
    data: Sequence[Path] = (),
    device: str = "",
    threads: int = 0,
    keep: str = "weights",
) -> FinishedMethod:
    """Return a cell's method with its trained weights.

    Parameters
    ----------
    data : folders with datasets, for the command that an error suggests.
    device, threads : used instead of the cell's.
    keep : what the command that an error suggests keeps.

    Raises
    ------
    RunError : the cell kept no weights (suggests the command that keeps them), or they cannot be
        read.
    RequestError : this machine does not have the device.
    """
    weights = run.files_of(cell).weights
    if not weights.is_file():
        (line,) = keep_commands(run, [cell], keep, data)
        raise RunError(
            f"{cell.label} on {cell.dataset}, seed {cell.seed}: its weights were not kept; this "
            f"trains it again and keeps them: {line}"
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
    compute = replace(cell.compute, device=device, threads=threads or cell.threads)
    fitted = FinishedMethod(method, compute, cell.seed, notes)
    fitted.seed_everything()
    if cell.key.get("version", method.version) != method.version:
        notes.append(
            f"{cell.method} is version {method.version} here, {cell.key['version']} in the run"
        )
    try:
        method.load(weights)
    except (OSError, ValueError, KeyError) as error:
        raise RunError(
            f"{weights} cannot be read ({error}); `bench run --force` writes it again"
        ) from error
    return fitted


def dataset_of(run: Run, cell: CellRecord, data: Sequence[Path]) -> Dataset:
    """Return the dataset of a cell, found in the folders `data`, else BENCH_DATA or the default
    ones.

    Raises
    ------
    DataError : it was not found.
    """
    selector = dataset_selector(home_of(run, cell), cell)
    return located_dataset(selector, [str(root) for root in data_roots(tuple(data))])
