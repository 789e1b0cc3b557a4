"""The one writer of tables, figures and page: no answer replaces another, and what is stale is made
anew or marked."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from made_run import done, make_run

from bench.cli.commands.report import command as report_command
from bench.cli.commands.score import command as score_command
from bench.contracts.protocol import Protocol
from bench.errors import RequestError
from bench.plugins.registry import load
from bench.reporting.report_writer import write_tables
from bench.runs.folder import Run
from bench.tables.kinds import open_source
from bench.tables.table_files import question_name

CITED = {
    "citation": "smith2020",
    "bibtex": "@misc{smith2020, title = {A}, author = {B}, year = {2020}}",
}
CELLS = [
    done("pca", 0.2, dataset="ped2"),
    done("memae", 0.4, dataset="ped2", **CITED),
    done("c3dsu", 0.6, dataset="ped2", ablation=["C3DSU", "DDL"]),
]


def call(command, *arguments):
    found = CliRunner().invoke(command, list(map(str, arguments)))
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    assert found.exit_code == 0
    return found.output


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path / "run", CELLS, label_sets=("frame", "pixel"))


@pytest.fixture(scope="module")
def whole_report(once):
    """The run with all tables, figures and the page."""

    def make(place):
        run = make_run(place / "run", CELLS, label_sets=("frame", "pixel"))
        call(report_command, run.path)

    return once("whole-report", make) / "run"


@pytest.fixture
def reported(whole_report, tmp_path):
    """A copy of it."""
    return Run(shutil.copytree(whole_report, tmp_path / "run"))


def add_row(run):
    """As `bench run --out` adds one."""
    return make_run(
        run.path, [*CELLS, done("mnad", 0.9, dataset="ped2")], label_sets=("frame", "pixel")
    )


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in Path(folder).rglob("*")
        if path.is_file()
    }


def cited(folder):
    return set(
        re.findall(r"\\cite\{([^}]*)\}", "".join(path.read_text() for path in folder.glob("*.tex")))
    )


def entries(folder):
    return set(re.findall(r"@\w+\{([^,]+),", (folder / "references.bib").read_text()))


def tables_in(run):
    """The tables that all.tex shows; each has its notes below it."""
    text = (run.report.tables() / "all.tex").read_text()
    found = set(re.findall(r"^\{?(?:\\small)?\\input\{([^}]*)\}", text, re.MULTILINE)) - {"numbers"}
    tables = {name for name in found if not name.endswith("-notes")}
    assert found - tables == {f"{name}-notes" for name in tables}
    return tables


def test_scoring_after_a_report_leaves_no_citation_without_its_entry(run):
    """The published rows cite papers that no cell of the run names."""
    call(report_command, run.path, "--table", "published-rows")
    call(score_command, run.path)
    assert len(cited(run.report.tables())) > 10
    assert cited(run.report.tables()) <= entries(run.report.tables())


def test_one_table_more_leaves_the_others_in_the_document(run):
    """all.tex shows every table that is there, and again after each way to write one."""
    call(
        report_command,
        run.path,
        *(word for name in ("comparison", "speed", "protocols") for word in ("--table", name)),
    )
    call(report_command, run.path, "--table", "intervals")
    assert tables_in(run) == {"comparison", "speed", "protocols", "intervals"}
    call(score_command, run.path)
    assert tables_in(run) == {
        "comparison",
        "speed",
        "protocols",
        "intervals",
        "ablation",
    }


@pytest.mark.parametrize(
    "how",
    [
        ("--protocol", "raw"),
        ("--metric", "ap"),
        ("--protocol", "median17[labels=pixel]"),
        ("--protocol", "raw", "--metric", "eer"),
    ],
)
@pytest.mark.parametrize("command", [score_command, report_command])
def test_a_second_question_changes_nothing_that_was_written(reported, command, how):
    """Another protocol, metric or label set: the paper's files keep every byte, and the new ones
    are there."""
    before = {
        name: content
        for name, content in contents(reported.path).items()
        if name not in ("report.json", "tables/results.csv", "tables/summary.csv")
    }
    lines = set((reported.report.tables() / "results.csv").read_text().splitlines())
    more = (
        ("--table", "comparison", "--figure", "roc", "--page") if command is report_command else ()
    )
    call(command, reported.path, *how, *more)
    after = contents(reported.path)
    assert {name: after.get(name) for name in before} == before
    assert lines <= set((reported.report.tables() / "results.csv").read_text().splitlines())
    new = {
        name
        for name in after.keys() - before.keys()
        if name.startswith("tables/") and name.endswith("comparison.tex")
    }
    assert len(new) == 1
    if more:
        assert len([name for name in after.keys() - before.keys() if name.endswith(".html")]) == 1
        assert [name for name in after.keys() - before.keys() if name.startswith("figures/")]


def test_several_protocols_are_all_written(run):
    """Not only the first."""
    call(score_command, run.path, "--protocol", "median17,raw,minmax")
    for folder in ("", "raw", "minmax"):
        assert (run.report.tables() / folder / "comparison.txt").is_file()
    assert "Protocol raw" in (run.report.tables() / "raw" / "comparison.txt").read_text()


def test_commands_and_labels_of_two_questions_can_stand_in_one_paper(run):
    r"""No \newcommand and no \label is there twice."""
    call(score_command, run.path, "--protocol", "median17,raw")
    call(score_command, run.path, "--metric", "ap")
    text = "".join(path.read_text() for path in run.report.tables().rglob("*.tex"))
    names = re.findall(r"\\(?:newcommand\{\\|label\{)([^}]+)\}", text)
    assert len(names) == len(set(names)) > 10
    assert r"\AUCPcaPedTwo" in (run.report.tables() / "numbers.tex").read_text()
    assert r"\AUCRawPcaPedTwo" in (run.report.tables() / "raw" / "numbers.tex").read_text()
    assert r"\APPcaPedTwo" in (run.report.tables() / "_ap" / "numbers.tex").read_text()


def test_lines_of_an_earlier_question_stay_in_results(run):
    """A protocol with parameters is computed again with each next one."""
    call(score_command, run.path, "--protocol", "median17[edge=zero]")
    call(score_command, run.path, "--protocol", "raw")
    call(report_command, run.path, "--table", "comparison", "--table", "protocols")
    for name in ("results.csv", "summary.csv"):
        assert "median17[edge=zero]" in set(pd.read_csv(run.report.tables() / name).protocol)


PLUGIN = """
from bench import Protocol, hookimpl

