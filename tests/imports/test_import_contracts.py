"""The import contracts catch what they are there for. Runs in the tox environment `imports`, where
the wheel is installed."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFIG = Path(__file__).parents[2] / ".importlinter"
spec = importlib.util.find_spec("bench")
INSTALLED = Path(spec.origin).parent if spec is not None and spec.origin else Path()

pytestmark = pytest.mark.skipif(
    not (INSTALLED / "methods").is_dir(),
    reason="needs an installed wheel (tox -e imports): only there is bench.methods a folder of bench",
)

VIOLATIONS = {
    "scoring/planted.py": ("from bench.planning import plan\n", "Arrows point down"),
    "methods/planted.py": ("from bench.planning import plan\n", "Methods import the public door"),
    "running/planted.py": ("from ..methods import networks\n", "The harness knows no method"),
    "reporting/planted.py": ("import torch\n", "needs no torch"),
}


def lint(folder):
    return subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--config", str(CONFIG), "--no-cache"],
        cwd=folder, capture_output=True, text=True, env={"PYTHONPATH": str(folder), "PATH": ""},
    )  # fmt: skip


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """A copy of the installed package, which keeps every contract."""
    folder = tmp_path_factory.mktemp("clean")
    shutil.copytree(INSTALLED, folder / "bench")
    done = lint(folder)
    assert done.returncode == 0, done.stdout
    return folder


@pytest.mark.parametrize("place", VIOLATIONS)
def test_planted_violation_is_caught(clean, place):
    """A forbidden import breaks its contract."""
    source, contract = VIOLATIONS[place]
    planted = clean / "bench" / place
    planted.write_text(source)
    try:
        broken = lint(clean)
    finally:
        planted.unlink()
    assert broken.returncode != 0
    assert any(contract in line and "BROKEN" in line for line in broken.stdout.splitlines()), (
        broken.stdout
    )
