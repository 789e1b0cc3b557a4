"""report.html: what stands in the file, without a browser."""

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from made_run import HOSTILE, LENGTHS, done, keep_images, labels_of, make_full_run, make_run
from scipy.ndimage import gaussian_filter1d, median_filter
from sklearn.metrics import auc, roc_auc_score

from bench import Scores
from bench.evaluation.pairs import pairs
from bench.page import curves
from bench.page import page as page_module
from bench.page.methods import reference
from bench.page.page import write_page
from bench.plugins.registry import load
from bench.scoring.protocols import process
from bench.tables.forms.text import to_text
from bench.tables.kinds import KINDS, open_source

REGISTRY = load()


class Page(HTMLParser):
    """The tables of a page (id -> rows -> texts of cells), its embedded data, the elements it has,
    and all of its text."""

    def __init__(self, path):
        super().__init__()
        self.tables, self.embedded, self.elements, self.addresses, self.text = {}, {}, [], [], ""
        self._table, self._into, self._aside = None, None, False
        self.html = path.read_text(encoding="utf-8")
        self.feed(self.html)
        self.close()
        self.data = json.loads(self.embedded["data"])
        self.images = json.loads(self.embedded["images"])

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.elements.append(tag)
        self.addresses += [value for key, value in attributes if key in ("src", "href", "action")]
        self._into = found.get("id") if tag == "script" else None
        self._aside = self._aside or tag == "sup" or found.get("class") == "of-family"
        if tag == "table":
            self._table = self.tables.setdefault(found.get("id"), [])
        elif tag == "tr" and self._table is not None:
            self._table.append([])
        elif tag in ("td", "th") and self._table:
            self._table[-1].append("")

    def handle_endtag(self, tag):
        self._aside = self._aside and tag not in ("sup", "small")
        if tag == "table":
            self._table = None
        elif tag == "script":
            self._into = None

    def handle_data(self, data):
        if self._into:
            self.embedded[self._into] = self.embedded.get(self._into, "") + data
        elif "script" not in self.elements[-1:] and "style" not in self.elements[-1:]:
            self.text += data
            if self._table and self._table[-1] and not self._aside:
                self._table[-1][-1] += data

    def numbers(self, table):
        """Label -> texts of its cells, notes and spread cut off."""
        rows = [row for row in self.tables[table] if len(row) > 1]
        return {
            row[0].strip(): [
                re.match(r"\s*(\d+\.\d\d|\w+(?:\.\d+)?|–|$)", cell)[1] for cell in row[1:]
            ]
            for row in rows
        }


def source_of(run, protocol="median17", metric="auc"):
    return open_source(run, REGISTRY, REGISTRY.protocols[protocol], REGISTRY.metrics[metric])


def page_of(run, path, **options):
    write_page(source_of(run, **options), path / "report.html")
    return Page(path / "report.html")


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """The run with everything, its source and its page."""
    run = make_full_run(tmp_path_factory.mktemp("full"))
    source = source_of(run)
    assert write_page(source, run.path / "report.html") == ([run.path / "report.html"], [])
    return run, source, Page(run.path / "report.html")


def scaled(scores):
    return (scores - scores.min()) / (scores.max() - scores.min())


def smooth(scores):
    return median_filter(scores, 17, mode="reflect")


PROCESSED = {
    "median17": lambda scores: scaled(smooth(scores)),
    "minmax": scaled,
    "raw": lambda scores: scores,
    "minmax-median17": lambda scores: smooth(scaled(scores)),
    "gaussian10": lambda scores: scaled(gaussian_filter1d(scores, 10)),
    "macro17": lambda scores: scaled(smooth(scores)),
}
"""Protocols in plain scipy."""


def by_hand(run, label, protocol):
    """Return pooled or macro AUC, and that of each clip, of the seeds of a method: scores.npz,
    scipy and scikit-learn alone."""
    totals, clips = [], {}
    for cell in run.cells():
        if cell.label != label or cell.status != "done":
            continue
        kept = np.load(run.cell_path(cell) / "scores.npz")
        truth = {
            clip: (np.ones(length) if clip == "02" else labels_of()[clip])[kept[f"{clip}.frames"]]
            for clip, length in LENGTHS.items()
        }
        found = {clip: PROCESSED[protocol](kept[clip].astype(np.float64)) for clip in LENGTHS}
        alone = {clip: roc_auc_score(truth[clip], found[clip]) for clip in ("01", "03")}
        for clip, value in alone.items():
            clips.setdefault(clip, []).append(value)
        joined = (np.concatenate([parts[clip] for clip in LENGTHS]) for parts in (truth, found))
        totals.append(
            np.mean(list(alone.values())) if protocol == "macro17" else roc_auc_score(*joined)
        )
    return f"{np.mean(totals) * 100:.2f}", {
        clip: f"{np.mean(values) * 100:.2f}" for clip, values in clips.items()
    }


