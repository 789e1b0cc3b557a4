"""The inference engine: scores a clip of a network method, window by window or as a stream, in
bounded memory.
"""

from __future__ import annotations

import functools
import mmap
import weakref
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch

from bench.contracts.method import Context, OpenClip, Scores, as_scores
from bench.contracts.network_method import IMAGE_TERMS, NetworkMethod
from bench.engine.measured_cost import Stopwatch
from bench.engine.out_of_memory import in_fitting_batches
from bench.engine.precision import compile_network, computing, laid_out
from bench.errors import MethodError

LET_GO = 32 * 2**20
"""Bytes of frames after which mapped pages are given back, so that memory does not grow with the
clip. Chosen here."""

Parts = dict[str, np.ndarray]


def infer(
    method: NetworkMethod,
    clip: OpenClip,
    context: Context,
    stopwatch: Stopwatch | None = None,
) -> Scores:
    """Score one clip with the network in eval mode. A clip shorter than the window gets no score.

    Raises
    ------
    MethodError : no network yet; or one that torch cannot compile, where that was asked for.
    """
    network = method.network
    if network is None:
        raise MethodError(f"{method.name}: score() before fit() or load()")
    if network.training:
        network.eval()
    if clip.length < method.window.span:
        return Scores(np.zeros(0), np.zeros(0, dtype=int))
    batch = context.compute.scoring_batch
    laid_out(method, network.to(context.device), context.compute.precision)
    collected: dict[str, list[np.ndarray]] = {}
    frames: list[np.ndarray] = []
    read = 0
    scoring = _scoring_network(method, network, context.compute.compile)
    with torch.inference_mode(), computing(method, context):
        if method.streams:
            chunks = _streamed(
                method,
                scoring,
                (clip.frames[begin : begin + batch] for begin in range(0, clip.length, batch)),
                context,
            )
        else:
            chunks = _windowed(method, scoring, clip, context)
        if stopwatch is not None:
            chunks = stopwatch.each(chunks, context.device)
        for scored, terms in chunks:
            if context.images is not None:
                _offer_images(method, clip, context, scored, terms)
            for name, values in terms.items():
                if name not in IMAGE_TERMS:
                    collected.setdefault(name, []).append(values.float().cpu().numpy())
            frames.append(scored)
            read += len(scored)
            if read * clip.frames[0].nbytes > LET_GO:
                _let_go(clip.frames)
                read = 0
            context.step(
                int(scored[-1]) + 1 if len(scored) else 0, clip.length, f"scoring clip {clip.id}"
            )
    if stopwatch is not None:
        stopwatch.batch = context.compute.scoring_batch
    index = np.concatenate(frames)
    return method.clip_scores(
        {name: np.concatenate(values) for name, values in collected.items()}, index, clip.length
    )


def infer_as_they_come(
    method: NetworkMethod,
    batches: Iterable[np.ndarray],
    context: Context,
    at_once: bool = False,
) -> Iterator[Scores]:
    """Score consecutive frames while they come, in memory that does not grow with their number.

    Where each of `batches`, but the last, has `context.compute.scoring_batch` frames, what is
    computed is what `infer` computes on a clip of the same frames.

    Parameters
    ----------
    batches : the frames, (K, H, W[, 3]) uint8, K >= 1, in the method's format; asked for as they
        are needed.
    at_once : each window is scored as soon as its frames are there, and not when those of a batch
        are.

    Yields
    ------
    Scores of frames counted from the first one given, each frame once, ascending. Only for a method
    that leaves `clip_scores` as it is.

    Raises
    ------
    MethodError : no network yet; one that torch cannot compile, where that was asked for; or scores
        that are not finite.
    """
    network = method.network
    if network is None:
        raise MethodError(f"{method.name}: score() before fit() or load()")
    network.eval()
    laid_out(method, network.to(context.device), context.compute.precision)
    scoring = _scoring_network(method, network, context.compute.compile)
    chunks = (
        _streamed(method, scoring, batches, context)
        if method.streams
        else _sliding(method, scoring, batches, context, at_once)
    )
    nothing = OpenClip("", "test", 0, "")
    while True:
        # Not around the loop: whoever takes the scores is not to find itself in inference mode.
        with torch.inference_mode(), computing(method, context):
            found = next(chunks, None)
            if found is None:
                return
            frames, terms = found
            if context.images is not None:
                _offer_images(method, nothing, context, frames, terms)
            values = {
                name: term.float().cpu().numpy()
                for name, term in terms.items()
                if name not in IMAGE_TERMS
            }
        if len(frames):
            yield as_scores(
                method.clip_scores(values, frames, int(frames[-1]) + 1),
                int(frames[-1]) + 1,
                method.name,
            )


