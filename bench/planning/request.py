"""What a user asks for, and where its data lies."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from bench.contracts.compute import OPTIONS, Compute
from bench.contracts.protocol import DEFAULT_PROTOCOL
from bench.errors import RequestError
from bench.runs.layout import KEPT


@dataclass(frozen=True)
class Request:
    """One `bench run`, as typed. Empty texts and None mean "the default" (design: what the dataset
    and the machine name).
    """

    methods: str
    datasets: str
    seeds: tuple[int, ...] = (0,)
    protocol: str = DEFAULT_PROTOCOL
    profile: str | None = None
    detector: str | None = None
    compute: Compute = field(default_factory=Compute)
    workers: int | Literal["auto"] | None = None
    """None: one for each GPU, else 1. 'auto': on a CPU as memory and cores allow."""
    data: tuple[Path, ...] = ()
    plugins: tuple[Path, ...] = ()
    new: bool = False
    fail_fast: bool = False
    stall_limit: float = 15 * 60
    """Seconds without a step after which a cell counts as stalled."""
    time_limit: float | None = None
    """Seconds an attempt at a cell may take."""
    shard: str = ""
    """'I/N': only each N-th cell, from the I-th on, counted from 1; empty: all."""
    executor: str = "local"
    """Selector of what moves the cells to where they are computed."""
    observe: str = ""
    """Selection of observers; empty: none."""
    detach: bool = False
    """Whether to return when all is submitted."""
    keep: tuple[str, ...] = ()
    force: str = ""
    out: Path | None = None
    command: str = ""
    """The command line, to be printed as the way to go on."""

    def mistakes(self) -> list[str]:
        """Return what is wrong with the numbers and the names that stand for themselves."""
        wrong = [
            f"--seeds: {seed!r} is no whole number from 0 below {2**32}"
            for seed in self.seeds
            if not _whole(seed, 0, 2**32)
        ]
        wrong += [] if self.seeds else ["--seeds: no seed"]
        if self.workers not in (None, "auto") and not _whole(self.workers, 1):
            wrong.append(f"--workers {self.workers!r}: expected a whole number from 1")
        wrong += self.compute.mistakes()
        if self.shard and not _is_shard(self.shard):
            wrong.append(f"--shard {self.shard!r}: expected I/N with I from 1 to N, like 2/8")
        for name in ("stall_limit", "time_limit"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int | float) and value > 0):
                wrong.append(
                    f"--{name.replace('_', '-')} {value!r}: expected a number of seconds above 0"
                )
        return wrong + [
            f"--keep: {part!r} cannot be kept; there are {', '.join(KEPT)}"
            for part in self.keep
            if part not in KEPT
        ]

    def command_line(self) -> str:
        """Return the command that asks for the same: the options that are not at their default."""
        return shlex.join(["bench", "run", *self._options()])

    def _options(self) -> Iterator[str]:
        default = Request("", "")
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name in ("command", "detach") or value == getattr(default, item.name):
                continue
            if item.name == "compute":
                for option in OPTIONS:
                    chosen = getattr(value, option.name)
                    if chosen != option.default:
                        yield f"--{option.name}"
                        yield from [] if chosen is True else [str(chosen)]
                continue
            name = "plugin" if item.name == "plugins" else item.name
            option_name = f"--{name.replace('_', '-')}"
            for text in _texts(item.name, value):
                yield option_name
                yield from [] if text is None else [text]


ONCE = ("--new", "--force", "--detach")
"""Options that a repeated command would obey again: it would begin another run, compute again what
is done, or wait for nothing."""


def line_to_go_on(command: str, folder: Path) -> str:
    """Return the command that goes on with the run in `folder`, which `command` began: without the
    options of `ONCE`, and with the folder, since a run whose cells are all done is not looked for.
    """
    words: list[str] = []
    given = iter(shlex.split(command))
    for word in given:
        name, _, value = word.partition("=")
        if name not in ONCE:
            words.append(word)
        elif name == "--force" and not value:
            next(given, None)
    if not any(word.partition("=")[0] == "--out" for word in words):
        words += ["--out", str(folder)]
    return shlex.join(words)


def _texts(name: str, value: Any) -> list[str | None]:
    """Return what follows an option on the command line, for each time that it is given."""
    if value is True:
        return [None]
    if name in ("data", "plugins"):
        return [os.fspath(path) for path in value]
    if name in ("seeds", "keep"):
        return [",".join(map(str, value))]
    if name.endswith("_limit"):
        return [f"{value}s"]
    return [str(value)]


def _whole(value: object, lowest: int, below: float = float("inf")) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and lowest <= value < below


def _is_shard(text: str) -> bool:
    number, _, shards = text.partition("/")
    return number.isdecimal() and shards.isdecimal() and 1 <= int(number) <= int(shards)


def data_roots(given: tuple[Path, ...]) -> list[Path]:
    """Return the folders in which datasets are looked for: those given, else BENCH_DATA, else
    ./data and the user's data folder.

    Raises
    ------
    RequestError : a given folder that is not there.
    """
    origin = "--data" if given else "BENCH_DATA"
    missing = [
        f"{origin}: there is no folder {str(folder)!r}"
        for folder in given or _data_variable()
        if not folder.is_dir()
    ]
    if missing:
        raise RequestError(*missing)
    return data_folders(given)


def data_folders(given: tuple[Path, ...]) -> list[Path]:
    """Return the folders of `data_roots`, whether they are there or not. Downloads go to the
    first.
    """
    import platformdirs

    return [folder.absolute() for folder in given or _data_variable()] or [
        Path("data").absolute(),
        platformdirs.user_data_path("vad-bench"),
    ]


def _data_variable() -> list[Path]:
    return [Path(part) for part in os.environ.get("BENCH_DATA", "").split(os.pathsep) if part]


def parse_seeds(text: str) -> tuple[int, ...]:
    """Return the seeds of '0', '0,1,2' or '0-4', each once, in order.

    Raises
    ------
    RequestError : anything else.
    """
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise RequestError(
                f"--seeds {text!r}: expected whole numbers from 0, like 0 or 0,1,2 or 0-4"
            )
        if int(last or first) >= 2**32:
            raise RequestError(f"--seeds {text!r}: seeds must be below {2**32}")
        seeds += range(int(first), int(last or first) + 1)
    if not seeds:
        raise RequestError(f"--seeds {text!r}: the range ends before it begins")
    return tuple(dict.fromkeys(seeds))


def seed_ranges(seeds: Sequence[int]) -> str:
    """Return seeds as `parse_seeds` reads them, those that follow one another as a range."""
    ranges: list[list[int]] = []
    for seed in seeds:
        if ranges and seed == ranges[-1][1] + 1:
            ranges[-1][1] = seed
        else:
            ranges.append([seed, seed])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in ranges)
