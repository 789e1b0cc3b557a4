"""Which cells follow from a request, and why each is run, reused, or cannot run."""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.contracts.compute import Compute
from bench.contracts.dataset import Dataset
from bench.contracts.detector import Detector
from bench.contracts.method import Method
from bench.contracts.network_method import NetworkMethod
from bench.contracts.parameters import plain
from bench.errors import DataError, RequestError
from bench.evaluation.published_numbers import published_of
from bench.hardware.machine import git_state
from bench.objects.tracking import named_by_detector, tracks_key
from bench.planning.asked import Asked
from bench.planning.cell_files import file_keys
from bench.planning.cell_spec import CellSpec
from bench.planning.located import PlannedDataset, folder_name, named_singly
from bench.planning.request import Request
from bench.planning.reuse import EarlierCells
from bench.plugins.registry import Registry
from bench.plugins.selection import Selected, select_one
from bench.plugins.trained_on import TRAIN_ON
from bench.runs.layout import CELLS
from bench.runs.records import CellRecord
from bench.runs.status import Status

if TYPE_CHECKING:
    from bench.planning.memory_estimate import MemoryEstimate  # imports torch

SCHEDULE = NetworkMethod.training_parameters - {"batch"}
"""Parameters of networks (`NetworkMethod`) that decide how they train, not how large they are."""


@dataclass(eq=False)  # looked for among ten thousand others, by identity
class PlannedCell:
    """A cell of the request: its record as it stands, and what is to be done."""

    spec: CellSpec
    record: CellRecord
    dataset: PlannedDataset
    network: bool
    reuse: bool
    why: str
    """Why it is reused, run again, or cannot run."""
    fresh: bool = False
    """What an earlier attempt left behind must not be used: it belongs to another key."""
    mine: bool = True
    """Whether it is in the shard of this runner."""
    lacking: Sequence[str] = ()
    """What the request wants kept, and this reused cell has not."""
    memory: MemoryEstimate | None = None
    """Of a network that has to be run, where it was estimated."""

    @property
    def may_be_large(self) -> bool:
        """Whether a look at its memory before the run is worth the seconds: a network, not of the
        sizes of profile smoke.
        """
        return self.network and (
            self.record.profile != "smoke" or bool({*self.record.parameters_changed} - SCHEDULE)
        )


@dataclass
class _Row:
    """A method on a dataset: what all its cells share."""

    chosen: Selected
    method: Method
    planned: PlannedDataset
    reason: str = ""
    """Why it cannot be computed here; empty where it can."""
    in_short: str = ""
    """The reason in a few words, for papers."""
    data_here: bool = True
    files: dict[str, Any] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)
    """What is said of files that parameters name and that are not there."""
    detector: str = ""
    tracks: str = ""

    @property
    def unknown(self) -> set[str]:
        """The entries of a key that cannot be known where something is not here."""
        known = {
            "dataset": self.data_here,
            "tracks": bool(self.tracks),
            "weights": "weights" in self.files,
            "files": not self.absent,
        }
        return {name for name, here in known.items() if not here}


def cells_of(
    asked: Asked,
    datasets: Sequence[PlannedDataset],
    request: Request,
    registry: Registry,
    earlier: EarlierCells,
) -> list[PlannedCell]:
    """Return the cells of a request, in its order, each with the decision about it.

    Notes are added to `asked.notes`, and what has to be prepared is written into `datasets`.

    Raises
    ------
    RequestError : a method that was named singly cannot compute like this, or its detector lacks
        something.
    """
    cells: list[PlannedCell] = []
    for planned in datasets:
        for chosen in asked.methods[planned.profile]:
            row = _row(chosen, planned, request, asked.compute, registry)
            specs = _specs(row, request, asked.compute, registry)
            of_row = [
                _planned(spec, record, row, request, asked, earlier)
                for spec, record in zip(specs, _records(specs, row, request.command))
            ]
            cells += of_row
            if of_row and of_row[0].record.selector != chosen.text:
                asked.notes.append(
                    f"{chosen.label} on {planned.selected.label} is {of_row[0].record.label}, "
                    "which is done: it is not computed again"
                )
    return cells


