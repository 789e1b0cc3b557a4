"""Whether a value read from JSON has the type that a field is declared with."""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin


def fits(value: Any, hint: Any) -> bool:
    """Return whether a value is of a declared type: a scalar, `list[X]`, `dict[str, X]`, a `Literal`, a union of them, or anything.

    A whole number is a float as well, true and false are no numbers, and a number is finite and of at most 64 bits.
    """
    base, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if base in (Union, types.UnionType):
        return any(fits(value, argument) for argument in arguments)
    if base is Literal:
        return value in arguments if isinstance(value, str) else False
    if base is list:
        return isinstance(value, list) and all(fits(item, arguments[0]) for item in value)
    if base is dict:
        return isinstance(value, dict) and all(fits(item, arguments[1]) for item in value.values())
    if hint is int:
        return type(value) is int and -(2**63) <= value < 2**63
    if hint is float:
        return fits(value, int) or (type(value) is float and math.isfinite(value))
    return type(value) is hint


def misfit(value: Mapping[str, Any], hints: Mapping[str, Any]) -> str:
    """Return which field of those that are there has another type than declared, and what it is; empty where all fit."""
    for name, hint in hints.items():
        if name in value and not fits(value[name], hint):
            expected = hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint).replace("typing.", "")
            return f"{name} is {str(value[name])[:80]!r}, expected {expected}"
    return ""
