"""Frame store, scores to numbers, start-up, growth, memory, and workers."""

from __future__ import annotations

import json
import math
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bench.contracts.clip import Clip, ImageFiles
from bench.contracts.compute import Compute
from bench.contracts.dataset import Dataset
from bench.contracts.method import FrameFormat
from bench.contracts.protocol import Protocol
from bench.frames.conversion import resize
from bench.frames.store import open_frames, prepare_frames
from bench.scoring.evaluate import ClipScores, evaluate
from bench.scoring.metrics import METRICS

from . import plain
from .measure import Report, alternate

GRAY = FrameFormat((256, 256), 1)


class _Images(Dataset):
    """Made clips of JPEG files of 360x240, as those of Ped2."""

    name = "images"

    def __init__(self, folder: Path, lengths: list[int]) -> None:
        self.root = folder
        self._clips = []
        generator = np.random.default_rng(0)
        image = cv2.GaussianBlur(generator.integers(0, 256, (240, 360), dtype=np.uint8), (7, 7), 0)
        for number, length in enumerate(lengths):
            paths = [folder / f"{number:02d}-{frame:05d}.jpg" for frame in range(length)]
            for frame, path in enumerate(paths):
                cv2.imwrite(str(path), np.roll(image, frame, axis=1))
            self._clips.append(Clip(f"{number:02d}", "test", ImageFiles(tuple(paths)), length))

    def clips(self, split: str) -> list[Clip]:
        return self._clips if split == "test" else []


def _quiet(done: int, total: int, what: str) -> None:
    """Report no progress."""


