"""Fits the method of a cell, or takes up what an earlier attempt had fitted."""

from __future__ import annotations

from pathlib import Path

from bench.contracts.method import Method
from bench.errors import MethodError
from bench.files.whole_files import put_in_place, read_json, write_json
from bench.worker.open_cell import CHECKPOINT, OpenCell


def fit(cell: OpenCell, warnings: list[str]) -> None:
    """Fit the method, or load what an earlier attempt had fitted when it was cut off while scoring,
    with its warnings and facts.
    """
    fitted, said = cell.scratch / "fitted", cell.scratch / "said.json"
    if fitted.exists():
        try:
            cell.method.load(fitted)
            before = read_json(said, "fitted")
            warnings += before["warnings"]
            cell.context.facts.update(before["facts"])
            cell.logger.info("fitted already: scoring goes on")
            return
        except Exception as error:  # a damaged file can raise anything; fitting again repairs it
            cell.logger.info("what was fitted cannot be read (%s): fitting again", error)
    clips = cell.training_clips() if "train" in cell.method.needs else []
    cell.method.fit(clips, cell.context)
    write_json(said, {"warnings": warnings, "facts": cell.context.facts})
    try:
        save_fitted(cell.method, cell.scratch / "fitted.new", fitted)
    except MethodError as error:
        cell.logger.info(
            "what was fitted is not kept, so that an attempt cut off while scoring fits again: %s",
            error,
        )
        return
    (cell.scratch / CHECKPOINT).unlink(missing_ok=True)


def save_fitted(method: Method, temporary: Path, path: Path) -> None:
    """Write what a method learned to `path`, by way of `temporary`: whole or not at all."""
    try:
        method.save(temporary)
        if not temporary.is_file():
            raise MethodError(f"{method.name}: save() wrote no file at the path that it was given")
        put_in_place(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
