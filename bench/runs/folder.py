"""A run: the cells of one command, and the folder that keeps them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from bench.contracts.method import Scores
from bench.errors import RunError
from bench.files.checksums import digest_of, sealed
from bench.files.whole_files import write_json
from bench.runs.dataset_files import read_dataset, write_dataset
from bench.runs.layout import (
    CELL_RECORD,
    CELLS,
    FORMAT,
    KEPT,
    MANIFEST,
    CellFiles,
    ReportFiles,
    is_cell_folder,
)
from bench.runs.manifest import Manifest
from bench.runs.records import (
    CellRecord,
    DatasetRecord,
    cell_record,
    read_cell,
)
from bench.runs.regions import (
    Detections,
    Regions,
    read_regions,
    write_regions,
)
from bench.runs.scores import read_epoch_scores, read_scores, write_scores
from bench.runs.status import Status


class Run:
    """The folder of a run. Every file in it is written whole or not at all."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.manifest_file = self.path / MANIFEST
        self.datasets = self.path / "datasets"
        self.report = ReportFiles(self.path)
        self.server_log = self.path / "server.log"
        self.observers_log = self.path / "observers.log"
        self.stop_file = self.path / ".stop"
        """The word of `bench stop` to all runners."""
        self.identity_file = self.path / ".id"
        """Tells other machines whether they see this folder, or one of the same name."""
        self.turn = self.path / ".run"
        """The claim of a runner that writes run.json."""
        self._manifest: tuple[tuple[int, int, int], Manifest] | None = None

    @classmethod
    def open(cls, path: Path) -> Run:
        """Open an existing run.

        Raises
        ------
        RunError : no run there, or one of a newer version.
        """
        run = cls(path)
        if not run.exists:
            raise RunError(
                f"{path} is not a run: it has no run.json (runs are the folders below results/)"
            )
        manifest = run.manifest
        if manifest.format != FORMAT:
            raise RunError(
                f"{path}: run.json has format {manifest.format!r}, this version of bench reads "
                f"{FORMAT}; use the version that wrote it ({manifest.versions or None})"
            )
        return run

    @classmethod
    def above(cls, path: Path) -> Run | None:
        """Return the run that a path is, or lies in; None where there is none."""
        return next((run for folder in (path, *path.parents) if (run := cls(folder)).exists), None)

    @property
    def exists(self) -> bool:
        """Whether there is a run.json."""
        return self.manifest_file.is_file()

    @property
    def manifest(self) -> Manifest:
        """The content of run.json.

        Raises
        ------
        RunError : absent or damaged.
        """
        try:
            found = self.manifest_file.stat()
        except OSError:
            return Manifest.read(self.manifest_file)
        # It is replaced as a whole, never written into: another one is another file.
        stamp = found.st_ino, found.st_mtime_ns, found.st_size
        if self._manifest is None or self._manifest[0] != stamp:
            self._manifest = stamp, Manifest.read(self.manifest_file)
        return replace(self._manifest[1])

    @property
    def manifests(self) -> dict[str, Manifest]:
        """The content of run.json of each run that was merged, by name; of one run under ''."""
        return {"": self.manifest}

    def write_manifest(self, manifest: Manifest) -> None:
        """Write run.json."""
        manifest.write(self.manifest_file)

    def seal(self) -> None:
        """Write the checksums of datasets and of all cells that are not at work into run.json.

        Raises
        ------
        RunError : run.json or one of the files cannot be read, or run.json cannot be written.
        """
        files = [
            path for path in sorted(self.datasets.glob("*")) if path.suffix in (".json", ".npz")
        ]
        for cell in self.cells():
            if cell.status not in (Status.QUEUED, Status.RUNNING, Status.INTERRUPTED):
                files += [self.files_of(cell).record, self.files_of(cell).scores]
        found = {
            path.relative_to(self.path).as_posix(): digest_of(path)
            for path in files
            if path.is_file()
        }
        self.write_manifest(replace(self.manifest, checksums=found))

    # -- cells -------------------------------------------------------------------------------------

    def planned(self) -> list[CellRecord]:
        """Return the cells of the run as they were planned, in the order of the request."""
        return [cell_record(cell, str(self.manifest_file)) for cell in self.manifest.cells]

    def cells(self) -> list[CellRecord]:
        """Return the cells as they are now. One whose cell.json is damaged is failed, with that
        reason.
        """
        source, place = str(self.manifest_file), str(self.path)
        return [
            self._as_it_is(cell.get("folder"), partial(cell_record, cell, source), place)
            for cell in self.manifest.cells
        ]

    def cells_left(self) -> list[CellRecord]:
        """Return the cells whose own files can be read, by folder: all there is where run.json is
        damaged.
        """
        found = []
        for path in self.record_files():
            try:
                record = read_cell(path)
            except RunError:
                continue
            if self.path / record.folder == path.parent:
                found.append(record)
        return found

    def record_files(self) -> list[Path]:
        """Return all files cell.json that are there."""
        return sorted(self.path.glob(f"{CELLS}/**/{CELL_RECORD}"))

    def cell(self, planned: CellRecord) -> CellRecord:
        """Return one cell as it is now."""
        return self._as_it_is(planned.folder, lambda: planned, str(self.path))

    def _as_it_is(self, folder: Any, planned: Callable[[], CellRecord], place: str) -> CellRecord:
        """Return what stands in a cell's folder, else the cell as planned, which is then read: of
        10,000 cells that is half the time. `place` is the folder of the run: to join texts is
        quicker than to join paths.
        """
        if not isinstance(folder, str) or not is_cell_folder(folder):
            return planned()
        path = Path(f"{place}/{folder}/{CELL_RECORD}")
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
        """Write cell.json, with a checksum, by which damage of the disk is seen."""
        write_json(self.files_of(record).record, sealed(asdict(record)))

    def cell_path(self, record: CellRecord) -> Path:
        """Return the folder of a cell."""
        return self.path / record.folder

    def files_of(self, record: CellRecord) -> CellFiles:
        """Return the paths of the files of a cell."""
        return CellFiles(self.cell_path(record))

    def checksums_of(self, record: CellRecord) -> dict[str, str]:
        """Return the checksums of the files of `CHECKED` that are in the folder of a cell."""
        return {name: digest_of(path) for name, path in self.files_of(record).checked().items()}

    def _as_written(self, record: CellRecord, path: Path) -> Path:
        """Return the path of a file of a cell.

        Raises
        ------
        RunError : it is not the one that the cell wrote, as far as cell.json tells.
        """
        expected = record.checksums.get(path.name)
        if expected is not None and path.is_file() and digest_of(path) != expected:
            raise RunError(
                f"{path} is not what the cell wrote: its checksum is not that in cell.json; the same `bench run` line with --force repeats the cell"
            )
        return path

    # -- scores ------------------------------------------------------------------------------------

    def write_scores(self, record: CellRecord, scores: Mapping[str, Scores]) -> None:
        """Write scores.npz: for each clip `ID` float32 and `ID.frames` int32."""
        write_scores(self.files_of(record).scores, scores)

    def scores(self, record: CellRecord) -> dict[str, Scores]:
        """Read scores.npz.

        Raises
        ------
        RunError : absent, damaged, or not what the cell wrote.
        """
        return read_scores(self._as_written(record, self.files_of(record).scores))

    def write_train_scores(self, record: CellRecord, scores: Mapping[str, Scores]) -> None:
        """Write train_scores.npz, of the same form, for the training clips."""
        write_scores(self.files_of(record).train_scores, scores)

    def train_scores(self, record: CellRecord) -> dict[str, Scores]:
        """Read train_scores.npz; empty where none were kept.

        Raises
        ------
        RunError : damaged, or not what the cell wrote.
        """
        path = self._as_written(record, self.files_of(record).train_scores)
        return read_scores(path) if path.is_file() else {}

    def epoch_scores(self, record: CellRecord) -> dict[int, dict[str, Scores]]:
        """Read epoch_scores.npz; empty where none were kept. Raises as `scores` does."""
        path = self._as_written(record, self.files_of(record).epoch_scores)
        return read_epoch_scores(path) if path.is_file() else {}

    # -- regions -----------------------------------------------------------------------------------

    def write_regions(self, record: CellRecord, regions: Regions | Detections) -> None:
        """Write regions.npz."""
        write_regions(self.files_of(record).regions, regions)

    def regions(self, record: CellRecord) -> Regions | Detections | None:
        """Read regions.npz; None where none were kept.

        Raises
        ------
        RunError : damaged, or not what the cell wrote.
        """
        path = self._as_written(record, self.files_of(record).regions)
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
        write_dataset(self.dataset_files(record.name), record)

    def preparation_files(self, name: str) -> tuple[Path, Path]:
        """Return where progress and log of a dataset are while it is prepared."""
        return self.datasets / f"{name}.progress.json", self.datasets / f"{name}.log"

    def dataset_files(self, name: str) -> tuple[Path, Path, Path]:
        """Return where NAME.json, NAME.npz (labels) and NAME.regions.npz of a dataset are."""
        about, labels, regions = (
            self.datasets / f"{name}{end}" for end in (".json", ".npz", ".regions.npz")
        )
        return about, labels, regions

    def dataset(self, name: str) -> DatasetRecord:
        """Read what is kept of a dataset, by its file name.

        Raises
        ------
        RunError : absent or damaged.
        """
        return read_dataset(self.dataset_files(name), name)


def find_runs(results: Path) -> list[Run]:
    """Return the runs below a results folder, the one that `bench run` was last asked for first: by
    when its run.json was written.
    """
    if not results.is_dir():
        return []
    newest_first = sorted(
        results.glob(f"*/{MANIFEST}"),
        key=lambda path: (path.stat().st_mtime_ns, path.parent.name),
        reverse=True,
    )
    return [Run(path.parent) for path in newest_first]
