"""The tables of the report: against independent computation, and compiled."""

import os
import re
import shutil
import subprocess
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from made_run import LENGTHS, MASKS, done, labels_of, make_run, regions, write_kinds
from scipy.ndimage import median_filter
from sklearn.metrics import roc_auc_score

from bench.plugins.registry import load
from bench.plugins.selection import select_one
from bench.runs.manifest import Manifest
from bench.runs.merged import MergedRun
from bench.runs.scores import write_epoch_scores
from bench.tables.forms.macros import command_name, to_macros
from bench.tables.forms.text import to_text
from bench.tables.kinds import KINDS, open_source
from bench.tables.secondary.published_tables import with_published_columns, with_published_rows
from bench.tables.table import Row, Table, TableCell

REGISTRY = load()
HOSTILE = r"100% \undefined {x_y} #$^~ <a|b>"


def source_of(run, protocol="median17"):
    return open_source(run, REGISTRY, REGISTRY.protocols[protocol], REGISTRY.metrics["auc"])


def entries(table):
    return {
        (row.name, column): cell
        for row in table.rows
        for column, cell in zip(table.columns, row.cells)
    }


def test_protocol_ranking_is_that_of_scikit_learn(tmp_path):
    """Numbers and places under the protocols, computed here again with scipy and scikit-learn."""
    run = make_run(tmp_path, [done("pca", 0.2), done("memae", 0.5), done("steal", 0.3)])
    (table,) = KINDS["protocols"].make(source_of(run))
    found = entries(table)
    values = {}
    for cell in run.cells():
        scores, labels = run.scores(cell), labels_of()
        smooth = {
            clip: median_filter(scores[clip].values.astype(float), 17, mode="reflect")
            for clip in LENGTHS
        }
        scaled = {
            clip: (value - value.min()) / (value.max() - value.min())
            for clip, value in smooth.items()
        }
        truth = np.concatenate([labels[clip][scores[clip].frames] for clip in LENGTHS])
        for name, used in (
            ("median17", scaled),
            ("median17[normalise=none]", smooth),
            ("raw", {clip: scores[clip].values for clip in LENGTHS}),
        ):
            values[cell.label, name] = roc_auc_score(
                truth, np.concatenate([used[clip] for clip in LENGTHS])
            )
    for (label, name), value in values.items():
        assert found[label, name].shown == f"{value * 100:.2f}", (label, name)
        better = [other for (_, of), other in values.items() if of == name and other > value]
        assert found[label, name].place == 1 + len(better)


def test_protocol_ranking_counts_the_pairs_that_change(tmp_path):
    """The note says how many pairs of methods stand the other way round than under the table's
    protocol."""
    run = make_run(
        tmp_path,
        [
            done(label, quality)
            for label, quality in (("a", 0.1), ("b", 0.15), ("c", 0.2), ("d", 0.25), ("e", 0.12))
        ],
    )
    (table,) = KINDS["protocols"].make(source_of(run))
    found = entries(table)
    for name in table.columns[1:]:
        order = {
            of: {label: float(found[label, of].shown) for label in "abcde"}
            for of in ("median17", name)
        }
        changed = sum(
            (order["median17"][one] - order["median17"][other])
            * (order[name][one] - order[name][other])
            < 0
            for one, other in combinations("abcde", 2)
        )
        notes = [note for note in table.notes if note.startswith(f"{name}:")]
        assert (f"{name}: {changed} of 10 pairs" in "".join(notes)) == (changed > 0)


def test_protocol_ranking_has_a_table_for_each_label_set(tmp_path):
    """And the second says whether the ranking is the same."""
    run = make_run(tmp_path, [done("pca", 0.2), done("memae", 0.9)], label_sets=("mat", "pixel"))
    first, second = KINDS["protocols"].make(source_of(run))
    assert "labels mat" in first.caption and "labels pixel" in second.caption
    assert any(note.startswith("labels pixel") for note in second.notes)
    assert not any(note.startswith("labels") for note in first.notes)


