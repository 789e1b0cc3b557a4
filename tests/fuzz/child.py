"""Feeds inputs to one reader, in a process of its own with limits: `child.py READER SEED FIRST
COUNT FOLDER`.

Before each input its number and the counts so far are written to FOLDER/current, and the input
itself stands in FOLDER, so that whoever started this process knows which one ended it. At the end
the counts are printed as JSON.
"""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import sys
import traceback
import warnings
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

LIMIT = 1 << 30
"""Bytes that reading may take beyond what the process had before."""
HANG = 20.0
"""Seconds after which one input counts as a hang. Chosen here: the slowest good input takes well
under a second."""
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Escaped(Exception):
    """Something was written, run or unpickled that no input may cause."""


def watch(allowed: list[Path]) -> list[str]:
    """Refuse and record what leads out of the folders `allowed`: files written, processes started,
    pickles loaded."""
    found: list[str] = []
    roots = tuple(f"{path.resolve()}/" for path in allowed)

    def inside(path: Any) -> bool:
        if isinstance(path, int) or path is None:
            return True
        text = os.path.realpath(os.fsdecode(path))
        return text.startswith(roots) or f"{text}/" in roots or text == os.devnull

    def hook(event: str, arguments: tuple) -> None:
        bad = False
        if event == "open":
            path, _, flags = arguments
            bad = bool((flags or 0) & WRITES) and not inside(path)
        elif event in (
            "os.rename",
            "os.mkdir",
            "os.remove",
            "os.rmdir",
            "os.truncate",
            "os.symlink",
            "os.link",
            "os.chmod",
            "os.utime",
        ):
            bad = not inside(arguments[0]) or (event == "os.rename" and not inside(arguments[1]))
        elif event == "pickle.find_class":
            # What the modules here unpickle themselves is none of an input's doing.
            bad = arguments[0] in ("posix", "os", "subprocess", "builtins", "nt")
        elif event in (
            "subprocess.Popen",
            "os.system",
            "os.exec",
            "os.posix_spawn",
            "socket.connect",
        ):
            bad = "bench.files.matlab" not in str(arguments)
        if bad:
            found.append(f"{event}{arguments!r}"[:300])
            raise Escaped(found[-1])

    sys.addaudithook(hook)
    return found


def inputs(reader: Any, seed: int, first: int, count: int) -> Any:
    """Yield (number, content): the same for the same seed, wherever one begins."""
    drawn: list[bytes] = []
    if reader.generated is not None:
        import hypothesis

        total = (first + count + 1) // 2

        @hypothesis.seed(seed)
        @hypothesis.settings(
            max_examples=total,
            database=None,
            deadline=None,
            suppress_health_check=list(hypothesis.HealthCheck),
            phases=[hypothesis.Phase.generate],
        )
        @hypothesis.given(reader.generated)
        def collect(content: bytes) -> None:
            drawn.append(content)

        collect()
    for number in range(first, first + count):
        half = number // 2
        if drawn and number % 2 and half < len(drawn):
            yield number, drawn[half]
        else:
            yield number, reader.make(Random(f"{seed}/{reader.name}/{number}"))


def place_of(error: BaseException) -> str:
    """Return the kind of an exception and the last line of this project's code that it passed."""
    import bench

    project = (
        str(Path(bench.__file__).parent),
        str(Path(bench.__file__).parents[1] / "methods"),
        str(Path(bench.__file__).parents[1] / "datasets"),
    )
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename.startswith(project)
    ]
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "outside"
    return f"{type(error).__name__} at {where}"


def main() -> None:
    name, seed, first, count, place = (
        sys.argv[1],
        int(sys.argv[2]),
        int(sys.argv[3]),
        int(sys.argv[4]),
        Path(sys.argv[5]),
    )
    os.environ |= {"BENCH_CACHE": str(place / "cache"), "MPLCONFIGDIR": str(place / "matplotlib")}
    from readers import READERS, registered

    from bench import BenchError
    from bench.files import matlab

    reader = READERS[name]
    registered()
    if reader.file.startswith("run/"):
        import matplotlib.font_manager  # noqa: F401  # which asks the system for its fonts, once
    matlab.TIME_LIMIT = HANG / 4
    path = place / reader.file
    path.parent.mkdir(parents=True, exist_ok=True)
    current = os.open(place / "current", os.O_WRONLY | os.O_CREAT, 0o644)
    os.chdir(place)
    # Chosen inputs are made before the limits hold: making them may take what reading may not.
    chosen = list(inputs(reader, seed, first, count))
    escaped = watch([place, Path(os.environ.get("TMPDIR", "/tmp")) / f"fuzz-{os.getpid()}"])
    used = (
        int(
            next(
                line
                for line in Path("/proc/self/status").read_text().splitlines()
                if line.startswith("VmData")
            ).split()[1]
        )
        * 1024
    )
    resource.setrlimit(resource.RLIMIT_DATA, (used + LIMIT, used + LIMIT))
    warnings.simplefilter("ignore")
    said = sys.stdout
    sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115
    counts: Counter[str] = Counter()
    defects: dict[str, list] = {}

    def report(kind: str, number: int, content: bytes, text: str) -> None:
        counts["defects"] += 1
        times = defects.setdefault(kind, [0, number, text[:3000]])
        times[0] += 1
        if times[0] == 1:
            (place / "defects").mkdir(exist_ok=True)
            (place / "defects" / f"{number}-{path.name}").write_bytes(content)

    for number, content in chosen:
        os.pwrite(
            current,
            f"{number:9d}{counts['read']:9d}{counts['refused']:9d}{counts['defects']:9d}".encode(),
            0,
        )
        path.write_bytes(content)
        escaped.clear()
        faulthandler.dump_traceback_later(HANG, exit=True)
        try:
            reader.read(path)
            counts["read"] += 1
        except BenchError as error:
            counts["refused"] += 1
            if (
                reader.named
                and path.name not in str(error)
                and str(place / "run") not in str(error)
            ):
                report(f"no file named: {place_of(error)}", number, content, str(error))
        except Exception as error:
            report(place_of(error), number, content, traceback.format_exc())
        faulthandler.cancel_dump_traceback_later()
        if escaped:
            report(f"escaped: {escaped[0][:60]}", number, content, escaped[0])
    said.write(json.dumps({"counts": counts, "defects": defects}) + "\n")
    said.flush()
    os._exit(0)


main()
