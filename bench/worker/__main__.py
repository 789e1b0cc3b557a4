"""Does the one task that stands on the first line of stdin: `python -m bench.worker`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from bench.plugins.registry import load
from bench.worker.process import run_task

task = json.loads(sys.stdin.readline())
load([Path(file) for file in task["plugins"]])
if task["torch"]:
    import torch  # noqa: F401
sys.exit(run_task(task, alive=sys.stdin.fileno()))
