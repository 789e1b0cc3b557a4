"""The training loop of network methods: samples in a fixed order, checkpoints, and the history of
what is learned.
"""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.contracts.method import Context, OpenClip
from bench.contracts.network_method import NetworkMethod
from bench.engine.batches import Batch, batch_order, prefetched
from bench.engine.checkpoint import CheckpointWriter, EpochSoFar, Progress, read_checkpoint
from bench.engine.learning_checks import (
    ExplainedVariance,
    has_no_gradient,
    refuse_constant,
    refuse_infinite,
)
from bench.engine.measured_cost import FitClock
from bench.engine.precise_bn import PreciseBN
from bench.engine.precision import autocast, compile_network, explained, laid_out
from bench.engine.seeding import kept_random_state
from bench.errors import DidNotLearn, MethodError
from bench.files.whole_files import write_text

ROW_STEPS = 500
"""A method that counts steps and not epochs has a row of its history this often, and at least four.
Chosen here: some minutes of a 3D network on two cores."""
WATCH_EVERY = 50
"""Steps between two looks at loss and gradients; each look waits for the device."""
KEPT_STEPS = 500
"""Most steps of a training whose terms are kept one by one. Chosen here: as many as a figure can
show."""


def train(
    method: NetworkMethod,
    clips: Sequence[OpenClip],
    context: Context,
    checkpoint: Path | None = None,
    history: Path | None = None,
    steps: Path | None = None,
    clock: FitClock | None = None,
) -> None:
    """Train `method` on `clips` and leave the network, in eval mode, in `method.network`.

    With a `checkpoint` path training goes on from there where the file exists, and ends
    bit-identical to an undisturbed one on the same machine with the same number of threads. The
    file is written after each epoch, and inside of a long one about every minute. `history` is a
    CSV of one row an epoch, and `steps` one of single steps; `clock` counts the seconds.

    Raises
    ------
    DidNotLearn : no step in an epoch, a loss that is not finite, gradients that are all zero, or a
        trained network whose output is the same for all inputs.
    MethodError : no clip is as long as a window, or torch cannot compile the network.
    """
    _Training(method, clips, context, checkpoint, history, steps, clock or FitClock()).run()


