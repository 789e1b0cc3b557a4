"""`bench report`: what is written, what is said, and what is refused."""

import json
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from forked import bench
from known_answers import COLUMNS, FIRST, KNOWN

from bench.cli.commands.report import command
from bench.errors import RequestError, RunError
from bench.figures.kinds import OF_THE_RUN
from bench.files.checksums import digest_of

EVIDENCE = Path(__file__).parents[2] / "results" / "ped2-small"
NAMES = {"ped2": "Ped2", "avenue": "Avenue", "shanghaitech": "ShanghaiTech"}
METHODS = ("c3dsu", "pca", "frame-index")


@pytest.fixture
def run(tmp_path):
    """A copy of three methods of a finished run, without its tables."""

    def left_out(folder, names):
        return [name for name in names if Path(folder).name == "cells" and name not in METHODS]

    path = Path(shutil.copytree(EVIDENCE, tmp_path / "ped2-small", ignore=left_out))
    shutil.rmtree(path / "tables")
    manifest = json.loads((path / "run.json").read_text())
    manifest["cells"] = [cell for cell in manifest["cells"] if cell["method"] in METHODS]
    (path / "run.json").write_text(json.dumps(manifest))
    return path


def report(*arguments):
    found = CliRunner().invoke(command, list(map(str, arguments)))
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found


def test_one_table_is_printed_and_written(run):
    """In all three forms, and nothing else of the report."""
    found = report(run, "--table", "ddl-table1")
    assert found.exit_code == 0 and "digit by digit as printed" in " ".join(found.output.split())
    names = {path.name for path in (run / "tables").iterdir()}
    assert {
        "ddl-table1.txt",
        "ddl-table1.md",
        "ddl-table1.tex",
        "ddl-table1-notes.tex",
        "notes.tex",
        "numbers.tex",
        "references.bib",
        "all.tex",
    } <= names
    assert "comparison.txt" not in names and not (run / "report.html").exists()
    assert "  AE-Conv2D " in found.output
    assert f"wrote {run / 'tables'}/: " in " ".join(found.output.split())


def test_page_alone(run):
    """--page writes report.html and no table, and says where."""
    found = report(run, "--page")
    assert found.exit_code == 0 and not (run / "tables").exists()
    assert (
        f"next: open {run / 'report.html'} in a browser" in found.output
        and "pdflatex" not in found.output
    )
    assert "92.45" in (run / "report.html").read_text()


def test_page_beside_a_table(run):
    """Both are written where both are asked for; the page links to the table."""
    found = report(run, "--page", "--table", "speed")
    assert found.exit_code == 0 and {path.stem for path in (run / "tables").glob("*.txt")} == {
        "speed"
    }
    text = (run / "report.html").read_text()
    assert 'href="tables/speed.txt"' in text and "tables/comparison" not in text


def test_everything_is_the_default(run, monkeypatch):
    """Tables, page, and the figures that need no data; the page links to the tables, and a real run
    without images takes less than 5 MB. What papers print is shown first."""
    monkeypatch.setenv("COLUMNS", "100")
    printed = report(run).output
    assert printed.index("Ped2 difference") < printed.index("Protocol median17: median over")
    assert re.search(r"C3DSU \+ DDL +98\.46 +95\.13 .* -3\.33 +ddl", printed)
    drawn = {path.name for path in (run / "figures").glob("*.pdf")}
    assert drawn == {name for name in drawn if name.startswith(OF_THE_RUN)} != set()
    text = (run / "report.html").read_text()
    assert (
        'href="tables/protocols.tex"' in text
        and 'href="tables/comparison.md"' in text
        and len(text.encode()) < 5e6
    )


def test_elsewhere_leaves_the_run_alone(run, tmp_path):
    """--out takes all that is written."""
    report(run, "--table", "comparison", "--out", tmp_path / "there")
    assert (tmp_path / "there" / "tables" / "comparison.tex").is_file() and not (
        run / "tables"
    ).exists()


def test_mistakes_come_at_once(run):
    """Unknown tables and metrics, with the nearest names."""
    with pytest.raises(RequestError) as error:
        report(run, "--table", "comparsion", "--table", "nothing", "--metric", "auk")
    first, second, third = error.value.mistakes
    assert first.startswith(
        "no table 'comparsion' - did you mean 'comparison'? (there are comparison, "
    )
    assert (
        second.startswith("no table 'nothing' (there are")
        and third == "no metric 'auk' - did you mean 'auc'? (there are auc, ap, eer)"
    )


