"""Measured numbers beside published ones: under the protocol of the paper, in every table."""

from pathlib import Path

import numpy as np
import pytest
from made_run import done, make_run
from scipy.signal import medfilt
from sklearn.metrics import roc_auc_score

from bench.plugins.registry import load
from bench.plugins.selection import select_one
from bench.runs.folder import Run
from bench.runs.table_options import TableOptions
from bench.tables.kinds import KINDS, open_source
from bench.tables.table_files import kind_files

REGISTRY = load()
RESULTS = Path(__file__).parents[2] / "results"
UNKNOWN = "the protocol of its paper is not known: that of the comparison"


def source_of(run, protocol="median17", metric="auc"):
    return open_source(run, REGISTRY, REGISTRY.protocols[protocol], REGISTRY.metrics[metric])


def columns_of(run, **asked):
    """Row -> its cells, and the table itself."""
    (table,) = KINDS["published-columns"].make(source_of(run, **asked))
    return {row.name: row.cells for row in table.rows}, table


def one_span(scores):
    """Scores of a clip from 0 to 1; all 0 where they are equal."""
    return (scores - scores.min()) / ((scores.max() - scores.min()) or 1)


def mirrored(scores):
    """The median of 17 scores, the ends of the clip mirrored."""
    padded = np.pad(scores, 8, mode="symmetric")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, 17), axis=1)


PLAIN = {
    "ddl": lambda scores: medfilt(scores, 17),
    "minmax": one_span,
    "raw": lambda scores: scores,
    "median17": lambda scores: one_span(mirrored(scores)),
}
"""What each protocol makes of the scores of one clip, on a dataset without scenes."""


@pytest.mark.parametrize("name", ["ped2-large", "ped2-medium", "ped2-small"])
def test_committed_numbers_under_the_protocols_of_the_papers(name):
    """Computed again from scores.npz with SciPy and scikit-learn alone: measured, and less what is
    published."""
    folder = RESULTS / name
    with np.load(folder / "datasets" / "ped2.npz") as file:
        labels = {key.rpartition("/")[2]: file[key] for key in file}
    rows, table = columns_of(Run.open(folder))
    assert table.columns[-1] == "protocol" and rows["c3dsu"][-1].mark == "ddl"
    compared = 0
    for cell in {cell.label: cell for cell in Run.open(folder).cells()}.values():
        if cell.label not in rows or rows[cell.label][1].value is None:
            continue
        published, measured, difference, protocol = rows[cell.label]
        seeds = []
        for path in sorted(folder.glob(f"{Path(cell.folder).parent}/*/scores.npz")):
            with np.load(path) as file:
                clips = [key for key in file if not key.endswith(".frames")]
                made = [PLAIN[protocol.mark](file[clip].astype(float)) for clip in clips]
                truth = [labels[clip][file[f"{clip}.frames"]] for clip in clips]
            seeds.append(100 * roc_auc_score(np.concatenate(truth), np.concatenate(made)))
        assert measured.value == pytest.approx(np.mean(seeds), abs=1e-4), cell.label
        if published.value is not None:
            compared += 1
            digits = len(published.shown.partition(".")[2])
            expected = round(np.mean(seeds), 2) - float(published.shown)
            assert float(difference.shown) == pytest.approx(expected, abs=0.51 * 10**-digits)
    assert compared >= 3


def test_the_shared_protocol_where_the_paper_does_not_say(tmp_path):
    """With a footnote where a number is published, and without one beside a row of one's own;
    no row is marked as the best."""
    run = make_run(
        tmp_path,
        [
            done("ae-conv2d", 0.4, dataset="ped2"),
            done("memae", 0.5, dataset="ped2"),
            done("mine", 0.6, dataset="ped2"),
            done("far", 0.6, dataset="ped2", paper_protocol="of-a-plugin"),
        ],
    )
    rows, table = columns_of(run)
    footnotes = dict(table.footnotes)
    said = {
        name: (cells[-1].mark, [footnotes[letter] for letter in cells[-1].notes])
        for name, cells in rows.items()
    }
    assert said == {
        "ae-conv2d": ("median17", [UNKNOWN]),
        "memae": ("minmax", []),
        "mine": ("median17", []),
        "far": ("median17", [f"{UNKNOWN}; of-a-plugin is no protocol that is known here"]),
    }
    assert [note.partition(":")[0] for note in table.notes] == ["median17", "minmax"]
    assert not table.ranked and not table.tied
    shared = {row.name: row.cells[0] for row in source_of(run).comparison.rows}
    assert rows["mine"][1].shown == shared["mine"].shown
    assert rows["memae"][1].shown != shared["memae"].shown
    under_raw, _ = columns_of(run, protocol="raw")
    assert under_raw["memae"][1:] == rows["memae"][1:]
    assert under_raw["mine"][-1].mark == "raw"


