"""The names of the files of a run folder, and of the folder of a cell in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath

from bench.plugins.syntax import find_control_character

FORMAT = 1
"""Version of the files of a run folder; raised when an older reader would misread them."""

FILE_DESCRIPTIONS = {
    "run.json": "request, command line, versions, git state, machine, threads, datasets with fingerprints, seeds, profile, detector; checksums",
    "datasets/NAME.json": "ids, lengths and scenes of the test clips; the fingerprint; what could not be prepared, and why; checksums",
    "datasets/NAME.npz": "LABELSET/CLIP: the 0/1 labels of each clip, (N,) uint8",
    "cells/METHOD/DATASET/SEED/cell.json": "status, reason, attempts, parameters, seconds by phase, memory, warnings; checksums",
    "cells/METHOD/DATASET/SEED/scores.npz": "CLIP: (K,) float32, higher is more anomalous; CLIP.frames: (K,) int32, counted from 0",
    "cells/METHOD/DATASET/SEED/training.csv": "the terms of the loss, a line an epoch",
    "cells/METHOD/DATASET/SEED/steps.csv": "the terms of the loss at up to 500 single steps, evenly spaced over the training",
    "cells/METHOD/DATASET/SEED/log.txt": "what method and harness said; the traceback of an error",
    "cells/METHOD/DATASET/SEED/weights": "the fitted method, with --keep weights",
    "cells/METHOD/DATASET/SEED/images/": "images of some frames, with --keep images",
    "cells/METHOD/DATASET/SEED/regions.npz": "regions of the error maps, with --keep regions",
    "cells/METHOD/DATASET/SEED/train_scores.npz": "scores of the training clips, as scores.npz, with --keep train-scores",
    "cells/METHOD/DATASET/SEED/epoch_scores.npz": "EPOCH/CLIP: scores after each epoch, with --keep epoch-scores",
    "cells/METHOD/DATASET/SEED/scratch/": "checkpoint and the clips scored so far, while the cell is not done",
    "cells/METHOD/DATASET/SEED/job.json": "while another machine has the cell: by what the executor finds its job again",
    "tables/results.csv": "a line a cell, scene, label set, protocol and metric; fractions",
    "tables/summary.csv": "the same, the seeds joined",
    "tables/NAME.{txt,md,tex}": "the tables as text, Markdown and LaTeX; percent",
    "tables/all.tex": "all tables, notes and figures as one document; beside it notes.tex, numbers.tex (macros) and references.bib",
    "figures/": "the figures as PDF and PNG, with their captions",
    "report.html": "the page: tables, curves and clips in any browser",
    "table.toml": "rows, columns, names and digits of the comparison, as chosen with bench report --edit-table",
    "tables/QUESTION/NAME.{txt,md,tex}": "the same under another protocol or metric, as tables/raw, tables/_ap",
    "report.json": "of each table, figure and page: its question, a digest of the run it was made from, its SHA-256",
}
"""What `bench help files` says of the files that are for reading. METHOD carries 8 hex digits where
parameters differ from the profile; below SEED stands SCENE where each scene has a model of its
own."""

RESULTS = Path("results")
"""Where runs are written by default, below the working directory."""
KEPT = {
    "images": "images",
    "weights": "weights",
    "regions": "regions.npz",
    "train-scores": "train_scores.npz",
    "epoch-scores": "epoch_scores.npz",
}
"""What `--keep` may ask for, and the file or folder of the cell that it becomes."""
CHECKED = ("scores.npz", "training.csv", *KEPT.values())
"""What cell.json has checksums of."""
IMAGE_PARTS = ("frame", "reconstruction", "error")
"""What `--keep images` writes of a frame."""
MANIFEST = "run.json"
NUMBERS = ("results.csv", "summary.csv")
"""The tables of all numbers, one line each, which answer no single question."""
CELLS = "cells"
CELL_RECORD = "cell.json"


class CellFiles:
    """The paths of the files of one cell."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.record = folder / CELL_RECORD
        self.scores = folder / "scores.npz"
        self.training = folder / "training.csv"
        self.steps = folder / "steps.csv"
        self.log = folder / "log.txt"
        self.images = folder / KEPT["images"]
        self.weights = folder / KEPT["weights"]
        self.regions = folder / KEPT["regions"]
        self.train_scores = folder / KEPT["train-scores"]
        self.epoch_scores = folder / KEPT["epoch-scores"]
        self.scratch = folder / "scratch"
        """Checkpoint and the clips scored so far, while the cell is not done."""
        self.progress = folder / "progress.json"
        """How far the worker is, while it runs."""
        self.job = folder / "job.json"
        """By what the executor finds the job of the cell again, while there is one."""
        self.claim = folder / ".claim"
        """By whom the cell is worked on (`bench.files.claims`)."""
        self.arriving = folder / ".coming"
        """The folder in which files that come from another machine are checked."""

    def checked(self) -> dict[str, Path]:
        """Return those files of `CHECKED` that are there, by name."""
        return {name: path for name in CHECKED if (path := self.folder / name).exists()}

    def results(self) -> list[Path]:
        """Return what an attempt writes beside `record`."""
        return [
            *(self.folder / name for name in CHECKED), self.steps, self.log, self.scratch
        ]  # fmt: skip

    def kept_images(self) -> Iterator[tuple[str, int, str, Path]]:
        """Yield the clip, the frame, what is shown (one of `IMAGE_PARTS`), and the path of each
        kept image, in the order of their paths.
        """
        for path in sorted(self.images.glob("*/*.jpg")):
            frame, _, shown = path.stem.partition("-")
            if frame.isdecimal() and shown in IMAGE_PARTS:
                yield path.parent.name, int(frame), shown, path


