"""A run: the cells of one command, and the folder that keeps them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np

from bench.contracts.compute import Compute
from bench.contracts.method import Scores, ascend_within
from bench.contracts.protocol import DEFAULT_PROTOCOL
from bench.errors import RunError
from bench.files.checksums import digest_of, seal_is_broken, sealed
from bench.files.whole_files import npz, read_json, read_npz, write_bytes, write_json
from bench.plugins.syntax import find_control_character
from bench.runs.field_types import misfit
from bench.runs.regions import (
    Detections,
    Regions,
    TrueRegions,
    read_regions,
    read_true_regions,
    write_regions,
    write_true_regions,
)
from bench.runs.status import Status

FORMAT = 1
"""Version of the files of a run folder; raised when an older reader would misread them."""

FILES = {
    "run.json": "request, command line, versions, git state, machine, threads, datasets with fingerprints, seeds, profile, detector; checksums",
    "datasets/NAME.json": "ids, lengths and scenes of the test clips; the fingerprint; what could not be prepared, and why; checksums",
    "datasets/NAME.npz": "LABELSET/CLIP: the 0/1 labels of each clip, (N,) uint8",
    "cells/METHOD/DATASET/SEED/cell.json": "status, reason, attempts, parameters, seconds by phase, memory, warnings; checksums",
    "cells/METHOD/DATASET/SEED/scores.npz": "CLIP: (K,) float32, higher is more anomalous; CLIP.frames: (K,) int32, counted from 0",
    "cells/METHOD/DATASET/SEED/training.csv": "the terms of the loss, a line an epoch",
    "cells/METHOD/DATASET/SEED/steps.csv": "the terms of the loss at up to 500 single steps, evenly spaced over the training",
    "cells/METHOD/DATASET/SEED/log.txt": "what method and harness said; the traceback of an error",
    "cells/METHOD/DATASET/SEED/weights": "the fitted method, with --keep weights",
    "cells/METHOD/DATASET/SEED/images/": "pictures of some frames, with --keep images",
    "cells/METHOD/DATASET/SEED/scratch/": "checkpoint and the clips scored so far, while the cell is not done",
    "cells/METHOD/DATASET/SEED/job.json": "while another machine has the cell: by what the executor finds its job again",
    "tables/results.csv": "a line a cell, scene, label set, protocol and metric; fractions",
    "tables/summary.csv": "the same, the seeds joined",
    "tables/NAME.{txt,md,tex}": "the tables as text, Markdown and LaTeX; percent",
    "tables/QUESTION/NAME.{txt,md,tex}": "the same under another protocol or metric, as tables/raw, tables/_ap",
    "report.json": "of each table, figure and page: its question, a digest of the run it was made from, its SHA-256",
}
"""The files of a run that are for reading. METHOD carries 8 hex digits where parameters differ from
the profile; below SEED stands SCENE where each scene has a model of its own."""

_TEXT_OR_NONE = str | None
MANIFEST = {
    "command": str,
    "commands": list[dict[str, str]],
    "started": str,
    "request": dict[str, Any],
    "profile": str,
    "seeds": list[int],
    "protocol": str,
    "detector": str,
    "device": str,
    "workers": int,
    "threads": int,
    "resizing": str,
    "versions": dict[str, _TEXT_OR_NONE],
    "git": _TEXT_OR_NONE,
    "machine": dict[str, Any],
    "plugins": list[dict[str, _TEXT_OR_NONE]],
    "datasets": list[dict[str, str]],
    "methods": list[dict[str, str]],
    "notes": list[str],
    "cells": list[dict[str, Any]],
    "checksums": dict[str, str],
}
"""The types of the fields of run.json."""
DATASET = {
    "name": str,
    "label": str,
    "fingerprint": str,
    "share": float,
    "label_sets": list[str],
    "lengths_from": str,
    "problems": dict[str, str],
    "tracks": dict[str, Any],
    "frame_rate": float | None,
    "resolution": list[int] | None,
    "clips": list[dict[str, Any]],
    "checksums": dict[str, str],
}
"""The types of the fields of datasets/NAME.json."""

RESULTS = Path("results")
"""Where runs are written by default, below the working directory."""
STEPS = "steps.csv"
"""Beside training.csv."""
KEPT = {
    "images": "images",
    "weights": "weights",
    "regions": "regions.npz",
    "train-scores": "train_scores.npz",
}
"""What `--keep` may ask for, and the file or folder of the cell that it becomes."""
CHECKED = ("scores.npz", "training.csv", *KEPT.values())
"""What cell.json has checksums of."""

STOP = ".stop"
"""In a run folder: the word of `bench stop` to all runners."""
JOB = "job.json"
"""Beside cell.json: by what the executor finds the job of the cell again, while there is one."""
IDENTITY = ".id"
"""In a run folder: tells other machines whether they see this folder, or one of the same name."""
CLAIM = ".claim"
"""Beside cell.json: by whom the cell is worked on (`bench.files.claims`)."""


@dataclass
class CellRecord:
    """Everything that is kept about one cell: `cell.json`."""

    folder: str
    """Below the run folder: cells/METHOD/DATASET/SEED[/SCENE]."""
    method: str
    """The registered name."""
    label: str
    """The row of the tables: the selector, shortened."""
    selector: str
    dataset: str
    """The label of the dataset, e.g. 'ped2' or 'shanghaitech[models=per-scene]'."""
    dataset_folder: str
    """The name of the dataset's files below datasets/."""
    seed: int
    scene: str = ""
    """The scene whose own model this is; empty for one model for all."""
    family: str = ""
    citation: str = ""
    year: int | None = None
    status: Status = Status.QUEUED
    reason: str = ""
    profile: str = ""
    detector: str = ""
    """Empty where the method needs no tracks."""
    data_share: float = 1.0
    device: str = "cpu"
    threads: int = 1
    needs: list[str] = field(default_factory=list)
    uses_seed: bool = True
    parameters: dict[str, Any] = field(default_factory=dict)
    parameters_changed: dict[str, Any] = field(default_factory=dict)
    """Those that the user gave, beside the profile."""
    key: dict[str, Any] = field(default_factory=dict)
    """What decides whether a finished cell is used again."""
    source_sha256: str = ""
    """Of the file of the method."""
    git: str = ""
    """The commit of bench that the cell was last begun by, with '+' where files differed; empty
    outside a checkout."""
    attempts: int = 0
    warnings: list[str] = field(default_factory=list)
    deviations: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    """By phase: fit, score."""
    cost: dict[str, Any] = field(default_factory=dict)
    """Measured: peak_memory (bytes); of a network also parameters (count), gflops_a_frame,
    seconds_a_step, frames_a_second with what that is of in frames_a_second_of, and on a GPU
    peak_memory_gpu (bytes)."""
    ablation: list[str] = field(default_factory=list)
    """[network, variant]: the place in the ablation table; empty where there is none."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What the method said of this training, e.g. where patches came from."""
    bibtex: str = ""
    """The BibTeX entry of `citation`."""
    published: dict[str, str] = field(default_factory=dict)
    """'auc' (percent, as printed) and 'source' for this dataset, where the method's paper gives
    one."""
    clips_left_out: list[str] = field(default_factory=list)
    """Test clips without a single score: shorter than the window."""
    normalises_clips: bool = False
    """Whether the method scales the scores of each clip by themselves."""
    kept: list[str] = field(default_factory=list)
    """What `--keep` asked for when the cell was done; a method may have had nothing of it to
    give."""
    checksums: dict[str, str] = field(default_factory=dict)
    """SHA-256 of the files and folders of `CHECKED` that the cell wrote; empty in cells of earlier
    versions."""
    started: str = ""
    ended: str = ""

    @property
    def compute(self) -> Compute:
        """How the cell computes."""
        return Compute.of_key(self.key, self.device, self.threads)

    def __post_init__(self) -> None:
        self.status = Status(self.status)


