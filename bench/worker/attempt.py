"""One worker process: prepares one dataset, or makes one attempt at one cell."""

from __future__ import annotations

import contextlib
import faulthandler
import json
import logging
import os
import shutil
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bench.contracts.clip import Clip
from bench.contracts.dataset import Dataset
from bench.contracts.detector import Detector
from bench.contracts.executor import Exit
from bench.contracts.method import Context, Frames, Method, OpenClip, Scores, as_scores
from bench.contracts.network_method import NetworkMethod
from bench.engine.context import make_context
from bench.engine.measured_cost import Stopwatch, network_cost
from bench.engine.seeding import seed_everything
from bench.errors import BenchError, DataError, MethodError, RunError
from bench.files.claims import Claim
from bench.files.whole_files import npz, put_in_place, read_json, read_npz, write_bytes, write_json
from bench.frames.fingerprint import dataset_fingerprint
from bench.planning.cell_files import file_keys
from bench.plugins.registry import current
from bench.plugins.selection import select_one
from bench.runs.folder import Run
from bench.runs.layout import CellFiles
from bench.runs.records import CellRecord, DatasetRecord
from bench.runs.scores import read_scores, write_scores
from bench.worker.keepers import (
    DetectionKeeper,
    ImageKeeper,
    RegionKeeper,
    all_of,
    checked_masks,
    training_levels,
)
from bench.worker.progress import Reporter

Task = Mapping[str, Any]


STOPS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGUSR2") if hasattr(signal, name))
"""Signals that ask a worker to write down where it is. SIGUSR2 is what submitit has SLURM send to a
job that is nearly out of time."""


class Interrupted(BaseException):
    """The worker was asked to stop."""


def run_task(task: Task, alive: int | None = None) -> int:
    """Do one task and return its exit code (`bench.contracts.executor.Exit`).

    `alive` is the reading end of a pipe that only the launcher can write to: when it closes, the
    launcher is gone and this process ends at once.
    """
    if alive is not None:
        threading.Thread(target=_end_with, args=(alive,), daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        for number in STOPS:
            signal.signal(number, _interrupt)
        _limit_threads(int(task["threads"]))
        return _prepare(task) if task["kind"] == "prepare" else _attempt(task)
    except Interrupted:
        return Exit.STOPPED
    finally:
        _hear_no_more()


def _interrupt(number: int, frame: Any) -> None:
    _hear_no_more()
    raise Interrupted


def _hear_no_more() -> None:
    """Ignore further signals: a second one must not cut the writing of the outcome."""
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)


def _end_with(alive: int) -> None:
    with contextlib.suppress(OSError):
        while os.read(alive, 1):
            pass
    os._exit(Exit.ORPHANED)


def _limit_threads(threads: int) -> None:
    import cv2
    from threadpoolctl import threadpool_limits

    cv2.setNumThreads(threads)
    threadpool_limits(threads)


def located_dataset(selector: str, roots: list[str], fingerprint: str = "") -> Dataset:
    """Return a dataset by its selector, found below the data folders.

    With a `fingerprint` it must be that copy; then this machine's own BENCH_DATA is looked at after
    `roots`.

    Raises
    ------
    RunError : this machine has another copy, or none.
    """
    tried = [roots, os.environ.get("BENCH_DATA", "").split(os.pathsep)] if fingerprint else [roots]
    found = []
    for places in tried:
        dataset: Dataset = select_one("datasets", selector, current()).make()
        try:
            dataset.locate([Path(root) for root in places if root])
        except (DataError, OSError, IndexError) as error:
            if not fingerprint:
                raise
            found.append(str(error) or "there is none")
            continue
        if not fingerprint or (own := dataset_fingerprint(dataset)) == fingerprint:
            return dataset
        found.append(
            f"its copy below {dataset.root} differs (fingerprint {own[:12]}, the run has {fingerprint[:12]})"
        )
    raise RunError(
        f"{selector} on {socket.gethostname()}: {'; '.join(dict.fromkeys(found))}. `bench verify {selector}` there tells what differs; "
        "BENCH_DATA says where data lies there"
    )


