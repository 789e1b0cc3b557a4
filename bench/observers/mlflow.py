"""Cells as runs of MLflow."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.contracts.observer import Observer
from bench.contracts.parameters import parameter
from bench.errors import RequestError
from bench.runs.status import Status

ENDED = {Status.DONE: "FINISHED", Status.INTERRUPTED: "KILLED"}
"""Status of a cell -> MLflow's; all others have failed."""
LONGEST = 500
"""Characters of a parameter or tag that every version of MLflow's stores takes."""


@dataclass(frozen=True)
class Parameters:
    """Which store, and which experiment in it."""

    uri: str = parameter(
        "",
        source="no source: chosen here",
        doc="of a tracking store or server; where empty, the file mlflow.db in the run folder",
    )
    experiment: str = parameter(
        "", source="no source: chosen here", doc="its name; where empty, that of the run folder"
    )


class MLflowObserver(Observer):
    """One MLflow run a cell, in an experiment of the run's name: `mlflow ui --backend-store-uri
    sqlite:///RUN/mlflow.db` shows them.
    """

    name = "mlflow"
    Parameters = Parameters

    def check(self) -> None:
        """Refuse a machine without MLflow, or without what its local store needs."""
        needed = ["mlflow", *([] if self.parameters.uri else ["sqlalchemy", "alembic"])]
        missing = [name for name in needed if importlib.util.find_spec(name) is None]
        if missing:
            raise RequestError(
                f"--observe mlflow needs the package {missing[0]}, which is not installed here; pip install 'vad-bench[mlflow]'"
            )

    def open(self, run: Path) -> None:
        """Find the experiment, or make it."""
        from mlflow.tracking import MlflowClient

        for name in ("mlflow", "alembic"):  # which tell of each table that they make
            logging.getLogger(name).setLevel(logging.WARNING)
        self.client = MlflowClient(
            tracking_uri=self.parameters.uri or f"sqlite:///{(run / 'mlflow.db').resolve()}"
        )
        name = self.parameters.experiment or run.resolve().name
        found = self.client.get_experiment_by_name(name)
        self.experiment = found.experiment_id if found else self.client.create_experiment(name)
        self.runs: dict[str, str] = {}

    def started(self, cell: Mapping[str, Any]) -> None:
        """Begin a run: what was asked as its parameters. An earlier attempt that found the cell
        taken by another process ends here.
        """
        if earlier := self.runs.pop(cell["folder"], None):
            self.client.set_terminated(earlier, "KILLED")
        scene = f", scene {cell['scene']}" if cell["scene"] else ""
        names = ("method", "label", "dataset", "scene", "seed", "profile", "device", "detector")
        tags = {
            f"bench.{name}": str(cell[name])[:LONGEST] for name in (*names, "folder", "attempts")
        }
        run = self.client.create_run(
            self.experiment,
            tags=tags,
            run_name=f"{cell['label']} on {cell['dataset']}, seed {cell['seed']}{scene}",
        )
        self.runs[cell["folder"]] = run.info.run_id
        for name, value in {**{name: cell[name] for name in names}, **cell["parameters"]}.items():
            self.client.log_param(run.info.run_id, name, str(value)[:LONGEST])

    def epoch(self, cell: Mapping[str, Any], number: int, figures: Mapping[str, float]) -> None:
        """Log each figure of this step."""
        for name, value in figures.items():
            self.client.log_metric(self.runs[cell["folder"]], name, value, step=number)

    def finished(self, cell: Mapping[str, Any], figures: Mapping[str, float]) -> None:
        """Log the metrics, and end the run as the cell ended."""
        run = self.runs.pop(cell["folder"])
        for name, value in figures.items():
            self.client.log_metric(run, f"test_{name}", value)
        if cell["reason"]:
            self.client.set_tag(run, "bench.reason", cell["reason"][:LONGEST])
        self.client.set_terminated(run, ENDED.get(cell["status"], "FAILED"))

    def close(self) -> None:
        """End the runs of cells that have not ended."""
        for run in self.runs.values():
            self.client.set_terminated(run, "KILLED")
