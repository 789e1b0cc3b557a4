"""Who fills a run folder: the runners of this and other hosts, and jobs that were left to go on by
themselves.
"""

from __future__ import annotations

from pathlib import Path

from bench.errors import RunError
from bench.files.claims import Claim, Holder, this_host
from bench.files.whole_files import read_json
from bench.plugins.registry import Registry
from bench.plugins.selection import select_one
from bench.runs.folder import Run


def hold(run: Run, shard: str = "") -> Claim:
    """Return the claim of a runner on a run folder.

    On one host a second runner of a run, or of the same shard of it, is a mistake. Runners on other
    hosts, and of other shards, fill the run together: each cell has a claim of its own.

    Raises
    ------
    RunError : this host has a runner at work there, or the folder cannot be written.
    """
    who = f"{shard.replace('/', '-of-') or 'all'}-{this_host().replace('/', '-')}"
    claim = Claim(run.path / f".runner-{who}")
    try:
        run.path.mkdir(parents=True, exist_ok=True)
        holder = claim.take()
    except OSError as error:
        raise RunError(
            f"cannot write to {run.path}: {error.strerror or error}; choose another folder with --out"
        ) from error
    if holder is not None:
        what = f"shard {shard} of this run" if shard else "this run"
        if not holder.pid:
            raise RunError(
                f"{run.path}: {holder} may be filling {what}, for {', '.join(map(str, claim.files()))} cannot be read; if no other `bench run` is "
                "at work there, remove it and repeat the command"
            )
        more = (
            "" if shard else ", or fill it from several processes with --shard 1/2 and --shard 2/2"
        )
        raise RunError(
            f"{run.path}: another `bench run` is filling {what} ({holder}); wait for it, start another run with --new{more}"
        )
    return claim


def runners(run: Run) -> list[tuple[Holder, float]]:
    """Return who fills a run, not known to be dead, and the seconds since each was last heard
    of.
    """
    claims = [Claim(file.with_suffix("")) for file in sorted(run.path.glob(".runner-*"))]
    return [(holder, claim.silent()) for claim in claims if (holder := claim.holder()) is not None]


def stop_jobs(run: Run, registry: Registry) -> int:
    """Cancel the jobs that were submitted for a run and have no runner. Returns how many there
    were.
    """
    found: dict[str, dict[Path, str]] = {}
    for cell in run.cells():
        path = run.files_of(cell).job
        if cell.status not in ("done", "failed") and path.exists():
            job = read_json(path, "job")
            found.setdefault(str(job.get("executor")), {})[path] = str(job.get("handle"))
    for selector, jobs in found.items():
        select_one("executors", selector, registry).make().cancel(list(jobs.values()))
        for path in jobs:
            path.unlink(missing_ok=True)
    return sum(len(jobs) for jobs in found.values())
