"""checklist.md of a pack: what reproducibility checklists of conferences ask, answered as far as
the run knows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bench.evaluation.run_scores import RunScores
from bench.plugins.registry import Registry
from bench.runs.folder import Run
from bench.runs.manifest import Manifest
from bench.runs.records import CellRecord
from bench.runs.status import Status
from bench.scoring.protocols import sentence
from bench.sharing.lock import machine_lines
from bench.wording import counted, listed

AUTHORS = "(for the authors: the run does not know)"
"""In the place of an answer that no file of the run has."""


def checklist(run: Run, run_scores: RunScores, registry: Registry) -> str:
    """Return checklist.md."""
    manifest, cells = run.manifest, run_scores.cells
    protocols = [one for one in registry.protocols.values() if one.name == manifest.protocol]
    answers = {
        "Which experiments were run, and do all results stand in the tables?": _experiments(cells),
        "Compute: which hardware, how long, how much memory?": _compute(manifest, cells),
        "Software: which versions?": (
            f"bench {manifest.versions.get('vad-bench') or 'of an unknown version'}"
            + (f", commit {manifest.git}" if manifest.git else "")
            + "; the packages stand in requirements.txt."
        ),
        "Random seeds: which, and what do they set?": _seeds(cells),
        "Error bars: what do they show, and how are they computed?": (
            "The spread behind a mean is the standard deviation over seeds (n - 1), its number of "
            "seeds beside it. 95 % intervals resample whole test clips (bootstrap), since frames "
            "of one clip depend on each other. Which rows differ is asked with a paired test over "
            "clips. A mean is printed only where every seed finished."
        ),
        "Hyperparameters: which, and how were they chosen?": (
            "All parameters of each cell stand in its cell.json. Those that differ from the "
            f"profile: {_changed(cells)}. How a profile was chosen stands in the documentation of "
            f"bench; how these were chosen: {AUTHORS}"
        ),
        "Model selection: which epoch was evaluated?": (
            "The last one. No epoch was chosen by its result on test clips, and no label of a test "
            "clip is seen by a method; where a method differs, a footnote of its row says so."
        ),
        "Evaluation: which metric and protocol?": (
            f"{manifest.protocol}"
            + (f": {sentence(protocols[0])}" if protocols else "")
            + ". results.csv has every number under every other protocol."
        ),
        "Data: which, which splits, how was it read?": _data(run, run_scores),
        "Licences and terms of use of the data": _licences(manifest, registry),
        "Licence of the code": "bench: MIT. Methods are implementations of their papers, cited in CITATION.bib; code of a plugin: see its author.",
        "What differs from the published methods?": _deviations(cells),
        "Consent, privacy and harm": (
            "The datasets show people who walked past surveillance cameras. "
            + (
                "This pack has images of them (cells/*/images, report.html): the terms of the "
                "data hold for these too."
                if any(any(run.files_of(cell).kept_images()) for cell in cells)
                else "This pack has no frames of them."
            )
            + f" Consent of the recorded, and harm that the method may do: {AUTHORS}"
        ),
    }
    parts = [
        "# Answers for a reproducibility checklist",
        "Read from the files of the run; nothing here was typed.",
    ]
    parts += [f"## {question}\n\n{answer}" for question, answer in answers.items()]
    return "\n\n".join(parts) + "\n"


def _experiments(cells: Sequence[CellRecord]) -> str:
    counts = Counter(cell.status for cell in cells)
    said = ", ".join(f"{number} {status}" for status, number in counts.items())
    failed = [
        f"- {cell.label} on {cell.dataset}, seed {cell.seed}: {' '.join(cell.reason.split())}"
        for cell in cells
        if cell.status == Status.FAILED
    ]
    text = f"{counted(len(cells), 'cell')} (a method, a dataset and a seed): {said}. All stand in the tables."
    return "\n".join([text, *(["", "Failed:", *failed] if failed else [])])


def _compute(manifest: Manifest, cells: Sequence[CellRecord]) -> str:
    done = [cell for cell in cells if cell.status == Status.DONE]
    hours = sum(cell.seconds.get("total", 0.0) for cell in done) / 3600
    attempts = sum(cell.attempts for cell in cells)
    memory = max((cell.cost.get("peak_memory", 0.0) for cell in done), default=0.0)
    devices = listed(
        sorted({f"{cell.device} of {counted(cell.threads, 'thread')}" for cell in done})
    )
    lines = [
        *machine_lines(manifest),
        f"devices of the cells: {devices or 'none'}",
        f"finished cells: {hours:.2f} hours in all, {counted(attempts, 'attempt')} with those that failed or were interrupted",
        f"largest memory of a cell: {memory / 2**30:.2f} GiB",
    ]
    return "\n".join(f"- {line}" for line in lines) + (
        "\n\nThe time of each cell is in its cell.json; `bench report run --table speed` shows it. "
        f"Compute of experiments that are not in this run: {AUTHORS}"
    )


def _seeds(cells: Sequence[CellRecord]) -> str:
    of_rows: dict[tuple[int, ...], list[str]] = {}
    rows: dict[str, set[int]] = {}
    for cell in cells:
        if cell.status.is_runnable and cell.uses_seed:
            rows.setdefault(cell.label, set()).add(cell.seed)
    for label, seeds in rows.items():
        of_rows.setdefault(tuple(sorted(seeds)), []).append(label)
    said = [
        f"- seeds {', '.join(map(str, seeds))}: {', '.join(labels)}"
        for seeds, labels in of_rows.items()
    ]
    fixed = listed(cell.label for cell in cells if cell.status.is_runnable and not cell.uses_seed)
    if fixed:
        said.append(f"- no seed, since nothing is drawn: {fixed}")
    return "\n".join(said) + (
        "\n\nA seed sets the random generators of Python, NumPy and torch, the order of the "
        "training windows and the draws of each sample; torch is in deterministic mode."
    )


def _changed(cells: Sequence[CellRecord]) -> str:
    return listed(cell.selector for cell in cells if cell.parameters_changed) or "none"


def _data(run: Run, run_scores: RunScores) -> str:
    lines = []
    for entry in run.manifest.datasets:
        cell = next((one for one in run_scores.cells if one.dataset == entry.get("label")), None)
        record = run_scores.dataset(cell) if cell is not None else None
        if record is None:
            lines.append(f"- {entry.get('label')}: not there ({entry.get('missing') or 'unknown'})")
            continue
        frames = sum(length for _, length, _ in record.clips)
        lines.append(
            f"- {record.label}: {counted(len(record.clips), 'test clip')}, {frames} frames, label sets "
            f"{listed(record.label_sets) or 'none'}, fingerprint {record.fingerprint}; the published split into training and test clips"
        )
    return "\n".join(
        [*lines, "", f"Frames are resized by {run.manifest.resizing or 'an unknown rule'}."]
    )


def _licences(manifest: Manifest, registry: Registry) -> str:
    lines = []
    for entry in manifest.datasets:
        kind = registry.datasets.get(entry.get("name", ""))
        licence = kind.info.licence if kind is not None else ""
        lines.append(f"- {entry.get('label')}: {licence or AUTHORS}")
    return "\n".join(lines)


def _deviations(cells: Sequence[CellRecord]) -> str:
    rows: dict[str, list[str]] = {}
    for cell in cells:
        rows.setdefault(cell.label, []).extend(cell.deviations)
    lines = [f"- {label}: {listed(texts).rstrip('.')}" for label, texts in rows.items() if texts]
    return "\n".join(lines) or "Nothing is known to differ."