def test_scenes_have_columns_and_the_pooled_number(tmp_path):
    """A scene's number is the AUC of its clips alone; a scene of one class is a dash with its
    reason."""
    run = make_run(tmp_path, [done("pca", 0.5), done("memae", 0.9)], scenes=("01", "01", "02"))
    (table,) = KINDS["scenes"].make(source_of(run, "raw"))
    assert table.columns == ["01", "02", "pooled"]
    scores, labels = run.scores(run.cells()[0]), labels_of()
    truth = np.concatenate([labels[clip][scores[clip].frames] for clip in ("01", "02")])
    value = roc_auc_score(truth, np.concatenate([scores[clip].values for clip in ("01", "02")]))
    assert entries(table)["pca", "01"].shown == f"{value * 100:.2f}"
    assert [entries(table)["memae", column].rank for column in table.columns] == [1, 1, 1]


def test_without_scenes_the_report_says_so(tmp_path):
    """A table that a run cannot have is named, with the reason."""
    _, missing = write_kinds(
        source_of(make_run(tmp_path, [done("pca")])), ("scenes", "ablation"), tmp_path
    )
    assert missing == [
        "scenes: no dataset of the run has more than one scene",
        "ablation: no method of the run has variants or several rows",
    ]


def test_speed_is_what_the_cells_say(tmp_path):
    """Frames a second from the scored frames and the seconds of scoring; the mean of the seeds."""
    network = {
        "parameters": 1.5e6,
        "gflops_a_frame": 12.5,
        "seconds_a_step": 0.25,
        "frames_a_second": 80.0,
    }
    more = {"seconds": {"fit": 90.0, "score": 2.0}, "cost": {**network, "peak_memory": 2.0**30}}
    run = make_run(
        tmp_path,
        [
            done("pca", **more),
            done("pca", seed=1, **{**more, "seconds": {"fit": 30.0, "score": 1.0}}),
            done("old"),
            done("half", **more),
            done("half", seed=1, **{**more, "seconds": {"fit": 30.0}}),
        ],
    )
    (table,) = KINDS["speed"].make(source_of(run))
    pca, old, half = table.rows
    frames = sum(LENGTHS.values()) - 2 * len(LENGTHS)
    assert [cell.shown for cell in pca.cells] == [
        "1.50",
        "12.5",
        "1.0",
        "0.250",
        f"{(frames / 2 + frames) / 2:.1f}",
        "80.0",
        "1.00",
    ]
    assert [cell.mark for cell in old.cells] == ["-"] * 7
    assert half.cells[2].shown == "1.0" and half.cells[4].mark == "-"
    (letter,) = half.cells[4].notes
    assert dict(table.footnotes)[letter] == "not on record for each of the seeds"


def made_comparison():
    lines = [
        Row(
            "memae",
            "reconstruction",
            2019,
            (TableCell(82.52, notes=("a",), rank=1), TableCell(80.10)),
            "gong2019memae",
        ),
        Row("pseudobound", "pseudo-anomaly", 2023, (TableCell(81.00), TableCell(mark="failed"))),
        Row("mine", "mine", None, (TableCell(70.00), TableCell(60.00))),
    ]
    return Table(
        ["ped2", "avenue[x=1]"], lines, "Caption.", [("a", "single seed"), ("b", "not used")], []
    )


def with_protocols(table):
    """The same table as `under_paper_protocols` returns one: a protocol behind each row."""
    rows = [
        replace(row, cells=(*row.cells, TableCell(mark=protocol)))
        for row, protocol in zip(table.rows, ("minmax", "median17", "raw"))
    ]
    return replace(table, columns=[*table.columns, "protocol"], rows=rows)


def cells_of(path, *labels, **more):
    run = make_run(path, [done(label, **more) for label in labels])
    return run.cells()


def test_published_and_measured_stand_side_by_side(tmp_path):
    """Published as printed, the difference with the digits of the coarser; second-hand numbers say
    who quotes them."""
    cells = cells_of(tmp_path, "memae", "pseudobound", "mine")
    table = with_published_columns(with_protocols(made_comparison()), cells)
    assert table.columns[:3] == ["ped2 published", "ped2 measured", "ped2 difference"]
    memae, pseudobound, mine = table.rows
    assert [cell.shown or cell.mark for cell in memae.cells] == [
        "94.1",
        "82.52",
        "-11.6",
        "83.3",
        "80.10",
        "-3.2",
        "minmax",
    ]
    assert [cell.shown or cell.mark for cell in pseudobound.cells] == [
        "98.44",
        "81.00",
        "-17.44",
        "87.1",
        "failed",
        "-",
        "median17",
    ]
    assert [cell.shown or cell.mark for cell in mine.cells] == [
        "-",
        "70.00",
        "-",
        "-",
        "60.00",
        "-",
        "raw",
    ]
    texts = dict(table.footnotes)
    assert [texts[letter] for letter in pseudobound.cells[0].notes] == [
        "best test epoch, if it is STEAL's number: the test split chose the weights",
        "as quoted by DDL (Lappas et al., CVPRW 2024), Table 1",
    ]
    assert "not used" not in texts.values() and texts["a"] == "single seed"


