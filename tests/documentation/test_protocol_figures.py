"""docs/protocols.md: its numbers are those of the scores, and its figures are what the script
draws."""

import importlib.util
import os
import re
from pathlib import Path

import numpy as np
import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "protocols.md").read_text()


@pytest.fixture(scope="module")
def script():
    """The module docs/protocol_figures.py."""
    spec = importlib.util.spec_from_file_location("protocol_figures", DOCS / "protocol_figures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def table() -> dict[str, list[str]]:
    """Return column -> cells, of the table that is marked."""
    lines = [
        [cell.strip(" `") for cell in line.strip("|").split("|")]
        for line in PAGE.split("<!-- numbers")[1].split("\n\n")[1].splitlines()
    ]
    return {column[0]: column[2:] for column in map(list, zip(*lines))}


@pytest.mark.realdata
def test_numbers_are_those_of_the_scores(script, real_data):
    """The table, digit by digit; scikit-learn agrees on the two that the page is about; the
    headings of the prose are the table's numbers."""
    from sklearn.metrics import roc_auc_score

    found, page = script.numbers(real_data), table()
    assert list(page) == ["protocol", *found]
    for column, numbers in found.items():
        assert dict(zip(page["protocol"], page[column])) == {
            name: f"{value:.2f}" for name, value in numbers.items()
        }
    scores, labels = script.read(real_data, "ped2")
    truth = np.concatenate([labels[clip][8 : 8 + len(values)] for clip, values in scores.items()])
    scaled = [(values - values.min()) / (values.max() - values.min()) for values in scores.values()]
    for name, values in (("raw", list(scores.values())), ("minmax", scaled)):
        assert (
            f"{100 * roc_auc_score(truth, np.concatenate(values)):.2f}"
            == page["ped2"][page["protocol"].index(name)]
        )
    assert all(
        values.min() > scores["10"].max()
        for clip, values in scores.items()
        if clip in ("01", "05", "11")
    )
    for name, number in re.findall(r"^- \*\*`([\w-]+)`, ([\d.]+)\*\*", PAGE, re.MULTILINE):
        assert f"{found['ped2'][name]:.1f}" == number


@pytest.mark.skipif(
    "BENCH_TEST_LOWEST" in os.environ,
    reason="an older matplotlib lays a figure out in another way",
)
@pytest.mark.realdata
def test_figures_are_what_the_script_draws(script, real_data, tmp_path):
    """The same names, sizes and nearly the same pixels: versions of matplotlib place text a little
    differently."""
    import cv2

    script.main(real_data, tmp_path)
    drawn = sorted(path.name for path in tmp_path.iterdir())
    assert drawn == sorted(path.name for path in (DOCS / "figures").iterdir())
    for name in drawn:
        one, other = (
            cv2.imread(str(folder / name), cv2.IMREAD_GRAYSCALE)
            for folder in (tmp_path, DOCS / "figures")
        )
        assert one.shape == other.shape and (np.abs(one.astype(int) - other) > 60).mean() < 0.01