@hookimpl
def bench_protocols():
    return [Protocol("mine", smooth="median", window=5)]
"""


def test_lines_of_a_plugin_stay_while_they_are_true(run, tmp_path):
    """Without the plugin they cannot be computed; when the run changes they go, which is said, and
    its tables are marked."""
    (tmp_path / "mine.py").write_text(PLUGIN)
    call(score_command, run.path, "--protocol", "mine", "--plugin", tmp_path / "mine.py")
    lines = [
        line
        for line in (run.report.tables() / "results.csv").read_text().splitlines()
        if ",mine," in line
    ]
    call(score_command, run.path)
    assert (
        [
            line
            for line in (run.report.tables() / "results.csv").read_text().splitlines()
            if ",mine," in line
        ]
        == lines
        != []
    )
    assert "mnad" not in (run.report.tables() / "mine" / "comparison.txt").read_text()
    said = call(report_command, add_row(run).path, "--table", "comparison", "--table", "protocols")
    assert (
        "results.csv: lines of mine auc, mine ap, mine eer: the run has changed, and what computes them is not loaded (--plugin)"
        in said
    )
    assert ",mine," not in (run.report.tables() / "results.csv").read_text()
    assert (
        "mnad" in (run.report.tables() / "mine" / "comparison.txt").read_text()
    )  # report.json knows the protocol


def test_a_row_more_makes_all_tables_anew_and_marks_figures_and_page(reported):
    """Whoever opens one of them sees the new row, or that it is missing."""
    call(
        report_command,
        reported.path,
        "--protocol",
        "raw",
        "--table",
        "comparison",
        "--table",
        "scenes",
    )
    said = call(score_command, add_row(reported).path)
    (note,) = [
        line
        for line in said.splitlines()
        if line.startswith("note: of an earlier state of the run, and marked: ")
    ]
    assert (
        f"{reported.path / 'figures' / 'STALE.txt'}" in note
        and f"{reported.path / 'report.html'}" in note
    )
    for name in (
        "comparison",
        "published-rows",
        "published-columns",
        "intervals",
        "protocols",
        "speed",
        "ddl-table1",
        "raw/comparison",
    ):
        assert "mnad" in (reported.report.tables() / f"{name}.txt").read_text(), name
    assert r"\AUCMnadPedTwo" in (reported.report.tables() / "numbers.tex").read_text()
    assert "The run has changed since this was made" in (reported.path / "report.html").read_text()
    marked = (reported.path / "figures" / "STALE.txt").read_text()
    assert "The run has changed since this was made" in marked and "roc-ped2.pdf" in marked
    call(report_command, reported.path, "--figure", "roc", "--page")
    assert "roc-ped2.pdf" not in (reported.path / "figures" / "STALE.txt").read_text()
    assert "The run has changed" not in (reported.path / "report.html").read_text()
    call(report_command, reported.path)
    assert not (reported.path / "figures" / "STALE.txt").exists()


def test_nothing_is_marked_or_made_anew_while_the_run_is_as_it_was(reported):
    """A second table of the same state writes that table and what is shared, alone."""
    said = " ".join(call(report_command, reported.path, "--table", "speed").split())
    assert said.count("wrote ") == 1
    assert (
        f"wrote {reported.report.tables()}/: all.tex, notes.tex, numbers.tex, references.bib, "
        "speed.{md,tex,txt}, speed-notes.tex next: "
    ) in said


def test_tables_of_earlier_versions_are_made_anew(reported):
    """They have no report.json; other files of the user's in the folder are left alone."""
    (reported.path / "report.json").unlink()
    (reported.report.tables() / "speed.tex").write_text("old")
    (reported.report.tables() / "paper.tex").write_text(r"\input{comparison}")
    write_tables(reported, load())
    assert "old" not in (reported.report.tables() / "speed.tex").read_text()
    assert (reported.report.tables() / "paper.tex").read_text() == r"\input{comparison}"
    assert "paper" not in json.loads((reported.path / "report.json").read_text())["files"]
    assert (
        "roc-ped2.pdf" in (reported.path / "figures" / "STALE.txt").read_text()
        and not (reported.report.tables() / "STALE.txt").exists()
    )