def test_what_the_cell_says_comes_first(tmp_path):
    """Of scores from a file the user says the protocol, with its label set; cells of earlier
    versions are those of their method."""
    run = make_run(
        tmp_path,
        [
            done("scores", 0.5, dataset="ped2", paper_protocol="raw[labels=pixel]"),
            done("memae", 0.5, dataset="ped2", paper_protocol="raw"),
            done("steal", 0.5, dataset="ped2"),
        ],
        label_sets=("mat", "pixel"),
    )
    rows, _ = columns_of(run)
    assert [cells[-1].mark for cells in rows.values()] == ["raw[labels=pixel]", "raw", "minmax"]
    pixel = source_of(run).run_scores.measure(
        [REGISTRY.protocols["raw"]], [REGISTRY.metrics["auc"]]
    )
    expected = {(one.cell.label, one.label_set): 100 * one.result.value for one in pixel}
    assert rows["scores"][1].value == pytest.approx(expected["scores", "pixel"])
    assert rows["memae"][1].value == pytest.approx(expected["memae", "mat"])


def test_part_of_the_data_is_said_at_the_number(tmp_path):
    """The comparison has it in its notes, which are not those of this table."""
    run = make_run(tmp_path, [done("memae", dataset="ped2", data_share=0.5)])
    rows, table = columns_of(run)
    footnotes = dict(table.footnotes)
    assert [footnotes[letter] for letter in rows["memae"][1].notes] == ["50 % of the data"]


def test_published_numbers_stand_beside_no_other_metric(tmp_path):
    """They are AUCs: no table of another metric has one, the comparison of a paper included."""
    published = {"auc": "96.7", "source": "Smith 2020"}
    more = {"dataset": "ped2", "published": published, "ablation": ["C3DSU", "DDL"]}
    run = make_run(
        tmp_path,
        [
            done("c3dsu", **more),
            ("mamc", 0, "published only", "no code", 0, {"dataset": "ped2", "published": published}),
        ],
    )  # fmt: skip
    source = source_of(run, metric="ap")
    source.run_scores.options = TableOptions(published=("vec",))
    assert "96.7" in kind_files(source_of(run), "comparison")["comparison.txt"]
    for name in KINDS:
        for text in kind_files(source, name).values():
            assert "96.7" not in text and "97.3" not in text and "98.46" not in text, name
    for name in ("published-rows", "published-columns", "ddl-table1"):
        assert not KINDS[name].make(source), name
    with_vec = source_of(run)
    with_vec.run_scores.options = TableOptions(published=("vec",))
    assert "97.3" in kind_files(with_vec, "comparison")["comparison.tex"]


def test_protocols_of_the_built_in_methods():
    """Each is a protocol, and the words beside it say the same thing at greater length."""
    known = {
        name: method.info.paper_protocol
        for name, method in REGISTRY.methods.items()
        if method.info.paper_protocol
    }
    assert {name for name, text in known.items() if text == "ddl"} == {
        "c3dsu", "c3dsu-sdl", "c3dsu-plain", "unet", "unet-sdl", "unet-plain",
    }  # fmt: skip
    for name, text in known.items():
        assert select_one("protocols", text, REGISTRY).parameters
        assert REGISTRY.methods[name].info.published_protocol, name
    scaled = {name for name, text in known.items() if text == "minmax"}
    assert all(
        "min-max in each clip" in REGISTRY.methods[name].info.published_protocol for name in scaled
    )
    # MNAD's score is the authors' mixture, which they pool as it is.
    assert known["mnad"] == "raw" and REGISTRY.methods["mnad"].normalises_clips