def make_detector(selector: str) -> Detector | None:
    """Return a detector by its selector; None for an empty text."""
    if not selector:
        return None
    detector: Detector = select_one("detectors", selector, current()).make()
    return detector


# -- a dataset -------------------------------------------------------------------------------------


def _prepare(task: Task) -> int:
    from bench.worker.preparation import prepare_dataset

    reporter = Reporter(Path(task["progress"]))
    reporter.begin("prepare", "reading the dataset")
    try:
        dataset = located_dataset(task["dataset"], task["roots"], task.get("fingerprint", ""))
    except RunError as error:
        sys.stderr.write(f"{error}\n")
        return Exit.REFUSED
    except BenchError as error:
        sys.stderr.write(f"{error}\n")
        return Exit.BAD_DATA
    try:
        record = prepare_dataset(
            dataset,
            task["name"],
            task["label"],
            [Frames(tuple(size), channels) for size, channels in task["test_formats"]],
            [Frames(tuple(size), channels) for size, channels in task["train_formats"]],
            make_detector(task["detector"]),
            reporter.step,
            regions="regions" in task["keep"],
            jobs=int(task["threads"]),
        )
        Run(Path(task["run"])).write_dataset(record)
    except BenchError as error:
        sys.stderr.write(f"{error}\n")
        return Exit.BAD_DATA
    finally:
        reporter.path.unlink(missing_ok=True)
    return Exit.WRITTEN


# -- a cell ----------------------------------------------------------------------------------------


def _attempt(task: Task) -> int:
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
    if begun_elsewhere and now.status == "done":
        claim.release()
        return Exit.WRITTEN
    if begun_elsewhere:
        record.attempts, record.seconds = now.attempts, now.seconds
    elif task["fresh"]:
        _clear(files)
    reporter = Reporter(files.progress)
    logger, warnings = _logger(files.log)
    record.attempts += 1
    record.status, record.reason, record.started, record.ended = "running", "", _now(), ""
    run.write_cell(record)
    # stdin and stdout of the process belong to the launcher; what a method prints goes to its log.
    began = time.monotonic()
    try:
        _run_cell(task, run, record, files, reporter, logger, warnings)
        record.status = "done"
    except Interrupted:
        record.status, record.reason = (
            "interrupted",
            "stopped (SIGTERM); the same command goes on from the last checkpoint",
        )
    except BenchError as error:
        logger.error("%s", error)
        record.status, record.reason = "failed", str(error)
    except BaseException as error:
        logger.error("%s", traceback.format_exc())
        record.status, record.reason = "failed", _reason(error, record, task)
    _hear_no_more()
    record.warnings = list(dict.fromkeys(warnings))
    record.cost["peak_memory"] = float(_peak_memory())
    record.seconds["total"] = round(record.seconds.get("total", 0.0) + time.monotonic() - began, 3)
    record.ended = _now()
    if record.status == "done":
        shutil.rmtree(files.scratch, ignore_errors=True)
        record.checksums = run.checksums_of(record)
    reporter.path.unlink(missing_ok=True)
    run.write_cell(record)
    claim.release()
    return Exit.STOPPED if record.status == "interrupted" else Exit.WRITTEN


