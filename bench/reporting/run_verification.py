"""What `bench verify RUN` says: whether a run's folder is what was written, and its tables follow
from its scores and labels.

Every number of every table is computed again. Beside that, checksums are compared, files that say
the same thing in two places, and labels with known counts. A run of an earlier version has no
checksums; then the rest is compared, and that is said.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from bench.contracts.dataset import Dataset, Finding
from bench.contracts.protocol import Protocol
from bench.errors import RequestError, RunError
from bench.evaluation.run_scores import RunScores
from bench.files.checksums import digest_of, seal_is_broken
from bench.files.whole_files import read_json
from bench.plugins.registry import Registry
from bench.plugins.selection import select, select_one
from bench.reporting.output import INDEX, NUMBERS, Index, table_kind
from bench.runs.folder import CHECKED, CellRecord, DatasetRecord, Run, read_cell
from bench.runs.status import Status
from bench.scoring.metrics import choose_metric
from bench.tables.kinds import Source, open_source
from bench.tables.table_files import kind_files, number_files, question_name, shared_files

MOST = 5
"""Differing lines of one file that are named."""
WIDTH = 120
"""Letters of a differing line that are shown."""
PLANNED = (
    "method", "label", "selector", "dataset", "dataset_folder", "seed", "scene", "profile", "parameters", "parameters_changed", "key",
    "detector", "data_share", "family", "uses_seed",
)  # fmt: skip
"""What stands of a cell in run.json and in its own file, and is the same in both from the plan
on."""
LINE = ("method", "dataset", "scene", "seed", "label_set", "protocol", "metric")
"""What tells the lines of results.csv and summary.csv apart, of those columns that each has."""


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
        findings = [
            {"subject": finding.subject, "ok": finding.ok, "text": finding.text}
            for finding in self.findings
        ]
        return {"run": self.path, "ok": self.ok, "notes": list(self.notes), "findings": findings}


def verify_run(path: Path, registry: Registry) -> RunVerification:
    """Check the folder of a run. What differs is a finding, never an exception; nothing is
    written.
    """
    run = Run(path)
    try:
        run = Run.open(path)
        cells = run.planned()
        run_scores = RunScores(run)
    except RunError as error:
        return RunVerification(str(path), (Finding("run.json", False, str(error)),), ())
    findings = [*_manifest(run, cells, registry), *_written(run)]
    datasets: dict[str, DatasetRecord] = {}
    for name in dict.fromkeys(
        cell.dataset_folder for cell in run_scores.cells if cell.status != Status.QUEUED
    ):
        findings += _dataset(run, name, datasets, registry)
    for cell in cells:
        findings += _cell(run, cell, datasets.get(cell.dataset_folder), registry)
    findings += _unplanned(run, cells)
    findings += _report(run, run_scores, registry)
    return RunVerification(str(path), tuple(findings), tuple(_notes(run, cells)))


def _notes(run: Run, cells: Sequence[CellRecord]) -> Iterator[str]:
    without = [cell for cell in run.cells() if cell.status == Status.DONE and not cell.checksums]
    if without:
        yield f"{len(without)} of {len(cells)} cells have no checksums (made by an earlier version): scores are compared with the tables alone"
    if not run.manifest.get("checksums"):
        yield "run.json has no checksums (made by an earlier version, or the run has not ended)"
    if not run.tables.is_dir():
        yield "there are no tables"


# -- run.json --------------------------------------------------------------------------------------


def _manifest(run: Run, cells: Sequence[CellRecord], registry: Registry) -> Iterator[Finding]:
    value = read_json(run.path / "run.json", "run")
    broken = seal_is_broken(value)
    yield Finding(
        "run.json",
        not broken,
        "is not what was written: its checksum differs" if broken else "is as it was written",
    )
    places = [cell.folder for cell in cells]
    for folder in dict.fromkeys(folder for folder in places if places.count(folder) > 1):
        yield Finding("run.json", False, f"names {folder} twice")
    labels = {cell.label for cell in cells}
    for entry in value.get("methods", []):
        if entry.get("label") not in labels:
            yield Finding(
                "run.json", False, f"has the method {entry.get('label')!r}, and no cell of it"
            )
    for cell in cells:
        named = [entry for entry in value.get("methods", []) if entry.get("label") == cell.label]
        if (
            value.get("methods")
            and {
                "label": cell.label,
                "selector": cell.selector,
                "name": cell.method,
                "family": cell.family,
            }
            not in named
        ):
            yield Finding(
                "run.json", False, f"the method of {cell.folder} is none of its list of methods"
            )
    yield from _seeds(value, cells, registry)


def _seeds(
    value: Mapping[str, Any], cells: Sequence[CellRecord], registry: Registry
) -> Iterator[Finding]:
    """Compare the seeds of the last request with the cells: a seed that was taken out flatters a
    mean.
    """
    request = value.get("request", {})
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
            gone = sorted(set(value.get("seeds", [])) - {cell.seed for cell in members})
            if gone:
                yield Finding(
                    "run.json",
                    False,
                    f"{label} on {dataset}: seed {', '.join(map(str, gone))} was asked for, and has no cell",
                )


def _written(run: Run) -> Iterator[Finding]:
    """Compare the checksums of run.json."""
    for name, expected in run.manifest.get("checksums", {}).items():
        yield _same_digest(run.path, name, expected, "run.json")


def _same_digest(folder: Path, name: str, expected: str, where: str, subject: str = "") -> Finding:
    subject = subject or name
    path = folder / name
    if Path(name).is_absolute() or ".." in Path(name).parts:
        return Finding(where, False, f"names {name!r}, outside of its folder")
    if not path.exists():
        return Finding(subject, False, f"is not there, and {where} has its checksum")
    try:
        same = digest_of(path) == expected
    except RunError as error:
        return Finding(subject, False, str(error))
    return Finding(
        subject,
        same,
        "is as it was written"
        if same
        else f"is not what was written: its checksum is not that in {where}",
    )


# -- datasets --------------------------------------------------------------------------------------


def _dataset(
    run: Run, name: str, datasets: dict[str, DatasetRecord], registry: Registry
) -> Iterator[Finding]:
    """Read a dataset into `datasets`; compare it with run.json and with known counts."""
    subject = f"datasets/{name}"
    if not (run.path / f"{subject}.json").exists():
        done = any(
            cell.dataset_folder == name and cell.status == Status.DONE for cell in run.cells()
        )
        if done:
            yield Finding(f"{subject}.json", False, "is not there, and cells of it are done")
        return
    try:
        record = datasets[name] = run.dataset(name)
    except RunError as error:
        yield Finding(subject, False, str(error))
        return
    ids = [clip for clip, _, _ in record.clips]
    if len(set(ids)) < len(ids):
        yield Finding(f"{subject}.json", False, "names a clip twice")
    entries = [
        entry
        for entry in run.manifest.get("datasets", [])
        if entry.get("folder", entry.get("label")) == name
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


def _cell(
    run: Run, planned: CellRecord, dataset: DatasetRecord | None, registry: Registry
) -> Iterator[Finding]:
    folder = run.path / planned.folder
    subject = f"{planned.folder}/cell.json"
    if not (folder / "cell.json").exists():
        yield Finding(subject, False, "is not there, and run.json names the cell")
        return
    try:
        cell = read_cell(folder / "cell.json", subject)
    except RunError as error:
        yield Finding(subject, False, str(error))
        return
    if cell.folder != planned.folder:
        yield Finding(subject, False, f"belongs to {cell.folder}")
        return
    for name in PLANNED:
        now, then = getattr(cell, name), getattr(planned, name)
        if now != then and not (
            name in ("profile", "detector", "family", "data_share")
            and cell.status == Status.NO_DATA
        ):
            yield Finding(
                subject, False, f"{name} is {_short(now)}, and {_short(then)} in run.json"
            )
    yield from _own_key(subject, cell, dataset)
    yield from _name(subject, cell, registry)
    for name, expected in cell.checksums.items():
        yield _same_digest(folder, name, expected, subject, f"{cell.folder}/{name}")
    if cell.checksums:
        for name in CHECKED:
            if (folder / name).exists() and name not in cell.checksums:
                yield Finding(
                    f"{cell.folder}/{name}", False, f"is there, and {subject} does not know it"
                )
    if cell.status == Status.DONE:
        yield from _scores(run, cell, dataset)
    elif cell.status == Status.FAILED and (folder / "scores.npz").exists():
        yield Finding(subject, False, "the cell has failed, and has scores")


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
            yield Finding(
                subject, False, f"{name} is {_short(value)}, and {_short(of_key)} in its key"
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
            "cells",
            cell.method + end,
            cell.dataset_folder,
            str(cell.seed),
            *([cell.scene] if cell.scene else []),
        ]
    )
    if cell.folder != expected:
        yield Finding(
            subject, False, f"a cell of {cell.selector}, seed {cell.seed}, lies in {expected}"
        )
    try:
        label = select_one("methods", cell.selector, registry, cell.profile or None).label
    except RequestError:  # of a plugin that is not loaded, or of another version
        return
    if label != cell.label:
        yield Finding(
            subject, False, f"its row is {cell.label!r}, and that of {cell.selector} is {label!r}"
        )


def _scores(run: Run, cell: CellRecord, dataset: DatasetRecord | None) -> Iterator[Finding]:
    subject = f"{cell.folder}/scores.npz"
    try:
        scores = run.scores(cell)
    except RunError as error:
        if "scores.npz" not in cell.checksums:  # else it is named already
            yield Finding(subject, False, str(error))
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
        yield Finding(subject, False, f"clip {clip} is not in it")
    for clip in scores.keys() - lengths.keys():
        yield Finding(
            subject,
            False,
            f"clip {clip} is none of {cell.dataset}"
            + (f", scene {cell.scene}" if cell.scene else ""),
        )
    for clip, found in scores.items():
        if clip in lengths and len(found.frames) and found.frames[-1] >= lengths[clip]:
            yield Finding(
                subject,
                False,
                f"clip {clip} has a score of frame {found.frames[-1]}, and {lengths[clip]} frames",
            )
    empty = {clip for clip, found in scores.items() if not len(found.values)}
    if empty != set(cell.clips_left_out):
        yield Finding(
            subject,
            False,
            f"clips without a score are {sorted(empty)}, and {sorted(cell.clips_left_out)} in cell.json",
        )


def _unplanned(run: Run, cells: Sequence[CellRecord]) -> Iterator[Finding]:
    known = {cell.folder for cell in cells}
    for path in sorted(run.path.glob("cells/**/cell.json")):
        folder = path.parent.relative_to(run.path).as_posix()
        if folder not in known and ".coming" not in path.parts:
            yield Finding(
                f"{folder}/cell.json", False, "is there, and run.json does not name the cell"
            )


# -- tables, figures, page -------------------------------------------------------------------------


def _report(run: Run, run_scores: RunScores, registry: Registry) -> Iterator[Finding]:
    """Compute the tables again, and compare the checksums of all that was made."""
    index = Index(run.path)
    if (run.path / INDEX).is_file():
        try:
            broken = seal_is_broken(read_json(run.path / INDEX, "report"))
        except RunError as error:
            yield Finding(INDEX, False, str(error))
        else:
            yield Finding(
                INDEX,
                not broken,
                "is not what was written: its checksum differs"
                if broken
                else "is as it was written",
            )
    for name, entry in index.files.items():
        yield _same_digest(run.path, name, entry["sha256"], INDEX)
    if not run.tables.is_dir():
        return
    expected: dict[str, str] = {}
    for question, kinds in _asked(run, index).items():
        try:
            source = _source(run, registry, index, question, run_scores)
        except RequestError as error:
            yield Finding(
                "/".join(filter(None, ["tables", question])),
                False,
                f"cannot be computed again: {' '.join(error.mistakes)}",
            )
            continue
        place = "/".join(filter(None, ["tables", question]))
        made = {
            f"{place}/{file}": text
            for kind in sorted(kinds)
            for file, text in kind_files(source, kind).items()
        }
        for kind in sorted(kinds):
            if f"{place}/{kind}.txt" not in made:
                yield Finding(
                    f"{place}/{kind}.txt",
                    False,
                    "is there, and nothing of the run gives such a table",
                )
        stems = {Path(file).stem: text for file, text in made.items() if file.endswith(".tex")}
        shared = {f"{place}/{file}": text for file, text in shared_files(source, stems).items()}
        # Earlier versions made these for a whole report alone.
        made |= {
            file: text
            for file, text in shared.items()
            if (run.path / file).is_file() or file in index.files
        }
        expected |= made
    for name, text in expected.items():
        yield from _same_text(run.path / name, name, text)
    yield from _numbers(run, registry, index, run_scores)


def _asked(run: Run, index: Index) -> dict[str, set[str]]:
    """Return the kinds of tables that are there, or should be, by question; the comparison is
    always one.
    """
    found: dict[str, set[str]] = {
        "": {"comparison"} if any((run.tables / name).exists() for name in NUMBERS) else set()
    }
    paths = [
        path.relative_to(run.path).as_posix()
        for end in ("txt", "md", "tex")
        for path in run.tables.rglob(f"*.{end}")
    ]
    for path in [*index.files, *paths]:
        parts = Path(path).parts
        kind = table_kind(Path(path).stem)
        if (
            parts[0] == "tables"
            and len(parts) in (2, 3)
            and kind
            and not Path(path).stem.endswith("-tracks")
        ):
            found.setdefault("/".join(parts[1:-1]), set()).add(kind)
    return found


def _source(
    run: Run, registry: Registry, index: Index, question: str, run_scores: RunScores
) -> Source:
    """Return what a question is answered from.

    Raises
    ------
    RequestError : it is not known, or its protocol or metric is one of a plugin that is not loaded.
    """
    protocol = (
        select_one("protocols", run.manifest["protocol"], registry).parameters
        if not question
        else index.protocol(question)
    )
    if protocol is None:
        raise RequestError(f"{INDEX} does not say under which protocol")
    metric = choose_metric(index.questions[question]["metric"] if question else "auc", registry)
    source = open_source(run, registry, protocol, metric, run_scores=run_scores)
    if question_name(source) != question:
        raise RequestError(
            f"{INDEX} says {protocol.name} and {metric.name}, whose folder is {question_name(source) or 'tables'}"
        )
    return source


def _same_text(path: Path, name: str, expected: str) -> Iterator[Finding]:
    if not path.is_file():
        yield Finding(name, False, "is not there")
        return
    found = path.read_text(encoding="utf-8", errors="replace")
    if found == expected:
        yield Finding(name, True, "follows from scores and labels")
        return
    for number, (line, of_expected) in enumerate(
        zip_longest(found.split("\n"), expected.split("\n"), fillvalue=""), start=1
    ):
        if line != of_expected:
            start = max(
                0,
                next(
                    (at for at, (one, other) in enumerate(zip(line, of_expected)) if one != other),
                    0,
                )
                - WIDTH // 2,
            )
            texts = [_short(text[start : start + WIDTH].strip()) for text in (line, of_expected)]
            yield Finding(
                name,
                False,
                f"line {number} reads {texts[0]}, and scores and labels give {texts[1]}",
            )
            return


def _numbers(
    run: Run, registry: Registry, index: Index, run_scores: RunScores
) -> Iterator[Finding]:
    """Compare results.csv and summary.csv line by line, and value by value."""
    found = {}
    for name in NUMBERS:
        path = run.tables / name
        if path.is_file():
            found[name] = list(
                csv.DictReader(io.StringIO(path.read_text(encoding="utf-8", errors="replace")))
            )
        else:
            yield Finding(f"tables/{name}", False, "is not there")
    asked = _asked_protocols(
        (line.get("protocol") or "" for lines in found.values() for line in lines), registry, index
    )
    for name, text in number_files(open_source_of(run, registry, run_scores), asked).items():
        if name in found:
            yield from _same_lines(
                f"tables/{name}", found[name], list(csv.DictReader(io.StringIO(text)))
            )


def open_source_of(run: Run, registry: Registry, run_scores: RunScores) -> Source:
    """Return a source for what depends on no question."""
    return open_source(
        run,
        registry,
        next(iter(registry.protocols.values())),
        registry.metrics["auc"],
        run_scores=run_scores,
    )


def _asked_protocols(names: Iterable[str], registry: Registry, index: Index) -> list[Protocol]:
    """Return the protocols of these names that are not among the registered ones, as far as they
    are known.
    """
    found = {
        protocol.name: protocol
        for question in index.questions
        if (protocol := index.protocol(question)) is not None
    }
    for name in dict.fromkeys(names):
        if name and name not in registry.protocols and name not in found:
            try:
                found[name] = select_one("protocols", name, registry).parameters
            except RequestError:
                continue
    return [found[name] for name in dict.fromkeys(names) if name in found] + list(found.values())


def _same_lines(
    name: str, found: Sequence[Mapping[str, str]], expected: Sequence[Mapping[str, str]]
) -> Iterator[Finding]:
    columns = [column for column in LINE if expected and column in expected[0]]

    def what(line: Mapping[str, str]) -> tuple[str, ...]:
        return tuple(line.get(column) or "" for column in columns)

    wrong = []
    wanted = {what(line): line for line in expected}
    here = {what(line): line for line in found}
    if len(here) < len(found):
        wrong.append("a line stands there twice")
    for key, line in here.items():
        of_expected = wanted.get(key)
        if of_expected is None:
            wrong.append(
                f"{_words(key)}: such a line is given by no cell under a protocol and metric that are known here (--plugin)"
            )
            continue
        for column, value in of_expected.items():
            if line.get(column) != value:
                wrong.append(
                    f"{_words(key)}: {column} is {_short(line.get(column))}, and scores and labels give {_short(value)}"
                )
    wrong += [
        f"{_words(key)}: the line is not there"
        for key in wanted.keys() - here.keys()
        if _is_asked(key, columns, here)
    ]
    if not wrong and [what(line) for line in found] != [key for key in wanted if key in here]:
        wrong.append("its lines stand in another order")
    yield from (Finding(name, False, text) for text in sorted(wrong)[:MOST])
    if len(wrong) > MOST:
        yield Finding(name, False, f"... and {len(wrong) - MOST} more lines or values")
    if not wrong:
        yield Finding(name, True, f"{len(found)} lines follow from scores and labels")


def _is_asked(
    key: Sequence[str], columns: Sequence[str], here: Mapping[tuple[str, ...], object]
) -> bool:
    """Whether any line of the protocol and metric of a line is there: a later version of bench has
    more of both.
    """
    places = [columns.index(column) for column in ("protocol", "metric")]
    return any(all(other[place] == key[place] for place in places) for other in here)


def _words(key: Sequence[str]) -> str:
    return ", ".join(part for part in key if part)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= WIDTH else text[: WIDTH - 4] + " ..."