@pytest.mark.parametrize("protocol", PROCESSED)
def test_numbers_are_those_of_scikit_learn_and_of_the_tables(full, protocol):
    """Under each protocol: the table on the page, the number beside the curves, the numbers of
    clips, and the text table."""
    run, source, page = full
    which = [one["name"] for one in page.data["views"]].index(protocol)
    shown = page.numbers(f"comparison-{which + 1}")
    labels = [method["label"] for method in page.data["methods"]]
    (dataset,) = page.data["datasets"]
    for label in ("c3dsu", "ae_conv[x=1]", "pca", "frame-index"):
        total, clips = by_hand(run, label, protocol)
        assert shown[label][0] == total, label
        assert dataset["numbers"][which][labels.index(label)].split(" ")[0] == total
        of_clips = dataset["by_clip"][which][labels.index(label)]
        assert {"01": of_clips[0], "03": of_clips[2]} == clips
    if protocol == "median17":
        text = to_text(source.comparison)
        assert all(
            f" {shown[label][0]}" in text
            for label in ("c3dsu", "ae_conv[x=1]", "pca", "frame-index")
        )


def test_metric_is_the_chosen_one(full, tmp_path):
    """Average precision on the page where it is asked for."""
    page = page_of(full[0], tmp_path, metric="ap")
    assert (
        page.data["metric"] == {"name": "AP", "higher": True}
        and "Frame-level average precision" in page.text
    )


def test_marks_and_reasons(full):
    """A failed seed, a dataset that is not there, a clip of one class, a published number, a single
    seed, a name with _."""
    page = full[2]
    shown = page.numbers("comparison-1")
    assert shown["half"][0] == "failed" and shown["pca"][-1] == "–"
    assert shown["mamc"][:2] == ["–", "96.7"]
    assert (
        "ae_conv[x=1]" in shown
        and "there is no folder absent" in page.text
        and "single seed" in page.text
    )
    (dataset,) = page.data["datasets"]
    labels = [method["label"] for method in page.data["methods"]]
    in_first = dict(zip(labels, dataset["by_clip"][0]))
    assert dataset["reasons"][in_first["c3dsu"][1]] == {
        "mark": "-",
        "text": "every scored frame is anomalous, and one class alone has no auc",
    }
    assert dataset["reasons"][in_first["half"][0]]["mark"] == "failed" and in_first["mamc"] is None
    assert page.numbers("scenes-1-1")["c3dsu"][0] == by_hand_of_scene(full[0])
    assert (
        "first line" in page.text
        and "Cells: 7 done, 1 failed, 1 no data, 1 published only." in page.text
    )


def by_hand_of_scene(run):
    """The AUC of scene 01, clips 01 and 02, of the two seeds of c3dsu."""
    values = []
    for cell in run.cells()[:2]:
        kept = np.load(run.cell_path(cell) / "scores.npz")
        truth = np.concatenate([labels_of()["01"][2:], np.ones(48)])
        values.append(
            roc_auc_score(
                truth,
                np.concatenate([scaled(smooth(kept[clip].astype(float))) for clip in ("01", "02")]),
            )
        )
    return f"{np.mean(values) * 100:.2f}"


def test_hostile_text_stays_text(full):
    """Tags in a name, a reason, a log and a footnote are shown, and make no element."""
    page = full[2]
    assert (
        page.elements.count("script") == 3 and "img" not in page.elements and "b" in page.elements
    )
    assert page.text.count(HOSTILE) >= 4
    assert HOSTILE in [method["label"] for method in page.data["methods"]]
    assert "</script" not in page.embedded["data"] and "<" not in page.embedded["data"]


def test_page_needs_nothing_else(full):
    """No address but anchors, files beside it and data; and the browser is told to load nothing."""
    page = full[2]
    assert [
        address for address in page.addresses if not address.startswith(("#", "data:", "tables/"))
    ] == []
    assert (
        "default-src 'none'" in page.html and "@import" not in page.html and "url(" not in page.html
    )


def test_links_lead_to_the_tables_that_are_there(tmp_path):
    """Relative to the page; no link where there is no file."""
    run = make_run(tmp_path, [done("pca")])
    assert not any(address.startswith("tables/") for address in page_of(run, tmp_path).addresses)
    run.report.tables().mkdir()
    (run.report.tables() / "comparison.tex").write_text("x")
    assert "tables/comparison.tex" in page_of(run, tmp_path).addresses