def _clear(cell: CellFiles) -> None:
    """Remove what an earlier attempt under another key left behind."""
    for path in cell.results():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _run_cell(
    task: Task,
    run: Run,
    record: CellRecord,
    cell: CellFiles,
    reporter: Reporter,
    logger: logging.Logger,
    warnings: list[str],
) -> None:
    logger.info(
        "attempt %d at %s, seed %d, on %s",
        record.attempts,
        record.selector,
        record.seed,
        record.dataset,
    )
    kept = run.dataset(record.dataset_folder)
    for need in ("lengths", *record.needs):
        if need in kept.problems:
            raise DataError(kept.problems[need])
    if "tracks" in record.needs:
        logger.info("tracks of the training clips: %s", kept.tracks)
    seed_everything(record.seed, int(task["threads"]))
    method: Method = select_one("methods", record.selector, current(), record.profile).make()
    if method.version != record.key["version"]:
        raise MethodError(
            f"{record.method} is version {method.version} here and {record.key['version']} in the run; install one bench everywhere"
        )
    scratch = cell.scratch
    (scratch / "scores").mkdir(parents=True, exist_ok=True)
    lengths = {
        clip: length
        for clip, length, scene in kept.clips
        if not record.scene or scene == record.scene
    }
    dataset = located_dataset(task["dataset"], task["roots"], task.get("fingerprint", ""))
    files, absent = file_keys(method, dataset.name, current())
    if absent or any(files.get(name) != record.key.get(name) for name in ("weights", "files")):
        raise MethodError(
            f"{record.label}: {'; '.join(absent) or 'a file that its parameters name has changed since the run was planned'}; "
            "the same `bench run` line begins the cell anew"
        )
    detector = make_detector(task["detector"]) if "tracks" in method.needs else None
    stopwatch = Stopwatch()
    context = make_context(
        seed=record.seed,
        device=record.device,
        folder=scratch,
        logger=logger,
        step=reporter.step,
        test_lengths=lengths,
        other_test_clips={*dataset.expected.get("test", {}), *(clip for clip, _, _ in kept.clips)}
        - lengths.keys(),
        checkpoint=scratch / "checkpoint.pt",
        history=cell.training,
        accumulate=int(record.key.get("accumulate", 1)),
        precision=record.key.get("precision", "fp32"),
        compiled=bool(record.key.get("compile", False)),
        stopwatch=stopwatch,
    )

    def opened(clip: Clip, length: int) -> OpenClip:
        return open_clip(dataset, clip, length, method, detector, reporter.touch)

    def training_clips() -> list[OpenClip]:
        return _training_clips(dataset, record, opened)

    reporter.begin("fit", "fitting")
    began = time.monotonic()
    _fit(
        method,
        context,
        scratch,
        lambda: training_clips() if "train" in method.needs else [],
        logger,
        warnings,
    )
    record.facts = context.facts
    record.seconds["fit"] = round(record.seconds.get("fit", 0.0) + time.monotonic() - began, 3)
    if "weights" in task["keep"]:
        _save(method, scratch / "weights.new", cell.weights)

    reporter.begin("score", "scoring")
    images = (
        ImageKeeper(scratch / "images", lengths)
        if "images" in task["keep"] and isinstance(method, NetworkMethod)
        else None
    )
    regions = (
        _region_keeper(method, training_clips, context, dataset, kept, scratch)
        if "regions" in task["keep"]
        else None
    )
    keepers = [keeper for keeper in (images, regions) if keeper is not None]
    context.images = all_of(
        [keeper for keeper in keepers if not isinstance(keeper, DetectionKeeper)]
    )
    context.regions = regions if isinstance(regions, DetectionKeeper) else None
    began = time.monotonic()
    found = {clip.id: clip for clip in dataset.clips("test")}
    scores: dict[str, Scores] = {}
    for number, (clip_id, length) in enumerate(lengths.items(), start=1):
        partial = scratch / "scores" / f"{clip_id}.npz"
        result = _read_partial(partial, clip_id, logger)
        if result is None or not all(keeper.part(clip_id).exists() for keeper in keepers):
            # A clip's scores must not depend on how much randomness fitting and other clips used: a
            # resumed cell does neither again.
            seed_everything(record.seed, int(task["threads"]))
            returned = method.score(opened(found[clip_id], length), context)
            result = as_scores(
                returned, length, f"{record.label} on {record.dataset}, clip {clip_id}"
            )
            for keeper in keepers:  # before the scores: a clip that has scores is not scored again
                keeper.finish(clip_id, result.frames)
            write_scores(partial, {clip_id: result})
        scores[clip_id] = result
        reporter.step(number, len(lengths), f"scored clip {clip_id}")
    record.clips_left_out = [clip for clip, result in scores.items() if not len(result.values)]
    if len(record.clips_left_out) == len(scores):
        raise MethodError(
            f"{record.label} on {record.dataset}: no test clip got a score: all {len(scores)} are shorter than the window"
        )
    record.seconds["score"] = round(record.seconds.get("score", 0.0) + time.monotonic() - began, 3)
    if regions is not None and (found_regions := regions.collect(list(lengths))) is not None:
        run.write_regions(record, found_regions)
    if isinstance(method, NetworkMethod):
        record.cost |= network_cost(method, stopwatch, record, cell.training, logger)
    if "train-scores" in task["keep"] and "frames" in method.needs:
        began = time.monotonic()
        train_scores = _train_scores(
            method, training_clips(), context, record, scratch / "train_scores", reporter, logger
        )
        record.seconds["train_score"] = round(
            record.seconds.get("train_score", 0.0) + time.monotonic() - began, 3
        )
        if train_scores:
            run.write_train_scores(record, train_scores)
    if images is not None:
        images.collect(cell.images, list(lengths))
    run.write_scores(record, scores)
    record.kept = sorted(task["keep"])


