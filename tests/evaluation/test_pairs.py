"""Marks, warnings and the table of intervals, and two rows against one another: from run folders
alone."""

import re

import numpy as np
import pandas as pd
import pytest
from made_run import LENGTHS, done, labels_of, make_run

from bench.evaluation.columns import column_of
from bench.evaluation.data_frames import summary_frame
from bench.evaluation.pairs import pairs, too_few
from bench.evaluation.run_scores import RunScores
from bench.evaluation.summaries import summarise
from bench.figures.rank_intervals import intervals_of_ranks
from bench.plugins.registry import load
from bench.reporting.report_writer import write_tables
from bench.runs.records import DatasetRecord
from bench.scoring.intervals import Column, difference
from bench.scoring.ranks import rank
from bench.tables.comparison import compare, comparison_text
from bench.tables.forms.latex import to_latex
from bench.tables.forms.markdown import to_markdown
from bench.tables.forms.text import to_text
from bench.tables.kinds import KINDS, open_source

REGISTRY = load()
AUC, RAW = REGISTRY.metrics["auc"], REGISTRY.protocols["raw"]
NEAR = [
    done("best", 0.6),
    done("alike", 0.5, seed=3),
    done("bad", 0.01),
    done("constant", 0.7, family="trivial", uses_seed=False),
]


def backwards(labels):
    """Worse than chance, with a spread."""
    return np.random.default_rng(5).random(len(labels)) - 0.6 * labels


def entries(table):
    return {row.name: cell for row in table.rows for cell in row.cells}


def test_rows_that_the_test_cannot_tell_from_the_best_are_marked(tmp_path):
    """In text, Markdown and LaTeX, with a legend; neither the best itself nor a trivial row has the
    mark."""
    run = make_run(tmp_path, [*NEAR[:2], done("reversed", direction=backwards), NEAR[3]])
    table = compare(RunScores(run), RAW, AUC)
    found = entries(table)
    summaries = {one.row: one for one in summarise(RunScores(run).measure([RAW], [AUC]))}
    for label in ("alike", "reversed"):
        test = difference(
            [one.clips for one in summaries["best"].measurements],
            [one.clips for one in summaries[label].measurements],
            RAW,
        )
        assert found[label].tied == (test.p >= 0.05)
    assert [found[label].tied for label in ("best", "alike", "reversed", "constant")] == [
        False,
        True,
        False,
        False,
    ]
    text, markdown, latex = to_text(table), to_markdown(table), to_latex(table)
    assert (
        "~ not significantly different from the best of its column (paired test over clips, p >= 0.05"
        in " ".join(text.split())
    )
    assert re.search(r"alike +\d+\.\d+\+~", text) and not re.search(
        r"reversed +-?\d+\.\d+.*~", text
    )
    assert (
        re.search(r"\| alike \| .*\\~", markdown) and r"$\sim$ not significantly different" in latex
    )
    assert re.search(r"alike & .*\\textsuperscript\{\$\\sim\$", latex)


def test_other_metrics_have_no_marks(tmp_path):
    """The test is one of the AUC."""
    run = make_run(tmp_path, NEAR)
    table = compare(RunScores(run), RAW, REGISTRY.metrics["ap"])
    assert not table.tied and not any(cell.tied or cell.low for cell in entries(table).values())


def test_too_few_clips_are_said_in_every_form(tmp_path):
    """Clips, clips of one class, frames of the rarer class, and how far the best reaches."""
    run = make_run(tmp_path, NEAR)
    write_tables(run, REGISTRY, ["raw"])
    normal = sum(int((labels == 0).sum()) for labels in labels_of().values())
    for name in ("comparison.txt", "comparison.md", "comparison-notes.tex"):
        text = " ".join((run.report.tables() / "raw" / name).read_text().split())
        assert (
            f"3 test clips, 0 of one class, and {normal} normal frames, in 3 clips: the data cannot carry close rankings"
            in text
        )
        assert re.search(r"the best, best, lies between \d+\.\d\d and \d+\.\d\d", text)


