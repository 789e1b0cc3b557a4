"""What `bench run --dry-run` prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bench.wording import counted, listed

if TYPE_CHECKING:
    from rich.table import Table

    from bench.planning.cells import PlannedCell
    from bench.planning.plan import Plan
    from bench.runs.records import CellRecord

    _Expected = Mapping[PlannedCell, tuple[float, bool]]
    """Cell -> its seconds, and whether these are an estimate."""


def show_plan(plan: Plan, registry: Any, console: Any) -> None:
    """Print what a run would do, and the memory and time it would need."""
    networks = [cell for cell in plan.to_run if cell.network]
    cells = counted(len(plan.to_run), "cell")
    with console.status(f"estimating memory and time of {cells}"):
        if networks:
            from bench.planning.memory_limits import estimate_cells  # imports torch

            estimate_cells(networks, registry)
        expected = _expected_seconds(plan, registry)
    table = _table(plan, expected)
    if table.row_count:
        console.print(table)
    lines = _would_not_run(plan)
    lines += dict.fromkeys(
        f"memory unknown: {cell.record.label}: {cell.memory.unknown}"
        for cell in networks
        if cell.memory and cell.memory.unknown
    )
    for line in [*lines, _totals(plan, expected)]:
        console.print(line, markup=False)


def _expected_seconds(plan: Plan, registry: Any) -> _Expected:
    """Return what the cells that would run take; without those of which nothing is known."""
    from bench.planning.earlier_durations import earlier_seconds, like

    known = earlier_seconds(plan.run)
    if all(like(cell.record) in known for cell in plan.to_run):
        return {cell: (known[like(cell.record)], False) for cell in plan.to_run}
    from bench.planning.time_estimate import expected_seconds  # imports torch

    return expected_seconds(plan.to_run, known, registry)


def _table(plan: Plan, expected: _Expected) -> Table:
    """Return the cells that would run or are used again; seeds that would do the same are one
    row.
    """
    from rich.markup import escape
    from rich.table import Table

    from bench.planning.request import seed_ranges

    to_run = set(plan.to_run)
    lines: dict[tuple[str, ...], list[int]] = {}
    for cell in plan.cells:
        if not (cell.reuse or cell in to_run):
            continue
        runs, record = cell in to_run, cell.record
        line = (
            record.label,
            record.dataset + (f" {record.scene}" if record.scene else ""),
            _memory(cell) if runs else "",
            _time(cell, expected) if runs else "",
            f"{'run' if runs else 'reused'}: {cell.why.removeprefix('run again: ')}",
        )
        lines.setdefault(line, []).append(record.seed)
    table = Table(box=None, pad_edge=False)
    seed = "seeds" if any(len(seeds) > 1 for seeds in lines.values()) else "seed"
    numbers = {seed, "memory", "time"}
    for name in ("method", "dataset", seed, "memory", "time", "what would happen"):
        table.add_column(
            name,
            no_wrap=name in numbers or name == "dataset",
            overflow="fold",
            justify="right" if name in numbers else "left",
        )
    for (label, dataset, memory, time, what), seeds in lines.items():
        each = " each" if len(seeds) > 1 and time not in ("", "unknown") else ""
        table.add_row(
            escape(label), escape(dataset), seed_ranges(seeds), memory, time + each, escape(what)
        )
    return table


def _memory(cell: PlannedCell) -> str:
    if cell.memory is None:
        return "-"
    return "unknown" if cell.memory.unknown else f"{cell.memory.peak / 2**30:.1f} GB"


def _time(cell: PlannedCell, expected: _Expected) -> str:
    from bench.running.duration import duration

    if cell not in expected:
        return "unknown"
    seconds, estimated = expected[cell]
    return f"{'~' if estimated else ''}{duration(seconds)}"


def _would_not_run(plan: Plan) -> list[str]:
    """Return a line for each reason why cells would neither run nor be used again."""
    to_run = set(plan.to_run)
    idle: dict[tuple[str, str], list[CellRecord]] = {}
    for cell in plan.cells:
        if not (cell.reuse or cell in to_run):
            elsewhere = cell.record.status.is_runnable and not cell.mine
            key = ("another shard", "") if elsewhere else (str(cell.record.status), cell.why)
            idle.setdefault(key, []).append(cell.record)
    lines = []
    for (status, why), records in idle.items():
        methods = {record.label for record in records}
        who = methods.pop() if len(methods) == 1 else counted(len(records), "cell")
        datasets = listed(record.dataset for record in records)
        reason = why.removeprefix(f"{who}: ")
        lines.append(
            f"{who} on {datasets} would not run ({status})" + (f": {reason}" if reason else "")
        )
    return lines


def _totals(plan: Plan, expected: _Expected) -> str:
    from bench.running.duration import duration

    totals = [f"{len(plan.to_run)} of {len(plan.cells)} cells would run"]
    peaks = sorted(
        cell.memory.peak for cell in plan.to_run if cell.memory and not cell.memory.unknown
    )
    if peaks:
        workers = f" with {plan.workers} workers" if plan.workers > 1 else ""
        most = sum(peaks[-plan.workers :]) / 2**30
        totals.append(f"networks with up to {most:.1f} GB at a time{workers}")
    if expected:
        about = "about " if any(estimated for _, estimated in expected.values()) else ""
        work = duration(sum(seconds for seconds, _ in expected.values()))
        some = f" for {len(expected)} of them" if len(expected) < len(plan.to_run) else ""
        totals.append(f"{about}{work} of work{some}")
    return "; ".join([*totals, "nothing was written"])
