"""Training curves in TensorBoard, without torch or TensorFlow."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.contracts.observer import Observer
from bench.contracts.parameters import parameter
from bench.errors import RequestError


@dataclass(frozen=True)
class Parameters:
    """Where event files are written."""

    path: str = parameter(
        "",
        source="no source: chosen here",
        doc="a folder; where empty, tensorboard/ in the run folder",
    )


class TensorBoardObserver(Observer):
    """Event files for TensorBoard: one folder a cell, `tensorboard --logdir RUN/tensorboard` shows
    them.
    """

    name = "tensorboard"
    Parameters = Parameters

    def check(self) -> None:
        """Refuse a machine without TensorBoard."""
        if importlib.util.find_spec("tensorboard") is None:
            raise RequestError(
                "--observe tensorboard needs the package tensorboard, which is not installed here; pip install 'vad-bench[tensorboard]'"
            )

    def open(self, run: Path) -> None:
        """Choose the folder."""
        self.folder = (
            Path(self.parameters.path).expanduser() if self.parameters.path else run / "tensorboard"
        )
        self.writers: dict[str, Any] = {}

    def started(self, cell: Mapping[str, Any]) -> None:
        """Begin an event file, instead of that of an attempt that found the cell taken."""
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        if earlier := self.writers.pop(cell["folder"], None):
            earlier.close()
        place = Path(*Path(cell["folder"]).parts[1:])  # without cells/, which is in every name
        self.writers[cell["folder"]] = EventFileWriter(str(self.folder / place))

    def epoch(self, cell: Mapping[str, Any], number: int, figures: Mapping[str, float]) -> None:
        """Write each figure as a scalar of this step."""
        self._write(cell, number, {f"training/{name}": value for name, value in figures.items()})

    def finished(self, cell: Mapping[str, Any], figures: Mapping[str, float]) -> None:
        """Write the metrics, and close the file."""
        self._write(cell, 0, {f"test/{name}": value for name, value in figures.items()})
        if writer := self.writers.pop(cell["folder"], None):
            writer.close()

    def close(self) -> None:
        """Close the files of cells that have not ended."""
        for writer in self.writers.values():
            writer.close()

    def _write(self, cell: Mapping[str, Any], step: int, scalars: Mapping[str, float]) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        if not scalars:
            return
        values = [Summary.Value(tag=name, simple_value=value) for name, value in scalars.items()]
        writer = self.writers[cell["folder"]]
        writer.add_event(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))
        writer.flush()
