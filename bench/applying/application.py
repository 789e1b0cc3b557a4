"""A finished cell that is applied to footage: which one, its threshold, and what it cannot
score.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.applying.finished_cell import FinishedMethod, finished_method
from bench.applying.footage import Footage
from bench.contracts.method import FrameFormat, Method
from bench.contracts.network_method import NetworkMethod
from bench.contracts.protocol import Protocol
from bench.errors import RequestError
from bench.hardware.machine import git_state, versions
from bench.planning.commands import keep_commands
from bench.plugins.registry import current
from bench.plugins.selection import select_one
from bench.runs.folder import Run
from bench.runs.records import CellRecord
from bench.runs.status import Status
from bench.scoring.alarms import QUANTILE, threshold_of
from bench.scoring.protocols import reach, smoothing
from bench.wording import listed

MOST, MORE = 6, " and {} more"
"""Cells that an error names, and how it ends where there are more."""

RATE = 25.0
"""Frames per second if nothing states them: that of ShanghaiTech and Avenue. Chosen here."""


@dataclass(frozen=True)
class Application:
    """A finished cell and how it is applied."""

    cell: CellRecord
    fitted: FinishedMethod
    protocol: Protocol
    threshold: float
    threshold_from: str
    promised: float | None
    """The share of normal frames that may be above the threshold; None if the user set the
    threshold itself."""
    fps: float | None
    """Frames per second, if the user set them."""
    training_rate: float | None
    """Frames per second of the training data, if known."""
    give_up: float = 600.0
    """Seconds without a frame after which a live source is given up."""
    image_height: int = 0
    """Largest height of the images in `ScoredFrame`, in pixels; 0: no images."""
    notes: tuple[str, ...] = ()
    """How scoring differs from that of the run, and what limits the threshold."""

    @property
    def frames(self) -> FrameFormat:
        """The format that the method reads."""
        assert self.fitted.method.frames is not None
        return self.fitted.method.frames

    @property
    def smoothed(self) -> str:
        """How scores are smoothed before the threshold, in words, and the lag of the decision."""
        words = smoothing(self.protocol)
        said = f"scores smoothed first ({words})" if words else "scores as they are"
        method = self.fitted.method
        if not isinstance(method, NetworkMethod) or not takes_frames_as_they_come(method):
            return said
        window = method.window
        after = window.span - 1 - window.targets[0] * window.step + reach(self.protocol)
        return said + f"; the decision lags {after} frames behind the video"

    def about(self, run: Run, source: str) -> dict[str, Any]:
        """Return the contents of apply.json: the cell, its weights and the version behind every
        number in the folder.
        """
        cell = self.cell
        weights = hashlib.sha256(run.files_of(cell).weights.read_bytes()).hexdigest()
        return {
            "source": source,
            "run": str(run.path),
            "cell": cell.folder,
            "method": cell.selector,
            "version": cell.key.get("version"),
            "parameters": cell.parameters,
            "dataset": cell.dataset,
            "seed": cell.seed,
            "profile": cell.profile,
            "weights_sha256": weights,
            "device": self.fitted.compute.device,
            "notes": list(self.notes),
            "threshold": self.threshold,
            "threshold_from": self.threshold_from,
            "protocol": self.protocol.name,
            "smoothed": self.smoothed,
            "versions": versions(),
            "git": git_state(),
        }


def prepare_application(
    cell: Path,
    footage: Sequence[Footage],
    protocol: str | None,
    threshold: float | None,
    rate: float | None,
    fps: float | None = None,
    give_up: float = 600.0,
    image_height: int = 0,
    device: str = "",
    threads: int = 0,
) -> tuple[Application, Run]:
    """Find a cell, refuse footage that it cannot score, choose the threshold, and load the method.
    What is refused quickly comes first.

    Parameters
    ----------
    protocol : a selector; None: the protocol of the run.
    threshold, rate : the threshold, or the share of training frames that may be above it; if both
        are None, the share of the table operator.

    Raises
    ------
    RequestError, RunError : see `find_cell`, `refuse`, `choose_threshold`, `finished_method`.
    """
    run, record = find_cell(cell)
    registry = current()
    refuse(select_one("methods", record.selector, registry, record.profile).make(), record, footage)
    chosen: Protocol = select_one(
        "protocols", protocol or run.manifest.protocol, registry
    ).parameters
    source = "as set with --threshold"
    notes: list[str] = []
    promised = None
    if threshold is None:
        promised = 1 - QUANTILE if rate is None else rate
        threshold, source, notes = choose_threshold(run, record, chosen, promised)
    fitted = finished_method(run, record, (), device, threads, "weights,train-scores")
    trained = run.dataset(record.dataset_folder).frame_rate
    more = (fps, trained, give_up, image_height, (*fitted.notes, *notes))
    return Application(record, fitted, chosen, threshold, source, promised, *more), run


def find_cell(path: Path) -> tuple[Run, CellRecord]:
    """Return the only finished cell with kept weights at or below a path, and its run.

    Raises
    ------
    RequestError : no run, no such cell, or several, with their folders.
    """
    place = path.expanduser().resolve()
    found = Run.above(place)
    if found is None:
        raise RequestError(
            f"{path} is not a cell: neither it nor a folder above it is a run (a cell is "
            "results/RUN/cells/METHOD/DATASET/SEED)"
        )
    given = path.expanduser()  # messages name the run as it was typed, where that can be
    run = Run.open(
        next(
            (folder for folder in (given, *given.parents) if folder.resolve() == found.path),
            found.path,
        )
    )
    cells = [cell for cell in run.cells() if found.cell_path(cell).is_relative_to(place)]
    if not cells:
        raise RequestError(
            f"{path} is not a cell of {run.path}; there are "
            f"{listed((cell.folder for cell in run.cells()), MOST, MORE)}"
        )
    done = [cell for cell in cells if cell.status == Status.DONE]
    if not done:
        raise RequestError(
            f"{path} is not finished: {cells[0].status}"
            + (f" ({cells[0].reason})" if cells[0].reason else "")
        )
    if len(done) == 1:
        return run, done[0]
    kept = [cell for cell in done if run.files_of(cell).weights.is_file()]
    if len(kept) == 1:
        return run, kept[0]
    if not kept:
        (line,) = keep_commands(run, done[:1], "weights,train-scores")
        raise RequestError(
            f"{path}: none of its {len(done)} finished cells kept its weights. Train one again "
            f"and keep what is needed, e.g. {done[0].label} on {done[0].dataset}: {line}"
        )
    raise RequestError(
        f"{path} contains {len(kept)} cells with kept weights; name one: "
        f"{listed(map(run.cell_path, kept), MOST, MORE)}"
    )


def refuse(method: Method, cell: CellRecord, footage: Sequence[Footage]) -> None:
    """Refuse footage that a method cannot score.

    Raises
    ------
    RequestError : the method reads no frames, scales the scores of each clip by themselves, or
        needs the whole clip and the source is live.
    """
    who = cell.label
    if method.frames is None or not method.needs & {"frames", "train"}:
        raise RequestError(
            f"{who} reads no frames: its scores come from clip lengths or files, which new "
            "footage does not have"
        )
    if method.normalises_clips:
        raise RequestError(
            f"{who} scales the scores of each clip to the minimum and maximum of that clip: no "
            "score is known before the clip ends, and no threshold is valid for two clips; apply "
            "another method"
        )
    live = next((one for one in footage if one.address is not None), None)
    if live is not None and not takes_frames_as_they_come(method):
        raise RequestError(
            f"{who} needs whole clips, and {live.shown} is a live source; record a file and apply "
            "the cell to it, or apply a network that scores frame by frame or window by window "
            "(e.g. c3dsu, memae)"
        )


def takes_frames_as_they_come(method: Method) -> bool:
    """Whether a method scores frame by frame or window by window: a network that does not override
    `score` or `clip_scores`.
    """
    return (
        isinstance(method, NetworkMethod)
        and type(method).score is NetworkMethod.score
        and type(method).clip_scores is NetworkMethod.clip_scores
    )


def choose_threshold(
    run: Run, cell: CellRecord, protocol: Protocol, rate: float, data: Sequence[Path] = ()
) -> tuple[float, str, list[str]]:
    """Return the threshold that at most a share `rate` of the training frames exceeds, a
    description of it, and notes.

    The rule is that of `bench report --table operator`: training scores are smoothed by the
    protocol clip by clip, and not normalised.

    Raises
    ------
    RequestError : there are no training scores; names the command that keeps them.
    """
    known = [scores.values for scores in run.train_scores(cell).values() if len(scores.values)]
    if not known:
        if run.lacking(cell, ["train-scores"]):
            (line,) = keep_commands(run, [cell], "train-scores,weights", data)
            raise RequestError(
                f"{cell.label} on {cell.dataset}, seed {cell.seed}: no training scores were kept "
                "to choose a threshold from; set one with --threshold, or train again and keep "
                f"them: {line}"
            )
        raise RequestError(
            f"{cell.label} on {cell.dataset} has no training scores (there were no training "
            "frames): set a --threshold"
        )
    threshold = threshold_of(known, protocol, 1 - rate)
    count = sum(map(len, known))
    notes = []
    if rate * count < 1:
        notes.append(
            f"{count} training scores cannot resolve a rate below {1 / count:.2g}: the threshold "
            "is the largest of them"
        )
    return threshold, f"at most {rate:g} of {count} training scores are above it", notes
