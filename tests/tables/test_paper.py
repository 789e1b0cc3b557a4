"""The comparison for a paper: names, footnotes, table.toml, and notes for what it leaves out."""

import re
from dataclasses import replace

import numpy as np
import pytest
from made_run import LENGTHS, MASKS, done, labels_of, make_run, regions

from bench import RequestError
from bench.plugins.registry import load
from bench.runs.records import CellRecord
from bench.runs.table_options import TEMPLATE, TableOptions, read_options
from bench.tables.forms.paper import without_paths
from bench.tables.forms.paper_layout import _digits, knowledge_of
from bench.tables.kinds import open_source
from bench.tables.table import PUBLISHED, Row, cell_as_printed
from bench.tables.table_files import kind_files, shared_files

REGISTRY = load()
PATH = "/home/me/secret/memae/{dataset}.npz"


@pytest.fixture
def run(tmp_path):
    """Two networks with seeds, a row from a file, one without its weights, a trivial one."""
    lacking = "tsc: no weights of ResNet-50 at ~/.cache/torch/x.pth: fetch https://x.org/y and put it there"
    return make_run(
        tmp_path / "run",
        [
            done("c3dsu", 0.9, dataset="ped2", display_name="", deviations=["other kernels"]),
            done("c3dsu", 0.8, seed=1, dataset="ped2", display_name="", deviations=["other kernels"]),
            done("memae", 0.3, dataset="ped2", display_name="", needs=["frames", "train"]),
            done(
                f"scores[path={PATH}]", 0.4, dataset="ped2", display_name="", uses_seed=False,
                parameters_changed={"path": PATH}, family="from a file", folder="cells/scores/ped2/0",
            ),
            ("tsc", 0, "no data", lacking, 0, {"dataset": "ped2", "display_name": ""}),
            ("srnn", 0, "no data", lacking, 0, {"dataset": "ped2", "display_name": ""}),
            done("constant", 0.0, dataset="ped2", display_name="", family="trivial", uses_seed=False),
        ],
    )  # fmt: skip


def made(run, name="comparison", style="paper", metric="auc"):
    source = open_source(run, REGISTRY, REGISTRY.protocols["raw"], REGISTRY.metrics[metric])
    return kind_files(replace(source, style=style), name)


def rows_of(tex):
    """Display name -> the number and what follows it."""
    body = tex.partition("\\toprule")[2]
    lines = [
        line for line in body.splitlines() if line.endswith(r"\\") and "multicolumn" not in line
    ]
    return {line.partition(" ")[0].partition("~")[0]: line for line in lines}


def test_the_caption_has_one_share_of_each_dataset(tmp_path):
    """The least of its rows: a row that reads no frame has the share of the test clips."""
    rows = [
        done("constant", dataset="made-b", dataset_display_name="B", data_share=0.3),
        done("pca", dataset="made-b", dataset_display_name="B", data_share=0.169),
        done("optical-flow", dataset="made-a", dataset_display_name="A", data_share=0.5),
    ]
    caption = made(make_run(tmp_path, rows))["comparison.tex"]
    assert r"Only 16.9 \% of B, 50 \% of A is used." in caption


def test_a_paper_has_names_and_no_word_of_the_machine(run):
    files = made(run)
    for name in ("comparison.tex", "comparison-notes.tex"):
        assert "C3DSU + DDL" in files[name]
        assert not re.search(r"/home|~/|https|fetch|bench |c3dsu|--\w", files[name])
    assert "Scores (memae) &" in files["comparison.tex"]
    assert r"\multicolumn{2}{c}{ped2}" in files["comparison.tex"]


def test_equal_reasons_are_one_footnote_and_deviations_are_notes(run):
    files = made(run)
    tex = files["comparison.tex"]
    assert tex.count("needs ResNet-50 weights") == 1
    assert len(re.findall(r"-- & \\textsuperscript\{a\}", tex)) == 2
    assert "other kernels" not in tex and "other kernels" in files["comparison-notes.tex"]


def test_numbers_are_those_of_the_full_style(run):
    """And the best and the second are the same."""
    paper, full = made(run)["comparison.tex"], made(run, style="full")["comparison.tex"]
    pattern = r"\\textbf\{[\d.]+\}|\\underline\{[\d.]+\}|(?<=& )\d+\.\d\d"
    assert sorted(re.findall(pattern, paper)) == sorted(re.findall(pattern, full))


def test_table_toml_chooses_rows_digits_and_names(run):
    (run.path / "table.toml").write_text(
        'rows = ["memae", "c3dsu"]\ndecimals = 1\nfacts = ["supervision"]\nwidth = "one"\n'
        'published = ["vec"]\n[names]\nmemae = "Ours, $T=4$"\n[groups]\n"Mine" = ["memae"]\n'
    )
    files = made(run)
    tex = files["comparison.tex"]
    assert r"Ours, $T=4$" in tex and "Ours, T=4" in files["comparison.txt"]
    assert tex.index("Ours") < tex.index("C3DSU") < tex.index("VEC")
    assert r"\begin{table}[tp]" in tex and r"\emph{Mine}" in tex
    assert "one-class" in tex and "Constant" not in tex and "99.1" not in tex.partition("VEC")[0]
    assert not re.search(r"\d\.\d\d", tex.partition(r"\toprule")[2].partition("VEC")[0])