@dataclass(frozen=True)
class DatasetRecord:
    """What a run keeps of a dataset: enough to score again without it."""

    name: str
    """The file name below datasets/."""
    label: str
    clips: tuple[tuple[str, int, str], ...]
    """(id, length, scene) of each test clip, in order."""
    fingerprint: str
    label_sets: tuple[str, ...]
    """The default first; empty where there are no labels."""
    labels: Mapping[str, Mapping[str, np.ndarray]]
    """For each label set, clip id -> (N,) uint8."""
    share: float = 1.0
    lengths_from: str = "frames"
    """'frames', or 'labels' where no frame is there."""
    problems: Mapping[str, str] = field(default_factory=dict)
    """Why 'frames' or 'tracks' could not be prepared."""
    tracks: Mapping[str, Any] = field(default_factory=dict)
    """Detector, boxes, kept boxes, tracks, of each part, as counted while preparing."""
    frame_rate: float | None = None
    """Frames a second, where known."""
    resolution: tuple[int, int] | None = None
    """Height and width in pixels, where known."""
    regions: Mapping[str, TrueRegions] = field(default_factory=dict)
    """Clip id -> components of its pixel masks, for clips that have masks; empty unless regions
    were asked for."""

    @property
    def has_scenes(self) -> bool:
        """Whether the clips belong to more than one scene."""
        return len({scene for _, _, scene in self.clips}) > 1


