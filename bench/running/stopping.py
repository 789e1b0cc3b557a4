"""Ctrl-C and SIGTERM as a question that is asked now and then, not as an exception anywhere."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

LOOK = 1.0
"""Seconds between two looks for the word to stop."""


@contextlib.contextmanager
def asked_to_stop(word: Path | None = None, insist: bool = False) -> Iterator[Callable[[], int]]:
    """Count Ctrl-C and SIGTERM instead of raising them: the first asks for an end in good order,
    the second for one at once.

    Parameters
    ----------
    word : a file that counts as one more, once it is there.
    insist : the second signal is raised, as KeyboardInterrupt, for work that cannot be asked in
        between.
    """
    count, looked, told = 0, 0.0, False

    def stops() -> int:
        nonlocal looked, told
        if word is not None and not told and time.monotonic() - looked >= LOOK:
            looked, told = time.monotonic(), word.exists()
        return count + told

    if (
        threading.current_thread() is not threading.main_thread()
    ):  # where Python delivers no signals
        yield stops
        return

    def handler(number: int, frame: Any) -> None:
        nonlocal count
        count += 1
        if insist and count > 1:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stops
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
