"""The files of a dataset in a run folder: its clips and what is known of it, its labels, and its
true regions.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from bench.errors import RunError
from bench.files.checksums import digest_of, seal_is_broken, sealed
from bench.files.whole_files import npz, read_json, read_npz, write_bytes, write_json
from bench.runs.layout import is_file_name
from bench.runs.records import DATASET_FIELDS, DatasetJSON, DatasetRecord
from bench.runs.regions import read_true_regions, write_true_regions

Files = tuple[Path, Path, Path]
"""NAME.json, NAME.npz (labels) and NAME.regions.npz."""


def write_dataset(files: Files, record: DatasetRecord) -> None:
    """Write the files of a dataset; that of regions where it has some."""
    arrays = {
        f"{label_set}/{clip}": array
        for label_set, clips in record.labels.items()
        for clip, array in clips.items()
    }
    about, labels, regions = files
    write_bytes(labels, npz(arrays))
    if record.regions:
        write_true_regions(regions, record.regions)
    value = {name: getattr(record, name) for name in DATASET_FIELDS}
    value["clips"] = [
        {"id": clip, "length": length, "scene": scene} for clip, length, scene in record.clips
    ]
    value["checksums"] = {
        path.name: digest_of(path) for path in (labels, regions) if path.is_file()
    }
    write_json(about, sealed(value))


def read_dataset(files: Files, name: str) -> DatasetRecord:
    """Read what is kept of a dataset.

    Raises
    ------
    RunError : absent or damaged.
    """
    path, labels_file, regions_file = files
    value = read_json(path, f"dataset {name}")
    try:
        about = msgspec.convert(value, DatasetJSON)
        if seal_is_broken(value):
            raise RunError(
                f"{path} is damaged: its content is not what was written; the same `bench run` line writes it anew"
            )
        for file, expected in about.get("checksums", {}).items():
            if not is_file_name(file) or digest_of(path.with_name(file)) != expected:
                raise RunError(
                    f"{path.with_name(Path(file).name)} is not what was written: its checksum is not that in {path.name}; the same "
                    "`bench run` line writes it anew"
                )
        clips = tuple((clip["id"], clip["length"], clip["scene"]) for clip in about["clips"])
        label_sets = tuple(about["label_sets"])
        arrays = read_npz(labels_file)
        for label_set in label_sets:
            for clip, length, _ in clips:
                _check_labels(
                    arrays[f"{label_set}/{clip}"],
                    length,
                    f"the labels {label_set} of clip {clip}",
                )
        labels = {
            label_set: {clip: arrays[f"{label_set}/{clip}"] for clip, _, _ in clips}
            for label_set in label_sets
        }
        return DatasetRecord(
            name=about["name"],
            label=about["label"],
            clips=clips,
            fingerprint=about["fingerprint"],
            label_sets=label_sets,
            labels=labels,
            share=about["share"],
            lengths_from=about["lengths_from"],
            problems=about["problems"],
            tracks=about["tracks"],
            frame_rate=about.get("frame_rate"),
            resolution=about.get("resolution"),
            regions=read_true_regions(regions_file) if regions_file.is_file() else {},
        )
    except (KeyError, ValueError) as error:
        raise RunError(
            f"dataset {name}: {path} or {name}.npz is incomplete ({error!r}); the same `bench run` line writes it anew"
        ) from error


def _check_labels(labels: np.ndarray, length: int, what: str) -> None:
    if labels.shape != (length,) or labels.dtype != np.uint8 or (labels.size and labels.max() > 1):
        raise ValueError(
            f"{what} are {labels.dtype} {labels.shape}, expected 0 or 1 for each of {length} frames"
        )
