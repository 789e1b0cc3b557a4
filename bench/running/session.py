"""One `bench run` from request to tables: finds or makes the run folder, writes run.json, runs the plan."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..errors import RequestError, RunError
from ..plugins.registry import Registry
from ..runs.folder import FORMAT, Run, find_runs
from .machine import describe, git_state, versions
from .plan import Plan

RESULTS = Path("results")
RESIZING = "OpenCV on uint8: INTER_AREA when shrinking, INTER_LINEAR otherwise; gray = BT.601 luma"


def run_finder(out: Path | None, new: bool, results: Path = RESULTS) -> Callable[[Mapping[str, Any]], tuple[Run, bool]]:
    """Return how the run folder of a request is found: `--out`, else the newest equal run that is not complete, else a new one."""

    def find(signature: Mapping[str, Any]) -> tuple[Run, bool]:
        if out is not None:
            exists = (out / "run.json").is_file()
            if exists and new:
                raise RequestError(f"--new and --out {str(out)!r}: that run is there already; leave one of them out")
            if not exists and out.exists() and (not out.is_dir() or any(out.iterdir())):
                raise RequestError(f"--out {str(out)!r} holds other things and is no run; choose an empty or a new folder")
            return (Run.open(out) if exists else Run(out)), exists
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


def _goes_on(run: Run, signature: Mapping[str, Any]) -> bool:
    try:
        manifest = run.manifest
        if manifest.get("format") != FORMAT or manifest.get("request") != signature:
            return False
        return any(cell.status not in ("done", "no data", "published only") for cell in run.cells())
    except RunError:
        return False


def write_run(plan: Plan, registry: Registry) -> None:
    """Write run.json: what was asked, with what, on what. Cells of an earlier request for the same folder stay.

    Raises
    ------
    RunError : the folder cannot be written.
    """
    manifest = plan.run.manifest if plan.resumed else {}
    mine = {cell.record.folder for cell in plan.cells}
    others = [cell for cell in manifest.get("cells", []) if cell.get("folder") not in mine]
    now = datetime.now(UTC).isoformat(timespec="seconds")
    plan.run.write_manifest(
        {
            "command": plan.request.command,
            "commands": [*manifest.get("commands", []), {"at": now, "line": plan.request.command}],
            "started": manifest.get("started", now),
            "request": plan.signature(),
            "profile": ", ".join(plan.profiles),
            "seeds": list(plan.request.seeds),
            "protocol": plan.protocol.text,
            "detector": ", ".join(dict.fromkeys(planned.detector for planned in plan.datasets if planned.wants_tracks)),
            "device": plan.device,
            "workers": plan.workers,
            "threads": plan.threads,
            "resizing": RESIZING,
            "versions": versions(),
            "git": git_state(),
            "machine": describe(),
            "plugins": [
                {"name": plugin.name, "origin": plugin.origin, "sha256": plugin.sha256, "broken": plugin.broken}
                for plugin in registry.plugins
            ],
            "datasets": _merged(
                manifest.get("datasets", []),
                [
                    {
                        "label": planned.selected.label,
                        "name": planned.selected.name,
                        "folder": planned.name,
                        "selector": planned.selected.text,
                        "fingerprint": planned.fingerprint,
                        "missing": planned.missing,
                        "root": _shown(planned.dataset.root) if planned.dataset is not None and planned.dataset.root is not None else "",
                    }
                    for planned in plan.datasets
                ],
            ),
            "methods": _merged(
                manifest.get("methods", []),
                [
                    {"label": cell.record.label, "selector": cell.record.selector, "name": cell.record.method, "family": cell.record.family}
                    for cell in plan.cells
                ],
            ),
            "notes": plan.notes,
            "cells": [*others, *(asdict(cell.record) for cell in plan.cells)],
        }
    )


def _merged(before: list[dict[str, Any]], now: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the entries of both, one for each label, those of now where both have it."""
    return list({entry["label"]: entry for entry in [*before, *now]}.values())


def _shown(path: Path) -> str:
    """Return a path as it is seen from the working folder: runs are passed on, and where a home lies is nobody's business."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
