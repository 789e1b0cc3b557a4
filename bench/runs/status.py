"""What has become of a cell."""

from __future__ import annotations

import enum


class Status(enum.StrEnum):
    """The status of a cell, as it stands in cell.json."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    NO_DATA = "no data"
    """Its dataset is not here, or lacks what the method needs."""
    PUBLISHED_ONLY = "published only"
    """Its method cannot run here: the row has published numbers alone."""

    @property
    def is_runnable(self) -> bool:
        """Whether such a cell has been run, or can be."""
        return self not in (Status.NO_DATA, Status.PUBLISHED_ONLY)
