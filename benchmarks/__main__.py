"""Measure and print: `python -m benchmarks` (about ten minutes on two idle cores), `--quick`
(within a minute), or parts by name.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

from bench.executors.local import ALLOCATOR
from bench.files.whole_files import write_json
from bench.hardware.openmp import use_short_spin

from .measure import Report, read_earlier

PARTS = (
    "start-up",
    "frames",
    "numbers",
    "growth",
    "scoring",
    "training",
    "workers",
    "busy",
    "size",
    "loading",
    "runs",
)
ASKED = ("gpu",)
"""Parts that are measured only where they are named."""


def main() -> int:
    """Measure the parts that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "parts",
        nargs="*",
        metavar="PART",
        help=f"any of {', '.join(PARTS)}, all of them where none is named; or gpu: one GPU, in at "
        "most eight minutes",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="small sizes and few repeats, within a minute: ratios of it are rough",
    )
    parser.add_argument(
        "--threads", type=int, help="CPU threads of torch; all cores where not given"
    )
    parser.add_argument(
        "--no-compile",
        action="store_true",
        help="leave out what torch compiles: minutes of waiting, on the first run",
    )
    parser.add_argument(
        "--before",
        metavar="PYTHON",
        help="of an environment with an earlier version: for the part `runs`",
    )
    parser.add_argument(
        "--device", default="cuda", help="for the part gpu: cuda, cuda:1 or cpu (default: cuda)"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write all figures to FILE, for --compare"
    )
    parser.add_argument(
        "--compare",
        type=Path,
        metavar="FILE",
        help="print the ratio of each figure to that of an earlier run, which wrote FILE with --json",
    )
    arguments = parser.parse_args()
    earlier = None
    if arguments.compare is not None:
        try:
            earlier = read_earlier(arguments.compare)
        except ValueError as error:
            parser.error(f"--compare: {error}")
    if arguments.json is not None and not arguments.json.absolute().parent.is_dir():
        parser.error(f"--json: there is no folder {arguments.json.absolute().parent}")
    if arguments.before is None and "runs" in arguments.parts:
        parser.error(
            "the part runs needs --before PYTHON, the interpreter of an environment with an earlier version"
        )
    if unknown := set(arguments.parts) - {*PARTS, *ASKED}:
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS + ASKED)}")
    if "gpu" in arguments.parts:
        from bench.errors import RequestError
        from bench.hardware.machine import choose_device

        try:
            arguments.device = choose_device(arguments.device)
        except RequestError as error:
            parser.error(str(error))
    use_short_spin()  # as workers do
    if any(os.environ.get(name) != value for name, value in ALLOCATOR.items()):
        # As workers run; the plain implementations get the same.
        os.execve(
            sys.executable,
            [sys.executable, "-m", "benchmarks", *sys.argv[1:]],
            {**os.environ, **ALLOCATOR},
        )
    report = measure(
        arguments.parts or PARTS,
        arguments.quick,
        arguments.threads,
        not arguments.no_compile and not arguments.quick,
        arguments.before,
        arguments.device,
    )
    report.conclude(earlier)
    if arguments.json is not None:
        write_json(arguments.json, report.facts(version("vad-bench")))
        print(f"wrote {arguments.json}")
    return 0


def measure(
    parts: list[str] | tuple[str, ...],
    quick: bool,
    threads: int | None,
    compiled: bool,
    before: str | None,
    device: str,
) -> Report:
    """Print the figures of these parts, and return them."""
    import torch

    from bench.engine.seeding import seed_everything
    from bench.hardware.machine import cores

    from . import gpu, harness, loading, networks, size

    seed_everything(0, threads or cores())
    name = next(
        (
            line.split(":", 1)[1].strip()
            for line in _lines("/proc/cpuinfo")
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    report = Report(processor=f"{name}, {cores()} cores", quick=quick)
    print(
        f"{name}, {cores()} cores, {torch.get_num_threads()} threads; torch {torch.__version__}, Python {platform.python_version()}, "
        f"{platform.system()}; {'quick: rough' if quick else 'complete'}"
    )
    print(
        "Ratios are plain over bench, of medians of runs taken in turns, after one to warm up: above 1 bench is quicker."
    )
    if "start-up" in parts:
        harness.start_up(report, 3 if quick else 7)
    if "frames" in parts:
        harness.frame_store(report, quick)
    if "numbers" in parts:
        harness.numbers(report)
    if "growth" in parts:
        harness.long_clips(report, quick)
        harness.resolutions(report) if not quick else None
    a_frame = a_step = 0.0
    batch = 1 if quick else 10  # of profile large
    if "scoring" in parts:
        seconds = networks.scoring(
            report, 64, 10 if quick else 24, 3 if quick else 5, compiled, (3.0, 5.5)
        )
        a_frame = seconds["fp32"]
        if not quick:
            networks.scoring(report, 512, 12, 3, False, (2.2, 3.5))
    if "training" in parts:
        a_step = networks.training(
            report, 64, batch, 128 if quick else 256, 3 if quick else 5, compiled, (1.0, 2.0, 2.5)
        )
        if not quick:
            networks.training(report, 512, 1, 256, 3, False, (1.0,))
    if a_frame and a_step and not quick:
        networks.share(report, 64, a_frame, a_step, batch, 5)
    if "workers" in parts and not quick:
        harness.workers(report, 32)
    if "busy" in parts:
        harness.beside_other_work(report, 1 if quick else 3)
    if "size" in parts and not quick:
        size.run_folders(report)
        size.reports(report)
    if "loading" in parts:
        loading.idle_time(report, 20 if quick else 100)
    if "gpu" in parts:
        gpu.examination(report, device, quick)
        gpu.scoring_batches(report, device, quick)
    if "runs" in parts and before:
        harness.runs(report, before, 2 if quick else 5)
    return report


def _lines(path: str) -> list[str]:
    try:
        with open(path) as file:  # noqa: PTH123
            return file.read().splitlines()
    except OSError:
        return []


if __name__ == "__main__":
    sys.exit(main())
