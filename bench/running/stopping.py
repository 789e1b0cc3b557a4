"""Ctrl-C and SIGTERM as a question that is asked now and then, not as an exception anywhere."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def asked_to_stop(insist: bool = False) -> Iterator[Callable[[], int]]:
    """Count Ctrl-C and SIGTERM instead of raising them: the first asks for an end in good order, the second for one at once.

    `insist`: the second is raised, as KeyboardInterrupt, for work that cannot be asked in between.
    """
    count = 0
    if threading.current_thread() is not threading.main_thread():  # where Python delivers no signals
        yield lambda: count
        return

    def handler(number: int, frame: Any) -> None:
        nonlocal count
        count += 1
        if insist and count > 1:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: count
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
