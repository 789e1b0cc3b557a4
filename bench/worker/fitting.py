"""Fits the method of a cell, or takes up what an earlier attempt had fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.contracts.method import Method, OpenClip
from bench.contracts.network_method import NetworkMethod
from bench.engine.out_of_memory import is_out_of_memory, release
from bench.errors import MethodError
from bench.files.whole_files import put_in_place, read_json, write_json
from bench.runs.layout import CellFiles
from bench.worker.open_cell import CHECKPOINT, OpenCell


def fit(cell: OpenCell, warnings: list[str]) -> None:
    """Fit the method, or load what an earlier attempt had fitted when it was cut off while scoring,
    with its warnings, facts and seconds.
    """
    fitted, said = cell.scratch / "fitted", cell.scratch / "said.json"
    if fitted.exists():
        try:
            cell.method.load(fitted)
            before = read_json(said, "fitted")
            warnings += before["warnings"]
            cell.context.facts.update(before["facts"])
            if "seconds" in before:
                cell.record.seconds["fit"] = before["seconds"]
            cell.logger.info("fitted already: scoring goes on")
            return
        except Exception as error:  # a damaged file can raise anything; fitting again repairs it
            cell.logger.info("what was fitted cannot be read (%s): fitting again", error)
            _begin_anew(cell)
    cell.fit_clock.start()
    clips = cell.training_clips() if "train" in cell.method.needs else []
    in_memory(cell, clips)
    seconds = cell.record.seconds["fit"] = round(cell.fit_clock.seconds, 3)
    write_json(said, {"warnings": warnings, "facts": cell.context.facts, "seconds": seconds})
    try:
        save_fitted(cell.method, cell.scratch / "fitted.new", fitted)
    except MethodError as error:
        cell.logger.info(
            "what was fitted is not kept, so that an attempt cut off while scoring fits again: %s",
            error,
        )
        return
    (cell.scratch / CHECKPOINT).unlink(missing_ok=True)


def in_memory(cell: OpenCell, clips: Sequence[OpenClip]) -> None:
    """Fit the method. Where a network is out of memory in training, it is trained anew, once, with
    each batch in parts (`--accumulate`); the row says so.

    Raises
    ------
    MethodError : out of memory again, or nothing smaller can be tried: with what would fit.
    """
    kept = cell.scratch / "accumulate.json"
    if kept.exists():  # of an attempt that was cut off: its checkpoint is of that training
        _take_parts(cell, int(read_json(kept, "accumulate")["accumulate"]))
    try:
        cell.method.fit(clips, cell.context)
        return
    except Exception as error:
        if not is_out_of_memory(error) or not isinstance(cell.method, NetworkMethod):
            raise
        fitting, parts = _what_fits(cell)
        if kept.exists() or not parts:
            raise MethodError(_out_of_memory(cell, fitting, parts)) from error
    release()
    _begin_anew(cell)
    (cell.scratch / CHECKPOINT).unlink(missing_ok=True)
    write_json(kept, {"accumulate": parts})
    _take_parts(cell, parts)
    try:
        cell.method.fit(clips, cell.context)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise MethodError(_out_of_memory(cell, *_what_fits(cell))) from error


def _begin_anew(cell: OpenCell) -> None:
    """Take a fresh method and the random numbers of the beginning; what was done counts no more."""
    cell.fit_clock.start()
    cell.method = type(cell.method)(cell.method.parameters)
    cell.seed()
    cell.context.facts.clear()


def _take_parts(cell: OpenCell, parts: int) -> None:
    compute = replace(cell.context.compute, accumulate=parts)
    cell.context.compute = compute
    cell.context.fact("accumulate", parts)
    cell.logger.warning(
        "out of memory in training, so it was trained with --accumulate %d: %s",
        parts,
        compute.deviations()[0].partition(": ")[2],
    )


def _what_fits(cell: OpenCell) -> tuple[int, int]:
    """Return which batch without --accumulate, and which larger --accumulate, should fit a training
    that is out of memory; 0 where there is none.
    """
    from bench.planning.memory_estimate import estimate
    from bench.planning.memory_limits import what_fits

    method, compute = cell.method, cell.context.compute
    assert isinstance(method, NetworkMethod)
    if "train" not in method.needs or method.weights_file is not None:
        return 0, 0
    batch = int(method.parameters.batch)
    found = estimate(type(method)(method.parameters), compute)
    if found.unknown:  # half of what was tried
        tried = -(-batch // compute.accumulate)
        fitting, parts = tried // 2, 2 * compute.accumulate
    else:
        # The estimate was too low, or others hold memory: what fits needs a good deal less than
        # what did not.
        fitting, parts = what_fits(method, compute, found.training * 3 // 4)
        parts = max(parts, compute.accumulate + 1) if parts else 0
    parts = parts if parts <= batch else 0
    refused = parts and method.refusal(replace(compute, accumulate=parts))
    return fitting, 0 if refused else parts


def _out_of_memory(cell: OpenCell, fitting: int, parts: int) -> str:
    """Return why a training failed, and what would fit."""
    record, compute = cell.record, cell.context.compute
    what = f"batch={cell.method.parameters.batch}" + (
        f" and --accumulate {compute.accumulate}" if compute.accumulate > 1 else ""
    )
    fits = [f"batch={fitting}"] if fitting else []
    fits += [f"--accumulate {parts}"] if parts else []
    advice = (
        f"{' or '.join(fits)} should fit"
        if fits
        else "choose a smaller size or profile, or another --device"
    )
    return (
        f"{record.label}: out of memory on {record.gpu or record.device} in training with {what}; "
        f"{advice}, and so may --workers 1. Log: {CellFiles(Path(record.folder)).log}"
    )


def save_fitted(method: Method, temporary: Path, path: Path) -> None:
    """Write what a method learned to `path`, by way of `temporary`: whole or not at all."""
    try:
        method.save(temporary)
        if not temporary.is_file():
            raise MethodError(f"{method.name}: save() wrote no file at the path that it was given")
        put_in_place(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
