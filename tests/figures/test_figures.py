"""The figures of the report: against independent computation, under hostile names, and as files."""

import itertools
import os
import re
import shlex
import subprocess
import sys
from dataclasses import replace

import cv2
import matplotlib
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from made_run import LENGTHS, done, labels_of, make_run
from matplotlib.colors import to_hex
from matplotlib.text import Annotation
from scipy.ndimage import median_filter
from sklearn.metrics import roc_auc_score, roc_curve

from bench import Scores
from bench.cli.commands.report import command
from bench.figures.cost_scatter import MEASURES, points, shared_area
from bench.figures.distinction import Distinction
from bench.figures.kinds import KINDS, OF_THE_RUN, write_figures
from bench.figures.reconstructions import strips
from bench.figures.roc_curves import curve_of
from bench.figures.shown_rows import choose, looks_of, rows_of
from bench.figures.style import TRUTH, line_look, point_look, slug, spans, styled
from bench.figures.timelines import CLIPS
from bench.plugins.registry import load
from bench.runs.folder import Run
from bench.runs.manifest import Manifest
from bench.runs.records import CellRecord, DatasetRecord
from bench.tables.kinds import open_source

REGISTRY = load()
HOSTILE = r"_$\frac{x^2 <b>&%#~ \undefined"


def source_of(run, protocol="median17"):
    return open_source(run, REGISTRY, REGISTRY.protocols[protocol], REGISTRY.metrics["auc"])


def drawn(source, name):
    with styled():
        return list(KINDS[name].draw(source))


