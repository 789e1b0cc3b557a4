"""A cell on another machine: what Dask and SLURM run there. It prepares the cell's dataset where it
is, then makes the cell.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.contracts.executor import ENDED, Event, Exit, Place
from bench.executors.local import LocalExecutor
from bench.files.cache import cache_folder
from bench.files.checksums import digest_of_value
from bench.files.whole_files import write_bytes
from bench.hardware.gpus import gpus
from bench.runs.folder import Run
from bench.runs.records import CellRecord
from bench.runs.transfer import pack

POLL = 0.2
"""Seconds between two looks at the worker."""


def run_job(
    task: Mapping[str, Any],
    asked: Callable[[], str],
    say: Callable[[dict[str, Any]], None],
    shared: bool | None = None,
) -> dict[str, Any]:
    """Do the task of a cell on this machine, and return what became of it.

    Parameters
    ----------
    asked : returns 'stop' or 'kill' once the worker shall end, before that ''.
    say : told the worker's progress, where the run folder is not seen from here.
    shared : whether the cell is made in the run folder; None: if that is seen from here.

    Returns
    -------
    `code` and `reason` as of an `Event`; `refused`: why this machine cannot have the dataset;
    `memory`: largest resident size, bytes; `files`: the cell by path below the run folder, where
    that is not seen from here.
    """
    if shared is None:
        shared = _text(Run(Path(task["run"])).identity_file) == task["identity"]
    place = Path(task["run"]) if shared else cache_folder() / "cells" / task["identity"]
    record = CellRecord(**task["cell"])
    run = Run(place)
    cell = run.files_of(record)
    cell.folder.mkdir(parents=True, exist_ok=True)
    run.datasets.mkdir(exist_ok=True)
    here = {**task, "run": str(place), "progress": str(cell.progress)}
    if task["resources"]["gpus"]:
        here["gpus"] = [asdict(gpu) for gpu in gpus()]
    plugins = []
    for name, text in task["plugins"].items():
        path = Path(name)
        if _text(path) != text:  # not here, or another one
            # Two may have the same name, and a job at work may have another text of it.
            path = place / "plugins" / digest_of_value([name, text])[:16] / path.name
            write_bytes(path, text.encode())
        plugins.append(path)
    executor = LocalExecutor()
    executor.open(Place(place, tuple(plugins), task["torch"], 1))
    peak = 0

    def follow(step: dict[str, Any]) -> Event:
        nonlocal peak
        executor.start(step)
        before, how = "", ""
        while True:
            for event in executor.events(POLL):
                if event.code is not None:
                    return event
            peak = max(peak, executor.memory(step["id"]))
            if asked() != how:
                how = asked()
                executor.stop(step["id"], how == "kill")
            if not shared and (now := _text(Path(step["progress"]))) != before and now:
                before = now
                say(json.loads(now))

    try:
        log = run.datasets / f"{record.dataset_folder}.{record.folder.replace('/', '-')}.log"
        ready = follow(
            {
                **here,
                **task["prepare"],
                "id": 1,
                "kind": "prepare",
                "output": str(log),
                "progress": f"{log}.progress",
            }
        )
        said = (_text(log).strip().splitlines() or [""])[-1]
        log.unlink(missing_ok=True)
        if asked():
            return {"code": Exit.WRITTEN, "memory": peak}
        if ready.code == Exit.REFUSED:
            return {"code": Exit.REFUSED, "refused": said, "memory": peak}
        if ready.code == Exit.STOPPED:
            return {
                "code": Exit.STOPPED,
                "reason": f"preparing {record.dataset}: {ENDED}",
                "memory": peak,
            }
        if ready.code:
            return {
                "code": ready.code,
                "reason": f"preparing {record.dataset}: {said or f'exit code {ready.code}'}",
                "memory": peak,
            }
        done = follow({**here, "id": 2, "output": str(cell.log)})
    finally:
        executor.close()
    outcome: dict[str, Any] = {"code": done.code, "memory": peak}
    if not shared and done.code != Exit.TAKEN:
        outcome["files"] = pack(run, run.cell(record))
    return outcome


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
