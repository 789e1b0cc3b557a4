"""report.html: the whole run on one page that opens from disk and asks no network.

Numbers are the strings of the tables, made here for every named protocol; the script of the page
only chooses among them. What it draws are scores after the protocol, each clip packed as 16 bits
between its lowest and highest value: finer than a screen, and small.
"""

from __future__ import annotations

import base64
import csv
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from bench.contracts.protocol import Protocol
from bench.evaluation.data_frames import summary_frame
from bench.evaluation.measurements import Measurement, label_sets_of
from bench.evaluation.summaries import Summary
from bench.files.whole_files import write_text
from bench.planning.commands import keep_commands
from bench.runs.folder import CellRecord, DatasetRecord
from bench.runs.status import Status
from bench.scoring.evaluate import ClipScores, Result, evaluate
from bench.scoring.protocols import process, sentence
from bench.tables.comparison import compare
from bench.tables.kinds import KINDS, Source
from bench.tables.scenes_table import scene_tables
from bench.tables.table import DASH, DIGITS, MARKS, TRIVIAL, Table, TableCell, percent
from bench.wording import counted

TEMPLATES = Path(__file__).parent / "templates"
LIMIT = 25_000_000
"""Bytes of the whole page. Chosen here: what mail and code hosts still take, and a browser opens at
once."""
STEPS = 65535
ROC_POINTS = 200
"""Of a curve, at most. Chosen here: two pixels apart in a plot 400 wide."""
SHORT = {"auc": "AUC", "ap": "AP", "eer": "EER"}
LOG_LINES = 25
INDEX = 40
"""Bytes, at most, that tell where a picture stands."""
PICTURES = ("frame", "reconstruction", "error")
"""What `--keep images` writes of a frame: images/CLIP/FRAME-{frame,reconstruction,error}.jpg."""


def write_page(source: Source, path: Path, tables_of: str = "") -> tuple[list[Path], list[str]]:
    """Write the page of a run. It links to the files of `tables/`, or of its folder `tables_of`,
    which stand beside it.

    Returns its path, and a sentence for each thing that was left out of it.
    """
    protocols = list(
        {one.name: one for one in [source.protocol, *source.registry.protocols.values()]}.values()
    )
    tables = [
        source.comparison
        if one == source.protocol
        else compare(source.run_scores, one, source.metric)
        for one in protocols
    ]
    data = _data(source, protocols, tables)
    words = _words(
        source, path.parent, "/".join(filter(None, ["tables", tables_of])), protocols, tables
    )
    script, style = (
        (TEMPLATES / name).read_text(encoding="utf-8") for name in ("page.js", "page.css")
    )
    frame = _render(
        words | {"script": script, "style": style, "data": _json(data), "pictures": "[]"}
    )
    pictures = _pictures(source, data, LIMIT - len(frame.encode()))
    page = _render(
        words
        | {
            "script": script,
            "style": style,
            "data": _json(data | {"thinned": pictures.said}),
            "pictures": _json(pictures.files),
        }
    )
    write_text(path, page)
    return [path], [f"page: {sentence}" for sentence in pictures.said]


def _render(words: Mapping[str, Any]) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(words).lstrip()


def _json(value: Any) -> str:
    """Return JSON that may stand inside of <script>: no text in it can end the element or begin a
    comment.
    """
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace(
        "<", "\\u003c"
    )


# -- what the script chooses from and draws --------------------------------------------------------


def _data(source: Source, protocols: Sequence[Protocol], tables: Sequence[Table]) -> dict[str, Any]:
    labels = list(
        dict.fromkeys(
            row.name for table in tables for _, members in table.groups() for row in members
        )
    )
    cells = {cell.label: cell for cell in reversed(source.run_scores.cells)}
    return {
        "protocols": [
            {
                "name": one.name,
                "words": sentence(one),
                "unit": one.normalise == "clip",
                "pooled": one.pool == "micro",
            }
            for one in protocols
        ],
        "metric": {
            "name": SHORT.get(source.metric.name, source.metric.name),
            "higher": source.metric.higher_is_better,
        },
        "methods": [
            {
                "label": label,
                "trivial": cells[label].family == TRIVIAL,
                "pictures": _how_to_get_pictures(source, cells[label]),
            }
            for label in labels
        ],
        "datasets": [
            _dataset(source, record, protocols, tables, labels) for record in _datasets(source)
        ],
        "training": list(_training(source)),
    }


def _datasets(source: Source) -> list[DatasetRecord]:
    """Return the datasets that any cell has scores of."""
    found = {
        cell.dataset: source.run_scores.dataset(cell)
        for cell in source.run_scores.cells
        if cell.status == Status.DONE
    }
    return [replace(record, label=label) for label, record in found.items() if record is not None]


