"""The runs that are committed: their tables follow from their scores, and their words from their
tables."""

import re
import shutil
from pathlib import Path

import pytest

from bench.plugins.registry import load
from bench.reporting.report_writer import write_tables
from bench.runs.folder import Run
from bench.tables.forms.text import to_text
from bench.tables.kinds import KINDS, open_source

RESULTS = Path(__file__).parents[2] / "results"
WHOLE = [RESULTS / name for name in ("ped2-small", "ped2-medium", "ped2-large")]
COMMITTED = [*WHOLE, RESULTS / "partial-small"]


@pytest.fixture(params=COMMITTED, ids=lambda path: path.name)
def evidence(request):
    """The folder of one run."""
    return request.param


def test_tables_are_made_again_byte_for_byte(evidence, tmp_path):
    """From the stored scores alone, without the dataset."""
    copy = tmp_path / evidence.name
    shutil.copytree(evidence, copy)
    shutil.rmtree(copy / "tables")
    run = Run.open(copy)
    write_tables(run, load())
    kept = {path.name: path.read_bytes() for path in (evidence / "tables").iterdir()}
    made = {path.name: path.read_bytes() for path in (copy / "tables").iterdir()}
    assert sorted(kept) == sorted(made)
    for name, content in kept.items():
        assert made[name] == content, name


def test_what_is_committed_is_small_and_tells_no_machine(evidence):
    """Under 20 MB; no weights, frames or kept images; no path of a machine in any text."""
    files = [path for path in evidence.rglob("*") if path.is_file() and "scratch" not in path.parts]
    assert sum(path.stat().st_size for path in files) < 20e6
    assert not [
        path.name
        for path in files
        if path.suffix in (".jpg", ".png", ".pt", ".safetensors") or path.name == "weights"
    ]
    for path in files:
        if path.suffix in (".json", ".csv", ".txt", ".md", ".tex") and path.name != "log.txt":
            assert not re.search(r"(?<![\w.])/(home|root|work|tmp|Users|mnt)/", path.read_text()), (
                path
            )


def test_the_words_quote_the_table(evidence):
    """The README of the run shows its comparison as it stands in tables/."""
    text = (evidence / "README.md").read_text()
    for name in re.findall(r"<!-- (\w+\.txt) -->", text):
        shown = re.search(rf"<!-- {re.escape(name)} -->\n```\n(.*?)```", text, re.DOTALL)
        assert shown is not None
        assert shown[1] == (evidence / "tables" / name).read_text(), name
    assert "<!-- comparison.txt -->" in text


@pytest.mark.parametrize("evidence", WHOLE, ids=lambda path: path.name)
def test_the_words_show_what_papers_print(evidence):
    """Published, measured and difference, as `bench report` makes them from the run. Beside a part
    of a dataset nothing published can stand.
    """
    text = (evidence / "README.md").read_text()
    shown = re.search(r"<!-- head of published-columns -->\n```\n(.*?)```", text, re.DOTALL)
    assert shown is not None
    run, registry = Run.open(evidence), load()
    source = open_source(
        run, registry, registry.protocols[run.manifest.protocol], registry.metrics["auc"]
    )
    (table,) = KINDS["published-columns"].make(source)
    assert to_text(table).startswith(shown[1])