def test_mistyped_clip_of_a_video_is_refused_before_anything_is_written(run):
    """Also where tables are asked for beside it."""
    with pytest.raises(RequestError, match="no test clip '1x'"):
        report(run, "--table", "speed", "--video", "1x")
    assert not (run / "tables").exists()


def test_what_was_written_before_an_error_is_part_of_the_report(run, monkeypatch):
    """A figure that cannot be drawn leaves no table that report.json does not know, which
    `bench verify` would take for a changed one."""

    def refuse(*_):
        raise RunError("cannot write figures/roc.pdf: no space left on device")

    monkeypatch.setattr("bench.figures.kinds.write_figures", refuse)
    with pytest.raises(RequestError, match="no space left"):
        report(run, "--table", "speed", "--figure", OF_THE_RUN[0])
    listed = json.loads((run / "report.json").read_text())["files"]
    assert "tables/speed.txt" in listed
    for name, about in listed.items():
        assert about["sha256"] == digest_of(run / name)


def test_several_runs_need_a_place(run):
    """A merged report belongs to none of its runs."""
    with pytest.raises(
        RequestError,
        match="2 runs make one report: choose its folder with --out, e.g. --out results/merged",
    ):
        report(run, run)


def test_no_run_is_refused(tmp_path):
    """A folder without run.json."""
    with pytest.raises(RequestError, match="is not a run: it has no run.json"):
        report(tmp_path)


def test_two_runs_become_one_report(run, tmp_path):
    """A copy under another name has the same cells: each counts once."""
    other = shutil.copytree(run, tmp_path / "other")
    found = report(run, other, "--out", tmp_path / "both", "--table", "comparison")
    alone = report(run, "--out", tmp_path / "alone", "--table", "comparison")
    assert found.exit_code == alone.exit_code == 0
    assert (tmp_path / "both" / "tables" / "comparison.txt").read_text() == (
        tmp_path / "alone" / "tables" / "comparison.txt"
    ).read_text()


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("source", "datasets"),
    [
        ("memae", "ped2,avenue"),
        ("dmad", "ped2,avenue,shanghaitech"),
        ("svd-gan", "avenue,shanghaitech"),
    ],
)
def test_known_answers_stand_in_the_sensitivity_table(real_data, tmp_path, source, datasets):
    """A run over real scores shows the numbers that scipy and scikit-learn gave, for each dataset
    and label set."""
    scores = f"scores[path={real_data}/scores/{source}/{{dataset}}.npz,first={FIRST[source]}]"
    line = [
        "run",
        "--methods",
        scores,
        "--datasets",
        datasets,
        "--data",
        str(real_data),
        "--out",
        str(tmp_path / source),
    ]
    done = bench(*line, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    cases = [
        (dataset, labels)
        for of, dataset, labels, metric in KNOWN
        if of == source and metric == "auc"
    ]
    for metric in ("auc", "ap", "eer") if source == "memae" else ("auc",):
        report(tmp_path / source, "--table", "protocols", "--metric", metric)
        folder = tmp_path / source / "tables" / ("" if metric == "auc" else f"_{metric}")
        tables = (folder / "protocols.md").read_text().split("| method |")[1:]
        for (dataset, label_set), table in zip(cases, tables, strict=True):
            assert f"on {NAMES[dataset]}, labels {label_set}" in table
            names = table.split("|\n")[0].replace("\\", "").replace(" ", "").split("|")
            row = next(line for line in table.splitlines() if line.startswith("| Scores"))
            values = dict(
                zip(
                    names,
                    [
                        re.sub(r"[*]| \(1\)", "", cell).strip()
                        for cell in row.strip("|").split("|")[1:]
                    ],
                )
            )
            for column, known in zip(COLUMNS, KNOWN.get((source, dataset, label_set, metric), [])):
                if known is not None:
                    assert abs(float(values[column]) - 100 * known) < 0.0101, (
                        dataset,
                        label_set,
                        metric,
                        column,
                    )
