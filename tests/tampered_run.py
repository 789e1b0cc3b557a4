"""An honest run with everything, and each kind of tampering with it: what is changed, and what must
be said of it."""

import copy
import json
import re
import shutil
from dataclasses import asdict, replace

import numpy as np
from made_run import MASKS, done, keep_images, make_run, regions

from bench import Scores
from bench.files.whole_files import npz, write_bytes
from bench.plugins.registry import load
from bench.reporting.report_writer import ReportWriter, write_tables
from bench.runs.manifest import Manifest
from bench.runs.scores import write_scores
from bench.tables.kinds import open_source

EVERYTHING = load()
REGISTRY = copy.copy(EVERYTHING)
"""With two protocols and metrics: a run under all of them takes seconds to check."""
REGISTRY.protocols = {name: EVERYTHING.protocols[name] for name in ("median17", "raw")}
REGISTRY.metrics = {name: EVERYTHING.metrics[name] for name in ("auc", "ap")}
PCA, MEMAE = "cells/pca/made/0", "cells/memae/made/0"


def record(name, seed=0, quality=0.5, **more):
    key = {
        "method": name,
        "version": 1,
        "parameters": {"size": 8},
        "seed": seed,
        "scene": "",
        "dataset": "f",
    }
    return done(name, quality, seed=seed, key=key, parameters={"size": 8}, **more)


def make_honest(folder):
    """Make a finished run with everything: two seeds, a failure, kept files, tables under two
    questions, figures and page."""
    run = make_run(
        folder,
        [
            record("pca", quality=0.3, family="reference", deviations=["its size is another"], uses_seed=False),
            record("memae", ablation=["A", "DDL"], paper_protocol="raw", warnings=["it hardly learned"]),
            record("memae", seed=1, quality=0.4, ablation=["A", "DDL"], paper_protocol="raw"),
            ("mnad", 0, "failed", "out of memory", 0, {"key": {}, "uses_seed": False}),
        ],
        label_sets=("frame", "pixel"), scenes=("a", "a", "b"), regions=MASKS, resolution=(20, 40), frame_rate=10.0,
    )  # fmt: skip
    cells = run.cells()
    for cell in cells:
        if cell.status != "done":
            continue
        if cell.method == "memae":
            (run.cell_path(cell) / "training.csv").write_text(
                "epoch,loss,sigma\n1,0.5,0.1\n2,0.4,0.2\n"
            )
            (run.cell_path(cell) / "weights").write_bytes(b"weights")
            run.write_regions(cell, regions(0.5))
            keep_images(run.cell_path(cell), "01", (0, 8), ("frame", "error"))
        run.write_train_scores(cell, {"01": Scores(np.linspace(0, 1.2, 50), np.arange(50))})
        cell.checksums = run.checksums_of(cell)
        cell.kept = ["regions", "train-scores"]
        run.write_cell(cell)
    run.write_manifest(
        Manifest(
            cells=[asdict(cell) for cell in cells], protocol="median17", seeds=[0, 1], profile="small", command="bench run",
            request={"methods": "pca,memae,mnad", "profiles": ["small"]},
            datasets=[{"label": "made", "name": "made", "folder": "made", "selector": "made", "fingerprint": "f", "missing": ""}],
            methods=[{"label": name, "selector": name, "name": name, "family": family} for name, family in
                        (("pca", "reference"), ("memae", "reconstruction"), ("mnad", "reconstruction"))],
        )
    )  # fmt: skip
    source = open_source(run, REGISTRY, REGISTRY.protocols["median17"], REGISTRY.metrics["auc"])
    output = ReportWriter(source, run.path)
    output.tables(
        ["comparison", "ablation", "operator", "localisation", "published-rows", "intervals"]
    )
    output.figures(["roc"])
    output.page()
    output.finish()
    write_tables(run, REGISTRY, ["median17[edge=zero]"])
    write_tables(run, REGISTRY)
    run.seal()
    return run.path


def cell_of(run, folder):
    return next(cell for cell in run.cells() if cell.folder == folder)


def edit(path, old, new, count=1):
    text = path.read_text()
    assert old in text, (path, old)
    path.write_text(text.replace(old, new, count))


def edit_number(path):
    """Make the first percentage that stands in a table another one."""
    text = path.read_text()
    found = re.search(r"\b(\d\d)\.(\d\d)\b", text)
    path.write_text(
        text[: found.start()] + f"{found[1]}.{(int(found[2]) + 1) % 100:02d}" + text[found.end() :]
    )