def _region_keeper(
    method: Method,
    training_clips: Callable[[], list[OpenClip]],
    context: Context,
    dataset: Dataset,
    kept: DatasetRecord,
    scratch: Path,
) -> RegionKeeper | DetectionKeeper:
    """Return what keeps the regions of a network's error maps, or those that another method
    detects. An earlier attempt's levels are taken up.
    """
    if not isinstance(method, NetworkMethod):
        return DetectionKeeper(scratch / "regions")
    path = scratch / "levels.npz"
    if not path.exists():
        write_bytes(path, npz({"levels": training_levels(method, training_clips(), context)}))
    clips = {clip.id: clip for clip in dataset.clips("test")}
    lengths = {clip: length for clip, length, _ in kept.clips}

    def masks(clip_id: str) -> np.ndarray | None:
        if "regions" in kept.problems:  # said in the table
            return None
        return checked_masks(
            dataset.pixel_masks(clips[clip_id]), lengths[clip_id], f"{dataset.name}: clip {clip_id}"
        )

    return RegionKeeper(scratch / "regions", read_npz(path)["levels"], masks)


def _train_scores(
    method: Method,
    clips: list[OpenClip],
    context: Context,
    record: CellRecord,
    parts: Path,
    reporter: Reporter,
    logger: logging.Logger,
) -> dict[str, Scores]:
    """Return the scores of the training clips by the fitted method, each kept as soon as it is
    there.
    """
    parts.mkdir(parents=True, exist_ok=True)
    context = replace(context, images=None, regions=None, test_lengths={})
    scores: dict[str, Scores] = {}
    for number, clip in enumerate(clips, start=1):
        partial = parts / f"{clip.id}.npz"
        result = _read_partial(partial, clip.id, logger)
        if result is None:
            result = as_scores(
                method.score(clip, context),
                clip.length,
                f"{record.label} on {record.dataset}, training clip {clip.id}",
            )
            write_scores(partial, {clip.id: result})
        scores[clip.id] = result
        reporter.step(number, len(clips), f"scored training clip {clip.id}")
    return scores


def _training_clips(
    dataset: Dataset, record: CellRecord, opened: Callable[[Clip, int], OpenClip]
) -> list[OpenClip]:
    from bench.worker.preparation import clip_length

    clips = [
        clip
        for clip in dataset.clips("train")
        if clip.source is not None and (not record.scene or clip.scene == record.scene)
    ]
    return [opened(clip, clip_length(clip)) for clip in clips]