def legend_of(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def processed(scores):
    """median17 by hand."""
    smooth = median_filter(scores.astype(float), 17, mode="reflect")
    return (smooth - smooth.min()) / (smooth.max() - smooth.min())


def truth_and_scores(run, cell):
    scores = run.scores(cell)
    truth = np.concatenate([labels_of()[clip][scores[clip].frames] for clip in LENGTHS])
    return truth, np.concatenate([processed(scores[clip].values) for clip in LENGTHS])


def test_roc_is_that_of_scikit_learn(tmp_path):
    """Every point of a curve, and the number in the legend, which is the table's."""
    run = make_run(tmp_path, [done("pca", 0.2), done("memae", 0.5)])
    source = source_of(run)
    (found,) = drawn(source, "roc")
    expected = {}
    for cell in run.cells():
        truth, scores = truth_and_scores(run, cell)
        expected[cell.label] = roc_auc_score(truth, scores)
        row = next(row for row in rows_of(source, "made") if row.label == cell.label)
        false, true, _ = roc_curve(truth, scores, drop_intermediate=False)
        np.testing.assert_allclose(curve_of(source, row), [false, true])
        (line,) = [
            line
            for line in found.figure.axes[0].lines
            if np.array_equal(line.get_xdata(), curve_of(source, row)[0])
        ]
        np.testing.assert_allclose(line.get_ydata(), true)
    order = sorted(expected, key=expected.get, reverse=True)
    assert legend_of(found.figure) == [f"{label} {expected[label] * 100:.2f}" for label in order]
    assert "median over 17 frames" in found.caption and "Labels: frame." in found.caption


def test_curve_of_seeds_has_the_area_of_the_table(tmp_path):
    """The mean curve of three seeds encloses the mean of their AUCs, and says so."""
    run = make_run(tmp_path, [done("pca", 0.2 * seed, seed=seed) for seed in range(3)])
    source = source_of(run, "raw")
    (row,) = rows_of(source, "made")
    area = float(np.trapezoid(*reversed(curve_of(source, row))))
    values = []
    for cell in run.cells():
        scores = run.scores(cell)
        truth = np.concatenate([labels_of()[clip][scores[clip].frames] for clip in LENGTHS])
        values.append(
            roc_auc_score(truth, np.concatenate([scores[clip].values for clip in LENGTHS]))
        )
    assert area == pytest.approx(np.mean(values), abs=1e-12)
    (found,) = drawn(source, "roc")
    assert legend_of(found.figure) == [
        f"pca {np.mean(values) * 100:.2f} ± {np.std(values, ddof=1) * 100:.2f} (3)"
    ]
    assert "the mean of their curves" in found.caption


def test_a_number_that_is_no_area_is_said(tmp_path):
    """Under a protocol that does not pool all frames."""
    run = make_run(tmp_path, [done("pca", 0.5)])
    assert "not the area below its curve" in drawn(source_of(run, "macro17"), "roc")[0].caption
    assert "not the area" not in drawn(source_of(run), "roc")[0].caption


def test_timelines_show_processed_scores_and_the_truth(tmp_path):
    """Lines as computed by hand, frames without a score left out, shading where the labels are
    1."""
    run = make_run(tmp_path, [done("pca", 0.5, first=4)])
    (found,) = drawn(source_of(run), "timelines")
    scores = run.scores(run.cells()[0])
    for axis, (clip, length) in zip(found.figure.axes, LENGTHS.items()):
        assert axis.get_title(loc="left") == clip
        (line,) = axis.lines
        assert np.isnan(line.get_ydata()[:4]).all() and len(line.get_ydata()) == length
        np.testing.assert_allclose(line.get_ydata()[4:], processed(scores[clip].values))
        (shade,) = axis.collections
        assert to_hex(shade.get_facecolor()[0]).upper() == TRUTH
        shaded = np.zeros(length, int)
        for path in shade.get_paths():
            left, right = path.vertices[:, 0].min(), path.vertices[:, 0].max()
            shaded[int(left) : int(right)] = 1
        np.testing.assert_array_equal(shaded, labels_of()[clip])
    assert "All 3 test clips. All methods with a number are shown." in found.caption


def test_unnormalised_scores_have_one_scale_a_method(tmp_path):
    """Under raw the highest of all clips is 1, and the caption says so."""
    run = make_run(tmp_path, [done("pca", 5.0)])
    (found,) = drawn(source_of(run, "raw"), "timelines")
    tops = [np.nanmax(axis.lines[0].get_ydata()) for axis in found.figure.axes]
    scores = run.scores(run.cells()[0])
    highest = max(scores[clip].values.max() for clip in LENGTHS)
    lowest = min(scores[clip].values.min() for clip in LENGTHS)
    np.testing.assert_allclose(
        tops,
        [(scores[clip].values.max() - lowest) / (highest - lowest) for clip in LENGTHS],
        rtol=1e-6,
    )
    assert "from its lowest to its highest score over all clips" in found.caption


def test_of_many_clips_some_are_shown_evenly_spread(tmp_path):
    """By their order, first and last included; said in the caption. A clip of one class says so."""
    run = Run(tmp_path)
    labels = {
        f"{number:03d}": (np.arange(20) >= (0 if number == 0 else 10)).astype(np.uint8)
        for number in range(107)
    }
    run.write_dataset(
        DatasetRecord(
            "made",
            "made",
            tuple((clip, 20, "") for clip in labels),
            "f",
            ("frame",),
            {"frame": labels},
        )
    )
    cell = CellRecord("cells/pca/made/0", "pca", "pca", "pca", "made", "made", 0, status="done")
    run.write_cell(cell)
    run.write_scores(cell, {clip: Scores(np.arange(20.0), np.arange(20)) for clip in labels})
    run.write_manifest(Manifest(cells=[vars(cell)]))
    (found,) = drawn(source_of(run), "timelines")
    titles = [axis.get_title(loc="left") for axis in found.figure.axes]
    places = [int(title[:3]) for title in titles]
    assert titles[0] == "000 (all anomalous)" and titles[1] == f"{places[1]:03d}"
    assert (
        len(places) == CLIPS
        and (places[0], places[-1]) == (0, 106)
        and set(np.diff(places)) == {4, 5}
    )
    assert "24 of 107 test clips, evenly spread over their order" in found.caption


def test_chosen_methods_do_not_flatter(tmp_path):
    """Half of the places are for what the ablation is about, however it fares; the rest for the
    best of all others, trivial ones too."""
    cells = [done(f"other{number}", 0.3 * number) for number in range(6)]
    cells += [done("mine", 0.0, ablation=["net", "DDL"]), done("trivial", 9.0, family="trivial")]
    rows = rows_of(source_of(make_run(tmp_path, cells)), "made")
    chosen, rule = choose(rows, 4)
    others = [row.label for row in rows if row.label != "mine"]
    assert [row.label for row in chosen if row.label != "mine"] == others[:3] and "mine" in [
        row.label for row in chosen
    ]
    assert others[0] == "trivial"
    assert (
        rule == "4 of 8 methods are shown: the best 1 of those in an ablation, and the best 3 of all others, trivial ones included"
    )  # fmt: skip
    assert choose(rows, 8) == (rows, "All methods with a number are shown")


def test_looks_differ(tmp_path):
    """28 lines and 63 points look different; neighbours differ in colour and in dashes or shape,
    for gray printing."""
    for look, many in ((line_look, 28), (point_look, 63)):
        looks = [tuple(map(str, look(number).values())) for number in range(many)]
        assert len(set(looks)) == many
        assert all(
            one[0] != other[0] and one[1] != other[1] for one, other in itertools.pairwise(looks)
        )
    source = source_of(
        make_run(tmp_path, [done("a", 0.1), done("b", 0.9), done("c", 0.0, ablation=["n", "DDL"])])
    )
    assert looks_of(source) == {"c": 0, "b": 1, "a": 2}


def keep_images(run, cell, frames, error=128):
    for clip, frame in frames:
        folder = run.cell_path(cell) / "images" / clip
        folder.mkdir(parents=True, exist_ok=True)
        for part, value in (("frame", 10 + frame), ("reconstruction", 100), ("error", error)):
            cv2.imwrite(str(folder / f"{frame:05d}-{part}.jpg"), np.full((8, 8), value, np.uint8))


def test_strip_shows_anomalous_frames_by_its_rule(tmp_path):
    """Only frames that are anomalous and kept for every variant, evenly spread; plain before DDL;
    all errors on one scale."""
    cells = [
        done("c3dsu", 0.5, ablation=["C3DSU", "DDL"]),
        done("c3dsu-plain", 0.4, ablation=["C3DSU", "plain"]),
    ]
    run = make_run(tmp_path, cells)
    every = [(clip, frame) for clip, length in LENGTHS.items() for frame in range(0, length, 3)]
    ddl, plain = run.cells()
    keep_images(run, ddl, every, error=51)
    keep_images(run, plain, every[1:], error=204)
    anomalous = [(clip, frame) for clip, frame in every[1:] if labels_of()[clip][frame]]
    (found,) = drawn(source_of(run), "qualitative")
    rows = [found.figure.axes[number : number + 5] for number in range(0, 20, 5)]
    assert [axis.get_title() for axis in rows[0]] == [
        "frame",
        "reconstruction\nplain",
        "reconstruction\nDDL",
        "error\nplain",
        "error\nDDL",
    ]
    shown = [
        tuple(re.fullmatch(r"clip (\d+)\nframe (\d+)", row[0].get_ylabel()).groups())
        for row in rows
    ]
    step = len(anomalous) / 4
    assert shown == [
        (clip, str(frame))
        for clip, frame in (anomalous[int((number + 0.5) * step)] for number in range(4))
    ]
    for row, (_, frame) in zip(rows, shown):
        assert abs(int(row[0].images[0].get_array()[0, 0, 0]) - 10 - int(frame)) <= 2
        assert all(
            axis.images[0].get_clim() == (0, pytest.approx(0.8, abs=0.01)) for axis in row[3:]
        )
        assert row[3].images[0].get_array().max() == pytest.approx(0.8, abs=0.01)
        assert row[4].images[0].get_array().max() == pytest.approx(0.2, abs=0.01)
    assert (
        f"4 of the {len(anomalous)} anomalous frames" in found.caption
        and "in the proportions" not in found.caption
    )


def test_without_images_the_command_that_keeps_them_is_named(tmp_path):
    """It makes these very cells again: selector, seed, profile, folder; what the run kept before is
    kept again."""
    run = make_run(
        tmp_path / "a run",
        [
            done("c3dsu[latent=64]", 0.5, seed=3, ablation=["C3DSU", "DDL"], detector="motion"),
            done("pca"),
        ],
    )
    run.write_manifest(
        replace(
            run.manifest,
            request={"keep": ["weights"]},
            datasets=[{"label": "made", "selector": "made[x=1]"}],
        )
    )
    _, missing = write_figures(source_of(run), ("qualitative", "sigma"), tmp_path / "figures")
    command = re.search("`(.*)`", missing[0])[1]
    words = shlex.split(command)
    assert words[:2] == ["bench", "run"] and dict(zip(words[2::2], words[3::2])) == {
        "--methods": "c3dsu[latent=64]",
        "--datasets": "made[x=1]",
        "--seeds": "3",
        "--profile": "small",
        "--detector": "motion",
        "--device": "cpu",
        "--threads": "1",
        "--keep": "images,weights",
        "--force": "c3dsu[latent=64]",
        "--out": str(run.path),
    }
    assert missing[1].startswith("sigma: no finished network of the run has a weight")
    assert not list(strips(source_of(run)))


def test_sigma_is_that_of_the_training(tmp_path):
    """The column of training.csv against its epochs, a line a seed; a file that cannot be read is
    no line."""
    run = make_run(
        tmp_path,
        [done("c3dsu", seed=seed, parameters={"epochs": 3}) for seed in range(3)] + [done("pca")],
    )
    for cell, text in zip(
        run.cells(),
        [
            "epoch,step,sigma\n1,9,.5\n2,18,.625\n",
            "epoch,step,sigma\n1,9,.25\n",
            "epoch,sigma\n1,?\n",
        ],
    ):
        (run.cell_path(cell) / "training.csv").write_text(text)
    (found,) = drawn(source_of(run), "sigma")
    lines = [
        (list(line.get_xdata()), list(line.get_ydata())) for line in found.figure.axes[0].lines
    ]
    assert lines == [([1.0, 2.0], [0.5, 0.625]), ([1.0], [0.25])]
    assert legend_of(found.figure) == ["c3dsu"] and "One line a seed" in found.caption


def test_sigma_is_that_of_single_steps_where_they_are_kept(tmp_path):
    """Against the epochs that have passed before the step; 4 steps make one here."""
    run = make_run(tmp_path, [done("c3dsu", parameters={"epochs": 2})])
    folder = run.cell_path(run.cells()[0])
    (folder / "training.csv").write_text("epoch,step,sigma\n1,4,.5\n2,8,.625\n")
    (folder / "steps.csv").write_text("step,loss,sigma\n1,9,.5\n3,9,.5625\n7,9,.75\n")
    (found,) = drawn(source_of(run), "sigma")
    (line,) = found.figure.axes[0].lines
    assert (list(line.get_xdata()), list(line.get_ydata())) == (
        [0.0, 0.5, 1.5],
        [0.5, 0.5625, 0.75],
    )
    assert "at single steps" in found.caption and "the mean over" not in found.caption


def test_sigma_tells_a_method_with_a_failed_seed_apart(tmp_path):
    """A row without a number in the comparison has a line like any other, and none looks like
    another."""
    cells = [
        done("c3dsu"),
        *(done(label, seed=seed) for label in ("c3dsu-sdl", "unet") for seed in (0, 1)),
    ]
    failed = [(label, 2, "failed", "it fell", 0, {}) for label in ("c3dsu-sdl", "unet")]
    run = make_run(tmp_path, [*cells, *failed])
    for cell in run.cells():
        (run.cell_path(cell) / "training.csv").write_text("step,sigma\n1,.5\n")
    (found,) = drawn(source_of(run), "sigma")
    handles = found.figure.legends[0].legend_handles
    assert sorted(legend_of(found.figure)) == ["c3dsu", "c3dsu-sdl", "unet"]
    assert len({(line.get_color(), line.get_linestyle()) for line in handles}) == 3


def test_every_protocol_has_its_number_and_the_best_are_bold(tmp_path):
    """Numbers by scikit-learn under raw and median17; a colour for each, the darker the better; a
    row without a number is left out."""
    run = make_run(
        tmp_path, [done("pca", 0.2), done("memae", 0.5), ("bad", 0, "failed", "it fell", 0, {})]
    )
    (found,) = drawn(source_of(run), "protocols")
    assert (
        found.name == "protocols-made-frame"
        and "bold" in found.caption
        and "Blank" not in found.caption
    )
    assert "Profile: small." in found.caption and len(found.caption) < 400
    axis = found.figure.axes[0]
    names = [label.get_text() for label in axis.get_yticklabels()]
    protocols = [label.get_text().replace("\n", "") for label in axis.get_xticklabels()]
    assert (
        names == ["pca", "memae"]
        and set(REGISTRY.protocols) < set(protocols)
        and "median17[edge=zero]" in protocols
    )
    shown = np.array([text.get_text() for text in axis.texts]).reshape(len(names), len(protocols))
    bold = np.array([text.get_fontweight() == "bold" for text in axis.texts]).reshape(shown.shape)
    colours = axis.collections[0].get_array()
    np.testing.assert_array_equal(colours.reshape(shown.shape), shown.astype(float))
    for cell in run.cells():
        if cell.status == "done":
            truth, scores = truth_and_scores(run, cell)
            raw = np.concatenate([run.scores(cell)[clip].values for clip in LENGTHS])
            row = shown[names.index(cell.label)]
            assert row[protocols.index("median17")] == f"{roc_auc_score(truth, scores) * 100:.2f}"
            assert row[protocols.index("raw")] == f"{roc_auc_score(truth, raw) * 100:.2f}"
    np.testing.assert_array_equal(bold, shown.astype(float) == shown.astype(float).max(axis=0))
    darkest, lightest = (axis.collections[0].cmap(end)[:3] for end in (1.0, 0.0))
    assert sum(darkest) < sum(lightest)


def test_cost_of_the_models_of_scenes_is_that_of_all_together(tmp_path):
    """The seconds of a seed are summed over its scenes; the mean is over seeds."""
    run = make_run(
        tmp_path,
        [
            done("net", seed=seed, scene=scene, seconds={"fit": fit}, cost={"parameters": 1e6})
            for seed, scene, fit in ((0, "a", 10.0), (0, "b", 20.0), (1, "a", 20.0), (1, "b", 30.0))
        ],
        scenes=("a", "b", "b"),
    )
    rows = rows_of(source_of(run), "made")
    assert [cost for _, cost in points(rows, MEASURES["seconds of fitting"])] == [40.0]
    assert [cost for _, cost in points(rows, MEASURES["parameters"])] == [1e6]


def test_cost_is_measured_and_names_do_not_overlap(tmp_path):
    """Fifteen points where the cells' seconds and the table's numbers say; names cover neither each
    other nor marks."""
    generator = np.random.default_rng(1)
    costs = {f"method-{number}": float(10 ** generator.uniform(0, 3)) for number in range(14)} | {
        "quick": 0.0
    }
    run = make_run(
        tmp_path,
        [
            done(label, 0.4 + 0.02 * len(label), seconds={"fit": cost})
            for label, cost in costs.items()
        ],
    )
    source = source_of(run)
    (found,) = drawn(source, "cost")
    (axis,) = found.figure.axes
    placed = {text.get_text(): text.xy for text in axis.texts if isinstance(text, Annotation)}
    assert placed == {
        row.label: (max(0.1, costs[row.label]), float(row.number))
        for row in rows_of(source, "made")
    }
    marks = [line for line in axis.lines if line.get_marker() != "None"]
    assert sorted((line.get_xdata()[0], line.get_ydata()[0]) for line in marks) == sorted(
        placed.values()
    )
    found.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axis.texts]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    assert all(
        axis.get_window_extent().contains(*corner) for box in boxes for corner in box.corners()
    )


