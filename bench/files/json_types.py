"""Whether a value read from JSON has the type that a field is declared with."""

from __future__ import annotations

import functools
import math
import types
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Union, get_args, get_origin


class FieldTypes:
    """The declared types of the fields of a JSON object: 10,000 cells are compared with the same
    ones.
    """

    def __init__(self, declared: Mapping[str, Any]) -> None:
        self._checks = [(name, hint, _check_of(hint)) for name, hint in declared.items()]

    def error(self, value: Mapping[str, Any]) -> str:
        """Return which field has another type than declared, its value, and the type; empty where
        all fields that are there have theirs.
        """
        for name, hint, check in self._checks:
            if name in value and not check(value[name]):
                expected = (
                    hint.__name__
                    if isinstance(hint, type) and not get_args(hint)
                    else str(hint).replace("typing.", "")
                )
                return f"{name} is {str(value[name])[:80]!r}, expected {expected}"
        return ""


def type_error(value: Mapping[str, Any], declared: Mapping[str, Any]) -> str:
    """Return what `FieldTypes(declared).error` returns of one object."""
    return FieldTypes(declared).error(value)


@functools.cache
def _check_of(hint: Any) -> Callable[[Any], bool]:
    """Return a function that tells whether a JSON value has a type: a scalar, `list[X]`,
    `tuple[X, Y]`, `tuple[X, ...]`, `dict[str, X]`, a `StrEnum`, a union of these, or `Any`.

    Integers count as floats, booleans do not count as numbers, numbers are finite and have at most
    64 bits, and a list stands for a tuple.
    """
    base, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return lambda value: True
    if base in (Union, types.UnionType):
        checks = [_check_of(argument) for argument in arguments]
        return lambda value: any(check(value) for check in checks)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        values = frozenset(hint)
        return lambda value: isinstance(value, str) and value in values
    if base is list or (base is tuple and arguments[-1] is ...):
        of_item = _check_of(arguments[0])
        return lambda value: isinstance(value, list) and all(map(of_item, value))
    if base is tuple and arguments[-1] is not ...:
        of_items = [_check_of(argument) for argument in arguments]
        return lambda value: (
            isinstance(value, list)
            and len(value) == len(of_items)
            and all(check(item) for check, item in zip(of_items, value))
        )
    if base is dict:
        of_value = _check_of(arguments[1])
        return lambda value: isinstance(value, dict) and all(map(of_value, value.values()))
    if hint is int:
        return _is_whole
    if hint is float:
        return lambda value: _is_whole(value) or (type(value) is float and math.isfinite(value))
    return lambda value: type(value) is hint


def _is_whole(value: Any) -> bool:
    return type(value) is int and -(2**63) <= value < 2**63
