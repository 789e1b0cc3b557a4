"""Figures of a distinction, from kept weights: what is shown is what the network made, against
plain NumPy."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from forked import TOYS, Command, bench, toy_words

from bench.applying.finished_cell import finished_method
from bench.applying.pseudo_anomaly_example import pseudo_anomaly_example
from bench.errors import RequestError, RunError
from bench.figures.kinds import OF_THE_RUN
from bench.plugins.registry import load
from bench.runs.folder import Run


@pytest.fixture(scope="module")
def made(once):
    """A run of two networks with distinction, of noise, which needs no detector, and of patches,
    whose creator needs the training clips; and of one without."""
    small = "size=48,every=12,epochs=1"
    methods = f"unet[pseudo=noise,{small}],unet-sdl[pseudo=patch,{small}],ae-3d[epochs=1]"

    def make(place):
        # Their memory is not looked at before the run, which takes as long as their training.
        first = "from bench.planning.cells import PlannedCell; PlannedCell.may_be_large = False"
        words = toy_words(methods, "--out", "run", "--keep", "weights")
        found = Command(*words, cwd=place, first=first).end()
        assert found.returncode == 0, found.stdout + found.stderr

    place = once("distinction", make)
    load([TOYS])
    yield place
    load()


def cell_of(run, method):
    return next(cell for cell in run.cells() if cell.method == method)


def test_images_are_what_the_network_makes(made):
    run = Run.open(made / "run")
    cell = cell_of(run, "unet")
    found = pseudo_anomaly_example(run, cell, [made / "data"], lambda *at: None)
    method = finished_method(run, cell).method
    sigma = 1 / (1 + np.exp(-method.network.anomaly_weight.logit.item()))
    assert found.learned and found.sigma == pytest.approx(sigma, rel=1e-6) and found.sigma != 0.5
    normal = found.normal.astype(np.float64) / 255
    low, high = (blend.astype(np.float64) / 255 for blend in found.blends)
    content = (
        normal + (high - normal) / 0.95
    )  # noise over the whole frame: each weight blends the same content in
    np.testing.assert_allclose(low, normal + 0.05 * (content - normal), atol=1.1 / 255)
    np.testing.assert_allclose(
        found.pseudo_anomaly / 255, normal + sigma * (content - normal), atol=1.1 / 255
    )
    with torch.inference_mode():
        window = torch.from_numpy(normal).permute(2, 0, 1)[None, :, None].float()
        output = method.network.eval()(window)[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(found.of_normal / 255, output, atol=1 / 255)
    expected = np.sqrt(((normal - output) ** 2).mean(axis=2))
    np.testing.assert_allclose(found.residuals["|X - f(X)|"], expected, atol=1e-4)
    difference = np.sqrt(((normal - found.pseudo_anomaly / 255.0) ** 2).mean(axis=2))
    np.testing.assert_allclose(found.residuals["|X - X_A|"], difference, atol=1 / 255)


def test_the_command_draws_both_figures_if_they_are_named(made, tmp_path):
    words = ("report", str(made / "run"), "--plugin", str(TOYS))
    figures = (
        "--figure",
        "pseudo-anomaly",
        "--figure",
        "restoration",
        "--data",
        str(made / "data"),
    )
    done = bench(*words, *figures, "--out", "drawn", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in (tmp_path / "drawn" / "figures").glob("*.pdf"))
    assert names == [
        f"{kind}-{row}-size=48-epochs=1-every=12-toy.pdf"
        for kind in ("pseudo-anomaly", "restoration")
        for row in ("unet-pseudo=noise", "unet-sdl-pseudo=patch")
    ]
    (text,) = (tmp_path / "drawn" / "figures").glob("restoration-unet-sdl*.txt")
    assert "σ = 0.500" in text.read_text()
    # What a report without names draws; `test_everything_is_the_default` sees that it is this.
    assert not {"pseudo-anomaly", "restoration"} & set(OF_THE_RUN)


def test_other_patches_than_those_of_the_training_are_told(made):
    """The creators find what is there now."""
    run = Run.open(made / "run")
    cell = cell_of(run, "unet-sdl")
    assert cell.facts["patches"] == "windows of other training clips"
    found = pseudo_anomaly_example(run, cell, [made / "data"], lambda *at: None)
    assert not found.notes and found.residuals["|X - X_A|"].any()
    cell.facts["patches"] = "CIFAR-100"
    found = pseudo_anomaly_example(run, cell, [made / "data"], lambda *at: None)
    assert found.notes == ["patches here: windows of other training clips; in the run: CIFAR-100"]


def test_a_method_without_one_is_refused(made, tmp_path):
    run = Run.open(Path(shutil.copytree(made / "run", tmp_path / "run")))
    with pytest.raises(
        RequestError,
        match=r"ae-3d.* on toy: no training window .* has a pseudo-anomaly to show",
    ):
        pseudo_anomaly_example(run, cell_of(run, "ae-3d"), [made / "data"], lambda *at: None)
    cell = cell_of(run, "unet")
    (run.cell_path(cell) / "weights").unlink()
    with pytest.raises(
        RunError, match="its weights were not kept; this trains it again and keeps them"
    ):
        pseudo_anomaly_example(run, cell, [made / "data"], lambda *at: None)


def test_data_without_what_needs_it_is_refused(made):
    done = bench(
        "report", "run", "--figure", "roc", "--data", "data", "--plugin", str(TOYS), cwd=made
    )
    assert done.returncode == 2
    assert (
        "--data is used for videos (--video CLIP) and for the figures pseudo-anomaly and restoration only"
        in done.stderr
    )
