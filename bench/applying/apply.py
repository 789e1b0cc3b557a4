"""Applies a finished cell to one video or live source."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from bench.applying.application import Application
from bench.applying.file_scoring import FileScorer
from bench.applying.footage import Footage
from bench.applying.listener import FAILED, Listener, Outcome
from bench.applying.live_scoring import LiveScorer
from bench.errors import BenchError
from bench.runs.applied import Applied


def apply_to(
    application: Application,
    footage: Footage,
    output: Applied,
    listener: Listener,
    stops: Callable[[], int],
) -> Outcome:
    """Score one video or live source, and write its files. However it ends, the files are complete
    up to there.

    Raises
    ------
    BenchError : after the files are closed; the listener gets the outcome.
    """
    began = datetime.now(UTC).isoformat(timespec="seconds")
    outcome = Outcome(footage.name, footage.shown, began=began)
    lines = output.frames(footage.name)
    scorer = FileScorer if footage.address is None else LiveScorer
    work = scorer(application, footage, lines, output, listener, stops, outcome)
    try:
        work.run()
    except BenchError as error:
        outcome.ended = str(error)
        raise
    except BaseException as error:
        outcome.ended = FAILED + f": {type(error).__name__}"
        raise
    finally:
        outcome.events = work.watch.count
        work.judge_threshold()
        lines.close()
        listener.end(outcome)
    return outcome
