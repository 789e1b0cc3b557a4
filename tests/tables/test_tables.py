"""Results and tables, made from run folders alone, against scikit-learn and by eye."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from made_run import LENGTHS, done, labels_of, make_run
from sklearn.metrics import roc_auc_score

from bench import RequestError, Scores
from bench.evaluation.data_frames import RESULT_COLUMNS, SUMMARY_COLUMNS, results_frame
from bench.evaluation.run_scores import RunScores
from bench.plugins.registry import load
from bench.plugins.selection import select_one
from bench.reporting.report_writer import write_tables
from bench.runs.manifest import Manifest
from bench.runs.records import DatasetRecord
from bench.tables import comparison
from bench.tables.comparison import compare
from bench.tables.forms.latex import escape
from bench.tables.forms.text import to_text

REGISTRY = load()


def comparison_text(run, registry, protocol, metric="auc", path=""):
    return comparison.comparison_text(RunScores(run, registry), registry, protocol, metric, path)


def results(run):
    write_tables(run, REGISTRY)
    return pd.read_csv(run.report.tables() / "results.csv", dtype=str, keep_default_na=False)


def summary(run):
    write_tables(run, REGISTRY)
    return pd.read_csv(run.report.tables() / "summary.csv", dtype=str, keep_default_na=False)


def unwrapped(run, protocol, metric="auc"):
    return " ".join(full_text(run, protocol, metric).split())


def full_text(run, protocol, metric="auc"):
    """The comparison as comparison.txt has it; a terminal has fewer footnotes."""
    chosen = select_one("protocols", protocol, REGISTRY).parameters
    return to_text(compare(RunScores(run), chosen, REGISTRY.metrics[metric]))


def test_numbers_equal_scikit_learn(tmp_path):
    """results.csv holds what scikit-learn gives for the stored scores; all protocols and metrics
    are there."""
    run = make_run(tmp_path, [done("pca")])
    frame = results(run)
    assert tuple(frame.columns) == RESULT_COLUMNS
    scores = run.scores(run.cells()[0])
    labels = labels_of()
    expected = roc_auc_score(
        np.concatenate([labels[clip][found.frames] for clip, found in scores.items()]),
        np.concatenate([found.values for found in scores.values()]),
    )
    (value,) = frame[(frame.protocol == "raw") & (frame.metric == "auc")].value
    assert float(value) == pytest.approx(expected, abs=1e-6)
    assert set(frame.protocol) == set(REGISTRY.protocols)
    assert set(frame.metric) == {"auc", "ap", "eer"}
    (row,) = frame[(frame.protocol == "raw") & (frame.metric == "auc")].itertuples()
    assert (row.frames, row.clips, row.clips_left_out, row.status) == ("114", "3", "0", "done")


def test_seeds_are_joined(tmp_path):
    """Mean and standard deviation (n - 1) over seeds; one seed has no spread; the AUC alone has an
    interval."""
    run = make_run(tmp_path, [done("pca", seed=seed) for seed in range(3)] + [done("ae", 2.0)])
    frame = summary(run)
    assert tuple(frame.columns) == SUMMARY_COLUMNS
    values = (
        results(run)
        .query("method == 'pca' and protocol == 'raw' and metric == 'auc'")
        .value.astype(float)
    )
    (row,) = frame.query("method == 'pca' and protocol == 'raw' and metric == 'auc'").itertuples()
    assert (row.seeds, row.seeds_failed) == ("3", "0")
    assert float(row.mean) == pytest.approx(values.mean(), abs=1e-6)
    assert float(row.sd) == pytest.approx(values.std(ddof=1), abs=1e-6)
    assert float(row.ci_low) < values.mean() < float(row.ci_high)
    assert row.ci_method == "clip bootstrap, t on logit scale; 3 clips; 1000 resamples, 0 redrawn"
    others = frame[frame.metric != "auc"]
    assert set(others.ci_low) | set(others.ci_high) | set(others.ci_method) == {""}
    (single,) = frame.query("method == 'ae' and protocol == 'raw' and metric == 'auc'").itertuples()
    assert single.sd == ""
    assert "single seed" in single.flags
    assert "± " in comparison_text(run, REGISTRY, "median17")


def test_failed_seed_leaves_no_mean(tmp_path):
    """No mean over survivors: the table shows a mark with a footnote, the seeds that ran stay in
    results.csv."""
    run = make_run(
        tmp_path,
        [done("pca"), ("pca", 1, "failed", "out of memory at 3.0 GB", 0, {}), done("ae", 2.0)],
    )
    frame = summary(run)
    (row,) = frame.query(
        "method == 'pca' and protocol == 'median17' and metric == 'auc'"
    ).itertuples()
    assert (row.seeds, row.seeds_failed, row.mean, row.sd, row.min) == ("2", "1", "", "", "")
    assert (
        len(
            results(run).query(
                "method == 'pca' and protocol == 'raw' and metric == 'auc' and value != ''"
            )
        )
        == 1
    )
    text = comparison_text(run, REGISTRY, "median17")
    (line,) = [line for line in text.splitlines() if line.startswith("  pca")]
    assert "failed [a]" in line
    assert "[a] seed 1: out of memory at 3.0 GB" in text


def test_missing_dataset_is_a_dash_with_its_reason(tmp_path):
    """No data is no failure and no zero."""
    run = make_run(tmp_path, [("pca", 0, "no data", "made: no training frames below /data", 0, {})])
    text = comparison_text(run, REGISTRY, "median17")
    assert "  pca    - [a]" in text
    assert "[a] made: no training frames below /data" in text
    assert set(results(run).value) == {""}
    assert "-- & \\textsuperscript{a}" in (run.report.tables() / "comparison.tex").read_text()


def test_best_and_second_are_marked(tmp_path):
    """Trivial rows take no part, whatever they get."""
    run = make_run(
        tmp_path,
        [
            done("low", 0.2),
            done("high", 3.0),
            done("middle", 0.6),
            done("constant", 9.0, family="trivial", uses_seed=False),
        ],
    )
    text = comparison_text(run, REGISTRY, "raw")
    lines = {line.split()[0]: line for line in text.splitlines() if re.match(r"  \w", line)}
    assert lines["high"].rstrip().endswith("*")
    assert lines["middle"].rstrip().endswith("+")
    assert not any(mark in lines["low"] + lines["constant"] for mark in "*+")
    assert list(lines)[-1] == "constant"
    tex = (write_tables(run, REGISTRY, ["raw"]), run.report.tables() / "raw" / "comparison.tex")[
        1
    ].read_text()
    assert r"high & \textbf{" in tex
    assert r"middle & \underline{" in tex


def test_equal_scores_give_equal_bytes(tmp_path):
    """The tables of a run can be made again, byte for byte."""
    run = make_run(tmp_path, [done("pca"), done("ae", 2.0)])
    first = [path.read_bytes() for path in write_tables(run, REGISTRY)]
    assert [path.read_bytes() for path in write_tables(run, REGISTRY)] == first


def test_scenes_are_given_beside_the_pooled_number(tmp_path):
    """A dataset with scenes has a line for each, and one for all."""
    run = make_run(tmp_path, [done("pca")], scenes=("a", "b", "b"))
    frame = results(run).query("protocol == 'raw' and metric == 'auc'")
    assert list(frame.scene) == ["", "a", "b"]
    assert list(frame.clips) == ["3", "1", "2"]
    assert len(summary(run).query("protocol == 'raw' and metric == 'auc'")) == 1


def test_models_of_scenes_are_joined_when_all_are_done(tmp_path):
    """One line a scene's model, and one that joins their clips; none while a scene is missing."""
    scenes = ("a", "b", "b")
    run = make_run(
        tmp_path / "whole", [done("pca", scene="a"), done("pca", scene="b")], scenes=scenes
    )
    frame = results(run).query("protocol == 'raw' and metric == 'auc'")
    assert sorted(zip(frame.scene, frame.clips)) == [("", "3"), ("a", "1"), ("b", "2")]
    half = make_run(
        tmp_path / "half",
        [done("pca", scene="a"), ("pca", 0, "failed", "stalled", 0, {"scene": "b"})],
        scenes=scenes,
    )
    frame = results(half).query("protocol == 'raw' and metric == 'auc'")
    (joined,) = frame[frame.scene == ""].itertuples()
    assert (joined.value, joined.reason) == ("", "scene b: stalled")