def test_a_table_that_the_run_has_no_more_goes(run):
    """An ablation of a method that was taken out."""
    write_tables(run, load())
    assert (run.report.tables() / "ablation.txt").is_file()
    write_tables(make_run(run.path, CELLS[:2]), load())
    assert (
        not list(run.report.tables().glob("ablation.*"))
        and "ablation" not in (run.report.tables() / "all.tex").read_text()
    )


def test_scores_go_elsewhere_on_request(run, tmp_path):
    """`bench score --out`."""
    call(score_command, run.path, "--protocol", "raw", "--out", tmp_path / "there")
    assert (
        tmp_path / "there" / "tables" / "raw" / "comparison.tex"
    ).is_file() and not run.report.tables().exists()


def test_a_damaged_index_only_makes_everything_stale(run):
    """Nothing is believed of it: neither paths outside of the folder nor a protocol that is
    none."""
    write_tables(run, load(), ["raw"])
    for text in (
        "{",
        '{"files": 3}',
        '{"files": {"../x": {"question": "..", "evidence": 1}}, "questions": {"raw": {"protocol": {"smooth": "x"}, "metric": "auc"}}}',
    ):
        (run.path / "report.json").write_text(text)
        write_tables(run, load())
    assert "comparison.tex" in (run.report.tables() / "raw" / "STALE.txt").read_text()
    assert not (run.report.tables() / "STALE.txt").exists()
    (run.path.parent / "x.pdf").write_text("mine")
    entry = {"question": "", "evidence": "0", "sha256": "0"}
    (run.path / "report.json").write_text(
        json.dumps({"files": {"../x.pdf": entry, "tables/../../x.pdf": entry}})
    )
    write_tables(run, load())
    assert {path.name for path in run.path.parent.iterdir()} == {"run", "x.pdf"}


@pytest.mark.parametrize(
    ("protocol", "metric", "name"),
    [
        ("median17", "auc", ""),
        ("raw", "auc", "raw"),
        ("median17", "ap", "_ap"),
        ("raw", "eer", "raw_eer"),
        ("gaussian10", "auc", "gaussian10"),
    ],
)
def test_names_of_questions(run, protocol, metric, name):
    """The run's own has none."""
    registry = load()
    assert (
        question_name(
            open_source(run, registry, registry.protocols[protocol], registry.metrics[metric])
        )
        == name
    )


def test_names_of_questions_are_safe_and_apart(run):
    """Names that are the same in letters differ in a hash; none leaves the folder."""
    registry = load()
    source = open_source(run, registry, registry.protocols["raw"], registry.metrics["auc"])
    names = [
        question_name(replace(source, protocol=Protocol(name)))
        for name in ("a/../b", "a b", "a-b", "A-b", "../..", "a[b=c]", "a_b", "raw_ap")
    ]
    assert len(set(names)) == len(names) and all(
        re.fullmatch(r"[a-z0-9-]+", name) for name in names
    )


def test_unknown_metric_is_refused(run):
    """Before anything is written."""
    with pytest.raises(RequestError, match="auk"):
        write_tables(run, load(), metric="auk")
    assert not run.report.tables().exists()