def _fit(
    method: Method,
    context: Context,
    scratch: Path,
    clips: Callable[[], list[OpenClip]],
    logger: logging.Logger,
    warnings: list[str],
) -> None:
    """Fit, or load what an attempt before this one had fitted when it was cut off while scoring,
    and what it had to say.
    """
    fitted, said = scratch / "fitted", scratch / "said.json"
    if fitted.exists():
        try:
            method.load(fitted)
            before = read_json(said, "fitted")
            warnings += before["warnings"]
            context.facts.update(before["facts"])
            logger.info("fitted already: scoring goes on")
            return
        except Exception as error:  # a damaged file can raise anything; fitting again repairs it
            logger.info("what was fitted cannot be read (%s): fitting again", error)
    method.fit(clips(), context)
    write_json(said, {"warnings": warnings, "facts": context.facts})
    try:
        _save(method, scratch / "fitted.new", fitted)
    except MethodError as error:
        logger.info(
            "what was fitted is not kept, so that an attempt cut off while scoring fits again: %s",
            error,
        )
        return
    (scratch / "checkpoint.pt").unlink(missing_ok=True)


def _save(method: Method, temporary: Path, path: Path) -> None:
    """Write what a method learned to `path`, by way of `temporary`: whole or not at all."""
    try:
        method.save(temporary)
        if not temporary.is_file():
            raise MethodError(f"{method.name}: save() wrote no file at the path that it was given")
        put_in_place(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _read_partial(path: Path, clip_id: str, logger: logging.Logger) -> Scores | None:
    if not path.exists():
        return None
    try:
        return read_scores(path)[clip_id]
    except (RunError, KeyError) as error:
        logger.info(
            "the kept scores of clip %s cannot be read (%s): scoring it again", clip_id, error
        )
        return None


def open_clip(
    dataset: Dataset,
    clip: Clip,
    length: int,
    method: Method,
    detector: Detector | None,
    touch: Callable[[], None],
) -> OpenClip:
    """Return a clip as this method sees it: frames opened at first use, tracks for training
    clips.
    """
    from bench.frames.store import open_frames
    from bench.objects.tracking import open_tracks

    wanted = method.frames if method.needs & {"frames", "train"} else None

    def opener() -> np.ndarray:
        assert wanted is not None
        frames = open_frames(dataset, clip, wanted)
        if len(frames) != length:
            raise DataError(
                f"{dataset.name}: the frame store has {len(frames)} frames of clip {clip.id}, the dataset {length}; `bench prepare {dataset.name}` makes it anew"
            )
        return frames

    tracks = (
        open_tracks(dataset, clip, detector)
        if detector is not None and clip.part == "train"
        else None
    )
    return OpenClip(
        clip.id,
        clip.part,
        length,
        dataset.name,
        clip.scene,
        opener=opener if wanted is not None and clip.source is not None else None,
        tracks=tracks,
        touched=touch,
    )


def _reason(error: BaseException, record: CellRecord, task: Task) -> str:
    text = str(error).strip().splitlines()
    first = text[0] if text else ""
    if (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or "not enough memory" in first
        or "can't allocate memory" in first
    ):
        return f"out of memory at {_peak_memory() / 2**30:.1f} GB; try --workers 1, a smaller batch or a smaller size. Log: {record.folder}/log.txt"
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {first} ({Path(where.filename).name}, line {where.lineno}). Log: {record.folder}/log.txt"


def _peak_memory() -> int:
    """Return the largest resident size of this process in bytes."""
    try:
        import resource
    except ImportError:  # Windows
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


class _Collector(logging.Handler):
    """Collects warnings: they go into the row."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno == logging.WARNING:
            self.texts.append(record.getMessage())


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
    collector = _Collector()
    logger.handlers = [stream, collector]
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").handlers = [stream]
    return logger, collector.texts


def main() -> int:
    """Do the one task that stands on the first line of stdin (where processes cannot be forked)."""
    from bench.plugins.registry import load

    task = json.loads(sys.stdin.readline())
    load([Path(file) for file in task["plugins"]])
    if task["torch"]:
        import torch  # noqa: F401
    return run_task(task, alive=sys.stdin.fileno())


if __name__ == "__main__":
    sys.exit(main())