def test_every_label_set_is_computed_and_the_default_is_shown(tmp_path):
    """A dataset with two label sets has lines for both."""
    run = make_run(tmp_path, [done("pca")], label_sets=("mat", "pixel"))
    assert list(results(run).query("protocol == 'raw' and metric == 'auc'").label_set) == [
        "mat",
        "pixel",
    ]
    assert "Labels: mat (made)" in unwrapped(run, "median17")
    assert "Labels: pixel (made)" in unwrapped(run, "median17[labels=pixel]")
    assert "note: made: has no label set 'pixle'; mat is used" in unwrapped(
        run, "median17[labels=pixle]"
    )


def test_dataset_without_labels_has_scores_and_no_number(tmp_path):
    """Own footage without labels is scored, and the reason stands in the number's place."""
    run = make_run(tmp_path, [done("pca")])
    run.write_dataset(
        DatasetRecord(
            "made",
            "made",
            tuple((clip, length, "") for clip, length in LENGTHS.items()),
            "f",
            (),
            {},
        )
    )
    assert "made has no labels" in comparison_text(run, REGISTRY, "median17")


def test_methods_below_the_frame_index_are_named(tmp_path):
    """Who does not beat the index of the frame has shown nothing."""
    run = make_run(tmp_path, [done("good", 3.0), done("bad", -3.0)])
    scores, labels = (
        run.scores(run.cells()[1]),
        np.concatenate([labels[2:] for labels in labels_of().values()]),
    )
    value = 100 * roc_auc_score(labels, np.concatenate([found.values for found in scores.values()]))
    index = 100 * roc_auc_score(
        labels, np.concatenate([np.arange(2, length) for length in LENGTHS.values()])
    )
    expected = f"note: made: no better than the frame index on the same frames: bad ({value:.2f}, index {index:.2f})"
    assert expected in unwrapped(run, "raw")
    assert "good (" not in unwrapped(run, "raw")


