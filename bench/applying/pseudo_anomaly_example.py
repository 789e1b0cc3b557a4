"""How a network that was trained with distinction restores a training window and its
pseudo-anomaly, from kept weights.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.applying.finished_cell import FinishedMethod, dataset_of, finished_method
from bench.contracts.clip import Clip
from bench.contracts.creator import Creator
from bench.contracts.dataset import Dataset
from bench.contracts.detector import Detector
from bench.contracts.method import Method, OpenClip
from bench.contracts.network_method import NetworkMethod
from bench.engine.context import make_context
from bench.errors import DataError, RequestError
from bench.figures.distinction import SIGMAS, Distinction
from bench.frames.store import prepare_frames
from bench.objects.tracking import prepare_tracks
from bench.planning.cell_files import creators_of
from bench.runs.folder import Run
from bench.runs.records import CellRecord
from bench.worker.keepers.images import as_image
from bench.worker.opening import clip_length, make_detector, open_clip

SPANS = {"-1..1": 2.0}
"""Width of a value range, if it is not 1."""


def pseudo_anomaly_example(
    run: Run, cell: CellRecord, data: Sequence[Path], step: Callable[[int, int, str], None]
) -> Distinction:
    """Make the pseudo-anomaly of one training window, and let the cell's network restore it.

    The window is the first that a pseudo-anomaly can be made of, starting from the middle of the
    middle training clip.

    Parameters
    ----------
    data : folders with datasets, as `--data`; empty: BENCH_DATA, else the default folders.

    Raises
    ------
    RunError : the cell kept no weights, or they cannot be read.
    DataError : there are no frames of training clips, or a file that a creator reads is not there.
    RequestError : the method makes no pseudo-anomaly of any training window that was tried.
    """
    fitted = finished_method(run, cell, data)
    method = fitted.method
    none = RequestError(
        f"{cell.label} on {cell.dataset}: no training window in the second half of a clip has a "
        "pseudo-anomaly to show; the figures are for networks that were trained with "
        "distinction, and the detector has to find objects (datasets/*.json of the run)"
    )
    if not isinstance(method, NetworkMethod) or method.frames is None:
        raise none
    dataset = dataset_of(run, cell, data)
    clips = [
        clip
        for clip in dataset.clips("train")
        if clip.source is not None and (not cell.scene or clip.scene == cell.scene)
    ]
    if not clips:
        raise DataError(
            f"{cell.dataset}: no frames of training clips below {dataset.root}; name the place of "
            "the dataset with --data DIR"
        )
    detector = make_detector(cell.detector) if cell.detector else None
    notes = fitted.notes + _prepare_creators(fitted, cell, dataset, clips, detector, step)
    middle = len(clips) // 2
    # One for all windows: with one of its own, each would draw alike whether it has one.
    generator = np.random.default_rng(cell.seed)
    for clip in [*clips[middle:], *clips[:middle]]:
        opened = _opened(dataset, clip, method, detector, step)
        starts = method.training_window.starts(opened.length)
        for start in starts[len(starts) // 2 :]:
            found = method.pseudo_anomaly(opened, start, generator, SIGMAS)
            if found is not None:
                return _shown(method, cell, clip.id, start, found, notes)
    raise none


def _prepare_creators(
    fitted: FinishedMethod,
    cell: CellRecord,
    dataset: Dataset,
    clips: Sequence[Clip],
    detector: Detector | None,
    step: Callable[[int, int, str], None],
) -> list[str]:
    """Let the creators look at the training clips, as before the training; return what they say
    otherwise than then.
    """
    creators = [
        creator
        for creator in creators_of(fitted.method)
        if type(creator).prepare is not Creator.prepare
    ]
    if not creators:
        return []
    if not any("tracks" in creator.needs for creator in creators):
        detector = None
    opened = [_opened(dataset, clip, fitted.method, detector, step) for clip in clips]
    quiet = logging.Logger("example", logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        context = make_context(cell.seed, fitted.compute, Path(folder), quiet)
        for creator in creators:
            creator.prepare(opened, context)
    return [
        f"{name} here: {value}; in the run: {cell.facts[name]}"
        for name, value in context.facts.items()
        if cell.facts.get(name, value) != value
    ]


def _opened(
    dataset: Dataset,
    clip: Clip,
    method: Method,
    detector: Detector | None,
    step: Callable[[int, int, str], None],
) -> OpenClip:
    """Return a training clip whose frames are prepared at first use, and its tracks now."""
    if detector is not None:
        prepare_tracks(dataset.owner("train"), [clip], detector, step)
    opened = open_clip(dataset, clip, clip_length(clip), method, detector, lambda: None)
    read, frames = opened.opener, method.frames
    assert read is not None and frames is not None

    def opener() -> np.ndarray:
        prepare_frames(dataset, [clip], [frames], step)
        return read()

    return replace(opened, opener=opener)


def _shown(
    method: NetworkMethod,
    cell: CellRecord,
    clip: str,
    start: int,
    found: dict[str, np.ndarray],
    notes: list[str],
) -> Distinction:
    span = SPANS.get(method.window.value_range, 1.0)

    def residual(one: str, other: str) -> np.ndarray:
        return np.sqrt(np.square((found[one] - found[other]) / span).mean(axis=0)).astype(
            np.float32
        )

    return Distinction(
        clip=clip,
        frame=start + int(found["frame"]),
        sigma=float(found["sigma"]),
        learned=cell.parameters.get("anomaly_weight") == "learned",
        blends=tuple(as_image(method, blend) for blend in found["blends"]),
        normal=as_image(method, found["normal"]),
        pseudo_anomaly=as_image(method, found["pseudo_anomaly"]),
        of_normal=as_image(method, found["of_normal"]),
        of_pseudo_anomaly=as_image(method, found["of_pseudo_anomaly"]),
        residuals={
            "|X - X_A|": residual("normal", "pseudo_anomaly"),
            "|X_A - f(X_A)|": residual("pseudo_anomaly", "of_pseudo_anomaly"),
            "|X - f(X)|": residual("normal", "of_normal"),
            "|X - f(X_A)|": residual("normal", "of_pseudo_anomaly"),
        },
        notes=list(notes),
    )
