"""What `bench verify RUN` says: whether a run's folder is what was written, and its tables follow
from its scores and labels.

Every number of every table is computed again. Beside that, checksums are compared, files that say
the same thing in two places, and labels with known counts. A run of an earlier version has no
checksums; then the rest is compared, and that is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.contracts.dataset import Finding
from bench.errors import RunError
from bench.evaluation.run_scores import RunScores
from bench.plugins.registry import Registry
from bench.reporting.findings import wrong
from bench.reporting.record_findings import (
    cell_findings,
    checksum_findings,
    dataset_findings,
    manifest_findings,
    unplanned_findings,
)
from bench.reporting.report_findings import report_findings
from bench.runs.folder import Run
from bench.runs.records import CellRecord, DatasetRecord
from bench.runs.status import Status


@dataclass(frozen=True)
class RunVerification:
    """The outcome of checking one run."""

    path: str
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    """What could not be checked."""

    @property
    def ok(self) -> bool:
        """Whether nothing differs."""
        return all(finding.ok for finding in self.findings)

    @property
    def wrong(self) -> list[Finding]:
        """What differs."""
        return [finding for finding in self.findings if not finding.ok]

    def as_json(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        findings = [asdict(finding) for finding in self.findings]
        return {"run": self.path, "ok": self.ok, "notes": list(self.notes), "findings": findings}


def verify_run(path: Path, registry: Registry) -> RunVerification:
    """Check the folder of a run. What differs is a finding, never an exception; nothing is
    written.
    """
    run = Run(path)
    try:
        run = Run.open(path)
        cells = run.planned()
        run_scores = RunScores(run, registry)
    except RunError as error:
        return RunVerification(str(path), (wrong("run.json", str(error)),), ())
    findings = [*manifest_findings(run, cells, registry), *checksum_findings(run)]
    datasets: dict[str, DatasetRecord] = {}
    for name in dict.fromkeys(
        cell.dataset_folder for cell in run_scores.cells if cell.status != Status.QUEUED
    ):
        findings += dataset_findings(run, name, datasets, registry)
    for cell in cells:
        findings += cell_findings(run, cell, datasets.get(cell.dataset_folder), registry)
    findings += unplanned_findings(run, cells)
    findings += report_findings(run, run_scores, registry)
    return RunVerification(str(path), tuple(findings), tuple(_notes(run, cells)))


def _notes(run: Run, cells: Sequence[CellRecord]) -> Iterator[str]:
    without = [cell for cell in run.cells() if cell.status == Status.DONE and not cell.checksums]
    if without:
        yield f"{len(without)} of {len(cells)} cells have no checksums (made by an earlier version): scores are compared with the tables alone"
    if not run.manifest.checksums:
        yield "run.json has no checksums (made by an earlier version, or the run has not ended)"
    if not run.report.tables().is_dir():
        yield "there are no tables"
