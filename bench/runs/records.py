"""What is kept of a cell and of a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import msgspec
import numpy as np

from bench.contracts.compute import Compute
from bench.errors import RunError
from bench.files.checksums import seal_is_broken
from bench.files.json_types import Int64
from bench.files.whole_files import read_json
from bench.runs.layout import is_cell_folder, is_file_name
from bench.runs.regions import TrueRegions
from bench.runs.status import Status


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
    seed: Int64
    scene: str = ""
    """The scene whose own model this is; empty for one model for all."""
    display_name: str = ""
    """What tables print for the row, with the parameters that the user gave; empty in cells of
    earlier versions."""
    given_name: str = ""
    """The display name that the user gave the row in a selection; empty for none."""
    dataset_display_name: str = ""
    dataset_given_name: str = ""
    supervision: str = ""
    """What the method learns from, where it says: 'one-class', 'weakly supervised', ..."""
    extra_knowledge: str | None = None
    """What it uses beside the dataset: a detector, a backbone trained elsewhere; empty for nothing,
    None in cells of earlier versions."""
    reason_in_short: str = ""
    """`reason` in a few words, without paths and commands, for papers."""
    family: str = ""
    citation: str = ""
    year: Int64 | None = None
    status: Status = Status.QUEUED
    reason: str = ""
    profile: str = ""
    detector: str = ""
    """Empty where the method needs no tracks."""
    data_share: float = 1.0
    device: str = "cpu"
    """The kind of device: 'cpu', 'cuda', ..."""
    gpu: str = ""
    """The GPU of the last attempt, 'cuda:N' as torch numbered those that the runner saw; empty on a
    CPU. Not part of the key."""
    gpu_model: str = ""
    threads: Int64 = 1
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
    command: str = ""
    """The command line that it was last begun by, as run.json lists it; empty in cells of earlier
    versions."""
    attempts: Int64 = 0
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
    paper_protocol: str = ""
    """The protocol of the method's paper, as a selector; empty where it is not known, and in cells
    of earlier versions."""
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
    def follows_profile(self) -> bool:
        """Whether its profile says how long and how large a network it is: of one that is trained,
        or has the weights of another cell.
        """
        return self.uses_seed or "weights" in self.key

    @property
    def hardware(self) -> str:
        """The device with the model of its GPU: 'cpu', 'cuda (NVIDIA A100)'."""
        return self.device + (f" ({self.gpu_model})" if self.gpu_model else "")

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
    problems: dict[str, str] = field(default_factory=dict)
    """Why 'frames' or 'tracks' could not be prepared."""
    tracks: dict[str, Any] = field(default_factory=dict)
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


DATASET_FIELDS = (
    "name", "label", "fingerprint", "share", "label_sets", "lengths_from", "problems", "tracks",
    "frame_rate", "resolution",
)  # fmt: skip
"""The fields of `DatasetRecord` that datasets/NAME.json holds as they are."""


class ClipJSON(TypedDict):
    """A test clip in datasets/NAME.json."""

    id: str
    length: Int64
    scene: str


class DatasetJSON(TypedDict):
    """datasets/NAME.json: `DATASET_FIELDS`, clips and checksums."""

    name: str
    label: str
    fingerprint: str
    share: float
    label_sets: list[str]
    lengths_from: str
    problems: dict[str, str]
    tracks: dict[str, Any]
    frame_rate: NotRequired[float | None]
    resolution: NotRequired[tuple[Int64, Int64] | None]
    clips: list[ClipJSON]
    checksums: NotRequired[dict[str, str]]


def read_cell(path: Path, name: str = "") -> CellRecord:
    """Read a cell.json; `name` stands for its path in errors.

    Raises
    ------
    RunError : it is absent or damaged, lacks something, or names a folder outside of the run.
    """
    value = read_json(path, "cell")
    if seal_is_broken(value):
        raise RunError(f"{name or path} is damaged: its content is not what was written")
    return cell_record(value, name or str(path))


def cell_record(value: Mapping[str, Any], path: str) -> CellRecord:
    """Return the cell that a JSON object describes; `path` is where it was read.

    Raises
    ------
    RunError : as `read_cell`.
    """
    try:
        record = msgspec.convert(value, CellRecord)
        record.cost = msgspec.convert(record.cost, dict[str, float | str])
    except msgspec.ValidationError as error:
        raise RunError(f"{path} is damaged: {error}") from error
    if not is_cell_folder(record.folder) or not is_file_name(record.dataset_folder):
        raise RunError(
            f"{path} names a folder outside of the run: {record.folder!r}, or a dataset that is no file's name"
        )
    for name, cost in record.cost.items():
        if isinstance(cost, str) != (name == "frames_a_second_of"):
            raise RunError(f"{path} is damaged: cost: {name} is {str(cost)[:80]!r}")
    if len(record.ablation) not in (0, 2) or (
        record.published and not {"auc", "source"} <= record.published.keys()
    ):
        raise RunError(f"{path} is damaged: ablation or published lack a part")
    return record
