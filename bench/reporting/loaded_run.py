"""A run as Python sees it: `bench.load`, and what `bench.run` returns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.contracts.method import Scores
from bench.contracts.protocol import Protocol
from bench.errors import RequestError, RunError
from bench.evaluation.data_frames import results_frame, summary_frame
from bench.evaluation.measurements import Measurement
from bench.evaluation.run_scores import RunScores
from bench.evaluation.summaries import summarise
from bench.figures import kinds as drawing
from bench.figures.style import Drawn, styled
from bench.plugins.registry import Registry, current
from bench.plugins.registry import load as load_registry
from bench.plugins.selection import select_one
from bench.runs.folder import Run
from bench.runs.records import CellRecord, DatasetRecord
from bench.runs.status import Status
from bench.scoring.metrics import choose_metric
from bench.tables.comparison import compare
from bench.tables.forms.html import NotebookTable
from bench.tables.kinds import open_source
from bench.wording import listed, unknown

if TYPE_CHECKING:
    import pandas as pd


class LoadedRun:
    """A run, read from its folder alone. What it says is as the folder was when it was asked first;
    load it again to see more.
    """

    def __init__(self, run: Run, registry: Registry) -> None:
        self.path = run.path
        self._run = run
        self._registry = registry

    @cached_property
    def results(self) -> pd.DataFrame:
        """results.csv: one line a cell, scene, label set, protocol and metric; numbers are
        fractions.
        """
        return results_frame(self._measurements)

    @cached_property
    def summary(self) -> pd.DataFrame:
        """summary.csv: one line a method, dataset, label set, protocol and metric, the seeds
        joined.
        """
        return summary_frame(summarise(self._measurements))

    def table(self, protocol: str | Protocol | None = None, metric: str = "auc") -> NotebookTable:
        """Return the comparison under a protocol (a selector, or a Protocol; default: that of the
        run).

        Raises
        ------
        RequestError : no such protocol or metric.
        """
        chosen = self._own_protocol if protocol is None else self._chosen(protocol)
        table = compare(self._run_scores, chosen, choose_metric(metric, self._registry))
        return NotebookTable(**vars(table))

    def plot(
        self,
        figure: str = "timelines",
        dataset: str | None = None,
        protocol: str | Protocol | None = None,
        metric: str = "auc",
    ) -> Drawn:
        """Return a figure of the report with its caption; a notebook displays it, `save` writes it.

        Parameters
        ----------
        figure : as `bench report --figure` takes it: 'timelines', 'roc', 'protocols', 'ranks',
            'cost', ... Those that run a network again are made by that command alone.
        dataset : the label or display name; default: the first that has such a figure. Of several
            figures of one dataset (label sets, networks) the first is returned.
        protocol, metric : as in `table`.

        Raises
        ------
        RequestError : no such figure, dataset, protocol or metric, or the run has none, with the
            reason.
        """
        if figure not in drawing.KINDS:
            raise self._unknown("figure", figure, drawing.OF_THE_RUN)
        kind = drawing.KINDS[figure]
        if kind.draw is None:
            raise RequestError(
                f"{figure} needs the dataset and kept weights: bench report {self.path} "
                f"--figure {figure} makes it"
            )
        names = list(dict.fromkeys(cell.dataset for cell in self._run_scores.cells))
        wanted = None if dataset is None else self._run_scores.names.label_of(dataset)
        if wanted is not None and wanted not in names:
            raise self._unknown("dataset", wanted, names)
        source = open_source(
            self._run,
            self._registry,
            self._own_protocol if protocol is None else self._chosen(protocol),
            choose_metric(metric, self._registry),
            run_scores=self._run_scores,
        )
        with styled():
            for drawn in kind.draw(source):
                if wanted in (None, drawn.dataset):
                    return drawn
        raise RequestError(f"{self.path}: {figure}: {kind.absent(source)}")

    def scores(self, method: str, dataset: str, seed: int | None = None) -> dict[str, Scores]:
        """Return the scores of a method's row, by clip: `values` (K,) and `frames` (K,). Models of
        single scenes are joined.

        Parameters
        ----------
        method, dataset : labels or display names, as they stand in results.csv or in the table.
        seed : default: the first.

        Raises
        ------
        RequestError : the run has no such row.
        RunError : the cell is not done, with its status and reason, or its scores are damaged.
        """
        cells = self._cells(method, dataset, seed)
        for cell in cells:
            if cell.status != Status.DONE:
                raise RunError(
                    f"{self.path}: {method} on {dataset}, seed {cell.seed}, has no scores: {cell.status}. {cell.reason}".rstrip()
                )
        return {clip: scores for cell in cells for clip, scores in self._run.scores(cell).items()}

    def labels(self, dataset: str, label_set: str | None = None) -> dict[str, np.ndarray]:
        """Return the labels of the test clips, by clip: (N,) 0/1; of the default label set unless
        another is named.

        Raises
        ------
        RequestError : the run has no such dataset or label set.
        RunError : the dataset was never prepared.
        """
        record = self._dataset(dataset)
        if label_set is None:
            label_set = next(iter(record.label_sets), "")
        if label_set not in record.labels:
            raise RequestError(
                f"{dataset}: no label set {label_set!r} (there are {', '.join(record.label_sets) or 'none'})"
            )
        return dict(record.labels[label_set])

    def scenes(self, dataset: str) -> dict[str, str]:
        """Return the scene of each test clip; empty texts where the dataset has none.

        Raises
        ------
        RequestError, RunError : as `labels`.
        """
        return {clip: scene for clip, _, scene in self._dataset(dataset).clips}

    def __repr__(self) -> str:
        counts = Counter(cell.status for cell in self._run_scores.cells)
        return f"<run {self.path}: {', '.join(f'{count} {status}' for status, count in counts.items())}>"

    def _repr_html_(self) -> str:
        from html import escape

        return f"<p><code>{escape(repr(self)[1:-1])}</code></p>{self.table()._repr_html_()}"

    # -- read once ---------------------------------------------------------------------------------

    @cached_property
    def _run_scores(self) -> RunScores:
        return RunScores(self._run, self._registry)

    @cached_property
    def _own_protocol(self) -> Protocol:
        return self._chosen(self._run.manifest.protocol)

    @cached_property
    def _protocols(self) -> list[Protocol]:
        every = {
            protocol.name: protocol
            for protocol in [*self._registry.protocols.values(), self._own_protocol]
        }
        return list(every.values())

    @cached_property
    def _measurements(self) -> list[Measurement]:
        metrics = list(self._registry.metrics.values())
        return self._run_scores.measure(self._protocols, metrics)

    def _chosen(self, protocol: str | Protocol) -> Protocol:
        return (
            protocol
            if isinstance(protocol, Protocol)
            else select_one("protocols", protocol, self._registry).parameters
        )

    def _cells(self, method: str, dataset: str, seed: int | None) -> list[CellRecord]:
        """Return the cell of a row, or those of its scenes."""
        cells, label_of = self._run_scores.cells, self._run_scores.names.label_of
        method, dataset = label_of(method), label_of(dataset)
        of_method = [cell for cell in cells if cell.label == method]
        if not of_method:
            raise self._unknown("row", method, (cell.label for cell in cells))
        of_dataset = [cell for cell in of_method if cell.dataset == dataset]
        if not of_dataset:
            raise self._unknown("dataset", dataset, (cell.dataset for cell in of_method))
        wanted = of_dataset[0].seed if seed is None else seed
        found = [cell for cell in of_dataset if cell.seed == wanted]
        if not found:
            raise RequestError(
                f"{self.path}: {method} on {dataset} has no seed {seed} (there are {listed(cell.seed for cell in of_dataset)})"
            )
        return found

    def _dataset(self, dataset: str) -> DatasetRecord:
        dataset = self._run_scores.names.label_of(dataset)
        cell = next((cell for cell in self._run_scores.cells if cell.dataset == dataset), None)
        if cell is None:
            raise self._unknown(
                "dataset", dataset, (cell.dataset for cell in self._run_scores.cells)
            )
        return self._run.dataset(cell.dataset_folder)

    def _unknown(self, what: str, name: str, known: Iterable[str]) -> RequestError:
        return RequestError(f"{self.path}: {unknown(what, name, known)}")


def load(path: str | Path, plugin: str | Path | Sequence[str | Path] = ()) -> LoadedRun:
    """Open a run's folder: its numbers as pandas frames, its scores, labels and tables. Nothing is
    written, and torch is not needed.

    Parameters
    ----------
    path : the folder, e.g. 'results/20260719-101500'.
    plugin : files with protocols or metrics of your own.

    Raises
    ------
    RunError : no run there, or one of a newer version.
    RequestError : a plugin file that cannot be used.
    """
    run = Run.open(Path(path))
    files = [Path(file) for file in ([plugin] if isinstance(plugin, str | Path) else plugin)]
    registry = load_registry(files) if files else current()
    if broken := [
        f"{record.file}: {record.broken}"
        for record in registry.plugins
        if record.file and record.broken and files
    ]:
        raise RequestError(*broken)
    return LoadedRun(run, registry)