def edit_json(path, change):
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def edit_scores(run, folder, change, forged=False):
    """Change the scores of a cell; `forged`: with a checksum that fits, in cell.json."""
    cell = cell_of(run, folder)
    scores = run.scores(cell)
    change(scores)
    write_scores(run.path / folder / "scores.npz", scores)
    if forged:
        run.write_cell(replace(cell, checksums=run.checksums_of(cell)))


def one_score(scores):
    values = scores["01"].values.copy()
    values[7] += 0.125
    scores["01"] = Scores(values, scores["01"].frames)


def shifted(scores):
    scores["01"] = Scores(scores["01"].values, scores["01"].frames - 1)


def extra_clip(scores):
    scores["04"] = scores["01"]


def no_score(scores):
    scores["01"] = Scores(np.zeros(0, np.float32), np.zeros(0, np.int32))


def swap(run, name="scores.npz"):
    one, other = run.path / PCA / name, run.path / MEMAE / name
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def edit_labels(run, change, forged=False):
    """Change labels; `forged`: with a checksum that fits, as `write_dataset` makes it."""
    dataset = run.dataset("made")
    labels = {
        label_set: {clip: array.copy() for clip, array in clips.items()}
        for label_set, clips in dataset.labels.items()
    }
    change(labels["frame"])
    if forged:
        run.write_dataset(replace(dataset, labels=labels))
    else:
        write_bytes(
            run.path / "datasets" / "made.npz",
            npz({f"{s}/{c}": array for s, clips in labels.items() for c, array in clips.items()}),
        )


def flip(labels):
    labels["01"][3] ^= 1


def exchange(labels):
    labels["01"], labels["02"] = (
        labels["02"][10:].copy(),
        np.concatenate([labels["01"], labels["02"][:10]]),
    )


def edit_cell(run, folder=MEMAE, **fields):
    """As whoever forges a cell does it: with a checksum of cell.json that fits."""
    run.write_cell(replace(cell_of(run, folder), **fields))


def drop_seed(run):
    """Take a bad seed out of run.json and the folder, and make the tables anew."""
    shutil.rmtree(run.path / "cells/memae/made/1")
    manifest = run.manifest
    run.write_manifest(replace(manifest, cells=[cell for cell in manifest.cells if (cell["method"], cell["seed"]) != ("memae", 1)],
                        checksums={}))  # fmt: skip
    write_tables(run, REGISTRY)


def drop_row(run):
    shutil.rmtree(run.path / "cells/mnad")
    manifest = run.manifest
    run.write_manifest(
        replace(
            manifest,
            cells=[cell for cell in manifest.cells if cell["method"] != "mnad"],
            checksums={},
        )
    )
    write_tables(run, REGISTRY)


def add_cell(run):
    shutil.copytree(run.path / PCA, run.path / "cells/other/made/0")


def edit_line(run, name="results.csv", column=None):
    path = run.report.tables() / name
    lines = path.read_text().splitlines()
    edit(path, lines[5], re.sub(r"0\.(\d)(\d+)", lambda found: f"0.9{found[2]}", lines[5], count=1))