class Run:
    """The folder of a run. Every file in it is written whole or not at all."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    @classmethod
    def open(cls, path: Path) -> Run:
        """Open an existing run.

        Raises
        ------
        RunError : no run there, or one of a newer version.
        """
        run = cls(path)
        if not (run.path / "run.json").is_file():
            raise RunError(
                f"{path} is not a run: it has no run.json (runs are the folders below results/)"
            )
        version = run.manifest.get("format")
        if version != FORMAT:
            raise RunError(
                f"{path}: run.json has format {version!r}, this version of bench reads {FORMAT}; use the version that wrote it ({run.manifest.get('versions')})"
            )
        return run

    @property
    def manifest(self) -> dict[str, Any]:
        """The content of run.json.

        Raises
        ------
        RunError : absent or damaged.
        """
        path = self.path / "run.json"
        value = read_json(path, "run")
        if problem := misfit(value, MANIFEST):
            raise RunError(f"{path} is damaged: {problem}")
        return {"command": "bench run", "protocol": DEFAULT_PROTOCOL, **value}

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Write run.json."""
        write_json(self.path / "run.json", sealed({"format": FORMAT, **manifest}))

    def seal(self) -> None:
        """Write the checksums of datasets and of all cells that are not at work into run.json.

        Raises
        ------
        RunError : run.json or one of the files cannot be read, or run.json cannot be written.
        """
        manifest = self.manifest
        files = [
            path
            for path in sorted((self.path / "datasets").glob("*"))
            if path.suffix in (".json", ".npz")
        ]
        for cell in self.cells():
            if cell.status not in (Status.QUEUED, Status.RUNNING, Status.INTERRUPTED):
                files += [self.cell_path(cell) / name for name in ("cell.json", "scores.npz")]
        found = {
            path.relative_to(self.path).as_posix(): digest_of(path)
            for path in files
            if path.is_file()
        }
        self.write_manifest({**manifest, "checksums": found})

    @property
    def tables(self) -> Path:
        """The folder of the tables."""
        return self.path / "tables"

    # -- cells -------------------------------------------------------------------------------------

    def planned(self) -> list[CellRecord]:
        """Return the cells of the run as they were planned, in the order of the request."""
        return [
            _record(cell, str(self.path / "run.json")) for cell in self.manifest.get("cells", [])
        ]

    def cells(self) -> list[CellRecord]:
        """Return the cells as they are now. One whose cell.json is damaged is failed, with that
        reason.
        """
        source = str(self.path / "run.json")
        return [
            self._as_it_is(cell.get("folder"), partial(_record, cell, source))
            for cell in self.manifest.get("cells", [])
        ]

    def cells_left(self) -> list[CellRecord]:
        """Return the cells whose own files can be read, by folder: all there is where run.json is
        damaged.
        """
        found = []
        for path in sorted(self.path.glob("cells/**/cell.json")):
            try:
                record = read_cell(path)
            except RunError:
                continue
            if self.path / record.folder == path.parent:
                found.append(record)
        return found

    def cell(self, planned: CellRecord) -> CellRecord:
        """Return one cell as it is now."""
        return self._as_it_is(planned.folder, lambda: planned)

    def _as_it_is(self, folder: Any, planned: Callable[[], CellRecord]) -> CellRecord:
        """Return what stands in a cell's folder, else the cell as planned, which is then read: of
        10,000 cells that is half the time.
        """
        if not isinstance(folder, str) or not _is_cell_folder(folder):
            return planned()
        path = self.path / folder / "cell.json"
        if not path.exists():
            return planned()
        try:
            record = read_cell(path)
            if record.folder != folder:
                raise RunError(f"{path} belongs to {record.folder}")
        except RunError as error:
            failed = planned()
            failed.status = Status.FAILED
            failed.reason = f"{error}; the same `bench run` line repeats this cell"
            return failed
        return record

    def write_cell(self, record: CellRecord) -> None:
        """Write cell.json, with a checksum: a digit that changed on the disk would be a number like
        any other.
        """
        write_json(self.cell_path(record) / "cell.json", sealed(asdict(record)))

    def cell_path(self, record: CellRecord) -> Path:
        """Return the folder of a cell."""
        return self.path / record.folder

    def checksums_of(self, record: CellRecord) -> dict[str, str]:
        """Return the checksums of the files of `CHECKED` that are in the folder of a cell."""
        folder = self.cell_path(record)
        return {name: digest_of(folder / name) for name in CHECKED if (folder / name).exists()}

    def _as_written(self, record: CellRecord, name: str) -> Path:
        """Return the path of a file of a cell.

        Raises
        ------
        RunError : it is not the one that the cell wrote, as far as cell.json tells.
        """
        path = self.cell_path(record) / name
        expected = record.checksums.get(name)
        if expected is not None and path.is_file() and digest_of(path) != expected:
            raise RunError(
                f"{path} is not what the cell wrote: its checksum is not that in cell.json; the same `bench run` line with --force repeats the cell"
            )
        return path

    # -- scores ------------------------------------------------------------------------------------

    def write_scores(self, record: CellRecord, scores: Mapping[str, Scores]) -> None:
        """Write scores.npz: for each clip `ID` float32 and `ID.frames` int32."""
        write_scores(self.cell_path(record) / "scores.npz", scores)

    def scores(self, record: CellRecord) -> dict[str, Scores]:
        """Read scores.npz.

        Raises
        ------
        RunError : absent, damaged, or not what the cell wrote.
        """
        return read_scores(self._as_written(record, "scores.npz"))

    def write_train_scores(self, record: CellRecord, scores: Mapping[str, Scores]) -> None:
        """Write train_scores.npz, of the same form, for the training clips."""
        write_scores(self.cell_path(record) / KEPT["train-scores"], scores)

    def train_scores(self, record: CellRecord) -> dict[str, Scores]:
        """Read train_scores.npz; empty where none were kept.

        Raises
        ------
        RunError : damaged, or not what the cell wrote.
        """
        path = self._as_written(record, KEPT["train-scores"])
        return read_scores(path) if path.is_file() else {}

    # -- regions -----------------------------------------------------------------------------------

    def write_regions(self, record: CellRecord, regions: Regions | Detections) -> None:
        """Write regions.npz."""
        write_regions(self.cell_path(record) / KEPT["regions"], regions)

    def regions(self, record: CellRecord) -> Regions | Detections | None:
        """Read regions.npz; None where none were kept.

        Raises
        ------
        RunError : damaged, or not what the cell wrote.
        """
        path = self._as_written(record, KEPT["regions"])
        return read_regions(path) if path.is_file() else None

    def lacking(self, record: CellRecord, wanted: Sequence[str]) -> list[str]:
        """Return which of the kinds of `KEPT` a finished cell was not asked to keep, and does not
        hold.
        """
        return [
            kind
            for kind in wanted
            if kind not in record.kept and not (self.cell_path(record) / KEPT[kind]).exists()
        ]

    # -- datasets ----------------------------------------------------------------------------------

    def write_dataset(self, record: DatasetRecord) -> None:
        """Write datasets/NAME.json and datasets/NAME.npz; with regions, datasets/NAME.regions.npz
        too.
        """
        arrays = {
            f"{label_set}/{clip}": array
            for label_set, clips in record.labels.items()
            for clip, array in clips.items()
        }
        labels = self.path / "datasets" / f"{record.name}.npz"
        regions = self.path / "datasets" / f"{record.name}.regions.npz"
        write_bytes(labels, npz(arrays))
        if record.regions:
            write_true_regions(regions, record.regions)
        value = {
            "name": record.name,
            "label": record.label,
            "fingerprint": record.fingerprint,
            "share": record.share,
            "label_sets": list(record.label_sets),
            "lengths_from": record.lengths_from,
            "problems": dict(record.problems),
            "tracks": dict(record.tracks),
            "frame_rate": record.frame_rate,
            "resolution": list(record.resolution) if record.resolution else None,
            "clips": [
                {"id": clip, "length": length, "scene": scene}
                for clip, length, scene in record.clips
            ],
            "checksums": {
                path.name: digest_of(path) for path in (labels, regions) if path.is_file()
            },
        }
        write_json(self.path / "datasets" / f"{record.name}.json", sealed(value))

    def dataset(self, name: str) -> DatasetRecord:
        """Read what is kept of a dataset, by its file name.

        Raises
        ------
        RunError : absent or damaged.
        """
        path = self.path / "datasets" / f"{name}.json"
        value = read_json(path, f"dataset {name}")
        try:
            if problem := misfit(value, DATASET):
                raise ValueError(problem)
            if seal_is_broken(value):
                raise RunError(
                    f"{path} is damaged: its content is not what was written; the same `bench run` line writes it anew"
                )
            for file, expected in value.get("checksums", {}).items():
                if not _is_name(file) or digest_of(path.with_name(file)) != expected:
                    raise RunError(
                        f"{path.with_name(Path(file).name)} is not what was written: its checksum is not that in {path.name}; the same "
                        "`bench run` line writes it anew"
                    )
            clips = tuple(
                (str(clip["id"]), int(clip["length"]), str(clip["scene"]))
                for clip in value["clips"]
            )
            label_sets = tuple(value["label_sets"])
            arrays = read_npz(path.with_suffix(".npz"))
            for label_set in label_sets:
                for clip, length, _ in clips:
                    _check_labels(
                        arrays[f"{label_set}/{clip}"],
                        length,
                        f"the labels {label_set} of clip {clip}",
                    )
            regions = path.with_name(f"{name}.regions.npz")
            resolution = value.get("resolution")
            labels = {
                label_set: {clip: arrays[f"{label_set}/{clip}"] for clip, _, _ in clips}
                for label_set in label_sets
            }
            return DatasetRecord(
                name=value["name"],
                label=value["label"],
                clips=clips,
                fingerprint=value["fingerprint"],
                label_sets=label_sets,
                labels=labels,
                share=float(value["share"]),
                lengths_from=value["lengths_from"],
                problems=value["problems"],
                tracks=value["tracks"],
                frame_rate=value.get("frame_rate"),
                resolution=(int(resolution[0]), int(resolution[1])) if resolution else None,
                regions=read_true_regions(regions) if regions.is_file() else {},
            )
        except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
            raise RunError(
                f"dataset {name}: {path} or {name}.npz is incomplete ({error!r}); the same `bench run` line writes it anew"
            ) from error