def test_the_best_is_the_best_of_the_rows_that_are_shown(run):
    (run.path / "table.toml").write_text(f'rows = ["memae", "scores[path={PATH}]"]\n')
    tex = made(run)["comparison.tex"]
    assert tex.count(r"\textbf{") == 2  # of the caption, and of the best shown
    assert "C3DSU" not in tex


def test_metrics_stand_side_by_side(run):
    (run.path / "table.toml").write_text('metrics = ["auc", "ap", "eer"]\n')
    files = made(run)
    for metric in ("ap", "eer"):
        alone = made(run, metric=metric)["comparison.txt"]
        (number,) = re.findall(r"MemAE +([\d.]+)", alone)
        assert number in next(
            line for line in files["comparison.tex"].splitlines() if line.startswith("MemAE")
        )
    assert r"\cmidrule" in files["comparison.tex"]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("rows = [1]", "rows: a list of texts"),
        ("row = []", "no key 'row' - did you mean 'rows'?"),
        ("decimals = 9", "decimals: a whole number from 0 to 4"),
        ("metrics = ['auk']", "metrics: no 'auk' (there are auc,"),
        ("width = 3", "width: one of auto, one, two"),
        ("rows = ['a'", "no TOML"),
        ("ties = 1", "ties: true or false"),
        ("groups = 1", "groups: true, false, or lists of rows"),
        (
            '[groups]\nA = ["x"]\nB = ["x"]',
            "groups: names 'x' twice; a row stands below one heading",
        ),
    ],
)
def test_mistakes_in_table_toml_are_named(tmp_path, text, mistake):
    (tmp_path / "table.toml").write_text(text)
    with pytest.raises(RequestError) as error:
        read_options(tmp_path)
    assert mistake in str(error.value) and "table.toml" in str(error.value)


def numbers_of(tex, row, at=0):
    """What stands in the columns of a row, without marks; of rows of one name, the one at a
    place."""
    lines = [line for line in tex.splitlines() if line.startswith(row) and line.endswith(r"\\")]
    return re.findall(r"-?\d+\.\d+(?=[}& \\])|--", lines[at].partition("&")[2])


def test_the_short_caption_names_all_metrics(run):
    assert "Frame-level AUC (\\%)" in made(run)["comparison.tex"]
    (run.path / "table.toml").write_text('metrics = ["ap", "auc", "parameters"]\n')
    tex = made(run)["comparison.tex"]
    assert r"\caption{Frame-level AP, AUC (\%), parameters in millions on ped2." in tex


@pytest.fixture
def located(tmp_path):
    """Two rows with regions, one without; regions and tracks in frames of 20 x 40."""
    run = make_run(
        tmp_path / "run", [done("memae"), done("pca"), done("mapless")],
        resolution=(20, 40), regions=MASKS,
    )  # fmt: skip
    for cell, false in zip(run.cells(), (0.0, 0.5)):
        run.write_regions(cell, regions(0.5, false=false))
    (run.path / "table.toml").write_text('metrics = ["auc", "rbdc", "tbdc"]\n')
    return run


def test_rbdc_stands_beside_the_auc_and_says_of_what(located, tmp_path):
    """Of components, or of tracks where these are given, in a file of its own: a run does not keep
    them.
    """
    files = made(located)
    assert numbers_of(files["comparison.tex"], "pca")[1:] == ["87.50", "--"]
    words = "RBDC on connected components of the pixel masks"
    assert words in files["comparison-notes.tex"] and f"{words}." in files["comparison.tex"]
    assert "TBDC needs tracks of the anomalous objects" in files["comparison.tex"]
    tracks = tmp_path / "tracks"
    tracks.mkdir()
    for clip in LENGTHS:
        lines = [f"0,{frame},4,4,7,7" for frame in np.flatnonzero(labels_of()[clip])]
        (tracks / f"{clip}.txt").write_text("\n".join(lines))
    source = open_source(
        located, REGISTRY, REGISTRY.protocols["raw"], REGISTRY.metrics["auc"], [str(tracks)]
    )
    again = kind_files(source, "comparison")
    assert again["comparison.tex"] == files["comparison.tex"]
    tex = again["comparison-tracks.tex"]
    assert numbers_of(tex, "pca")[1:] == ["87.50", "100.00"]
    assert "RBDC on the regions of tracks" in tex and "TBDC needs" not in tex
    assert r"comparison-tracks}" in tex


def test_a_missing_number_beside_others_has_its_reason(located):
    """In a few words, and no command."""
    tex = made(located)["comparison.tex"]
    assert numbers_of(tex, "mapless")[1:] == ["--", "--"]
    assert "no regions were kept" in tex and "bench" not in tex


