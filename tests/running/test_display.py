"""What is shown while a run goes on: a grid on a terminal, plain lines elsewhere."""

import io
import sys
import types
from pathlib import Path

from rich.console import Console

from bench.running.display import Display, make_console
from bench.running.jobs import Job
from bench.runs.records import CellRecord
from bench.worker.progress import Progress


def show(console, title="a on b, seed 0"):
    plan = types.SimpleNamespace(to_run=[object(), object()], workers=1)
    record = CellRecord("cells/a/b/0", "a", "a", "a", "b", "b", 0, status="done")
    cell = types.SimpleNamespace(record=record)
    job = Job(1, title, None, cell, Path(), progress=Progress("epoch", 1, 4))  # type: ignore[arg-type]
    with Display(plan, console) as display:  # type: ignore[arg-type]
        display.started(job)
        display.tick([job], 1)
        if display._live is not None:
            display._live.refresh()
        display.ended(job, record, "")
    return console.file.getvalue()


def test_a_terminal_has_a_grid():
    """With the cell and what it does, before and after it ends; it goes when the run ends."""
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    text = show(console)
    assert (
        "0 of 2 cells" in text and "a on b, seed 0" in text and "epoch" in text and "done" in text
    )


def test_a_narrow_terminal_has_the_time_left_and_no_bar():
    """A wide one has both."""
    texts = {}
    for width in (80, 120):
        console = Console(file=io.StringIO(), force_terminal=True, width=width)
        texts[width] = show(console, title="ae-conv2d on demo-shanghaitech, seed 0")
        assert "left" in texts[width] and "memory" in texts[width] and "…" not in texts[width]
    assert "━" in texts[120] and "━" not in texts[80]


def test_a_pipe_and_a_notebook_have_lines(monkeypatch):
    """No control characters, whatever a kernel's environment says of colours."""
    for kernel in (False, True):
        if kernel:
            monkeypatch.setenv("FORCE_COLOR", "1")  # as ipykernel does
            monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
        text = show(make_console(io.StringIO()))
        assert (
            "start  a on b, seed 0" in text
            and "done   a on b, seed 0" in text
            and "\x1b" not in text
        )
