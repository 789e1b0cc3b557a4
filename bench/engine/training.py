"""The training loop of network methods: samples in a fixed order, checkpoints, and a watch over
whether anything is learned.
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
from bench.engine.explained_variance import ExplainedVariance
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
) -> None:
    """Train `method` on `clips` and leave the network, in eval mode, in `method.network`.

    With a `checkpoint` path training goes on from there where the file exists, and ends
    bit-identical to an undisturbed one on the same machine with the same number of threads. The
    file is written after each epoch, and inside of a long one about every minute. `history` is a
    CSV of one row an epoch, and `steps` one of single steps.

    Raises
    ------
    DidNotLearn : no step in an epoch, a loss that is not finite, gradients that are all zero, or a
        trained network whose output is the same for all inputs.
    MethodError : no clip is as long as a window, or torch cannot compile the network.
    """
    device = torch.device(context.device)
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
    batch_size = int(method.parameters.batch)
    per_epoch = len(windows) // batch_size if method.drop_last else -(-len(windows) // batch_size)
    if per_epoch == 0:
        raise MethodError(
            f"{method.name}: {len(windows)} training windows are less than one batch of "
            f"{batch_size}, and the last, smaller batch is left out; take a smaller batch"
        )
    total, row_every = _length(method, per_epoch)

    if not method.stats:
        # Of no total: the time left of a resumed training is told by the steps after this one.
        context.step(0, 0, "statistics of the training frames")
        method.stats = method.statistics(clips)
    random_state = torch.get_rng_state()
    network, optimiser, schedule = _built(method, device, total, context.compute.precision)
    progress = Progress()
    if checkpoint is not None and checkpoint.exists():
        read = read_checkpoint(checkpoint, network, optimiser, schedule, context)
        if read is None:  # a half-loaded network must not be used
            torch.set_rng_state(random_state)
            network, optimiser, schedule = _built(method, device, total, context.compute.precision)
        progress = read or progress
    if progress.step:
        context.logger.info("going on from step %d of %d", progress.step, total)

    if context.compute.compile:
        compile_network(method, network)
    network.train()
    variance = ExplainedVariance(method, clips, context)
    writer = CheckpointWriter(checkpoint, network, optimiser, schedule, device)
    epoch = progress.epoch
    kept: list[tuple[int, list[tuple[int, Batch]]]] = []  # not read yet: that waits for the device
    last_kept = int(progress.kept_steps[-1]["step"]) - 1 if progress.kept_steps else None
    began = time.monotonic()
    order = batch_order(len(windows), batch_size, per_epoch, context.seed, progress.step, total)
    for step, batch in prefetched(method, clips, windows, order, context, device):
        context.epoch = step // per_epoch
        with explained(method, context.compute):
            parts = gradients(method, network, optimiser, batch, context)
        if not parts:
            epoch.refused += 1
        else:
            if epoch.made % WATCH_EVERY == 0:
                progress.kept_steps += [_terms_of_step(*one) for one in kept]
                kept = []
                epoch.looks += 1
                for _, terms in parts:
                    _refuse_infinite(method, terms["loss"], step, per_epoch)
                epoch.zero_gradients += _all_zero(network)
            optimiser.step()
            if last_kept is None or _is_kept(step, total, last_kept):
                last_kept = step
                # Copies, since a term may be a weight, which the next step changes.
                kept.append(
                    (
                        step,
                        [(size, {k: v.clone() for k, v in terms.items()}) for size, terms in parts],
                    )
                )
            for size, terms in parts:
                for name, value in terms.items():
                    before = epoch.sums.get(name, torch.zeros((), device=device))
                    epoch.sums[name] = before + value * size
                epoch.samples += size
            epoch.made += 1
        if schedule is not None:
            _step_schedule(schedule)
        progress.step = step + 1
        context.step(
            progress.step,
            total,
            f"training, epoch {step // per_epoch + 1} of {-(-total // per_epoch)}",
        )
        ended = progress.step % row_every == 0 or progress.step == total
        if not ended and not writer.due:
            continue
        progress.kept_steps += [_terms_of_step(*one) for one in kept]
        kept = []
        epoch.seconds += time.monotonic() - began
        began = time.monotonic()
        if not ended:
            writer.write(progress)
            continue
        context.step(progress.step, total, "looking at what was learned")
        row = _row(method, progress)
        share = variance.of(network)
        if share is not None:
            row["explained"] = share
        progress.history.append(row)
        context.logger.info(
            "epoch %s", ", ".join(f"{name} {value:.6g}" for name, value in row.items())
        )
        if epoch.refused:
            context.logger.info(
                "%d of %d batches gave no step", epoch.refused, epoch.made + epoch.refused
            )
        if context.after_epoch is not None:
            network.eval()
            method.network = network
            with kept_random_state(device):
                context.after_epoch(len(progress.history))
            network.train()
        if history is not None:
            write_text(history, _history_csv(progress.history))
        if steps is not None:
            write_text(steps, _history_csv(progress.kept_steps))
        epoch = progress.epoch = EpochSoFar()
        writer.write(progress)
        began = time.monotonic()

    network.eval()
    method.network = network
    if "explained" in progress.history[-1]:
        context.fact("explained", progress.history[-1]["explained"])
    method.judge(progress.history, context)  # first: it may know the cause of what is refused next
    _refuse_constant(method, clips, windows, device)


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


def _refuse_infinite(method: NetworkMethod, loss: torch.Tensor, step: int, per_epoch: int) -> None:
    if not torch.isfinite(loss):
        raise DidNotLearn(
            f"{method.name}: the loss is {loss.item()} in epoch {step // per_epoch + 1}, step "
            f"{step + 1}; try a lower learning_rate"
        )


def _all_zero(network: torch.nn.Module) -> bool:
    return not any(
        parameter.grad is not None and bool(parameter.grad.any())
        for parameter in network.parameters()
    )


def _refuse_constant(
    method: NetworkMethod,
    clips: Sequence[OpenClip],
    windows: Sequence[tuple[int, int]],
    device: torch.device,
) -> None:
    """Refuse a network that answers all of up to four spread training windows with the same
    output.
    """
    assert method.network is not None
    spread = [
        windows[index]
        for index in np.linspace(0, len(windows) - 1, num=min(4, len(windows))).astype(int)
    ]
    starts = [
        (clips[number], min(start, clips[number].length - method.window.span))
        for number, start in spread
    ]
    inputs = torch.stack(
        [method.read_window(clip, start, method.window) for clip, start in starts if start >= 0]
    ).to(device)
    if len(inputs) < 2 or bool((inputs == inputs[:1]).all()):
        return
    with torch.inference_mode():
        terms = method.error(method.network, {"window": inputs})
    watched = terms.get("reconstruction")
    if watched is None:
        watched = torch.cat(
            [term.reshape(len(inputs), -1) for name, term in terms.items() if name != "map"], dim=1
        )
    if not bool(torch.isfinite(watched).all()):
        raise DidNotLearn(
            f"{method.name}: the trained network's output is not finite; try a lower learning_rate"
        )
    if float((watched.float() - watched[:1].float()).abs().max()) < 1e-6:
        raise DidNotLearn(
            f"{method.name}: the trained network's output is the same for all inputs; try a lower "
            "learning_rate or more epochs"
        )


def _history_csv(history: Sequence[dict[str, float]]) -> str:
    names = list(dict.fromkeys(name for row in history for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for row in history:
        writer.writerow({name: f"{value:.10g}" for name, value in row.items()})
    return text.getvalue()
