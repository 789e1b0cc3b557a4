"""One attempt at a cell: its claim, its log, its record and its outcome."""

from __future__ import annotations

import faulthandler
import logging
import os
import resource
import shutil
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.contracts.executor import Exit
from bench.engine.out_of_memory import is_out_of_memory
from bench.errors import BenchError
from bench.files.checksums import digest_of_value
from bench.files.claims import Claim
from bench.files.whole_files import write_text
from bench.hardware.gpus import Gpu
from bench.planning.cell_spec import CellSpec
from bench.runs.folder import Run
from bench.runs.layout import CellFiles
from bench.runs.records import CellRecord
from bench.runs.status import Status
from bench.worker.clip_scores import WarningCollector
from bench.worker.computing import compute
from bench.worker.interrupts import Interrupted, ignore_stops
from bench.worker.open_cell import OpenCell
from bench.worker.progress import Reporter


def attempt(task: Mapping[str, Any], gpu: Gpu | None = None) -> int:
    """Make an attempt at the cell of a task, write its outcome, and return the exit code.

    Parameters
    ----------
    gpu : the one that this process has.
    """
    run = Run(Path(task["run"]))
    record = CellRecord(**task["cell"])
    files = run.files_of(record)
    files.folder.mkdir(parents=True, exist_ok=True)
    # Held until this process ends, so that an attempt whose runner died is never met by the next
    # one.
    claim = Claim(files.claim, lost=lambda: os._exit(Exit.TAKEN))
    if claim.take() is not None:
        return Exit.TAKEN
    now = run.cell(replace(record))
    begun_elsewhere = now.key == record.key and now.attempts > record.attempts
    if begun_elsewhere and now.status == Status.DONE:
        claim.release()
        return Exit.WRITTEN
    if begun_elsewhere:
        record.attempts, record.seconds = now.attempts, now.seconds
    # `fresh` alone would not do: a request may end before a cell's turn, and be asked again.
    mark, key = files.scratch / "key", digest_of_value(record.key)
    if (task["fresh"] and not begun_elsewhere) or not mark.is_file() or mark.read_text() != key:
        _clear(files)
        mark.parent.mkdir(exist_ok=True)
        write_text(mark, key)
    if gpu is not None:
        record.gpu, record.gpu_model = gpu.name, gpu.model
    reporter = Reporter(files.progress, record.gpu)
    logger, warnings = _logger(files.log)
    record.attempts += 1
    record.status, record.reason, record.started, record.ended = Status.RUNNING, "", _now(), ""
    run.write_cell(record)
    # stdin and stdout belong to who started the process; what a method prints goes to its log.
    began = time.monotonic()
    try:
        where = f"{record.selector}, seed {record.seed}, on {record.dataset}"
        logger.info("attempt %d at %s", record.attempts, where)
        spec = CellSpec.from_json(task["spec"])
        # On another machine the dataset may be another copy.
        fingerprint = spec.fingerprint if "identity" in task else ""
        cell = OpenCell(spec, task["roots"], fingerprint, run, record, reporter, logger)
        compute(cell, warnings)
        record.status = Status.DONE
    except Interrupted:
        record.status, record.reason = (
            Status.INTERRUPTED,
            "stopped (SIGTERM); the same command goes on from the last checkpoint",
        )
    except BenchError as error:
        logger.error("%s", error)
        record.status, record.reason = Status.FAILED, str(error)
    except BaseException as error:
        logger.error("%s", traceback.format_exc())
        record.status, record.reason = Status.FAILED, _reason(error, record)
    ignore_stops()
    record.warnings = list(dict.fromkeys(warnings))
    record.cost["peak_memory"] = float(_peak_memory())
    record.seconds["total"] = round(record.seconds.get("total", 0.0) + time.monotonic() - began, 3)
    record.ended = _now()
    if record.status == Status.DONE:
        shutil.rmtree(files.scratch, ignore_errors=True)
        record.checksums = run.checksums_of(record)
    reporter.path.unlink(missing_ok=True)
    run.write_cell(record)
    claim.release()
    return Exit.STOPPED if record.status == Status.INTERRUPTED else Exit.WRITTEN


def _clear(cell: CellFiles) -> None:
    """Remove what an earlier attempt under another key left behind."""
    for path in cell.results():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _reason(error: BaseException, record: CellRecord) -> str:
    first = (str(error).strip().splitlines() or [""])[0]
    log = f"Log: {CellFiles(Path(record.folder)).log}"
    if is_out_of_memory(error):
        device = (
            f"at {_peak_memory() / 2**30:.1f} GB"
            if record.device == "cpu"
            else f"on {record.gpu or record.device}"
        )
        return f"out of memory {device}; try --workers 1, a smaller batch or a smaller size. {log}"
    where = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(where.filename).name}, line {where.lineno}"
    return f"{type(error).__name__}: {first} ({place}). {log}"


def _peak_memory() -> int:
    """Return the largest resident size of this process in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _logger(path: Path) -> tuple[logging.Logger, list[str]]:
    """Return the logger of the cell, and the list its warnings gather in. Everything printed goes
    to the same file.
    """
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)
    faulthandler.enable()
    logger = logging.getLogger("bench.cell")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    collector = WarningCollector()
    logger.handlers = [stream, collector]
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").handlers = [stream]
    return logger, collector.texts
