"""Makes the context that a method works in."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from bench.contracts.compute import Compute
from bench.contracts.method import Context, OpenClip, Scores
from bench.contracts.network_method import NetworkMethod
from bench.engine.measured_cost import FitClock, Stopwatch


def make_context(
    seed: int,
    compute: Compute,
    folder: Path,
    logger: logging.Logger | None = None,
    step: Callable[[int, int, str], None] | None = None,
    test_lengths: Mapping[str, int] | None = None,
    other_test_clips: Iterable[str] = (),
    checkpoint: Path | None = None,
    history: Path | None = None,
    stopwatch: Stopwatch | None = None,
    steps: Path | None = None,
    fit_clock: FitClock | None = None,
) -> Context:
    """Return a context with the harness's own training loop and inference engine, which import
    torch at their first call. `stopwatch` takes the time of scoring, `fit_clock` that of
    fitting.
    """

    def train(method: NetworkMethod, clips: Sequence[OpenClip], context: Context) -> None:
        from bench.engine.training import train as loop

        loop(method, clips, context, checkpoint, history, steps, fit_clock)

    def infer(method: NetworkMethod, clip: OpenClip, context: Context) -> Scores:
        from bench.engine.inference import infer as engine

        return engine(method, clip, context, stopwatch)

    return Context(
        seed=seed,
        compute=compute,
        logger=logger or logging.getLogger("bench.cell"),
        folder=folder,
        step=step or (lambda done, total, what: None),
        train=train,
        infer=infer,
        test_lengths=dict(test_lengths or {}),
        other_test_clips=frozenset(other_test_clips),
    )