def test_deviation_is_a_footnote_and_a_flag(tmp_path):
    """What differs from the paper stays with its row."""
    run = make_run(
        tmp_path, [done("mnad", deviations=["memory starts afresh in each clip"]), done("pca")]
    )
    assert "[a] memory starts afresh in each clip" in full_text(run, "median17")
    assert "memory starts" not in comparison_text(run, REGISTRY, "median17")
    row = summary(run).query("method == 'mnad' and protocol == 'raw' and metric == 'auc'").iloc[0]
    assert "memory starts afresh in each clip" in row["flags"]


def test_weights_of_a_short_training_carry_their_profile(tmp_path):
    """They draw nothing, so that no second seed is missed; what they were trained under counts."""
    key = {"weights": "0" * 64}
    cells = [
        done("given", uses_seed=False, profile="small", key=key),
        done("pca", uses_seed=False, profile="small"),
    ]
    run = make_run(tmp_path / "run", cells)
    flags = summary(run).query("protocol == 'raw' and metric == 'auc'").set_index("method")["flags"]
    assert flags["given"] == "profile small"
    assert "profile" not in flags["pca"] and "single seed" not in flags["given"]


def test_barely_trained_networks_carry_a_footnote(tmp_path):
    """Below 30 % of the variance of training frames, in any seed or scene; what explains more, or
    is not known, carries none."""
    cells = [
        done("little", facts={"explained": 0.5}),
        done("little", seed=1, facts={"explained": 0.29}),
        done("much", facts={"explained": 0.3}),
        done("pca"),
    ]
    run = make_run(tmp_path / "run", cells)
    text = unwrapped(run, "median17")
    assert re.search(
        r"\[(\w)\] barely trained: the network explains less than 30% of the variance of training frames",
        text,
    )
    flags = summary(run).query("protocol == 'raw' and metric == 'auc'").set_index("method")["flags"]
    assert ["barely trained" in flags[label] for label in ("little", "much", "pca")] == [
        True,
        False,
        False,
    ]
    of_scenes = [
        done("net", scene="a", facts={"explained": 0.9}),
        done("net", scene="b", facts={"explained": -0.1}),
    ]
    joined = make_run(tmp_path / "scenes", of_scenes, scenes=("a", "b", "b"))
    assert "barely trained" in unwrapped(joined, "median17")


def test_networks_are_said_to_be_scored_after_their_last_epoch(tmp_path):
    """Once, whatever the number of rows; not where nothing was trained in epochs."""
    trained = {"parameters": {"epochs": 3}}
    run = make_run(tmp_path / "a", [done("memae", **trained), done("mnad", **trained), done("pca")])
    text = unwrapped(run, "median17")
    assert text.count("scored after their last epoch; none is selected on test clips") == 1
    other = make_run(tmp_path / "b", [done("pca"), ("memae", 0, "failed", "x", 0, trained)])
    assert "last epoch" not in unwrapped(other, "median17")


def test_unknown_metric_is_refused(tmp_path):
    """With the nearest name."""
    with pytest.raises(RequestError, match="no metric 'auk' - did you mean 'auc'"):
        comparison_text(make_run(tmp_path, [done("pca")]), REGISTRY, "median17", "auk")


def test_escape_survives_every_special_character():
    """Names with LaTeX's own characters are printed as they are."""
    assert (
        escape("a_b & 50% #1 {x} ~ ^ \\ $")
        == r"a\_b \& 50\% \#1 \{x\} \textasciitilde{} \textasciicircum{} \textbackslash{} \$"
    )
    assert escape("é 漢\n ± --seeds Größe") == r"\'{e} ? $\pm$ -{}-seeds Gr\"{o}\ss{}e"