def _let_go(frames: np.ndarray) -> None:
    """Give the pages of a read-only mapped file back to the system, which keeps them as long as it
    likes.
    """
    mapped = getattr(frames, "_mmap", None)
    if (
        isinstance(mapped, mmap.mmap)
        and not frames.flags.writeable
        and hasattr(mmap, "MADV_DONTNEED")
    ):
        mapped.madvise(mmap.MADV_DONTNEED)


_scoring_networks: weakref.WeakKeyDictionary[
    torch.nn.Module, tuple[tuple[int, bool], torch.nn.Module]
] = weakref.WeakKeyDictionary()
"""The scoring form of a network, for clip after clip, and which state of its weights it was made
of."""


def _scoring_network(
    method: NetworkMethod, network: torch.nn.Module, compiled: bool
) -> torch.nn.Module:
    # Every change in place raises a tensor's version.
    tensors = [*network.parameters(), *network.buffers()]
    state = sum(0 if tensor.is_inference() else tensor._version for tensor in tensors), compiled
    kept = _scoring_networks.get(network)
    if kept is not None and kept[0] == state:
        return kept[1]
    trained = [weight.requires_grad for weight in network.parameters()]
    with torch.no_grad():
        scoring = method.scoring_network(network)
    if [weight.requires_grad for weight in network.parameters()] != trained:
        raise MethodError(
            f"{method.name}: scoring_network() changed which weights of the trained network learn, "
            "and training may go on; give the scoring form copies of them"
        )
    if compiled:
        compile_network(method, scoring)
    if scoring is not network:  # a value that holds its key would keep it for ever
        _scoring_networks[network] = state, scoring
    return scoring


def _windowed(
    method: NetworkMethod,
    network: torch.nn.Module,
    clip: OpenClip,
    context: Context,
) -> Iterator[tuple[np.ndarray, dict[str, torch.Tensor]]]:
    """Yield (frames (K,), terms (K, ...)) in frame order, each frame once: the first window that
    targets it gives its score.
    """
    window = method.window
    targets = np.asarray(window.targets)
    starts = list(window.starts(clip.length, len(targets)))
    last = clip.length - window.span
    if starts[-1] != last:
        starts.append(last)
    reached, begin = -1, 0

    def score(count: int) -> tuple[list[int], dict[str, torch.Tensor]]:
        chosen = starts[begin : begin + count]
        raw = np.stack([clip.frames[start : start + window.span : window.step] for start in chosen])
        inputs = method.to_range(torch.from_numpy(raw).to(context.device))
        return chosen, method.error(network, {"window": inputs})

    while begin < len(starts):
        chosen, terms = in_fitting_batches(context, len(starts) - begin, score)
        begin += len(chosen)
        frames = (np.asarray(chosen)[:, None] + targets * window.step).reshape(-1)
        keep = []
        for position, frame in enumerate(frames):
            if frame > reached:
                reached = int(frame)
                keep.append(position)
        yield (
            frames[keep],
            {
                name: _flat(method, name, term, len(chosen), len(targets))[keep]
                for name, term in terms.items()
            },
        )


