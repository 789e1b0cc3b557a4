"""Checks of the records of a run: run.json, its datasets, and its cells."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from bench.contracts.dataset import Dataset, Finding
from bench.errors import RequestError, RunError
from bench.files.whole_files import read_json
from bench.plugins.registry import Registry
from bench.plugins.selection import select, select_one
from bench.reporting.findings import own_checksum, same_digest, shortened, wrong
from bench.runs.folder import Run
from bench.runs.layout import CELLS, CellFiles
from bench.runs.manifest import Manifest
from bench.runs.records import CellRecord, DatasetRecord, read_cell
from bench.runs.status import Status

PLANNED = (
    "method", "label", "selector", "dataset", "dataset_folder", "seed", "scene", "profile", "parameters", "parameters_changed", "key",
    "detector", "data_share", "family", "uses_seed",
)  # fmt: skip
"""What stands of a cell in run.json and in its own file, and is the same in both from the plan
on."""


def manifest_findings(
    run: Run, cells: Sequence[CellRecord], registry: Registry
) -> Iterator[Finding]:
    """Compare run.json with its own checksum, its methods with its cells, and the seeds that were
    asked for with those that are there.
    """
    yield own_checksum("run.json", read_json(run.manifest_file, "run"))
    manifest = run.manifest
    places = [cell.folder for cell in cells]
    for folder in dict.fromkeys(folder for folder in places if places.count(folder) > 1):
        yield wrong("run.json", f"names {folder} twice")
    labels = {cell.label for cell in cells}
    for entry in manifest.methods:
        if entry.get("label") not in labels:
            yield wrong("run.json", f"has the method {entry.get('label')!r}, and no cell of it")
    for cell in cells:
        mine = {
            "label": cell.label,
            "selector": cell.selector,
            "name": cell.method,
            "family": cell.family,
        }
        if manifest.methods and mine not in manifest.methods:
            yield wrong("run.json", f"the method of {cell.folder} is none of its list of methods")
    yield from _seeds(manifest, cells, registry)


def _seeds(
    manifest: Manifest, cells: Sequence[CellRecord], registry: Registry
) -> Iterator[Finding]:
    """Compare the seeds of the last request with the cells: a seed that was taken out flatters a
    mean.
    """
    request = manifest.request
    asked: set[str] = set()
    for profile in request.get("profiles", []):
        try:
            asked |= {
                chosen.label
                for chosen in select("methods", str(request.get("methods", "")), registry, profile)
            }
        except RequestError:  # of a plugin that is not loaded
            continue
    rows: dict[tuple[str, str], list[CellRecord]] = {}
    for cell in cells:
        rows.setdefault((cell.label, cell.dataset), []).append(cell)
    for (label, dataset), members in rows.items():
        if label in asked and members[0].uses_seed and members[0].status != Status.PUBLISHED_ONLY:
            gone = sorted(set(manifest.seeds) - {cell.seed for cell in members})
            if gone:
                yield wrong(
                    "run.json",
                    f"{label} on {dataset}: seed {', '.join(map(str, gone))} was asked for, and has no cell",
                )


def checksum_findings(run: Run) -> Iterator[Finding]:
    """Compare the checksums of run.json."""
    for name, expected in run.manifest.checksums.items():
        yield same_digest(run.path, name, expected, "run.json")


# -- datasets --------------------------------------------------------------------------------------


def dataset_findings(
    run: Run, name: str, datasets: dict[str, DatasetRecord], registry: Registry
) -> Iterator[Finding]:
    """Read a dataset into `datasets`; compare it with run.json and with known counts."""
    subject = f"datasets/{name}"
    if not run.dataset_files(name)[0].exists():
        done = any(
            cell.dataset_folder == name and cell.status == Status.DONE for cell in run.cells()
        )
        if done:
            yield wrong(f"{subject}.json", "is not there, and cells of it are done")
        return
    try:
        record = datasets[name] = run.dataset(name)
    except RunError as error:
        yield wrong(subject, str(error))
        return
    ids = [clip for clip, _, _ in record.clips]
    if len(set(ids)) < len(ids):
        yield wrong(f"{subject}.json", "names a clip twice")
    entries = [
        entry for entry in run.manifest.datasets if entry.get("folder", entry.get("label")) == name
    ]
    for entry in entries:
        same = entry.get("fingerprint") in ("", record.fingerprint)
        yield Finding(
            f"{subject}.json",
            same,
            "has the fingerprint of run.json"
            if same
            else "its fingerprint is not that in run.json",
        )
    kind = next(
        (entry["name"] for entry in entries if "name" in entry), record.label.partition("[")[0]
    )
    if kind in registry.datasets and record.share == 1:
        yield from _known_counts(f"{subject}.npz", record, registry.datasets[kind])


def _known_counts(subject: str, record: DatasetRecord, dataset: type[Dataset]) -> Iterator[Finding]:
    """Compare lengths and labels of test clips with the counts that are known of the dataset."""
    lengths = dataset.expected.get("test", {})
    for clip, length, _ in record.clips:
        known = lengths.get(clip)
        if known:
            yield Finding(
                subject,
                length == known,
                f"clip {clip} has {length} frames"
                + ("" if length == known else f", {known} are known"),
            )
    for label_set, clips in record.labels.items():
        for clip, labels in clips.items():
            expected = dataset.expected_anomalous.get(label_set, {}).get(clip)
            if expected is not None and len(labels) == lengths.get(clip):
                found = int(labels.sum())
                text = f"labels {label_set} of clip {clip}: {found} anomalous frames"
                yield Finding(
                    subject,
                    found == expected,
                    text + ("" if found == expected else f", {expected} are known"),
                )


# -- cells -----------------------------------------------------------------------------------------


def cell_findings(
    run: Run, planned: CellRecord, dataset: DatasetRecord | None, registry: Registry
) -> Iterator[Finding]:
    """Compare the record of a cell with the plan, with its key, and with its files."""
    files = run.files_of(planned)
    subject = f"{planned.folder}/{files.record.name}"
    if not files.record.exists():
        yield wrong(subject, "is not there, and run.json names the cell")
        return
    try:
        cell = read_cell(files.record, subject)
    except RunError as error:
        yield wrong(subject, str(error))
        return
    if cell.folder != planned.folder:
        yield wrong(subject, f"belongs to {cell.folder}")
        return
    for name in PLANNED:
        now, then = getattr(cell, name), getattr(planned, name)
        if now != then and not (
            name in ("profile", "detector", "family", "data_share")
            and cell.status == Status.NO_DATA
        ):
            yield wrong(subject, f"{name} is {shortened(now)}, and {shortened(then)} in run.json")
    yield from _own_key(subject, cell, dataset)
    yield from _name(subject, cell, registry)
    for name, expected in cell.checksums.items():
        yield same_digest(files.folder, name, expected, subject, f"{cell.folder}/{name}")
    if cell.checksums:
        for name in files.checked():
            if name not in cell.checksums:
                yield wrong(f"{cell.folder}/{name}", f"is there, and {subject} does not know it")
    if cell.status == Status.DONE:
        yield from _scores(run, cell, dataset)
    elif cell.status == Status.FAILED and files.scores.exists():
        yield wrong(subject, "the cell has failed, and has scores")


def _own_key(subject: str, cell: CellRecord, dataset: DatasetRecord | None) -> Iterator[Finding]:
    """Compare a cell with its own key, which decides what it is."""
    names = [name for name in ("method", "seed", "scene", "parameters") if name in cell.key]
    pairs: list[tuple[str, Any, Any]] = [
        (name, getattr(cell, name), cell.key[name]) for name in names
    ]
    if dataset is not None and cell.status == Status.DONE and cell.key.get("dataset"):
        pairs.append(("fingerprint of the dataset", dataset.fingerprint, cell.key["dataset"]))
    for name, value, of_key in pairs:
        if value != of_key:
            yield wrong(
                subject, f"{name} is {shortened(value)}, and {shortened(of_key)} in its key"
            )


def _name(subject: str, cell: CellRecord, registry: Registry) -> Iterator[Finding]:
    """Compare folder and row with the selector."""
    end = (
        f"-{hashlib.sha256(cell.selector.encode()).hexdigest()[:8]}"
        if cell.parameters_changed
        else ""
    )
    expected = "/".join(
        [
            CELLS,
            cell.method + end,
            cell.dataset_folder,
            str(cell.seed),
            *([cell.scene] if cell.scene else []),
        ]
    )
    if cell.folder != expected:
        yield wrong(subject, f"a cell of {cell.selector}, seed {cell.seed}, lies in {expected}")
    try:
        label = select_one("methods", cell.selector, registry, cell.profile or None).label
    except RequestError:  # of a plugin that is not loaded, or of another version
        return
    if label != cell.label:
        yield wrong(subject, f"its row is {cell.label!r}, and that of {cell.selector} is {label!r}")


def _scores(run: Run, cell: CellRecord, dataset: DatasetRecord | None) -> Iterator[Finding]:
    file = run.files_of(cell).scores.name
    subject = f"{cell.folder}/{file}"
    try:
        scores = run.scores(cell)
    except RunError as error:
        if file not in cell.checksums:  # else it is named already
            yield wrong(subject, str(error))
        return
    yield Finding(subject, True, "can be read")
    if dataset is None:
        return
    lengths = {
        clip: length
        for clip, length, scene in dataset.clips
        if not cell.scene or scene == cell.scene
    }
    for clip in lengths.keys() - scores.keys():
        yield wrong(subject, f"clip {clip} is not in it")
    for clip in scores.keys() - lengths.keys():
        yield wrong(
            subject,
            f"clip {clip} is none of {cell.dataset}"
            + (f", scene {cell.scene}" if cell.scene else ""),
        )
    for clip, found in scores.items():
        if clip in lengths and len(found.frames) and found.frames[-1] >= lengths[clip]:
            yield wrong(
                subject,
                f"clip {clip} has a score of frame {found.frames[-1]}, and {lengths[clip]} frames",
            )
    empty = {clip for clip, found in scores.items() if not len(found.values)}
    if empty != set(cell.clips_left_out):
        yield wrong(
            subject,
            f"clips without a score are {sorted(empty)}, and {sorted(cell.clips_left_out)} in cell.json",
        )


def unplanned_findings(run: Run, cells: Sequence[CellRecord]) -> Iterator[Finding]:
    """Find cells that run.json does not name."""
    known = {cell.folder for cell in cells}
    for path in run.record_files():
        folder = path.parent.relative_to(run.path).as_posix()
        if folder not in known and CellFiles(path).arriving.name not in path.parts:
            yield wrong(f"{folder}/cell.json", "is there, and run.json does not name the cell")