def unpacked(packed, which):
    """Return frames and scores of a clip under a protocol."""
    variant, low, high = packed["of"][which]
    frames, text = packed["variants"][variant]
    steps = np.frombuffer(base64.b64decode(text), dtype="<u2")
    return (
        np.arange(frames, frames + len(steps)) if isinstance(frames, int) else np.array(frames)
    ), low + (high - low) * steps / 65535


def test_curves_are_the_scores_after_the_protocol(tmp_path):
    """Each clip under each protocol to a 16-bit step; frames with gaps stay where they are; few
    shapes for many protocols."""
    run = make_run(tmp_path, [done("pca", 0.5)])
    (cell,) = run.cells()
    scores = run.scores(cell)
    scores["02"] = Scores(np.linspace(-3, 8, 10) ** 2, np.arange(0, 50, 5))
    run.write_scores(cell, scores)
    page = page_of(run, tmp_path)
    (curve,) = page.data["datasets"][0]["curves"]
    for packed, (clip, kept) in zip(curve["scores"], scores.items()):
        for which, protocol in enumerate(page.data["views"]):
            frames, values = unpacked(packed, which)
            expected = process(kept.values, REGISTRY.protocols[protocol["name"]])
            assert frames.tolist() == list(kept.frames)
            np.testing.assert_allclose(
                values, expected, atol=1e-5 * np.ptp(expected) + 1e-6, err_msg=f"{clip} {protocol}"
            )
        assert len(packed["variants"]) == 4


def test_roc_curves_have_the_area_of_the_table(full):
    """The area under what is drawn, trapezoids, is the pooled number."""
    page = full[2]
    labels = [method["label"] for method in page.data["methods"]]
    (curve,) = [
        one for one in page.data["datasets"][0]["curves"] if one["method"] == labels.index("pca")
    ]
    for which, protocol in enumerate(page.data["views"]):
        if protocol["name"] in ("median17", "raw", "minmax"):
            false, true = (
                np.frombuffer(base64.b64decode(curve["roc"][which]), dtype="<u2").reshape(-1, 2)
                / 65535
            ).T
            assert (
                abs(auc(false, true) * 100 - float(by_hand(full[0], "pca", protocol["name"])[0]))
                < 0.02
            )


def test_long_roc_curves_are_thinned(tmp_path, monkeypatch):
    """To no more than the points that are allowed, both ends among them, and little area is
    lost."""
    monkeypatch.setattr(curves, "ROC_POINTS", 20)
    page = page_of(make_run(tmp_path, [done("pca", 0.2)]), tmp_path)
    rates = (
        np.frombuffer(
            base64.b64decode(page.data["datasets"][0]["curves"][0]["roc"][0]), dtype="<u2"
        ).reshape(-1, 2)
        / 65535
    )
    assert len(rates) <= 20 and rates[0].tolist() == [0, 0] and rates[-1].tolist() == [1, 1]
    assert abs(auc(*rates.T) * 100 - float(page.numbers("comparison-1")["pca"][0])) < 2


def test_training_curves(full):
    """Columns as in training.csv, what is not finite as a gap."""
    first, second = full[2].data["training"]
    assert first["columns"]["sigma"] == [0.51, 0.52, 0.53, None] and second["seed"] == 1
    assert first["columns"]["loss"][0] == 0.1 and first["columns"]["loss"][3] is None


def test_images_stand_once(full):
    """The frame that two methods share is one string; a method without error maps has none; one
    without images has a reason."""
    run, _, page = full
    labels = [method["label"] for method in page.data["methods"]]
    curves = {
        (labels[one["method"]], one["seed"]): one for one in page.data["datasets"][0]["curves"]
    }
    ours, theirs = curves["c3dsu", 0]["images"]["0"], curves["ae_conv[x=1]", 0]["images"]["0"]
    assert [row[0] for row in ours] == [0, 8, 16, 24, 32] and all(row[3] == -1 for row in theirs)
    assert [row[1] for row in ours] == [row[1] for row in theirs] and len(page.images) == 5 * 4
    content = (run.cell_path(run.cells()[0]) / "images" / "01" / "00008-error.jpg").read_bytes()
    assert base64.b64decode(page.images[ours[1][3]]) == content
    assert "images" not in curves["pca", 0]
    assert page.data["methods"][labels.index("pca")]["images"]["why"].startswith(
        "images come from networks"
    )
    assert page.data["methods"][labels.index("c3dsu")]["images"]["command"].startswith(
        "bench run --methods c3dsu --datasets made "
    )