DISTINCTION = {"pseudo": "objects", "pseudo_loss": "distinction"}


def remade(cell):
    """Images as bright as their number, in RGB; residuals that grow by a tenth."""
    bright = [np.full((12, 18, 3), 10 * number, np.uint8) for number in range(6)]
    residuals = {
        name: np.full((12, 18), 0.1 * number, np.float32)
        for number, name in enumerate(("a", "b", "c", "d_A"))
    }
    return Distinction(
        "03", 17, 0.625, True, tuple(bright[:2]), *bright[2:], residuals, ["another version"]
    )


def test_distinction_is_shown_of_kept_weights(tmp_path):
    """The first seed of a row that kept them; what is seen is what was made, on one scale for all
    residuals."""
    more = {"parameters": DISTINCTION}
    run = make_run(
        tmp_path,
        [
            done("c3dsu", seed=0, **more),
            done("c3dsu", seed=1, **more),
            done("c3dsu-plain"),
            done("unet", **more),
        ],
    )
    source, asked = source_of(run), []

    def remake(cell):
        asked.append((cell.label, cell.seed))
        return remade(cell)

    for kind in ("pseudo-anomaly", "restoration"):
        _, (missing,) = write_figures(source, (kind,), tmp_path / "figures", remake)
        assert (
            "no weights were kept" in missing and "--methods c3dsu,unet --datasets made " in missing
        )
    assert not asked
    for cell in run.cells():
        if (cell.label, cell.seed) != ("c3dsu", 0):
            (run.cell_path(cell) / "weights").write_text("")
    with styled():
        three, other = KINDS["pseudo-anomaly"].remade(source, remake)
        of_c3dsu, _ = KINDS["restoration"].remade(source, remake)
    assert asked[:2] == [("c3dsu", 1), ("unet", 0)] and (three.name, other.name) == (
        "pseudo-anomaly-c3dsu-made",
        "pseudo-anomaly-unet-made",
    )
    titles = [axis.get_title() for axis in three.figure.axes]
    assert titles == ["X", "σ = 0.05", "σ = 0.625, learned", "σ = 0.95"]
    assert [axis.images[0].get_array()[0, 0, 0] for axis in three.figure.axes] == [20, 0, 30, 10]
    axes = of_c3dsu.figure.axes
    assert [axis.images[0].get_array()[0, 0, 0] for axis in axes[:4]] == [20, 30, 40, 50]
    assert [axis.images[0].get_array()[0, 0] for axis in axes[4:8]] == pytest.approx(
        [0, 0.1, 0.2, 0.3]
    )
    assert [axis.images[0].get_clim() for axis in axes[4:8]] == [(0, pytest.approx(0.3))] * 4
    assert (
        "Clip 03, frame 17; seed 1" in of_c3dsu.caption
        and "Note: another version." in of_c3dsu.caption
    )


