"""A run in the forms that others collect: entries of a leaderboard, and scores of each frame."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from bench.contracts.metric import Metric
from bench.contracts.protocol import Protocol
from bench.evaluation.run_scores import RunScores
from bench.evaluation.summaries import Summary, shown_summaries
from bench.files.whole_files import npz, write_bytes
from bench.plugins.registry import Registry
from bench.runs.folder import Run
from bench.runs.records import CellRecord
from bench.runs.status import Status
from bench.scoring.evaluate import processed
from bench.scoring.intervals import METRIC
from bench.scoring.protocols import sentence
from bench.tables.forms.paper_layout import knowledge_of, supervision_of
from bench.tables.table import as_printed

MEASURED = "measured"
"""The `score_source` of a number that was computed from scores in a run."""


@dataclass(frozen=True)
class Asked:
    """What is exported."""

    run: Run
    run_scores: RunScores
    registry: Registry
    protocol: Protocol
    metric: Metric


def export_run(asked: Asked, form: str, folder: Path) -> list[Path]:
    """Write a run in one of `FORMATS` into a folder, and return the files.

    Raises
    ------
    RunError : a file cannot be written.
    """
    written = []
    for name, content in FORMATS[form].make(asked):
        write_bytes(folder / name, content)
        written.append(folder / name)
    return written


def _leaderboards(asked: Asked) -> Iterator[tuple[str, bytes]]:
    """Yield a YAML file for each dataset, with an entry for each method."""
    for dataset, entries in _entries(asked).items():
        # A number from a paper has another protocol and labels: its entry says so by itself.
        measured = [entry for entry in entries if entry["score_source"] == MEASURED]
        first = (measured or entries)[0]
        head = {name: first[name] for name in ("dataset", "metric", "protocol", "label_set")}
        lines = [f"{key}: {_scalar(value)}" for key, value in head.items()]
        lines.append("entries:")
        for entry in entries:
            mark = "-"
            for key, value in entry.items():
                if value not in (None, "", [], head.get(key)):
                    lines.append(f"  {mark} {key}: {_scalar(value)}")
                    mark = " "
        yield f"{dataset}.yaml", ("\n".join(lines) + "\n").encode()


def _scalar(value: Any) -> str:
    """Return a value as YAML reads it: JSON is a part of YAML."""
    return json.dumps(value, ensure_ascii=False)


def _csv(asked: Asked) -> Iterator[tuple[str, bytes]]:
    """Yield leaderboard.csv: a line for each entry of each dataset."""
    entries = [entry for found in _entries(asked).values() for entry in found]
    columns = list(dict.fromkeys(key for entry in entries for key in entry))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for entry in entries:
        writer.writerow(
            {
                key: ";".join(map(str, value)) if isinstance(value, list) else value
                for key, value in entry.items()
            }
        )
    yield "leaderboard.csv", text.getvalue().encode()


def _entries(asked: Asked) -> dict[str, list[dict[str, Any]]]:
    """Return the entries of each dataset, by the name of its files, in the order of the run."""
    found: dict[str, list[dict[str, Any]]] = {}
    for summary in shown_summaries(asked.run_scores, asked.protocol, asked.metric):
        entry = _measured(asked, summary) or _published(asked, summary.cell)
        if entry:
            found.setdefault(summary.cell.dataset_folder, []).append(entry)
    return found


def _measured(asked: Asked, summary: Summary) -> dict[str, Any] | None:
    """Return the entry of a method that has a number; percent, with the digits of the tables."""
    mean = summary.mean
    if mean is None:
        return None
    cell, interval = summary.cell, summary.interval
    published = cell.published if asked.metric.name == METRIC else {}
    return {
        **_method(asked, cell),
        "score": as_printed(100 * mean),
        "score_sd": None if summary.sd is None else as_printed(100 * summary.sd),
        "interval_95": None
        if interval is None or interval.low is None or interval.high is None
        else [as_printed(100 * interval.low), as_printed(100 * interval.high)],
        "seeds": [one.cell.seed for one in summary.measurements] if cell.uses_seed else [],
        "dataset": cell.dataset,
        "metric": _metric(asked.metric),
        "protocol": f"{asked.protocol.name}: {sentence(asked.protocol)}",
        "label_set": summary.label_set,
        "score_source": MEASURED,
        "published_score": published.get("auc", ""),
        "published_protocol": cell.paper_protocol if published else "",
        "profile": cell.profile,
        "software": f"vad-bench {asked.run.manifest.versions.get('vad-bench') or ''}".strip(),
    }


def _published(asked: Asked, cell: CellRecord) -> dict[str, Any] | None:
    """Return the entry of a method of which a number is printed and no code is public."""
    if cell.status != Status.PUBLISHED_ONLY or asked.metric.name != METRIC or not cell.published:
        return None
    return {
        **_method(asked, cell),
        "score": float(cell.published["auc"]),
        "dataset": cell.dataset,
        "metric": _metric(asked.metric),
        "protocol": "that of its paper",
        "label_set": "that of its paper",
        "score_source": f"printed in {cell.published['source']}",
    }


def _method(asked: Asked, cell: CellRecord) -> dict[str, Any]:
    """Return what is said of a method."""
    method = asked.registry.methods.get(cell.method)
    return {
        "method": cell.display_name,
        "identifier": cell.label,
        "title": method.info.title if method is not None else "",
        "paper": cell.citation,
        "year": cell.year,
        "track": "" if cell.status == Status.PUBLISHED_ONLY else supervision_of(cell),
        "extra_knowledge": knowledge_of(cell, asked.registry),
    }


def _metric(metric: Metric) -> str:
    return f"{metric.title or metric.name}, percent"


def _frames(asked: Asked) -> Iterator[tuple[str, bytes]]:
    """Yield an npz for each finished method, dataset and seed: a line for each scored frame."""
    for one in asked.run_scores.measure([asked.protocol], [asked.metric]):
        cell = one.cell
        record = asked.run_scores.dataset(cell)
        label_sets = () if record is None else record.label_sets
        if one.scene or not one.clips or one.label_set != "".join(label_sets[:1]):
            continue
        assert record is not None, "scores without their dataset"
        clips = [clip for clip in one.clips if len(clip.scores)]
        parts = processed(clips, asked.protocol)
        arrays: dict[str, np.ndarray] = {
            "clip": np.concatenate([np.full(len(clip.frames), clip.id) for clip in clips]),
            "frame": np.concatenate([clip.frames for clip in clips]).astype(np.int32),
            "score": np.concatenate([clip.scores for clip in clips]).astype(np.float32),
            "processed": np.concatenate([part.scores for part in parts]),
        }
        for number, label_set in enumerate(label_sets):
            labels = record.labels[label_set]
            arrays["label" if not number else f"label_{label_set}"] = np.concatenate(
                [labels[clip.id][clip.frames] for clip in clips]
            ).astype(np.uint8)
        method, *_ = PurePosixPath(cell.folder).parts[1:]
        yield f"{cell.dataset_folder}/{method}-{cell.seed}.npz", npz(arrays)


@dataclass(frozen=True)
class Format:
    """One form of a run."""

    about: str
    make: Callable[[Asked], Iterator[tuple[str, bytes]]]
    """Yields the files: path below the folder, and content."""


FORMATS: Mapping[str, Format] = {
    "leaderboard": Format(
        "a YAML file for each dataset, with an entry for each method", _leaderboards
    ),
    "csv": Format("the same entries as one CSV file", _csv),
    "npz": Format("scores and labels of each frame, a file for each method and seed", _frames),
}
"""Every form, by the name that `--format` takes."""