def test_a_row_with_other_parameters_has_no_published_number(tmp_path):
    """What the paper prints is not the number of a variant of the user's."""
    cells = cells_of(
        tmp_path,
        "memae",
        "pseudobound",
        "mine",
        parameters_changed={"size": 64},
        published={"auc": "94.1", "source": "x"},
    )
    assert with_published_columns(with_protocols(made_comparison()), cells) is None
    cells[1].parameters_changed.clear()
    table = with_published_columns(with_protocols(made_comparison()), cells)
    assert [cell.shown or cell.mark for row in table.rows for cell in row.cells[:-1:3]] == [
        "-",
        "-",
        "98.44",
        "87.1",
        "-",
        "-",
    ]


def test_published_rows_are_of_methods_that_were_not_measured(tmp_path):
    """By year; numbers by scenes or of medium confidence carry their footnote; a measured method
    stands once."""
    table = with_published_rows(
        made_comparison(), cells_of(tmp_path, "memae", "pseudobound", "mine")
    )
    rows = [row for row in table.rows if row.family == "published, not measured here"]
    assert [row.year for row in rows] == sorted(row.year for row in rows)
    labels = [row.name for row in rows]
    assert (
        "hf2vad" in labels
        and "mnad" in labels
        and "memae" not in labels
        and not any("reimpl" in label for label in labels)
    )


def test_ddl_table_is_printed_digit_by_digit(tmp_path):
    """Its rows in its order, conflicts as footnotes, a dash where it prints one, and what was
    measured beside it."""
    run = make_run(tmp_path, [done("memae", dataset="ped2"), done("pca", dataset="ped2")])
    (table,) = KINDS["ddl-table1"].make(source_of(run))
    assert table.columns == [
        "ped2 printed",
        "ped2 measured",
        "avenue printed",
        "shanghaitech printed",
    ]
    printed = {row.name: [cell.shown or cell.mark for cell in row.cells] for row in table.rows}
    assert list(printed) == [
        "ae-conv2d",
        "ae-conv3d",
        "ae-convlstm",
        "tsc",
        "srnn",
        "memae",
        "mnad",
        "pseudobound",
        "mamc",
        "c2net",
        "c3dsu",
    ]
    assert printed["ae-conv3d"] == ["91.2", "-", "71.1", "-"]
    assert printed["c3dsu"] == ["98.46", "-", "90.35", "74.25"]
    measured = entries(source_of(run, "minmax").comparison)["memae", "ped2"].shown
    assert measured != entries(source_of(run).comparison)["memae", "ped2"].shown
    assert printed["memae"] == ["94.1", measured, "83.3", "71.20"]
    text = " ".join(to_text(table).split())
    assert (
        "71.1 is probably a misprint of 77.1" in text
        and "one model a scene, the median of the scenes' AUC" in text
        and "measured under minmax" in text
    )


def test_tables_of_published_numbers_need_one(tmp_path):
    """A run on data of one's own has no column of dashes and no table of other datasets; one on
    Ped2 has both."""
    names = ("published-columns", "ddl-table1")
    _, missing = write_kinds(
        source_of(make_run(tmp_path / "own", [done("memae")])), names, tmp_path
    )
    assert missing == [
        "published-columns: no cell of the run has a published number, or the metric is not auc",
        "ddl-table1: no dataset of the run is one of the paper's, or the metric is not auc",
    ]
    assert not list((tmp_path / "tables").glob("published*")) and not list(
        (tmp_path / "tables").glob("ddl*")
    )
    _, missing = write_kinds(
        source_of(make_run(tmp_path / "ped2", [done("memae", dataset="ped2")])), names, tmp_path
    )
    assert missing == []