def frame_store(report: Report, quick: bool) -> None:
    """Compare windows read from the frame store with windows decoded from their files, and see
    preparing grow with the clips.
    """
    report.section("frame store: gray windows of 16 frames at 256x256 of JPEG files of 360x240")
    counts = [30, 60] if quick else [60, 120, 240]
    with tempfile.TemporaryDirectory() as folder:
        cache, os.environ["BENCH_CACHE"] = os.environ.get("BENCH_CACHE"), str(Path(folder, "cache"))
        growth = []
        for number, count in enumerate(counts):
            place = Path(folder, str(number))
            place.mkdir()
            dataset = _Images(place, [30] * (count // 30))
            began = time.perf_counter()
            prepare_frames(dataset, dataset.clips("test"), [GRAY], _quiet)
            growth.append((count, time.perf_counter() - began))
        # Processor time: all cores prepare.
        files = [file for clip in dataset.clips("test") for file in clip.source.paths]
        began = time.process_time()
        for file in files:
            resize(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE), GRAY.size)
        decoded = time.process_time() - began
        shutil.rmtree(os.environ["BENCH_CACHE"])
        began = time.process_time()
        prepare_frames(dataset, dataset.clips("test"), [GRAY], _quiet)
        prepared = time.process_time() - began
        frames = open_frames(dataset, dataset.clips("test")[0], GRAY)
        source = dataset.clips("test")[0].source
        assert isinstance(source, ImageFiles)
        starts = range(0, 14, 2)
        seconds = alternate(
            {
                "plain": lambda: list(plain.plain_windows(source.paths, 16, 256, starts)),
                "frame store": lambda: [np.array(frames[start : start + 16]) for start in starts],
            },
            5,
        )
    del os.environ["BENCH_CACHE"]
    if cache is not None:
        os.environ["BENCH_CACHE"] = cache
    for name, value in seconds.items():
        report.figure(f"{name}, windows a second", len(starts) / value, "", "more")
    report.goal(
        "reading windows from the frame store", seconds["plain"] / seconds["frame store"], 40
    )
    report.say(
        "preparing: seconds a frame, by clips of 30 frames",
        _per(growth, lambda count: f"{count // 30} clips"),
    )
    report.goal("preparing, over decoding alone", prepared / decoded, 1.2, "x", least=False)
    report.limit("preparing", decoded / prepared, "one decoder")


def _per(growth: list[tuple[int, float]], name: Callable[[int], str]) -> str:
    return "; ".join(f"{name(count)}: {taken / count * 1e3:.2f} ms" for count, taken in growth)


def numbers(report: Report) -> None:
    """Compare the number of a run with a plain loop over scikit-learn."""
    report.section(
        "from scores to the AUC: 12 clips of 1000 frames, median over 17 frames, min-max in each clip"
    )
    generator = np.random.default_rng(0)
    scores = [generator.random(1000) for _ in range(12)]
    labels = [(generator.random(1000) < 0.3).astype(np.uint8) for _ in range(12)]
    clips = [
        ClipScores(str(number), "", one, np.arange(1000), two)
        for number, (one, two) in enumerate(zip(scores, labels))
    ]
    auc = next(metric for metric in METRICS if metric.name == "auc")
    protocol = Protocol("median17", smooth="median", normalise="clip")
    difference = abs(plain.plain_auc(scores, labels) - (evaluate(clips, protocol, auc).value or 0))
    everything = np.concatenate(scores)

    def fresh() -> list[ClipScores]:
        return [replace(clip) for clip in clips]  # so that nothing is remembered

    seconds = alternate(
        {
            "plain": lambda: plain.plain_auc(scores, labels),
            "bench": lambda: evaluate(fresh(), protocol, auc),
            "one sort": lambda: np.argsort(everything),
        },
        7,
    )
    report.figure("bench against the plain loop", seconds["plain"] / seconds["bench"], "x", "more")
    report.say("by how much the numbers differ", f"{difference:.1e}")
    report.limit("the AUC", seconds["one sort"] / seconds["bench"], "one sort of the scores")


def start_up(report: Report, repeats: int) -> None:
    """Time commands that need no network, in processes of their own."""
    report.section("start-up, on a warm disk")
    commands = {"bench --help": ["--help"], "bench list methods": ["list", "methods"]}
    seconds = alternate(
        {
            name: lambda arguments=arguments: _bench(arguments)
            for name, arguments in commands.items()
        },
        repeats,
    )  # type: ignore[misc]
    report.goal("bench --help", seconds["bench --help"], 0.25, " s", least=False)
    report.goal("bench list methods", seconds["bench list methods"], 1, " s", least=False)
    with tempfile.TemporaryDirectory() as folder:
        run = str(Path(folder, "run"))
        _bench(["run", "--methods", "constant", "--datasets", "demo", "--out", run])
        for command in ("score", "status"):
            lines = _bench([command, run], "-X", "importtime").stderr.splitlines()
            found = any(line.rsplit("|", 1)[-1].strip() == "torch" for line in lines)
            report.say(f"bench {command} imports torch", "yes: MISSED" if found else "no: reached")


def runs(report: Report, before: str, repeats: int) -> None:
    """Compare whole commands with those of an earlier version, whose Python is given."""
    report.section("whole runs on demo data against an earlier version, with a warm cache")
    before = str(Path(before).absolute()) if os.sep in before else before
    for python in (before, sys.executable):
        report.say(python, _bench(["--version"], python=python, place="/").stdout.splitlines()[0])
    lines = {
        "15 cells without a network": [
            "constant,frame-index,frame-difference,pca,optical-flow",
            "demo",
        ],
        "two networks": ["ae-3d,unet", "demo-ped2"],
    }
    for name, (methods, datasets) in lines.items():
        with tempfile.TemporaryDirectory() as folder:
            arguments = [
                "run",
                "--methods",
                methods,
                "--datasets",
                datasets,
                "--profile",
                "smoke",
                "--threads",
                "1",
                "--workers",
                "1",
            ]

            def once(python: str, arguments: list[str] = arguments, folder: str = folder) -> None:
                cache = str(Path(folder, "now" if python == sys.executable else "before"))
                _bench([*arguments, "--new"], python=python, place=folder, BENCH_CACHE=cache)

            seconds = alternate(
                {
                    python: lambda python=python, once=once: once(python)
                    for python in (before, sys.executable)
                },
                repeats,
            )  # type: ignore[misc]
        report.figure(f"{name}, seconds", seconds[sys.executable], " s")
        report.goal(f"{name}, against before", seconds[before] / seconds[sys.executable], 1.0)


def _bench(
    arguments: list[str],
    *options: str,
    python: str = sys.executable,
    place: str | None = None,
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    command = [python, *options, "-m", "bench", *arguments]
    # An earlier version would import this one from there.
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name != "PYTHONPATH" or python == sys.executable
    }
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        cwd=place,
        env={**inherited, **environment},
    )


