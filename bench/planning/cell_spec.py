"""What is computed in a cell, whole."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.contracts.compute import Compute


@dataclass(frozen=True)
class CellSpec:
    """What is computed in a cell: equal specs give equal scores. Made once, in the plan, and handed
    to the worker as it is.
    """

    method: str
    """The registered name."""
    selector: str
    """Makes the method, with its parameters, in `profile`."""
    version: int
    parameters: Mapping[str, Any]
    profile: str
    dataset: str
    """Selector of the dataset."""
    fingerprint: str
    """Of the dataset."""
    seed: int
    scene: str = ""
    """The scene whose own model this is; empty for one model for all."""
    detector: str = ""
    """Selector of the detector; empty where the method needs no tracks."""
    tracks: str = ""
    """The key of the tracks."""
    plugin: str | None = None
    """SHA-256 of the plugin file that the method is from, with what that imports."""
    files: Mapping[str, Any] = field(default_factory=dict)
    """What tells files that the method reads from others (`cell_files.file_keys`)."""
    bf16_version: int = 1
    keep: tuple[str, ...] = ()
    """What is kept beside the scores (`KEPT`). Not part of the key."""
    compute: Compute = field(default_factory=Compute)

    def key(self) -> dict[str, Any]:
        """Return what decides whether a finished cell is used again, as cell.json keeps it."""
        how = self.compute.key()
        if self.bf16_version > 1:
            how["bf16_version"] = self.bf16_version
        return {
            "method": self.method,
            "version": self.version,
            "parameters": dict(self.parameters),
            "seed": self.seed,
            "scene": self.scene,
            "dataset": self.fingerprint,
            "tracks": self.tracks,
            "plugin": self.plugin,
            **self.files,
            **how,
        }

    def as_json(self) -> dict[str, Any]:
        """Return what `from_json` reads, for a worker in another process."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> CellSpec:
        """Return the spec that `as_json` wrote."""
        compute = Compute(**value["compute"])
        return cls(**{**value, "keep": tuple(value["keep"]), "compute": compute})