def _row(
    chosen: Selected,
    planned: PlannedDataset,
    request: Request,
    compute: Compute,
    registry: Registry,
) -> _Row:
    row = _Row(chosen, chosen.make(), planned, planned.missing)
    method, dataset = row.method, planned.dataset
    if dataset is not None:
        needs = ("lengths", *sorted(method.needs & {"frames", "train"}))
        row.reason = next(filter(None, (dataset.lacks(need) for need in needs)), "")
    row.data_here = not row.reason
    row.files, row.absent = file_keys(method, planned.selected.name, registry)
    if not row.reason and row.absent:
        row.reason = f"{chosen.label}: {'; '.join(row.absent)}"
    if not row.reason and dataset is not None:
        try:
            method.check(dataset.name)
        except DataError as error:
            row.reason, row.in_short = str(error), error.in_short
    refusal = method.refusal(compute) if isinstance(method, NetworkMethod) else ""
    if not row.reason and refusal:
        row.reason = f"{chosen.label}: {refusal}"
        if named_singly(chosen, request.methods):
            raise RequestError(row.reason)
    if dataset is not None and not row.reason and not method.published_only:
        _take_part(row, dataset, request, registry)
    return row


def _take_part(row: _Row, dataset: Dataset, request: Request, registry: Registry) -> None:
    """Write into the dataset what has to be prepared for a row, and find the key of its tracks."""
    method, planned = row.method, row.planned
    planned.wants_record = True
    if "tracks" in method.needs:
        detector: Detector = select_one("detectors", planned.detector, registry).make()
        training = dataset.owner("train")
        try:
            detector.check(training.name)
            if lacking := named_by_detector(training, detector)[1]:
                raise DataError(f"detector {planned.detector}: {'; '.join(lacking)}")
            row.detector, row.tracks = planned.detector, tracks_key(training, detector)
        except DataError as error:
            raise RequestError(str(error)) from error
        planned.wants_tracks = True
    if method.frames is None:
        return
    if "frames" in method.needs:
        planned.test_formats.add(method.frames)
    scores_train = "frames" in method.needs and (
        "train-scores" in request.keep
        or ("regions" in request.keep and isinstance(method, NetworkMethod))
    )
    if "train" in method.needs or (scores_train and not dataset.lacks("train")):
        planned.train_formats.add(method.frames)


def _specs(row: _Row, request: Request, compute: Compute, registry: Registry) -> list[CellSpec]:
    """Return one spec for each seed and scene."""
    method, chosen, planned = row.method, row.chosen, row.planned
    bf16_version = 1
    if not isinstance(method, NetworkMethod):
        compute = replace(compute, accumulate=1, precision="fp32", compile=False)
    else:
        if method.weights_file is not None or "train" not in method.needs:
            compute = replace(compute, accumulate=1)
        if compute.precision == "bf16":
            bf16_version = method.bf16_version
    scenes = (planned.dataset.model_scenes() if planned.dataset is not None else ()) or ("",)
    return [
        CellSpec(
            method=chosen.name,
            selector=chosen.text,
            version=method.version,
            parameters=plain(method.parameters),
            profile=chosen.profile or planned.profile,
            dataset=planned.selected.text,
            fingerprint=planned.fingerprint,
            seed=seed,
            scene=scene,
            detector=row.detector,
            tracks=row.tracks,
            plugin=registry.source("methods", chosen.name),
            files=row.files,
            bf16_version=bf16_version,
            keep=request.keep,
            compute=compute,
        )
        for seed in (request.seeds if method.uses_seed else request.seeds[:1])
        for scene in scenes
    ]


