"""Planted device bugs are noticed."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.long
def test_every_planted_bug_is_noticed():
    script = Path(__file__).with_name("mutants.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=3600)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
