"""Parameters: what a field says, and what the text of a value stands for."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.contracts.parameters import (
    check_value,
    describe,
    format_value,
    parameter,
    parse_value,
    schema,
)


@dataclass(frozen=True)
class Example:
    flag: bool = parameter(False)
    length: int = parameter(
        5,
        unit="frames",
        source="code dataset.py:12",
        doc="Frames of a window.",
        minimum=1,
        maximum=64,
    )
    rate: float = parameter(1e-3, minimum=0)
    note: str = parameter("")
    file: Path | None = parameter(None)
    heads: tuple[int, ...] = parameter((3, 5, 7), minimum=1)
    size: tuple[int, int] = parameter((256, 256))
    weight: Literal["none", "static", "learned"] = parameter("none")
    channels: Literal[1, 3] | None = parameter(1)
    mode: str = parameter("skip", choices=("skip", "repeat"))
    limit: float | None = None


ENTRIES = {entry.name: entry for entry in schema(Example)}


def test_schema_keeps_all_that_a_field_says():
    """The schema of a parameter has its type, default, unit, source, meaning and range."""
    entry = ENTRIES["length"]
    assert (entry.type, entry.default, entry.unit, entry.source, entry.doc) == (
        int,
        5,
        "frames",
        "code dataset.py:12",
        "Frames of a window.",
    )
    assert (entry.minimum, entry.maximum) == (1, 64)
    assert ENTRIES["weight"].choices == ("none", "static", "learned")
    assert ENTRIES["limit"].default is None and not ENTRIES["limit"].required


def test_schema_of_an_instance_has_its_values_as_defaults():
    """The schema of an instance shows what that instance holds."""
    assert {entry.name: entry.default for entry in schema(Example(length=9))}["length"] == 9


def test_schema_of_a_field_without_default_is_required():
    """A parameter without a default has to be given."""

    @dataclass(frozen=True)
    class Needy:
        path: str = parameter(doc="Where the scores are.")
        kind: tuple[int, ...] = field(default_factory=lambda: (1,))

    path, kind = schema(Needy)
    assert path.required and kind.default == (1,)
    assert describe(Needy) == "path=... (text), kind=1 (ints joined by +)"


@pytest.mark.parametrize("hint", [list[int], dict, complex, int | str, tuple[str, ...], tuple])
def test_schema_refuses_types_that_no_selection_can_write(hint):
    """A field of a type that has no text is refused, with the types that have one."""
    odd = dataclass(frozen=True)(type("Odd", (), {"__annotations__": {"x": hint}}))
    with pytest.raises(TypeError, match=r"'x' is of type .* no selection can write; use bool, int"):
        schema(odd)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("flag", "true", True),
        ("flag", "False", False),
        ("length", "7", 7),
        ("rate", "3", 3.0),
        ("rate", "1e-4", 0.0001),
        ("rate", ".5", 0.5),
        ("note", "a, b", "a, b"),
        ("note", "none", "none"),
        ("file", "some/where.npz", Path("some/where.npz")),
        ("file", "none", None),
        ("file", "~/x", Path.home() / "x"),
        ("heads", "3+5+7", (3, 5, 7)),
        ("heads", "3", (3,)),
        ("heads", "none", ()),
        ("size", "128+64", (128, 64)),
        ("weight", "none", "none"),
        ("channels", "3", 3),
        ("channels", "None", None),
        ("mode", "repeat", "repeat"),
        ("limit", "none", None),
        ("limit", "2.5", 2.5),
    ],
)
def test_parse_value_reads(name, text, value):
    """Each type reads its text, with the exact Python type."""
    found = parse_value(text, ENTRIES[name])
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("flag", "yes", "true or false"),
        ("flag", "1", "true or false"),
        ("length", "5.0", "a whole number from 1 to 64"),
        ("length", "1_0", "a whole number from 1 to 64"),
        ("length", "٣", "a whole number"),
        ("length", "0", "from 1 to 64"),
        ("length", "65", "from 1 to 64"),
        ("length", "9" * 5000, "from 1 to 64"),
        ("rate", "nan", "a number of at least 0"),
        ("rate", "inf", "a number of at least 0"),
        ("rate", "1e999", "a number of at least 0"),
        ("rate", "-1", "a number of at least 0"),
        ("file", "", "a path or none"),
        ("heads", "3,5", "whole numbers joined by \\+"),
        ("heads", "3+0", "of at least 1"),
        ("heads", "3++5", "whole numbers joined by \\+"),
        ("size", "256", "2 whole numbers joined by \\+"),
        ("size", "1+2+3", "2 whole numbers joined by \\+"),
        ("weight", "Static", "one of none, static, learned"),
        ("channels", "2", "one of 1, 3 or none"),
        ("mode", "jump", "one of skip, repeat"),
    ],
)
def test_parse_value_says_what_was_expected(name, text, expected):
    """A text of the wrong type, outside of the range or the choices is refused with what would
    do."""
    with pytest.raises(ValueError, match=f"^{name} must be .*{expected}.*, not '"):
        parse_value(text, ENTRIES[name])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("length", True),
        ("length", 5.0),
        ("flag", 1),
        ("rate", "1"),
        ("rate", None),
        ("heads", [3, 5]),
        ("heads", (3, True)),
        ("weight", "other"),
        ("channels", True),
    ],
)
def test_check_value_refuses_python_values_of_another_type(name, value):
    """Defaults and profiles are held to the types that users are held to."""
    with pytest.raises(ValueError, match=f"^{name} must be"):
        check_value(value, ENTRIES[name])


@pytest.mark.parametrize(
    ("name", "value"),
    [("rate", 1), ("heads", ()), ("file", None), ("size", (1, 2)), ("channels", 3)],
)
def test_check_value_takes_what_fits(name, value):
    """A whole number is a number; an empty tuple and None fit where the type says so."""
    check_value(value, ENTRIES[name])


def test_describe_lists_names_defaults_and_types():
    """The list of parameters shows each as it is typed, with its type."""
    assert describe(Example) == (
        'flag=false (bool), length=5 (int), rate=0.001 (float), note="" (text), file=none (path or none), heads=3+5+7 (ints joined by +), '
        "size=256+256 (ints joined by +), weight=none (none, static or learned), channels=1 (1, 3 or none), "
        "mode=skip (skip or repeat), limit=none (float or none)"
    )


@given(st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)))
def test_format_value_loses_no_digit_of_a_number(value):
    """A number written into a selector is read back as the same number."""
    assert parse_value(format_value(value), ENTRIES["limit"]) == value


@given(st.lists(st.integers(1, 10**9), max_size=5).map(tuple))
def test_format_value_loses_nothing_of_a_tuple(value):
    """A tuple written into a selector is read back as the same tuple."""
    assert parse_value(format_value(value), ENTRIES["heads"]) == value