TAMPERING = {
    # scores
    "a score is changed": (lambda run: edit_scores(run, MEMAE, one_score), f"{MEMAE}/scores.npz: is not what was written"),
    "a score is changed, with its checksum": (
        lambda run: edit_scores(run, MEMAE, one_score, forged=True),
        f"{MEMAE}/scores.npz: is not what was written: its checksum is not that in run.json",
    ),
    "a score is changed, with all checksums": (
        lambda run: (edit_scores(run, MEMAE, one_score, forged=True), run.seal()),
        "tables/results.csv: memae, made, ",
    ),
    "a score is changed, and the tables are made anew": (
        lambda run: (edit_scores(run, MEMAE, one_score), write_tables(run, REGISTRY)),
        f"{MEMAE}/scores.npz: is not what was written",
    ),
    "frames are shifted": (lambda run: edit_scores(run, MEMAE, shifted), f"{MEMAE}/scores.npz: is not what was written"),
    "a clip is taken out": (
        lambda run: edit_scores(run, MEMAE, lambda scores: scores.pop("03"), forged=True),
        f"{MEMAE}/scores.npz: clip 03 is not in it",
    ),
    "a clip is added": (lambda run: edit_scores(run, MEMAE, extra_clip, forged=True), f"{MEMAE}/scores.npz: clip 04 is none of made"),
    "a bad clip is emptied": (
        lambda run: edit_scores(run, MEMAE, no_score, forged=True),
        f"{MEMAE}/scores.npz: clips without a score are ['01'], and [] in cell.json",
    ),
    "scores of two cells are swapped": (swap, f"{PCA}/scores.npz: is not what was written"),
    "whole cells are swapped": (lambda run: (swap(run), swap(run, "cell.json")), f"{PCA}/cell.json: belongs to {MEMAE}"),
    "scores are cut": (
        lambda run: (run.path / PCA / "scores.npz").write_bytes((run.path / PCA / "scores.npz").read_bytes()[:-200]),
        f"{PCA}/scores.npz: is not what was written",
    ),
    "scores are gone": (lambda run: (run.path / PCA / "scores.npz").unlink(), f"{PCA}/scores.npz: is not there"),
    # kept files
    "training scores are changed": (
        lambda run: run.write_train_scores(cell_of(run, MEMAE), {"01": Scores(np.ones(50), np.arange(50))}),
        f"{MEMAE}/train_scores.npz: is not what was written",
    ),
    "regions are changed": (lambda run: run.write_regions(cell_of(run, MEMAE), regions(1.0)), f"{MEMAE}/regions.npz: is not what was written"),
    "weights are exchanged": (lambda run: (run.path / MEMAE / "weights").write_bytes(b"other"), f"{MEMAE}/weights: is not what was written"),
    "an image is exchanged": (
        lambda run: next((run.path / MEMAE / "images").rglob("*.jpg")).write_bytes(b"other"),
        f"{MEMAE}/images: is not what was written",
    ),
    "a training curve is changed": (
        lambda run: edit(run.path / MEMAE / "training.csv", "0.4", "0.1"),
        f"{MEMAE}/training.csv: is not what was written",
    ),
    "kept files are added": (
        lambda run: shutil.copy(run.path / MEMAE / "regions.npz", run.path / PCA),
        f"{PCA}/regions.npz: is there, and {PCA}/cell.json does not know it",
    ),
    # labels and dataset
    "a label is changed": (lambda run: edit_labels(run, flip), "datasets/made.npz: is not what was written"),
    "a label is changed, with its checksum": (
        lambda run: edit_labels(run, flip, forged=True),
        "datasets/made.npz: is not what was written: its checksum is not that in run.json",
    ),
    "labels of two clips are exchanged": (lambda run: edit_labels(run, exchange), "datasets/made.npz: is not what was written"),
    "a clip gets another scene": (
        lambda run: edit(run.path / "datasets" / "made.json", '"scene": "a"', '"scene": "b"'),
        "datasets/made.json: is not what was written",
    ),
    "the fingerprint is changed": (
        lambda run: run.write_dataset(replace(run.dataset("made"), fingerprint="another")),
        "datasets/made.json: its fingerprint is not that in run.json",
    ),
    "the order of label sets is changed": (
        lambda run: run.write_dataset(replace(run.dataset("made"), label_sets=("pixel", "frame"))),
        "datasets/made.json: is not what was written: its checksum is not that in run.json",
    ),
    "the dataset is gone": (lambda run: (run.path / "datasets" / "made.json").unlink(), "datasets/made.json: is not there"),
    # cell.json
    "a parameter is changed": (
        lambda run: edit(run.path / MEMAE / "cell.json", '"size": 8', '"size": 256'),
        f"{MEMAE}/cell.json: {MEMAE}/cell.json is damaged: its content is not what was written",
    ),
    "a parameter is forged": (lambda run: edit_cell(run, parameters={"size": 256}), f"{MEMAE}/cell.json: parameters is {{'size': 256}}"),
    "a profile is forged": (lambda run: edit_cell(run, profile="paper"), f"{MEMAE}/cell.json: profile is 'paper', and 'small' in run.json"),
    "a row is renamed": (lambda run: edit_cell(run, label="c3dsu"), f"{MEMAE}/cell.json: label is 'c3dsu', and 'memae' in run.json"),
    "a seed is forged": (lambda run: edit_cell(run, seed=5), f"{MEMAE}/cell.json: seed is 5, and 0 in run.json"),
    "a warning is hidden": (lambda run: edit_cell(run, warnings=[]), "tables/comparison.txt: line"),
    "a deviation is hidden": (lambda run: edit_cell(run, PCA, deviations=[]), f"{PCA}/cell.json: is not what was written"),
    "a failure is forged into a result": (
        lambda run: edit_cell(run, "cells/mnad/made/0", status="done", reason=""),
        "cells/mnad/made/0/scores.npz: ",
    ),
    "a result is forged into a failure": (
        lambda run: edit_cell(run, PCA, status="failed", reason="it fell"),
        f"{PCA}/cell.json: the cell has failed, and has scores",
    ),
    "a cell is gone": (lambda run: shutil.rmtree(run.path / PCA), f"{PCA}/cell.json: is not there, and run.json names the cell"),
    "a cell is added": (add_cell, "cells/other/made/0/cell.json: is there, and run.json does not name the cell"),
    # run.json
    "the command is changed": (
        lambda run: edit(run.path / "run.json", '"command": "bench run"', '"command": "bench run --seeds 0-9"'),
        "run.json: is not what was written: its checksum differs",
    ),
    "a bad seed is taken out": (drop_seed, "run.json: memae on made: seed 1 was asked for, and has no cell"),
    "a failed row is taken out": (drop_row, "run.json: has the method 'mnad', and no cell of it"),
    "run.json is damaged": (lambda run: (run.path / "run.json").write_text("{"), "run.json: run: "),
    # tables
    "a value of results.csv is changed": (edit_line, "tables/results.csv: pca, made, "),
    "a mean of summary.csv is changed": (lambda run: edit_line(run, "summary.csv"), "tables/summary.csv: memae, made, "),
    "a line of results.csv is taken out": (
        lambda run: edit(run.report.tables() / "results.csv", (run.report.tables() / "results.csv").read_text().splitlines()[5] + "\n", ""),
        ": the line is not there",
    ),
    "a line of results.csv is added": (
        lambda run: edit(run.report.tables() / "results.csv", "mnad,made", "best,made"),
        "tables/results.csv: best, made, 0, frame, median17, auc: such a line is given by no cell",
    ),
    "a number of the text is changed": (lambda run: edit_number(run.report.tables() / "comparison.txt"), "tables/comparison.txt: line"),
    "a number of the Markdown is changed": (lambda run: edit_number(run.report.tables() / "comparison.md"), "tables/comparison.md: line"),
    "another row is bold in LaTeX": (
        lambda run: edit(run.report.tables() / "comparison.tex", r"\textbf{", r"\underline{"),
        "tables/comparison.tex: line",
    ),
    "a footnote is taken out": (
        lambda run: edit(run.report.tables() / "comparison.txt", "its size is another", "nothing"),
        "tables/comparison.txt: line",
    ),
    "a command of numbers.tex is changed": (lambda run: edit_number(run.report.tables() / "numbers.tex"), "tables/numbers.tex: line"),
    "a published number is changed": (lambda run: edit(run.report.tables() / "intervals.txt", "to best", "to all"), "tables/intervals.txt: line"),
    "a number of the operator is changed": (
        lambda run: edit(run.report.tables() / "operator.txt", " of ", " OF "),
        "tables/operator.txt: line",
    ),
    "a number of an ablation is changed": (lambda run: edit_number(run.report.tables() / "ablation.tex"), "tables/ablation.tex: line"),
    "a number of localisation is changed": (lambda run: edit(run.report.tables() / "localisation.md", "100.00", "99.00"), "tables/localisation.md: line"),
    "a table under another protocol is changed": (
        lambda run: edit_number(next(run.report.tables().glob("median17-edge-zero-*/comparison.txt"))),
        "/comparison.txt: line",
    ),
    "the document leaves a table out": (lambda run: edit(run.report.tables() / "all.tex", "\\input{ablation}\n", ""), "tables/all.tex: line"),
    "a table is gone": (lambda run: (run.report.tables() / "comparison.md").unlink(), "tables/comparison.md: is not there"),
    "results.csv is gone": (lambda run: (run.report.tables() / "results.csv").unlink(), "tables/results.csv: is not there"),
    # figures, page, report.json
    "a figure is exchanged": (
        lambda run: next((run.path / "figures").glob("roc-*.pdf")).write_bytes(b"%PDF other"),
        ".pdf: is not what was written",
    ),
    "the page is changed": (lambda run: edit(run.path / "report.html", "memae", "c3dsu"), "report.html: is not what was written"),
    "report.json is changed": (
        lambda run: edit_json(run.path / "report.json", lambda value: value["files"].pop("report.html")),
        "report.json: is not what was written: its checksum differs",
    ),
}  # fmt: skip