def test_equal_numbers_are_marked_alike(tmp_path):
    """Two bests are both the best, and what comes after them is the second."""
    same = [done(name, direction=lambda labels: labels * 1.0) for name in ("one", "two")]
    lines = comparison_text(
        make_run(tmp_path, [*same, done("low", 0.2)]), REGISTRY, "raw"
    ).splitlines()
    assert [line.split()[1][-1] for line in lines if re.match(r"  \w", line)] == ["*", "*", "+"]


def test_lower_is_better_for_the_error_rate(tmp_path):
    """The best EER is the lowest."""
    text = comparison_text(
        make_run(tmp_path, [done("low", 0.2), done("high", 3.0)]),
        REGISTRY,
        "raw",
        "eer",
    )
    assert "equal error rate in percent, lower is better" in text
    assert next(line for line in text.splitlines() if line.startswith("  high")).endswith("*")


def test_text_is_no_wider_than_a_terminal(tmp_path):
    """Many columns are continued below, long names and reasons are wrapped; each dataset stands
    once."""
    names = [f"dataset-with-a-long-name-{number}" for number in range(6)]
    run = make_run(tmp_path, [done("pca")])
    labels = {"frame": labels_of()}
    records = []
    for name in names:
        clips = tuple((clip, length, "") for clip, length in LENGTHS.items())
        run.write_dataset(DatasetRecord(name, name, clips, "f", ("frame",), labels))
        for label in (
            "pca",
            "ddl[path=weights-of-last-year,pseudo=objects,clips=all-of-them,more=yes]",
        ):
            for seed in (0, 1):
                record = run.cells()[0]
                record.folder, record.label, record.dataset, record.dataset_folder = (
                    f"cells/{label[:3]}/{name}/{seed}",
                    label,
                    name,
                    name,
                )
                record.display_name, record.dataset_display_name = label, name
                record.seed, record.warnings = seed, ["a warning that is repeated " * 8]
                run.write_cell(record)
                run.write_scores(
                    record,
                    {
                        clip: Scores(np.random.default_rng(seed).random(n), np.arange(n))
                        for clip, n in LENGTHS.items()
                    },
                )
                records.append(record)
    run.write_manifest(Manifest(cells=[vars(record) for record in records]))
    text = comparison_text(run, REGISTRY, "median17")
    assert max(map(len, text.splitlines())) <= 100
    table, _, _ = text.partition("Frame-level")
    assert all(table.count(name) == 1 for name in names)
    assert "weights-of-last-year," in text


def test_failed_seed_counts_in_each_label_set(tmp_path):
    """No label set gets a mean over survivors, and no line stands for the failed seed alone."""
    cells = [
        done("pca"),
        ("pca", 1, "failed", "stalled", 0, {}),
        ("ae", 0, "failed", "killed", 0, {}),
    ]
    run = make_run(tmp_path, cells, label_sets=("mat", "pixel"))
    frame = summary(run).query("protocol == 'raw' and metric == 'auc'")
    found = list(zip(frame.method, frame.label_set, frame.seeds, frame.seeds_failed, frame["mean"]))
    assert found == [
        ("pca", "mat", "2", "1", ""),
        ("pca", "pixel", "2", "1", ""),
        ("ae", "mat", "1", "1", ""),
    ]
    text = comparison_text(run, REGISTRY, "median17[labels=pixel]")
    assert text.count("failed") == 2
    assert "] killed" in text


@pytest.mark.parametrize("status", ["queued", "running", "interrupted"])
def test_unfinished_cells_say_so(tmp_path, status):
    """What is not there yet is a mark, in the table and in the files."""
    run = make_run(tmp_path, [done("ae"), ("pca", 0, status, "", 0, {})])
    (line,) = [
        line
        for line in comparison_text(run, REGISTRY, "median17").splitlines()
        if line.startswith("  pca")
    ]
    assert line.split() == ["pca", status, "[a]"]
    frame = results(run).query("method == 'pca'")
    assert set(zip(frame.value, frame.status, frame.label_set)) == {("", status, "frame")}


def test_damaged_scores_are_a_failed_cell(tmp_path):
    """The others keep their numbers."""
    run = make_run(tmp_path, [done("ae"), done("pca")])
    path = run.path / run.cells()[1].folder / "scores.npz"
    path.write_bytes(path.read_bytes()[:50])
    frame = results(run).query("protocol == 'raw' and metric == 'auc'")
    assert list(frame.status) == ["done", "failed"]
    assert "scores.npz cannot be read" in frame.reason.iloc[1]
    assert [value != "" for value in frame.value] == [True, False]