def test_images_of_a_row_with_a_display_name(tmp_path):
    """Found by the identifier of the row and of the dataset, whatever they are called."""
    run = make_run(
        tmp_path, [done("c3dsu", display_name="Ours", dataset_display_name="Made", dataset="made")]
    )
    keep_images(run.cell_path(run.cells()[0]), "01", range(0, 16, 8), ("frame",))
    page = page_of(run, tmp_path)
    assert page.data["methods"][0]["name"] == "Ours" and len(page.images) == 2


def test_published_numbers_ranks_and_groups_stand_beside(tmp_path):
    """As the tables published-columns and ranks have them; a method that was not measured has its
    published number alone."""
    more = {"dataset": "ped2", "dataset_display_name": "Ped2"}
    run = make_run(
        tmp_path,
        [
            done("memae", 0.9, **more),
            done("pca", 0.1, **more),
            done("frame-index", 0.0, family="trivial", uses_seed=False, **more),
            (
                "mamc",
                0,
                "published only",
                "no code",
                0,
                more | {"published": {"auc": "96.7", "source": "x"}},
            ),
        ],
    )
    source, page = source_of(run), page_of(run, tmp_path)
    heading, *_ = page.tables["comparison-1"]
    assert [text.strip() for text in heading] == [
        "method", "Ped2", "Ped2 published", "Ped2 as in paper", "Ped2 rank", "Ped2 groups",
    ]  # fmt: skip
    (published,) = KINDS["published-columns"].make(source)
    (ranks,) = KINDS["ranks"].make(source)
    shown = {row[0].strip(): row[1:] for row in page.tables["comparison-1"] if len(row) == 6}
    for row in ranks.rows:
        interval, groups = (row.cells[ranks.columns.index(name)] for name in ("95 %", "groups"))
        assert [text.strip() for text in shown[row.name][3:]] == [interval.shown, groups.mark]
    for row in published.rows:
        printed, measured, _, protocol = row.cells
        assert shown[row.name][1].startswith(printed.shown or "–")
        beside = f"{measured.shown}{protocol.mark}" if printed.value and measured.value else "–"
        assert "".join(shown[row.name][2].split()) == beside
    assert [text.strip() for text in shown["frame-index"][3:]] == ["", ""] and [
        text.strip() for text in shown["mamc"][:2]
    ] == [
        "–",
        "96.7",
    ]
    assert len(page_of(run, tmp_path, metric="ap").tables["comparison-1"][0]) == 2


def test_every_pair_has_the_sentence_of_compare(full):
    """In the words of `bench compare`, for every two rows with a number, trivial ones among them."""
    run, source, page = full
    (dataset,) = page.data["datasets"]
    labels = [method["label"] for method in page.data["methods"]]
    which = [one["name"] for one in page.data["views"]].index("raw")
    found = dataset["pairs"][which]
    assert len(found) == 10
    for better, other, sentence, remarks in found:
        names = (labels[better], labels[other])
        (pair,), _ = pairs(run, names, (), REGISTRY.protocols["raw"], source.metric)
        assert sentence == pair.conclusion()
        assert [dataset["remarks"][place] for place in remarks] == pair.remarks()


def test_more_rows_than_are_compared(full, tmp_path, monkeypatch):
    """The page has no pairs, rather than a part of them; and none for other metrics."""
    monkeypatch.setattr("bench.evaluation.pairs.MOST_ROWS", 3)
    page = page_of(full[0], tmp_path)
    assert set(map(type, page.data["datasets"][0]["pairs"])) == {type(None)}


def test_a_reference_is_a_sentence():
    entry = """@inproceedings{a,
      author = {Roth, Karsten and Sch{\\"o}lkopf, Bernhard},
      title = {Towards {Total} Recall},
      booktitle = {CVPR},
      year = {2022}
    }"""
    assert reference(entry) == "Karsten Roth, Bernhard Schölkopf. Towards Total Recall. CVPR, 2022."
    assert reference("") == "" and reference("@misc{b, title={x}}") == ""


def test_facts_of_a_method(tmp_path):
    """What its cells say: parameters with those that were changed, deviations, warnings, cost."""
    more = {
        "parameters": {"size": 64, "kernels": [3, 5]}, "parameters_changed": {"size": 64},
        "deviations": ["other kernels"], "warnings": ["loss is flat"], "needs": ["train"],
        "cost": {"parameters": 2e6}, "seconds": {"fit": 120.0},
    }  # fmt: skip
    page = page_of(make_run(tmp_path, [done("memae", **more)]), tmp_path)
    for said in (
        "size=64 (changed), kernels=3+5", "other kernels", "made, seed 0: loss is flat",
        "made: parameters/M 2.00, fit/min 2.0", "one-class",
    ):  # fmt: skip
        assert said in page.text, said