def test_the_warning_counts_as_ped2_is():
    """12 clips, 4 of one class, 362 normal frames; a dataset with 15 clips of each class has no
    warning."""
    ranges = [(180, 61, 180), (180, 95, 180), (150, 1, 146), (180, 31, 180), (150, 1, 129), (180, 1, 159),
              (180, 46, 180), (180, 1, 180), (120, 1, 120), (150, 1, 150), (180, 1, 180), (180, 88, 180)]  # fmt: skip
    labels = {
        f"{n:02d}": ((np.arange(1, length + 1) >= a) & (np.arange(1, length + 1) <= b)) * 1
        for n, (length, a, b) in enumerate(ranges)
    }

    def record(labels):
        return DatasetRecord(
            "ped2",
            "ped2",
            tuple((clip, len(of), "") for clip, of in labels.items()),
            "f",
            ("frame",),
            {"frame": labels},
        )

    assert too_few(record(labels), "frame").startswith(
        "12 test clips, 4 of one class, and 362 normal frames, in 8 clips: "
    )
    mixed = {f"{n:02d}": np.array([0, 1]) for n in range(15)}
    assert too_few(record(mixed), "frame") == ""
    assert too_few(record(mixed | {"14": np.array([0, 0])}), "frame").startswith(
        "15 test clips, 1 of one class, and 14 anomalous frames"
    )


def test_a_trivial_row_that_the_best_does_not_beat_is_said(tmp_path):
    """The best may be ahead and still not be distinguishable from the frame index."""
    twin = done("frame-index", 0.5, family="trivial", uses_seed=False)
    scores = RunScores(make_run(tmp_path, [*NEAR[:3], twin]))
    text = " ".join(comparison_text(scores, REGISTRY, "raw").split())
    assert (
        "made: the best, best, is not significantly different from the trivial frame-index" in text
    )


def test_the_table_of_intervals_is_that_of_the_summary(tmp_path):
    """Numbers, intervals and the spread over seeds as summary.csv has them, and the distance to the
    best."""
    run = make_run(tmp_path, [*NEAR, done("best", 0.8, seed=1)])
    (table,) = KINDS["intervals"].make(open_source(run, REGISTRY, RAW, AUC))
    shown = {row.name: [cell.shown or cell.mark for cell in row.cells] for row in table.rows}
    frame = summary_frame(summarise(RunScores(run).measure([RAW], [AUC]))).set_index("method")
    for label, row in frame.iterrows():
        assert shown[label][0] == f"{row['mean'] * 100:.2f}"
        assert shown[label][1] == f"{row.ci_low * 100:.2f} to {row.ci_high * 100:.2f}"
    assert [row.cells[0].spread for row in table.rows if row.name == "best"] == [
        f" ± {frame.sd['best'] * 100:.2f} (2)"
    ]
    assert shown["best"][2:] == ["best", "-", "-"]
    assert shown["bad"][2] == f"{(frame['mean']['best'] - frame['mean']['bad']) * 100:+.2f}"
    assert "degrees of freedom), without the spread over seeds." in table.caption


def test_a_row_without_an_interval_says_why(tmp_path):
    """A perfect row has a number and a footnote."""
    run = make_run(
        tmp_path, [done("perfect", direction=lambda labels: labels * 1.0), done("bad", 0.01)]
    )
    (table,) = KINDS["intervals"].make(open_source(run, REGISTRY, RAW, AUC))
    assert (
        table.rows[0].cells[1].mark == "-"
        and "every pair of frames is ordered alike" in dict(table.footnotes)["a"]
    )
    write_tables(run, REGISTRY)
    summary = pd.read_csv(run.report.tables() / "summary.csv").query(
        "method == 'perfect' and protocol == 'raw' and metric == 'auc'"
    )
    assert summary.ci_low.isna().all() and summary.ci_method.item().startswith(
        "none: every pair of frames is ordered alike"
    )


def test_a_pair_is_told_in_words_and_numbers(tmp_path):
    """Own and common frames, seeds apart from clips, and a sentence that follows from p."""
    run = make_run(
        tmp_path,
        [
            done("good", 0.8, first=6),
            done("good", 0.7, seed=1, first=6),
            done("bad", direction=backwards, first=2),
        ],
    )
    (pair,), missing = pairs(run, ("good", "bad"), [], RAW, AUC)
    assert missing == []
    facts = pair.facts()
    frames = sum(LENGTHS.values()) - 6 * len(LENGTHS)
    assert (facts["frames"], facts["clips"], facts["resamples"]) == (frames, 3, 1000)
    assert facts["methods"][0]["seeds"] == [0, 1] and facts["methods"][1]["sd"] is None
    assert facts["difference"] == pytest.approx(
        facts["methods"][0]["common_frames"] - facts["methods"][1]["common_frames"], abs=1e-6
    )
    assert facts["methods"][1]["common_frames"] != facts["methods"][1]["mean"]
    assert facts["p"] < 0.05 and facts["conclusion"].startswith(
        "good is better than bad over clips like these"
    )
    assert facts["remarks"][1].startswith("one seed alone of bad")
    (turned,), _ = pairs(run, ("bad", "good"), [], RAW, AUC)
    assert (
        turned.conclusion() == pair.conclusion()
        and turned.facts()["difference"] == -facts["difference"]
    )


