"""Display names: what a selection, a class and a run call a row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import RequestError
from bench.plugins.display_names import (
    COMMANDS,
    derived,
    find_mistake,
    parts,
    plain,
    with_values,
)
from bench.plugins.registry import load
from bench.plugins.selection import select
from bench.tables.forms.latex import escape_name

REGISTRY = load()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Ours", "Ours"),
        ("$T=4$", "T=4"),
        ("HF$^2$-VAD", "HF²-VAD"),
        (r"$\lambda_{12}\times 3$", "λ₁₂× 3"),
        ("$x^{ab}$", "x^ab"),
        (r"$\mathrm{AE}_1$", "AE₁"),
        ("costs 5$", "costs 5$"),
        (r"$\input{x}$", r"$\input{x}$"),
    ],
)
def test_a_formula_is_shown_as_text(name, text):
    assert plain(name) == text


@pytest.mark.parametrize(
    "name",
    [
        r"$\input{x}$", r"$\write18{ls}$", "$a$$", "$x^2^3$", "$x_$", "$}{$", "$^^41$", r"$\mathrm x$",
        "$a&b$", "$a%b$", "$a#b$", "$a~b$", "$ $", "x" * 61, " ",
    ],
)  # fmt: skip
def test_what_is_no_name_is_refused_with_its_reason(name):
    assert find_mistake(name)


@given(st.text(st.sampled_from(r"ab12=^_{}\$ %&#~"), max_size=12))
def test_no_name_reaches_latex_with_a_command_that_is_not_listed(name):
    """Outside of formulas everything is escaped; a formula has only what is listed, and its braces
    pair."""
    for text, formula in parts(name):
        if formula:
            assert not set(text) & set("%&#~$")
            assert text.count("{") == text.count("}")
    if all(not formula for _, formula in parts(name)):
        assert "$" not in escape_name(name).replace(r"\$", "")


def test_commands_are_those_of_latex():
    assert all(name.startswith("\\") and name[1:].isalpha() for name in COMMANDS)


def test_an_identifier_gives_a_name():
    assert derived("nearest-frame") == "Nearest frame"
    assert derived("my_own-thing") == "My own thing"


def test_of_a_path_only_its_own_part_is_shown():
    shown = with_values(
        "Scores", {"path": "/home/me/secret/memae/{dataset}.npz", "first": 8, "text": "plain"}
    )
    assert shown == "Scores (memae, first=8, text=plain)"
    detector = with_values("A", {"detector": "boxes[path=/home/me/{dataset}.json,least=2]"})
    assert "/home" not in detector and "boxes[path={dataset}.json" in detector


def names(text, kind="methods"):
    return {row.text: row.given_name for row in select(kind, text, REGISTRY)}


def test_a_selection_names_its_row():
    """The name is no part of the selector, so that it trains nothing again."""
    assert names("pca as Ours") == {"pca": "Ours"}
    assert names('pca as "a, b"') == {"pca": "a, b"}
    assert names("background,pca,pca as Ours") == {"background": "", "pca": "Ours"}
    assert names("memae[epochs=1|2] as $e={epochs}$") == {
        "memae[epochs=1]": "$e=1$",
        "memae[epochs=2]": "$e=2$",
    }
    assert names("ped2 as UCSD Ped2", "datasets") == {"ped2": "UCSD Ped2"}
    assert names("scores[path=x as y.npz]") == {"scores[path=x as y.npz]": ""}


@pytest.mark.parametrize(
    ("text", "kind", "mistake"),
    [
        ("baseline as X", "methods", "baseline is a group, and a name belongs to one method"),
        ("memae[epochs=1|2] as X", "methods", "names 2 rows alike; write the value into the name, as in 'X {epochs}'"),
        ("-pca as X", "methods", "what is taken away has no name"),
        ("pca as", "methods", "'as' needs a name"),
        ("pca as A,background as a", "methods", "would both be called 'a'"),
        (r"pca as $\input{x}$", "methods", "is no formula of letters"),
        ("raw as X", "protocols", "only rows and columns of tables have names"),
    ],
)  # fmt: skip
def test_mistakes_in_names_are_explained(text, kind, mistake):
    with pytest.raises(RequestError) as error:
        select(kind, text, REGISTRY)
    assert mistake in str(error.value)


def test_everything_that_comes_with_bench_has_a_name_of_its_own():
    for table in (REGISTRY.methods, REGISTRY.datasets):
        shown = [plain(one.info.display_name or derived(name)) for name, one in table.items()]
        assert len(set(map(str.casefold, shown))) == len(shown)
        assert not [name for name in shown if find_mistake(name)]
