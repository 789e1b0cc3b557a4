"""Bad input against every reader: it is refused with a text that names the file, or read rightly
(`tox -e fuzz`).

BENCH_FUZZ_SEED chooses other inputs, BENCH_FUZZ_COUNT fewer of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from bench import BenchError

pytest.importorskip("resource")
HERE = Path(__file__).parent
SEED = int(os.environ.get("BENCH_FUZZ_SEED", "0"))
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE.parent)}
COUNTS = {"video": 1000, "containers": 1000}
FEW = 60
"""Inputs of a reader in the default suite."""
NAMES = (
    "m", "csv", "own-csv", "own-npz", "mat", "mat73", "npy", "npz", "image", "video", "containers", "boxes", "scores", "scores-npy", "scores-csv", "scores-mat", "collection", "regions", "tracks", "cell.json", "run.json", "dataset.json", "dataset.npz", "run-scores",
    "selection", "plugin",
)  # fmt: skip


@pytest.mark.parametrize("reader", ["scores-npy", "scores-csv", "scores-mat", "collection"])
def test_some_files_of_scores(reader, tmp_path):
    """A few of the inputs, here, without limits of time and memory: refused with the file's name,
    or read rightly."""
    from readers import READERS

    made = READERS[reader]
    path = tmp_path / made.file
    done = {"read": 0, "refused": 0}
    for number in range(FEW):
        path.write_bytes(made.make(Random(f"{reader}/{number}")))
        try:
            made.read(path)
            done["read"] += 1
        except BenchError as error:
            assert not made.named or path.name in str(error), str(error)
            done["refused"] += 1
    assert min(done.values()) >= FEW // 20, done


@pytest.mark.long
@pytest.mark.parametrize("reader", NAMES)
def test_reader_refuses_or_reads_rightly(reader, tmp_path):
    """No input ends in a traceback, a crash, a hang, more than 1 GiB, or a file elsewhere."""
    total = int(os.environ.get("BENCH_FUZZ_COUNT", "10000"))
    total = min(total, COUNTS.get(reader, total))
    done, counts, defects = 0, {"read": 0, "refused": 0, "defects": 0}, {}
    while done < total:
        command = [
            sys.executable,
            str(HERE / "child.py"),
            reader,
            str(SEED),
            str(done),
            str(total - done),
            str(tmp_path),
        ]
        child = subprocess.run(
            command, capture_output=True, text=True, timeout=3600, env=ENVIRONMENT
        )
        if child.returncode == 0:
            result = json.loads(child.stdout.splitlines()[-1])
            counts = {key: counts[key] + result["counts"].get(key, 0) for key in counts}
            defects |= {f"{kind} (from {done})": found for kind, found in result["defects"].items()}
            break
        # It crashed or hung, and the next child begins behind that input.
        last, *so_far = (
            map(int, (tmp_path / "current").read_text().split())
            if (tmp_path / "current").exists()
            else (-1,)
        )
        assert last >= done, child.stderr[-3000:]
        counts = {key: counts[key] + more for key, more in zip(counts, so_far)}
        counts["defects"] += 1
        defects[f"crash or hang at {last}, exit code {child.returncode}"] = [
            1,
            last,
            child.stderr[-3000:],
        ]
        done = last + 1
    print(
        f"\n{reader}: {total} inputs, seed {SEED}: {counts['read']} read, {counts['refused']} refused, {counts['defects']} defects"
    )
    for kind, (times, number, text) in defects.items():
        print(
            f"  {times} x {kind}, first input {number}\n    " + text.strip().replace("\n", "\n    ")
        )
    assert not defects
