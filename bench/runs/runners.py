"""Who works on a run: runners on this and other hosts, and detached jobs."""

from __future__ import annotations

from pathlib import Path

from bench.errors import RunError
from bench.files.claims import Claim, Holder, this_host
from bench.files.whole_files import read_json
from bench.plugins.registry import Registry
from bench.plugins.selection import select_one
from bench.runs.folder import Run
from bench.runs.status import Status


def hold(run: Run, shard: str = "") -> Claim:
    """Return the claim of a runner on a run folder.

    Only one runner per host may work on a run or on a shard of it. Runners on other hosts and of
    other shards share the run: each cell has its own claim.

    Raises
    ------
    RunError : another runner on this host works on the run, or the folder cannot be written.
    """
    who = f"{shard.replace('/', '-of-') or 'all'}-{this_host().replace('/', '-')}"
    claim = Claim(run.path / f".runner-{who}")
    try:
        run.path.mkdir(parents=True, exist_ok=True)
        holder = claim.take()
    except OSError as error:
        raise RunError(
            f"cannot write to {run.path}: {error.strerror or error}; choose another folder with "
            "--out"
        ) from error
    if holder is not None:
        what = f"shard {shard} of this run" if shard else "this run"
        if not holder.pid:
            raise RunError(
                f"{run.path}: {holder} may be working on {what}, since "
                f"{', '.join(map(str, claim.files()))} cannot be read; if no other `bench run` "
                "is, remove that file and repeat the command"
            )
        more = (
            ""
            if shard
            else ", or share it between several processes with --shard 1/2 and --shard 2/2"
        )
        raise RunError(
            f"{run.path}: another `bench run` is working on {what} ({holder}); wait for it, start "
            f"another run with --new{more}"
        )
    return claim


def runners(run: Run) -> list[tuple[Holder, float]]:
    """Return the runners of a run that are not known to be dead, each with the seconds since its
    last sign of life.
    """
    claims = [Claim(file.with_suffix("")) for file in sorted(run.path.glob(".runner-*"))]
    return [(holder, claim.silent()) for claim in claims if (holder := claim.holder()) is not None]


def stop_jobs(run: Run, registry: Registry) -> int:
    """Cancel the detached jobs of a run and return their number."""
    found: dict[str, dict[Path, str]] = {}
    for cell in run.cells():
        path = run.files_of(cell).job
        if cell.status not in (Status.DONE, Status.FAILED) and path.exists():
            job = read_json(path, "job")
            found.setdefault(str(job.get("executor")), {})[path] = str(job.get("handle"))
    for selector, jobs in found.items():
        select_one("executors", selector, registry).make().cancel(list(jobs.values()))
        for path in jobs:
            path.unlink(missing_ok=True)
    return sum(len(jobs) for jobs in found.values())