def write_scores(path: Path, scores: Mapping[str, Scores]) -> None:
    """Write scores: for each clip `ID` float32 and `ID.frames` int32."""
    arrays: dict[str, np.ndarray] = {}
    for clip, result in scores.items():
        arrays[clip] = np.asarray(result.values, dtype=np.float32)
        arrays[f"{clip}.frames"] = np.asarray(result.frames, dtype=np.int32)
    write_bytes(path, npz(arrays))


def read_scores(path: Path) -> dict[str, Scores]:
    """Read what `write_scores` wrote.

    Raises
    ------
    RunError : absent or damaged.
    """
    arrays = read_npz(path)
    clips = [key for key in arrays if not key.endswith(".frames")]
    try:
        found = {clip: Scores(arrays[clip], arrays[f"{clip}.frames"]) for clip in clips}
    except KeyError as error:
        raise RunError(f"{path} has no array {error}") from error
    for clip, scores in found.items():
        values, frames = scores.values, scores.frames
        if (
            values.dtype != np.float32
            or values.ndim != 1
            or frames.dtype != np.int32
            or frames.shape != values.shape
        ):
            raise RunError(
                f"{path}: clip {clip} has {values.dtype} {values.shape} scores of {frames.dtype} {frames.shape} frames, {_AGAIN}"
            )
        if not (np.isfinite(values).all() and ascend_within(frames)):
            raise RunError(
                f"{path}: the scores of clip {clip} are not finite, or their frames do not ascend from 0, {_AGAIN}"
            )
    return found