def test_one_class_is_a_dash_with_its_reason(tmp_path):
    """Without an anomalous frame there is no curve; the share of the data is said."""
    run = make_run(tmp_path, [done("pca")])
    clips = tuple((clip, length, "") for clip, length in LENGTHS.items())
    nothing = {"frame": {clip: np.zeros(length, np.uint8) for clip, length in LENGTHS.items()}}
    run.write_dataset(DatasetRecord("made", "made", clips, "f", ("frame",), nothing))
    text = comparison_text(run, REGISTRY, "median17")
    assert "  pca    - [a]" in text
    assert "[a] every scored frame is normal" in text
    frame = results(run).query("protocol == 'raw' and metric == 'auc'")
    assert (
        frame.value.item(),
        frame.frames.item(),
        frame.anomalous_frames.item(),
        frame.status.item(),
    ) == ("", "114", "0", "done")


def test_incomplete_data_and_lengths_from_labels_are_said(tmp_path):
    """Numbers of a part of a dataset, or without a look at its frames, are named as such."""
    run = make_run(tmp_path, [done("pca", data_share=0.2)], share=0.2, lengths_from="labels")
    text = unwrapped(run, "median17")
    assert "note: made: 20 % of the data is there" in text
    assert "the lengths of the clips come from the labels" in text
    assert "20 % of the data" in summary(run)["flags"].iloc[0]


def test_the_least_share_of_all_seeds_counts(tmp_path):
    """Also where it is not that of the first seed."""
    cells = [done("pca", data_share=1.0), done("pca", seed=1, data_share=0.5)]
    assert "note: made: 50 % of the data is there" in unwrapped(
        make_run(tmp_path, cells, share=0.5), "median17"
    )


def test_clip_position_is_left_out_where_it_is_the_frame_index(tmp_path):
    """After min-max in each clip the two are one; without it they are two."""
    trivial = {"family": "trivial", "uses_seed": False}
    cells = [
        done(
            "clip-position",
            direction=lambda labels: np.arange(len(labels)) / (len(labels) - 1),
            first=0,
            **trivial,
        ),
        done("frame-index", direction=lambda labels: np.arange(len(labels)), first=0, **trivial),
    ]
    run = make_run(tmp_path, cells)
    assert "  clip-position " not in comparison_text(run, REGISTRY, "minmax")
    assert "note: Clip position is left out" in comparison_text(run, REGISTRY, "minmax")
    assert "  clip-position " in comparison_text(run, REGISTRY, "raw")
    frame = results(run).query("protocol == 'minmax' and metric == 'auc'")
    assert frame.value.nunique() == 1


def spoiled_start(labels):
    """Perfect, but for frames 2 to 9."""
    scores = labels * 1.0
    scores[2:10] = 5.0
    return scores


def nearly_perfect(labels):
    """One mistake in each clip, in its last frames."""
    scores = labels * 1.0
    scores[-2:] = 0.5
    return scores


def test_common_frames(tmp_path):
    """What changes places on common frames is said; a row with less than half of the frames takes
    no part."""
    cells = [
        done("early", direction=spoiled_start, first=2),
        done("late", direction=nearly_perfect, first=10),
        done("short", direction=lambda labels: labels * 1.0, first=28),
    ]
    run = make_run(tmp_path, cells)
    text = unwrapped(run, "raw")
    common = {clip: np.arange(10, length) for clip, length in LENGTHS.items()}
    labels = np.concatenate([labels_of()[clip][frames] for clip, frames in common.items()])
    late = 100 * roc_auc_score(
        labels,
        np.concatenate(
            [nearly_perfect(labels_of()[clip])[frames] for clip, frames in common.items()]
        ),
    )
    assert (
        f"note: made: on the 90 frames that all rows scored the order changes: early (100.00) before late ({late:.2f})"
        in text
    )
    table = unwrapped(run, "raw[frames=common]")
    assert "early 100.00" in table
    assert f"late {late:.2f}" in table
    assert "note: frames that all of these rows scored: 90 (made); rows: early, late" in table
    assert "these scored less than half of the frames and are given on fewer still: short" in table


def test_rows_of_seeds_on_equal_frames_need_no_note(tmp_path):
    """Without a change of order nothing is said."""
    assert "the order changes" not in comparison_text(
        make_run(tmp_path, [done("pca"), done("ae", 2.0)]), REGISTRY, "raw"
    )


def test_equal_reasons_share_a_letter(tmp_path):
    """One footnote for one reason."""
    run = make_run(
        tmp_path,
        [(name, 0, "failed", "out of memory", 0, {}) for name in ("one", "two")]
        + [("three", 0, "failed", "stalled", 0, {})],
    )
    text = comparison_text(run, REGISTRY, "median17")
    assert [line.split()[-1] for line in text.splitlines() if line.startswith("  ")] == [
        "[a]",
        "[a]",
        "[b]",
    ]
    assert text.count("out of memory") == 1


