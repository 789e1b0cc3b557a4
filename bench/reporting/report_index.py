"""report.json: of each file of a report, which question it answers, which state of the run it was
made from, and its SHA-256.
"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

import msgspec

from bench.contracts.protocol import Protocol
from bench.errors import RunError
from bench.files.checksums import sealed
from bench.files.whole_files import read_json, write_json
from bench.runs.layout import ReportFiles
from bench.runs.table_options import PAPER, STYLES


class _Content(TypedDict, total=False):
    questions: dict[str, dict[str, Any]]
    files: dict[str, dict[str, Any]]


class _Question(TypedDict, total=False):
    protocol: dict[str, Any]
    metric: str


class _File(TypedDict):
    question: str
    evidence: str
    sha256: str
    tracks: NotRequired[list[str]]
    style: NotRequired[str]


class ReportIndex:
    """What `report.json` says: questions by name, and files by path below the folder."""

    def __init__(self, files: ReportFiles) -> None:
        self.path = files.index
        self.questions: dict[str, dict[str, Any]] = {}
        self.files: dict[str, dict[str, Any]] = {}
        if not self.path.is_file():
            return
        try:
            content = msgspec.convert(read_json(self.path, "report"), _Content)
        except (RunError, msgspec.ValidationError):  # then everything counts as stale
            return
        self.questions = {
            name: one for name, one in content.get("questions", {}).items() if _is_a(_Question, one)
        }
        self.files = {
            path: one
            for path, one in content.get("files", {}).items()
            if files.holds(path) and _is_a(_File, one)
        }

    def protocol(self, question: str) -> Protocol | None:
        """Return the protocol of a question; None where what stands there is none."""
        try:
            return Protocol(**self.questions[question]["protocol"])
        except (KeyError, TypeError, ValueError):
            return None

    def style(self, path: str) -> str:
        """Return the style of a LaTeX table."""
        style = self.files.get(path, {}).get("style", PAPER)
        return style if style in STYLES else PAPER

    def write(self) -> None:
        """Write report.json."""
        used = {one["question"] for one in self.files.values()}
        questions = {name: self.questions[name] for name in sorted(used & self.questions.keys())}
        write_json(
            self.path,
            sealed(
                {"format": 1, "questions": questions, "files": dict(sorted(self.files.items()))}
            ),
        )


def _is_a(kind: type, value: dict[str, Any]) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True
