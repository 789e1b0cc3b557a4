"""What is told while footage is scored: frames, events, progress, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from bench.applying.footage import Footage
from bench.scoring.watching import Event

END, STOPPED, FAILED = "end", "stopped", "failed"


@dataclass(frozen=True)
class ScoredFrame:
    """One frame of the footage and its score: a row of the CSV file.

    `score` is the method's own, as in scores.npz; `smoothed` is smoothed by the protocol, but never
    normalised; both are None if the frame has no score. `image` (h, w, 3) uint8 RGB and `error`
    (h, w) float are set if images were requested; `error` only if the method computes one.
    """

    frame: int
    seconds: float
    score: float | None = None
    smoothed: float | None = None
    above: bool | None = None
    image: np.ndarray | None = None
    error: np.ndarray | None = None


@dataclass
class Outcome:
    """The result for one source, as stored in apply.json."""

    name: str
    source: str
    frame_rate: float | None = None
    frame_rate_from: str = ""
    began: str = ""
    frames: int = 0
    scored: int = 0
    above: int = 0
    events: int = 0
    dropped: int = 0
    """Frames of a live source that arrived but were not scored."""
    reconnected: int = 0
    largest_lag: float | None = None
    """Largest lag behind a live source in seconds."""
    warning: str = ""
    """Why the threshold does not seem to fit this footage, if so."""
    ended: str = ""
    """'end', 'stopped', or what went wrong."""


class Listener(Protocol):
    """Is told what happens while footage is scored; the command line is one."""

    def checking(self, footage: Footage, done: int, total: int) -> None:
        """A video is decoded once before it is scored, to check that it is complete; `done` of
        about `total` frames are checked.
        """

    def begin(self, footage: Footage, rate: float, total: int | None, stamped: bool) -> None:
        """A source begins; `total` is its number of frames, if known. `stamped`: its frames have
        times of their own that do not follow from the rate.
        """

    def rows(self, rows: Sequence[ScoredFrame]) -> None:
        """The next frames, in order; each frame comes once."""

    def event(self, event: Event) -> None:
        """An event began, or ended if it is closed."""

    def progress(self, done: int, what: str, behind: float | None) -> None:
        """`done` frames were scored; `behind` is the lag behind a live source in seconds."""

    def say(self, text: str) -> None:
        """Something the user should know now. Also called from the thread of a live source."""

    def note(self, text: str) -> None:
        """Something that limits what the scores mean; show the same text only once."""

    def end(self, outcome: Outcome) -> None:
        """The source has ended and its files are closed."""