def test_average_precision_has_its_chance_level(tmp_path):
    """AP means nothing without the share of anomalous frames."""
    labels = np.concatenate([labels[2:] for labels in labels_of().values()])
    assert f"{100 * labels.mean():.2f} (made)" in unwrapped(
        make_run(tmp_path, [done("pca")]), "raw", "ap"
    )


def test_caption_says_the_threads_of_cells_on_a_cpu(tmp_path):
    """Each number once, of finished cells alone: last digits depend on them. A GPU sums in its own
    way."""
    cells = [
        done("a", threads=4),
        done("a", seed=1, threads=1),
        ("b", 0, "failed", "it broke", 0, {"threads": 9}),
    ]
    assert "Device: cpu of 1 and 4 threads." in unwrapped(make_run(tmp_path / "a", cells), "raw")
    assert "Device: cpu of 1 thread." in unwrapped(make_run(tmp_path / "b", [done("a")]), "raw")
    assert "Device: cuda:0." in unwrapped(
        make_run(tmp_path / "c", [done("a", device="cuda:0", threads=4)]), "raw"
    )
    assert "Device: cpu." in unwrapped(make_run(tmp_path / "d", cells[2:]), "raw")


def test_paths_of_boxes_are_not_in_the_caption(tmp_path):
    """Tables made on two machines are alike."""
    run = make_run(tmp_path, [done("ddl", detector="boxes[path=/home/me/ped2_yolov3.json]")])
    assert "Detector: boxes[path=ped2_yolov3.json]." in unwrapped(run, "median17")


def test_published_number_stands_beside_as_a_fraction(tmp_path):
    """summary.csv keeps what the paper prints, apart from what was measured."""
    run = make_run(tmp_path, [done("ddl", published={"auc": "98.46", "source": "Table 2"})])
    frame = summary(run).query("protocol == 'raw'")
    assert list(zip(frame.metric, frame.published, frame.published_source)) == [
        ("auc", "0.9846", "Table 2"),
        ("ap", "", ""),
        ("eer", "", ""),
    ]


def test_frame_becomes_json(tmp_path):
    """`bench score --json` writes the frame; what does not exist is null."""
    run = make_run(tmp_path, [done("pca"), ("ae", 0, "failed", "stalled", 0, {})])
    frame = results_frame(
        RunScores(run).measure([REGISTRY.protocols["raw"]], [REGISTRY.metrics["auc"]])
    )
    good, bad = json.loads(frame.to_json(orient="records"))
    assert (good["frames"], bad["value"], bad["frames"], bad["reason"]) == (
        114,
        None,
        None,
        "stalled",
    )


def test_names_with_special_characters_survive(tmp_path):
    """Markdown and LaTeX show them as they are, and every row of the LaTeX table has its
    columns."""
    label = "a_b[path=x&y|z*]"
    run = make_run(
        tmp_path,
        [
            done(label),
            done("pca"),
            ("bad", 0, "failed", r"100% \undefined {x_y} #$^~ <a|b>", 0, {}),
        ],
    )
    write_tables(run, REGISTRY)
    markdown = (run.report.tables() / "comparison.md").read_text()
    assert r"| a\_b\[path=x\&y\|z\*\] |" in markdown
    tex = (run.report.tables() / "comparison.tex").read_text()
    assert r"a\_b[path=x\&y\textbar{}z*] &" in tex
    bare = re.sub(
        r"\\[\\{}&%]", "", re.sub(r"%.*", "", tex.replace(r"\%", "").replace(r" \\", " END"))
    )
    assert bare.count("{") == bare.count("}")
    rows = [
        line for line in bare.splitlines() if line.endswith("END") and "multicolumn" not in line
    ]
    assert {line.count("&") for line in rows} == {2}  # the number and what follows it
    assert tex.isascii()


def test_clips_that_are_left_out_are_named(tmp_path):
    """With the reason: shorter than the window as the cell says, without a score, or of one class
    where each clip counts by itself."""
    run = make_run(
        tmp_path, [done("pca", clips_left_out=["03"]), done("ae", 0.8)], one_class=("02",)
    )
    for cell in run.cells():
        scores = run.scores(cell)
        run.write_scores(
            cell, scores | {"03": Scores(np.empty(0, np.float32), np.empty(0, np.int64))}
        )
    text = unwrapped(run, "raw")
    assert (
        "] 1 clip left out, shorter than the window: 03 " in text
        and "] 1 clip left out, without a score: 03 " in text
    )
    assert "whose scored frames" not in text
    assert "] 1 clip left out, whose scored frames are of one class" in unwrapped(
        run, "raw[pool=macro]"
    )


