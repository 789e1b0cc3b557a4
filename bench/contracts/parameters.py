"""Parameters of methods, datasets and detectors: fields of a frozen dataclass, each with a unit and
a source.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

_INT = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_SCALARS: dict[Any, tuple[str, str]] = {
    bool: ("true or false", "bool"),
    int: ("a whole number", "int"),
    float: ("a number", "float"),
    str: ("text", "text"),
    Path: ("a path", "path"),
}


def parameter(
    default: Any = MISSING,
    *,
    unit: str = "",
    source: str = "",
    doc: str = "",
    choices: Sequence[Any] = (),
    minimum: float | None = None,
    maximum: float | None = None,
) -> Any:
    """Return a dataclass field that says what its value means and where it comes from.

    Parameters
    ----------
    default : the value of profile `paper`; without one, a user has to give a value.
    unit : e.g. 'frames', 'pixels', 'epochs'.
    source : 'paper, section 4.2', 'code train.py:57', or 'no source: chosen here because ...'.
    doc : one sentence, where the name does not say it.
    choices : the allowed values, where the type is no `Literal`.
    minimum, maximum : the allowed range, both ends included; of each element where the type is a
        tuple.
    """
    metadata = {
        "unit": unit,
        "source": source,
        "doc": doc,
        "choices": tuple(choices),
        "minimum": minimum,
        "maximum": maximum,
    }
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True)
class NoParameters:
    """A dataset, method or detector without parameters."""


@dataclass(frozen=True)
class ParameterSchema:
    """One parameter as `bench list` and the error texts show it. `default` is `dataclasses.MISSING`
    where there is none.
    """

    name: str
    type: Any
    default: Any = MISSING
    unit: str = ""
    source: str = ""
    doc: str = ""
    choices: tuple[Any, ...] = ()
    minimum: float | None = None
    maximum: float | None = None

    @property
    def required(self) -> bool:
        """Whether a user has to give a value."""
        return self.default is MISSING

    @property
    def type_text(self) -> str:
        """The type in one or two words: 'int', 'float or none', 'skip, repeat or patch'."""
        base, optional = _without_none(self.type)
        options = [format_value(choice) for choice in self.choices]
        if not options:
            options = [_SCALARS[base][1] if base in _SCALARS else "ints joined by +"]
        return _one_of([*options, "none"] if optional else options)

    @property
    def expected(self) -> str:
        """What a value must be, after 'must be': 'a whole number of at least 1', 'one of skip,
        repeat, patch'.
        """
        base, optional = _without_none(self.type)
        if self.choices:
            text = "one of " + ", ".join(format_value(choice) for choice in self.choices)
        elif base in _SCALARS:
            text = _SCALARS[base][0]
        else:
            sizes = get_args(base)
            number = "" if Ellipsis in sizes else f"{len(sizes)} "
            text = f"{number}whole numbers joined by +"
        return text + self.range_text + (" or none" if optional else "")

    @property
    def range_text(self) -> str:
        """The range after the type: ' from 1 to 64', or nothing."""
        if self.minimum is not None and self.maximum is not None:
            return f" from {format_value(self.minimum)} to {format_value(self.maximum)}"
        if self.minimum is not None:
            return f" of at least {format_value(self.minimum)}"
        return "" if self.maximum is None else f" of at most {format_value(self.maximum)}"

    @property
    def example(self) -> str:
        """The parameter as it is typed, with its default: 'length=5'; 'path=...' where there is
        none.
        """
        return f"{self.name}={'...' if self.required else show_value(self.default)}"


def schema(parameters: Any) -> list[ParameterSchema]:
    """Return the parameters of a dataclass in the order of its fields; those of an instance have
    its values as defaults.

    Raises
    ------
    TypeError : not a dataclass, or a field of a type that cannot be written in a selection.
    """
    if not dataclasses.is_dataclass(parameters):
        raise TypeError(f"{parameters!r} is no dataclass")
    cls = parameters if isinstance(parameters, type) else type(parameters)
    hints = _hints(cls)
    entries = []
    for field in dataclasses.fields(cls):
        if not field.init:
            continue
        if parameters is not cls:
            default = getattr(parameters, field.name)
        elif field.default_factory is not MISSING:
            default = field.default_factory()
        else:
            default = field.default
        base = _without_none(hints[field.name])[0]
        _check_type(field.name, base)
        known = {
            key: field.metadata[key]
            for key in ("unit", "source", "doc", "choices", "minimum", "maximum")
            if key in field.metadata
        }
        if get_origin(base) is Literal:
            known["choices"] = known.get("choices") or get_args(base)
        entries.append(ParameterSchema(field.name, hints[field.name], default, **known))
    return entries


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def parse_value(text: str, entry: ParameterSchema) -> Any:
    """Return the value that `text` stands for.

    Raises
    ------
    ValueError : with the parameter, what was expected, and what was found.
    """
    try:
        value = _convert(text, entry.type)
    except ValueError:
        value = MISSING
    if value is MISSING or not _fits(value, entry):
        raise ValueError(f"{entry.name} must be {entry.expected}, not {text!r}")
    return value


def check_value(value: Any, entry: ParameterSchema) -> None:
    """Raise ValueError unless `value`, written in Python (a default, a profile), is one that the
    parameter may have.
    """
    if not _fits(value, entry):
        raise ValueError(f"{entry.name} must be {entry.expected}, not {value!r}")


def format_value(value: Any) -> str:
    """Write a value as it stands in a selection, without quotes."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or value in ((), []):
        return "none"
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    if isinstance(value, tuple | list):  # JSON has lists alone
        return "+".join(str(element) for element in value)
    return str(value)


