"""What is there: the datasets of a request, on this machine."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from bench.contracts.dataset import Dataset
from bench.contracts.method import FrameFormat
from bench.errors import DataError, RequestError
from bench.frames.fingerprint import dataset_fingerprint
from bench.planning.asked import Asked
from bench.planning.request import Request
from bench.plugins.registry import Registry
from bench.plugins.selection import Selected
from bench.plugins.syntax import parse


@dataclass
class PlannedDataset:
    """A dataset of the request."""

    selected: Selected
    name: str
    """Its files are datasets/NAME.* in the run."""
    dataset: Dataset | None
    missing: str
    """Why it is not there; empty where it is."""
    fingerprint: str
    detector: str
    """Selector of the detector for methods that need tracks."""
    profile: str
    test_formats: set[FrameFormat] = field(default_factory=set)
    train_formats: set[FrameFormat] = field(default_factory=set)
    wants_tracks: bool = False
    wants_record: bool = False


def locate(asked: Asked, request: Request, registry: Registry) -> list[PlannedDataset]:
    """Look for the datasets of a request.

    Raises
    ------
    RequestError : with every dataset that was named singly and is not there.
    """
    found, mistakes = [], []
    for chosen in asked.datasets:
        dataset: Dataset = chosen.make()
        missing, fingerprint = "", ""
        try:
            dataset.locate(asked.roots)
            fingerprint = dataset_fingerprint(dataset)
        except DataError as error:
            missing = str(error)
            if named_singly(chosen, request.datasets):
                mistakes.append(missing)
        detector = request.detector or dataset.default_detector or _detector(registry, dataset)
        profile = request.profile or dataset.default_profile or asked.profile
        there = None if missing else dataset
        name = folder_name(chosen)
        found.append(PlannedDataset(chosen, name, there, missing, fingerprint, detector, profile))
    if mistakes:
        raise RequestError(*dict.fromkeys(mistakes))
    return found


def named_singly(chosen: Selected, text: str) -> bool:
    """Whether the user typed this one itself, not a group that it belongs to."""
    return chosen.name in {item.name for item in parse(text)}


def folder_name(chosen: Selected) -> str:
    """Return the name, with 8 hex digits of the parameters where the user gave some."""
    if not chosen.values:
        return chosen.name
    return f"{chosen.name}-{hashlib.sha256(chosen.text.encode()).hexdigest()[:8]}"


def _detector(registry: Registry, dataset: Dataset) -> str:
    """Return 'fasterrcnn' where its weights are found, else 'motion'."""
    try:
        registry.detectors["fasterrcnn"]().check(dataset.name)
    except (DataError, KeyError):
        return "motion"
    return "fasterrcnn"