_AGAIN = "as no method's are written; the same `bench run` line with --force repeats the cell"
_HINTS = get_type_hints(CellRecord)


def _check_labels(labels: np.ndarray, length: int, what: str) -> None:
    if labels.shape != (length,) or labels.dtype != np.uint8 or (labels.size and labels.max() > 1):
        raise ValueError(
            f"{what} are {labels.dtype} {labels.shape}, expected 0 or 1 for each of {length} frames"
        )


def read_cell(path: Path, name: str = "") -> CellRecord:
    """Read a cell.json; `name` stands for its path in errors.

    Raises
    ------
    RunError : it is absent or damaged, lacks something, or names a folder outside of the run.
    """
    value = read_json(path, "cell")
    if seal_is_broken(value):
        raise RunError(f"{name or path} is damaged: its content is not what was written")
    return _record(value, name or str(path))


def _record(value: Mapping[str, Any], path: str) -> CellRecord:
    if problem := misfit(value, _HINTS):
        raise RunError(f"{path} is damaged: {problem}")
    try:
        record = CellRecord(**{key: item for key, item in value.items() if key in _HINTS})
    except TypeError as error:
        raise RunError(f"{path} is incomplete ({error})") from error
    if not _is_cell_folder(record.folder) or not _is_name(record.dataset_folder):
        raise RunError(
            f"{path} names a folder outside of the run: {record.folder!r}, or a dataset that is no file's name"
        )
    numbers = {name: float for name in record.cost if name != "frames_a_second_of"}
    if problem := misfit(record.cost, numbers) or misfit(record.cost, {"frames_a_second_of": str}):
        raise RunError(f"{path} is damaged: cost: {problem}")
    if len(record.ablation) not in (0, 2) or (
        record.published and not {"auc", "source"} <= record.published.keys()
    ):
        raise RunError(f"{path} is damaged: ablation or published lack a part")
    return record


def _is_cell_folder(folder: str) -> bool:
    """Whether a text names a folder below cells/."""
    parts = Path(folder).parts
    return parts[:1] == ("cells",) and all(map(_is_name, parts))


def _is_name(name: str) -> bool:
    """Whether a text is the name of one file or folder."""
    return (
        name not in ("", ".", "..")
        and "/" not in name
        and len(os.fsencode(name)) < 256
        and not find_control_character(name)
    )


def find_runs(results: Path) -> list[Run]:
    """Return the runs below a results folder, the one that `bench run` was last asked for first: by
    when its run.json was written.
    """
    if not results.is_dir():
        return []
    newest_first = sorted(
        results.glob("*/run.json"),
        key=lambda path: (path.stat().st_mtime_ns, path.parent.name),
        reverse=True,
    )
    return [Run(path.parent) for path in newest_first]
