"""One `bench run` from request to tables: finds or makes the run folder, writes run.json, runs the
plan, writes the tables.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import RequestError, RunError
from bench.files.claims import DEAD, Claim
from bench.hardware.machine import describe, git_state, versions
from bench.planning.plan import Plan, make_plan
from bench.planning.request import Request, line_to_go_on, seed_ranges
from bench.plugins.distributions import packages
from bench.plugins.registry import Registry
from bench.reporting.report_writer import write_tables
from bench.running.busy import OtherWork, busy_note
from bench.running.display import Display
from bench.running.duration import duration
from bench.running.jobs import Listener
from bench.running.observer_threads import ObserverListener
from bench.running.runner import Runner
from bench.runs.folder import Run, find_runs
from bench.runs.layout import FORMAT, RESULTS, is_cell_folder
from bench.runs.manifest import Manifest
from bench.runs.runners import hold, runners
from bench.runs.status import Status
from bench.wording import wrapped

if TYPE_CHECKING:
    from rich.console import Console

RESIZING = "OpenCV on uint8: INTER_AREA when shrinking, INTER_LINEAR otherwise; gray = BT.601 luma"


def run_finder(
    out: Path | None, new: bool, results: Path = RESULTS
) -> Callable[[Mapping[str, Any]], tuple[Run, bool]]:
    """Return how the run folder of a request is found: `--out`, else the newest equal run that is
    not complete, else a new one.
    """

    def find(signature: Mapping[str, Any]) -> tuple[Run, bool]:
        if out is not None:
            exists = Run(out).exists
            if exists and new:
                raise RequestError(
                    f"--new and --out {str(out)!r}: that run is there already; leave one of them "
                    "out"
                )
            # A claim, and a run.json that the disk had no room for, are all that a run leaves which
            # never began; their names are hidden.
            if (
                not exists
                and out.exists()
                and (not out.is_dir() or any(item.name[0] != "." for item in out.iterdir()))
            ):
                raise RequestError(
                    f"--out {str(out)!r} holds other things and is no run; choose an empty or a "
                    "new folder"
                )
            return (Run(out) if not exists or _is_damaged(Run(out)) else Run.open(out)), exists
        if not new:
            for run in find_runs(results):
                if _goes_on(run, signature):
                    return run, True
        name = time.strftime("%Y%m%d-%H%M%S")
        path, number = results / name, 1
        while path.exists():
            number += 1
            path = results / f"{name}-{number}"
        return Run(path), False

    return find


def _is_damaged(run: Run) -> bool:
    """Whether run.json cannot be read: the cells have files of their own, from which it is made
    anew.
    """
    try:
        run.manifest  # noqa: B018  # reads it
    except RunError:
        return True
    return False


def _goes_on(run: Run, signature: Mapping[str, Any]) -> bool:
    try:
        manifest = run.manifest
        if manifest.format != FORMAT or manifest.request != signature:
            return False
        return any(
            cell.status not in (Status.DONE, Status.NO_DATA, Status.PUBLISHED_ONLY)
            for cell in run.cells()
        )
    except RunError:
        return False


def plan_run(request: Request, registry: Registry, console: Console, dry_run: bool = False) -> Plan:
    """Decide what is to be done, and say it; with `dry_run`, what would be done.

    Raises
    ------
    RequestError : with every mistake of the request.
    """
    other_work = OtherWork()
    plan = make_plan(request, registry, run_finder(request.out, request.new))
    console.print(
        f"{'would write' if dry_run else 'run'} {plan.run.path}"
        + (" (going on with it)" if plan.resumed else ""),
        markup=False,
    )
    console.print(
        f"profile {', '.join(plan.profiles)}; device {device_text(plan)}; "
        f"{plan.request.executor if plan.executor.remote else plan.workers} "
        f"worker{'s' * (plan.executor.remote or plan.workers > 1)} "
        f"of {plan.compute.threads} thread{'s' * (plan.compute.threads > 1)}; seeds "
        f"{seed_ranges(request.seeds)}",
        markup=False,
    )
    # Not among the notes of the plan, which stay in the run: it is true now.
    busy = (
        busy_note(other_work.held(), plan.workers * plan.compute.threads)
        if plan.to_run and not plan.executor.remote
        else ""
    )
    for note in [*plan.notes, *([busy] if busy else [])]:
        console.print(wrapped(f"note: {note}", "", "  "), markup=False)
    return plan


def device_text(plan: Plan) -> str:
    """Return the device of a plan, with the GPUs by model: 'cuda (cuda:0, cuda:1: NVIDIA A100)'."""
    models: dict[str, list[str]] = {}
    for gpu in plan.gpus:
        models.setdefault(gpu.model, []).append(gpu.name)
    text = "; ".join(f"{', '.join(names)}: {model}" for model, names in models.items())
    return plan.compute.device + (f" ({text})" if text else "")


def execute(plan: Plan, registry: Registry, console: Console) -> list[Path] | None:
    """Run a plan, showing how far it is, and write its tables. Returns their paths; None where the
    user stopped it, none where it goes on without this process.

    Raises
    ------
    RequestError : the run folder cannot be written, or another process is filling it.
    """
    try:
        claim = hold(plan.run, plan.request.shard)
    except RunError as error:
        raise RequestError(str(error)) from error
    with claim:
        try:
            with _turn(plan.run):
                _refuse_another_copy(plan)
                write_run(plan, registry)
        except RunError as error:
            raise RequestError(str(error)) from error
        for holder, _ in runners(plan.run):
            if not holder.here:
                console.print(f"note: {holder} fills this run too", markup=False)
        reused = sum(cell.reuse for cell in plan.cells)
        if reused:
            console.print(
                f"{reused} of {len(plan.cells)} cells are done already and stay as they are",
                markup=False,
            )
        with contextlib.ExitStack() as stack:
            listener: Listener = stack.enter_context(Display(plan, console))
            if plan.observers:
                listener = stack.enter_context(
                    ObserverListener(
                        plan, plan.observers, list(registry.metrics.values()), listener
                    )
                )
            runner = Runner(plan, listener)
            stopped = runner.execute()
        if runner.detached:
            console.print(
                f"{len(runner.jobs)} cells are submitted; `bench status {plan.run.path}` shows "
                f"them, `bench stop {plan.run.path}` ends them. "
                "To gather them and write the tables:\n  "
                f"{line_to_go_on(plan.request.command, plan.run.path)}",
                markup=False,
            )
            return []
        if stopped:
            console.print(
                f"stopped; {plan.run.path} keeps what is done. To go on:\n  "
                f"{line_to_go_on(plan.request.command, plan.run.path)}",
                markup=False,
            )
            return None
        written = write_tables(plan.run, registry, [plan.protocol.text])
        with _turn(plan.run):
            plan.run.seal()
        return written


@contextlib.contextmanager
def _turn(run: Run) -> Iterator[None]:
    """Hold the right to write run.json: runners that do so together take turns."""
    with Claim(run.turn) as turn:
        while turn.take() is not None:
            time.sleep(0.1)
        yield


def _refuse_another_copy(plan: Plan) -> None:
    """Refuse to fill a run together with another runner where it was begun with another copy of a
    dataset.

    Raises
    ------
    RunError : there is one at work.
    """
    # A host that died leaves its claim. Who looks for the first time can only go by the clocks of
    # disk and host.
    others = [
        (holder, silent)
        for holder, silent in runners(plan.run)
        if not (holder.here and holder.pid == os.getpid()) and (holder.here or silent <= DEAD)
    ]
    if not others or not plan.run.exists or _is_damaged(plan.run):
        return
    begun = {
        entry.get("label", ""): entry.get("fingerprint", "") for entry in plan.run.manifest.datasets
    }
    for planned in plan.datasets:
        label = planned.selected.label
        if planned.fingerprint and begun.get(label) and begun[label] != planned.fingerprint:
            holder, silent = others[0]
            raise RunError(
                f"{plan.run.path} was begun with another copy of {label} (fingerprint "
                f"{begun[label][:12]}, here {planned.fingerprint[:12]}), and "
                f"{holder} (heard of {duration(silent)} ago) is at work on it: their numbers would "
                "not compare. `bench verify "
                f"{planned.selected.name}` on both machines tells what differs; a run of your own "
                "has another --out"
            )


def write_run(plan: Plan, registry: Registry) -> None:
    """Write run.json: what was asked, with what, on what. Cells of an earlier request for the same
    folder stay.

    Raises
    ------
    RunError : the folder cannot be written.
    """
    is_begun = plan.run.exists and not _is_damaged(plan.run)
    before = plan.run.manifest if is_begun else Manifest(protocol=plan.protocol.text)
    begun = {entry["label"]: entry.get("fingerprint", "") for entry in before.datasets}
    mine = {cell.record.folder for cell in plan.cells}
    try:
        cells = plan.run.planned() if is_begun else plan.run.cells_left()
    except RunError:  # one that was planned is damaged
        cells = plan.run.cells_left()
    # Each cell that was ever laid out has its file; a folder without one is a name that was
    # damaged.
    others = [
        asdict(cell)
        for cell in cells
        if cell.folder not in mine and plan.run.files_of(cell).record.is_file()
    ]
    now = datetime.now(UTC).isoformat(timespec="seconds")
    plan.run.write_manifest(
        Manifest(
            command=plan.request.command,
            commands=[
                *before.commands,
                {"at": now, "line": plan.request.command, "git": git_state()},
            ],
            started=before.started or now,
            request=plan.signature(),
            profile=", ".join(plan.profiles),
            seeds=list(plan.request.seeds),
            # The tables without a protocol in their path are those of the first request.
            protocol=before.protocol,
            detector=", ".join(
                dict.fromkeys(planned.detector for planned in plan.datasets if planned.wants_tracks)
            ),
            device=plan.compute.device,
            workers=plan.workers,
            threads=plan.compute.threads,
            resizing=RESIZING,
            versions={**versions()},
            packages=packages(),
            git=git_state(),
            machine=describe(),
            plugins=[
                {
                    "name": plugin.name,
                    "origin": plugin.origin,
                    "sha256": plugin.sha256,
                    "broken": plugin.broken,
                }
                for plugin in registry.plugins
            ],
            datasets=_merged(
                before.datasets,
                [
                    {
                        "label": planned.selected.label,
                        "name": planned.selected.name,
                        "folder": planned.name,
                        "selector": planned.selected.text,
                        # Of what is not here the earlier one stays, for those who have it.
                        "fingerprint": planned.fingerprint or begun.get(planned.selected.label, ""),
                        "missing": planned.missing,
                        "root": _shown(planned.dataset.root)
                        if planned.dataset is not None and planned.dataset.root is not None
                        else "",
                    }
                    for planned in plan.datasets
                ],
            ),
            methods=_merged(
                before.methods,
                [
                    {
                        "label": cell.record.label,
                        "selector": cell.record.selector,
                        "name": cell.record.method,
                        "family": cell.record.family,
                    }
                    for cell in plan.cells
                ],
            ),
            notes=plan.notes,
            cells=[*others, *(asdict(cell.record) for cell in plan.cells)],
            checksums=_of_what_stays(plan, before.checksums),
        )
    )


def _of_what_stays(plan: Plan, checksums: Mapping[str, str]) -> dict[str, str]:
    """Return the checksums of files that this run does not write anew: scores that are used again,
    and cells of earlier requests.
    """
    mine = {cell.record.folder for cell in plan.cells}
    files = [plan.run.files_of(cell.record) for cell in plan.cells if cell.reuse]
    kept = {file.scores.relative_to(plan.run.path).as_posix() for file in files}
    return {
        name: value
        for name, value in checksums.items()
        if name in kept or (is_cell_folder(name) and name.rpartition("/")[0] not in mine)
    }


def _merged(before: list[dict[str, Any]], now: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the entries of both, one for each label, those of now where both have it."""
    return list({entry["label"]: entry for entry in [*before, *now]}.values())


def _shown(path: Path) -> str:
    """Return a path as it is seen from the working folder: runs are passed on, and where a home
    lies is nobody's business.
    """
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