def _dataset(
    source: Source,
    record: DatasetRecord,
    protocols: Sequence[Protocol],
    tables: Sequence[Table],
    labels: Sequence[str],
) -> dict[str, Any]:
    sets = ["".join(label_sets_of(record, one)[:1]) for one in protocols]
    members: dict[str, dict[int, list[CellRecord]]] = {}
    for cell in source.run_scores.cells:
        if cell.dataset == record.label:
            members.setdefault(cell.label, {}).setdefault(cell.seed, []).append(cell)
    places = {
        (label, seed): cells for label, seeds in members.items() for seed, cells in seeds.items()
    }

    @cache
    def clips(label: str, seed: int, number: int) -> dict[str, ClipScores]:
        done = [cell for cell in places[label, seed] if cell.status == Status.DONE]
        return {
            clip.id: clip for clip in _clips(source, record, done, sets[number], protocols[number])
        }

    reasons: dict[tuple[str, str], int] = {}

    def number(label: str, clip: str, which: int) -> str | int:
        """Return the number of a clip as tables print it, or where in `reasons` it stands why there
        is none.
        """
        found = []
        for seed in members[label]:
            cell, scores = _spokesman(places[label, seed]), clips(label, seed, which).get(clip)
            reason = (
                cell.reason or cell.status
                if cell.status != Status.DONE
                else "no frame of this clip was scored"
            )
            result = (
                Result(None, reason, 0, 0, 0, 0, None)
                if scores is None or not sets[which]
                else evaluate([scores], protocols[which], source.metric)
            )
            found.append(
                Measurement(cell, "", sets[which], protocols[which], source.metric.name, result)
            )
        summary = Summary(
            label,
            record.label,
            sets[which],
            protocols[which].name,
            source.metric.name,
            tuple(found),
        )
        if summary.mean is not None:
            return percent(summary.mean)
        missing = summary.missing[0]
        return reasons.setdefault(
            (MARKS.get(missing.cell.status, DASH), missing.result.reason), len(reasons)
        )

    return {
        "name": record.label,
        "clips": [
            {"id": clip, "scene": scene, "length": length, "anomalous": {name: _runs(of_set[clip]) for name, of_set in record.labels.items()}}
            for clip, length, scene in record.clips
        ],
        "sets": sets,
        "curves": [
            {
                "method": labels.index(label),
                "seed": seed,
                "scores": [_packed([clips(label, seed, which).get(clip) for which in range(len(protocols))], protocols) for clip, _, _ in record.clips],
                "roc": [_roc(list(clips(label, seed, which).values()), one) if sets[which] else None for which, one in enumerate(protocols)],
            }
            for (label, seed), cells in places.items()
            if label in labels and any(cell.status == Status.DONE for cell in cells)
        ],
        "numbers": [_numbers(table, record.label, labels) for table in tables],
        "by_clip": [
            [[number(label, clip, which) for clip, _, _ in record.clips] if _scored(members.get(label, {})) else None for label in labels]
            for which in range(len(protocols))
        ],
        "reasons": [{"mark": mark, "text": text} for mark, text in reasons],
    }  # fmt: skip


def _scored(seeds: Mapping[int, Sequence[CellRecord]]) -> bool:
    return any(cell.status == Status.DONE for cells in seeds.values() for cell in cells)


def _spokesman(cells: Sequence[CellRecord]) -> CellRecord:
    """Return the cell that says why a seed, or the model of a scene of it, is not done."""
    return next((cell for cell in cells if cell.status != Status.DONE), cells[0])


def _clips(
    source: Source,
    record: DatasetRecord,
    cells: Sequence[CellRecord],
    label_set: str,
    protocol: Protocol,
) -> list[ClipScores]:
    """Return scores beside labels; beside zeros where the dataset has no labels."""
    if not cells:
        return []
    if label_set:
        return source.run_scores.clips(cells, label_set, protocol)
    found = {clip: scores for cell in cells for clip, scores in source.run.scores(cell).items()}
    return [
        ClipScores(
            clip, scene, found[clip].values, found[clip].frames, np.zeros(length, dtype=np.uint8)
        )
        for clip, length, scene in record.clips
        if clip in found
    ]


