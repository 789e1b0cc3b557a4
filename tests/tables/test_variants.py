"""Ablations of any method: one parameter along its values, and variants against ours."""

import pytest
from made_run import done, make_run

from bench import RequestError
from bench.evaluation.pairs import pairs
from bench.plugins.registry import load
from bench.runs.table_options import TableOptions
from bench.tables.forms.paper import to_paper
from bench.tables.kinds import KINDS, open_source
from bench.tables.secondary.variants_table import holm

REGISTRY = load()
RAW, AUC = REGISTRY.protocols["raw"], REGISTRY.metrics["auc"]


def row(label, quality, changed=(), **more):
    method = label.partition("[")[0]
    parameters = {"width": 8, "depth": 2, "kernels": [3, 5]} | dict(changed)
    return done(
        label,
        quality,
        parameters=parameters,
        parameters_changed=dict(changed),
        method=method,
        **more,
    )


def tables_of(run, metric=AUC):
    return KINDS["ablation"].make(open_source(run, REGISTRY, RAW, metric))


@pytest.fixture
def run(tmp_path):
    """A method with three widths and two other variants, another with one row, rows from files."""
    return make_run(
        tmp_path / "run",
        [
            row("mine[width=16]", 0.5, {"width": 16}),
            row("mine", 0.4, display_name="Mine"),
            row("mine[width=4]", 0.2, {"width": 4}),
            row("mine[depth=1]", 0.3, {"depth": 1}),
            row("mine[width=4,depth=1]", 0.1, {"width": 4, "depth": 1}, folder="cells/m/made/0"),
            row("other", 0.6),
            row("scores[path=a]", 0.6, {"path": "a"}, family="from a file"),
            row("scores[path=b]", 0.6, {"path": "b"}, family="from a file"),
        ],
    )


def test_a_parameter_is_an_axis_and_other_variants_follow(run):
    """In the order of its values, all other parameters held; numbers are those of the comparison."""
    along, others = tables_of(run)
    assert [along.row_name(one) for one in along.rows] == ["width = 4", "width = 8", "width = 16"]
    assert [one.name for one in others.rows] == ["mine", "mine[depth=1]", "mine[width=4,depth=1]"]
    assert along.columns == ["made AUC", "made difference", "made p"]
    assert along.caption.startswith("Ablation, Mine: width, all other parameters held. Difference:")
    assert "from width = 8" in along.caption and "Holm (2 tests a dataset)" in along.caption
    comparison = open_source(run, REGISTRY, RAW, AUC).comparison
    whole = {one.name: one.cells[0].value for one in comparison.rows}
    for table in (along, others):
        assert all(one.cells[0].value == whole[one.name] for one in table.rows)
    assert [one.cells[0].rank for one in along.rows] == [0, 2, 1]
    tex = to_paper(along, "tab:x", TableOptions())
    assert "width = 16" in tex and r"\cmidrule" in tex


def test_differences_are_those_of_compare_and_p_is_corrected(run):
    """`bench compare` of each row and ours, corrected by hand: the smaller p twice, the other at
    least that."""
    along, _ = tables_of(run)
    found = {}
    for label in ("mine[width=4]", "mine[width=16]"):
        (pair,), _ = pairs(run, (label, "mine"), (), RAW, AUC)
        found[label] = pair.difference
    (small, first), (large, second) = sorted(found.items(), key=lambda item: item[1].p)
    expected = {small: min(1, 2 * first.p), large: max(min(1, 2 * first.p), second.p)}
    for one in along.rows:
        if one.name == "mine":
            assert [cell.mark for cell in one.cells[1:]] == ["-", "-"]
            continue
        assert one.cells[1].value == pytest.approx(100 * found[one.name].value)
        assert one.cells[2].value == pytest.approx(expected[one.name])


def test_ours_is_chosen(run):
    """By table.toml; a row that is not there is named."""
    (run.path / "table.toml").write_text('ours = "mine[width=4]"\n')
    along, _ = tables_of(run)
    assert "from width = 4" in along.caption
    (run.path / "table.toml").write_text('ours = "mime"\n')
    with pytest.raises(
        RequestError, match=r"table.toml: ours: no row 'mime' - did you mean 'mine'"
    ):
        tables_of(run)


def test_other_metrics_have_numbers_and_no_test(run):
    along, _ = tables_of(run, REGISTRY.metrics["ap"])
    assert along.columns == ["made AP"] and "Holm" not in along.caption


def test_holm_by_hand():
    """5 x .01, 4 x .02, 3 x .03, the last of these again for 2 x .04, and .5."""
    p = dict(zip("abcde", (0.01, 0.04, 0.03, 0.02, 0.5)))
    assert holm(p) == pytest.approx(dict(zip("abcde", (0.05, 0.09, 0.09, 0.08, 0.5))))
    assert holm({}) == {}