def test_one_clip_is_one_clip(tmp_path):
    """And not '1 clips': a dataset whose only clip with normal frames is one."""
    text = unwrapped(make_run(tmp_path, [done("pca")], one_class=("01", "02")), "raw")
    assert (
        "3 test clips, 2 of one class, and " in text
        and "normal frames, in 1 clip: the data" in text
    )


def test_rows_without_a_test_are_named(tmp_path):
    """They have no mark of a tie, and that does not mean that they differ."""
    best = done("best", direction=lambda labels: labels.astype(float))
    run = make_run(tmp_path / "a", [best, done("pca"), done("net", 0.4)])
    reason = "one of the two orders every pair of frames alike, so that no resample differs"
    assert f"made: no test against the best, best, of any row: {reason}" in unwrapped(run, "raw")
    cells = [done("best", 0.9), done("pca"), ("mnad", 0, "failed", "fell", 0, {})]
    run = make_run(tmp_path / "b", cells, one_class=("01", "02"))
    reason = "one clip alone has frames of one of the classes, and cannot be resampled"
    assert f"no test against the best, best, of pca: {reason}" in unwrapped(run, "raw")
    assert "no test" not in unwrapped(make_run(tmp_path / "c", cells), "raw")


def test_share_of_data_is_that_of_rows_that_ran(tmp_path):
    """A row without data says so itself; it does not mark the rows that need none of what is
    missing."""
    run = make_run(
        tmp_path,
        [done("constant"), ("pca", 0, "no data", "made: no frames", 0, {"data_share": 0.0})],
    )
    assert "of the data is there" not in comparison_text(run, REGISTRY, "median17")
    part = make_run(tmp_path / "part", [done("pca", data_share=0.48)])
    assert "48 % of the data is there" in comparison_text(part, REGISTRY, "median17")


ENTRY = "@article{smith2020,\n  title = {A},\n}"


def test_published_numbers_of_methods_that_cannot_run_are_marked(tmp_path):
    """They stand in their column, are never ranked, and their footnote says that they were not
    measured here, and why."""
    more = {"published": {"auc": "99.9", "source": "Smith 2020, Table 1"}}
    run = make_run(
        tmp_path,
        [
            done("pca"),
            ("mamc", 0, "published only", "no public specification", 0, more),
            done("memae", 0.1),
        ],
    )
    text = unwrapped(run, "median17")
    assert re.search(r"mamc 99\.9 \[\w\]", text)
    assert "published (Smith 2020, Table 1), not measured here: no public specification" in text
    assert len(re.findall(r"\d\*", text)) == 1
    found = summary(run)
    assert (
        found[
            (found.method == "mamc") & (found.protocol == "median17") & (found.metric == "auc")
        ].iloc[0]["mean"]
        == ""
    )


def test_published_only_without_a_number_is_a_dash(tmp_path):
    """On a dataset that its paper does not have."""
    run = make_run(
        tmp_path, [done("pca"), ("mamc", 0, "published only", "no public specification", 0, {})]
    )
    text = unwrapped(run, "median17")
    assert re.search(r"mamc - \[\w\]", text)
    assert "nothing is published; no public specification" in text


def test_latex_cites_and_the_entries_lie_beside_it(tmp_path):
    """A method with a BibTeX entry is cited; references.bib holds each entry once; a key that LaTeX
    cannot take is left out."""
    cited = {"citation": "smith2020", "bibtex": ENTRY}
    run = make_run(
        tmp_path,
        [
            done("pca", **cited),
            done("memae", **cited),
            done("mnad", citation="a}b", bibtex="@misc{x}"),
            done("tsc", citation="y"),
        ],
    )
    write_tables(run, REGISTRY)
    latex = (run.report.tables() / "comparison.tex").read_text()
    assert latex.count(r"~\cite{smith2020}") == 2
    assert latex.count(r"\cite{") == 2
    assert (run.report.tables() / "references.bib").read_text().count(ENTRY) == 1


