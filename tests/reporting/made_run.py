"""Run folders made up in tests: labels, scores of a chosen quality, and cells in any state."""

import numpy as np

from bench import Scores
from bench.runs.folder import CellRecord, DatasetRecord, Run
from bench.runs.regions import ClipRegions, Regions, TrueRegions

LENGTHS = {"01": 40, "02": 50, "03": 30}


def labels_of(shift=0):
    return {clip: ((np.arange(length) + shift) % 20 >= 12).astype(np.uint8) for clip, length in LENGTHS.items()}


def make_run(path, cells, scenes=("", "", ""), label_sets=("frame",), **dataset):
    """`cells`: (label, seed, status or None, reason, quality, more): done cells get scores of that quality."""
    run = Run(path)
    labels = {name: labels_of(3 * number) for number, name in enumerate(label_sets)}
    clips = tuple((clip, length, scene) for (clip, length), scene in zip(LENGTHS.items(), scenes))
    run.write_dataset(DatasetRecord("made", "made", clips, "f", label_sets, labels, **dataset))
    records = []
    for label, seed, status, reason, quality, more in cells:
        more = dict(more)
        first, direction = more.pop("first", 2), more.pop("direction", None)
        scene = more.get("scene", "")
        folder = "/".join(["cells", label.translate(str.maketrans("[]=&,", "-----")), "made", str(seed), *([scene] if scene else [])])
        record = CellRecord(
            **{"folder": folder, "method": label.split("[")[0], "label": label, "selector": label, "dataset": "made", "dataset_folder": "made",
               "seed": seed, "status": status, "reason": reason, "profile": "small", "family": "reconstruction", **more}
        )  # fmt: skip
        records.append(record)
        run.write_cell(record)
        if status == "done":
            generator = np.random.default_rng([seed, len(label)])
            run.write_scores(
                record,
                {
                    clip: Scores(
                        labels[label_sets[0]][clip][first:] * quality + generator.random(length - first)
                        if direction is None
                        else direction(labels[label_sets[0]][clip])[first:],
                        np.arange(first, length),
                    )
                    for clip, length, of_scene in clips
                    if not scene or scene == of_scene
                },
            )
    run.write_manifest({"cells": [vars(record) for record in records], "protocol": "median17", "request": {}})
    return run


def done(label, quality=0.5, seed=0, **more):
    return (label, seed, "done", "", quality, more)


SIZE = (10, 20)
MASKS = {
    clip: TrueRegions(
        np.array([[4, 4, 8, 8]] * int(labels.sum()), dtype=np.int32).reshape(-1, 4), np.flatnonzero(labels).astype(np.int32), (20, 40)
    )
    for clip, labels in labels_of().items()
}
"""One box in each anomalous frame, in masks twice as large as the maps."""


def regions(found=0.5, false=0.0, clips=LENGTHS):
    """At the upper of two levels a share of the anomalous regions of each clip; at the lower all, and a false one in a share of frames."""
    kept = {}
    for clip in clips:
        length, anomalous = LENGTHS[clip], np.flatnonzero(labels_of()[clip])
        upper = anomalous[: round(found * len(anomalous))]
        wrong = np.arange(length)[: round(false * length)]
        frames = np.concatenate([upper, anomalous, wrong]).astype(np.int32)
        boxes = np.array([[2, 2, 4, 4]] * (len(upper) + len(anomalous)) + [[15, 2, 18, 9]] * len(wrong), dtype=np.uint16)
        levels = np.array([1] * len(upper) + [0] * (len(anomalous) + len(wrong)), dtype=np.uint8)
        forty = np.full(length, np.nan, np.float32)
        forty[anomalous] = 1.0
        largest = np.where(np.isnan(forty), 0.5, 2.0).astype(np.float32)
        kept[clip] = ClipRegions(np.arange(length, dtype=np.int32), largest, forty, boxes, frames, levels, np.zeros(2, np.int32))
    return Regions(np.array([0.1, 0.2], np.float32), SIZE, kept)
