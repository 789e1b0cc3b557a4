"""Commands that need no network start without torch."""

import subprocess
import sys

import pytest
from made_run import done, make_run


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
        make_run(run, [done("pca", 0.2), done("memae", 0.5)])
    code = (
        "import sys\n"
        "from bench.cli import main\n"
        "sys.argv = ['bench', *sys.argv[1:]]\n"
        "try:\n    main()\n"
        "finally:\n    print({'torch', 'distributed', 'submitit'} & set(sys.modules), file=sys.stderr)\n"
    )
    arguments = [str(run) if part == "RUN" else part for part in line]
    ended = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.splitlines()[-1] == "set()"
