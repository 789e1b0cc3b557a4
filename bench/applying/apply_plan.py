"""Which finished cell is applied to footage, and how: where its threshold comes from, and what it
cannot score.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.applying.fitted import Fitted, fitted_method
from bench.applying.footage import Footage
from bench.contracts.method import Frames, Method
from bench.contracts.network_method import NetworkMethod
from bench.contracts.protocol import Protocol
from bench.engine.machine import git_state, versions
from bench.errors import RequestError
from bench.plugins.registry import current
from bench.plugins.selection import select_one
from bench.runs.commands import keep_commands
from bench.runs.folder import Run
from bench.runs.records import CellRecord
from bench.scoring.alarms import QUANTILE, threshold_of
from bench.scoring.protocols import reach, smoothing


@dataclass(frozen=True)
class Application:
    """A cell, and how it is applied."""

    cell: CellRecord
    fitted: Fitted
    protocol: Protocol
    threshold: float
    threshold_from: str
    promised: float | None
    """The share of normal frames that may be above the threshold; None where the user says the
    threshold itself."""
    fps: float | None
    """Frames a second, where the user says."""
    training_rate: float | None
    """Of the dataset that the cell was trained on, where known."""
    give_up: float = 600.0
    """Seconds without a frame after which a live source is given up."""
    picture_height: int = 0
    """Pixels of the pictures that rows carry, at most; 0: they carry none."""
    notes: tuple[str, ...] = ()
    """How this differs from what the cell did, and what limits the threshold."""

    @property
    def frames(self) -> Frames:
        """The format that the method reads."""
        assert self.fitted.method.frames is not None
        return self.fitted.method.frames

    @property
    def smoothed(self) -> str:
        """What happens to scores before the threshold, in words, and how long an event takes to be
        told.
        """
        words = smoothing(self.protocol)
        said = f"scores smoothed first ({words})" if words else "scores as they are"
        method = self.fitted.method
        if not isinstance(method, NetworkMethod) or not takes_frames_as_they_come(method):
            return said
        window = method.window
        after = window.span - 1 - window.targets[0] * window.step + reach(self.protocol)
        return said + f"; a frame is judged when {after} more are there"

    def about(self, run: Run, source: str) -> dict[str, Any]:
        """Return what apply.json says of it: each number in the folder leads back to a cell, its
        weights, and a version.
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
            "device": self.fitted.device,
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
    picture_height: int = 0,
    device: str = "",
    threads: int = 0,
) -> tuple[Application, Run]:
    """Find a cell, refuse what it cannot score, choose the threshold, and load the method, in this
    order: the quick refusals come first.

    Parameters
    ----------
    protocol : a selector; None: that of the run.
    threshold, rate : the threshold, or the share of training frames that may be above it; None and
        None: that of the table operator.

    Raises
    ------
    RequestError, RunError : see `find_cell`, `refuse`, `choose_threshold`, `fitted_method`.
    """
    run, record = find_cell(cell)
    registry = current()
    refuse(select_one("methods", record.selector, registry, record.profile).make(), record, footage)
    chosen: Protocol = select_one(
        "protocols", protocol or run.manifest.protocol, registry
    ).parameters
    source = "as --threshold says"
    notes: list[str] = []
    promised = None
    if threshold is None:
        promised = 1 - QUANTILE if rate is None else rate
        threshold, source, notes = choose_threshold(run, record, chosen, promised)
    fitted = fitted_method(run, record, (), device, threads, "weights,train-scores")
    notes = [*fitted.notes, *notes]
    trained = run.dataset(record.dataset_folder).frame_rate
    return Application(
        record,
        fitted,
        chosen,
        threshold,
        source,
        promised,
        fps,
        trained,
        give_up,
        picture_height,
        tuple(notes),
    ), run


def find_cell(path: Path) -> tuple[Run, CellRecord]:
    """Return the one finished cell with kept weights that lies at or below a path, and its run.

    Raises
    ------
    RequestError : no run, no such cell, or several, with their folders.
    """
    place = path.expanduser().resolve()
    found = Run.above(place)
    if found is None:
        raise RequestError(
            f"{path} is no cell: neither it nor a folder above it is a run (a cell is results/RUN/cells/METHOD/DATASET/SEED)"
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
            f"{path} is no cell of {run.path}; there are {_some([cell.folder for cell in run.cells()])}"
        )
    done = [cell for cell in cells if cell.status == "done"]
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
            f"{path}: none of its {len(done)} finished cells kept its weights. Name one of them, or train one again and keep what is needed, "
            f"for {done[0].label} on {done[0].dataset}: {line}"
        )
    raise RequestError(
        f"{path} holds {len(kept)} cells with kept weights; name one: {_some([str(run.cell_path(cell)) for cell in kept])}"
    )


def _some(names: Sequence[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def refuse(method: Method, cell: CellRecord, footage: Sequence[Footage]) -> None:
    """Raise where a method cannot score this footage.

    Raises
    ------
    RequestError : it reads no frames, scales each clip by itself, or looks at the whole clip of a
        source that has no end.
    """
    who = cell.label
    if method.frames is None or not method.needs & {"frames", "train"}:
        raise RequestError(
            f"{who} reads no frames: its scores come from lengths or files, and there are none of new footage"
        )
    if method.normalises_clips:
        raise RequestError(
            f"{who} scales the scores of each clip by the clip's own extremes: no score is known before the clip ends, and no one threshold "
            "holds for two clips; apply another method"
        )
    live = next((one for one in footage if one.address is not None), None)
    if live is not None and not takes_frames_as_they_come(method):
        raise RequestError(
            f"{who} looks at a clip as a whole, and {live.shown} has no end; record some of it and apply the cell to the file, or apply a "
            "network that scores frame by frame or window by window (e.g. c3dsu, memae)"
        )


def takes_frames_as_they_come(method: Method) -> bool:
    """Whether a method is scored frame by frame or window by window: a network that leaves `score`
    and `clip_scores` as they are.
    """
    return (
        isinstance(method, NetworkMethod)
        and type(method).score is NetworkMethod.score
        and type(method).clip_scores is NetworkMethod.clip_scores
    )


def choose_threshold(
    run: Run, cell: CellRecord, protocol: Protocol, rate: float, data: Sequence[Path] = ()
) -> tuple[float, str, list[str]]:
    """Return the threshold that a share `rate` of the frames of training exceeds at most, in words
    where it comes from, and notes.

    The rule is that of `bench report --table operator`: training scores smoothed as the protocol
    smooths, clip by clip, and not normalised.

    Raises
    ------
    RequestError : no training scores, with the command that keeps them.
    """
    known = [scores.values for scores in run.train_scores(cell).values() if len(scores.values)]
    if not known:
        if run.lacking(cell, ["train-scores"]):
            (line,) = keep_commands(run, [cell], "train-scores,weights", data)
            raise RequestError(
                f"{cell.label} on {cell.dataset}, seed {cell.seed}: no training scores were kept, so there is nothing to set a threshold by; "
                f"give one with --threshold, or train again and keep them: {line}"
            )
        raise RequestError(
            f"{cell.label} on {cell.dataset} has no training scores (there were no training frames): give a --threshold"
        )
    threshold = threshold_of(known, protocol, 1 - rate)
    count = sum(map(len, known))
    notes = []
    if rate * count < 1:
        notes.append(
            f"{count} training scores cannot tell a rate below {1 / count:.2g}: the threshold is the largest of them"
        )
    return threshold, f"at most {rate:g} of {count} training scores are above it", notes