def test_command_names_are_letters():
    """LaTeX commands take nothing else."""
    assert command_name("AUC", "c3dsu[pseudo=skip]", "ped2") == "AUCCThreeDsuPseudoSkipPedTwo"
    assert command_name("ap", "lntra-skip", "shanghaitech") == "ApLntraSkipShanghaitech"


def test_macros_hold_the_numbers_of_the_table(tmp_path):
    """One command a number, with spread, seeds and interval; names that are alike in letters stay
    apart."""
    run = make_run(
        tmp_path,
        [
            done("a-b", 0.5),
            done("a-b", 0.6, seed=1),
            done("ab", 0.4),
            done("a.b", 0.3),
            ("bad", 0, "failed", "x", 0, {}),
        ],
    )
    table = source_of(run).comparison
    found = dict(re.findall(r"\\newcommand\{\\(\w+)\}\{([^}]*)\}", to_macros(table, "auc")))
    shown = entries(table)
    assert (
        found["AUCABMade"] == shown["a-b", "made"].shown
        and found["AUCABMadeSD"] == f"{shown['a-b', 'made'].sd:.2f}"
    )
    assert found["AUCABMadeSeeds"] == "2" and found["AUCABMadeX"] == shown["a.b", "made"].shown
    assert found["AUCAbMade"] == shown["ab", "made"].shown and float(found["AUCAbMadeLow"]) < float(
        found["AUCAbMade"]
    )
    assert (found["AUCAbMadeLow"], found["AUCAbMadeHigh"]) == (
        f"{shown['ab', 'made'].low:.2f}",
        f"{shown['ab', 'made'].high:.2f}",
    )
    assert not any("Bad" in name for name in found)


@pytest.mark.skipif(
    shutil.which("pdflatex") is None and os.environ.get("CI") != "true",
    reason="pdflatex is not installed",
)
def test_every_table_compiles(tmp_path):
    """Of a run with a failed cell, a single seed, scenes, a row in an ablation, and names full of
    special characters."""
    entry = {
        "citation": "smith2020",
        "bibtex": "@misc{smith2020, title = {A}, author = {B}, year = {2020}}",
    }
    run = make_run(
        tmp_path / "run",
        [
            done("a_b[path=x&y]", 2.0, **entry),
            done(
                "c3dsu",
                1.0,
                ablation=["C3DSU", "DDL"],
                published={"auc": "98.46", "source": "Smith & Co. 100%"},
            ),
            done("c3dsu", 0.9, seed=1, ablation=["C3DSU", "DDL"]),
            ("bad", 0, "failed", HOSTILE, 0, {}),
            (
                "mamc",
                0,
                "published only",
                HOSTILE,
                0,
                {"published": {"auc": "96.7", "source": HOSTILE}},
            ),
        ],
        scenes=("01_", "01_", "02&"),
        label_sets=("mat", "pixel_%"),
        regions=MASKS,
    )
    for cell in run.cells()[:2]:
        run.write_regions(cell, regions())
        run.write_train_scores(cell, run.scores(cell))
        epochs = {1: run.scores(cell), 2: run.scores(cell)}
        write_epoch_scores(run.files_of(cell).epoch_scores, epochs)
    written, missing = write_kinds(source_of(run), tuple(KINDS), run.path)
    assert [text.partition(":")[0] for text in missing] == ["ddl-table1"]
    assert all(path.read_bytes().isascii() for path in written if path.suffix == ".tex")
    typeset = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all"]
    for command in (typeset, ["bibtex", "all"], typeset, typeset):
        found = subprocess.run(command, cwd=run.report.tables(), capture_output=True, text=True)
        assert found.returncode == 0, found.stdout[-2000:]
    assert "undefined" not in found.stdout.replace("textbackslash", ""), found.stdout[-2000:]
    assert (run.report.tables() / "all.pdf").read_bytes()[:4] == b"%PDF"


def test_scene_with_a_failed_seed_has_no_mean(tmp_path):
    """The scenes of a method whose second seed failed carry the mark, as the pooled number does."""
    run = make_run(
        tmp_path,
        [done("pca", 1.0), done("memae"), ("memae", 1, "failed", "it fell", 0, {})],
        scenes=("01", "01", "02"),
    )
    (table,) = KINDS["scenes"].make(source_of(run))
    assert [row.name for row in table.rows] == ["pca"] and table.footnotes == []


