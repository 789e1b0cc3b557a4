"""The tables in papers of others: plain documents, without our margins."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from made_run import write_kinds

from bench.plugins.registry import load
from bench.runs.folder import Run
from bench.tables.forms.latex import to_latex
from bench.tables.kinds import open_source
from bench.tables.table import Row, Table, TableCell

EVIDENCE = Path(__file__).parents[2] / "results" / "ped2-small"
KINDS = ("comparison", "published-rows", "published-columns", "ablation", "ddl-table1")
needs_latex = pytest.mark.skipif(
    shutil.which("pdflatex") is None and os.environ.get("CI") != "true",
    reason="pdflatex is not installed",
)


def demo_like(rows=11, footnotes=10, notes=()):
    """As the demo's comparison: three datasets, a family or two, footnotes of a sentence."""
    letters = "abcdefghijklmnopqrstuvwxyz"[:footnotes]
    entry = TableCell(91.47, notes=tuple(letters[:4]), tied=True)
    lines = [
        Row(f"ae-conv3d-{row}", f"family {row // 4}", 2017, (entry,) * 3) for row in range(rows)
    ]
    texts = [
        (
            letter,
            "the score is the error of the last frame of a window, not one value a window as in public code",
        )
        for letter in letters
    ]
    return Table(
        ["demo-ped2", "demo-avenue", "demo-shanghaitech"],
        lines,
        "A caption of some length. " * 12,
        texts,
        list(notes),
    )


def typeset(folder, options, names):
    """Return the log of a document of the class article that has nothing but what docs/report.md
    names."""
    body = "\n\nText.\n\n".join(rf"\input{{{name}}}" for name in names)
    text = rf"\documentclass[{options}]{{article}}\usepackage{{booktabs,graphicx}}\begin{{document}}{body}\end{{document}}"
    (folder / "paper.tex").write_text(text)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper"]
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100)
    assert found.returncode == 0, found.stdout[-2000:]
    return (folder / "paper.log").read_text(errors="replace")


@needs_latex
@pytest.mark.parametrize("options", ["10pt,letterpaper", "10pt,letterpaper,twocolumn"])
def test_tables_fit_on_a_page_of_a_plain_article(tmp_path, options):
    """Of a real run, of one like the demo, and of one far too high: no float is larger than a page,
    none wider than the text."""
    registry = load()
    source = open_source(
        Run.open(EVIDENCE), registry, registry.protocols["median17"], registry.metrics["auc"]
    )
    _, missing = write_kinds(source, KINDS, tmp_path)
    assert missing == []
    (tmp_path / "demo.tex").write_text(to_latex(demo_like(notes=["demo-ped2: 4 test clips"] * 11)))
    (tmp_path / "high.tex").write_text(to_latex(demo_like(90, 26)))
    shutil.copytree(tmp_path / "tables", tmp_path, dirs_exist_ok=True)
    log = typeset(tmp_path, options, [*KINDS, "demo", "high"])
    assert "Float too large" not in log
    assert not re.findall(r"Overfull \\hbox \((?:[1-9]\d+)\.\d+pt too wide\)", log)


def test_notes_follow_the_float():
    """Footnotes stand in it, notes behind it, and nothing is behind it where there are none."""
    text = to_latex(demo_like(notes=["demo-ped2: 4 test clips", "demo-avenue: 100% of it"]))
    float_, rest = text.split(r"\end{table*}")
    assert "error of the last frame" in float_ and "4 test clips" not in float_
    assert (
        "demo-ped2: 4 test clips.\n" in rest
        and r"demo-avenue: 100\% of it." in rest
        and rest.count(r"\benchnotes{%") == 1
    )
    assert to_latex(demo_like()).endswith("\\end{table*}\n")


@needs_latex
def test_notes_can_stand_elsewhere(tmp_path):
    """As docs/report.md says: they are kept, and printed where the document wants them."""
    (tmp_path / "demo.tex").write_text(to_latex(demo_like(notes=["told elsewhere"])))
    (tmp_path / "before.tex").write_text(r"\def\benchnotes#1{\gdef\datanotes{#1}}")
    (tmp_path / "after.tex").write_text(r"\typeout{kept: \datanotes}")
    assert "kept: told elsewhere" in typeset(tmp_path, "10pt", ["before", "demo", "after"])
