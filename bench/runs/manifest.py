"""run.json: what was asked of a run, with what it was made, and on what."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from bench.contracts.protocol import DEFAULT_PROTOCOL
from bench.errors import RunError
from bench.files.checksums import sealed
from bench.files.json_types import Int64
from bench.files.whole_files import read_json, write_json
from bench.runs.layout import FORMAT


@dataclass
class Manifest:
    """The fields of run.json, in the order in which they are written. Those that an earlier version
    did not write have their defaults.
    """

    format: Any = FORMAT
    """None where run.json has none."""
    command: str = "bench run"
    """The last command line."""
    protocol: str = DEFAULT_PROTOCOL
    """That of the first request: tables without a protocol in their path are computed under it."""
    commands: list[dict[str, str]] = field(default_factory=list)
    """`at`, `line` and `git` of each `bench run` on this folder."""
    started: str = ""
    request: dict[str, Any] = field(default_factory=dict)
    """What decides whether the same command goes on with this run: `Plan.signature`."""
    profile: str = ""
    seeds: list[Int64] = field(default_factory=list)
    detector: str = ""
    device: str = ""
    workers: Int64 = 0
    threads: Int64 = 0
    """Of each cell."""
    resizing: str = ""
    versions: dict[str, str | None] = field(default_factory=dict)
    """Of Python and of the packages that numbers depend on."""
    packages: dict[str, str] = field(default_factory=dict)
    """The version of every package that is installed, by name."""
    git: str | None = None
    machine: dict[str, Any] = field(default_factory=dict)
    plugins: list[dict[str, str | None]] = field(default_factory=list)
    """`name`, `origin`, `sha256` and `broken` of each."""
    datasets: list[dict[str, str]] = field(default_factory=list)
    """`label`, `name`, `folder`, `selector`, `fingerprint`, `missing` and `root` of each."""
    methods: list[dict[str, str]] = field(default_factory=list)
    """`label`, `selector`, `name` and `family` of each."""
    notes: list[str] = field(default_factory=list)
    cells: list[dict[str, Any]] = field(default_factory=list)
    """The fields of each `CellRecord`, as planned."""
    checksums: dict[str, str] = field(default_factory=dict)
    """SHA-256 of the files of datasets and of cells that are not at work."""

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Read run.json.

        Raises
        ------
        RunError : absent or damaged.
        """
        value = read_json(path, "run")
        try:
            return msgspec.convert({"format": None, **value}, cls)
        except msgspec.ValidationError as error:
            raise RunError(f"{path} is damaged: {error}") from error

    def write(self, path: Path) -> None:
        """Write run.json, with a checksum."""
        write_json(path, sealed(vars(self)))