def test_a_failed_model_of_a_scene_costs_its_column_and_the_pooled_number(tmp_path):
    """The numbers of the other scenes stand."""
    run = make_run(
        tmp_path,
        [done("pca", scene="a"), ("pca", 0, "failed", "it fell", 0, {"scene": "b"})],
        scenes=("a", "b", "b"),
    )
    (table,) = KINDS["scenes"].make(source_of(run, "raw"))
    assert table.columns == ["a", "b", "pooled"]
    scores = run.scores(run.cells()[0])["01"]
    value = roc_auc_score(labels_of()["01"][scores.frames], scores.values)
    (row,) = table.rows
    shown = [cell.shown or cell.mark for cell in row.cells]
    assert shown == [f"{100 * value:.2f}", "failed", "failed"]
    assert [text for _, text in table.footnotes] == ["it fell", "scene b: it fell"]


def test_speed_of_the_models_of_scenes_is_that_of_all_together(tmp_path):
    """Minutes of fitting are summed over scenes, frames a second are all frames in all seconds, the
    memory is that of the largest; a seed that lacks a scene does not count."""

    def cost(fit, score, memory):
        return {"seconds": {"fit": fit, "score": score}, "cost": {"peak_memory": memory * 2.0**30}}

    run = make_run(
        tmp_path,
        [
            done("net", scene="a", **cost(600.0, 1.0, 1)),
            done("net", scene="b", **cost(1200.0, 2.0, 3)),
            done("net", seed=1, scene="a", **cost(60.0, 1.0, 2)),
            ("net", 1, "failed", "it fell", 0, {"scene": "b"}),
            done("other", scene="a", **cost(60.0, 1.0, 2)),
            ("other", 0, "failed", "it fell", 0, {"scene": "b"}),
        ],
        scenes=("a", "b", "b"),
    )
    (table,) = KINDS["speed"].make(source_of(run))
    found = entries(table)
    assert found["net", "fit/min"].shown == "30.0"
    frames = sum(LENGTHS.values()) - 2 * len(LENGTHS)
    assert found["net", "frames/s"].shown == f"{frames / 3:.1f}"
    assert found["net", "memory/GB"].shown == "3.00"
    assert {cell.mark for (label, _), cell in found.items() if label == "other"} == {"-"}
    assert table.footnotes == [("a", "scene b: it fell")]


def two_columns(tmp_path):
    """A run of ShanghaiTech with one model for all scenes, and with one a scene."""
    run = make_run(tmp_path, [done("memae", 0.9, dataset="shanghaitech")])
    run.write_dataset(replace(run.dataset("made"), name="other"))
    (cell,) = run.cells()
    label = "shanghaitech[models=per-scene]"
    other = replace(cell, dataset=label, dataset_folder="other", folder="cells/memae/other/0")
    run.write_cell(other)
    generator = np.random.default_rng(1)
    scores = {
        clip: replace(of_clip, values=generator.random(len(of_clip.values)))
        for clip, of_clip in run.scores(cell).items()
    }
    run.write_scores(other, scores)
    run.write_manifest(Manifest(cells=[vars(cell), vars(other)]))
    return run


def test_ddl_table_has_a_column_for_each_way_a_dataset_was_measured(tmp_path):
    """One model for all scenes and one a scene are both the paper's ShanghaiTech."""
    source = source_of(two_columns(tmp_path))
    (table,) = KINDS["ddl-table1"].make(source)
    labels = ["shanghaitech", "shanghaitech[models=per-scene]"]
    assert table.columns[2:] == ["shanghaitech printed", *(f"{one} measured" for one in labels)]
    measured = entries(source_of(source.run, "minmax").comparison)
    found = entries(table)
    numbers = [found["memae", f"{label} measured"].shown for label in labels]
    assert numbers == [measured["memae", label].shown for label in labels]
    assert numbers[0] != numbers[1]


def merged(tmp_path):
    """Two runs whose DDL networks differ and whose other rows are the same."""
    same = done("c3dsu-plain", 0.3, key={"a": 1}, ablation=["C3DSU", "plain"])
    place = {"ablation": ["C3DSU", "DDL"], "dataset": "ped2"}
    same[-1]["dataset"] = "ped2"
    runs = [
        make_run(tmp_path / name, [done("c3dsu", quality, key={"a": key}, **place), same])
        for name, quality, key in (("one", 0.9, 2), ("two", 0.1, 3))
    ]
    return MergedRun(tmp_path / "merged", runs)


