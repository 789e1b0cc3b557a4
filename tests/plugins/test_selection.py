"""Selections: one syntax for methods, datasets, detectors and protocols."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import Dataset, DatasetInfo, Detector, Method, MethodInfo, RequestError
from bench.contracts.parameters import parameter
from bench.plugins.registry import PluginRecord, Registry
from bench.plugins.selection import select, select_one
from bench.plugins.syntax import parse


@dataclass(frozen=True)
class Settings:
    length: int = parameter(5, minimum=1)
    rate: float = parameter(0.001)
    heads: tuple[int, ...] = parameter((3, 5, 7))
    weight: Literal["none", "static"] = parameter("none")
    note: str = parameter("")
    file: Path | None = parameter(None)

    def __post_init__(self) -> None:
        if self.length == 13:
            raise ValueError("length 13 brings bad luck; use 12")


@dataclass(frozen=True)
class Sources:
    path: str = parameter("")
    first: int = parameter(0)


@dataclass(frozen=True)
class Smoothing:
    name: str
    smooth: Literal["none", "median"] = "median"
    window: int = 17
    edge: Literal["reflect", "zero"] = "reflect"

    def __post_init__(self) -> None:
        if self.window % 2 == 0:
            raise ValueError(f"window must be odd, not {self.window}")


def method(
    name: str, *groups: str, parameters: type | None = None, **attributes: object
) -> type[Method]:
    more = {"Parameters": parameters} if parameters else {}
    return type(
        name,
        (Method,),
        {
            "name": name,
            "info": MethodInfo(groups=groups),
            "score": lambda self, clip, context: [],
            **more,
            **attributes,
        },
    )


class Touchy(Method):
    name = "touchy"

    def __init__(self, parameters=None):
        super().__init__(parameters)
        raise RequestError("touchy wants a day off", "and more pay")


class Buggy(Method):
    name = "buggy"

    def __init__(self, parameters=None):
        self.half = len(self.parameters)


@pytest.fixture(scope="module")
def registry() -> Registry:
    found = Registry()
    found.methods = {
        cls.name: cls
        for cls in [
            method(
                "c3dsu",
                "ddl",
                parameters=Settings,
                profiles={"small": {"length": 3, "rate": 0.01}, "smoke": {"length": 2}},
            ),
            method("memae", "baseline", "reconstruction"),
            method("pca", "baseline", "reference"),
            method(
                "tsc",
                "sparse-coding",
                parameters=Settings,
                profiles={"medium": {"length": 4}, "small": {"length": 3}},
            ),
            method(
                "constant",
                "trivial",
                parameters=Settings,
                profiles={"medium": {}, "small": {"length": 3}},
            ),
            method("scores", parameters=Sources, needs_parameters=True),
        ]
    }
    found.datasets = {
        name: type(name, (Dataset,), {"name": name, "info": DatasetInfo(groups=groups)})
        for name, groups in {
            "ped1": (),
            "ped2": ("all",),
            "avenue": ("all",),
            "demo-ped2": ("demo",),
        }.items()
    }
    found.detectors = {
        "motion": type("Motion", (Detector,), {"name": "motion"}),
        "boxes": type(
            "Boxes", (Detector,), {"name": "boxes", "needs_parameters": True, "Parameters": Sources}
        ),
    }
    found.protocols = {"median17": Smoothing("median17"), "raw": Smoothing("raw", smooth="none")}
    found.plugins = [PluginRecord("test", "here")]
    return found


def texts(registry: Registry, text: str, kind="methods") -> list[str]:
    return [row.text for row in select(kind, text, registry)]


def mistakes(registry: Registry, text: str, kind="methods", profile=None) -> list[str]:
    with pytest.raises(RequestError) as caught:
        select(kind, text, registry, profile)
    return list(caught.value.mistakes)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("pca", ["pca"]),
        (" pca , memae ", ["pca", "memae"]),
        ("baseline", ["memae", "pca"]),
        ("all", ["c3dsu", "memae", "pca", "tsc", "constant"]),
        ("all,-tsc", ["c3dsu", "memae", "pca", "constant"]),
        ("all,-baseline,-trivial", ["c3dsu", "tsc"]),
        ("all,-baseline,pca", ["c3dsu", "tsc", "constant", "pca"]),
        ("pca,baseline,pca", ["pca", "memae"]),
        ("c3dsu[length=3|9]", ["c3dsu[length=3]", "c3dsu[length=9]"]),
        (
            "c3dsu[weight=static|none,length=3|9]",
            [f"c3dsu[length={n},weight={w}]" for w in ("static", "none") for n in (3, 9)],
        ),
        ("c3dsu[length=3,rate=1e-4],pca", ["c3dsu[length=3,rate=0.0001]", "pca"]),
        ("c3dsu[length=3|9],-c3dsu[length=9]", ["c3dsu[length=3]"]),
        ("pca,c3dsu,c3dsu[length=3|9],-c3dsu", ["pca"]),
        ("pca,c3dsu[length=3],-ddl", ["pca"]),
        ("pca,scores[path=a|b],-scores", ["pca"]),
        ("c3dsu[length=3|3,heads=5]", ["c3dsu[length=3,heads=5]"]),
        ("c3dsu[]", ["c3dsu"]),
        ('c3dsu[note="a, b"]', ['c3dsu[note="a, b"]']),
        ('c3dsu[note="a|b"|c]', ['c3dsu[note="a|b"]', "c3dsu[note=c]"]),
        ('c3dsu[note="say ""hi"" [now]"]', ['c3dsu[note="say ""hi"" [now]"]']),
        ("c3dsu[note=a=b]", ["c3dsu[note=a=b]"]),
        ('c3dsu[note=""]', ['c3dsu[note=""]']),
        ("scores[path=x/{dataset}.npz,first=8]", ["scores[path=x/{dataset}.npz,first=8]"]),
    ],
)
def test_select_gives_rows_in_order(registry, text, rows):
    """Names, groups, alternatives, exclusions and quotes mean what the design says."""
    assert texts(registry, text) == rows


def test_select_all_datasets_are_those_that_declare_it(registry):
    """`all` of datasets is what the datasets themselves say; others go by name."""
    assert texts(registry, "all", "datasets") == ["ped2", "avenue"]
    assert texts(registry, "demo,ped1", "datasets") == ["demo-ped2", "ped1"]


def test_select_all_detectors_leaves_out_what_needs_parameters(registry):
    """`all` has nothing that means nothing without parameters."""
    assert texts(registry, "all", "detectors") == ["motion"]


def test_label_shows_given_values_in_field_order_without_quotes(registry):
    """The row label has the user's values only, in the order of the fields, even one equal to the
    default."""
    (row,) = select("methods", 'c3dsu[note="a, b",length=5]', registry)
    assert row.label == "c3dsu[length=5,note=a, b]"
    assert dict(row.values) == {"length": 5, "note": "a, b"}
    assert row.parameters == Settings(length=5, note="a, b")


def test_make_returns_a_new_instance_with_the_parameters(registry):
    """`make` gives an instance of the class that holds the parameters, another one each time."""
    (row,) = select("methods", "c3dsu[length=9]", registry)
    assert (
        type(row.make()) is row.target
        and row.make().parameters.length == 9
        and row.make() is not row.make()
    )


@pytest.mark.parametrize(
    ("name", "profile", "length"),
    [
        ("c3dsu", None, 5),
        ("c3dsu", "paper", 5),
        ("c3dsu", "small", 3),
        ("c3dsu", "large", 3),
        ("c3dsu", "medium", 3),
        ("c3dsu", "smoke", 2),
        ("tsc", "large", 4),
        ("tsc", "medium", 4),
        ("tsc", "smoke", 5),
        ("constant", "medium", 5),
    ],
)
def test_profile_overrides_the_defaults(registry, name, profile, length):
    """`large` falls back to `medium`, that to `small`, `smoke` to `paper`."""
    assert select_one("methods", name, registry, profile).parameters.length == length


def test_profile_gives_way_to_what_the_user_says(registry):
    """The user's value comes after the profile's."""
    row = select_one("methods", "c3dsu[length=9]", registry, "small")
    assert (row.parameters.length, row.parameters.rate) == (9, 0.01)


def test_profile_unknown_is_refused(registry):
    """A profile that nobody knows is refused with the nearest."""
    (text,) = mistakes(registry, "pca", profile="papper")
    assert (
        "no profile 'papper' - did you mean 'paper'? (profiles: paper, large, medium, small, smoke)"
        in text
    )


def test_protocol_with_values_carries_its_label_as_name(registry):
    """A changed protocol cannot be taken for the named one."""
    row = select_one("protocols", "median17[edge=zero]", registry)
    assert (
        row.parameters == row.make() == row.target == Smoothing("median17[edge=zero]", edge="zero")
    )
    assert registry.protocols["median17"].edge == "reflect"
    assert (
        select_one("protocols", "raw", registry).make() is not None
        and select_one("protocols", "raw", registry).target.name == "raw"
    )


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("median17[window=4]", "'median17[window=4]': window must be odd, not 4"),
        ("median17[name=mine]", "no parameter 'name'"),
        ("median17[edge=nearest]", "edge must be one of reflect, zero, not 'nearest'"),
        ("medain17", "no protocol 'medain17' - did you mean 'median17'? (bench list protocols)"),
    ],
)
def test_protocol_mistakes(registry, text, part):
    """Protocols are held to the same syntax, and to their own rules."""
    (found,) = mistakes(registry, text, "protocols")
    assert part in found


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("memea", "no method 'memea' - did you mean 'memae'? (bench list methods)"),
        ("MemAE", "no method 'MemAE' - did you mean 'memae'? (bench list methods)"),
        ("baselin", "no method 'baselin' - did you mean 'baseline'? (bench list methods)"),
        ("zzz", "no method 'zzz' (bench list methods)"),
        ("ped2", "no method 'ped2' - it is a dataset (bench list methods)"),
        (
            "c3dsu[lenth=3]",
            "'c3dsu[lenth=3]': no parameter 'lenth' - did you mean 'length'? c3dsu takes length=5 (int), rate=0.001 (float), heads=3+5+7",
        ),
        ("memae[slots=3]", "'memae[slots=3]': no parameter 'slots'; memae takes no parameters"),
        (
            "c3dsu[length=long]",
            "'c3dsu[length=long]': length must be a whole number of at least 1, not 'long'",
        ),
        ("c3dsu[length=0]", "length must be a whole number of at least 1, not '0'"),
        ("c3dsu[weight=heavy]", "weight must be one of none, static, not 'heavy'"),
        ("c3dsu[length=13]", "'c3dsu[length=13]': length 13 brings bad luck; use 12"),
        (
            "c3dsu[length=3,length=5]",
            "length is given twice; length=a|b makes one row for a and one for b",
        ),
        ("c3dsu[length]", "'length' is not of the form parameter=value"),
        ("c3dsu[length=]", 'length= has no value; write length=""'),
        ('c3dsu[note=a"b"]', "put the whole value into double quotes"),
        ('c3dsu[note="a"b"c"]', "put the whole value into double quotes"),
        ('c3dsu[note="a]', "lacks a closing '\"'"),
        (
            "memae[slots=500",
            "'memae[slots=500' lacks a ']' - in a shell, quote selections that contain [ or |",
        ),
        (
            "pca,memae[slots=500,constant",
            "'memae[slots=500,constant' lacks a ']' - in a shell, quote",
        ),
        ("a]", "'a]' has a ']' without a '[' - in a shell, quote"),
        ("length=5]", "has a ']' without a '[' - in a shell, quote"),
        (
            "length=5",
            "sets a parameter outside of brackets; write NAME[length=5] - in a shell, quote",
        ),
        ("[length=5]", "has no name before the '['"),
        ("c3dsu[length=5]x", "has text after the ']'; separate names by commas"),
        ("c3dsu[note=a[0]]", "put a value that contains brackets into double quotes"),
        ("pca|memae", "names are separated by commas; '|' separates values in brackets"),
        (
            "pca,",
            "has a comma or a '-' with no name beside it - in a shell, quote selections that contain spaces",
        ),
        ("pca,-", "has a comma or a '-' with no name beside it"),
        ("", "no methods are chosen; name some, or 'all' (bench list methods)"),
        ("pca\x07", "holds a control character (U+0007)"),
        ("c3dsu[note=a\u2029b]", "holds a control character (U+2029)"),
        ("c3dsu[note=a\udcffb]", "holds a control character (U+DCFF)"),
        ("c3dsu[note=a\nb]", "holds a control character (U+000A)"),
        (
            "baseline[length=5]",
            "baseline is a group, and parameters belong to one method; name each (memae, pca)",
        ),
        (
            "scores",
            "'scores' means nothing without parameters; write 'scores[path=...]'. scores takes path=\"\" (text), first=0 (int)",
        ),
        ("scores[first=x]", "first must be a whole number, not 'x'"),
        ("pca,-memae", "'-memae' takes nothing away: it is not among what stands before it"),
        ("memae,pca,-c3dsu[length=3]", "'-c3dsu[length=3]' takes nothing away"),
        (
            "c3dsu[length=3],-c3dsu[length=4]",
            "'-c3dsu[length=4]' takes nothing away: it is not among what stands before it - did you mean '-c3dsu[length=3]'?",
        ),
        ("all,-tcs", "no method 'tcs' - did you mean 'tsc'?"),
        ("pca,-pca", "'pca,-pca' leaves no method: all were taken away"),
    ],
)
def test_select_mistakes(registry, text, part):
    """Each mistake is answered once, with what was found and what to do."""
    (found,) = mistakes(registry, text)
    assert part in found


def test_select_reports_all_mistakes_at_once(registry):
    """One round trip is enough to mend a selection."""
    found = mistakes(registry, "memea,c3dsu[lenth=3,length=x],pca[,tsc[length=0|y|4,rate=fast]")
    assert len(found) == 4  # an unclosed bracket takes the rest of the text with it
    assert [
        "memea" in found[0],
        "lenth" in found[1],
        "not 'x'" in found[2],
        "lacks a ']'" in found[3],
    ] == [True] * 4
    assert (
        len(mistakes(registry, "tsc[length=0|y|4,rate=fast],c3dsu[length=13],tsc[length=13]")) == 5
    )


def test_select_goes_on_after_a_stray_bracket(registry):
    """A stray ']' costs its own item only."""
    found = mistakes(registry, "a],memea,pca")
    assert len(found) == 2 and "'a]' has a ']'" in found[0] and "no method 'memea'" in found[1]


def test_select_draws_no_conclusions_from_a_mistake(registry):
    """What a mistake leaves out is not blamed on what comes after it."""
    assert mistakes(registry, "memea,-memae") == [
        "no method 'memea' - did you mean 'memae'? (bench list methods)"
    ]


def test_select_refuses_two_rows_with_one_label(registry):
    """Two rows that a table could not tell apart are refused."""
    (found,) = mistakes(registry, 'tsc[note="a,file=b"],tsc[note=a,file=b]')
    assert "would both be the row tsc[note=a,file=b]" in found


def test_select_names_the_selector_when_a_class_refuses(registry):
    """What a method's own __init__ says becomes mistakes that name the row; taking the row away
    mends the request."""
    registry.methods["touchy"] = Touchy
    try:
        assert mistakes(registry, "pca,touchy") == [
            "'touchy': touchy wants a day off",
            "'touchy': and more pay",
        ]
        assert texts(registry, "pca,touchy,-touchy") == ["pca"]
    finally:
        del registry.methods["touchy"]


def test_select_names_the_plugin_when_a_class_has_a_bug(registry):
    """A bug in __init__ is told with its line and the plugin, and keeps its cause."""
    registry.methods["buggy"] = Buggy
    registry.origins["methods", "buggy"] = "/home/me/buggy.py"
    try:
        with pytest.raises(
            RequestError,
            match=r"'buggy' cannot be made: AttributeError: .*parameters.*test_selection.py, line \d+.*mistake in /home/me/buggy.py",
        ) as caught:
            select("methods", "buggy", registry)
        assert isinstance(caught.value.__cause__, AttributeError)
    finally:
        del registry.methods["buggy"]


def test_select_unknown_name_mentions_broken_plugins(registry):
    """A name that is missing because its plugin is broken leads to that plugin."""
    registry.plugins.append(PluginRecord("mine.py", "/x/mine.py", broken="SyntaxError"))
    try:
        assert mistakes(registry, "mine") == [
            "no method 'mine' (bench list methods; left out as broken: mine.py)"
        ]
    finally:
        registry.plugins.pop()


def test_select_lacking_a_parameter_without_default_says_which():
    """A parameter without a default has to be given."""

    @dataclass(frozen=True)
    class Needy:
        path: str = parameter()
        first: int = parameter(0)

    registry = Registry()
    registry.methods = {"needy": method("needy", parameters=Needy, needs_parameters=True)}
    assert mistakes(registry, "needy[first=1]") == [
        "'needy[first=1]' lacks path; write 'needy[path=...]'. needy takes path=... (text), first=0 (int)",
    ]


def test_select_one_refuses_several(registry):
    """Where one detector can be used, two are refused."""
    assert select_one("detectors", "boxes[path=x]", registry).make().parameters == Sources("x")
    with pytest.raises(
        RequestError,
        match=r"'motion,boxes\[path=x\]' means 2 detectors .* only one detector can be used",
    ):
        select_one("detectors", "motion,boxes[path=x]", registry)


PLAIN = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=30)


@given(
    note=PLAIN,
    file=PLAIN.filter(bool),
    length=st.integers(1, 12),
    rate=st.floats(allow_nan=False, allow_infinity=False),
)
def test_selector_text_round_trips(registry, note, file, length, rate):
    """Whatever the values are, the text of a row selects that row again."""
    quoted = {
        key: '"' + value.replace('"', '""') + '"'
        for key, value in {"note": note, "file": file}.items()
    }
    (row,) = select(
        "methods",
        f"c3dsu[file={quoted['file']},rate={rate!r},note={quoted['note']},length={length}]",
        registry,
    )
    assert row.values["note"] == note and row.values["rate"] == rate
    assert select("methods", row.text, registry) == [row]


@given(st.text(st.sampled_from("abcps3dmu,-[]|=\"' +."), max_size=25))
def test_select_answers_any_text_with_rows_or_mistakes(registry, text):
    """No text, however odd, does anything but select rows or be refused with reasons."""
    try:
        rows = select("methods", text, registry)
    except RequestError as error:
        assert error.mistakes and all(error.mistakes)
    else:
        assert rows and select("methods", ",".join(row.text for row in rows), registry) == rows


def test_selection_of_endless_length_is_refused_at_once():
    """Not name by name, which would take minutes."""
    (item,) = parse("nobody," * 40_000)
    assert item.mistakes == (
        f"a selection of 280000 characters, that begins {('nobody,' * 40)[:80]!r}; at most 20000 are read",
    )