def test_a_run_without_distinction_says_so(tmp_path):
    run = make_run(
        tmp_path,
        [
            done("c3dsu-plain"),
            done("lntra-skip", parameters={"pseudo": "skip", "pseudo_loss": "restore"}),
        ],
    )
    _, missing = write_figures(source_of(run), ("restoration",), tmp_path / "figures", remade)
    assert missing[0].startswith(
        "restoration: no finished network of the run was trained with distinction"
    )


def full_run(path):
    more = {
        "seconds": {"fit": 3.0},
        "cost": {"parameters": 1e6},
        "parameters": {"epochs": 1, **DISTINCTION},
    }
    cells = [done("c3dsu", 0.5, ablation=["C3DSU", "DDL"], **more)]
    run = make_run(
        path,
        [*cells, done(HOSTILE, 0.3, seconds={"fit": 2.0}), ("bad", 0, "failed", HOSTILE, 0, {})],
    )
    keep_images(run, run.cells()[0], [("01", 12), ("01", 13)])
    (run.cell_path(run.cells()[0]) / "training.csv").write_text("epoch,step,sigma\n1,9,0.5\n")
    (run.cell_path(run.cells()[0]) / "weights").write_text("")
    return run


def test_equal_runs_give_equal_bytes(tmp_path):
    """PDF, PNG and text of every kind, whatever the user's own matplotlib settings are; TrueType
    fonts alone. A process in which torch cannot be imported draws them too, and its `--help` does
    not wait for matplotlib."""
    first, missing = write_figures(
        source_of(full_run(tmp_path / "one")), tuple(KINDS), tmp_path / "first", remade
    )
    assert missing == [] and len(first) == 3 * len(KINDS)
    run = full_run(tmp_path / "two")
    settings = {"font.size": 20, "pdf.fonttype": 3, "axes.grid": True}
    lines = "".join(f"{name}: {value}\n" for name, value in settings.items())
    (tmp_path / "matplotlibrc").write_text(lines)
    figures = [f"--figure={name}" for name in OF_THE_RUN]
    code = (
        "import sys\n"
        "class NoTorch:\n"
        "    def find_spec(name, path=None, target=None):\n"
        "        assert name != 'torch'\n"
        "sys.meta_path.insert(0, NoTorch)\n"
        "from click.testing import CliRunner; from bench.cli.commands.report import command\n"
        "found = CliRunner().invoke(command, ['--help']); assert found.exit_code == 0 and 'matplotlib' not in sys.modules\n"
        f"found = CliRunner().invoke(command, [{str(run.path)!r}, *{figures!r}])\n"
        "assert found.exit_code == 0 and 'left out' not in found.output, (found.output, found.exception)\n"
        "import matplotlib; assert matplotlib.rcParams['font.size'] == 20"
    )
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-W", "default::DeprecationWarning", "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "MATPLOTLIBRC": str(tmp_path / "matplotlibrc")},
    )
    assert ended.returncode == 0, ended.stderr
    assert not (run.path / "tables").exists()
    with matplotlib.rc_context(settings):
        write_figures(
            source_of(run),
            [name for name in KINDS if name not in OF_THE_RUN],
            run.path / "figures",
            remade,
        )
    assert {path.name for path in first} == {path.name for path in (run.path / "figures").iterdir()}
    for path in first:
        content = path.read_bytes()
        assert content == (run.path / "figures" / path.name).read_bytes(), path.name
        if path.suffix == ".pdf":
            assert (
                b"/CreationDate" not in content
                and b"/FontFile2" in content
                and b"/Type3" not in content
            )