def test_ablation_of_merged_runs_keeps_their_rows_apart(tmp_path):
    """Two rows of one network and variant stand in two rows, whatever tells them apart."""
    source = source_of(merged(tmp_path))
    comparison = entries(source.comparison)
    table = KINDS["ablation"].make(source)[0]
    here = {
        (row.name, column): cell.shown
        for row in table.rows
        if row.family == "measured here"
        for column, cell in zip(table.columns, row.cells)
    }
    assert here == {
        ("C3DSU (one)", "ped2 DDL"): comparison["c3dsu (one)", "ped2"].shown,
        ("C3DSU (one)", "ped2 plain"): "",
        ("C3DSU (two)", "ped2 DDL"): comparison["c3dsu (two)", "ped2"].shown,
        ("C3DSU (two)", "ped2 plain"): "",
        ("C3DSU", "ped2 DDL"): "",
        ("C3DSU", "ped2 plain"): comparison["c3dsu-plain", "ped2"].shown,
    }
    place = {"ablation": ["C3DSU", "DDL"]}
    run = make_run(tmp_path / "own", [done("c3dsu", 0.9, **place), done("mine", 0.2, **place)])
    table = KINDS["ablation"].make(source_of(run))[0]
    measured = [row.name for row in table.rows if row.family == "measured here"]
    assert measured == ["C3DSU: c3dsu", "C3DSU: mine"]


def test_ddl_table_of_merged_runs_has_a_row_for_each(tmp_path):
    """What is printed stands beside each of them."""
    source = source_of(merged(tmp_path), "ddl")
    (table,) = KINDS["ddl-table1"].make(source)
    found, comparison = entries(table), entries(source.comparison)
    for label in ("c3dsu (one)", "c3dsu (two)"):
        assert found[label, "ped2 printed"].shown == "98.46"
        assert found[label, "ped2 measured"].shown == comparison[label, "ped2"].shown
    assert "c3dsu" not in [row.name for row in table.rows]


def test_published_rows_keep_a_method_that_no_paper_of_ours_has(tmp_path):
    """A method of a plugin that cannot run, with the number that it says of itself."""
    published = {"published": {"auc": "96.7", "source": "Smith & Co."}}
    other = {**published, "method": "mine", "published": {**published["published"], "auc": "91.0"}}
    run = make_run(
        tmp_path,
        [
            done("pca"),
            ("mine", 0, "published only", "no code", 0, published),
            ("mine[a=1]", 0, "published only", "no code", 0, other),
        ],
    )
    (table,) = KINDS["published-rows"].make(source_of(run))
    mine, variant = [row for row in table.rows if row.name.startswith("mine")]
    assert variant.cells[0].mark == "91.0"
    assert mine.family == "published, not measured here"
    assert mine.cells[0].mark == "96.7"
    (letter,) = mine.cells[0].notes
    assert dict(table.footnotes)[letter].startswith("published (Smith & Co.), not measured here")


def test_protocol_ranking_says_nothing_of_labels_that_it_has_no_numbers_of(tmp_path):
    """A protocol that names its labels has no ranking under others."""
    run = make_run(tmp_path, [done("pca", 0.2), done("memae", 0.9)], label_sets=("mat", "pixel"))
    protocol = select_one("protocols", "median17[labels=pixel]", REGISTRY).parameters
    source = open_source(run, REGISTRY, protocol, REGISTRY.metrics["auc"])
    for table in KINDS["protocols"].make(source):
        assert not any(note.startswith("labels") for note in table.notes)


def test_a_column_of_too_many_rows_says_that_its_order_is_not_tested(tmp_path, monkeypatch):
    """The limit is on rows, trivial ones aside."""
    run = make_run(tmp_path, [done("a", 0.2), done("b", 0.5), done("c", 0.9)])
    said = "made: the order of its 3 rows is not tested: at most 2 are"
    assert said not in source_of(run, "raw").comparison.notes
    for module in ("evaluation.columns", "tables.comparison_notes"):
        monkeypatch.setattr(f"bench.{module}.MOST", 2)
    source = source_of(run, "raw")
    assert said in source.comparison.notes and KINDS["ranks"].make(source) == []
