"""Model cards of the weights that a run kept (after Mitchell et al., Model Cards for Model
Reporting, 2019).
"""

from __future__ import annotations

import json
from pathlib import PurePosixPath

from bench.errors import RequestError
from bench.evaluation.run_scores import RunScores
from bench.files.checksums import digest_of
from bench.plugins.registry import Registry
from bench.plugins.selection import select_one
from bench.runs.folder import Run
from bench.runs.records import CellRecord
from bench.runs.status import Status
from bench.scoring.metrics import choose_metric
from bench.scoring.protocols import sentence
from bench.sharing.claims import RUN
from bench.tables.table import percent


def model_cards(run: Run, run_scores: RunScores, registry: Registry) -> dict[str, str]:
    """Return a card for each cell with kept weights, by the path of its file."""
    return {
        f"model_cards/{'-'.join(PurePosixPath(cell.folder).parts[1:])}.md": _card(
            run, cell, run_scores, registry
        )
        for cell in run_scores.cells
        if cell.status == Status.DONE and run.files_of(cell).weights.exists()
    }


def _card(run: Run, cell: CellRecord, run_scores: RunScores, registry: Registry) -> str:
    weights = run.files_of(cell).weights
    dataset = next(
        (entry for entry in run.manifest.datasets if entry.get("label") == cell.dataset), {}
    )
    kind = registry.datasets.get(dataset.get("name", ""))
    licence = (kind.info.licence if kind is not None else "") or "see its owner"
    method = registry.methods.get(cell.method)
    title = method.info.title if method is not None else cell.method
    scene = f", scene {cell.scene}" if cell.scene else ""
    parts = [
        f"# {cell.label}, trained on {cell.dataset}{scene}, seed {cell.seed}",
        f"- method: {title}" + (f" ({cell.citation} in CITATION.bib)" if cell.citation else ""),
        f"- weights: {cell.folder}/{weights.name}, SHA-256 {digest_of(weights)}",
        _training(cell),
        f"- parameters of the network: {cell.cost['parameters']:.0f}"
        if "parameters" in cell.cost
        else "",
        "\n## Use",
        f"Scores video of the camera that it was trained on: `bench apply {RUN}/{cell.folder} "
        "VIDEO`. A high score says that a frame differs from training, not that anything is wrong. "
        "It was not made to act on people without somebody who looks.",
        "\n## Numbers",
        *_numbers(run, cell, run_scores, registry),
        "\n## Training data",
        f"{cell.dataset}: {licence}. Weights are made from the data; whether its terms allow "
        "passing them on is for its owner to say.",
        "\n## Limits",
        "Known for the test clips of this dataset alone; other scenes, cameras and light were not "
        "measured.",
        *(f"- {text}" for text in [*cell.warnings, *cell.deviations]),
        "\n## All parameters",
        f"```json\n{json.dumps(cell.parameters, indent=1, sort_keys=True)}\n```",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _training(cell: CellRecord) -> str:
    if cell.parameters.get("weights"):
        return f"- not trained in this run: from the released file {cell.parameters['weights']}"
    return (
        f"- trained: on the training clips of {cell.dataset} (normal video only), profile "
        f"{cell.profile}, on {cell.device} in {cell.seconds.get('fit', 0.0):.0f} s, "
        f"{cell.compute.precision}; the weights are those after the last epoch"
    )


def _numbers(run: Run, cell: CellRecord, run_scores: RunScores, registry: Registry) -> list[str]:
    try:
        protocol = select_one("protocols", run.manifest.protocol, registry).parameters
    except RequestError:  # of a plugin that is not loaded
        return ["see run/tables/results.csv"]
    found = [
        one
        for one in run_scores.measure([protocol], [choose_metric("auc", registry)])
        if one.cell.folder == cell.folder and one.scene == cell.scene
    ]
    lines = [
        f"- frame AUC, labels {one.label_set}: {percent(one.result.value)} ({one.result.clips} test clips, {one.result.frames} frames)"
        for one in found
        if one.result.value is not None
    ]
    return [f"Protocol {protocol.name}: {sentence(protocol)}.", *(lines or ["- none"])]
