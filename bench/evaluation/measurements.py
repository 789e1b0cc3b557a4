"""One number of one cell, and the cells that one number stands for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from bench.contracts.protocol import Protocol
from bench.runs.records import CellRecord, DatasetRecord
from bench.runs.status import Status
from bench.scoring.evaluate import ClipScores, Result


@dataclass(frozen=True, slots=True)
class Measurement:
    """One number of one cell; `scene` is empty for all clips pooled."""

    cell: CellRecord
    scene: str
    label_set: str
    protocol: Protocol
    metric: str
    result: Result
    read: Callable[[], tuple[ClipScores, ...]] = field(default=tuple, repr=False, compare=False)
    """Returns `clips`, which thousands of measurements do not hold at once."""
    members: tuple[CellRecord, ...] = field(default=(), repr=False, compare=False)
    """The cells that `cell` stands for: itself, or the models of all scenes."""

    @property
    def clips(self) -> tuple[ClipScores, ...]:
        """What the number was made from; empty where nothing was scored."""
        return self.read()


def by_seed(cells: Iterable[CellRecord]) -> list[list[CellRecord]]:
    """Return the cells of a row on a dataset seed by seed: one each, or those of the scenes' own
    models.
    """
    found: dict[int, list[CellRecord]] = {}
    for cell in cells:
        found.setdefault(cell.seed, []).append(cell)
    return list(found.values())


def label_sets_of(record: DatasetRecord, protocol: Protocol) -> tuple[str, ...]:
    """Return the label sets to compute: all, the default first; or the one that the protocol names,
    the default where it is not there.
    """
    if protocol.labels == "default":
        return record.label_sets
    return (protocol.labels,) if protocol.labels in record.label_sets else record.label_sets[:1]


def explained(cell: CellRecord) -> float | None:
    """Return what a trained network explains of the training frames (the column `explained` of
    training.csv); None where that is unknown.
    """
    found = cell.facts.get("explained")
    return found if isinstance(found, int | float) else None


def joined(cells: Sequence[CellRecord]) -> CellRecord:
    """Return the record that stands for the models of all scenes: done where all are."""
    warnings = [f"scene {cell.scene}: {warning}" for cell in cells for warning in cell.warnings]
    shares = [share for cell in cells if (share := explained(cell)) is not None]
    facts = cells[0].facts | ({"explained": min(shares)} if shares else {})
    whole = replace(
        cells[0],
        scene="",
        warnings=warnings,
        facts=facts,
        deviations=list(dict.fromkeys(text for cell in cells for text in cell.deviations)),
        clips_left_out=[clip for cell in cells for clip in cell.clips_left_out],
    )
    bad = sorted(
        (cell for cell in cells if cell.status != Status.DONE),
        key=lambda cell: cell.status != Status.FAILED,
    )
    if not bad:
        return whole
    reason = bad[0].reason or bad[0].status
    if len(bad) < len(cells) or len({cell.reason for cell in bad}) > 1:
        reason = f"scene {bad[0].scene}: {reason}"
    return replace(whole, status=bad[0].status, reason=reason)
