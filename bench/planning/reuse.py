"""Whether an earlier outcome of a cell stands, and in what two cells differ."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.errors import RunError
from bench.files.checksums import digest_of_value
from bench.runs.folder import Run
from bench.runs.records import CellRecord
from bench.runs.status import Status

COPIED_ON_REUSE = (
    "label",
    "selector",
    "display_name",
    "given_name",
    "dataset_display_name",
    "dataset_given_name",
    "supervision",
    "extra_knowledge",
    "family",
    "citation",
    "bibtex",
    "year",
    "detector",
    "ablation",
    "deviations",
    "published",
    "paper_protocol",
    "normalises_clips",
)
"""The fields of a reused cell that are updated from the current request and method: descriptions,
nothing that its key depends on."""


@dataclass(frozen=True)
class Decision:
    """What becomes of a planned cell, beside what is known of an earlier one."""

    record: CellRecord
    reuse: bool
    why: str
    fresh: bool = False
    """What an earlier attempt left behind belongs to another key and must not be used."""
    lacking: Sequence[str] = ()
    """What the request wants kept, and the reused cell has not."""


class EarlierCells:
    """The cells that a run folder holds before the request."""

    def __init__(self, run: Run, notes: list[str]) -> None:
        self.run = run
        self.by_folder: dict[str, CellRecord] = {}
        if run.exists:
            try:
                self.by_folder = {cell.folder: cell for cell in run.cells()}
            except RunError as error:
                self.by_folder = {cell.folder: cell for cell in run.cells_left()}
                notes.append(
                    f"{error}; it is written anew, and {len(self.by_folder)} cells are taken from "
                    "their own files"
                )
        self._done = {
            (cell.dataset_folder, digest_of_value(cell.key)): cell
            for cell in reversed(self.by_folder.values())
            if cell.status == Status.DONE
        }

    def take_twin(self, record: CellRecord) -> None:
        """Give a cell the folder and row name of an equal one that is done under another
        selector.
        """
        twin = self._done.get((record.dataset_folder, digest_of_value(record.key)))
        if (
            twin is not None
            and twin.method == record.method
            and record.folder not in self.by_folder
        ):
            record.folder, record.label, record.selector = twin.folder, twin.label, twin.selector
            record.parameters_changed = twin.parameters_changed
            record.display_name = twin.display_name

    def without_data(
        self, record: CellRecord, reason: str, unknown: Collection[str], detector: str
    ) -> Decision:
        """Decide about a cell that cannot be computed here: only a finished one stands.

        Parameters
        ----------
        unknown : entries of the key that cannot be known here.
        detector : the one of the request.
        """
        before = self.by_folder.get(record.folder)
        if before is not None:
            record.attempts = before.attempts
            _keep_given_names(record, before)
            different = [
                name for name in differences(before.key, record.key) if name not in unknown
            ]
            if before.status == Status.DONE and not different and before.detector in ("", detector):
                before.given_name = record.given_name
                before.dataset_given_name = record.dataset_given_name
                return Decision(before, True, f"done before; {reason}")
        record.status, record.reason = Status.NO_DATA, reason
        return Decision(record, False, reason)

    def decide(self, record: CellRecord, forced: bool, keep: Sequence[str]) -> Decision:
        """Decide whether an earlier outcome of a cell stands."""
        before = self.by_folder.get(record.folder)
        if before is None or before.status == Status.QUEUED:
            return Decision(record, False, "new")
        different = differences(before.key, record.key)
        record.attempts = before.attempts
        _keep_given_names(record, before)
        if forced:
            return Decision(record, False, "forced", fresh=True)
        if different:
            why = ", ".join(_another(name, record.key, before.key) for name in different)
            return Decision(record, False, f"run again: {why}", fresh=True)
        if before.status != Status.DONE:
            record.seconds = before.seconds
            return Decision(record, False, f"goes on: {before.status} before")
        if problem := self._scores_problem(before):
            return Decision(record, False, f"run again: its scores.npz is {problem}", fresh=True)
        why = "done before, same key"
        if before.source_sha256 != record.source_sha256:
            why += (
                " (its source has changed since; raise `version` if the scores change, or --force)"
            )
        lacking = self.run.lacking(before, keep)
        if lacking:
            why += f"; it kept no {', no '.join(lacking)}: --force makes them"
        for name in COPIED_ON_REUSE:
            setattr(before, name, getattr(record, name))
        return Decision(before, True, why, lacking=lacking)

    def _scores_problem(self, cell: CellRecord) -> str:
        """Return 'gone' or 'damaged' where the scores of a finished cell cannot be read; empty
        where they can.
        """
        if not self.run.files_of(cell).scores.is_file():
            return "gone"
        try:
            self.run.scores(cell)
        except RunError:
            return "damaged"
        return ""


def _keep_given_names(record: CellRecord, before: CellRecord) -> None:
    """A name that was given stays until another one is given."""
    record.given_name = record.given_name or before.given_name
    record.dataset_given_name = record.dataset_given_name or before.dataset_given_name


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return the entries in which two keys differ.

    A parameter that is None does what was done before there was such a parameter, so that cells of
    earlier versions keep their worth.
    """

    def entry(key: Mapping[str, Any], name: str) -> Any:
        value = key.get(name)
        if isinstance(value, dict):
            return {one: given for one, given in value.items() if given is not None}
        return value

    return [name for name in {**now, **before} if entry(before, name) != entry(now, name)]


def _another(name: str, key: Mapping[str, Any], before: Mapping[str, Any]) -> str:
    """Return in a few words what of a key is not as it was."""
    if name == "plugin":
        return "another source of its plugin, or of what that imports"
    if name != "files":
        return f"another {name}"
    now, then = key.get(name, {}), before.get(name, {})
    changed = (one for one in {**now, **then} if now.get(one) != then.get(one))
    return f"another content of {' and '.join(changed)}"