def test_hostile_names_are_shown_as_they_are(tmp_path):
    """No formula, no name left out for its underscore, no file outside of the folder."""
    source = source_of(full_run(tmp_path / "run"))
    for kind in ("roc", "timelines"):
        (found,) = drawn(source, kind)
        assert any(
            "".join(text.split("\n")).startswith(HOSTILE) for text in legend_of(found.figure)
        )
    assert slug("../../x", "a b$", "..") == "x-a-b-"


def test_names_that_are_alike_as_files_are_numbered(tmp_path):
    """Two datasets whose labels differ in what a file name cannot hold."""
    run = make_run(
        tmp_path / "run",
        [done("a", dataset="d[x=1]"), done("a", dataset="d x=1", folder="cells/a/other/0")],
    )
    written, _ = write_figures(source_of(run), ("roc",), tmp_path / "figures")
    assert [path.name for path in written if path.suffix == ".pdf"] == [
        "roc-d-x=1.pdf",
        "roc-d-x=1-2.pdf",
    ]


def test_unknown_figures_are_refused(tmp_path):
    """With the nearest name, before anything is read."""
    found = CliRunner().invoke(command, [str(tmp_path), "--figure", "rok"])
    assert (
        str(found.exception)
        == f"no figure 'rok' - did you mean 'roc'? (there are {', '.join(KINDS)})"
    )


def test_spans():
    """First frame and frames of each stretch of ones."""
    assert (
        spans(np.array([1, 1, 0, 0, 1])) == [(0, 2), (4, 1)]
        and spans(np.zeros(3)) == []
        and spans(np.zeros(0)) == []
    )


@given(st.lists(st.integers(0, 6), min_size=8, max_size=8))
def test_area_that_two_names_share(ends):
    """Counted square by square."""
    boxes = []
    for x, y, right, top in (ends[:4], ends[4:]):
        boxes.append((min(x, right), min(y, top), max(x, right), max(y, top)))
    filled = [np.zeros((7, 7), dtype=bool) for _ in boxes]
    for area, (left, bottom, right, top) in zip(filled, boxes):
        area[left:right, bottom:top] = True
    assert shared_area(*(tuple(map(float, box)) for box in boxes)) == (filled[0] & filled[1]).sum()
