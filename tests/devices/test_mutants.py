"""Planted device bugs are noticed."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from mutants import MUTANTS


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.title)
def test_a_planted_bug_has_its_place(mutant):
    """The line that it changes is there: else it plants nothing."""
    source = Path(importlib.util.find_spec(mutant.module).origin).read_text()
    assert source.count(mutant.old) == 1


@pytest.mark.long
def test_every_planted_bug_is_noticed():
    script = Path(__file__).with_name("mutants.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=3600)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
