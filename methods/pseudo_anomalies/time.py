"""What pseudo-anomalies of time have in common."""

from __future__ import annotations

from bench import RequestError, Window


def refuse_single_frames(name: str, window: Window) -> None:
    """Refuse a window of one frame, in which time cannot go wrong.

    Raises
    ------
    RequestError : the window has one frame.
    """
    if window.length < 2:
        raise RequestError(
            f"pseudo-anomalies {name!r} need a window of several frames, and this method sees one frame at a time"
        )
