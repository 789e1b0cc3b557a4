"""What a user asks for, and where its data lies."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import RequestError


@dataclass(frozen=True)
class Request:
    """One `bench run`, as typed. Empty texts and None mean "the default" (design: what the dataset and the machine name)."""

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
    command: str = ""
    """The command line, to be printed as the way to go on."""


def data_roots(given: tuple[Path, ...]) -> list[Path]:
    """Return the folders in which datasets are looked for: those given, else BENCH_DATA, else ./data and the user's data folder.

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
    missing = [f"{origin}: there is no folder {str(folder)!r}" for folder in named if not folder.is_dir()]
    if missing:
        raise RequestError(*missing)
    return [folder.absolute() for folder in named] or [Path("data").absolute(), platformdirs.user_data_path("vad-bench")]


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
            raise RequestError(f"--seeds {text!r}: expected whole numbers from 0, like 0 or 0,1,2 or 0-4")
        seeds += range(int(first), int(last or first) + 1)
    if not seeds:
        raise RequestError(f"--seeds {text!r}: no seed; the second number of a range must not be the smaller one")
    if max(seeds) >= 2**32:
        raise RequestError(f"--seeds {text!r}: seeds must be below {2**32}")
    return tuple(dict.fromkeys(seeds))