def test_images_are_thinned_evenly_to_the_limit(full, tmp_path, monkeypatch):
    """Every second, third, ... kept frame for all methods alike, and the page and the command say
    so."""
    whole = len(full[2].html)
    monkeypatch.setattr(page_module, "LIMIT", whole - 2000)
    written, said = write_page(full[1], tmp_path / "report.html")
    page = Page(written[0])
    assert len(page.html.encode()) <= whole - 2000
    kept = [
        [row[0] for row in curve["images"]["0"]]
        for curve in page.data["datasets"][0]["curves"]
        if "images" in curve
    ]
    assert kept == [[0, 16, 32]] * 2
    assert (
        len(said) == 1
        and said[0].startswith("page: one of 2 kept frames is shown")
        and f"page: {page.data['thinned'][0]}" == said[0]
    )
    monkeypatch.setattr(page_module, "LIMIT", 1000)
    _, said = write_page(full[1], tmp_path / "report.html")
    assert (
        len(said) == 1 and "do not fit" in said[0] and Page(tmp_path / "report.html").images == []
    )


def test_tie_and_interval_are_shown(full, tmp_path):
    """The mark of a row that is not significantly different from the best, what it means, and the
    interval of the table."""
    table = full[1].comparison
    rows = [
        replace(
            row,
            cells=(
                replace(row.cells[0], tied=row.name == "pca", low=50.0, high=75.0),
                *row.cells[1:],
            ),
        )
        for row in table.rows
    ]
    source = replace(full[1], comparison=replace(table, rows=rows, tied="tied by a test"))
    write_page(source, tmp_path / "report.html")
    page = Page(tmp_path / "report.html")
    (row,) = [row for row in page.tables["comparison-1"] if row[0].startswith("pca")]
    assert (
        re.match(r"\d\d\.\d\d~", row[1])
        and "50.00 to 75.00" in row[1]
        and "tied by a test" in page.text
    )


def test_page_names_the_commits_of_its_cells(tmp_path):
    """How many cells each began, where several did; in a run of an older bench that of its last
    command."""
    cells = [done("pca", git="a1"), done("memae", git="b2+"), done("mnad", git="b2+")]
    several = page_of(make_run(tmp_path / "several", cells), tmp_path).text
    assert (
        "git a1: 1 cell" in several
        and "git b2+ (with changes that are not committed): 2 cells" in several
    )
    one = make_run(
        tmp_path / "one",
        [done("pca", git="a1"), ("mamc", 0, "published only", "", 0, {"git": "c3"})],
    )
    text = page_of(one, tmp_path).text
    assert "git a1" in text and "git a1:" not in text and "c3" not in text
    older = make_run(tmp_path / "older", [done("pca")])
    older.write_manifest(replace(older.manifest, git="d4"))
    assert "git d4" in page_of(older, tmp_path).text


def test_run_without_numbers_has_a_page(tmp_path):
    """No cell is done; and a dataset without labels has curves."""
    page = page_of(make_run(tmp_path / "failed", [("pca", 0, "failed", "x", 0, {})]), tmp_path)
    assert page.data["datasets"] == [] and "failed" in page.text
    run = make_run(tmp_path / "unlabelled", [done("pca")])
    run.write_dataset(replace(run.dataset("made"), label_sets=(), labels={}))
    page = page_of(run, tmp_path)
    (curve,) = page.data["datasets"][0]["curves"]
    assert unpacked(curve["scores"][0], 0)[0][0] == 2 and curve["roc"][0] is None


def test_models_of_scenes_are_one_curve(tmp_path):
    """One model a scene: the clips of both cells stand under one method; where a scene failed, the
    other still has its curve."""
    cells = [
        done("pca", scene="01"),
        done("pca", scene="02"),
        done("mnad", scene="01"),
        ("mnad", 0, "failed", "broke", 0, {"scene": "02"}),
    ]
    page = page_of(make_run(tmp_path, cells, scenes=("01", "01", "02")), tmp_path)
    pca, mnad = page.data["datasets"][0]["curves"]
    assert [scores is not None for scores in pca["scores"]] == [True] * 3
    assert [scores is not None for scores in mnad["scores"]] == [True, True, False]
    (dataset,) = page.data["datasets"]
    first, _, third = dataset["by_clip"][0][1]
    assert float(first) > 50 and dataset["reasons"][third] == {"mark": "failed", "text": "broke"}
