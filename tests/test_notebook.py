"""docs/study.ipynb runs from top to bottom, and shows what it says."""

import json
import subprocess
import sys
from pathlib import Path

NOTEBOOK = Path(__file__).parents[1] / "docs" / "study.ipynb"
# What a kernel does with a cell: runs it in one namespace, and shows its last expression. Said as JSON, a line a cell.
KERNEL = """
import ast, json, sys, matplotlib
matplotlib.use("Agg")
names, out = {"__name__": "__main__"}, sys.stdout
for source in json.load(sys.stdin):
    tree = ast.parse(source)
    last = ast.Expression(tree.body.pop().value) if isinstance(tree.body[-1], ast.Expr) and not source.rstrip().endswith(";") else None
    exec(compile(tree, "cell", "exec"), names)
    value = eval(compile(last, "cell", "eval"), names) if last else None
    html = getattr(value, "_repr_html_", lambda: None)()
    print("CELL", json.dumps([repr(value) if value is not None else None, html]), file=out, flush=True)
assert "torch" not in sys.modules
"""


def test_notebook_runs(tmp_path):
    """Every cell, in a process without torch; the run shows itself as HTML with each row, the second one with the row that was added."""
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    assert not [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")]  # which no test would keep true
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    done = subprocess.run(
        [sys.executable, "-c", KERNEL], cwd=tmp_path, input=json.dumps(sources), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    shown = [json.loads(line.removeprefix("CELL ")) for line in done.stdout.splitlines() if line.startswith("CELL ")]
    assert len(shown) == len(sources)
    runs = [html for text, html in shown if text and text.startswith("<run study")]
    assert len(runs) == 2 and all(f">{name}</td>" in html for name in ("pca", "frame-difference", "frame-index") for html in runs)
    assert ">brightness</td>" in runs[1] and ">brightness</td>" not in runs[0]
    assert "3 of 4 cells are done already" in done.stderr
    assert any(text and text.startswith("<auc 0.") and "median17" in text for text, _ in shown)
    assert "Protocol minmax: min-max in each clip" in " ".join(done.stdout.split())