def _runs(labels: np.ndarray) -> list[list[int]]:
    """Return [first, behind the last] of each stretch of anomalous frames."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], labels != 0, [0]]).astype(np.int8)))
    return edges.reshape(-1, 2).tolist()


def _packed(
    clips: Sequence[ClipScores | None], protocols: Sequence[Protocol]
) -> dict[str, Any] | None:
    """Return one clip under each protocol: [which of `variants`, lowest, highest]. Most protocols
    share one of a few shapes.

    A variant is [frames, scores]: the first frame where they follow one another, else all of them;
    scores as base64 of 16 bits each.
    """
    variants: list[tuple[np.ndarray, np.ndarray]] = []
    of: list[list[float] | None] = []
    for clip, protocol in zip(clips, protocols):
        if clip is None or not len(clip.scores):
            of.append(None)
            continue
        scores = process(clip.scores, protocol)
        low, high = float(scores.min()), float(scores.max())
        shape = (
            np.rint((scores - low) / (high - low) * STEPS) if high > low else np.zeros(len(scores))
        )
        same = (
            number
            for number, (frames, other) in enumerate(variants)
            # A step apart is the rounding of one curve computed in two orders.
            if np.array_equal(frames, clip.frames) and np.abs(other - shape).max() <= 1
        )
        found = next(same, len(variants))
        if found == len(variants):
            variants.append((clip.frames, shape))
        of.append([found, float(f"{low:.6g}"), float(f"{high:.6g}")])
    if not variants:
        return None
    return {"of": of, "variants": [[_frames(frames), _base64(shape)] for frames, shape in variants]}


def _frames(frames: np.ndarray) -> int | list[int]:
    first = int(frames[0])
    return (
        first
        if np.array_equal(frames, np.arange(first, first + len(frames)))
        else [int(frame) for frame in frames]
    )


def _base64(steps: np.ndarray) -> str:
    return base64.b64encode(steps.astype("<u2").tobytes()).decode("ascii")


def _roc(clips: Sequence[ClipScores], protocol: Protocol) -> str | None:
    """Return the ROC curve of all frames pooled, as base64 of 16 bits: false positive rate, true
    positive rate, and so on.
    """
    from sklearn.metrics import roc_curve

    scored = [clip for clip in clips if len(clip.scores)]
    truth = np.concatenate([clip.labels[clip.frames] for clip in scored]) if scored else np.zeros(0)
    if not 0 < truth.sum() < len(truth):
        return None
    false, true, _ = roc_curve(
        truth, np.concatenate([process(clip.scores, protocol) for clip in scored])
    )
    along = false + true
    kept = (
        np.unique(np.searchsorted(along, np.linspace(0, 2, ROC_POINTS)).clip(max=len(along) - 1))
        if len(along) > ROC_POINTS
        else slice(None)
    )
    return _base64(np.rint(np.stack([false[kept], true[kept]], axis=1) * STEPS))


def _numbers(table: Table, column: str, labels: Sequence[str]) -> list[str]:
    """Return the number of each method in a column, as the table prints it; empty where it has
    none.
    """
    if column not in table.columns:
        return [""] * len(labels)
    found = {row.name: row.cells[table.columns.index(column)] for row in table.rows}
    cells = [found.get(label, TableCell()) for label in labels]
    return [cell.shown + ("" if cell.sd is None else f" ± {cell.sd:.{DIGITS}f}") for cell in cells]


def _training(source: Source) -> Iterator[dict[str, Any]]:
    """Yield the columns of each training.csv: one number an epoch; null for what is empty or not
    finite.
    """
    for cell in source.run_scores.cells:
        try:
            with (source.run.cell_path(cell) / "training.csv").open(
                encoding="utf-8", newline=""
            ) as file:
                rows = list(csv.DictReader(file))
        except (OSError, UnicodeDecodeError, csv.Error):
            continue
        names = [name for name in (rows[0] if rows else {}) if name]
        columns = {name: [_number(row.get(name)) for row in rows] for name in names}
        if any(value is not None for values in columns.values() for value in values):
            yield {
                "label": cell.label,
                "dataset": cell.dataset,
                "seed": cell.seed,
                "scene": cell.scene,
                "status": cell.status,
                "columns": columns,
            }


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


# -- pictures --------------------------------------------------------------------------------------


def _how_to_get_pictures(source: Source, cell: CellRecord) -> dict[str, str]:
    """Return the command that makes pictures of a method, or, in its place, why it gives none."""
    if cell.status == Status.PUBLISHED_ONLY:
        return {"command": "", "why": "it was not measured here"}
    if cell.status == Status.DONE and "parameters" not in cell.cost:
        return {
            "command": "",
            "why": "pictures come from networks, which have a frame to compare with; this method is none",
        }
    (line,) = keep_commands(source.run, [cell], "images")
    return {"command": line, "why": ""}


@dataclass
class _Pictures:
    files: list[str] = field(default_factory=list)
    """base64 of JPEG, each once."""
    said: list[str] = field(default_factory=list)


def _pictures(source: Source, data: dict[str, Any], room: int) -> _Pictures:
    """Take as many kept pictures as `room` bytes hold, evenly, and add to each curve of `data`
    where they stand.

    A curve gets `pictures`: clip number -> [[frame, frame picture, reconstruction, error map],
    ...], -1 for what is not there.
    """
    found: dict[tuple[int, int, int], dict[int, dict[str, Path]]] = {}
    for which, dataset in enumerate(data["datasets"]):
        numbers = {clip["id"]: number for number, clip in enumerate(dataset["clips"])}
        for position, curve in enumerate(dataset["curves"]):
            label = data["methods"][curve["method"]]["label"]
            for cell in source.run_scores.cells:
                if (cell.label, cell.dataset, cell.seed) != (
                    label,
                    dataset["name"],
                    curve["seed"],
                ) or cell.status != Status.DONE:
                    continue
                for path in sorted(source.run.cell_path(cell).glob("images/*/*.jpg")):
                    parts = re.fullmatch(rf"(\d+)-({'|'.join(PICTURES)})", path.stem)
                    if parts and path.parent.name in numbers:
                        of_clip = found.setdefault((which, position, numbers[path.parent.name]), {})
                        of_clip.setdefault(int(parts[1]), {})[parts[2]] = path
    contents = {
        path: path.read_bytes()
        for of_clip in found.values()
        for kinds in of_clip.values()
        for path in kinds.values()
    }
    # The same frames for all methods of a clip, so that they compare and the frame itself is there
    # once.
    union: dict[tuple[int, int], set[int]] = {}
    for (which, _, clip), of_clip in found.items():
        union.setdefault((which, clip), set()).update(of_clip)
    most = max(map(len, union.values()), default=0)
    for every in range(1, most + 1):
        kept = {place: set(sorted(frames)[::every]) for place, frames in union.items()}
        chosen = {
            contents[path]
            for (which, _, clip), of_clip in found.items()
            for frame, kinds in of_clip.items()
            if frame in kept[which, clip]
            for path in kinds.values()
        }
        if sum(4 * (len(content) + 2) // 3 + 3 + INDEX for content in chosen) <= room:
            break
    else:
        return _Pictures(
            said=[
                f"the pictures do not fit into {LIMIT / 1e6:.0f} MB: they are in the cells' images/"
            ]
            if most
            else []
        )
    pictures = _Pictures()
    places: dict[bytes, int] = {}
    for (which, position, clip), of_clip in found.items():
        listed = []
        for frame in sorted(kept[which, clip] & of_clip.keys()):
            row = [frame]
            for kind in PICTURES:
                content = contents[of_clip[frame][kind]] if kind in of_clip[frame] else b""
                if content and content not in places:
                    places[content] = len(pictures.files)
                    pictures.files.append(base64.b64encode(content).decode("ascii"))
                row.append(places.get(content, -1))
            listed.append(row)
        data["datasets"][which]["curves"][position].setdefault("pictures", {})[str(clip)] = listed
    if every > 1:
        pictures.said.append(
            f"one of {every} kept frames is shown, so that the page stays below {LIMIT / 1e6:.0f} MB; all are in the cells' images/"
        )
    return pictures


# -- what the template writes ----------------------------------------------------------------------


def _words(
    source: Source,
    place: Path,
    folder: str,
    protocols: Sequence[Protocol],
    tables: Sequence[Table],
) -> dict[str, Any]:
    """Return everything that stands on the page as text: tables, failures, provenance."""
    cells = source.run_scores.cells
    return {
        "title": source.run.path.resolve().name,
        "counts": _counts(cells),
        "comparisons": list(
            zip(
                protocols,
                tables,
                [scene_tables(source.run_scores, one, source.metric) for one in protocols],
            )
        ),
        "intervals": _intervals(source, protocols),
        "cost": KINDS["speed"].make(source),
        "others": [
            (name, kind.about, found)
            for name, kind in KINDS.items()
            if name not in ("comparison", "scenes", "speed") and (found := kind.make(source))
        ],
        "links": {
            name: _links(place, folder, [f"{name}.{form}" for form in ("txt", "md", "tex")])
            for name in KINDS
        },
        "data_links": _links(place, "tables", ["results.csv", "summary.csv"])
        + _links(place, folder, ["references.bib"]),
        "families": {cell.label: cell.family for cell in cells},
        "trivial": TRIVIAL,
        "has_scenes": any(record.has_scenes for record in _datasets(source)),
        "failures": [
            (cell, _log_tail(source.run.cell_path(cell) / "log.txt"))
            for cell in cells
            if cell.status not in (Status.DONE, Status.PUBLISHED_ONLY)
        ],
        "provenance": _provenance(source),
        "cells": cells,
        "dash": DASH,
    }


def _counts(cells: Sequence[CellRecord]) -> str:
    """Return how many cells have each status, in words."""
    statuses = [cell.status for cell in cells]
    return ", ".join(f"{statuses.count(status)} {status}" for status in dict.fromkeys(statuses))


def _intervals(source: Source, protocols: Sequence[Protocol]) -> dict[tuple[str, str, str], str]:
    """Return (protocol, method, dataset) -> the interval of the number in percent, where
    summary.csv has one.
    """
    frame = summary_frame(source.run_scores.measure(protocols, [source.metric])).dropna(
        subset=["ci_low", "ci_high"]
    )
    found: dict[tuple[str, str, str], str] = {}
    for row in frame.itertuples():  # the default label set comes first
        found.setdefault(
            (row.protocol, row.method, row.dataset),
            f"{percent(row.ci_low)} to {percent(row.ci_high)}",
        )
    return found


def _links(place: Path, folder: str, names: Sequence[str]) -> list[tuple[str, str]]:
    """Return (address, name) of those tables that are there, in a folder beside the page."""
    return [
        (f"{folder}/{quote(name)}", name) for name in names if (place / folder / name).is_file()
    ]


def _log_tail(path: Path) -> str:
    try:
        text = path.read_bytes()[-20_000:].decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-LOG_LINES:])


def _provenance(source: Source) -> list[tuple[str, list[tuple[str, list[str]]]]]:
    """Return for each run its name (empty for the only one) and what run.json says of how it was
    made.
    """
    manifest = source.run.manifest
    runs: dict[str, dict[str, Any]] = manifest.get("merged") or {"": manifest}
    return [(name, _facts(one)) for name, one in runs.items()]


def _commits(manifest: Mapping[str, Any]) -> list[str]:
    """Return the commits that the cells were begun by, with how many each where there are several;
    of an older run that of its last command.
    """
    begun = [
        cell
        for cell in manifest.get("cells", [])
        if Status(cell.get("status", Status.QUEUED)).is_runnable
    ]
    cells = Counter(filter(None, (cell.get("git") for cell in begun))) or Counter(
        filter(None, [manifest.get("git")])
    )
    shown = []
    for commit, count in cells.items():
        changed = " (with changes that are not committed)" if commit.endswith("+") else ""
        shown.append(
            f"git {commit}{changed}" + (f": {counted(count, 'cell')}" if len(cells) > 1 else "")
        )
    return shown


def _facts(manifest: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    lines = [entry["line"] for entry in manifest.get("commands", [])] or [
        manifest.get("command", "")
    ]
    machine = manifest.get("machine", {})
    memory = f"{machine['memory'] / 2**30:.1f} GB" if "memory" in machine else ""
    facts = {
        "Command": list(dict.fromkeys(lines)),
        "Started": [manifest.get("started", "")],
        "Source": _commits(manifest),
        "Versions": [", ".join(f"{name} {version}" for name, version in manifest.get("versions", {}).items())],
        "Machine": [", ".join(filter(None, [*(str(machine.get(key, "")) for key in ("system", "machine")), f"{machine['cores']} cores" if "cores" in machine else "", memory]))],
        "Device": [", ".join(f"{word}{manifest[key]}" for key, word in (("device", ""), ("workers", "workers: "), ("threads", "threads a cell: ")) if key in manifest)],
        "Profile": [manifest.get("profile", "")],
        "Seeds": [", ".join(map(str, manifest.get("seeds", [])))],
        "Protocol": [manifest.get("protocol", "")],
        "Detector": [manifest.get("detector", "")],
        "Resizing": [manifest.get("resizing", "")],
        "Kept": [", ".join(manifest.get("request", {}).get("keep", []))],
        "Plugins": [f"{one['name']}: {one['broken'] or one['origin']}" + (f", sha256 {one['sha256']}" if one.get("sha256") else "") for one in manifest.get("plugins", [])],
        "Datasets": [f"{one['label']}: " + (one["missing"] or f"fingerprint {one['fingerprint']}") for one in manifest.get("datasets", [])],
        "Notes": list(manifest.get("notes", [])),
    }  # fmt: skip
    return [
        (term, shown)
        for term, values in facts.items()
        if (shown := [value for value in values if value])
    ]