def _planned(
    spec: CellSpec,
    record: CellRecord,
    row: _Row,
    request: Request,
    asked: Asked,
    earlier: EarlierCells,
) -> PlannedCell:
    earlier.take_twin(record)
    network = isinstance(row.method, NetworkMethod)
    if row.method.published_only:
        record.status, record.reason = Status.PUBLISHED_ONLY, row.method.published_only
        return PlannedCell(spec, record, row.planned, False, False, record.reason)
    if row.reason:
        record.reason_in_short = row.in_short
        decision = earlier.without_data(record, row.reason, row.unknown, row.planned.detector)
    else:
        decision = earlier.decide(record, row.chosen.text in asked.forced, request.keep)
    return PlannedCell(
        spec,
        decision.record,
        row.planned,
        network,
        decision.reuse,
        decision.why,
        decision.fresh,
        lacking=decision.lacking,
    )


def _records(specs: Sequence[CellSpec], row: _Row, command: str) -> list[CellRecord]:
    """Return the record of each spec of a row. A row may have ten thousand cells: what they share
    is found once.
    """
    if not specs:
        return []
    method, chosen, planned, spec = row.method, row.chosen, row.planned, specs[0]
    shared = {
        "method": spec.method,
        "label": chosen.label,
        "selector": spec.selector,
        "dataset": planned.selected.label,
        "dataset_folder": planned.name,
        "display_name": chosen.display_name,
        "given_name": chosen.given_name,
        "dataset_display_name": planned.selected.display_name,
        "dataset_given_name": planned.selected.given_name,
        "supervision": method.supervision,
        "extra_knowledge": method.extra_knowledge,
        "family": method.info.family,
        "citation": method.info.citation,
        "year": method.info.year,
        "profile": spec.profile,
        "detector": spec.detector,
        "data_share": _data_share(planned.dataset, method),
        "device": spec.compute.device,
        "threads": spec.compute.threads,
        "needs": sorted(method.needs),
        "uses_seed": method.uses_seed,
        "parameters": dict(spec.parameters),
        "parameters_changed": plain(chosen.values),
        "source_sha256": _source_hash(_file_of(method)),
        "git": git_state(),
        "command": command,
        "deviations": [*method.deviations, *spec.compute.deviations()],
        "bibtex": method.info.bibtex,
        "ablation": list(method.info.ablation or ()),
        "published": _published(method, planned.selected),
        "paper_protocol": method.paper_protocol,
        "normalises_clips": method.normalises_clips,
    }
    folder = Path(CELLS, folder_name(chosen), planned.name).as_posix()
    return [
        CellRecord(
            folder="/".join(filter(None, (folder, str(spec.seed), spec.scene))),
            seed=spec.seed,
            scene=spec.scene,
            key=spec.key(),
            **shared,
        )
        for spec in specs
    ]


def _data_share(dataset: Dataset | None, method: Method) -> float:
    """Return the share of the dataset that the row stands on: of its frames, or of its test clips
    where no frame is needed.
    """
    if dataset is None:
        return 1.0
    if method.needs & {"frames", "train"}:
        return round(dataset.share(), 6)
    expected = dataset.expected.get("test", {})
    here = {clip.id for clip in dataset.clips("test")} & set(expected)
    return round(len(here) / len(expected), 6) if expected else 1.0


def _published(method: Method, dataset: Selected) -> dict[str, str]:
    for number in method.published or published_of(method.name, method.info):
        if number.dataset == dataset.name and TRAIN_ON.name not in dataset.values:
            return {"auc": number.auc, "source": number.source}
    return {}


@functools.cache
def _source_hash(file: str) -> str:
    """Return the SHA-256 of the file that defines a method; empty where it cannot be read."""
    try:
        return hashlib.sha256(Path(file).read_bytes()).hexdigest()
    except OSError:
        return ""


def _file_of(method: Method) -> str:
    try:
        return inspect.getfile(type(method))
    except (OSError, TypeError):  # defined in a notebook or a console
        return ""
