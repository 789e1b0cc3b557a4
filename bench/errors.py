"""The errors a user can meet, as one small tree.

    BenchError
    |-- RequestError      the request cannot be understood or met (exit code 2)
    |-- DataError         a dataset, or one of its files, is missing, incomplete or damaged
    |-- MethodError       a method broke its part of the interface
    |   `-- DidNotLearn   a network whose training changed nothing
    `-- RunError          a run folder, or one of its files, cannot be read or written

Each text says what happened, where, and what to do; it is shown as one line, without a traceback.
"""

from __future__ import annotations

from collections.abc import Sequence


class BenchError(Exception):
    """Base of all errors whose text is meant for the user."""


class RequestError(BenchError):
    """The request cannot be understood or met. Carries every mistake of the request, one a line."""

    def __init__(self, *mistakes: str) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes: Sequence[str] = mistakes


class DataError(BenchError):
    """A dataset, or one of its files, is missing, incomplete or damaged.

    `in_short` says the same in a few words for papers, without paths and commands: 'needs ResNet-50
    weights'.
    """

    def __init__(self, text: str, in_short: str = "") -> None:
        super().__init__(text)
        self.in_short = in_short


class MethodError(BenchError):
    """A method broke its part of the interface: wrong number of scores, NaN, a parameter out of
    range.
    """


class DidNotLearn(MethodError):
    """Training did nothing: no step, no gradient, NaN, or an output that is the same for all
    inputs.
    """


class RunError(BenchError):
    """A run folder, or one of its files, cannot be read or written."""