def test_ablation_arranges_networks_and_variants(tmp_path):
    """Each measured number stands under its variant as in the comparison, the published ones apart;
    what was not run is a dash."""
    published = {"auc": "98.46", "source": "Paper, Table 2"}
    run = make_run(
        tmp_path,
        [
            done("c3dsu", 0.6, ablation=["C3DSU", "DDL"], published=published),
            done("c3dsu-plain", 0.2, ablation=["C3DSU", "plain"]),
            done("unet", 0.3, ablation=["UNet", "DDL"]),
            done("pca"),
        ],
    )
    write_tables(run, REGISTRY)
    text = (run.report.tables() / "ablation.txt").read_text()
    comparison = (run.report.tables() / "comparison.txt").read_text()

    def number(label):
        return re.search(rf"{label} +(\d+\.\d+)", comparison)[1]

    assert re.search(rf"C3DSU +{number('c3dsu')} +{number('c3dsu-plain')}\b", text)
    assert re.search(rf"UNet +{number('unet')} +-", text)
    assert re.search(r"published\n +C3DSU +98.46 +-", text)
    assert "Published: Paper, Table 2, as printed." in " ".join(text.split())
    assert "pca" not in text
    under_ddl = (run.report.tables() / "summary.csv").read_text()
    ddl = re.search(r"^c3dsu,made,frame,ddl,auc,1,0,(0\.\d+)", under_ddl, re.MULTILINE)[1]
    assert re.search(rf"measured here, protocol ddl\n +C3DSU +{100 * float(ddl):.2f}", text)
    assert (run.report.tables() / "ablation.tex").read_text().count("C3DSU") == 3


def test_without_variants_there_is_no_ablation(tmp_path):
    """A run of other methods writes no such table."""
    run = make_run(tmp_path, [done("pca")])
    write_tables(run, REGISTRY)
    assert not (run.report.tables() / "ablation.txt").exists()


def test_score_of_a_frame_that_its_clip_lacks_costs_the_cell(tmp_path):
    """Scores of another clip's length are a failed row that names the file, not a traceback or a
    number."""
    run = make_run(tmp_path / "run", [done("pca"), done("memae")])
    (cell,) = [cell for cell in run.cells() if cell.label == "pca"]
    scores = run.scores(cell)
    run.write_scores(cell, {**scores, "01": Scores(scores["02"].values, scores["02"].frames)})
    results = results_frame(
        RunScores(run).measure([load().protocols["raw"]], [load().metrics["auc"]])
    )
    assert results.set_index("method").status.to_dict() == {"pca": "failed", "memae": "done"}
    assert (
        "scores.npz: clip 01 has a score of frame 49, and 40 frames"
        in results.set_index("method").reason["pca"]
    )


def upright(labels):
    return labels + np.random.default_rng(len(labels)).random(len(labels))


def test_a_row_that_is_upside_down_says_so(tmp_path):
    """With what the scores have turned round, and the parameter that does it; trivial rows, bad
    ones and good ones are left alone."""
    from_file = {"parameters": {"path": "x.npz", "higher_is": "anomalous"}, "family": "from a file"}
    run = make_run(
        tmp_path,
        [
            done("good", direction=upright),
            done("scores[path=x.npz]", direction=lambda labels: -upright(labels), **from_file),
            done("mine", direction=lambda labels: -upright(labels)),
            done("mine", seed=1, direction=lambda labels: -2 * upright(labels)),
            done(
                "bad",
                direction=lambda labels: (
                    np.random.default_rng(3).random(len(labels)) - 0.1 * labels
                ),
            ),
            done("trivial-one", direction=lambda labels: -upright(labels), family="trivial"),
        ],
    )
    text = " ".join(comparison_text(run, REGISTRY, "raw").split())
    labels = np.concatenate([labels[2:] for labels in labels_of().values()])
    value = 100 * roc_auc_score(
        labels, np.concatenate([upright(labels)[2:] for labels in labels_of().values()])
    )
    numbers = f"normal frames score higher ({100 - value:.2f}), and turned round the scores have {value:.2f}"
    assert (
        f"note: made: scores[path=x.npz] is probably upside down: {numbers}; set higher_is=normal if the file means it so"
        in text
    )
    assert (
        f"note: made: mine is probably upside down: {numbers}; a method must give more anomalous frames higher scores"
        in text
    )
    assert text.count("upside down") == 2
    assert "upside down" not in comparison_text(run, REGISTRY, "raw", metric="eer")


def test_a_row_that_may_be_low_by_chance_is_not_called_upside_down(tmp_path):
    """Where the interval over clips holds one half."""
    wrong = {40: -1, 50: -1, 30: 1}  # by the clips' lengths: one clip is right, two are wrong
    run = make_run(
        tmp_path, [done("uneven", direction=lambda labels: wrong[len(labels)] * upright(labels))]
    )
    scores = run.scores(run.cells()[0])
    value = roc_auc_score(
        np.concatenate([labels[2:] for labels in labels_of().values()]),
        np.concatenate([s.values for s in scores.values()]),
    )
    assert value < 1 / 3
    assert "upside down" not in comparison_text(run, REGISTRY, "raw")
