"""What a user asks for, and where its data lies."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

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
    protocol: str = "median17"
    profile: str | None = None
    detector: str | None = None
    device: str | None = None
    workers: int | None = 1
    """None: as memory and cores allow."""
    threads: int | None = None
    """CPU threads of a cell; None: all cores divided among the workers."""
    data: tuple[Path, ...] = ()
    plugins: tuple[Path, ...] = ()
    out: Path | None = None
    new: bool = False
    force: str = ""
    fail_fast: bool = False
    stall_limit: float = 15 * 60
    """Seconds without a step after which a cell counts as stalled."""
    time_limit: float | None = None
    """Seconds an attempt at a cell may take."""
    keep: tuple[str, ...] = ()
    accumulate: int = 1
    """Parts that each training batch of a network is cut into, their gradients summed."""
    precision: str = "fp32"
    """In which networks compute: fp32, or bf16 by automatic casts."""
    compile: bool = False
    """Whether torch compiles networks."""
    shard: str = ""
    """'I/N': only each N-th cell, from the I-th on, counted from 1; empty: all."""
    executor: str = "local"
    """Selector of what moves the cells to where they are computed."""
    observe: str = ""
    """Selection of observers; empty: none."""
    detach: bool = False
    """Whether to return when all is submitted."""
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
        for name in ("workers", "threads", "accumulate"):
            value = getattr(self, name)
            wrong += (
                []
                if value is None or _whole(value, 1)
                else [f"--{name} {value!r}: expected a whole number from 1"]
            )
        wrong += (
            []
            if self.precision in ("fp32", "bf16")
            else [f"--precision {self.precision!r}: there are fp32 and bf16"]
        )
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
    import platformdirs

    named = list(given)
    origin = "--data"
    if not named and os.environ.get("BENCH_DATA"):
        named = [Path(part) for part in os.environ["BENCH_DATA"].split(os.pathsep) if part]
        origin = "BENCH_DATA"
    missing = [
        f"{origin}: there is no folder {str(folder)!r}" for folder in named if not folder.is_dir()
    ]
    if missing:
        raise RequestError(*missing)
    return [folder.absolute() for folder in named] or [
        Path("data").absolute(),
        platformdirs.user_data_path("vad-bench"),
    ]


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
        seeds += range(int(first), int(last or first) + 1)
    if not seeds:
        raise RequestError(
            f"--seeds {text!r}: no seed; the second number of a range must not be the smaller one"
        )
    if max(seeds) >= 2**32:
        raise RequestError(f"--seeds {text!r}: seeds must be below {2**32}")
    return tuple(dict.fromkeys(seeds))