def test_a_published_row_has_its_own_numbers(run):
    """Beside a measured row of one name: no rank, no number of the other, no invented digit, and
    not below the heading of the other.
    """
    lines = ['published = ["memae"]', "decimals = 4", 'metrics = ["auc", "ap"]', "[groups]"]
    (run.path / "table.toml").write_text("\n".join([*lines, '"Mine" = ["memae", "c3dsu"]', ""]))
    tex = made(run)["comparison.tex"]
    assert [len(text) for text in numbers_of(tex, "MemAE")] == [7, 7]  # 12.3456
    (number, nothing) = numbers_of(tex, "MemAE", 1)
    assert number == "94.1" and nothing == "--"
    lines = [line for line in tex.splitlines() if line.startswith("MemAE")]
    assert tex.index("Published, not measured here") < tex.index(lines[1])
    assert "textbf" not in lines[1] and "underline" not in lines[1]


def test_digits_of_published_numbers_are_those_of_their_paper():
    """Fewer where fewer are asked for."""
    row = Row("a", PUBLISHED, None, (cell_as_printed("60.85"), cell_as_printed("74.5")))
    for decimals, shown in ((4, ["60.85", "74.5"]), (1, ["60.9", "74.5"])):
        assert [cell.shown for cell in _digits(row, decimals).cells] == shown
    assert _digits(replace(row, family="x"), 4).cells[0].shown == "60.8500"


def test_without_headings_a_published_number_says_so(run):
    (run.path / "table.toml").write_text('published = ["vec"]\ngroups = false\n')
    tex = made(run)["comparison.tex"]
    assert "published, not measured here" in tex.partition(r"\bottomrule")[2]


def test_a_tie_is_shown_beside_its_best_alone_and_explained(tmp_path):
    """Whichever table it comes from: under `--metric ap` the AUC is that of another one."""
    run = make_run(tmp_path / "run", [done("a", 0.5), done("bb", 0.5), done("ccc", 0.48)])
    for rows, tied in (('["a", "bb", "ccc"]', True), ('["a", "ccc"]', False)):
        (run.path / "table.toml").write_text(f'metrics = ["ap", "auc"]\nrows = {rows}\n')
        tex = made(run, metric="ap")["comparison.tex"]
        assert (r"$\sim$: AUC not significantly different from the best" in tex) == tied
        assert (r"$\sim$" in tex.partition(r"\toprule")[2]) == tied


def test_a_row_that_is_not_there_is_named(run):
    (run.path / "table.toml").write_text('rows = ["memea"]')
    with pytest.raises(RequestError, match=r"table\.toml: no row 'memea' - did you mean 'memae'"):
        made(run)


def test_the_template_explains_every_key_and_sets_none(tmp_path):
    (tmp_path / "table.toml").write_text(
        TEMPLATE.format(
            rows="a", datasets="d", first='"a"', dataset='"d"', published="vec", example="a"
        )
    )
    assert read_options(tmp_path) == TableOptions()
    for name in TableOptions.__dataclass_fields__:
        assert re.search(
            rf"^# +\[?{name}\b|^# {name} =", (tmp_path / "table.toml").read_text(), re.MULTILINE
        )


def test_a_table_of_a_comparison_does_not_repeat_its_notes(run):
    notes = made(run, "published-rows")["published-rows-notes.tex"]
    assert "As the comparison." in notes and "other kernels" not in notes
    notes = made(run, "published-columns")["published-columns-notes.tex"]
    assert "protocol of its paper" in notes and "other kernels" not in notes


def test_all_tex_shows_tables_notes_and_figures(run):
    source = open_source(run, REGISTRY, REGISTRY.protocols["raw"], REGISTRY.metrics["auc"])
    files = {
        name.removesuffix(".tex"): text for name, text in made(run).items() if name.endswith(".tex")
    }
    shared = shared_files(source, files, {"roc-ped2": "Curves of /home/me/x 100 %."})
    text = shared["all.tex"]
    assert text.index(r"\input{comparison}") < text.index(r"\input{comparison-notes}")
    assert r"{../../figures/raw/roc-ped2.pdf}" in text and r"\caption{Curves of x 100 \%.}" in text
    assert r"\input{comparison-notes}" in shared["notes.tex"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at /home/me/a b.pth (x)", "at a b.pth (x)"),
        ("at ~/.cache/torch/x.pth: y", "at x.pth: y"),
        ("and/or 1/2, 95 %", "and/or 1/2, 95 %"),
        ("https://a.org/b/c", "https://a.org/b/c"),
    ],
)
def test_paths_are_cut(text, shown):
    assert without_paths(text) == shown


def test_records_of_earlier_versions_have_no_name():
    assert CellRecord("cells/a/b/0", "a", "a", "a", "b", "b", 0).display_name == ""


@pytest.mark.parametrize(("said", "shown"), [("", ""), (None, "detected objects"), ("x", "x")])
def test_extra_knowledge_is_that_of_the_cell(said, shown):
    """Which may be none; cells of earlier versions do not say, and have that of their method."""
    cell = CellRecord("cells/a/b/0", "c3dsu", "a", "a", "b", "b", 0, extra_knowledge=said)
    assert knowledge_of(cell, REGISTRY) == shown
