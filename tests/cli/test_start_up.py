"""Commands that need no network start without torch."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EVIDENCE = Path(__file__).parents[2] / "results" / "ped2-small"


@pytest.mark.parametrize(
    "line",
    [
        ["--help"],
        ["list", "methods"],
        ["status", "RUN"],
        ["score", "RUN"],
        ["run", "--help"],
        ["list", "executors"],
    ],
    ids=lambda line: line[0] + line[-1],
)
def test_torch_is_not_imported(tmp_path, line):
    """Help, lists, how far a run is, and its tables under another protocol: none of them pays for
    torch, or for what executors need."""
    run = tmp_path / "run"
    if "RUN" in line:
        shutil.copytree(EVIDENCE, run)
    code = (
        "import sys\n"
        "from bench.cli import main\n"
        "sys.argv = ['bench', *sys.argv[1:]]\n"
        "try:\n    main()\n"
        "finally:\n    print({'torch', 'distributed', 'submitit'} & set(sys.modules), file=sys.stderr)\n"
    )
    arguments = [str(run) if part == "RUN" else part for part in line]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "set()"