def show_value(value: Any) -> str:
    """Write a value for people to read: an empty text shows as two quotes."""
    return format_value(value) or '""'


def describe(parameters: Any) -> str:
    """List the parameters of a dataclass on one line, with defaults and types: 'epochs=60 (int),
    weight=none (none or static)'.
    """
    return describe_entries(schema(parameters))


def describe_entries(entries: Iterable[ParameterSchema]) -> str:
    """List parameters on one line, with defaults and types."""
    return ", ".join(f"{entry.example} ({entry.type_text})" for entry in entries)


def _without_none(hint: Any) -> tuple[Any, bool]:
    if get_origin(hint) in (Union, types.UnionType):
        rest = [part for part in get_args(hint) if part is not type(None)]
        if len(rest) == 1:
            return rest[0], True
    return hint, False


def _check_type(name: str, base: Any) -> None:
    if base in _SCALARS or get_origin(base) is Literal:
        return
    arguments = get_args(base)
    if (
        get_origin(base) is tuple
        and arguments
        and all(argument in (int, Ellipsis) for argument in arguments)
    ):
        return
    shown = base.__name__ if isinstance(base, type) and not arguments else str(base)
    raise TypeError(
        f"parameter {name!r} is of type {shown}, which no selection can write; "
        "use bool, int, float, str, Path, Literal, tuple[int, ...], or one of them | None"
    )


def _convert(text: str, hint: Any) -> Any:
    base, optional = _without_none(hint)
    lower = text.lower()
    if optional and lower == "none":
        return None
    if get_origin(base) is Literal:
        return next((choice for choice in get_args(base) if format_value(choice) == text), MISSING)
    if base is bool:
        return {"true": True, "false": False}.get(lower, MISSING)
    if base is int:
        return int(text) if _INT.fullmatch(text) else MISSING
    if base is float:
        return float(text) if _FLOAT.fullmatch(text) else MISSING
    if base is str:
        return text
    if base is Path:
        return _to_path(text)
    if lower == "none":
        return ()
    return tuple(_convert(part, int) for part in text.split("+"))


def _to_path(text: str) -> Any:
    if not text:
        return MISSING
    try:
        return Path(text).expanduser()  # the shell does not do it inside quotes
    except RuntimeError:  # there is no such user
        return Path(text)


def _fits(value: Any, entry: ParameterSchema) -> bool:
    base, optional = _without_none(entry.type)
    if value is None:
        return optional
    if get_origin(base) is tuple:
        sizes = get_args(base)
        fits = (
            isinstance(value, tuple)
            and all(type(element) is int for element in value)
            and (Ellipsis in sizes or len(value) == len(sizes))
        )
    elif get_origin(base) is Literal:
        fits = any(type(value) is type(choice) and value == choice for choice in get_args(base))
    elif base is float:
        fits = type(value) in (int, float) and math.isfinite(value)
    elif base is Path:
        fits = isinstance(value, Path)
    else:
        fits = type(value) is base
    if not fits or (entry.choices and value not in entry.choices):
        return False
    elements = value if isinstance(value, tuple) else (value,)
    return all(
        (entry.minimum is None or element >= entry.minimum)
        and (entry.maximum is None or element <= entry.maximum)
        for element in elements
        if isinstance(element, int | float)
    )


def _one_of(options: list[str]) -> str:
    return options[0] if len(options) == 1 else ", ".join(options[:-1]) + " or " + options[-1]


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: dataclasses as dicts, paths and the like as text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return value if isinstance(value, bool | int | float | str | type(None)) else str(value)