class ReportFiles:
    """The paths of what `bench report` makes: in the run's own folder, or in another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.index = folder / "report.json"

    def tables(self, question: str = "") -> Path:
        """Return the folder of the tables that answer a question."""
        return self.folder / "tables" / question

    def figures(self, question: str = "") -> Path:
        """Return the folder of the figures that answer a question."""
        return self.folder / "figures" / question

    def videos(self, question: str = "") -> Path:
        """Return the folder of the videos that answer a question."""
        return self.folder / "videos" / question

    def page(self, question: str = "") -> Path:
        """Return the page that answers a question."""
        name = f"report-{question}".replace("-_", "_", 1) if question else "report"
        return self.folder / f"{name}.html"

    def name(self, path: Path) -> str:
        """Return the path of a file below the folder, as report.json names it."""
        return path.relative_to(self.folder).as_posix()

    def table_question(self, name: str) -> str | None:
        """Return the question that a table answers, by its name; None where a file is no table."""
        parts = PurePosixPath(name).parts
        is_table = len(parts) in (2, 3) and parts[0] == "tables"
        return "/".join(parts[1:-1]) if is_table else None

    def holds(self, name: str) -> bool:
        """Whether a name is that of a table, a figure or a page of a report."""
        parts = PurePosixPath(name).parts
        is_page = len(parts) == 1 and name.endswith(".html")
        return is_page or (
            len(parts) in (2, 3) and parts[0] in ("tables", "figures") and ".." not in parts
        )


def image_name(frame: int, shown: str) -> str:
    """Return the name of a kept image in the folder of its clip."""
    return f"{frame:05d}-{shown}.jpg"


def is_cell_folder(folder: str) -> bool:
    """Whether a text names a folder below cells/."""
    first, *others = folder.split("/")
    return first == CELLS and all(map(is_file_name, others))


@lru_cache(maxsize=1 << 14)  # the cells of a run share the parts of their folders
def is_file_name(name: str) -> bool:
    """Whether a text is the name of one file or folder."""
    return (
        name not in ("", ".", "..")
        and "/" not in name
        and len(os.fsencode(name)) < 256
        and not find_control_character(name)
    )