def test_a_pair_that_clips_cannot_tell_apart(tmp_path):
    """The sentence gives the range that the difference may have."""
    (pair,), _ = pairs(make_run(tmp_path, NEAR), ("best", "alike"), [], RAW, AUC)
    facts = pair.facts()
    assert facts["p"] >= 0.05
    ends = f"from {facts['ci_low'] * 100:+.2f} to {facts['ci_high'] * 100:+.2f} points"
    assert facts["clips_needed"] > facts["clips"] and facts["detectable"] > facts["difference"]
    assert facts["conclusion"] == (
        f"These clips cannot tell best and alike apart: the true difference may be anything {ends}. "
        f"If it is the measured one, {facts['clips_needed']} clips like these would show it in 80 of "
        "100 cases."
    )
    assert f"{100 * facts['detectable']:.2f}   a true difference of so many points" in pair.text()


def test_ranks_stand_in_table_figure_and_notes(tmp_path):
    """As `rank` gives them; the note counts neighbours and pairs, and names what a correction
    takes away."""
    run = make_run(tmp_path, [*NEAR, done("reversed", direction=backwards)])
    source = open_source(run, REGISTRY, RAW, AUC)
    (table,) = KINDS["ranks"].make(source)
    summaries = {one.row: one for one in summarise(RunScores(run).measure([RAW], [AUC]))}
    order = [row.name for row in table.rows]
    assert order == sorted(order, key=lambda row: -summaries[row].mean)
    assert "constant" not in order
    column = Column({row: summaries[row].clip_auc for row in order})
    found = rank(column, order)
    for place, row in enumerate(table.rows, 1):
        known = found.ranks[row.name]
        shown = [cell.shown or cell.mark for cell in row.cells]
        assert shown[1:5] == [
            str(place),
            f"{known.low} to {known.high}",
            f"{100 * known.first:.0f}",
            known.groups,
        ]
        if place > 1:
            test, corrected = found.tests[order[0], row.name], found.adjusted[order[0], row.name]
            assert shown[5:] == ["<0.001" if p < 0.001 else f"{p:.3f}" for p in (test.p, corrected)]
    apart = [found.separated(*pair) for pair in found.neighbours]
    pairs_apart = [found.separated(*pair) for pair in found.tests]
    (note,) = table.notes
    assert note.startswith(
        f"made: {apart.count(False)} of 3 neighbours in the ranking, and {pairs_apart.count(False)} "
        "of 6 pairs of rows, are not separated (paired tests over clips, Benjamini-Hochberg among "
        "all pairs); with 3 clips, a true difference of "
    )
    assert any(one.startswith(note) for one in source.comparison.notes)
    (drawn,) = intervals_of_ranks(source)
    names = [label.get_text() for label in drawn.figure.axes[0].get_yticklabels()]
    lines = [
        tuple(line.get_xdata()) for line in drawn.figure.axes[0].lines if len(line.get_xdata()) == 2
    ]
    assert names == order and note in drawn.caption
    assert lines == [(one.low, one.high) for one in found.ranks.values()]


def test_what_a_correction_takes_away_is_named(tmp_path):
    """Rows without ~ that are not separated from the best among all pairs, by their display names."""
    others = [done(f"row{'x' * number}", 0.3, display_name=f"Row {number}") for number in range(5)]
    run = make_run(tmp_path, [done("best", 0.6), *others])
    run_scores = RunScores(run)
    table = compare(run_scores, RAW, AUC)
    found = rank(
        column_of(run_scores, "made", RAW, AUC),
        [row.name for row in KINDS["ranks"].make(open_source(run, REGISTRY, RAW, AUC))[0].rows],
    )
    best, *others = found.ranks
    lost = [row for row in others if found.tests[best, row].p < 0.05 <= found.adjusted[best, row]]
    note = next(one for one in table.notes if "neighbours in the ranking" in one)
    names = ", ".join(f"Row {len(row) - 3}" for row in lost)
    assert lost and note.endswith(f"; without ~, and not separated from the best: {names}")