def _flat(
    method: NetworkMethod, name: str, term: torch.Tensor, windows: int, targets: int
) -> torch.Tensor:
    if term.shape[:2] != (windows, targets):
        raise MethodError(
            f"{method.name}: error() gave term {name!r} of shape {tuple(term.shape)}, expected "
            f"({windows}, {targets}, ...): windows x targets"
        )
    return term.reshape(windows * targets, *term.shape[2:])


def _sliding(
    method: NetworkMethod,
    network: torch.nn.Module,
    batches: Iterable[np.ndarray],
    context: Context,
    at_once: bool,
) -> Iterator[tuple[np.ndarray, dict[str, torch.Tensor]]]:
    """Yield what `_windowed` yields of the whole clip, while its frames come. No more of them are
    held than one batch of windows needs.
    """
    every, span = len(method.window.targets), method.window.span
    batch = context.compute.scoring_batch
    held = np.zeros(0, np.uint8)
    first, begin, reached = (
        0,
        0,
        -1,
    )  # the number of the first frame held, the next window's place in `held`, the last frame scored

    def score(start: int, stop: int) -> Iterator[tuple[np.ndarray, dict[str, torch.Tensor]]]:
        nonlocal reached
        part = held[start:stop]
        for frames, terms in _windowed(
            method, network, OpenClip("", "test", len(part), "", opener=lambda: part), context
        ):
            frames = frames + first + start
            new = np.flatnonzero(frames > reached)
            if len(new):
                reached = int(frames[-1])
                yield (
                    frames[new],
                    {
                        name: values[torch.from_numpy(new).to(values.device)]
                        for name, values in terms.items()
                    },
                )

    for frames in batches:
        held = np.concatenate([held, frames]) if len(held) else frames
        while (ready := (len(held) - begin - span) // every + 1) >= (1 if at_once else batch):
            ready = min(ready, batch)
            yield from score(begin, begin + span + (ready - 1) * every)
            begin += ready * every
            past = min(
                begin, len(held) - span
            )  # the last window of all may begin before the next one of the row
            held, begin, first = held[past:], begin - past, first + past
    last = len(held) - span
    if last >= 0 and first + last + method.window.targets[-1] * method.window.step > reached:
        yield from score(min(begin, last), len(held))


def _streamed(
    method: NetworkMethod,
    network: torch.nn.Module,
    batches: Iterable[np.ndarray],
    context: Context,
) -> Iterator[tuple[np.ndarray, dict[str, torch.Tensor]]]:
    """Yield (frames (K,), terms (K, ...)) as the stream gives them."""
    state = method.start(network)
    following = method.window.targets[0] * method.window.step
    for batch in batches:
        left = batch
        while len(left):
            score = functools.partial(_next, method, network, context, state, left)
            taken, terms, state = in_fitting_batches(context, len(left), score)
            left = left[taken:]
            count = len(next(iter(terms.values()))) if terms else 0
            if count:
                yield np.arange(following, following + count), terms
                following += count


def _next(
    method: NetworkMethod,
    network: torch.nn.Module,
    context: Context,
    state: Any,
    frames: np.ndarray,
    count: int,
) -> tuple[int, dict[str, torch.Tensor], Any]:
    """Let a stream take the first `count` of the frames; return their number, terms and state."""
    raw = torch.from_numpy(np.array(frames[:count])).to(context.device)
    return count, *method.next(network, state, method.to_range(raw).transpose(0, 1))


def _offer_images(
    method: NetworkMethod,
    clip: OpenClip,
    context: Context,
    frames: np.ndarray,
    terms: dict[str, torch.Tensor],
) -> None:
    assert context.images is not None
    for position, frame in enumerate(frames):
        found = {
            name: terms[name][position].float().cpu().numpy()
            for name in IMAGE_TERMS
            if name in terms
        }
        if found:
            context.images(method, clip, int(frame), found)