SCORE_LONG = """
import resource, sys, tempfile, time
from pathlib import Path
import numpy as np, torch
from bench import OpenClip
from bench.methods.c3dsu import C3DSUParameters, PlainC3DSU
from bench.contracts.compute import Compute
from bench.engine.context import make_context
from bench.engine.inference import infer
torch.set_num_threads(1)
torch.manual_seed(0)
method = PlainC3DSU(C3DSUParameters(latent=8, size=32, channels=1))
method.network = method.build().eval()
for length in (200, int(sys.argv[1])):
    with tempfile.TemporaryDirectory() as folder:
        with Path(folder, "clip.npy").open("wb") as file:
            np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (length, 32, 32)})
            for number in range(length):
                file.write(bytes([number % 251]) * 1024)
        mapped = np.load(Path(folder, "clip.npy"), mmap_mode="r")
        began = time.perf_counter()
        infer(method, OpenClip("01", "test", length, "made", opener=lambda: mapped), make_context(0, Compute("cpu"), Path(folder)))
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, time.perf_counter() - began)
"""


def long_clips(report: Report, quick: bool) -> None:
    """Compare the peak memory and the seconds of scoring clips of ever more frames, each in a
    process of its own.
    """
    report.section("long clips: C3DSU latent 8, 32x32, frames mapped from a file")
    lengths = [1_000, 5_000] if quick else [1_000, 10_000, 100_000]
    peaks, growth = [], []
    for length in lengths:
        output = subprocess.run(
            [sys.executable, "-c", SCORE_LONG, str(length)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        peak, taken = map(float, output.splitlines()[-1].split())
        peaks.append(peak)
        growth.append((length, taken))
        report.say(
            f"{length} frames", f"peak memory {peak:.0f} MB, {taken / length * 1e3:.3f} ms a frame"
        )
    if not quick:
        report.goal(
            "peak memory of 100,000 frames over that of 1,000",
            peaks[-1] / peaks[0],
            1.1,
            "x",
            least=False,
        )


def resolutions(report: Report) -> None:
    """Say how scoring grows with resolution and with the number of clips."""
    from bench.methods.c3dsu import C3DSUParameters, PlainC3DSU

    from bench import OpenClip
    from bench.engine.context import make_context
    from bench.engine.inference import infer

    report.section("growth of scoring, C3DSU latent 16, fp32")
    growth = []
    for size in (64, 128, 256):
        method = PlainC3DSU(C3DSUParameters(latent=16, size=size))
        method.network = method.build().eval()
        frames = np.random.default_rng(0).integers(0, 256, (26, size, size, 3), dtype=np.uint8)
        context = make_context(0, Compute("cpu"), Path(tempfile.gettempdir()))

        def score(
            clips: int, method: Any = method, frames: Any = frames, context: Any = context
        ) -> None:
            for number in range(clips):
                infer(
                    method,
                    OpenClip(str(number), "test", len(frames), "made", opener=lambda: frames),
                    context,
                )

        growth.append((size, alternate({"": lambda: score(1)}, 3)[""] / 24))
    report.say(
        "by resolution, microseconds a pixel",
        "; ".join(f"{size}x{size}: {taken / size**2 * 1e6:.3f}" for size, taken in growth),
    )
    seconds = alternate({str(count): lambda count=count: score(count) for count in (1, 2, 4)}, 3)  # type: ignore[misc]
    report.say(
        "by number of clips, seconds a clip",
        "; ".join(f"{count}: {taken / int(count):.2f}" for count, taken in seconds.items()),
    )


def workers(report: Report, seconds: float) -> None:
    """Compare one worker with two on the same four cells of so many seconds, and say what a cell
    costs beside its own work.
    """
    report.section("workers: four cells of one network on demo-ped2, by bench run")
    walls: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["run", "--datasets", "demo-ped2", "--profile", "smoke", "--methods"]
        probe = Path(folder, "probe")
        _bench(
            [*arguments, "c3dsu-plain[epochs=10]", "--threads", "1", "--out", str(probe)],
            BENCH_CACHE=folder,
        )
        (cell,) = [json.loads(path.read_text()) for path in probe.rglob("cell.json")]
        epochs = max(10, math.ceil(10 * seconds / cell["seconds"]["fit"]))
        arguments += [f"c3dsu-plain[epochs={epochs}]", "--seeds", "0-3"]
        for count, threads in ((1, 1), (2, 1), (1, 2)):
            name = f"{count} worker{'s' * (count > 1)} of {threads} thread{'s' * (threads > 1)}"
            run = Path(folder, f"{count}-{threads}")
            line = [
                *arguments,
                "--workers",
                str(count),
                "--threads",
                str(threads),
                "--out",
                str(run),
            ]
            began = time.perf_counter()
            _bench(line, BENCH_CACHE=folder)
            walls[name] = time.perf_counter() - began
            cells = [
                json.loads(path.read_text())["seconds"] for path in sorted(run.rglob("cell.json"))
            ]
            totals = ", ".join(format(cell["total"], ".1f") for cell in cells)
            report.say(f"{name}: cells of {totals} s", f"{walls[name]:.1f} s")
            if (count, threads) == (1, 1):
                work = sum(cell["fit"] + cell["score"] for cell in cells)
                report.say(
                    "of that beside fitting and scoring: start, imports, tables",
                    f"{walls[name] - work:.1f} s",
                )
    one, two, threaded = walls.values()
    report.goal("two workers of one thread against one of one", one / two, 1.8)
    report.goal("two workers of one thread against one of two", threaded / two, 1.0)
    report.say("command", shlex.join(["bench", *arguments]))


DEFAULT_SPIN = "300000"
"""Rounds that GNU's OpenMP spins where nothing is set."""


def beside_other_work(report: Report, repeats: int) -> None:
    """Compare a run of two networks on an idle machine with the same run beside one other process
    of one thread.
    """
    report.section("a busy machine: ae-conv2d and c3dsu on demo-ped2, all cores, by bench run")
    with tempfile.TemporaryDirectory() as folder:
        line = ["run", "--methods", "ae-conv2d,c3dsu", "--datasets", "demo-ped2", "--new"]

        def once(**environment: str) -> None:
            _bench(line, place=folder, BENCH_CACHE=str(Path(folder, "cache")), **environment)

        def busy() -> None:
            other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            try:
                once()
            finally:
                other.kill()
                other.wait()

        default = {"GOMP_SPINCOUNT": DEFAULT_SPIN, "KMP_BLOCKTIME": "200"}
        seconds = alternate(
            {
                "idle": once,
                "beside one busy process": busy,
                "idle, default spin": lambda: once(**default),
            },
            repeats,
        )
    for name, value in seconds.items():
        report.figure(name, value, " s")
    report.goal(
        "beside one busy process, over idle",
        seconds["beside one busy process"] / seconds["idle"],
        2.5,
        least=False,
    )
    report.goal(
        "idle, over idle with the default spin",
        seconds["idle"] / seconds["idle, default spin"],
        1.03,
        least=False,
    )