class _Training:
    """One training: what it works on and with, its steps, and the ends of its epochs."""

    def __init__(
        self,
        method: NetworkMethod,
        clips: Sequence[OpenClip],
        context: Context,
        checkpoint: Path | None,
        history: Path | None,
        steps: Path | None,
        clock: FitClock,
    ) -> None:
        self.method, self.clips, self.context = method, clips, context
        self.history, self.steps = history, steps
        self.device = torch.device(context.device)
        self.windows = _windows(method, clips)
        self.batch_size = int(method.parameters.batch)
        self.per_epoch = _steps_an_epoch(method, len(self.windows))
        self.total, self.row_every = _length(method, self.per_epoch)
        if not method.stats:
            # Of no total: the time left of a resumed training is told by the steps after this one.
            context.step(0, 0, "statistics of the training frames")
            method.stats = method.statistics(clips)
        self._build(checkpoint)
        clock.before = self.progress.seconds
        if context.compute.compile:
            compile_network(method, self.network)
        self.network.train()
        self.precise_bn = PreciseBN(method, clips, context, self.batch_size)
        self.variance = ExplainedVariance(method, clips, context)
        self.writer = CheckpointWriter(
            checkpoint, self.network, self.optimiser, self.schedule, self.device, clock
        )
        self.kept: list[tuple[int, list[tuple[int, Batch]]]] = []
        """Steps and their terms, not read yet: that waits for the device."""
        kept_steps = self.progress.kept_steps
        self.last_kept = int(kept_steps[-1]["step"]) - 1 if kept_steps else None
        self.began = time.monotonic()

    def _build(self, checkpoint: Path | None) -> None:
        """Make the network, and take it to where the checkpoint is, if there is one."""
        how = self.method, self.device, self.total, self.context.compute.precision
        random_state = torch.get_rng_state()
        self.network, self.optimiser, self.schedule = _built(*how)
        self.progress = Progress()
        if checkpoint is not None and checkpoint.exists():
            read = read_checkpoint(
                checkpoint, self.network, self.optimiser, self.schedule, self.context
            )
            if read is None:  # a half-loaded network must not be used
                torch.set_rng_state(random_state)
                self.network, self.optimiser, self.schedule = _built(*how)
            self.progress = read or self.progress
        if self.progress.step:
            self.context.logger.info("going on from step %d of %d", self.progress.step, self.total)

    def run(self) -> None:
        """Make the steps that are left."""
        method, context, progress = self.method, self.context, self.progress
        order = batch_order(
            len(self.windows),
            self.batch_size,
            self.per_epoch,
            context.seed,
            progress.step,
            self.total,
        )
        epochs = -(-self.total // self.per_epoch)
        for step, batch in prefetched(
            method, self.clips, self.windows, order, context, self.device
        ):
            context.epoch = step // self.per_epoch
            self._step(step, batch)
            progress.step = step + 1
            what = f"training, epoch {step // self.per_epoch + 1} of {epochs}"
            context.step(progress.step, self.total, what)
            if progress.step % self.row_every == 0 or progress.step == self.total:
                self._end_epoch()
            elif self.writer.due:
                self._count_time()
                self.writer.write(progress)
        self.network.eval()
        method.network = self.network
        if "explained" in progress.history[-1]:
            context.fact("explained", progress.history[-1]["explained"])
        # First: it may know the cause of what is refused next.
        method.judge(progress.history, context)
        refuse_constant(method, self.clips, self.windows, self.device)

    def _step(self, step: int, batch: Batch) -> None:
        """Make a step, unless the method refuses the batch, and count it."""
        epoch = self.progress.epoch
        with explained(self.method, self.context.compute):
            parts = gradients(self.method, self.network, self.optimiser, batch, self.context)
        if not parts:
            epoch.refused += 1
        else:
            if epoch.made % WATCH_EVERY == 0:
                self._watch(step, parts)
            self.optimiser.step()
            if self.last_kept is None or _is_kept(step, self.total, self.last_kept):
                self.last_kept = step
                # Copies, since a term may be a weight, which the next step changes.
                copies = [(size, {k: v.clone() for k, v in terms.items()}) for size, terms in parts]
                self.kept.append((step, copies))
            for size, terms in parts:
                for name, value in terms.items():
                    before = epoch.sums.get(name, torch.zeros((), device=self.device))
                    epoch.sums[name] = before + value * size
                epoch.samples += size
            epoch.made += 1
        if self.schedule is not None:
            _step_schedule(self.schedule)

    def _watch(self, step: int, parts: list[tuple[int, Batch]]) -> None:
        """Look at loss and gradients of a step that is about to be made."""
        epoch = self.progress.epoch
        self._read_kept()
        epoch.looks += 1
        for _, terms in parts:
            refuse_infinite(self.method, terms["loss"], step, self.per_epoch)
        epoch.zero_gradients += has_no_gradient(self.network)

    def _read_kept(self) -> None:
        self.progress.kept_steps += [_terms_of_step(*one) for one in self.kept]
        self.kept = []

    def _count_time(self) -> None:
        self._read_kept()
        now = time.monotonic()
        self.progress.epoch.seconds += now - self.began
        self.began = now

    def _end_epoch(self) -> None:
        """Add the row of the epoch, and write what is written once an epoch."""
        context, progress, epoch = self.context, self.progress, self.progress.epoch
        self._count_time()
        context.step(progress.step, self.total, "looking at what was learned")
        progress.history.append(_row(self.method, progress))
        with self.precise_bn.applied(self.network, kept=progress.step == self.total):
            self._look(progress.history[-1])
        if epoch.refused:
            context.logger.info(
                "%d of %d batches gave no step", epoch.refused, epoch.made + epoch.refused
            )
        if self.history is not None:
            write_text(self.history, _history_csv(progress.history))
        if self.steps is not None:
            write_text(self.steps, _history_csv(progress.kept_steps))
        progress.epoch = EpochSoFar()
        self.writer.write(progress)
        self.began = time.monotonic()

    def _look(self, row: dict[str, float]) -> None:
        """Look at the network as it would be scored now, and complete the row of the epoch."""
        context = self.context
        share = self.variance.of(self.network)
        if share is not None:
            row["explained"] = share
        context.logger.info(
            "epoch %s", ", ".join(f"{name} {value:.6g}" for name, value in row.items())
        )
        if context.after_epoch is not None:
            self.network.eval()
            self.method.network = self.network
            with kept_random_state(self.device):
                context.after_epoch(int(row["epoch"]))
            self.network.train()


def _windows(method: NetworkMethod, clips: Sequence[OpenClip]) -> list[tuple[int, int]]:
    """Return (clip, first frame) of each training window.

    Raises
    ------
    MethodError : there is none.
    """
    every = int(getattr(method.parameters, "every", 1))
    windows = [
        (number, start)
        for number, clip in enumerate(clips)
        for start in method.training_window.starts(clip.length, every)
    ]
    if not windows:
        longest = max((clip.length for clip in clips), default=0)
        raise MethodError(
            f"{method.name}: no training clip is as long as a window of "
            f"{method.training_window.span} frames (the longest has {longest})"
        )
    return windows


def _steps_an_epoch(method: NetworkMethod, windows: int) -> int:
    """Return the batches of an epoch.

    Raises
    ------
    MethodError : there is none.
    """
    batch = int(method.parameters.batch)
    steps = windows // batch if method.drop_last else -(-windows // batch)
    if steps == 0:
        raise MethodError(
            f"{method.name}: {windows} training windows are less than one batch of "
            f"{batch}, and the last, smaller batch is left out; take a smaller batch"
        )
    return steps


def _row(method: NetworkMethod, progress: Progress) -> dict[str, float]:
    """Return the row of the history for what was counted since the last one.

    Raises
    ------
    DidNotLearn : no step, gradients that are all zero, or a term that is not finite.
    """
    epoch = progress.epoch
    if epoch.made == 0:
        raise DidNotLearn(
            f"{method.name}: no step in {epoch.refused} batches: {method.why_no_step}"
        )
    if epoch.zero_gradients == epoch.looks:
        raise DidNotLearn(
            f"{method.name}: all gradients are zero: the loss does not depend on the network"
        )
    row: dict[str, float] = {
        "epoch": float(len(progress.history) + 1),
        "step": float(progress.step),
    }
    row |= {name: float(value) / epoch.samples for name, value in epoch.sums.items()}
    if not all(np.isfinite(list(row.values()))):
        raise DidNotLearn(
            f"{method.name}: a training term is not finite after step {progress.step}: {row}; "
            "try a lower learning_rate"
        )
    return row | {
        "steps": float(epoch.made),
        "steps_refused": float(epoch.refused),
        "seconds": round(epoch.seconds, 3),
    }


def _is_kept(step: int, total: int, before: int) -> bool:
    """Whether the terms of a step are kept, where those of step `before` were kept last: the first
    step that is made in each of at most KEPT_STEPS equal parts of the training.
    """
    each = -(-total // KEPT_STEPS)
    return before // each < step // each


def _terms_of_step(step: int, parts: list[tuple[int, Batch]]) -> dict[str, float]:
    """Return the number of a step and the mean of each term over its samples."""
    samples = sum(size for size, _ in parts)
    names = dict.fromkeys(name for _, terms in parts for name in terms)
    means = {
        name: sum(float(terms[name]) * size for size, terms in parts if name in terms) / samples
        for name in names
    }
    return {"step": step + 1.0, **means}


def gradients(
    method: NetworkMethod,
    network: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    batch: Batch,
    context: Context,
) -> list[tuple[int, Batch]]:
    """Leave the gradients of one batch in the network, and return (samples, terms of the loss) of
    each part that has a loss.

    The batch is cut into `context.compute.accumulate` parts that differ by at most one sample, or
    into single samples where it has fewer. They pass the network one after the other, so that the
    memory is that of the largest part; each part's loss counts by its share of the batch. Without a
    loss of any part the list is empty, and the gradients stay what they were.
    """
    size = len(next(iter(batch.values())))
    given: list[tuple[int, Batch]] = []
    for indices in np.array_split(np.arange(size), min(context.compute.accumulate, size)):
        first, count = int(indices[0]), len(indices)
        with autocast(torch.device(context.device), context.compute.precision):
            terms = method.loss(
                network,
                {name: values[first : first + count] for name, values in batch.items()},
                context,
            )
        if terms is None:
            continue
        if not given:
            optimiser.zero_grad(set_to_none=True)
        (terms["loss"] * (count / size)).backward()
        given.append((count, {name: value.detach() for name, value in terms.items()}))
    return given


def _built(
    method: NetworkMethod, device: torch.device, total: int, precision: str
) -> tuple[torch.nn.Module, torch.optim.Optimizer, Any]:
    network = laid_out(method, method.build().to(device), precision)
    optimiser = method.optimiser(network)
    return network, optimiser, method.schedule(optimiser, total)


def _length(method: NetworkMethod, per_epoch: int) -> tuple[int, int]:
    """Return the steps of the whole training, and after how many of them the history gets a row."""
    if method.epochs is not None:
        return max(1, method.epochs) * per_epoch, per_epoch
    if method.steps is not None:
        return max(1, method.steps), min(ROW_STEPS, max(1, method.steps // 4))
    raise MethodError(
        f"{method.name}: its parameters have neither 'epochs' nor 'steps': declare one of them"
    )


def _step_schedule(schedule: torch.optim.lr_scheduler.LRScheduler) -> None:
    import warnings

    with warnings.catch_warnings():
        # A refused first batch makes the scheduler step before the optimiser, which is meant here.
        warnings.filterwarnings("ignore", message="Detected call of `lr_scheduler.step")
        schedule.step()


def _history_csv(history: Sequence[dict[str, float]]) -> str:
    names = list(dict.fromkeys(name for row in history for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for row in history:
        writer.writerow({name: f"{value:.10g}" for name, value in row.items()})
    return text.getvalue()
