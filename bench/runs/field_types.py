"""Whether a value read from JSON has the type that a field is declared with."""

from __future__ import annotations

import functools
import math
import types
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Union, get_args, get_origin


def misfit(value: Mapping[str, Any], hints: Mapping[str, Any]) -> str:
    """Return which field of those that are there has another type than declared, and what it is;
    empty where all fit.
    """
    for name, hint in hints.items():
        if name in value and not check_of(hint)(value[name]):
            expected = (
                hint.__name__
                if isinstance(hint, type) and not get_args(hint)
                else str(hint).replace("typing.", "")
            )
            return f"{name} is {str(value[name])[:80]!r}, expected {expected}"
    return ""


@functools.cache  # runs of 10,000 cells have a million values
def check_of(hint: Any) -> Callable[[Any], bool]:
    """Return the check of a declared type: a scalar, `list[X]`, `dict[str, X]`, a
    `StrEnum`, a union of them, or anything.

    A whole number is a float as well, true and false are no numbers, and a number is finite and of
    at most 64 bits.
    """
    base, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return lambda value: True
    if base in (Union, types.UnionType):
        checks = [check_of(argument) for argument in arguments]
        return lambda value: any(check(value) for check in checks)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        values = frozenset(hint)
        return lambda value: isinstance(value, str) and value in values
    if base is list:
        of_item = check_of(arguments[0])
        return lambda value: isinstance(value, list) and all(map(of_item, value))
    if base is dict:
        of_value = check_of(arguments[1])
        return lambda value: isinstance(value, dict) and all(map(of_value, value.values()))
    if hint is int:
        return _is_whole
    if hint is float:
        return lambda value: _is_whole(value) or (type(value) is float and math.isfinite(value))
    return lambda value: type(value) is hint


def _is_whole(value: Any) -> bool:
    return type(value) is int and -(2**63) <= value < 2**63
