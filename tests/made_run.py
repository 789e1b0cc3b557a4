"""Run folders made up in tests: labels, scores of a chosen quality, and cells in any state."""

import cv2
import numpy as np

from bench import Scores
from bench.reporting.report_writer import ReportWriter
from bench.runs.folder import Run
from bench.runs.manifest import Manifest
from bench.runs.records import CellRecord, DatasetRecord
from bench.runs.regions import ClipRegions, Regions, TrueRegions

LENGTHS = {"01": 40, "02": 50, "03": 30}


def labels_of(shift=0):
    return {
        clip: ((np.arange(length) + shift) % 20 >= 12).astype(np.uint8)
        for clip, length in LENGTHS.items()
    }


def make_run(path, cells, scenes=("", "", ""), label_sets=("frame",), one_class=(), **dataset):
    """`cells`: (label, seed, status or None, reason, quality, more): done cells get scores of that
    quality.

    Every frame of the clips in `one_class` is anomalous.
    """
    run = Run(path)
    labels = {name: labels_of(3 * number) for number, name in enumerate(label_sets)}
    for of_set in labels.values():
        of_set |= {clip: np.ones(LENGTHS[clip], np.uint8) for clip in one_class}
    clips = tuple((clip, length, scene) for (clip, length), scene in zip(LENGTHS.items(), scenes))
    run.write_dataset(DatasetRecord("made", "made", clips, "f", label_sets, labels, **dataset))
    records = []
    for label, seed, status, reason, quality, more in cells:
        more = dict(more)
        first, direction = more.pop("first", 2), more.pop("direction", None)
        scene = more.get("scene", "")
        folder = "/".join(
            [
                "cells",
                label.translate(str.maketrans("[]=&,", "-----")),
                "made",
                str(seed),
                *([scene] if scene else []),
            ]
        )
        record = CellRecord(
            **{"folder": folder, "method": label.split("[")[0], "label": label, "selector": label, "dataset": "made", "dataset_folder": "made",
               "display_name": label, "dataset_display_name": more.get("dataset", "made"),
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
                        labels[label_sets[0]][clip][first:] * quality
                        + generator.random(length - first)
                        if direction is None
                        else direction(labels[label_sets[0]][clip])[first:],
                        np.arange(first, length),
                    )
                    for clip, length, of_scene in clips
                    if not scene or scene == of_scene
                },
            )
    run.write_manifest(Manifest(cells=[vars(record) for record in records]))
    return run


def done(label, quality=0.5, seed=0, **more):
    return (label, seed, "done", "", quality, more)


HOSTILE = """</script><script>document.title='taken'</script><img src=x onerror=alert(1)> & "quotes" 'too'"""


def make_full_run(path):
    """A run with all that a page has to show: spread, failures, hostile text, a missing dataset,
    scenes, one-class clips, curves, images."""
    network = {
        "cost": {"parameters": 1e5, "peak_memory": 2.0**30},
        "seconds": {"fit": 60.0, "score": 2.0},
    }
    absent = {"dataset": "absent", "dataset_folder": "absent", "folder": "cells/absent/absent/0"}
    run = make_run(
        path,
        [
            done("c3dsu", 0.9, **network),
            done("c3dsu", 0.8, seed=1, **network),
            done("ae_conv[x=1]", 0.3, **network),
            done("pca", 0.2, family="reference"),
            done(
                "frame-index",
                0.1,
                family="trivial",
                uses_seed=False,
                direction=lambda labels: np.arange(len(labels), dtype=float),
            ),
            done(HOSTILE, 0.15, folder="cells/hostile/made/0", deviations=[HOSTILE]),
            done("half", 0.4),
            ("half", 1, "failed", HOSTILE, 0, {}),
            ("pca", 0, "no data", "there is no folder absent", 0, absent),
            (
                "mamc",
                0,
                "published only",
                "no code",
                0,
                {"published": {"auc": "96.7", "source": "Smith & Co."}, "family": "published only"},
            ),
        ],
        scenes=("01", "01", "02"),
        one_class=("02",),
    )
    cells = {(cell.label, cell.seed): run.cell_path(cell) for cell in run.cells()}
    (cells["half", 1] / "log.txt").write_text(f"first line\n{HOSTILE}\n")
    for seed in (0, 1):
        rows = [f"{epoch},{0.1 / epoch},{0.5 + 0.01 * epoch + 0.1 * seed}" for epoch in (1, 2, 3)]
        (cells["c3dsu", seed] / "training.csv").write_text(
            "\n".join(["epoch,loss,sigma", *rows, "4,nan,", ""])
        )
    keep_images(cells["c3dsu", 0], "01", range(0, 40, 8), ("frame", "reconstruction", "error"))
    keep_images(cells["ae_conv[x=1]", 0], "01", range(0, 40, 8), ("frame", "reconstruction"))
    return run


def keep_images(folder, clip, frames, kinds):
    """Images as `--keep images` leaves them: gray, as bright as the frame; the frame itself is
    the same for all methods."""
    (folder / "images" / clip).mkdir(parents=True)
    for frame in frames:
        for number, kind in enumerate(kinds):
            brightness = 2 * frame + 60 * number + (len(folder.parts[-3]) if number else 0)
            assert cv2.imwrite(
                str(folder / "images" / clip / f"{frame:05d}-{kind}.jpg"),
                np.full((16, 16), brightness, np.uint8),
            )


def write_kinds(source, names, folder):
    """Write kinds of tables below a folder; return the paths, and what the run has none of."""
    output = ReportWriter(source, folder)
    output.tables(names)
    return output.finish(), output.left_out


SIZE = (10, 20)
MASKS = {
    clip: TrueRegions(
        np.array([[4, 4, 8, 8]] * int(labels.sum()), dtype=np.int32).reshape(-1, 4),
        np.flatnonzero(labels).astype(np.int32),
        (20, 40),
    )
    for clip, labels in labels_of().items()
}
"""One box in each anomalous frame, in masks twice as large as the maps."""


def regions(found=0.5, false=0.0, clips=LENGTHS):
    """At the upper of two levels a share of the anomalous regions of each clip; at the lower all,
    and a false one in a share of frames."""
    kept = {}
    for clip in clips:
        length, anomalous = LENGTHS[clip], np.flatnonzero(labels_of()[clip])
        upper = anomalous[: round(found * len(anomalous))]
        wrong = np.arange(length)[: round(false * length)]
        frames = np.concatenate([upper, anomalous, wrong]).astype(np.int32)
        boxes = np.array(
            [[2, 2, 4, 4]] * (len(upper) + len(anomalous)) + [[15, 2, 18, 9]] * len(wrong),
            dtype=np.uint16,
        )
        levels = np.array([1] * len(upper) + [0] * (len(anomalous) + len(wrong)), dtype=np.uint8)
        threshold_40 = np.full(length, np.nan, np.float32)
        threshold_40[anomalous] = 1.0
        largest = np.where(np.isnan(threshold_40), 0.5, 2.0).astype(np.float32)
        kept[clip] = ClipRegions(
            np.arange(length, dtype=np.int32),
            largest,
            threshold_40,
            boxes,
            frames,
            levels,
            np.zeros(2, np.int32),
        )
    return Regions(np.array([0.1, 0.2], np.float32), SIZE, kept)
