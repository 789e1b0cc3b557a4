"""What `bench run --dry-run` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.wording import counted, listed

if TYPE_CHECKING:
    from bench.planning.plan import Plan
    from bench.runs.records import CellRecord


def show_plan(plan: Plan, registry: Any, console: Any) -> None:
    """Print what a run would do, and the memory and time it would need."""
    from rich.markup import escape
    from rich.table import Table

    from bench.planning.earlier_durations import earlier_seconds, like
    from bench.planning.request import seed_ranges
    from bench.running.duration import duration

    to_run = dict.fromkeys(plan.to_run)  # in their order, and quick to look in
    networks = [cell for cell in to_run if cell.network]
    if networks:
        from bench.planning.memory_limits import estimate_cells  # imports torch

        estimate_cells(networks, registry)
    known = earlier_seconds(plan.run)
    if any(like(cell.record) not in known for cell in to_run):
        from bench.planning.time_estimate import expected_seconds  # imports torch

        expected = expected_seconds(list(to_run), known, registry)
    else:
        expected = {cell: (known[like(cell.record)], False) for cell in to_run}
    idle: dict[tuple[str, str], list[CellRecord]] = {}
    table = Table(box=None, pad_edge=False)
    seconds, peaks = [], []
    lines: dict[tuple[str, ...], list[int]] = {}
    for cell in plan.cells:
        record = cell.record
        runs = cell in to_run
        if not runs and not cell.reuse:
            idle.setdefault((str(record.status), cell.why), []).append(record)
            continue
        what = f"{'run' if runs else 'reused'}: {cell.why.removeprefix('run again: ')}"
        memory = took = ""
        if runs:
            if cell in expected:
                spent, estimated = expected[cell]
                took = f"~{duration(spent)}" if estimated else duration(spent)
                seconds.append(spent)
            else:
                took = "unknown"
            memory = (
                "-"
                if cell.memory is None
                else "unknown"
                if cell.memory.unknown
                else f"{cell.memory.peak / 2**30:.1f} GB"
            )
            peaks += (
                [cell.memory.peak] if cell.memory is not None and not cell.memory.unknown else []
            )
        dataset = record.dataset + (f" {record.scene}" if record.scene else "")
        lines.setdefault((record.label, dataset, memory, took, what), []).append(record.seed)
    joined = any(len(seeds) > 1 for seeds in lines.values())
    for name in (
        "method",
        "dataset",
        "seeds" if joined else "seed",
        "memory",
        "time",
        "what would happen",
    ):
        number = name in ("seed", "seeds", "memory", "time")
        table.add_column(
            name,
            no_wrap=number or name == "dataset",
            overflow="fold",
            justify="right" if number else "left",
        )
    for (label, dataset, memory, took, what), seeds in lines.items():
        each = " each" if len(seeds) > 1 and took and took != "unknown" else ""
        table.add_row(
            escape(label), escape(dataset), seed_ranges(seeds), memory, took + each, escape(what)
        )
    if table.row_count:
        console.print(table)
    for (status, why), records in idle.items():
        methods = {record.label for record in records}
        who = methods.pop() if len(methods) == 1 else counted(len(records), "cell")
        datasets = listed(record.dataset for record in records)
        console.print(
            f"{who} on {datasets} would not run ({status}): {why.removeprefix(f'{who}: ')}",
            markup=False,
        )
    for text in dict.fromkeys(
        f"{cell.record.label}: {cell.memory.unknown}"
        for cell in networks
        if cell.memory and cell.memory.unknown
    ):
        console.print(f"memory unknown: {text}", markup=False)
    totals = [f"{len(to_run)} of {len(plan.cells)} cells would run"]
    if peaks:
        workers = f" with {plan.workers} workers" if plan.workers > 1 else ""
        totals.append(
            f"networks with up to {sum(sorted(peaks)[-plan.workers :]) / 2**30:.1f} GB at a "
            f"time{workers}"
        )
    if seconds:
        about = "about " if any(estimated for _, estimated in expected.values()) else ""
        totals.append(
            f"{about}{duration(sum(seconds))} of work"
            + (f" for {len(seconds)} of them" if len(seconds) < len(to_run) else "")
        )
    console.print("; ".join([*totals, "nothing was written"]), markup=False)
